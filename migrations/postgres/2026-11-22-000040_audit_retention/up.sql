-- Events that a transaction is about to remove because their class is kept no longer (docs/AUDIT.md): empty outside of it.
CREATE TABLE audit_expiring (
    event_id TEXT NOT NULL PRIMARY KEY
);
DROP TRIGGER audit_events_append_only ON audit_events;
CREATE TRIGGER audit_events_append_only BEFORE UPDATE OR TRUNCATE ON audit_events
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_audit();
CREATE FUNCTION refuse_removal_from_audit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.kind = 'audit.expired' OR NOT EXISTS (SELECT 1 FROM audit_expiring WHERE event_id = OLD.id) THEN
        RAISE EXCEPTION 'audit_events is append only';
    END IF;
    RETURN OLD;
END
$$;
CREATE TRIGGER audit_events_no_delete BEFORE DELETE ON audit_events
    FOR EACH ROW EXECUTE FUNCTION refuse_removal_from_audit();
