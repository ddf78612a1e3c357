DROP INDEX grants_client_id;
DROP INDEX clients_registered_at;
ALTER TABLE clients DROP COLUMN used_at;
ALTER TABLE clients DROP COLUMN registered_at;
