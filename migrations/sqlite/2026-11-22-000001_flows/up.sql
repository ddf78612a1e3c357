-- Registration, recovery, second factors, and what a person is shown of their own account. Old code runs on it: every new
-- column of an old table may be missing. Ids are UUIDv7 as text; what is a keyed hash is BLOB.

ALTER TABLE users ADD COLUMN registered_at INTEGER;
ALTER TABLE users ADD COLUMN fax TEXT;
ALTER TABLE users ADD COLUMN locale TEXT;
-- Before this, an account was made whole.
UPDATE users SET registered_at = created_at;
-- An administrator of organizations lists their people.
CREATE INDEX users_organization ON users (organization, id) WHERE organization IS NOT NULL;

CREATE TABLE legacy_credentials (
    user_id TEXT NOT NULL PRIMARY KEY REFERENCES users (id),
    phc TEXT NOT NULL,
    imported_at INTEGER NOT NULL
) STRICT;

ALTER TABLE factors ADD COLUMN name TEXT;
ALTER TABLE factors ADD COLUMN used_at INTEGER;

CREATE TABLE organizations (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    npi TEXT NOT NULL,
    registration_code BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    UNIQUE (npi, registration_code)
) STRICT;

CREATE TABLE recovery_codes (
    hash BLOB NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users (id),
    created_at INTEGER NOT NULL,
    used_at INTEGER
) STRICT;
-- New codes replace all of a person's.
CREATE INDEX recovery_codes_user_id ON recovery_codes (user_id);

CREATE TABLE links (
    hash BLOB NOT NULL PRIMARY KEY,
    policy TEXT NOT NULL,
    user_id TEXT NOT NULL REFERENCES users (id),
    client_id TEXT,
    request BLOB,
    locale TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    consumed_at INTEGER,
    revoked_at INTEGER
) STRICT;
-- A newer link revokes the older ones; the purge asks for the oldest.
CREATE INDEX links_user_id ON links (user_id, policy);
CREATE INDEX links_expires_at ON links (expires_at);

CREATE TABLE federated_identities (
    provider TEXT NOT NULL,
    subject TEXT NOT NULL,
    user_id TEXT NOT NULL REFERENCES users (id),
    email TEXT,
    linked_at INTEGER NOT NULL,
    used_at INTEGER,
    PRIMARY KEY (provider, subject)
) STRICT;
-- The account page lists them.
CREATE INDEX federated_identities_user_id ON federated_identities (user_id);

CREATE TABLE terms_acceptances (
    user_id TEXT NOT NULL REFERENCES users (id),
    document TEXT NOT NULL,
    version TEXT NOT NULL,
    accepted_at INTEGER NOT NULL,
    PRIMARY KEY (user_id, document, version)
) STRICT;

CREATE TABLE known_devices (
    user_id TEXT NOT NULL REFERENCES users (id),
    device BLOB NOT NULL,
    description TEXT NOT NULL,
    first_seen_at INTEGER NOT NULL,
    last_seen_at INTEGER NOT NULL,
    PRIMARY KEY (user_id, device)
) STRICT;
-- The purge asks for the oldest.
CREATE INDEX known_devices_last_seen_at ON known_devices (last_seen_at);

ALTER TABLE browser_sessions ADD COLUMN ticket_client TEXT;
ALTER TABLE browser_sessions ADD COLUMN ticket_until INTEGER;
ALTER TABLE browser_sessions ADD COLUMN device TEXT;
ALTER TABLE browser_sessions ADD COLUMN address TEXT;

ALTER TABLE remembered_logins ADD COLUMN device TEXT;
ALTER TABLE remembered_logins ADD COLUMN created_at INTEGER;

ALTER TABLE outbox ADD COLUMN subject TEXT;
ALTER TABLE outbox ADD COLUMN flow TEXT;
ALTER TABLE outbox ADD COLUMN template TEXT;
ALTER TABLE outbox ADD COLUMN carrier TEXT;
ALTER TABLE outbox ADD COLUMN reference TEXT;
ALTER TABLE outbox ADD COLUMN status TEXT;
-- A person's timeline tells of their messages, newest first, and of whole flows.
CREATE INDEX outbox_subject ON outbox (subject, created_at, id) WHERE subject IS NOT NULL;
CREATE INDEX audit_events_flow ON audit_events (flow, at, id) WHERE flow IS NOT NULL;
