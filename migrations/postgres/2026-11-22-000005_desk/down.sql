DROP INDEX users_organization_listed;
DROP INDEX users_listed;
ALTER TABLE users DROP COLUMN listed_name;
DROP TABLE administered_organizations;
