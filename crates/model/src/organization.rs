//! Provider groups.

use crate::{KeyedHash, OrganizationId, Timestamp};

/// What an organization takes for an NPI.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NpiRule {
    /// A National Provider Identifier: ten digits, the last of them a check digit.
    Npi,
    /// That, or another id in its place.
    #[default]
    NpiOrOther,
}

impl NpiRule {
    /// The word in the database and in policies.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Npi => "npi",
            Self::NpiOrOther => "npi_or_other",
        }
    }

    /// The rule meant by `word`.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Npi, Self::NpiOrOther].into_iter().find(|rule| rule.as_str() == word)
    }
}

/// A provider group. Who registers names it by its NPI and a registration code.
#[derive(Clone, PartialEq, Eq)]
pub struct Organization {
    /// Its id.
    pub id: OrganizationId,
    /// Its name.
    pub name: String,
    /// National Provider Identifier, ten digits, or what stands in for it.
    pub npi: String,
    /// What it takes for one.
    pub validator: NpiRule,
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
