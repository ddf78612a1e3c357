-- Requests of programs that made something and may be sent again (Idempotency-Key): what they asked for, what they made.
CREATE TABLE answered_requests (
    hash BYTEA PRIMARY KEY,
    fingerprint BYTEA NOT NULL,
    made TEXT NOT NULL,
    at BIGINT NOT NULL
);
CREATE INDEX answered_requests_at ON answered_requests (at);
