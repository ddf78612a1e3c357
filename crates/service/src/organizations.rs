//! Provider groups, which people name by NPI and registration code when they register.

use countersign_flow::parse_npi;
use countersign_model::{AuditEvent, AuditKind, AuditOutcome, NpiRule, Organization, OrganizationId, Timestamp};
use secrecy::{ExposeSecret, SecretString};

use crate::ServiceError;
use crate::audit::{self, RequestContext};
use crate::clock::random;
use crate::provider::Provider;

/// Longest name, in bytes.
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
        self.enter_organization(name, npi, code, None).await
    }

    /// The same, with what it takes for an NPI: `None` is the default of a new one, and leaves one that is there as it is.
    pub async fn enter_organization(
        &self,
        name: &str,
        npi: &str,
        code: &SecretString,
        validator: Option<NpiRule>,
    ) -> Result<OrganizationId, ServiceError> {
        let refuse = |why: &str| Err(ServiceError::Configuration(why.to_owned()));
        if name.is_empty() || name.len() > MAX_TEXT {
            return refuse("an organization has a name, of at most 200 bytes");
        }
        let Some(npi) = parse_npi(validator.unwrap_or_default(), npi) else {
            return refuse("that is no NPI as the organization's validator takes it");
        };
        let npi = npi.as_str();
        let registration_code = self.hash_registration_code(code.expose_secret());
        let known = self.db.read(async |tx| tx.find_organization(npi, &registration_code).await).await?;
        if let Some(known) = known {
            if let Some(validator) = validator.filter(|validator| *validator != known.validator) {
                self.change_validator(&known.id, validator).await?;
            }
            return Ok(known.id);
        }
        let now = self.clock.now();
        let organization = Organization {
            id: OrganizationId::new(now, random()?),
            name: name.to_owned(),
            npi: npi.to_owned(),
            validator: validator.unwrap_or_default(),
            registration_code,
            created_at: now,
        };
        let event = changed(&organization.id, "created", now)?;
        self.db
            .write(async |tx| {
                tx.insert_organization(&organization).await?;
                tx.insert_audit_events(std::slice::from_ref(&event)).await?;
                Ok::<_, ServiceError>(())
            })
            .await?;
        Ok(organization.id)
    }

    async fn change_validator(&self, id: &OrganizationId, validator: NpiRule) -> Result<(), ServiceError> {
        let event = changed(id, "validator", self.clock.now())?;
        self.db
            .write(async |tx| {
                tx.set_organization_validator(id, validator).await?;
                tx.insert_audit_events(std::slice::from_ref(&event)).await?;
                Ok::<_, ServiceError>(())
            })
            .await
    }
}

fn changed(id: &OrganizationId, change: &str, now: Timestamp) -> Result<AuditEvent, ServiceError> {
    let event = audit::event(&RequestContext::default(), now, AuditKind::OrganizationChanged, AuditOutcome::Success)?;
    Ok(event.detail("organization", id.as_str()).detail("change", change).build())
}
