-- Events that a transaction is about to remove because their class is kept no longer (docs/AUDIT.md): empty outside of it.
CREATE TABLE audit_expiring (
    event_id TEXT NOT NULL PRIMARY KEY
) STRICT;
DROP TRIGGER audit_events_no_delete;
CREATE TRIGGER audit_events_no_delete BEFORE DELETE ON audit_events
WHEN OLD.kind = 'audit.expired' OR NOT EXISTS (SELECT 1 FROM audit_expiring WHERE event_id = OLD.id)
BEGIN
    SELECT RAISE(ABORT, 'audit_events is append only');
END;
