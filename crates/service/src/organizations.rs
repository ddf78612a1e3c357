//! Provider groups, which people name by NPI and registration code when they register.

use countersign_flow::parse_npi;
use countersign_model::{AuditEvent, AuditKind, KeyedHash, NpiRule, Organization, OrganizationId, Timestamp};
use secrecy::{ExposeSecret, SecretString};

use crate::ServiceError;
use crate::audit::RequestContext;
use crate::clock::random;
use crate::deed::{Deed, RecordRefusal, tell};
use crate::effects::as_lost;
use crate::once::{Before, Once};
use crate::provider::Provider;

/// Longest name, and longest registration code, in bytes.
const MAX_TEXT: usize = 200;
/// Why a second group of one NPI and code is none.
const TAKEN: RecordRefusal = RecordRefusal::Conflict("there is an organization of this NPI and registration code");

/// What an organization is to be.
pub(crate) struct OrganizationDraft<'a> {
    pub(crate) name: &'a str,
    pub(crate) npi: &'a str,
    pub(crate) validator: NpiRule,
    /// Its registration code; none: the one it has.
    pub(crate) code: Option<&'a SecretString>,
}

/// What becomes of a group that is entered.
pub(crate) enum Entered {
    /// It was.
    Made(Organization),
    /// This very request entered it before.
    Before(OrganizationId),
}

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
        let refused = |refusal: RecordRefusal| ServiceError::Configuration(refusal.to_string());
        let draft = OrganizationDraft { name, npi, validator: validator.unwrap_or_default(), code: Some(code) };
        let npi = check(&draft).map_err(refused)?;
        let registration_code = self.hash_registration_code(code.expose_secret());
        let context = RequestContext::default();
        let deed = Deed::of_operator(&context);
        let known = self.db.read(async |tx| tx.find_organization(&npi, &registration_code).await).await?;
        if let Some(known) = known {
            if let Some(validator) = validator.filter(|validator| *validator != known.validator) {
                self.change_validator(&known.id, validator, &deed).await?;
            }
            return Ok(known.id);
        }
        match self.add_organization(&draft, &deed, None).await? {
            Ok(Entered::Made(organization)) => Ok(organization.id),
            Ok(Entered::Before(id)) => Ok(id),
            Err(refusal) => Err(refused(refusal)),
        }
    }

    /// Enters a provider group, once for the hashes `once` of a request's key and of what it asks for; refused where there
    /// is one of this NPI and code.
    pub(crate) async fn add_organization(
        &self,
        draft: &OrganizationDraft<'_>,
        deed: &Deed<'_>,
        once: Option<(KeyedHash, KeyedHash)>,
    ) -> Result<Result<Entered, RecordRefusal>, ServiceError> {
        let npi = match check(draft) {
            Ok(npi) => npi,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let Some(code) = draft.code else {
            return Ok(Err(RecordRefusal::Invalid("an organization has a registration code".to_owned())));
        };
        let now = self.clock.now();
        let organization = Organization {
            id: OrganizationId::new(now, random()?),
            name: draft.name.to_owned(),
            npi,
            validator: draft.validator,
            registration_code: self.hash_registration_code(code.expose_secret()),
            created_at: now,
        };
        let event = changed(&organization.id, "created", deed, now)?;
        let once = once.map(|hashes| Once::new(hashes, organization.id.to_string()));
        let written = self.db.write(async |tx| {
            if let Err(refusal) = deed.check(tx, now).await? {
                return Ok(Err(refusal));
            }
            if let Some(once) = &once {
                match once.begin(tx, now).await? {
                    Before::Never => {}
                    Before::Made(id) => {
                        return Ok(id.parse().map(Entered::Before).map_err(|_| RecordRefusal::KeyReused));
                    }
                    Before::Other => return Ok(Err(RecordRefusal::KeyReused)),
                }
            }
            let known = tx.find_organization(&organization.npi, &organization.registration_code).await?;
            if known.is_some() {
                if let Some(once) = &once {
                    once.forget(tx).await?;
                }
                return Ok(Err(TAKEN));
            }
            tx.insert_organization(&organization).await?;
            tell(tx, &event).await?;
            Ok::<_, ServiceError>(Ok(Entered::Made(organization.clone())))
        });
        written.await.map_err(as_lost)
    }

    /// Makes of the group `id` what `draft` says, if it is still one that `is_expected`.
    pub(crate) async fn replace_organization(
        &self,
        id: &OrganizationId,
        draft: &OrganizationDraft<'_>,
        deed: &Deed<'_>,
        is_expected: impl Fn(&Organization) -> bool + Sync,
    ) -> Result<Result<Organization, RecordRefusal>, ServiceError> {
        let npi = match check(draft) {
            Ok(npi) => npi,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let now = self.clock.now();
        let code = draft.code.map(|code| self.hash_registration_code(code.expose_secret()));
        let event = changed(id, "changed", deed, now)?;
        let written = self.db.write(async |tx| {
            if let Err(refusal) = deed.check(tx, now).await? {
                return Ok(Err(refusal));
            }
            let Some(known) = tx.find_organization_by_id(id).await? else { return Ok(Err(RecordRefusal::Unknown)) };
            if !is_expected(&known) {
                return Ok(Err(RecordRefusal::Changed));
            }
            let new = Organization {
                name: draft.name.to_owned(),
                npi: npi.clone(),
                validator: draft.validator,
                registration_code: code.unwrap_or(known.registration_code),
                ..known.clone()
            };
            if new == known {
                return Ok(Ok(known));
            }
            let other = tx.find_organization(&new.npi, &new.registration_code).await?;
            if other.is_some_and(|other| other.id != *id) {
                return Ok(Err(TAKEN));
            }
            tx.replace_organization(&new).await?;
            let mut event = event.clone();
            event.detail.insert("fields".to_owned(), list_fields(&known, &new).into());
            tell(tx, &event).await?;
            Ok::<_, ServiceError>(Ok(new))
        });
        written.await.map_err(as_lost)
    }

    async fn change_validator(
        &self,
        id: &OrganizationId,
        validator: NpiRule,
        deed: &Deed<'_>,
    ) -> Result<(), ServiceError> {
        let event = changed(id, "validator", deed, self.clock.now())?;
        self.db
            .write(async |tx| {
                tx.set_organization_validator(id, validator).await?;
                tell(tx, &event).await
            })
            .await
    }
}

/// The NPI as it is kept, if the group may be so.
fn check(draft: &OrganizationDraft<'_>) -> Result<String, RecordRefusal> {
    let refuse = |why: &str| Err(RecordRefusal::Invalid(why.to_owned()));
    if draft.name.trim().is_empty() || draft.name.len() > MAX_TEXT || draft.name.chars().any(char::is_control) {
        return refuse("an organization has a name, of at most 200 bytes");
    }
    let code = draft.code.map(|code| code.expose_secret().trim().len());
    if code.is_some_and(|length| length == 0 || length > MAX_TEXT) {
        return refuse("a registration code has 1 to 200 bytes");
    }
    let npi = parse_npi(draft.validator, draft.npi);
    npi.ok_or_else(|| RecordRefusal::Invalid("that is no NPI as the organization's validator takes it".to_owned()))
}

/// What is another, by name; never what it is.
fn list_fields(known: &Organization, new: &Organization) -> Vec<&'static str> {
    let fields = [
        ("name", known.name != new.name),
        ("npi", known.npi != new.npi),
        ("validator", known.validator != new.validator),
        ("registration_code", known.registration_code != new.registration_code),
    ];
    fields.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name).collect()
}

fn changed(id: &OrganizationId, change: &str, deed: &Deed<'_>, now: Timestamp) -> Result<AuditEvent, ServiceError> {
    let event = deed.event(AuditKind::OrganizationChanged, now)?;
    Ok(event.detail("organization", id.as_str()).detail("change", change).build())
}
