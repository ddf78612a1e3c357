//! Gives committed events their places. One node at a time does (the log's turn), so the order is one; the database
//! itself notes what waits, so nobody who writes an event can forget to.

use countersign_audit::{Hash, Subtree, hash_entry, write_entry};
use countersign_model::AuditEvent;

use super::TURN;
use super::tree::is_kept;
use crate::ServiceError;
use crate::provider::Provider;

/// Events placed in one transaction.
const BATCH: u32 = 500;

impl Provider {
    /// Places every event that waits, oldest first; answers how many there were.
    pub async fn place_audit_events(&self) -> Result<usize, ServiceError> {
        let mut placed = 0;
        while self.db.read(async |tx| tx.has_unplaced_events().await).await? {
            match self.place_batch().await? {
                0 => break,
                batch => placed += batch,
            }
        }
        Ok(placed)
    }

    async fn place_batch(&self) -> Result<usize, ServiceError> {
        let (tree, last, placed) = self
            .db
            .write(async |tx| {
                tx.take_turn(TURN).await?;
                let forgotten = tx.forget_placed_events(BATCH).await?;
                if forgotten > 0 {
                    tracing::error!(forgotten, "events of the audit waited for a place that they had already");
                }
                let events = tx.list_unplaced_events(BATCH).await?;
                let mut tree = self.seen_tree.load(tx).await?;
                let first = tree.size();
                let (mut leaves, mut subtrees) = (Vec::<(&AuditEvent, Hash)>::new(), Vec::<(Subtree, Hash)>::new());
                for event in &events {
                    let leaf = hash_entry(&write_entry(event));
                    subtrees.extend(tree.push(leaf).into_iter().filter(|(subtree, _)| is_kept(*subtree)));
                    leaves.push((event, leaf));
                }
                tx.place_events(first, &leaves).await?;
                let subtrees: Vec<_> = subtrees.iter().map(|(at, hash)| (at.level, at.position, *hash)).collect();
                tx.insert_subtrees(&subtrees).await?;
                let last = leaves.last().map(|(_, leaf)| *leaf);
                Ok::<_, ServiceError>((tree, last, events.len()))
            })
            .await?;
        self.seen_tree.keep(tree, last);
        metrics::counter!("countersign_audit_entries_total").increment(placed as u64);
        Ok(placed)
    }
}
