//! An administrator made by an operator, by a link that is shown where the command ran: the first one of a deployment, and
//! any whom no mail reaches yet.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_model::{Account, AuditEvent, AuditKind, Link, Profile, Role, Timestamp, User, UserId, UserStatus};
use countersign_store::Tx;
use secrecy::{ExposeSecret as _, SecretString};

use super::roles::ROLES;
use super::{Actor, Events, PersonRefusal, change_event, check_name, read_email, replace};
use crate::ServiceError;
use crate::audit::RequestContext;
use crate::clock::random;
use crate::effects::as_lost;
use crate::provider::Provider;

const POLICY: &str = "first-administrator";

/// An administrator to be made.
#[derive(Clone, Copy, Debug)]
pub struct NewAdministrator<'a> {
    /// Mail address they will sign in with.
    pub email: &'a str,
    /// Full name.
    pub name: &'a str,
    /// Language of the pages, BCP 47.
    pub locale: &'a str,
    /// Also when there is an administrator.
    pub another: bool,
}

/// What became of it.
#[derive(Debug)]
pub struct AdministratorMade {
    /// Who.
    pub user: UserId,
    /// Whether the account was made just now; otherwise it was there, unfinished, and its earlier links work no more.
    pub created: bool,
    /// The link, which works once.
    pub link: SecretString,
    /// Until when.
    pub expires_at: Timestamp,
}

/// Rows of it, made before the transaction so that it can be run again.
struct Rows {
    account: Account,
    link: Link,
    another: bool,
    events: Events,
    shown: AuditEvent,
}

impl Provider {
    /// Makes an account without a password that holds the role Administrator, and a link to register it by the policy
    /// `first-administrator`, which has the mailbox proven by a code: nobody mailed the link. Done again before the
    /// registration is complete, it makes another link. Of several at once one is the first.
    pub async fn create_administrator(
        &self,
        new: NewAdministrator<'_>,
        context: &RequestContext,
    ) -> Result<Result<AdministratorMade, PersonRefusal>, ServiceError> {
        let (email, name) = match (read_email(new.email), check_name(new.name)) {
            (Ok(email), Ok(name)) => (email, name),
            (Err(refusal), _) | (_, Err(refusal)) => return Ok(Err(refusal)),
        };
        if self.upstreams.own_address(&email) {
            return Ok(Err(PersonRefusal::Federated));
        }
        let Some(life) = self.shown_link_life(POLICY) else { return Ok(Err(PersonRefusal::NoShownLink(POLICY))) };
        let now = self.clock.now();
        let account = account_of(UserId::new(now, random()?), email, name, new.locale, now);
        let token = SecretString::from(URL_SAFE_NO_PAD.encode(random::<32>()?));
        let link = Link {
            hash: self.hash_link_token(&token),
            policy: POLICY.to_owned(),
            user: account.user.id.clone(),
            client: None,
            request: None,
            locale: new.locale.to_owned(),
            created_at: now,
            expires_at: now.plus(life),
            consumed_at: None,
            revoked_at: None,
        };
        let (user, operator) = (&account.user.id, Actor::Operator);
        let mut events = Events::of(user, operator, context, now)?;
        events.created.detail.insert("role".to_owned(), Role::Administrator.as_str().into());
        let shown = change_event(user, AuditKind::UserChanged, "link shown", None, operator, context, now)?;
        let rows = Rows { account, link, another: new.another, events, shown };
        let written = self.db.write(async |tx| rows.write(tx, now).await).await.map_err(as_lost)?;
        Ok(written.map(|(user, created)| AdministratorMade {
            user,
            created,
            link: SecretString::from(self.absolute(&format!("/link/{}", token.expose_secret()))),
            expires_at: rows.link.expires_at,
        }))
    }
}

impl Rows {
    /// Whose account it is, and whether it was made.
    async fn write(&self, tx: &mut Tx, now: Timestamp) -> Result<Result<(UserId, bool), PersonRefusal>, ServiceError> {
        tx.take_turn(ROLES).await?;
        let email = self.account.user.email.as_deref().unwrap_or_default();
        let mut known = tx.find_account_by_email(email).await?;
        let mut replaced = None;
        if let Some(found) = &known
            && tx.is_unclaimed(&found.user.id).await?
        {
            replaced = known.take();
        }
        if let Some(Err(refusal)) = known.as_ref().map(check_known) {
            return Ok(Err(refusal));
        }
        let user = known.as_ref().map_or(&self.account.user.id, |known| &known.user.id);
        if !self.another && tx.role_is_held(Role::Administrator, Some(user)).await? {
            return Ok(Err(PersonRefusal::AdministratorThere));
        }
        // Nothing refuses it any more but that it was proven just now: what is deleted stays deleted.
        if let Some(found) = &replaced
            && !replace(tx, found, &self.events.replaced).await?
        {
            return Ok(Err(PersonRefusal::EmailTaken));
        }
        let mut events = Vec::new();
        if known.is_none() {
            tx.insert_account(&self.account).await?;
            events.push(self.events.created.clone());
        }
        // Of every policy: what was mailed or shown before may prove more than this one does.
        tx.revoke_links_of_user(user, now).await?;
        tx.insert_link(&Link { user: user.clone(), ..self.link.clone() }).await?;
        events.push(AuditEvent { subject: Some(user.clone()), ..self.shown.clone() });
        tx.insert_audit_events(&events).await?;
        Ok(Ok((user.clone(), known.is_none())))
    }
}

/// An account that is there is the one that is meant when it was made here, and is still to be registered.
fn check_known(known: &Account) -> Result<(), PersonRefusal> {
    let user = &known.user;
    match user.status {
        UserStatus::Closed => Err(PersonRefusal::Closed),
        UserStatus::Disabled => Err(PersonRefusal::Disabled),
        UserStatus::Active if user.registered_at.is_some() => Err(PersonRefusal::EmailTaken),
        UserStatus::Active if !user.roles.contains(&Role::Administrator) => Err(PersonRefusal::EmailTaken),
        UserStatus::Active => Ok(()),
    }
}

fn account_of(id: UserId, email: String, name: &str, locale: &str, now: Timestamp) -> Account {
    let user = User {
        id,
        email: Some(email),
        username: None,
        status: UserStatus::Active,
        organization: None,
        roles: vec![Role::Administrator],
        profile: Profile { name: Some(name.to_owned()), ..Profile::default() },
        fax: None,
        locale: Some(locale.to_owned()),
        terms_version: None,
        registered_at: None,
        created_at: now,
        updated_at: now,
    };
    Account { user, password: None, legacy: None, factors: Vec::new() }
}
