//! People by the admin API: found, made, disabled, enabled, reset, invited again, signed out.

use countersign_model::{Account, AuditKind, AuditOutcome, OrganizationId, Seconds, SessionId, UserId, UserStatus};
use countersign_protocol::delegation::{self, Permission, Reach};
use countersign_store::{Charged, CounterLimit, PeopleFilter};
use serde::Deserialize;
use utoipa::ToSchema;

use super::reading::Reading;
use super::view::{SessionList, SessionView, UserPage, UserView};
use super::{AdminRefusal, Answer, Caller};
use crate::ServiceError;
use crate::audit::{self, RequestContext};
use crate::people::{Actor, Creation, Invitation, PersonRefusal, RegistrationReset};
use crate::provider::Provider;
use crate::resource_access::ResourceCall;

/// How many links a caller may have mailed to one person within an hour.
const LINKS: CounterLimit = CounterLimit { allowed: 10, window: Seconds::hours(1), lock: None };

/// Which accounts to list, closed ones never; none of a field: any.
#[derive(Clone, Debug, Default)]
pub struct UserQuery {
    /// With this in name, mail address or user name.
    pub search: Option<String>,
    /// Of this organization.
    pub organization: Option<OrganizationId>,
    /// Of this status.
    pub status: Option<UserStatus>,
    /// After this one, the last of the page before.
    pub after: Option<UserId>,
    /// At most so many.
    pub limit: u32,
}

/// An account to be made, whose registration is still to be done.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateUser {
    /// Mail address; the link of the policy `invitation` goes there.
    pub email: String,
    /// Full name.
    pub name: String,
    /// User name, if the person is to have one from the start.
    pub username: Option<String>,
    /// NPI of the organization the person belongs to. A provider administrator names one of the own.
    pub organization_npi: Option<String>,
    /// Client where the registration ends; none: the account page.
    pub client: Option<String>,
    /// Language of the mail: `en` (the default) or `es`.
    pub locale: Option<String>,
}

/// What changes an account.
#[derive(Clone, Copy, Debug)]
pub struct UserChange<'a> {
    /// Whose: an id.
    pub user: &'a str,
    /// Why; kept in the audit.
    pub reason: &'a str,
    /// Versions one of which the account must have; none: whatever it has (If-Match).
    pub expected: Option<&'a [String]>,
}

