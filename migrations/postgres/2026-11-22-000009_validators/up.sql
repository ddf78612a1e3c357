-- What an organization takes for an NPI. Until now the policy alone said: an NPI or another id in its place.
ALTER TABLE organizations ADD COLUMN validator TEXT NOT NULL DEFAULT 'npi_or_other';
-- Forms read it in upper case; what was entered otherwise was never found.
UPDATE organizations SET npi = upper(npi) WHERE npi <> upper(npi) AND NOT EXISTS (
    SELECT 1 FROM organizations AS other
    WHERE other.npi = upper(organizations.npi) AND other.registration_code = organizations.registration_code
);
