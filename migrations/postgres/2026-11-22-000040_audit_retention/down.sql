DROP TRIGGER audit_events_no_delete ON audit_events;
DROP FUNCTION refuse_removal_from_audit();
DROP TRIGGER audit_events_append_only ON audit_events;
CREATE TRIGGER audit_events_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_events
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_audit();
DROP TABLE audit_expiring;
