//! Removes what has expired, in small batches that do not hurt the hot path.

use crate::ServiceError;
use crate::provider::Provider;

/// Rows of a table removed at once.
const BATCH: u32 = 500;

impl Provider {
    /// Removes expired rows, a batch a table and transaction, until there are none.
    pub async fn purge_expired(&self) -> Result<(), ServiceError> {
        loop {
            let now = self.clock.now();
            let purged = self.db.write(async |tx| tx.purge_expired(now, BATCH).await).await?;
            let unused = self.remove_unused_clients(BATCH).await?;
            if purged.total() == 0 && unused == 0 {
                return Ok(());
            }
            tracing::debug!(rows = purged.total(), "expired rows were removed");
        }
    }
}
