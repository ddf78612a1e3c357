//! What happens to accounts, as rows: each deed is written once, however often its flow is tried.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_flow::Binding;
use countersign_flow::language::Revocation;
use countersign_model::{
    Account, AuditEvent, Factor, FactorId, FactorKind, KeyedHash, OrganizationId, PasswordCredential, PostalAddress,
    Profile, RecoveryCode, TermsAcceptance, Timestamp, User, UserId, UserStatus,
};
use countersign_store::Tx;
use std::collections::BTreeMap;

use crate::ServiceError;
use crate::clock::random;
use crate::flow::Visit;
use crate::provider::Provider;
use crate::vault::Purpose;

/// Something that happens to an account, with the event that tells of it.
#[derive(Clone)]
pub(crate) struct Deed {
    /// Unique in the database: the flow, and which of its effects.
    pub(crate) key: String,
    pub(crate) what: What,
    pub(crate) event: AuditEvent,
}

/// What happens.
#[derive(Clone)]
pub(crate) enum What {
    Create(Box<Account>),
    SetPassword { user: UserId, credential: PasswordCredential },
    Bind(Factor),
    Unbind { user: UserId, kind: FactorKind },
    AcceptTerms(TermsAcceptance),
    Complete { user: UserId },
    Revoke { user: UserId, what: Vec<Revocation> },
    SpendRecoveryCode { user: UserId, hash: KeyedHash },
    ReplaceRecoveryCodes { user: UserId, codes: Vec<RecoveryCode> },
    ConsumeLink { hash: KeyedHash },
    Close { user: UserId },
}

impl Deed {
    /// Writes it. An event is told of what was done just now, not of what a first try did.
    pub(crate) async fn write(&self, tx: &mut Tx, now: Timestamp) -> Result<bool, ServiceError> {
        let is_first = tx.insert_effect(&self.key, now).await?;
        match &self.what {
            // Whatever was typed last holds: a person may try again with another one.
            What::SetPassword { user, credential } => tx.set_password(user, credential).await?,
            What::Bind(factor) => bind(tx, factor, now).await?,
            _ if !is_first => return Ok(false),
            What::Create(account) => create(tx, account, now).await?,
            What::Unbind { user, kind } => drop(tx.delete_factors(user, *kind).await?),
            What::AcceptTerms(acceptance) => drop(tx.accept_terms(acceptance).await?),
            What::Complete { user } => complete(tx, user, now).await?,
            What::Revoke { user, what } => revoke(tx, user, what, now).await?,
            What::SpendRecoveryCode { user, hash } => must(tx.consume_recovery_code(user, hash, now).await?)?,
            What::ReplaceRecoveryCodes { user, codes } => drop(tx.replace_recovery_codes(user, codes).await?),
            What::ConsumeLink { hash } => consume_link(tx, hash, now).await?,
            What::Close { user } => drop(tx.close_user(user, now).await?),
        }
        if let Some(user) = self.resets().filter(|_| is_first) {
            // A new password, phone or mailbox ends Remember Me, whatever the policy says.
            tx.delete_remembered_logins_of_user(user).await?;
        }
        Ok(is_first)
    }

    const fn resets(&self) -> Option<&UserId> {
        match &self.what {
            What::SetPassword { user, .. }
            | What::Complete { user }
            | What::Bind(Factor { user, kind: FactorKind::Phone | FactorKind::Mailbox, .. })
            | What::Unbind { user, kind: FactorKind::Phone | FactorKind::Mailbox } => Some(user),
            _ => None,
        }
    }
}

/// Of what may happen once another request was first: nothing of this one may stand.
const fn must(done: bool) -> Result<(), ServiceError> {
    if done { Ok(()) } else { Err(ServiceError::Lost) }
}

async fn create(tx: &mut Tx, account: &Account, now: Timestamp) -> Result<(), ServiceError> {
    let user = &account.user;
    if let Some(email) = &user.email {
        let holder = tx.find_account_by_email(email).await?;
        must(clear_away(tx, holder, now).await?)?;
    }
    if let Some(username) = &user.username {
        let holder = tx.find_account_by_username(username).await?;
        must(clear_away(tx, holder, now).await?)?;
    }
    tx.insert_account(account).await?;
    Ok(tx.insert_unfinished(&user.id, now).await?)
}

/// Removes an account that stands in the way of a name and was abandoned: false when it was not.
async fn clear_away(tx: &mut Tx, holder: Option<Account>, now: Timestamp) -> Result<bool, ServiceError> {
    let Some(holder) = holder else { return Ok(true) };
    let user = &holder.user.id;
    Ok(tx.is_abandoned(user, now).await? && tx.delete_unclaimed(user).await?)
}

