-- Systems that are given the audit log, and how far each has it (docs/AUDIT.md).
CREATE TABLE audit_sinks (
    name TEXT NOT NULL PRIMARY KEY,
    position BIGINT NOT NULL,
    holder TEXT NOT NULL,
    held_until BIGINT NOT NULL
);
