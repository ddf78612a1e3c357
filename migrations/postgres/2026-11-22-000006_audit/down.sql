DROP TABLE audit_checkpoints;
DROP TABLE audit_subtrees;
DROP TABLE audit_entries;
DROP FUNCTION refuse_change_of_audit_tree();
DROP INDEX audit_events_jti;
DROP TRIGGER audit_events_await_place ON audit_events;
DROP FUNCTION await_place_in_audit();
DROP TABLE audit_unplaced;
