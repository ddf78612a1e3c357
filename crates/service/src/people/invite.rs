//! Invitations (R33): an account whose registration is still to be done, and a link to do it.

use countersign_model::{
    Account, AuditKind, Client, ClientId, KeyedHash, OrganizationId, Profile, Timestamp, User, UserId, UserStatus,
};
use countersign_store::Tx;

use super::roles::ROLES;
use super::{
    Actor, Events, PersonRefusal, change_event, check_name, find_npi, locale_of, read_email, read_username, replace,
};
use crate::ServiceError;
use crate::audit::RequestContext;
use crate::clock::random;
use crate::effects::{PreparedEffects, as_lost, mailbox_of};
use crate::links::NewLink;
use crate::once::{Before, Once};
use crate::provider::Provider;

const POLICY: &str = "invitation";

/// Somebody to be invited.
#[derive(Clone, Debug, Default)]
pub struct Invitation {
    /// Mail address the link goes to.
    pub email: String,
    /// Full name.
    pub name: String,
    /// User name, if they are to have one from the start.
    pub username: Option<String>,
    /// NPI of the provider group they belong to.
    pub npi: Option<String>,
    /// Client where the registration ends; none: the account page.
    pub client: Option<String>,
    /// Language of the mail, BCP 47.
    pub locale: String,
}

/// What became of an invitation.
#[derive(Clone, Debug)]
pub struct Invited {
    /// Who.
    pub user: UserId,
    /// Whether the account was made just now.
    pub created: bool,
}

/// What became of a request to make an account.
#[derive(Debug)]
pub(crate) enum Creation {
    /// It was made, and its link is mailed.
    Made(Box<Account>),
    /// This very request made it before.
    Before(UserId),
    /// Another request was sent under this key.
    OtherRequest,
}

/// An account that is made with its invitation, as rows.
struct NewGuest {
    guest: Guest,
    account: Account,
    events: Events,
    link: PreparedEffects,
    /// Key of the request, and what it asked for.
    once: Option<Once>,
}

/// An invitation that was read.
struct Guest {
    email: String,
    name: String,
    username: Option<String>,
    organization: Option<OrganizationId>,
    client: Option<ClientId>,
}

