//! `issue`: what was proven against what the policy, the client and its scopes require.

use countersign_model::{AuditKind, AuditOutcome, FactSet};

use super::run::Run;
use crate::facts::{Manner, fact_set, list_amr};
use crate::language::{Guard, Policy, Purpose, Step};
use crate::{Effect, Issued, Next, Remembering};

impl Run<'_> {
    /// Whether `proven` meets every requirement of the policy that applies, and one of the demanded alternatives.
    pub(super) fn is_enough(&self, proven: FactSet) -> bool {
        let demanded = &self.facts.demanded;
        self.meets(self.policy, proven)
            && (demanded.is_empty() || demanded.iter().any(|wanted| proven.is_superset(*wanted)))
    }

    /// Whether `proven` meets every requirement of a policy that applies; one that requires nothing is never met.
    fn meets(&self, policy: &Policy, proven: FactSet) -> bool {
        // What is not known of the account counts against it: a condition on it applies then.
        let unknown = self.account().is_none();
        let applies = |condition: &Option<Guard>| match condition {
            None | Some(Guard::SessionRemembered | Guard::SessionFresh) => true,
            Some(Guard::Account(_)) if unknown => true,
            Some(guard) => self.holds(guard),
        };
        let mut required = policy.require.iter().filter(|entry| applies(&entry.condition)).peekable();
        required.peek().is_some() && required.all(|entry| proven.is_superset(entry.factors))
    }

    /// The policy's own acr, else that of the first login policy it may claim and whose requirements were met.
    fn find_acr(&self, proven: FactSet) -> Option<String> {
        let claimed = || {
            let mut logins = self.policy.claims_acr_of.iter().filter_map(|(id, _)| self.set.get(id));
            logins.find(|login| login.acr.is_some() && self.meets(login, proven))?.acr.clone()
        };
        self.policy.acr.clone().or_else(claimed)
    }

    /// Issues, or ends the flow with `unmet_authentication_requirements`; a path that `check` proved never does.
    pub(super) fn decide_issue(&mut self, step: &Step) -> Next {
        let proven = fact_set(&self.instance.facts);
        let active = self.account().is_none_or(|account| account.active);
        let user = self.instance.account.clone().filter(|_| active && self.is_enough(proven));
        let (Some(user), Some(acr)) = (user, self.find_acr(proven)) else {
            let detail = [("step", step.name.as_str()), ("reason", "unmet")];
            self.audit(AuditKind::FlowStopped, AuditOutcome::Failure, &detail);
            return Next::Return { error: "unmet_authentication_requirements" };
        };
        if matches!(self.policy.purpose, Purpose::Register | Purpose::Invite | Purpose::Reset) {
            self.effects.push(Effect::CompleteRegistration { user: user.clone() });
        }
        let vars = &self.instance.vars;
        let silent = vars.silent;
        let manner = Manner { called: vars.called, verified: vars.verified };
        let wanted = vars.remember.unwrap_or(vars.ticked) && !silent;
        let remember = self.policy.remember.filter(|_| wanted);
        let kind = if silent { AuditKind::SilentLogin } else { AuditKind::Login };
        self.audit(kind, AuditOutcome::Success, &[("acr", &acr)]);
        Next::Issue(Issued {
            user,
            facts: self.instance.facts.clone(),
            acr,
            amr: list_amr(proven, manner),
            policy: self.policy.id.clone(),
            remember: remember.map(|rule| Remembering { r#for: rule.r#for, cookie: rule.cookie }),
            silent,
        })
    }
}
