-- Only TEXT, BIGINT (milliseconds since the epoch), BOOLEAN and BYTEA, so that one query text serves both databases.
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
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

CREATE TABLE password_credentials (
    user_id TEXT NOT NULL PRIMARY KEY REFERENCES users (id),
    phc TEXT NOT NULL,
    changed_at BIGINT NOT NULL
);

CREATE TABLE factors (
    id TEXT NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users (id),
    kind TEXT NOT NULL,
    value TEXT NOT NULL,
    last_step BIGINT,
    bound_at BIGINT NOT NULL
);
-- An account is read with its factors.
CREATE INDEX factors_user_id ON factors (user_id);

CREATE TABLE clients (
    id TEXT NOT NULL PRIMARY KEY,
    document TEXT NOT NULL,
    disabled BOOLEAN NOT NULL
);

CREATE TABLE grants (
    id TEXT NOT NULL PRIMARY KEY,
    client_id TEXT NOT NULL,
    user_id TEXT NOT NULL REFERENCES users (id),
    session_id TEXT NOT NULL,
    authentication TEXT NOT NULL,
    scope TEXT NOT NULL,
    nonce TEXT,
    claims TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    revoked_at BIGINT
);
-- A reset revokes everything of a user; a logout everything of a session.
CREATE INDEX grants_user_id ON grants (user_id);
CREATE INDEX grants_session_id ON grants (session_id);
-- Old grants are purged in order of age.
CREATE INDEX grants_created_at ON grants (created_at);

CREATE TABLE authorization_codes (
    hash BYTEA NOT NULL PRIMARY KEY,
    grant_id TEXT NOT NULL REFERENCES grants (id),
    client_id TEXT NOT NULL,
    redirect_uri TEXT NOT NULL,
    code_challenge TEXT,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    consumed_at BIGINT
);
-- A purged grant asks for its codes; the purge of codes asks for the oldest.
CREATE INDEX authorization_codes_grant_id ON authorization_codes (grant_id);
CREATE INDEX authorization_codes_expires_at ON authorization_codes (expires_at);

CREATE TABLE refresh_tokens (
    hash BYTEA NOT NULL PRIMARY KEY,
    grant_id TEXT NOT NULL REFERENCES grants (id),
    client_id TEXT NOT NULL,
    scope TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    consumed_at BIGINT,
    successor BYTEA
);
-- As for codes.
CREATE INDEX refresh_tokens_grant_id ON refresh_tokens (grant_id);
CREATE INDEX refresh_tokens_expires_at ON refresh_tokens (expires_at);

CREATE TABLE browser_sessions (
    id TEXT NOT NULL PRIMARY KEY,
    token BYTEA NOT NULL UNIQUE,
    user_id TEXT NOT NULL REFERENCES users (id),
    authentication TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    seen_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    ended_at BIGINT
);
-- A reset ends the sessions of a user; the purge asks for the oldest.
CREATE INDEX browser_sessions_user_id ON browser_sessions (user_id);
CREATE INDEX browser_sessions_expires_at ON browser_sessions (expires_at);

CREATE TABLE remembered_logins (
    browser BYTEA NOT NULL,
    policy TEXT NOT NULL,
    user_id TEXT NOT NULL REFERENCES users (id),
    authentication TEXT NOT NULL,
    facts TEXT NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (browser, policy)
);
-- A reset forgets the logins of a user; the purge asks for the oldest.
CREATE INDEX remembered_logins_user_id ON remembered_logins (user_id);
CREATE INDEX remembered_logins_expires_at ON remembered_logins (expires_at);

CREATE TABLE signing_keys (
    id TEXT NOT NULL PRIMARY KEY,
    algorithm TEXT NOT NULL,
    public_jwk TEXT NOT NULL,
    sealed_private BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    use_from BIGINT NOT NULL,
    retire_at BIGINT
);

CREATE TABLE audit_events (
    id TEXT NOT NULL PRIMARY KEY,
    at BIGINT NOT NULL,
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
);
-- The log is read newest first: all of it, of a kind, of a person, of a client.
CREATE INDEX audit_events_at ON audit_events (at, id);
CREATE INDEX audit_events_kind ON audit_events (kind, at, id);
CREATE INDEX audit_events_subject ON audit_events (subject, at, id) WHERE subject IS NOT NULL;
CREATE INDEX audit_events_client_id ON audit_events (client_id, at, id) WHERE client_id IS NOT NULL;

-- Append only, whoever asks.
CREATE FUNCTION refuse_change_of_audit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit_events is append only';
END
$$;
CREATE TRIGGER audit_events_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_events
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_audit();

CREATE TABLE outbox (
    id TEXT NOT NULL PRIMARY KEY,
    idempotency_key TEXT NOT NULL UNIQUE,
    channel TEXT NOT NULL,
    sealed BYTEA,
    state TEXT NOT NULL,
    attempts BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    due_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    claimed_until BIGINT,
    finished_at BIGINT
);
-- The courier asks for what is due, and for the few claimed rows that a dead node may have left.
CREATE INDEX outbox_state_due_at ON outbox (state, due_at);
-- Finished rows are purged in order of age.
CREATE INDEX outbox_finished_at ON outbox (finished_at) WHERE finished_at IS NOT NULL;

CREATE TABLE effects (
    key TEXT NOT NULL PRIMARY KEY,
    at BIGINT NOT NULL
);
-- Keys are purged in order of age.
CREATE INDEX effects_at ON effects (at);

CREATE TABLE settings (
    key TEXT NOT NULL PRIMARY KEY,
    value BYTEA NOT NULL
);
