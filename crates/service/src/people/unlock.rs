//! Lets a person try again who typed too many wrong passwords or codes.

use countersign_model::{Account, AuditKind, UserStatus};

use super::{Actor, PersonRefusal, change_event, check_reason};
use crate::ServiceError;
use crate::audit::RequestContext;
use crate::provider::Provider;

impl Provider {
    /// Forgets the wrong passwords and codes typed for an account, and the locks they brought, whatever policy counted them.
    /// What is counted by address, number or flow stays.
    pub(crate) async fn unlock(
        &self,
        account: &Account,
        reason: &str,
        actor: Actor<'_>,
        context: &RequestContext,
    ) -> Result<Result<(), PersonRefusal>, ServiceError> {
        let reason = match check_reason(reason) {
            Ok(reason) => reason,
            Err(refusal) => return Ok(Err(refusal)),
        };
        match account.user.status {
            UserStatus::Active => {}
            UserStatus::Disabled => return Ok(Err(PersonRefusal::Disabled)),
            UserStatus::Closed => return Ok(Err(PersonRefusal::Closed)),
        }
        let locks = self.find_locks(account).await?;
        if locks.is_empty() {
            return Ok(Err(PersonRefusal::Unlocked));
        }
        let (user, now) = (&account.user.id, self.clock.now());
        let event = change_event(user, AuditKind::UserChanged, "unlocked", Some(reason), actor, context, now)?;
        // Audited first: a lock that is gone and that nobody is known to have taken away would be worse than one that stays.
        let written = self.db.write(async |tx| {
            if let Err(refusal) = actor.may_still(tx, user, now).await? {
                return Ok(Err(refusal));
            }
            tx.insert_audit_events(std::slice::from_ref(&event)).await?;
            Ok::<_, ServiceError>(Ok(()))
        });
        if let Err(refusal) = written.await? {
            return Ok(Err(refusal));
        }
        for lock in locks {
            self.short_lived.reset(&lock).await?;
        }
        Ok(Ok(()))
    }

    /// The counters that lock the account now.
    async fn find_locks(&self, account: &Account) -> Result<Vec<String>, ServiceError> {
        let mut locks = Vec::new();
        for key in self.account_locks(account) {
            if self.short_lived.is_locked(&key).await? {
                locks.push(key);
            }
        }
        Ok(locks)
    }
}
