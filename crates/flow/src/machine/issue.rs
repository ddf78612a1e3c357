//! `issue`: what was proven against what the policy, the client and its scopes require.

use countersign_model::{AuditKind, AuditOutcome, Fact, FactSet, ProvenFact, Timestamp};

use super::run::Run;
use crate::facts::{Manner, fact_set, list_amr};
use crate::language::{Guard, Policy, Requirement, Step};
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
        let required = self.list_required(policy);
        !required.is_empty() && required.iter().all(|factors| proven.is_superset(*factors))
    }

    /// The requirements of a policy that apply.
    fn list_required(&self, policy: &Policy) -> Vec<FactSet> {
        // What is not known of the account counts against it: a condition on it applies then.
        let unknown = self.account().is_none();
        let applies = |entry: &&Requirement| {
            let asked = match &entry.condition {
                None | Some(Guard::SessionRemembered | Guard::SessionFresh) => true,
                Some(Guard::Account(_)) if unknown => true,
                Some(guard) => self.holds(guard),
            };
            asked && !entry.unless.iter().any(|guard| self.holds(guard))
        };
        policy.require.iter().filter(applies).map(|entry| entry.factors).collect()
    }

    /// Whose acr is claimed: the policy's own, else that of the first login policy it may claim and whose requirements
    /// were met.
    fn find_claimed(&self, proven: FactSet) -> Option<&Policy> {
        let mut logins = self.policy.claims_acr_of.iter().filter_map(|(id, _)| self.set.get(id));
        let claimed = || logins.find(|login| login.acr.is_some() && self.meets(login, proven));
        Some(self.policy).filter(|own| own.acr.is_some()).or_else(claimed)
    }

    /// What is issued: all that was proven here, and of what an earlier login brought along only what is required.
    fn list_issued(&self, claimed: &Policy, proven: FactSet) -> Vec<ProvenFact> {
        let required = [self.policy, claimed].into_iter().flat_map(|policy| self.list_required(policy));
        let demanded = self.facts.demanded.iter().copied().find(|wanted| proven.is_superset(*wanted));
        let needed = required.chain(demanded).fold(FactSet::EMPTY, FactSet::union);
        let instance = &self.instance;
        let counts = |known: &&ProvenFact| !instance.adopted.contains(known.fact) || needed.contains(known.fact);
        instance.facts.iter().filter(counts).copied().collect()
    }

    /// Now, or as long ago as the oldest of `facts` that was not proven in this visit: what an earlier login brought
    /// along, and what an upstream provider asked for at another time.
    fn find_auth_time(&self, facts: &[ProvenFact]) -> Timestamp {
        let instance = &self.instance;
        let is_earlier = |known: &&ProvenFact| {
            let elsewhere = known.fact == Fact::Federated && known.at < instance.entered_at;
            elsewhere || instance.adopted.contains(known.fact)
        };
        facts.iter().filter(is_earlier).map(|known| known.at).min().unwrap_or(self.now)
    }

    /// Issues, or ends the flow with `unmet_authentication_requirements`; a path that `check` proved never does.
    pub(super) fn decide_issue(&mut self, step: &Step) -> Next {
        let proven = fact_set(&self.instance.facts);
        let active = self.account().is_none_or(|account| account.active);
        if !self.is_open() {
            return self.refuse("account", "access_denied");
        }
        let user = self.instance.account.clone().filter(|_| active && self.is_enough(proven));
        let claimed = self.find_claimed(proven);
        let acr = claimed.and_then(|policy| policy.acr.clone());
        let facts = claimed.map(|policy| self.list_issued(policy, proven)).unwrap_or_default();
        let (Some(user), Some(acr)) = (user, acr) else {
            let detail = [("step", step.name.as_str()), ("reason", "unmet")];
            self.audit(AuditKind::FlowStopped, AuditOutcome::Failure, &detail);
            return Next::Return { error: "unmet_authentication_requirements" };
        };
        if self.policy.purpose.completes() {
            self.hold_registration(&user);
            self.effects.push(Effect::CompleteRegistration { user: user.clone() });
        }
        let vars = &self.instance.vars;
        let silent = vars.silent;
        let manner = Manner { called: vars.called, verified: vars.verified };
        let wanted = vars.remember.unwrap_or(vars.ticked) && !silent;
        let remember = self.policy.remember.filter(|_| wanted);
        let kind = if silent { AuditKind::SilentLogin } else { AuditKind::Login };
        self.audit(kind, AuditOutcome::Success, &[("acr", &acr)]);
        let auth_time = self.find_auth_time(&facts);
        Next::Issue(Issued {
            user,
            amr: list_amr(fact_set(&facts), manner),
            facts,
            auth_time,
            acr,
            policy: self.policy.id.clone(),
            remember: remember.map(|rule| Remembering { r#for: rule.r#for, cookie: rule.cookie }),
            silent,
        })
    }
}
