//! Provider groups by the admin API: seen, entered, changed.

use countersign_model::{NpiRule, Organization, OrganizationId};
use countersign_protocol::delegation::{Permission, Reach};
use secrecy::SecretString;
use serde::Deserialize;
use utoipa::ToSchema;

use super::reading::Reading;
use super::view::{OrganizationList, OrganizationView};
use super::{AdminRefusal, Answer, Caller};
use crate::audit::RequestContext;
use crate::deed::{Deed, RecordRefusal};
use crate::organizations::{Entered, OrganizationDraft};
use crate::people::Actor;
use crate::provider::Provider;
use crate::resource_access::ResourceCall;

/// An organization to be entered.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateOrganization {
    /// Its name, of at most 200 bytes.
    pub name: String,
    /// National Provider Identifier, or what stands in for it.
    pub npi: String,
    /// What it takes for one: `npi` or `npi_or_other` (the default).
    pub validator: Option<String>,
    /// What people name beside the NPI when they register, 1 to 200 bytes. Kept as a hash, told to nobody again.
    #[schema(value_type = String)]
    pub registration_code: SecretString,
    /// Why; kept in the audit.
    pub reason: String,
}

/// What an organization is to be from now on.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeOrganization {
    /// Its name, of at most 200 bytes.
    pub name: String,
    /// National Provider Identifier, or what stands in for it.
    pub npi: String,
    /// What it takes for one: `npi` or `npi_or_other`.
    pub validator: String,
    /// Another registration code; left out: the one it has.
    #[schema(value_type = Option<String>)]
    pub registration_code: Option<SecretString>,
    /// Why; kept in the audit.
    pub reason: String,
}

impl Provider {
    /// The provider groups that the caller sees.
    pub async fn tell_organizations(
        &self,
        call: ResourceCall<'_>,
        context: &RequestContext,
    ) -> Answer<OrganizationList> {
        let reading = Reading::of("organizations");
        let caller = match self.find_reader(call, Permission::ReadOrganizations, reading, context).await? {
            Ok(caller) => caller,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let mut organizations = self.list_organizations().await?;
        organizations.retain(|organization| is_seen(&caller, &organization.id));
        Ok(Ok(OrganizationList { organizations: organizations.into_iter().map(OrganizationView::of).collect() }))
    }

    /// One of them.
    pub async fn tell_organization(
        &self,
        call: ResourceCall<'_>,
        organization: &str,
        context: &RequestContext,
    ) -> Answer<OrganizationView> {
        let named = organization.parse::<OrganizationId>().ok();
        let reading = Reading::of("organization").narrowed("organization", named.as_ref());
        let caller = match self.find_reader(call, Permission::ReadOrganizations, reading, context).await? {
            Ok(caller) => caller,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let found = match named.filter(|id| is_seen(&caller, id)) {
            Some(id) => self.db.read(async |tx| tx.find_organization_by_id(&id).await).await?,
            None => None,
        };
        Ok(found.map(OrganizationView::of).ok_or(AdminRefusal::Unknown))
    }

    /// Enters a provider group. A request that is sent again under its key is answered with the group as it is then.
    pub async fn create_organization_by(
        &self,
        caller: &Caller,
        new: &CreateOrganization,
        once: Option<(&str, &[u8])>,
        context: &RequestContext,
    ) -> Answer<OrganizationView> {
        let deed = match Deed::new(Actor::Caller(caller), &new.reason, context) {
            Ok(deed) => deed,
            Err(refusal) => return Ok(Err(refusal.into())),
        };
        let validator = match new.validator.as_deref().map_or(Ok(NpiRule::default()), read_validator) {
            Ok(validator) => validator,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let (name, code) = (new.name.trim(), Some(&new.registration_code));
        let draft = OrganizationDraft { name, npi: &new.npi, validator, code };
        let once = once.map(|once| self.hash_once(caller, once));
        Ok(match self.add_organization(&draft, &deed, once).await? {
            Ok(Entered::Made(organization)) => Ok(OrganizationView::of(organization)),
            Ok(Entered::Before(id)) => {
                let found = self.db.read(async |tx| tx.find_organization_by_id(&id).await).await?;
                found.map(OrganizationView::of).ok_or(AdminRefusal::Unknown)
            }
            Err(refusal) => Err(refusal.into()),
        })
    }

    /// Changes a provider group.
    pub async fn change_organization(
        &self,
        caller: &Caller,
        organization: &str,
        change: &ChangeOrganization,
        expected: Option<&[String]>,
        context: &RequestContext,
    ) -> Answer<OrganizationView> {
        let Ok(id) = organization.parse::<OrganizationId>() else { return Ok(Err(AdminRefusal::Unknown)) };
        let deed = match Deed::new(Actor::Caller(caller), &change.reason, context) {
            Ok(deed) => deed,
            Err(refusal) => return Ok(Err(refusal.into())),
        };
        let validator = match read_validator(&change.validator) {
            Ok(validator) => validator,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let (name, code) = (change.name.trim(), change.registration_code.as_ref());
        let draft = OrganizationDraft { name, npi: &change.npi, validator, code };
        let is_expected = |known: &Organization| {
            expected.is_none_or(|expected| expected.contains(&OrganizationView::of(known.clone()).version()))
        };
        let done = self.replace_organization(&id, &draft, &deed, is_expected).await?;
        Ok(done.map(OrganizationView::of).map_err(AdminRefusal::from))
    }
}

fn is_seen(caller: &Caller, organization: &OrganizationId) -> bool {
    match &caller.reach {
        Reach::Everybody => true,
        Reach::Organizations(own) => own.contains(organization),
    }
}

fn read_validator(word: &str) -> Result<NpiRule, AdminRefusal> {
    let unknown = || RecordRefusal::Invalid("validator is neither npi nor npi_or_other".to_owned());
    NpiRule::from_word(word).ok_or_else(|| unknown().into())
}
