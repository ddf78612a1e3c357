//! Disables and enables accounts.

use countersign_model::{AuditKind, UserId, UserStatus};

use super::{Actor, PersonRefusal, change_event, check_reason};
use crate::ServiceError;
use crate::audit::RequestContext;
use crate::provider::Provider;

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
        let reason = match check_reason(reason) {
            Ok(reason) => reason,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let Some(account) = self.find_person(who).await? else { return Ok(Err(PersonRefusal::Unknown)) };
        if account.user.status == UserStatus::Closed {
            return Ok(Err(PersonRefusal::Closed));
        }
        let (user, now) = (account.user.id, self.clock.now());
        let change = if status == UserStatus::Active { "enabled" } else { "disabled" };
        let event = change_event(&user, AuditKind::UserChanged, change, Some(reason), Actor::Operator, context, now)?;
        let changed = self
            .db
            .write(async |tx| {
                if !tx.set_user_status(&user, status, now).await? {
                    return Ok(false);
                }
                if status == UserStatus::Disabled {
                    tx.end_sessions_of_user(&user, now).await?;
                    tx.delete_remembered_logins_of_user(&user).await?;
                    tx.revoke_grants_of_user(&user, now).await?;
                }
                tx.insert_audit_events(std::slice::from_ref(&event)).await?;
                Ok::<_, ServiceError>(true)
            })
            .await?;
        Ok(if changed { Ok(user) } else { Err(PersonRefusal::Already(change)) })
    }
}
