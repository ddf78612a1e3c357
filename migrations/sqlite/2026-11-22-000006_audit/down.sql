DROP TABLE audit_checkpoints;
DROP TABLE audit_subtrees;
DROP TABLE audit_entries;
DROP INDEX audit_events_jti;
DROP TRIGGER audit_events_await_place;
DROP TABLE audit_unplaced;
