-- The tree over the audit (docs/AUDIT.md).

-- Events that have no place in the tree yet. The database enters them itself, so that nobody who writes an event can
-- forget to, and nobody who adds one by hand can avoid it.
CREATE TABLE audit_unplaced (
    event_id TEXT NOT NULL PRIMARY KEY
);
CREATE FUNCTION await_place_in_audit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO audit_unplaced (event_id) SELECT id FROM inserted;
    RETURN NULL;
END
$$;
CREATE TRIGGER audit_events_await_place AFTER INSERT ON audit_events
    REFERENCING NEW TABLE AS inserted FOR EACH STATEMENT EXECUTE FUNCTION await_place_in_audit();
-- After the trigger, whose lock the events of running nodes wait for: none falls between the two.
INSERT INTO audit_unplaced (event_id) SELECT id FROM audit_events ON CONFLICT DO NOTHING;

-- The leaves: which event stands where, and the hash of its entry.
CREATE TABLE audit_entries (
    position BIGINT NOT NULL PRIMARY KEY,
    event_id TEXT NOT NULL UNIQUE,
    hash BYTEA NOT NULL
);
-- Perfect subtrees of 2^8, 2^16, ... leaves: with them a root or a proof reads a few hundred hashes of a log of any size.
CREATE TABLE audit_subtrees (
    level BIGINT NOT NULL,
    position BIGINT NOT NULL,
    hash BYTEA NOT NULL,
    PRIMARY KEY (level, position)
);
CREATE TABLE audit_checkpoints (
    size BIGINT NOT NULL PRIMARY KEY,
    at BIGINT NOT NULL,
    note TEXT NOT NULL
);
CREATE INDEX audit_events_jti ON audit_events (jti) WHERE jti IS NOT NULL;

CREATE FUNCTION refuse_change_of_audit_tree() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the tree of the audit is append only';
END
$$;
CREATE TRIGGER audit_entries_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_entries
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_audit_tree();
CREATE TRIGGER audit_subtrees_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_subtrees
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_audit_tree();
CREATE TRIGGER audit_checkpoints_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_checkpoints
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_audit_tree();
