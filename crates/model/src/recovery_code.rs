//! Recovery codes: ten at a time, each good once.

use crate::{KeyedHash, Timestamp, UserId};

/// A recovery code, of which only the keyed hash is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecoveryCode {
    /// Keyed hash of the code, in lower case and without hyphens.
    pub hash: KeyedHash,
    /// Whose it is.
    pub user: UserId,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was spent.
    pub used_at: Option<Timestamp>,
}
