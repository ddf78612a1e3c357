-- When a client registered itself (RFC 7591), and when it was used last, by the day: unused ones are removed.
ALTER TABLE clients ADD COLUMN registered_at BIGINT;
ALTER TABLE clients ADD COLUMN used_at BIGINT;
-- The quota counts those that registered themselves, and the purge asks for the longest unused.
CREATE INDEX clients_registered_at ON clients (registered_at) WHERE registered_at IS NOT NULL;
-- Whose client is gone, whose grants end.
CREATE INDEX grants_client_id ON grants (client_id);
