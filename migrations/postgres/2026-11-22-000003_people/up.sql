-- Accounts that somebody made on a registration page and nobody has completed: whoever made one need not be the person
-- whose mail address it has. claimed: that mailbox was proven since.
CREATE TABLE unfinished_accounts (
    user_id TEXT NOT NULL PRIMARY KEY REFERENCES users (id),
    made_at BIGINT NOT NULL,
    claimed BOOLEAN NOT NULL
);
-- The purge asks for the oldest.
CREATE INDEX unfinished_accounts_made_at ON unfinished_accounts (made_at);
