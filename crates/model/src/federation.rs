//! People whom an upstream provider vouches for.

use crate::{Timestamp, UserId};

/// Who a person is at an upstream provider; provider and subject alone name them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FederatedIdentity {
    /// Id of the provider in the configuration.
    pub provider: String,
    /// Its `sub` of the person.
    pub subject: String,
    /// Our account.
    pub user: UserId,
    /// Mail address it told last; for people to read, never to find anybody by.
    pub email: Option<String>,
    /// When they were linked.
    pub linked_at: Timestamp,
    /// When they came from there last.
    pub used_at: Option<Timestamp>,
}
