//! Who a person from upstream is here.
//!
//! Provider and subject alone name a person; a mail address never finds an account that anybody can sign in to. On the
//! first visit the provider must have verified the address and it must be in one of the provider's own domains; then an
//! account is made, or one that was made beforehand and has no credential yet is adopted.

use countersign_flow::Federated;
use countersign_model::{
    Account, AuditEvent, AuditKind, AuditOutcome, FactorKind, FederatedIdentity, FlowId, Profile, Timestamp, User,
    UserId, UserStatus,
};
use countersign_protocol::UpstreamIdentity;
use countersign_store::{StoreError, Tx};
use serde_json::{Map, Value};

use super::{FoundFederated, LinkRule, Party};
use crate::ServiceError;
use crate::audit::{self, RequestContext};
use crate::clock::random;
use crate::provider::Provider;

/// Longest mail address, in bytes (RFC 5321, 4.5.3.1.3).
const MAX_EMAIL: usize = 254;
/// Longest name taken over, in characters.
const MAX_NAME: usize = 100;

/// A person to be linked, with their account where that is new.
#[derive(Clone)]
pub(crate) struct Adoption {
    identity: FederatedIdentity,
    /// The account to make; none: it was made beforehand.
    created: Option<Box<User>>,
    /// An account that somebody made under the address and nobody proved to be theirs: it goes.
    replaces: Option<UserId>,
    events: Vec<AuditEvent>,
}

impl Provider {
    /// Applies the linking rules; the reason when nobody may be linked.
    pub(super) async fn link(
        &self,
        party: &Party,
        identity: &UpstreamIdentity,
        flow: FlowId,
        context: &RequestContext,
    ) -> Result<Result<FoundFederated, &'static str>, ServiceError> {
        let now = self.clock.now();
        let (provider, subject) = (party.settings.id.as_str(), identity.subject.as_str());
        let email = read_email(party, &identity.claims);
        let known = self.db.read(async |tx| tx.find_federated_identity(provider, subject).await).await?;
        if let Some(known) = known {
            return self.return_known(&known, identity, email.ok().as_deref(), context, now).await;
        }
        let email = match email {
            Ok(email) => email,
            Err(reason) => return Ok(Err(reason)),
        };
        let (account, linked, unclaimed) = self
            .db
            .read(async |tx| {
                let Some(account) = tx.find_account_by_email(&email).await? else {
                    return Ok::<_, StoreError>((None, Vec::new(), false));
                };
                let linked = tx.list_federated_identities(&account.user.id).await?;
                let unclaimed = tx.is_unclaimed(&account.user.id).await?;
                Ok((Some(account), linked, unclaimed))
            })
            .await?;
        // The provider vouches for the address; whoever typed it into a form did not.
        let (replaces, account) = match account {
            Some(planted) if unclaimed => (Some(planted.user.id), None),
            account => (None, account),
        };
        let (account, created) = match account {
            Some(account) if !linked.is_empty() => {
                tracing::warn!(user = %account.user.id, provider, "an address came with another subject");
                return Ok(Err("the account with this address is linked to somebody else"));
            }
            Some(account) => match check_adoptable(&account) {
                Ok(()) => (account, false),
                Err(reason) => return Ok(Err(reason)),
            },
            None if party.settings.link == LinkRule::Existing => {
                return Ok(Err("no account was made for this address"));
            }
            None => (new_account(party, &identity.claims, email.clone(), UserId::new(now, random()?), now), true),
        };
        let adoption = adoption(provider, subject, &account, created, email, (flow, context, now))?;
        let adoption = Adoption { replaces, ..adoption };
        let auth_time = identity.auth_time;
        let federated = Federated { user: account.user.id.clone(), is_new: true, auth_time };
        Ok(Ok(FoundFederated { federated, account, adoption: Some(adoption) }))
    }

    async fn return_known(
        &self,
        known: &FederatedIdentity,
        identity: &UpstreamIdentity,
        email: Option<&str>,
        context: &RequestContext,
        now: Timestamp,
    ) -> Result<Result<FoundFederated, &'static str>, ServiceError> {
        let account = self.db.read(async |tx| tx.find_account(&known.user).await).await?;
        let Some(account) = account.filter(|account| account.user.status == UserStatus::Active) else {
            return Ok(Err("the account may not sign in"));
        };
        let email = email.or(known.email.as_deref());
        let completed = audit::event(context, now, AuditKind::RegistrationCompleted, AuditOutcome::Success)?;
        let completed = completed.subject(Some(&known.user)).detail("by", known.provider.as_str()).build();
        self.db
            .write(async |tx| {
                tx.touch_federated_identity(&known.provider, &known.subject, email, now).await?;
                // After a reset nothing is left to be set here: the provider's sign-in is all of it, as the first time.
                if account.user.registered_at.is_none() {
                    tx.complete_registration(&account.user.id, now).await?;
                    tx.insert_audit_events(std::slice::from_ref(&completed)).await?;
                }
                Ok::<_, ServiceError>(())
            })
            .await?;
        let auth_time = identity.auth_time;
        let federated = Federated { user: account.user.id.clone(), is_new: false, auth_time };
        Ok(Ok(FoundFederated { federated, account, adoption: None }))
    }
}

