//! The audit log's tamper evidence. Pure: no I/O, no clock.
//!
//! An event becomes an **entry**, the bytes that are hashed (`entry`); entries in their order are the leaves of a Merkle
//! tree as of RFC 9162, 2.1 (`merkle`); a **checkpoint** is size and root of the tree, signed (C2SP tlog-checkpoint,
//! `checkpoint`); a **proof** shows that an entry is in the tree of a checkpoint (C2SP tlog-proof, `proof`), or that the
//! tree of one checkpoint begins with that of an older one (`merkle::verify_consistency`). Other systems read events as
//! `ocsf` tells them.

mod checkpoint;
mod entry;
mod merkle;
mod note;
mod ocsf;
mod positions;
mod proof;

pub use checkpoint::Checkpoint;
pub use entry::write_entry;
pub use merkle::{
    EMPTY_ROOT, Frontier, Hash, Range, Subtree, hash_entry, list_consistency_ranges, list_inclusion_ranges,
    verify_consistency, verify_inclusion,
};
pub use note::{NoteError, NoteKey, SignedNote, verify_note};
pub use ocsf::{OCSF_VERSION, gone_in_ocsf, to_ocsf};
pub use positions::{NoPositions, Positions};
pub use proof::{Proof, ProofError};
