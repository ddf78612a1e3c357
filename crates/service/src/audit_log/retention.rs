//! Events whose class is kept no longer are removed; their hashes stay in the tree, and the log tells which are gone.
//!
//! What tells so is sealed by the master key: who has the database alone can neither write such an event nor change one.

use countersign_audit::Positions;
use countersign_model::{AuditKind, AuditOutcome, Timestamp};
use countersign_store::{RemovalTold, Tx};

use super::TURN;
use crate::provider::Provider;
use crate::secrets::hex;
use crate::vault::Purpose;
use crate::{RequestContext, ServiceError, audit};

/// Events removed in one transaction: few enough for the event that tells of them to be one line of syslog.
const BATCH: u32 = 400;
/// Transactions of one round for one kind; the next round is a minute away.
const ROUNDS: usize = 25;
/// What is over is so at midnight (UTC): one event a day tells of it, not one a minute.
const DAY: i64 = 24 * 3600 * 1000;

impl Provider {
    /// Removes events whose class is kept no longer, oldest first; answers how many there were. Only what is signed, and
    /// what every sink has, is removed.
    pub async fn remove_expired_events(&self) -> Result<usize, ServiceError> {
        let mut removed = 0;
        for (class, kept) in &self.settings.audit_log.keep {
            let over = self.clock.now().minus(*kept).as_millis();
            let before = Timestamp::from_millis(over - over.rem_euclid(DAY));
            // What tells of removals is never removed itself.
            for kind in class.kinds().filter(|kind| *kind != AuditKind::AuditExpired) {
                for _ in 0..ROUNDS {
                    match self.remove_batch(kind, before).await? {
                        0 => break,
                        batch => removed += batch,
                    }
                }
            }
        }
        metrics::counter!("countersign_audit_expired_total").increment(removed as u64);
        Ok(removed)
    }

    async fn remove_batch(&self, kind: AuditKind, before: Timestamp) -> Result<usize, ServiceError> {
        // Most of the time there is nothing, and nobody's turn is taken for that.
        let is_any = self.db.read(async |tx| self.list_removable(tx, kind, before, 1).await).await?;
        if is_any.is_empty() {
            return Ok(0);
        }
        self.db
            .write(async |tx| {
                tx.take_turn(TURN).await?;
                let expired = self.list_removable(tx, kind, before, BATCH).await?;
                let positions: Positions = expired.iter().map(|(position, _)| *position).collect();
                let ids: Vec<String> = expired.into_iter().map(|(_, id)| id).collect();
                let (now, outcome) = (self.clock.now(), AuditOutcome::Success);
                let positions = positions.to_string();
                let told = audit::event(&RequestContext::default(), now, AuditKind::AuditExpired, outcome)?
                    .detail("of", kind.as_str())
                    .detail("before", before.as_millis())
                    .detail("seal", self.seal_removal(kind.as_str(), before.as_millis(), &positions))
                    .detail("positions", positions)
                    .build();
                tx.insert_audit_events(&[told]).await?;
                Ok::<_, ServiceError>(tx.remove_events(&ids).await?)
            })
            .await
    }

    async fn list_removable(
        &self,
        tx: &mut Tx,
        kind: AuditKind,
        before: Timestamp,
        limit: u32,
    ) -> Result<Vec<(u64, String)>, ServiceError> {
        let mut end = tx.find_last_checkpoint().await?.map_or(0, |signed| signed.size);
        for sink in &self.settings.audit_log.sinks {
            end = end.min(tx.find_sink_position(sink).await?);
        }
        Ok(tx.list_expired_events(kind, before, end, limit).await?)
    }

    /// The places whose events were removed, as far as events tell so that this house wrote.
    pub(super) async fn list_removed_places(&self) -> Result<Positions, ServiceError> {
        let told = self.db.read(async |tx| tx.list_removals_told(AuditKind::AuditExpired).await).await?;
        let is_ours = |told: &&RemovalTold| told.seal == self.seal_removal(&told.of, told.before, &told.positions);
        let mut removed = Positions::default();
        for places in told.iter().filter(is_ours).filter_map(|told| told.positions.parse().ok()) {
            removed.extend(&places);
        }
        Ok(removed)
    }

    fn seal_removal(&self, of: &str, before: i64, positions: &str) -> String {
        hex(&self.vault.hash(Purpose::AuditRemoval, format!("{of} {before} {positions}").as_bytes()))
    }
}
