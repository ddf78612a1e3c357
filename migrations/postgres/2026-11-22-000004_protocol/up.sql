-- Resource servers that were asked for (RFC 8707), a JSON array; none: no resource was named.
ALTER TABLE grants ADD COLUMN resources TEXT;
-- Keys that codes and refresh tokens are bound to (RFC 9449; RFC 8705).
ALTER TABLE authorization_codes ADD COLUMN dpop_jkt TEXT;
ALTER TABLE refresh_tokens ADD COLUMN binding TEXT;

-- What tells a lost response from a reuse: whether a successor and the access token issued with it were ever seen.
ALTER TABLE refresh_tokens ADD COLUMN access_jti TEXT;
ALTER TABLE refresh_tokens ADD COLUMN access_used_at BIGINT;
ALTER TABLE refresh_tokens ADD COLUMN revoked_at BIGINT;
CREATE INDEX refresh_tokens_access_jti ON refresh_tokens (access_jti);

-- Authorization requests that were pushed (RFC 9126), by keyed hash of their request_uri; sealed under the master key.
CREATE TABLE pushed_requests (
    hash BYTEA NOT NULL PRIMARY KEY,
    client_id TEXT NOT NULL,
    sealed BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    consumed_at BIGINT
);
CREATE INDEX pushed_requests_expires_at ON pushed_requests (expires_at);

-- Ids that are good once: of client assertions, DPoP proofs, JWT grants; by hash of kind, issuer and jti.
CREATE TABLE spent_ids (
    hash BYTEA NOT NULL PRIMARY KEY,
    expires_at BIGINT NOT NULL
);
CREATE INDEX spent_ids_expires_at ON spent_ids (expires_at);

-- Access tokens that were taken back before their end (RFC 7009), by jti.
CREATE TABLE revoked_tokens (
    jti TEXT NOT NULL PRIMARY KEY,
    expires_at BIGINT NOT NULL
);
CREATE INDEX revoked_tokens_expires_at ON revoked_tokens (expires_at);

-- Devices that wait for a person elsewhere (RFC 8628), by keyed hash of the device_code.
CREATE TABLE device_codes (
    hash BYTEA NOT NULL PRIMARY KEY,
    user_code BYTEA NOT NULL UNIQUE,
    client_id TEXT NOT NULL,
    scope TEXT NOT NULL,
    resources TEXT NOT NULL,
    state TEXT NOT NULL,
    grant_id TEXT REFERENCES grants (id),
    wait_seconds BIGINT NOT NULL,
    polled_at BIGINT,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX device_codes_expires_at ON device_codes (expires_at);

-- What a person allowed a client that is not the operator's own.
CREATE TABLE consents (
    user_id TEXT NOT NULL REFERENCES users (id),
    client_id TEXT NOT NULL,
    scope TEXT NOT NULL,
    claims TEXT NOT NULL,
    resources TEXT NOT NULL,
    given_at BIGINT NOT NULL,
    PRIMARY KEY (user_id, client_id)
);

-- When the clients of a session were told of its end (Back-Channel Logout); what ended before nobody waits for.
ALTER TABLE browser_sessions ADD COLUMN told_at BIGINT;
UPDATE browser_sessions SET told_at = ended_at;
CREATE INDEX browser_sessions_untold ON browser_sessions (ended_at) WHERE ended_at IS NOT NULL AND told_at IS NULL;
CREATE INDEX browser_sessions_idle ON browser_sessions (seen_at) WHERE ended_at IS NULL;
