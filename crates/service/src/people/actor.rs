//! Who changes somebody's account: an operator at the command line, or an administrator in the console.

use countersign_model::{BrowserSession, Role, Timestamp, User, UserId, UserStatus};
use countersign_protocol::delegation::{self, Forbidden, Reach};
use countersign_store::Tx;

use super::PersonRefusal;
use super::roles::ROLES;
use crate::ServiceError;
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
}

/// Who changes an account.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Actor<'a> {
    /// Whoever may run the command line may do all of it.
    Operator,
    /// Within their reach.
    Administrator(&'a Administrator),
}

impl Actor<'_> {
    /// What the audit tells of them.
    pub(crate) fn describe(self, event: EventBuilder) -> EventBuilder {
        match self {
            Self::Operator => event.detail("by", "operator"),
            Self::Administrator(own) if own.user.roles.contains(&Role::Administrator) => {
                event.detail("by", "administrator").detail("actor", own.user.id.as_str())
            }
            Self::Administrator(own) => {
                event.detail("by", "provider administrator").detail("actor", own.user.id.as_str())
            }
        }
    }

    /// Asks again in the transaction that changes the account of `target`: role, organizations and session may have gone
    /// since, and the person may have gone to another organization.
    pub(crate) async fn may_still(
        self,
        tx: &mut Tx,
        target: &UserId,
        now: Timestamp,
    ) -> Result<Result<(), PersonRefusal>, ServiceError> {
        let Self::Administrator(own) = self else { return Ok(Ok(())) };
        tx.take_turn(ROLES).await?;
        let session = tx.find_session_by_token(&own.session.token).await?;
        let is_live = session.is_some_and(|session| session.ended_at.is_none() && now < session.expires_at);
        let actor = tx.find_account(&own.user.id).await?.map(|account| account.user);
        let actor = actor.filter(|actor| is_live && actor.status == UserStatus::Active);
        let target = tx.find_account(target).await?.map(|account| account.user);
        let (Some(actor), Some(target)) = (actor, target) else { return Ok(Err(PersonRefusal::Unknown)) };
        let administers = tx.list_administered(&actor.id).await?;
        let reach = Reach::of(&actor.roles, &administers);
        let allowed = reach.map_or(Err(Forbidden::Unseen), |reach| delegation::may_change(&actor.id, &reach, &target));
        Ok(allowed.map_err(PersonRefusal::from))
    }
}

impl From<Forbidden> for PersonRefusal {
    fn from(forbidden: Forbidden) -> Self {
        match forbidden {
            Forbidden::Unseen => Self::Unknown,
            Forbidden::Own => Self::Own,
            Forbidden::Administrator => Self::Administrator,
        }
    }
}
