//! What people agreed to.

use crate::{Timestamp, UserId};

/// A version of a document that a person agreed to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TermsAcceptance {
    /// Who.
    pub user: UserId,
    /// Which document.
    pub document: String,
    /// Which version.
    pub version: String,
    /// When.
    pub accepted_at: Timestamp,
}
