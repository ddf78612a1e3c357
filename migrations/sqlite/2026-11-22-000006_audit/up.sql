-- The tree over the audit (docs/AUDIT.md).

-- Events that have no place in the tree yet. The database enters them itself, so that nobody who writes an event can
-- forget to, and nobody who adds one by hand can avoid it.
CREATE TABLE audit_unplaced (
    event_id TEXT NOT NULL PRIMARY KEY
) STRICT;
CREATE TRIGGER audit_events_await_place AFTER INSERT ON audit_events
BEGIN
    INSERT INTO audit_unplaced (event_id) VALUES (NEW.id);
END;
INSERT OR IGNORE INTO audit_unplaced (event_id) SELECT id FROM audit_events;

-- The leaves: which event stands where, and the hash of its entry.
CREATE TABLE audit_entries (
    position INTEGER NOT NULL PRIMARY KEY,
    event_id TEXT NOT NULL UNIQUE,
    hash BLOB NOT NULL
) STRICT;
-- Perfect subtrees of 2^8, 2^16, ... leaves: with them a root or a proof reads a few hundred hashes of a log of any size.
CREATE TABLE audit_subtrees (
    level INTEGER NOT NULL,
    position INTEGER NOT NULL,
    hash BLOB NOT NULL,
    PRIMARY KEY (level, position)
) STRICT;
CREATE TABLE audit_checkpoints (
    size INTEGER NOT NULL PRIMARY KEY,
    at INTEGER NOT NULL,
    note TEXT NOT NULL
) STRICT;
CREATE INDEX audit_events_jti ON audit_events (jti) WHERE jti IS NOT NULL;

CREATE TRIGGER audit_entries_no_update BEFORE UPDATE ON audit_entries
BEGIN
    SELECT RAISE(ABORT, 'the tree of the audit is append only');
END;
CREATE TRIGGER audit_entries_no_delete BEFORE DELETE ON audit_entries
BEGIN
    SELECT RAISE(ABORT, 'the tree of the audit is append only');
END;
CREATE TRIGGER audit_subtrees_no_update BEFORE UPDATE ON audit_subtrees
BEGIN
    SELECT RAISE(ABORT, 'the tree of the audit is append only');
END;
CREATE TRIGGER audit_subtrees_no_delete BEFORE DELETE ON audit_subtrees
BEGIN
    SELECT RAISE(ABORT, 'the tree of the audit is append only');
END;
CREATE TRIGGER audit_checkpoints_no_update BEFORE UPDATE ON audit_checkpoints
BEGIN
    SELECT RAISE(ABORT, 'the tree of the audit is append only');
END;
CREATE TRIGGER audit_checkpoints_no_delete BEFORE DELETE ON audit_checkpoints
BEGIN
    SELECT RAISE(ABORT, 'the tree of the audit is append only');
END;