impl Provider {
    /// A page of the accounts that the caller sees, by name.
    pub async fn list_users(
        &self,
        call: ResourceCall<'_>,
        query: &UserQuery,
        context: &RequestContext,
    ) -> Answer<UserPage> {
        // What was searched for may be an address: that it was is told, and no more.
        let reading = Reading::of("users")
            .narrowed("organization", query.organization.as_ref())
            .narrowed("status", query.status.map(UserStatus::as_str))
            .narrowed("after", query.after.as_ref())
            .narrowed("search", query.search.as_ref().map(|_| "given"));
        let caller = match self.find_reader(call, Permission::ReadUsers, reading, context).await? {
            Ok(caller) => caller,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let filter = PeopleFilter {
            organizations: narrow(&caller.reach, query.organization.as_ref()),
            search: query.search.clone(),
            status: query.status,
            after: query.after.clone(),
            limit: query.limit + 1,
        };
        let (mut users, mut factors) = self
            .db
            .read(async |tx| {
                let users = tx.list_people(&filter).await?;
                let ids: Vec<UserId> = users.iter().map(|user| user.id.clone()).collect();
                let factors = tx.list_factors_of(&ids).await?;
                Ok::<_, ServiceError>((users, factors))
            })
            .await?;
        let has_more = users.len() > query.limit as usize;
        users.truncate(query.limit as usize);
        let next = users.last().filter(|_| has_more).map(|user| user.id.to_string());
        let users = users.into_iter().map(|user| {
            let (own, others) = factors.drain(..).partition(|factor| factor.user == user.id);
            factors = others;
            UserView::of(&Account { user, password: None, legacy: None, factors: own })
        });
        Ok(Ok(UserPage { users: users.collect(), next }))
    }

    /// One account.
    pub async fn find_user(&self, call: ResourceCall<'_>, user: &str, context: &RequestContext) -> Answer<UserView> {
        let found = self.find_seen(call, user, "user", context).await?;
        Ok(found.map(|account| UserView::of(&account)))
    }

    /// The live sessions of one person.
    pub async fn list_user_sessions(
        &self,
        call: ResourceCall<'_>,
        user: &str,
        context: &RequestContext,
    ) -> Answer<SessionList> {
        let account = match self.find_seen(call, user, "sessions", context).await? {
            Ok(account) => account,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let now = self.clock.now();
        let sessions = self.db.read(async |tx| tx.list_sessions_of_user(&account.user.id, now).await).await?;
        Ok(Ok(SessionList { sessions: sessions.into_iter().map(SessionView::of).collect() }))
    }

    /// Ends one session of a person; clients are told as of any end.
    pub async fn end_user_session(
        &self,
        caller: Caller,
        user: &str,
        session: &str,
        context: &RequestContext,
    ) -> Answer<()> {
        let Some(account) = self.find_covered(&caller, user).await? else { return Ok(Err(AdminRefusal::Unknown)) };
        let Ok(session) = session.parse::<SessionId>() else { return Ok(Err(AdminRefusal::Unknown)) };
        let (user, now, actor) = (&account.user.id, self.clock.now(), Actor::Caller(&caller));
        let event = audit::event(context, now, AuditKind::SessionEnded, AuditOutcome::Success)?.subject(Some(user));
        let event = actor.describe(event.detail("session", session.as_str())).build();
        let written = self.db.write(async |tx| {
            if let Err(refusal) = actor.may_still(tx, user, now).await? {
                return Ok(Err(refusal));
            }
            let own = tx.list_sessions_of_user(user, now).await?.iter().any(|own| own.id == session);
            if !own || !tx.end_session(&session, now).await? {
                return Ok(Err(PersonRefusal::Unknown));
            }
            tx.insert_audit_events(std::slice::from_ref(&event)).await?;
            Ok::<_, ServiceError>(Ok(()))
        });
        let written = written.await?;
        self.outbox.notify_one();
        Ok(written.map_err(AdminRefusal::from))
    }

    /// Makes an account and mails its invitation, both or neither. A request that is sent again under its key makes
    /// nothing more, and is answered with the account as it is then.
    pub async fn create_user(
        &self,
        caller: &Caller,
        new: &CreateUser,
        once: Option<(&str, &[u8])>,
        context: &RequestContext,
    ) -> Answer<UserView> {
        let locale = new.locale.as_deref().unwrap_or("en");
        if !["en", "es"].contains(&locale) {
            return Ok(Err(AdminRefusal::Person(PersonRefusal::Locale)));
        }
        let invitation = Invitation {
            email: new.email.clone(),
            name: new.name.clone(),
            username: new.username.clone(),
            npi: new.organization_npi.clone(),
            client: new.client.clone(),
            locale: locale.to_owned(),
        };
        let once = once.map(|once| self.hash_once(caller, once));
        let made = self.create_invited(&invitation, Actor::Caller(caller), once, context).await?;
        self.outbox.notify_one();
        match made {
            Ok(Creation::Made(account)) => Ok(Ok(UserView::of(&account))),
            Ok(Creation::Before(user)) => {
                let account = self.find_covered(caller, user.as_str()).await?;
                Ok(account.map(|account| UserView::of(&account)).ok_or(AdminRefusal::Unknown))
            }
            Ok(Creation::OtherRequest) => Ok(Err(AdminRefusal::KeyReused)),
            // Who asks for addresses and names that are taken leaves a trace.
            Err(refusal) => {
                let event = audit::event(context, self.clock.now(), AuditKind::AccountCreated, AuditOutcome::Failure)?;
                let event = Actor::Caller(caller).describe(event.detail("reason", refusal.to_string()));
                self.write_events(&[event.build()]).await?;
                Ok(Err(refusal.into()))
            }
        }
    }

    /// Lets a person sign in no more, or again.
    pub async fn set_user_status(
        &self,
        caller: Caller,
        change: UserChange<'_>,
        status: UserStatus,
        context: &RequestContext,
    ) -> Answer<UserView> {
        let (caller, account) = match self.find_to_change(caller, change).await? {
            Ok(found) => found,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let actor = Actor::Caller(&caller);
        let done = self.change_status_of(&account, status, change.reason, actor, context).await?;
        self.outbox.notify_one();
        self.answer_change(done.map(drop), &account.user.id).await
    }

    /// Resets a registration.
    pub async fn reset_user(
        &self,
        caller: Caller,
        change: UserChange<'_>,
        context: &RequestContext,
    ) -> Answer<UserView> {
        let (caller, account) = match self.find_to_change(caller, change).await? {
            Ok(found) => found,
            Err(refusal) => return Ok(Err(refusal)),
        };
        if self.is_spent_by(&caller, &account).await? {
            return Ok(Err(AdminRefusal::Person(PersonRefusal::Wait)));
        }
        let reset = RegistrationReset { who: change.user, reason: change.reason, force: true };
        let done = self.reset_account(&account, &reset, Actor::Caller(&caller), context).await?;
        self.outbox.notify_one();
        self.answer_change(done.map(drop), &account.user.id).await
    }

    /// Mails another invitation to one whose registration is unfinished.
    pub async fn invite_user(
        &self,
        caller: Caller,
        change: UserChange<'_>,
        context: &RequestContext,
    ) -> Answer<UserView> {
        let (caller, account) = match self.find_to_change(caller, change).await? {
            Ok(found) => found,
            Err(refusal) => return Ok(Err(refusal)),
        };
        if self.is_spent_by(&caller, &account).await? {
            return Ok(Err(AdminRefusal::Person(PersonRefusal::Wait)));
        }
        let done = self.invite_again(&account, Actor::Caller(&caller), context).await?;
        self.outbox.notify_one();
        self.answer_change(done, &account.user.id).await
    }

    /// The account of `user`, if it is one whom the caller of `call` sees, of which they read `what`.
    pub(super) async fn find_seen(
        &self,
        call: ResourceCall<'_>,
        user: &str,
        what: &'static str,
        context: &RequestContext,
    ) -> Answer<Account> {
        let caller = match self.find_caller(call, Permission::ReadUsers).await? {
            Ok(caller) => caller,
            Err(refusal) => return Ok(Err(AdminRefusal::Token(refusal))),
        };
        let found = self.find_covered(&caller, user).await?;
        let whose = found.as_ref().map(|account| &account.user.id);
        let named = user.parse::<UserId>().ok();
        let reading = Reading::of(what).about(whose).narrowed("user", named.as_ref());
        self.note_reading(&caller, reading, context).await?;
        Ok(found.ok_or(AdminRefusal::Unknown))
    }

    /// The account of `user`, if it is one whom `caller` sees.
    async fn find_covered(&self, caller: &Caller, user: &str) -> Result<Option<Account>, ServiceError> {
        let found = match user.parse::<UserId>() {
            Ok(user) => self.find_account_of(&user).await?,
            Err(_) => None,
        };
        let seen = |account: &Account| account.user.status != UserStatus::Closed && caller.reach.covers(&account.user);
        Ok(found.filter(seen))
    }

    /// The account that is changed, as far as can be told before the transaction that does.
    pub(super) async fn find_to_change(&self, caller: Caller, change: UserChange<'_>) -> Answer<(Caller, Account)> {
        let Some(account) = self.find_covered(&caller, change.user).await? else {
            return Ok(Err(AdminRefusal::Unknown));
        };
        let allowed = match &caller.person {
            Some(person) => delegation::may_change(&person.user.id, &caller.reach, &account.user),
            None => delegation::may_program_change(&account.user),
        };
        if let Err(forbidden) = allowed {
            return Ok(Err(PersonRefusal::from(forbidden).into()));
        }
        let caller = caller.expecting(change.expected.map(<[String]>::to_vec));
        if caller.is_outdated(&account) {
            return Ok(Err(AdminRefusal::Person(PersonRefusal::Changed)));
        }
        Ok(Ok((caller, account)))
    }

    pub(super) async fn answer_change(&self, done: Result<(), PersonRefusal>, user: &UserId) -> Answer<UserView> {
        if let Err(refusal) = done {
            return Ok(Err(refusal.into()));
        }
        let account = self.find_account_of(user).await?;
        Ok(account.map(|account| UserView::of(&account)).ok_or(AdminRefusal::Unknown))
    }

    async fn find_account_of(&self, user: &UserId) -> Result<Option<Account>, ServiceError> {
        Ok(self.db.read(async |tx| tx.find_account(user).await).await?)
    }

    /// Counts a mail; true when there were too many.
    async fn is_spent_by(&self, caller: &Caller, account: &Account) -> Result<bool, ServiceError> {
        let both = format!("{} {}", caller.name(), account.user.id);
        let key = self.counter_name("admin", "link", &both);
        Ok(matches!(self.short_lived.charge(&key, &[], &LINKS).await?, Charged::Refused { .. }))
    }
}

/// The organizations that are looked in: the one that was asked for, if it is within reach.
fn narrow(reach: &Reach, asked: Option<&OrganizationId>) -> Option<Vec<OrganizationId>> {
    match (reach, asked) {
        (Reach::Everybody, None) => None,
        (Reach::Everybody, Some(asked)) => Some(vec![asked.clone()]),
        (Reach::Organizations(own), None) => Some(own.clone()),
        (Reach::Organizations(own), Some(asked)) => Some(own.iter().filter(|own| *own == asked).cloned().collect()),
    }
}
