//! Mailed links that begin a policy.

use crate::{ClientId, KeyedHash, Timestamp, UserId};

/// A mailed link: whoever uses it is known to read the person's mail. It works once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Keyed hash of its token.
    pub hash: KeyedHash,
    /// Policy it begins.
    pub policy: String,
    /// Whom it was mailed to.
    pub user: UserId,
    /// Client the person came from.
    pub client: Option<ClientId>,
    /// The authorization request that waits, sealed under the master key.
    pub request: Option<Vec<u8>>,
    /// Language of the mail, BCP 47.
    pub locale: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it stops working.
    pub expires_at: Timestamp,
    /// When it was used.
    pub consumed_at: Option<Timestamp>,
    /// When a newer one replaced it.
    pub revoked_at: Option<Timestamp>,
}
