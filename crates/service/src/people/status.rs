//! Disables and enables accounts.

use countersign_model::{Account, AuditKind, UserId, UserStatus};

use super::{Actor, PersonRefusal, change_event, check_reason, locale_of};
use crate::ServiceError;
use crate::audit::RequestContext;
use crate::effects::mailbox_of;
use crate::notices::Notice;
use crate::provider::Provider;

/// Mail to who may sign in no more.
const TEMPLATE: &str = "account_disabled";

impl Provider {
    /// Lets `who` sign in no more; sessions, remembered logins and grants end. The reason is kept in the audit.
    pub async fn disable_person(
        &self,
        who: &str,
        reason: &str,
        context: &RequestContext,
    ) -> Result<Result<UserId, PersonRefusal>, ServiceError> {
        self.change_status(who, UserStatus::Disabled, reason, context).await
    }

    /// Lets `who` sign in again.
    pub async fn enable_person(
        &self,
        who: &str,
        reason: &str,
        context: &RequestContext,
    ) -> Result<Result<UserId, PersonRefusal>, ServiceError> {
        self.change_status(who, UserStatus::Active, reason, context).await
    }

    async fn change_status(
        &self,
        who: &str,
        status: UserStatus,
        reason: &str,
        context: &RequestContext,
    ) -> Result<Result<UserId, PersonRefusal>, ServiceError> {
        if let Err(refusal) = check_reason(reason) {
            return Ok(Err(refusal));
        }
        let Some(account) = self.find_person(who).await? else { return Ok(Err(PersonRefusal::Unknown)) };
        self.change_status_of(&account, status, reason, Actor::Operator, context).await
    }

    /// The same, of an account that was found, by whoever it is. Who is disabled is told by mail.
    pub(crate) async fn change_status_of(
        &self,
        account: &Account,
        status: UserStatus,
        reason: &str,
        actor: Actor<'_>,
        context: &RequestContext,
    ) -> Result<Result<UserId, PersonRefusal>, ServiceError> {
        let reason = match check_reason(reason) {
            Ok(reason) => reason,
            Err(refusal) => return Ok(Err(refusal)),
        };
        if account.user.status == UserStatus::Closed {
            return Ok(Err(PersonRefusal::Closed));
        }
        let (user, now) = (&account.user.id, self.clock.now());
        let change = if status == UserStatus::Active { "enabled" } else { "disabled" };
        let mut events = vec![change_event(user, AuditKind::UserChanged, change, Some(reason), actor, context, now)?];
        let told = match mailbox_of(account).filter(|_| status == UserStatus::Disabled) {
            Some(to) => {
                let notice = Notice { template: TEMPLATE, channel: "email", to: &to, locale: locale_of(account) };
                let (message, queued) = self.notice(account, &notice, context, now)?;
                events.push(queued);
                Some(message)
            }
            None => None,
        };
        let changed = self.db.write(async |tx| {
            if let Err(refusal) = actor.may_still(tx, user, now).await? {
                return Ok(Err(refusal));
            }
            if !tx.set_user_status(user, status, now).await? {
                return Ok(Err(PersonRefusal::Already(change)));
            }
            if status == UserStatus::Disabled {
                tx.end_sessions_of_user(user, now).await?;
                tx.delete_remembered_logins_of_user(user).await?;
                tx.revoke_grants_of_user(user, now).await?;
            }
            if let Some(message) = &told {
                tx.insert_outbox_message(message).await?;
            }
            tx.insert_audit_events(&events).await?;
            Ok::<_, ServiceError>(Ok(()))
        });
        Ok(changed.await?.map(|()| user.clone()))
    }
}