impl Provider {
    /// Makes the account, unless there is one whose registration is incomplete, and mails the link. Earlier invitations
    /// of this person stop working.
    pub async fn invite(
        &self,
        new: &Invitation,
        context: &RequestContext,
    ) -> Result<Result<Invited, PersonRefusal>, ServiceError> {
        if self.policies.set().get(POLICY).is_none() {
            return Ok(Err(PersonRefusal::NoPolicy(POLICY)));
        }
        let guest = match self.read_guest(new, Actor::Operator).await? {
            Ok(guest) => guest,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let invited = match self.find_or_create(&guest, &new.locale, context).await? {
            Ok(invited) => invited,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let link = NewLink {
            user: invited.user.clone(),
            policy: POLICY.to_owned(),
            template: POLICY.to_owned(),
            client: guest.client,
            locale: new.locale.clone(),
        };
        let mailed = self.mail_link(&link, context).await?;
        Ok(if mailed { Ok(invited) } else { Err(PersonRefusal::NoPolicy(POLICY)) })
    }

    /// Makes the account and mails the link, both or neither; `once` are hashes of the request's key and of what it asks
    /// for. Unlike [`Provider::invite`] it is refused where there is an account.
    pub(crate) async fn create_invited(
        &self,
        new: &Invitation,
        actor: Actor<'_>,
        once: Option<(KeyedHash, KeyedHash)>,
        context: &RequestContext,
    ) -> Result<Result<Creation, PersonRefusal>, ServiceError> {
        let guest = match self.read_guest(new, actor).await? {
            Ok(guest) => guest,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let now = self.clock.now();
        let account = guest.account(UserId::new(now, random()?), &new.locale, now);
        let user = account.user.id.clone();
        let events = Events::of(&user, actor, context, now)?;
        let link = NewLink {
            user: user.clone(),
            policy: POLICY.to_owned(),
            template: POLICY.to_owned(),
            client: guest.client.clone(),
            locale: new.locale.clone(),
        };
        let Some(link) = self.prepare_mailed_link(&link, Some(&account), context, now).await? else {
            return Ok(Err(PersonRefusal::NoPolicy(POLICY)));
        };
        let once = once.map(|hashes| Once::new(hashes, user.to_string()));
        let rows = NewGuest { guest, account, events, link, once };
        // Who was faster under another key is found by the second try.
        match self.db.write(async |tx| rows.write(tx, actor, now).await).await.map_err(as_lost) {
            Err(ServiceError::Lost) => self.db.write(async |tx| rows.write(tx, actor, now).await).await,
            written => written,
        }
    }

    /// Mails another link to somebody whose registration is unfinished; theirs of before stops working.
    pub(crate) async fn invite_again(
        &self,
        account: &Account,
        actor: Actor<'_>,
        context: &RequestContext,
    ) -> Result<Result<(), PersonRefusal>, ServiceError> {
        if let Err(refusal) = check_unfinished(account, self.policies.set().get(POLICY).is_some()) {
            return Ok(Err(refusal));
        }
        let (user, now) = (&account.user.id, self.clock.now());
        let sent = change_event(user, AuditKind::UserChanged, "invited again", None, actor, context, now)?;
        let link = NewLink {
            user: user.clone(),
            policy: POLICY.to_owned(),
            template: POLICY.to_owned(),
            client: None,
            locale: locale_of(account).to_owned(),
        };
        let Some(mailed) = self.prepare_mailed_link(&link, None, context, now).await? else {
            return Ok(Err(PersonRefusal::NoPolicy(POLICY)));
        };
        let written = self.db.write(async |tx| {
            if let Err(refusal) = actor.may_still(tx, user, now).await? {
                return Ok(Err(refusal));
            }
            tx.insert_audit_events(std::slice::from_ref(&sent)).await?;
            mailed.write(tx, now).await?;
            Ok::<_, ServiceError>(Ok(()))
        });
        let written = written.await.map_err(as_lost);
        self.outbox.notify_one();
        written
    }

    async fn read_guest(
        &self,
        new: &Invitation,
        actor: Actor<'_>,
    ) -> Result<Result<Guest, PersonRefusal>, ServiceError> {
        // Others than operators invite to what an operator registered alone.
        let any = matches!(actor, Actor::Operator);
        let may_name = |client: &Client| !client.disabled && (any || client.registration.is_none());
        let client = match new.client.as_deref().map(str::parse::<ClientId>) {
            None => None,
            Some(Ok(id)) if self.find_client(&id).await?.is_some_and(|client| may_name(&client)) => Some(id),
            Some(_) => return Ok(Err(PersonRefusal::ClientUnknown)),
        };
        let organizations = match &new.npi {
            Some(_) => self.db.read(async |tx| tx.list_organizations().await).await?,
            None => Vec::new(),
        };
        let read = || {
            Ok(Guest {
                email: read_email(&new.email)?,
                name: check_name(&new.name)?.to_owned(),
                username: new.username.as_deref().map(read_username).transpose()?,
                organization: new.npi.as_deref().map(|npi| find_npi(&organizations, npi)).transpose()?,
                client: client.clone(),
            })
        };
        Ok(read())
    }

    async fn find_or_create(
        &self,
        guest: &Guest,
        locale: &str,
        context: &RequestContext,
    ) -> Result<Result<Invited, PersonRefusal>, ServiceError> {
        let now = self.clock.now();
        let account = guest.account(UserId::new(now, random()?), locale, now);
        let events = Events::of(&account.user.id, Actor::Operator, context, now)?;
        let written = self.db.write(async |tx| guest.write(tx, &account, &events).await).await;
        written.map_err(as_lost)
    }
}

impl NewGuest {
    async fn write(
        &self,
        tx: &mut Tx,
        actor: Actor<'_>,
        now: Timestamp,
    ) -> Result<Result<Creation, PersonRefusal>, ServiceError> {
        if let Some(once) = &self.once {
            match once.begin(tx, now).await? {
                Before::Never => {}
                Before::Made(user) => {
                    return Ok(Ok(user.parse().map_or(Creation::OtherRequest, Creation::Before)));
                }
                Before::Other => return Ok(Ok(Creation::OtherRequest)),
            }
        }
        let made = self.make(tx, actor, now).await?;
        if let (Err(_), Some(once)) = (&made, &self.once) {
            once.forget(tx).await?;
        }
        Ok(made.map(|()| Creation::Made(Box::new(self.account.clone()))))
    }

    async fn make(
        &self,
        tx: &mut Tx,
        actor: Actor<'_>,
        now: Timestamp,
    ) -> Result<Result<(), PersonRefusal>, ServiceError> {
        tx.take_turn(ROLES).await?;
        if let Err(refusal) = actor.may_still_change(tx, &self.account, now).await? {
            // An organization out of reach is none that the caller could name.
            let unseen = refusal == PersonRefusal::Unknown;
            return Ok(Err(if unseen { PersonRefusal::OrganizationUnknown } else { refusal }));
        }
        match self.guest.write(tx, &self.account, &self.events).await? {
            Ok(Invited { created: true, .. }) => {}
            Ok(_) | Err(PersonRefusal::Registered | PersonRefusal::Disabled | PersonRefusal::Differs(_)) => {
                return Ok(Err(PersonRefusal::Exists));
            }
            Err(refusal) => return Ok(Err(refusal)),
        }
        self.link.write(tx, now).await?;
        Ok(Ok(()))
    }
}

fn check_unfinished(account: &Account, has_policy: bool) -> Result<(), PersonRefusal> {
    match account.user.status {
        UserStatus::Closed => Err(PersonRefusal::Closed),
        UserStatus::Disabled => Err(PersonRefusal::Disabled),
        UserStatus::Active if !has_policy => Err(PersonRefusal::NoPolicy(POLICY)),
        UserStatus::Active if account.user.registered_at.is_some() => Err(PersonRefusal::Registered),
        UserStatus::Active if mailbox_of(account).is_none() => Err(PersonRefusal::NoMailbox),
        UserStatus::Active => Ok(()),
    }
}

impl Guest {
    fn account(&self, id: UserId, locale: &str, now: Timestamp) -> Account {
        let user = User {
            id,
            email: Some(self.email.clone()),
            username: self.username.clone(),
            status: UserStatus::Active,
            organization: self.organization.clone(),
            roles: Vec::new(),
            profile: Profile { name: Some(self.name.clone()), ..Profile::default() },
            fax: None,
            locale: Some(locale.to_owned()),
            terms_version: None,
            registered_at: None,
            created_at: now,
            updated_at: now,
        };
        Account { user, password: None, legacy: None, factors: Vec::new() }
    }

    async fn write(
        &self,
        tx: &mut Tx,
        new: &Account,
        events: &Events,
    ) -> Result<Result<Invited, PersonRefusal>, ServiceError> {
        let known = tx.find_account_by_email(&self.email).await?;
        if let Some(known) = &known
            && !tx.is_unclaimed(&known.user.id).await?
        {
            return Ok(self.check_known(known));
        }
        let replaced = known.as_ref().and_then(|known| known.user.username.as_ref());
        if let Some(username) = self.username.as_ref().filter(|username| replaced != Some(*username))
            && tx.username_exists(username).await?
        {
            return Ok(Err(PersonRefusal::UsernameTaken));
        }
        // Nothing refuses it any more: what is deleted stays deleted.
        if let Some(known) = &known
            && !replace(tx, known, &events.replaced).await?
        {
            return Ok(self.check_known(known));
        }
        tx.insert_account(new).await?;
        tx.insert_audit_events(std::slice::from_ref(&events.created)).await?;
        Ok(Ok(Invited { user: new.user.id.clone(), created: true }))
    }

    /// Whether an account that is there is the one that is meant, and has something to complete.
    fn check_known(&self, known: &Account) -> Result<Invited, PersonRefusal> {
        let user = &known.user;
        match user.status {
            UserStatus::Active => {}
            UserStatus::Disabled => return Err(PersonRefusal::Disabled),
            UserStatus::Closed => return Err(PersonRefusal::Closed),
        }
        if user.registered_at.is_some() {
            return Err(PersonRefusal::Registered);
        }
        if self.username.is_some() && self.username != user.username {
            return Err(PersonRefusal::Differs("user name"));
        }
        if self.organization.is_some() && self.organization != user.organization {
            return Err(PersonRefusal::Differs("organization"));
        }
        Ok(Invited { user: user.id.clone(), created: false })
    }
}
