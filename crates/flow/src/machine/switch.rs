//! Into another policy, and back out of it.

use countersign_model::{AuditKind, AuditOutcome};

use super::form::makes_accounts;
use super::run::{Hop, Run};
use crate::facts::fact_set;
use crate::instance::{Caller, MAX_CALLERS};
use crate::language::Switch;
use crate::{FlowError, Next};

impl Run<'_> {
    /// Goes over to the switch's policy and names its first step; or the step taken instead when it is missing.
    /// Only the declared facts go along, and the account with them.
    pub(super) fn switch(&mut self, switch: &Switch) -> Result<usize, FlowError> {
        let Some(target) = self.set.find_switched(switch) else {
            return switch.otherwise.ok_or(FlowError::NotRunnable);
        };
        self.audit(AuditKind::FlowStep, AuditOutcome::Success, &[("switch", &target.id)]);
        if target.purpose != self.policy.purpose && self.instance.visit > 0 {
            self.push_caller();
        }
        let instance = &mut self.instance;
        instance.facts.retain(|proven| switch.carry.contains(proven.fact));
        instance.carried = fact_set(&instance.facts);
        if instance.facts.is_empty() {
            instance.account = None;
        }
        instance.candidate = None;
        instance.organization = None;
        instance.told.clear();
        instance.leave_step();
        instance.vars.silent = false;
        instance.digest = target.digest;
        instance.entered_at = self.now;
        self.policy = target;
        Ok(target.start)
    }

    /// The page the sub-flow was called from, with what was proven there.
    fn push_caller(&mut self) {
        let instance = &mut self.instance;
        if instance.callers.len() >= MAX_CALLERS {
            instance.callers.remove(0);
        }
        instance.callers.push(Caller {
            digest: instance.digest,
            step: instance.step,
            account: instance.account.clone(),
            facts: instance.facts.clone(),
            carried: instance.carried,
            adopted: instance.adopted,
        });
    }

    /// `< Cancel`: back to the caller's page, else to the policy's own end.
    pub(super) fn cancel(&mut self) -> Result<Next, FlowError> {
        self.audit(AuditKind::FlowStep, AuditOutcome::Success, &[("outcome", "cancel")]);
        while let Some(caller) = self.instance.callers.pop() {
            let Some(policy) = self.set.find_by_digest(&caller.digest) else { continue };
            let instance = &mut self.instance;
            instance.account = caller.account;
            instance.facts = caller.facts;
            instance.carried = caller.carried;
            instance.adopted = caller.adopted;
            instance.candidate = None;
            instance.organization = None;
            instance.told.clear();
            instance.digest = caller.digest;
            instance.entered_at = self.now;
            self.policy = policy;
            // What the forms of a new account were told went with the switch: they ask again.
            let step = if makes_accounts(policy) { policy.start } else { usize::from(caller.step) };
            return self.follow(Hop::Step(step));
        }
        match &self.policy.cancel {
            Some(target) => self.follow(Hop::from(target)),
            None => Ok(Next::Page),
        }
    }
}
