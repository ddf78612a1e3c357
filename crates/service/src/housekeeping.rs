//! Removes what has expired, in small batches that do not hurt the hot path.

use countersign_model::{AuditKind, AuditOutcome};

use crate::ServiceError;
use crate::audit::{self, RequestContext};
use crate::provider::Provider;

/// Rows of a table removed at once.
const BATCH: u32 = 500;
/// Accounts removed at once: each has rows in a dozen tables.
const ACCOUNTS: u32 = 50;

impl Provider {
    /// Removes expired rows, a batch a table and transaction, until there are none.
    pub async fn purge_expired(&self) -> Result<(), ServiceError> {
        loop {
            let now = self.clock.now();
            let ended = self.end_overdue_sessions(BATCH).await?;
            if ended > 0 {
                self.outbox.notify_one();
            }
            let purged = self.db.write(async |tx| tx.purge_expired(now, BATCH).await).await?;
            let unused = self.remove_unused_clients(BATCH).await?;
            let unfinished = self.remove_unfinished_accounts().await?;
            self.remove_expired_events().await?;
            if purged.total() == 0 && unused == 0 && unfinished == 0 && ended == 0 {
                return Ok(());
            }
            tracing::debug!(rows = purged.total(), "expired rows were removed");
        }
    }

    /// Removes a batch of accounts that were made on a registration page and never completed.
    async fn remove_unfinished_accounts(&self) -> Result<usize, ServiceError> {
        let now = self.clock.now();
        let before = now.minus(self.settings.lifetimes.unfinished_account);
        let context = RequestContext::default();
        self.db
            .write(async |tx| {
                let removed = tx.purge_unfinished(before, now, ACCOUNTS).await?;
                let told = |user| {
                    let event = audit::event(&context, now, AuditKind::AccountClosed, AuditOutcome::Success)?;
                    Ok(event.subject(Some(user)).detail("why", "the registration was never completed").build())
                };
                let events = removed.iter().map(told).collect::<Result<Vec<_>, ServiceError>>()?;
                tx.insert_audit_events(&events).await?;
                Ok::<_, ServiceError>(removed.len())
            })
            .await
    }
}
