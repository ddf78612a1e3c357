//! The corporate OpenID Provider: the browser goes there and comes back.

use countersign_model::{AuditKind, AuditOutcome, UserId};

use super::run::Run;
use super::{Here, is_open, list_providers};
use crate::facts::AccountFacts;
use crate::language::{Outcome, Step, Target};
use crate::{Effect, FlowError, Input, Needs, Next};

/// What the answer needs.
pub(super) fn needs(_: Here, input: &Input) -> Needs {
    Needs { federation: input.control == "federated", ..Needs::default() }
}

impl<'a> Run<'a> {
    /// Where `step` leads whoever typed `address`, where that is in a domain of a provider that this way leads to. It is
    /// decided by the domain alone, before a limit, a secret or an account is looked at, and so tells nothing of any.
    pub(super) fn find_upstream(&self, step: &'a Step, address: &str) -> Option<&'a Target> {
        let target = step.find_route(Outcome::Upstream).filter(|target| is_open(self.set, target))?;
        let providers = list_providers(self.set, self.policy, target);
        providers.iter().any(|provider| self.facts.owns_address(provider, address)).then_some(target)
    }

    /// Goes there. What was typed beside the address is not looked at.
    pub(super) fn go_upstream(&mut self, step: &'a Step) -> Result<Next, FlowError> {
        self.leads_upstream = true;
        self.go(step, Outcome::Upstream)
    }

    pub(super) fn react_federate(&mut self, step: &'a Step, provider: &str, input: &Input) -> Result<Next, FlowError> {
        match input.control.as_str() {
            "continue" => Ok(Next::Federate { provider: provider.to_owned() }),
            "federated" => self.react_federated(step),
            _ => Ok(Next::Page),
        }
    }

    fn react_federated(&mut self, step: &'a Step) -> Result<Next, FlowError> {
        let Some(user) = self.find_federated() else {
            let detail = [("step", step.name.as_str()), ("reason", "refused")];
            self.audit(AuditKind::Login, AuditOutcome::Failure, &detail);
            return self.go(step, Outcome::Declined);
        };
        if self.facts.federated.as_ref().is_some_and(|federated| federated.is_new) {
            self.effects.push(Effect::AdoptFederated { user: user.clone() });
        }
        self.known.get_or_insert_with(|| AccountFacts::new(user.clone()));
        self.instance.identify(&user);
        if let Some(fact) = step.kind.proves() {
            // Proven when the person signed in there, which may be hours ago.
            let at = self.facts.federated.as_ref().and_then(|federated| federated.auth_time);
            self.instance.prove(fact, at.map_or(self.now, |at| at.min(self.now)));
        }
        self.go(step, Outcome::Ok)
    }

    /// Whom the provider vouched for, if they may sign in: a known account that is active, or one to be made.
    fn find_federated(&self) -> Option<UserId> {
        let federated = self.facts.federated.as_ref().filter(|federated| self.is_wanted(&federated.user))?;
        let fine = match &self.known {
            Some(known) => known.active && known.user == federated.user,
            None => federated.is_new,
        };
        fine.then(|| federated.user.clone())
    }
}
