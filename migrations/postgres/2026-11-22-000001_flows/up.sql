-- Registration, recovery, second factors, and what a person is shown of their own account. Old code runs on it: every new
-- column of an old table may be missing. Ids are UUIDv7 as text; what is a keyed hash is BYTEA.

ALTER TABLE users ADD COLUMN registered_at BIGINT;
ALTER TABLE users ADD COLUMN fax TEXT;
ALTER TABLE users ADD COLUMN locale TEXT;
-- Before this, an account was made whole.
UPDATE users SET registered_at = created_at;
-- An administrator of organizations lists their people.
CREATE INDEX users_organization ON users (organization, id) WHERE organization IS NOT NULL;

CREATE TABLE legacy_credentials (
    user_id TEXT NOT NULL PRIMARY KEY REFERENCES users (id),
    phc TEXT NOT NULL,
    imported_at BIGINT NOT NULL
);

ALTER TABLE factors ADD COLUMN name TEXT;
ALTER TABLE factors ADD COLUMN used_at BIGINT;

CREATE TABLE organizations (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    npi TEXT NOT NULL,
    registration_code BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    UNIQUE (npi, registration_code)
);

CREATE TABLE recovery_codes (
    hash BYTEA NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users (id),
    created_at BIGINT NOT NULL,
    used_at BIGINT
);
-- New codes replace all of a person's.
CREATE INDEX recovery_codes_user_id ON recovery_codes (user_id);

CREATE TABLE links (
    hash BYTEA NOT NULL PRIMARY KEY,
    policy TEXT NOT NULL,
    user_id TEXT NOT NULL REFERENCES users (id),
    client_id TEXT,
    request BYTEA,
    locale TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    consumed_at BIGINT,
    revoked_at BIGINT
);
-- A newer link revokes the older ones; the purge asks for the oldest.
CREATE INDEX links_user_id ON links (user_id, policy);
CREATE INDEX links_expires_at ON links (expires_at);

CREATE TABLE federated_identities (
    provider TEXT NOT NULL,
    subject TEXT NOT NULL,
    user_id TEXT NOT NULL REFERENCES users (id),
    email TEXT,
    linked_at BIGINT NOT NULL,
    used_at BIGINT,
    PRIMARY KEY (provider, subject)
);
-- The account page lists them.
CREATE INDEX federated_identities_user_id ON federated_identities (user_id);

CREATE TABLE terms_acceptances (
    user_id TEXT NOT NULL REFERENCES users (id),
    document TEXT NOT NULL,
    version TEXT NOT NULL,
    accepted_at BIGINT NOT NULL,
    PRIMARY KEY (user_id, document, version)
);

CREATE TABLE known_devices (
    user_id TEXT NOT NULL REFERENCES users (id),
    device BYTEA NOT NULL,
    description TEXT NOT NULL,
    first_seen_at BIGINT NOT NULL,
    last_seen_at BIGINT NOT NULL,
    PRIMARY KEY (user_id, device)
);
-- The purge asks for the oldest.
CREATE INDEX known_devices_last_seen_at ON known_devices (last_seen_at);

ALTER TABLE browser_sessions ADD COLUMN ticket_client TEXT;
ALTER TABLE browser_sessions ADD COLUMN ticket_until BIGINT;
ALTER TABLE browser_sessions ADD COLUMN device TEXT;
ALTER TABLE browser_sessions ADD COLUMN address TEXT;

ALTER TABLE remembered_logins ADD COLUMN device TEXT;
ALTER TABLE remembered_logins ADD COLUMN created_at BIGINT;

ALTER TABLE outbox ADD COLUMN subject TEXT;
ALTER TABLE outbox ADD COLUMN flow TEXT;
ALTER TABLE outbox ADD COLUMN template TEXT;
ALTER TABLE outbox ADD COLUMN carrier TEXT;
ALTER TABLE outbox ADD COLUMN reference TEXT;
ALTER TABLE outbox ADD COLUMN status TEXT;
-- A person's timeline tells of their messages, newest first, and of whole flows.
CREATE INDEX outbox_subject ON outbox (subject, created_at, id) WHERE subject IS NOT NULL;
CREATE INDEX audit_events_flow ON audit_events (flow, at, id) WHERE flow IS NOT NULL;
