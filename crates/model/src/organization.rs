//! Provider groups.

use crate::{KeyedHash, OrganizationId, Timestamp};

/// A provider group. Who registers names it by its NPI and a registration code.
#[derive(Clone, PartialEq, Eq)]
pub struct Organization {
    /// Its id.
    pub id: OrganizationId,
    /// Its name.
    pub name: String,
    /// National Provider Identifier, ten digits, or what stands in for it.
    pub npi: String,
    /// Keyed hash of the registration code.
    pub registration_code: KeyedHash,
    /// When it was entered.
    pub created_at: Timestamp,
}

impl std::fmt::Debug for Organization {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Organization").field("id", &self.id).field("name", &self.name).finish_non_exhaustive()
    }
}
