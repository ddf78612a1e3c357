//! `issue`: what was proven against what the policy, the client and its scopes require.

use countersign_model::{AuditKind, AuditOutcome, FactSet};

use super::Run;
use crate::facts::{fact_set, list_amr};
use crate::language::{Guard, Step};
use crate::{FlowError, Issued, Next, Remembering};

impl Run<'_> {
    /// Whether `proven` meets every requirement of the policy that applies, and one of the demanded alternatives.
    pub(super) fn is_enough(&self, proven: FactSet) -> bool {
        // What is not known of the account counts against it: a condition on it applies then.
        let unknown = self.account().is_none();
        let applies = |condition: &Option<Guard>| match condition {
            None | Some(Guard::SessionRemembered) => true,
            Some(Guard::Account(_)) if unknown => true,
            Some(guard) => self.holds(guard),
        };
        let mut required = self.policy.require.iter().filter(|entry| applies(&entry.condition)).peekable();
        let demanded = &self.facts.demanded;
        required.peek().is_some()
            && required.all(|entry| proven.is_superset(entry.factors))
            && (demanded.is_empty() || demanded.iter().any(|wanted| proven.is_superset(*wanted)))
    }

    /// Issues, or ends the flow with `unmet_authentication_requirements`; a path that `check` proved never does.
    pub(super) fn decide_issue(&mut self, step: &Step) -> Result<Next, FlowError> {
        let proven = fact_set(&self.instance.facts);
        let user = self.instance.account.clone().filter(|_| self.is_enough(proven));
        let Some(user) = user else {
            let detail = [("step", step.name.as_str()), ("reason", "unmet")];
            self.audit(AuditKind::FlowStopped, AuditOutcome::Failure, &detail);
            return Ok(Next::Return { error: "unmet_authentication_requirements" });
        };
        let claimed = self.policy.claims_acr_of.as_ref().and_then(|(id, _)| self.set.get(id)?.acr.clone());
        let acr = self.policy.acr.clone().or(claimed).ok_or(FlowError::NotRunnable)?;
        let vars = &self.instance.vars;
        let (silent, called) = (vars.silent, vars.called);
        let wanted = vars.remember.unwrap_or(vars.ticked) && !silent;
        let remember = self.policy.remember.filter(|_| wanted);
        let kind = if silent { AuditKind::SilentLogin } else { AuditKind::Login };
        self.audit(kind, AuditOutcome::Success, &[("acr", &acr)]);
        Ok(Next::Issue(Issued {
            user,
            facts: self.instance.facts.clone(),
            acr,
            amr: list_amr(proven, called),
            policy: self.policy.id.clone(),
            remember: remember.map(|rule| Remembering { r#for: rule.r#for, cookie: rule.cookie }),
            silent,
        }))
    }
}
