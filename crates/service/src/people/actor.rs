//! Who changes somebody's account: an operator at the command line, an administrator in the console, or a program.

use countersign_model::{Account, BrowserSession, ClientId, Role, Timestamp, User, UserId, UserStatus};
use countersign_protocol::delegation::{self, Forbidden, Permission, Reach};
use countersign_store::Tx;

use super::PersonRefusal;
use super::roles::ROLES;
use crate::ServiceError;
use crate::admin::Caller;
use crate::audit::EventBuilder;

/// Somebody who was let into the console.
#[derive(Clone, Debug)]
pub(crate) struct Administrator {
    /// By this session.
    pub(crate) session: BrowserSession,
    /// Themself.
    pub(crate) user: User,
    /// Whom they see.
    pub(crate) reach: Reach,
    /// By this they were let in.
    pub(crate) permission: Permission,
}

/// Who changes an account, or something of the deployment.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Actor<'a> {
    /// Whoever may run the command line may do all of it.
    Operator,
    /// Within their reach.
    Administrator(&'a Administrator),
    /// By the admin API, within their reach.
    Caller(&'a Caller),
}

impl Actor<'_> {
    /// What the audit tells of them.
    pub(crate) fn describe(self, event: EventBuilder) -> EventBuilder {
        match self {
            Self::Operator => event.detail("by", "operator"),
            Self::Administrator(own) => describe_person(event, &own.user),
            Self::Caller(caller) => match &caller.person {
                Some(person) => describe_person(event, &person.user).client(&caller.client),
                None => event.detail("by", "client").client(&caller.client),
            },
        }
    }

    /// The client by which they do it, if it is by one.
    pub(crate) fn through(self) -> Option<ClientId> {
        match self {
            Self::Caller(caller) => Some(caller.client.clone()),
            Self::Operator | Self::Administrator(_) => None,
        }
    }

    /// Asks again in the transaction that changes what is nobody's account: role and session may have gone since.
    pub(crate) async fn may_still_act(self, tx: &mut Tx, now: Timestamp) -> Result<bool, ServiceError> {
        if matches!(self, Self::Operator) {
            return Ok(true);
        }
        tx.take_turn(ROLES).await?;
        Ok(match self {
            Self::Operator => true,
            Self::Administrator(own) => own.find_reach(tx, now).await?.is_some(),
            Self::Caller(caller) => caller.find_reach(tx).await?.is_some(),
        })
    }

    /// The same in the transaction that grants `role` to `target` or revokes it.
    pub(super) async fn may_still_change_role(
        self,
        tx: &mut Tx,
        target: &UserId,
        role: Role,
        now: Timestamp,
    ) -> Result<Result<(), PersonRefusal>, ServiceError> {
        if let Err(refusal) = self.may_still(tx, target, now).await? {
            return Ok(Err(refusal));
        }
        let own = match self {
            Self::Operator => return Ok(Ok(())),
            Self::Administrator(own) => &own.user.id,
            Self::Caller(caller) => match &caller.person {
                Some(person) => &person.user.id,
                None => return Ok(Err(PersonRefusal::Role)),
            },
        };
        let held = tx.find_account(own).await?.map(|account| account.user.roles).unwrap_or_default();
        Ok(delegation::may_change_role(own, &held, target, role).map_err(PersonRefusal::from))
    }

    /// Asks again in the transaction that changes the account of `target`: role, organizations and session may have gone
    /// since, and the person may have gone to another organization.
    pub(crate) async fn may_still(
        self,
        tx: &mut Tx,
        target: &UserId,
        now: Timestamp,
    ) -> Result<Result<(), PersonRefusal>, ServiceError> {
        if matches!(self, Self::Operator) {
            return Ok(Ok(()));
        }
        tx.take_turn(ROLES).await?;
        let Some(target) = tx.find_account(target).await? else { return Ok(Err(PersonRefusal::Unknown)) };
        self.may_still_change(tx, &target, now).await
    }

    /// The same of an account that is in hand, in the turn of what changes roles.
    pub(super) async fn may_still_change(
        self,
        tx: &mut Tx,
        target: &Account,
        now: Timestamp,
    ) -> Result<Result<(), PersonRefusal>, ServiceError> {
        let found = match self {
            Self::Operator => return Ok(Ok(())),
            Self::Administrator(own) => own.find_reach(tx, now).await?.map(|(user, reach)| (Some(user), reach)),
            Self::Caller(caller) if caller.is_outdated(target) => return Ok(Err(PersonRefusal::Changed)),
            Self::Caller(caller) => caller.find_reach(tx).await?,
        };
        let allowed = match found {
            None => Err(Forbidden::Unseen),
            Some((Some(user), reach)) => delegation::may_change(&user, &reach, &target.user),
            Some((None, _)) => delegation::may_program_change(&target.user),
        };
        Ok(allowed.map_err(PersonRefusal::from))
    }
}

impl Administrator {
    /// Who they are and whom they reach by now.
    async fn find_reach(&self, tx: &mut Tx, now: Timestamp) -> Result<Option<(UserId, Reach)>, ServiceError> {
        let session = tx.find_session_by_token(&self.session.token).await?;
        let is_live = session.is_some_and(|session| session.ended_at.is_none() && now < session.expires_at);
        let own = tx.find_account(&self.user.id).await?.map(|account| account.user);
        let Some(own) = own.filter(|own| is_live && own.status == UserStatus::Active) else { return Ok(None) };
        let administers = tx.list_administered(&own.id).await?;
        Ok(delegation::reach_by(&own.roles, &administers, self.permission).map(|reach| (own.id, reach)))
    }
}

/// A person by the widest role they hold.
fn describe_person(event: EventBuilder, user: &User) -> EventBuilder {
    let by = if user.roles.contains(&Role::Administrator) { "administrator" } else { "provider administrator" };
    event.detail("by", by).detail("actor", user.id.as_str())
}

impl From<Forbidden> for PersonRefusal {
    fn from(forbidden: Forbidden) -> Self {
        match forbidden {
            Forbidden::Unseen => Self::Unknown,
            Forbidden::Own => Self::Own,
            Forbidden::Administrator => Self::Administrator,
            Forbidden::Role => Self::Role,
        }
    }
}
