//! What an intruder may hold.

use countersign_model::{Fact, FactSet};

/// A set of things held: what proves facts, an administrator's act, links that were mailed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Held(u64);

const ADMIN: u64 = 1 << 8;
const SESSION: u64 = 1 << 9;
const BROWSER: u64 = 1 << 10;
/// The links of the policies: at most this many tell themselves apart.
const FIRST_LINK: usize = 16;
const LINKS: u64 = !0 << FIRST_LINK;

impl Held {
    pub(super) const NOTHING: Self = Self(0);
    /// An administrator sends a link to the account's mailbox.
    pub(super) const ADMIN: Self = Self(ADMIN);
    /// A session of the account, made by passing some policy.
    pub(super) const SESSION: Self = Self(SESSION);
    /// The account owner's own browser with its cookies; nobody is assumed to hold it.
    pub(super) const BROWSER: Self = Self(BROWSER);

    pub(super) const fn of(fact: Fact) -> Self {
        Self(1 << fact as u64)
    }

    /// A link that begins the policy with this index was mailed to the account.
    pub(super) const fn link(policy: usize) -> Self {
        let index = FIRST_LINK + policy;
        Self(1 << if index < 63 { index } else { 63 })
    }

    pub(super) const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(super) const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    pub(super) const fn but(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// An administrator who acts can send any link.
    pub(super) const fn with_admins_links(self) -> Self {
        if self.0 & ADMIN == 0 { self } else { Self(self.0 | LINKS) }
    }

    /// Every set of things that can be held at first, the small ones first.
    pub(super) fn list_sets() -> Vec<Self> {
        let mut sets: Vec<Self> = (0..1_u64 << 9).map(Self).collect();
        sets.sort_by_key(|set| (set.0.count_ones(), set.0));
        sets
    }

    /// How many factors it takes to hold all of this. A passkey verifies the person by itself and the corporate provider
    /// asks what it asks: two each; the portal's password and the password are one.
    pub(super) fn weigh(self) -> u32 {
        let each = |fact: Fact| match fact {
            Fact::Passkey | Fact::Federated => 2,
            Fact::Legacy if self.has(Self::of(Fact::Password)) => 0,
            _ => 1,
        };
        let facts = Fact::ALL.into_iter().filter(|fact| self.has(Self::of(*fact))).map(each).sum::<u32>();
        facts + u32::from(self.has(Self::ADMIN))
    }

    /// The words for people.
    pub(super) fn words(self) -> Vec<&'static str> {
        let facts = Fact::ALL.into_iter().filter(|fact| self.has(Self::of(*fact))).map(Fact::as_str);
        facts.chain(self.has(Self::ADMIN).then_some("admin")).collect()
    }
}

impl From<FactSet> for Held {
    fn from(facts: FactSet) -> Self {
        facts.iter().fold(Self::NOTHING, |held, fact| held.and(Self::of(fact)))
    }
}
