//! Events whose class is kept no longer are removed; their hashes stay in the tree, and the log tells which are gone.

use countersign_audit::Positions;
use countersign_model::{AuditClass, AuditKind, AuditOutcome, Timestamp};

use super::TURN;
use crate::provider::Provider;
use crate::{RequestContext, ServiceError, audit};

/// Events removed in one transaction.
const BATCH: u32 = 500;

impl Provider {
    /// Removes every event whose class is kept no longer, oldest first; answers how many there were. Only what is signed,
    /// and what every sink has, is removed.
    pub async fn remove_expired_events(&self) -> Result<usize, ServiceError> {
        let mut removed = 0;
        for (class, kept) in &self.settings.audit_log.keep {
            let before = self.clock.now().minus(*kept);
            loop {
                match self.remove_batch(*class, before).await? {
                    0 => break,
                    batch => removed += batch,
                }
            }
        }
        metrics::counter!("countersign_audit_expired_total").increment(removed as u64);
        Ok(removed)
    }

    async fn remove_batch(&self, class: AuditClass, before: Timestamp) -> Result<usize, ServiceError> {
        let kinds: Vec<AuditKind> = class.kinds().filter(|kind| *kind != AuditKind::AuditExpired).collect();
        self.db
            .write(async |tx| {
                tx.take_turn(TURN).await?;
                let mut end = tx.find_last_checkpoint().await?.map_or(0, |signed| signed.size);
                for sink in &self.settings.audit_log.sinks {
                    end = end.min(tx.find_sink_position(sink).await?);
                }
                let expired = tx.list_expired_events(&kinds, before, end, BATCH).await?;
                if expired.is_empty() {
                    return Ok(0);
                }
                let positions: Positions = expired.iter().map(|(position, _)| *position).collect();
                let ids: Vec<String> = expired.into_iter().map(|(_, id)| id).collect();
                let now = self.clock.now();
                let told =
                    audit::event(&RequestContext::default(), now, AuditKind::AuditExpired, AuditOutcome::Success)?
                        .detail("class", class.as_str())
                        .detail("before", before.as_millis())
                        .detail("positions", positions.to_string())
                        .build();
                tx.insert_audit_events(&[told]).await?;
                Ok::<_, ServiceError>(tx.remove_events(&ids).await?)
            })
            .await
    }

    /// The places whose events the log says were removed.
    pub(super) async fn list_removed_places(&self) -> Result<Positions, ServiceError> {
        let told = self.db.read(async |tx| tx.list_positions_told(AuditKind::AuditExpired).await).await?;
        let mut removed = Positions::default();
        for places in told.iter().filter_map(|text| text.parse().ok()) {
            removed.extend(&places);
        }
        Ok(removed)
    }
}
