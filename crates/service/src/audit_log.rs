//! The audit log: events get their places in a Merkle tree, its checkpoints are signed, entries are proven, the whole is
//! verified. What is hashed and signed how: crate `countersign-audit`, docs/AUDIT.md.

mod checkpoints;
mod feed;
mod key;
mod placement;
mod proofs;
mod retention;
mod tree;
mod verification;

use std::collections::BTreeMap;
use std::sync::Mutex;

use countersign_model::{AuditClass, Seconds};

pub use checkpoints::SignedCheckpoint;
pub use feed::{AuditFeed, EntryForm, Fed};
pub use proofs::ProvenEntry;
pub use verification::{LogFault, LogReport};

/// The turn in which the tree grows, and in which it is signed.
const TURN: &str = "audit log";

/// What an operator decided about the audit log.
#[derive(Clone, Debug)]
pub struct AuditLogSettings {
    /// Least time between two checkpoints.
    pub checkpoint_every: Seconds,
    /// How long events are kept, by class; without an entry for ever.
    pub keep: BTreeMap<AuditClass, Seconds>,
    /// Systems that are given the log: what one has not yet is kept.
    pub sinks: Vec<String>,
}

impl Default for AuditLogSettings {
    fn default() -> Self {
        Self { checkpoint_every: Seconds::new(10), keep: BTreeMap::new(), sinks: Vec::new() }
    }
}

/// The tree as this node saw it last; another node may have let it grow since.
#[derive(Default)]
pub(crate) struct SeenTree(Mutex<tree::Seen>);
