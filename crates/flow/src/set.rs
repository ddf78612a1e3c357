//! The policies a node runs: the current version of each, and retired versions that running instances still need.

use crate::language::{Entry, OnEdit, Outcome, Policy, StepKind, Switch};
use crate::machine;

/// A set of policies.
#[derive(Clone, Debug, Default)]
pub struct PolicySet {
    current: Vec<Policy>,
    retired: Vec<Policy>,
}

impl PolicySet {
    /// A set of current policies. Of two with one id the first counts, and `check` reports the other.
    pub const fn new(policies: Vec<Policy>) -> Self {
        Self { current: policies, retired: Vec::new() }
    }

    /// Adds an older version for the instances that began with it.
    #[must_use]
    pub fn with_retired(mut self, policy: Policy) -> Self {
        self.retired.push(policy);
        self
    }

    /// The current policy with this id.
    pub fn get(&self, id: &str) -> Option<&Policy> {
        self.current.iter().find(|policy| policy.id == id)
    }

    /// The version with this digest, if instances of it may still run.
    pub fn find_by_digest(&self, digest: &[u8; 16]) -> Option<&Policy> {
        if let Some(policy) = self.current.iter().find(|policy| policy.digest == *digest) {
            return Some(policy);
        }
        let retired = self.retired.iter().find(|policy| policy.digest == *digest)?;
        let replaced = self.get(&retired.id).is_none_or(|current| current.on_edit != OnEdit::Pin);
        if replaced { None } else { Some(retired) }
    }

    /// The version with this digest, also one of which no instance may run any more.
    pub fn find_version(&self, digest: &[u8; 16]) -> Option<&Policy> {
        self.current.iter().chain(&self.retired).find(|policy| policy.digest == *digest)
    }

    /// The current policies.
    pub fn iter(&self) -> impl Iterator<Item = &Policy> {
        self.current.iter()
    }

    /// Whether `policy` can be passed by who has no password here: a step of it leads to an upstream provider.
    pub fn leads_upstream(&self, policy: &Policy) -> bool {
        policy.steps.iter().any(|step| {
            let route = step.find_route(Outcome::Upstream);
            matches!(step.kind, StepKind::Federate { .. }) || route.is_some_and(|target| machine::is_open(self, target))
        })
    }

    /// Where `switch` leads, if its policy is there and lets itself be switched to.
    pub(crate) fn find_switched(&self, switch: &Switch) -> Option<&Policy> {
        self.get(&switch.policy).filter(|policy| policy.allows_entry(Entry::Switch))
    }
}