fn adoption(
    provider: &str,
    subject: &str,
    account: &Account,
    created: bool,
    email: String,
    (flow, context, now): (FlowId, &RequestContext, Timestamp),
) -> Result<Adoption, ServiceError> {
    let event = |kind| -> Result<AuditEvent, ServiceError> {
        Ok(audit::event(context, now, kind, AuditOutcome::Success)?
            .subject(Some(&account.user.id))
            .flow(flow)
            .detail("provider", provider)
            .build())
    };
    let mut events = vec![event(AuditKind::FederationLinked)?];
    if created {
        events.insert(0, event(AuditKind::AccountCreated)?);
    }
    Ok(Adoption {
        identity: FederatedIdentity {
            provider: provider.to_owned(),
            subject: subject.to_owned(),
            user: account.user.id.clone(),
            email: Some(email),
            linked_at: now,
            used_at: Some(now),
        },
        created: created.then(|| Box::new(account.user.clone())),
        replaces: None,
        events,
    })
}

impl Adoption {
    /// Whom it makes or links.
    pub(crate) const fn user(&self) -> &UserId {
        &self.identity.user
    }

    /// Writes account and link. `ServiceError::Lost` when somebody was first: the same person in another tab, or
    /// whoever gave the account a credential meanwhile.
    pub(crate) async fn write(&self, tx: &mut Tx) -> Result<(), ServiceError> {
        let user = &self.identity.user;
        if let Some(planted) = &self.replaces
            && !tx.delete_unclaimed(planted).await?
        {
            return Err(ServiceError::Lost);
        }
        if let Some(created) = &self.created {
            match tx.insert_user(created).await {
                Err(StoreError::Conflict(_)) => return Err(ServiceError::Lost),
                other => other?,
            }
        } else {
            let account = tx.find_account(user).await?.ok_or(ServiceError::Lost)?;
            let linked = tx.list_federated_identities(user).await?;
            if !linked.is_empty() || check_adoptable(&account).is_err() {
                return Err(ServiceError::Lost);
            }
            tx.complete_registration(user, self.identity.linked_at).await?;
        }
        if !tx.insert_federated_identity(&self.identity).await? {
            return Err(ServiceError::Lost);
        }
        tx.insert_audit_events(&self.events).await?;
        Ok(())
    }
}

/// The address the provider vouches for: verified, well-formed, in lower case, in one of its domains.
fn read_email(party: &Party, claims: &Map<String, Value>) -> Result<String, &'static str> {
    let email = claims.get(&party.settings.claims.email).and_then(Value::as_str).ok_or("it told no mail address")?;
    if claims.get("email_verified") != Some(&Value::Bool(true)) {
        return Err("it has not verified the mail address");
    }
    let shaped = email.split_once('@').is_some_and(|(local, domain)| !local.is_empty() && !domain.contains('@'));
    let clean = email.is_ascii() && email.bytes().all(|byte| byte.is_ascii_graphic()) && email.len() <= MAX_EMAIL;
    if !shaped || !clean {
        return Err("its mail address is malformed");
    }
    if !party.settings.owns_address(email) {
        return Err("the mail address is of a foreign domain");
    }
    Ok(email.to_ascii_lowercase())
}

/// An account may be adopted as long as nobody can sign in to it: whoever holds a credential of it is its person.
fn check_adoptable(account: &Account) -> Result<(), &'static str> {
    let holds = |kind| account.factor(kind).is_some();
    if account.user.status != UserStatus::Active {
        return Err("the account may not sign in");
    }
    if account.password.is_some() || account.legacy.is_some() {
        return Err("an account with this address has a password");
    }
    if holds(FactorKind::Passkey) || holds(FactorKind::Totp) || holds(FactorKind::Phone) {
        return Err("an account with this address has credentials of its own");
    }
    Ok(())
}

/// No mailbox factor: who leaves the provider must not find another way in by a mailed code.
fn new_account(party: &Party, claims: &Map<String, Value>, email: String, id: UserId, now: Timestamp) -> Account {
    let names = &party.settings.claims;
    let (given_name, family_name) = (read_name(claims, &names.given_name), read_name(claims, &names.family_name));
    let whole: Vec<&str> = [&given_name, &family_name].into_iter().flatten().map(String::as_str).collect();
    let profile = Profile {
        name: Some(whole.join(" ")).filter(|name| !name.is_empty()),
        given_name: given_name.clone(),
        family_name: family_name.clone(),
        ..Profile::default()
    };
    let user = User {
        id,
        email: Some(email),
        username: None,
        status: UserStatus::Active,
        organization: None,
        roles: Vec::new(),
        profile,
        fax: None,
        locale: None,
        terms_version: None,
        registered_at: Some(now),
        created_at: now,
        updated_at: now,
    };
    Account { user, password: None, legacy: None, factors: Vec::new() }
}

fn read_name(claims: &Map<String, Value>, claim: &str) -> Option<String> {
    let text = claims.get(claim)?.as_str()?;
    let clean: String = text.chars().filter(|c| !c.is_control()).take(MAX_NAME).collect();
    Some(clean.trim().to_owned()).filter(|name| !name.is_empty())
}
