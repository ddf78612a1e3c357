//! One running instance: everything the machine remembers between two inputs, compact under postcard.

use std::collections::BTreeMap;

use countersign_model::{Fact, FactSet, OrganizationId, ProvenFact, Seconds, Timestamp, UserId};
use serde::{Deserialize, Serialize};

use crate::language::Channel;
use crate::{NoticeKey, PolicySet};

/// The most callers a sub-flow remembers; beyond them the oldest is forgotten.
pub(crate) const MAX_CALLERS: usize = 3;

/// A running instance. Steps are indexes into the policy's declaration order, pinned by the policy's digest.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    pub(crate) digest: [u8; 16],
    pub(crate) step: u8,
    /// Raised at every entry of a step with a page, over all policies: no two visits share a code.
    pub(crate) visit: u16,
    pub(crate) advances: u16,
    pub(crate) entered_at: Timestamp,
    pub(crate) advanced_at: Timestamp,
    pub(crate) account: Option<UserId>,
    /// The account that was named or made here, of which nothing is proven: it may be mailed to, and no more.
    pub(crate) candidate: Option<UserId>,
    /// What was typed last, or suggested, as the name to sign in with.
    pub(crate) identifier: Option<String>,
    pub(crate) facts: Vec<ProvenFact>,
    /// Facts a switch brought along: not asked for again in this policy.
    pub(crate) carried: FactSet,
    /// Those of `facts` that a session or a remembered login brought along: proven before, at times of their own.
    pub(crate) adopted: FactSet,
    pub(crate) vars: Vars,
    pub(crate) challenge: Option<Challenge>,
    /// Where the code of the current step goes; shown masked alone.
    pub(crate) recipient: Option<String>,
    /// Whether that recipient is on file; else it was typed here.
    pub(crate) fixed: bool,
    pub(crate) notice: Option<NoticeKey>,
    /// What was typed, while a page with errors shows it again.
    pub(crate) typed: Option<Typed>,
    /// What accepted forms were told, until an account is made of it.
    pub(crate) told: BTreeMap<String, String>,
    /// The organization whose registration code was right.
    pub(crate) organization: Option<OrganizationId>,
    /// Version of the terms on the page, or label of the recovery codes on it.
    pub(crate) shown: Option<String>,
    pub(crate) callers: Vec<Caller>,
}

/// Typed values without secrets, by field, and what is wrong with them.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Typed {
    pub(crate) values: BTreeMap<String, String>,
    pub(crate) errors: Vec<(NoticeKey, String)>,
}

/// Variables: never proofs.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is one thing to remember")]
pub(crate) struct Vars {
    /// The Remember Me box handed on by a switch; none: the box stands on the sign-in page.
    pub(crate) remember: Option<bool>,
    /// The box as it was on the sign-in page.
    pub(crate) ticked: bool,
    /// Boxes of a choice that are shown ticked, by bit.
    pub(crate) prechecked: u16,
    /// Whether facts and account come from a remembered login and nothing was asked since.
    pub(crate) silent: bool,
    /// Whether the phone was proven by a call.
    pub(crate) called: bool,
    /// Whether a passkey verified the person.
    pub(crate) verified: bool,
}

/// A code that was sent.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Challenge {
    pub(crate) number: u16,
    pub(crate) sends: u8,
    pub(crate) channel: Channel,
    pub(crate) sent_at: Timestamp,
    pub(crate) expires_at: Timestamp,
    pub(crate) verified_at: Option<Timestamp>,
    /// Whether nothing was sent: no code is ever right.
    pub(crate) pretended: bool,
}

/// Where a sub-flow was called from.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Caller {
    pub(crate) digest: [u8; 16],
    pub(crate) step: u8,
    pub(crate) account: Option<UserId>,
    pub(crate) facts: Vec<ProvenFact>,
    pub(crate) carried: FactSet,
    pub(crate) adopted: FactSet,
}

impl Instance {
    pub(crate) fn new(digest: [u8; 16], now: Timestamp) -> Self {
        Self {
            digest,
            step: 0,
            visit: 0,
            advances: 0,
            entered_at: now,
            advanced_at: now,
            account: None,
            candidate: None,
            identifier: None,
            facts: Vec::new(),
            carried: FactSet::EMPTY,
            adopted: FactSet::EMPTY,
            vars: Vars::default(),
            challenge: None,
            recipient: None,
            fixed: false,
            notice: None,
            typed: None,
            told: BTreeMap::new(),
            organization: None,
            shown: None,
            callers: Vec::new(),
        }
    }

    /// Forgets what belongs to the step that was left.
    pub(crate) fn leave_step(&mut self) {
        self.challenge = None;
        self.recipient = None;
        self.fixed = false;
        self.notice = None;
        self.typed = None;
        self.shown = None;
    }

    /// Takes `user` in hand; what was proven of anybody else is gone.
    pub(crate) fn identify(&mut self, user: &UserId) {
        if self.account.as_ref() != Some(user) {
            self.facts.clear();
            self.carried = FactSet::EMPTY;
            self.adopted = FactSet::EMPTY;
            self.vars.called = false;
            self.vars.verified = false;
            self.account = Some(user.clone());
        }
        self.candidate = None;
    }

    /// Notes that `fact` was proven at `at`.
    pub(crate) fn prove(&mut self, fact: Fact, at: Timestamp) {
        self.facts.retain(|known| known.fact != fact);
        self.facts.push(ProvenFact { fact, at });
        self.adopted = self.adopted.iter().filter(|known| *known != fact).collect();
    }

    /// The account in hand, once something of it is proven.
    pub const fn account(&self) -> Option<&UserId> {
        self.account.as_ref()
    }

    /// What was typed last, or suggested by the request, as the name to sign in with.
    pub fn identifier(&self) -> Option<&str> {
        self.identifier.as_deref()
    }

    /// The organization whose registration code was right, until the account is made.
    pub const fn organization(&self) -> Option<&OrganizationId> {
        self.organization.as_ref()
    }

    /// What was proven of it in this policy.
    pub fn facts(&self) -> &[ProvenFact] {
        &self.facts
    }

    /// Digest of the policy it runs on.
    pub const fn policy_digest(&self) -> &[u8; 16] {
        &self.digest
    }

    /// How often it was advanced.
    pub const fn advances(&self) -> u16 {
        self.advances
    }

    /// Its absolute end under the running policy's `lifetime`; none when that policy is gone.
    pub fn end(&self, set: &PolicySet) -> Option<Timestamp> {
        Some(self.entered_at.plus(set.find_by_digest(&self.digest)?.limits.lifetime))
    }

    /// The longest pause to the next input; none when its policy is gone.
    pub fn idle(&self, set: &PolicySet) -> Option<Seconds> {
        Some(set.find_by_digest(&self.digest)?.limits.idle)
    }
}

impl std::fmt::Debug for Instance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Instance")
            .field("step", &self.step)
            .field("visit", &self.visit)
            .field("advances", &self.advances)
            .field("facts", &self.facts)
            .finish_non_exhaustive()
    }
}
