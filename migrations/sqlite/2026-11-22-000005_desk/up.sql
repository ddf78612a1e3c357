-- The provider groups whose people a provider administrator looks after. Until now that was the group they belong to.
CREATE TABLE administered_organizations (
    user_id TEXT NOT NULL REFERENCES users (id),
    organization TEXT NOT NULL REFERENCES organizations (id),
    granted_at INTEGER NOT NULL,
    PRIMARY KEY (user_id, organization)
) STRICT;
INSERT INTO administered_organizations (user_id, organization, granted_at)
SELECT users.id, users.organization, users.updated_at FROM users
JOIN organizations ON organizations.id = users.organization
WHERE users.roles LIKE '%"provider_administrator"%';

-- The person's name in lower case: what a list is searched by and put in order by, alike in both databases.
ALTER TABLE users ADD COLUMN listed_name TEXT NOT NULL DEFAULT '';
UPDATE users SET listed_name = lower(coalesce(json_extract(profile, '$.name'), ''));
CREATE INDEX users_listed ON users (listed_name, id);
CREATE INDEX users_organization_listed ON users (organization, listed_name, id) WHERE organization IS NOT NULL;
