-- Only TEXT, INTEGER (milliseconds since the epoch, or a boolean) and BLOB, so that one query text serves both databases.
-- Ids are UUIDv7 as text; words (status, kind, state) are checked by the program, so that a new word needs no migration.
-- Hot rows have no foreign key to clients: every login would lock the one row of its client.

CREATE TABLE users (
    id TEXT NOT NULL PRIMARY KEY,
    email TEXT UNIQUE,
    username TEXT UNIQUE,
    status TEXT NOT NULL,
    organization TEXT,
    roles TEXT NOT NULL,
    profile TEXT NOT NULL,
    terms_version TEXT,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;

CREATE TABLE password_credentials (
    user_id TEXT NOT NULL PRIMARY KEY REFERENCES users (id),
    phc TEXT NOT NULL,
    changed_at INTEGER NOT NULL
) STRICT;

CREATE TABLE factors (
    id TEXT NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users (id),
    kind TEXT NOT NULL,
    value TEXT NOT NULL,
    last_step INTEGER,
    bound_at INTEGER NOT NULL
) STRICT;
-- An account is read with its factors.
CREATE INDEX factors_user_id ON factors (user_id);

CREATE TABLE clients (
    id TEXT NOT NULL PRIMARY KEY,
    document TEXT NOT NULL,
    disabled INTEGER NOT NULL
) STRICT;

CREATE TABLE grants (
    id TEXT NOT NULL PRIMARY KEY,
    client_id TEXT NOT NULL,
    user_id TEXT NOT NULL REFERENCES users (id),
    session_id TEXT NOT NULL,
    authentication TEXT NOT NULL,
    scope TEXT NOT NULL,
    nonce TEXT,
    claims TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    revoked_at INTEGER
) STRICT;
-- A reset revokes everything of a user; a logout everything of a session.
CREATE INDEX grants_user_id ON grants (user_id);
CREATE INDEX grants_session_id ON grants (session_id);
-- Old grants are purged in order of age.
CREATE INDEX grants_created_at ON grants (created_at);

CREATE TABLE authorization_codes (
    hash BLOB NOT NULL PRIMARY KEY,
    grant_id TEXT NOT NULL REFERENCES grants (id),
    client_id TEXT NOT NULL,
    redirect_uri TEXT NOT NULL,
    code_challenge TEXT,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    consumed_at INTEGER
) STRICT;
-- A purged grant asks for its codes; the purge of codes asks for the oldest.
CREATE INDEX authorization_codes_grant_id ON authorization_codes (grant_id);
CREATE INDEX authorization_codes_expires_at ON authorization_codes (expires_at);

CREATE TABLE refresh_tokens (
    hash BLOB NOT NULL PRIMARY KEY,
    grant_id TEXT NOT NULL REFERENCES grants (id),
    client_id TEXT NOT NULL,
    scope TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    consumed_at INTEGER,
    successor BLOB
) STRICT;
-- As for codes.
CREATE INDEX refresh_tokens_grant_id ON refresh_tokens (grant_id);
CREATE INDEX refresh_tokens_expires_at ON refresh_tokens (expires_at);

CREATE TABLE browser_sessions (
    id TEXT NOT NULL PRIMARY KEY,
    token BLOB NOT NULL UNIQUE,
    user_id TEXT NOT NULL REFERENCES users (id),
    authentication TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    seen_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    ended_at INTEGER
) STRICT;
-- A reset ends the sessions of a user; the purge asks for the oldest.
CREATE INDEX browser_sessions_user_id ON browser_sessions (user_id);
CREATE INDEX browser_sessions_expires_at ON browser_sessions (expires_at);

CREATE TABLE remembered_logins (
    browser BLOB NOT NULL,
    policy TEXT NOT NULL,
    user_id TEXT NOT NULL REFERENCES users (id),
    authentication TEXT NOT NULL,
    facts TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (browser, policy)
) STRICT;
-- A reset forgets the logins of a user; the purge asks for the oldest.
CREATE INDEX remembered_logins_user_id ON remembered_logins (user_id);
CREATE INDEX remembered_logins_expires_at ON remembered_logins (expires_at);

CREATE TABLE signing_keys (
    id TEXT NOT NULL PRIMARY KEY,
    algorithm TEXT NOT NULL,
    public_jwk TEXT NOT NULL,
    sealed_private BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    use_from INTEGER NOT NULL,
    retire_at INTEGER
) STRICT;

CREATE TABLE audit_events (
    id TEXT NOT NULL PRIMARY KEY,
    at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    outcome TEXT NOT NULL,
    subject TEXT,
    client_id TEXT,
    grant_id TEXT,
    jti TEXT,
    flow TEXT,
    request TEXT,
    address TEXT,
    detail TEXT NOT NULL
) STRICT;
-- The log is read newest first: all of it, of a kind, of a person, of a client.
CREATE INDEX audit_events_at ON audit_events (at, id);
CREATE INDEX audit_events_kind ON audit_events (kind, at, id);
CREATE INDEX audit_events_subject ON audit_events (subject, at, id) WHERE subject IS NOT NULL;
CREATE INDEX audit_events_client_id ON audit_events (client_id, at, id) WHERE client_id IS NOT NULL;

-- Append only, whoever asks.
CREATE TRIGGER audit_events_no_update BEFORE UPDATE ON audit_events
BEGIN
    SELECT RAISE(ABORT, 'audit_events is append only');
END;
CREATE TRIGGER audit_events_no_delete BEFORE DELETE ON audit_events
BEGIN
    SELECT RAISE(ABORT, 'audit_events is append only');
END;

CREATE TABLE outbox (
    id TEXT NOT NULL PRIMARY KEY,
    idempotency_key TEXT NOT NULL UNIQUE,
    channel TEXT NOT NULL,
    sealed BLOB,
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    claimed_until INTEGER,
    finished_at INTEGER
) STRICT;
-- The courier asks for what is due, and for the few claimed rows that a dead node may have left.
CREATE INDEX outbox_state_due_at ON outbox (state, due_at);
-- Finished rows are purged in order of age.
CREATE INDEX outbox_finished_at ON outbox (finished_at) WHERE finished_at IS NOT NULL;

CREATE TABLE effects (
    key TEXT NOT NULL PRIMARY KEY,
    at INTEGER NOT NULL
) STRICT;
-- Keys are purged in order of age.
CREATE INDEX effects_at ON effects (at);

CREATE TABLE settings (
    key TEXT NOT NULL PRIMARY KEY,
    value BLOB NOT NULL
) STRICT;
