ALTER TABLE organizations DROP COLUMN validator;
