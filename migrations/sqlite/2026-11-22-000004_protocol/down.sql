DROP TABLE consents;
DROP TABLE device_codes;
DROP TABLE revoked_tokens;
DROP TABLE spent_ids;
DROP TABLE pushed_requests;
ALTER TABLE refresh_tokens DROP COLUMN binding;
ALTER TABLE authorization_codes DROP COLUMN dpop_jkt;
ALTER TABLE grants DROP COLUMN resources;
