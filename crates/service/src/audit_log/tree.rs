//! The stored tree: which hashes are kept, and how the others come of them.

use std::sync::PoisonError;

use countersign_audit::{Frontier, Hash, Range, Subtree};
use countersign_store::{StoreError, Tx};

use super::SeenTree;
use crate::ServiceError;

/// Subtrees of every eighth level are kept: with them any hash reads at most 128 of a level.
const KEPT: u32 = 8;

/// Whether a perfect subtree is kept. The leaves are, with their entries.
pub(super) fn is_kept(subtree: Subtree) -> bool {
    subtree.level > 0 && subtree.level.is_multiple_of(KEPT)
}

/// The hash of a range of leaves.
pub(super) async fn hash_range(tx: &mut Tx, range: Range) -> Result<Hash, StoreError> {
    Ok(Range::fold(&hash_subtrees(tx, range).await?))
}

async fn hash_subtrees(tx: &mut Tx, range: Range) -> Result<Vec<Hash>, StoreError> {
    let mut hashes = Vec::new();
    for subtree in range.subtrees() {
        hashes.push(hash_subtree(tx, subtree).await?);
    }
    Ok(hashes)
}

async fn hash_subtree(tx: &mut Tx, subtree: Subtree) -> Result<Hash, StoreError> {
    let above = subtree.level % KEPT;
    let width = 1 << above;
    let kept = tx.list_tree_hashes(subtree.level - above, subtree.position * width, width).await?;
    let mut tree = Frontier::default();
    for hash in kept {
        tree.push(hash);
    }
    Ok(tree.root())
}

/// A tree, and its last leaf, by which another one of the same size is told from it.
#[derive(Clone, Default)]
pub(super) struct Seen {
    tree: Frontier,
    last: Option<Hash>,
}

impl SeenTree {
    /// The tree of all entries, read where this node has not seen it. In the log's turn it stays so. Refuses a log that is
    /// shorter than this node saw it.
    pub(super) async fn load(&self, tx: &mut Tx) -> Result<Frontier, ServiceError> {
        let (size, last) = (tx.find_log_size().await?, tx.find_last_leaf().await?);
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if size < seen.tree.size() {
            return Err(ServiceError::Configuration(format!(
                "the audit log has {size} entries and had {}: run `countersign audit verify`, and restart this node",
                seen.tree.size()
            )));
        }
        if seen.tree.size() == size && seen.last == last {
            return Ok(seen.tree);
        }
        let hashes = hash_subtrees(tx, Range { start: 0, end: size }).await?;
        Frontier::new(size, hashes).ok_or(ServiceError::Internal("the tree of the audit has gaps"))
    }

    /// Keeps what was committed.
    pub(super) fn keep(&self, tree: Frontier, last: Option<Hash>) {
        if last.is_some() {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Seen { tree, last };
        }
    }
}
