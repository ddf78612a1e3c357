//! Provider groups, which people name by NPI and registration code when they register.

use countersign_model::{AuditKind, AuditOutcome, Organization, OrganizationId};
use secrecy::{ExposeSecret, SecretString};

use crate::ServiceError;
use crate::audit::{self, RequestContext};
use crate::clock::random;
use crate::provider::Provider;

/// Longest name and NPI, in bytes.
const MAX_TEXT: usize = 200;

impl Provider {
    /// Every provider group, by name.
    pub async fn list_organizations(&self) -> Result<Vec<Organization>, ServiceError> {
        Ok(self.db.read(async |tx| tx.list_organizations().await).await?)
    }

    /// Enters a provider group; the one that is there already, when NPI and code are known.
    pub async fn create_organization(
        &self,
        name: &str,
        npi: &str,
        code: &SecretString,
    ) -> Result<OrganizationId, ServiceError> {
        let npi: String = npi.chars().filter(|c| !c.is_whitespace()).collect();
        let npi = npi.as_str();
        if name.is_empty() || npi.is_empty() || name.len() > MAX_TEXT || npi.len() > MAX_TEXT {
            return Err(ServiceError::Configuration(
                "an organization has a name and an NPI, at most 200 bytes each".into(),
            ));
        }
        let registration_code = self.hash_registration_code(code.expose_secret());
        let known = self.db.read(async |tx| tx.find_organization(npi, &registration_code).await).await?;
        if let Some(known) = known {
            return Ok(known.id);
        }
        let now = self.clock.now();
        let organization = Organization {
            id: OrganizationId::new(now, random()?),
            name: name.to_owned(),
            npi: npi.to_owned(),
            registration_code,
            created_at: now,
        };
        let event =
            audit::event(&RequestContext::default(), now, AuditKind::OrganizationChanged, AuditOutcome::Success)?
                .detail("organization", organization.id.as_str())
                .detail("change", "created")
                .build();
        self.db
            .write(async |tx| {
                tx.insert_organization(&organization).await?;
                tx.insert_audit_events(std::slice::from_ref(&event)).await?;
                Ok::<_, ServiceError>(())
            })
            .await?;
        Ok(organization.id)
    }
}
