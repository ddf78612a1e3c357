//! What a step of a policy has proven about the person in front of it.

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// One thing proven. What a step proves is fixed by the engine, never by a policy's author.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fact {
    /// The account's password was given.
    Password,
    /// A code or link sent to the account's mailbox came back.
    Mailbox,
    /// A code sent to, or a call answered on, the account's phone came back.
    Phone,
    /// A time-based code of the account's authenticator app was given.
    Totp,
    /// A passkey of the account signed a challenge.
    Passkey,
    /// A recovery code of the account was spent.
    RecoveryCode,
    /// The corporate OpenID Provider vouched for the person.
    Federated,
    /// A credential of the legacy portal was given.
    Legacy,
}

impl Fact {
    /// Every fact, in order.
    pub const ALL: [Self; 8] = [
        Self::Password,
        Self::Mailbox,
        Self::Phone,
        Self::Totp,
        Self::Passkey,
        Self::RecoveryCode,
        Self::Federated,
        Self::Legacy,
    ];

    /// The word policies use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Mailbox => "mailbox",
            Self::Phone => "phone",
            Self::Totp => "totp",
            Self::Passkey => "passkey",
            Self::RecoveryCode => "recovery_code",
            Self::Federated => "federated",
            Self::Legacy => "legacy",
        }
    }

    /// The fact a policy means by `word`.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|fact| fact.as_str() == word)
    }

    const fn bit(self) -> u16 {
        1 << self as u16
    }
}

/// A fact and when it was proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProvenFact {
    /// What was proven.
    pub fact: Fact,
    /// When.
    pub at: Timestamp,
}

/// A set of facts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FactSet(u16);

impl FactSet {
    /// No facts.
    pub const EMPTY: Self = Self(0);

    /// This set with `fact` in it.
    #[must_use]
    pub const fn with(self, fact: Fact) -> Self {
        Self(self.0 | fact.bit())
    }

    /// Whether `fact` is in it.
    pub const fn contains(self, fact: Fact) -> bool {
        self.0 & fact.bit() != 0
    }

    /// Whether all of `other` is in it.
    pub const fn is_superset(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The facts of both.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The facts in both.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether nothing is in it.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The facts in it, in order.
    pub fn iter(self) -> impl Iterator<Item = Fact> {
        Fact::ALL.into_iter().filter(move |fact| self.contains(*fact))
    }
}

impl FromIterator<Fact> for FactSet {
    fn from_iter<I: IntoIterator<Item = Fact>>(facts: I) -> Self {
        facts.into_iter().fold(Self::EMPTY, Self::with)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_names_its_fact() {
        for fact in Fact::ALL {
            assert_eq!(Fact::from_word(fact.as_str()), Some(fact));
        }
        assert_eq!(Fact::from_word("sms"), None);
    }

    #[test]
    fn a_set_holds_what_was_put_in() {
        let set: FactSet = [Fact::Password, Fact::Mailbox].into_iter().collect();
        assert!(set.contains(Fact::Mailbox) && !set.contains(Fact::Phone));
        assert!(set.is_superset(FactSet::EMPTY.with(Fact::Password)));
        assert_eq!(set.iter().collect::<Vec<_>>(), [Fact::Password, Fact::Mailbox]);
    }
}
