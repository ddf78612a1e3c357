-- Requests of programs that made something and may be sent again (Idempotency-Key): what they asked for, what they made.
CREATE TABLE answered_requests (
    hash BLOB PRIMARY KEY,
    fingerprint BLOB NOT NULL,
    made TEXT NOT NULL,
    at INTEGER NOT NULL
) STRICT;
CREATE INDEX answered_requests_at ON answered_requests (at);
