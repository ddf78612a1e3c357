//! The stored tree: which hashes are kept, and how the others come of them.

use std::sync::PoisonError;

use countersign_audit::{Frontier, Hash, Range, Subtree};
use countersign_store::{StoreError, Tx};

use super::SeenTree;

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

impl SeenTree {
    /// The tree of all entries, read where this node has not seen it. In the log's turn it stays so.
    pub(super) async fn load(&self, tx: &mut Tx) -> Result<Frontier, StoreError> {
        let size = tx.find_log_size().await?;
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if seen.size() == size {
            return Ok(seen);
        }
        let hashes = hash_subtrees(tx, Range { start: 0, end: size }).await?;
        Frontier::new(size, hashes).ok_or_else(|| StoreError::Database("the tree of the audit has gaps".to_owned()))
    }

    /// Keeps what was committed.
    pub(super) fn keep(&self, tree: Frontier) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = tree;
    }
}