/// Who uses a link reads the mailbox; who began the registration need not.
async fn consume_link(tx: &mut Tx, hash: &KeyedHash, now: Timestamp) -> Result<(), ServiceError> {
    let link = tx.find_link(hash).await?.ok_or(ServiceError::Lost)?;
    // Before it is spent: flows of others wait here, and then see that it was.
    tx.clear_unfinished(&link.user).await?;
    must(tx.consume_link(hash, now).await?)
}

async fn bind(tx: &mut Tx, factor: &Factor, now: Timestamp) -> Result<(), ServiceError> {
    if factor.kind == FactorKind::Passkey {
        return Ok(tx.insert_factor(factor).await?);
    }
    if factor.kind == FactorKind::Mailbox {
        let holder = tx.find_account_by_email(&factor.value).await?;
        let other = holder.filter(|account| account.user.id != factor.user);
        must(clear_away(tx, other, now).await?)?;
        tx.claim_unfinished(&factor.user).await?;
        tx.set_user_email(&factor.user, &factor.value, now).await?;
    }
    tx.replace_factor(factor).await?;
    Ok(())
}

/// Links to a registration that is complete lead nowhere. The legacy portal's password stays: it is told that the
/// registration is complete (R9), and a reset by an administrator begins with it again (R56).
async fn complete(tx: &mut Tx, user: &UserId, now: Timestamp) -> Result<(), ServiceError> {
    must(tx.complete_registration(user, now).await?)?;
    tx.revoke_links_of_user(user, now).await?;
    Ok(())
}

async fn revoke(tx: &mut Tx, user: &UserId, what: &[Revocation], now: Timestamp) -> Result<(), ServiceError> {
    for what in what {
        match what {
            Revocation::Sessions => tx.end_sessions_of_user(user, now).await?,
            Revocation::Remembered => tx.delete_remembered_logins_of_user(user).await?,
            Revocation::RefreshTokens => tx.revoke_grants_of_user(user, now).await?,
        };
    }
    Ok(())
}

impl Provider {
    /// The factor that `binding` makes; none for a passkey, which the machine never sees.
    pub(crate) fn new_factor(
        &self,
        visit: &Visit<'_>,
        user: &UserId,
        binding: &Binding,
        now: Timestamp,
    ) -> Result<Option<Factor>, ServiceError> {
        let id = FactorId::new(now, random()?);
        let (kind, value, last_step) = match binding {
            Binding::Mailbox(address) => (FactorKind::Mailbox, address.clone(), None),
            Binding::Phone(number) => (FactorKind::Phone, number.clone(), None),
            Binding::Totp { label, step } => {
                let seed = self.enrolled_seed_text(&visit.seed, label);
                let sealed = self.vault.seal(Purpose::AuthenticatorSeed, id.as_str().as_bytes(), seed.as_bytes())?;
                (FactorKind::Totp, STANDARD.encode(sealed), Some(*step))
            }
            Binding::Passkey => return Ok(visit.made_passkey(user)),
        };
        Ok(Some(Factor { id, user: user.clone(), kind, value, last_step, bound_at: now, name: None, used_at: None }))
    }
}

/// The account that a registration's form describes; its registration is still to be completed.
pub(crate) fn account_of_form(
    user: &UserId,
    form: &BTreeMap<String, String>,
    organization: Option<&OrganizationId>,
    locale: &str,
    now: Timestamp,
) -> Account {
    let field = |name: &str| form.get(name).filter(|value| !value.is_empty()).cloned();
    let join = |names: [&str; 2], with: &str| {
        let known: Vec<String> = names.into_iter().filter_map(field).collect();
        Some(known.join(with)).filter(|text| !text.is_empty())
    };
    let address = PostalAddress {
        street_address: join(["address1", "address2"], "\n"),
        locality: field("city"),
        region: field("state"),
        postal_code: field("zip"),
        ..PostalAddress::default()
    };
    let profile = Profile {
        name: join(["given_name", "family_name"], " "),
        given_name: field("given_name"),
        family_name: field("family_name"),
        phone_number: field("phone"),
        address: Some(address).filter(|address| *address != PostalAddress::default()),
        ..Profile::default()
    };
    Account {
        user: User {
            id: user.clone(),
            email: field("email"),
            username: field("username"),
            status: UserStatus::Active,
            organization: organization.cloned(),
            roles: Vec::new(),
            profile,
            fax: field("fax"),
            locale: Some(locale.to_owned()),
            terms_version: None,
            registered_at: None,
            created_at: now,
            updated_at: now,
        },
        password: None,
        legacy: None,
        factors: Vec::new(),
    }
}
