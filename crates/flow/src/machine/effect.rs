//! `effect`: what a policy does by itself.

use countersign_model::{AuditKind, AuditOutcome, FactSet, FactorKind, Seconds, UserId};

use super::run::{Entered, Hop, Run};
use crate::facts::AccountFacts;
use crate::language::{Channel, EffectWord, Outcome, Step, StepKind};
use crate::{Effect, FlowError, PolicySet};

impl<'a> Run<'a> {
    pub(super) fn enter_effect(&mut self, step: &'a Step, effects: &[EffectWord]) -> Result<Entered<'a>, FlowError> {
        if effects.iter().any(EffectWord::changes_account) && self.proven_user().is_none() {
            return Ok(Entered::At(self.refuse("unproven", "access_denied")));
        }
        for (index, effect) in effects.iter().enumerate() {
            let label = format!("{}/{}/{}/{index}", self.policy.id, step.name, self.instance.visit);
            self.apply(step, effect, label)?;
        }
        let hop: Hop = self.take(step, Outcome::Ok)?;
        Ok(Entered::On(hop))
    }

    fn apply(&mut self, step: &Step, effect: &EffectWord, label: String) -> Result<(), FlowError> {
        let named: Option<UserId> = self.account().map(|account| account.user.clone());
        match (effect, named) {
            (EffectWord::CreateAccount, _) => return self.create_account(&label),
            (EffectWord::Send(template), Some(user)) => self.tell(user, step, template),
            (EffectWord::SendLink { policy, template, .. }, named) => {
                return self.send_link(policy, template, label, named);
            }
            (EffectWord::Send(_), None) => self.pretend(label, Seconds::minutes(20)),
            (EffectWord::Webhook(name), user) => {
                self.effects.push(Effect::Webhook { label, name: name.clone(), user });
            }
            (EffectWord::Audit(event), _) => {
                self.audit(AuditKind::FlowStep, AuditOutcome::Success, &[("step", &step.name), ("event", event)]);
            }
            (effect, _) => return self.change_account(step, effect, label),
        }
        Ok(())
    }

    /// What only the account in hand may have done to it.
    fn change_account(&mut self, step: &Step, effect: &EffectWord, label: String) -> Result<(), FlowError> {
        let user = self.proven_user().ok_or(FlowError::NotRunnable)?;
        self.hold_registration(&user);
        match effect {
            EffectWord::Revoke(what) => self.effects.push(Effect::Revoke { user, what: vec![*what] }),
            EffectWord::Unbind(kind) => {
                self.learn(|known| match kind {
                    FactorKind::Mailbox => known.mailbox = None,
                    FactorKind::Phone => known.phone = None,
                    FactorKind::Totp => known.totp = false,
                    FactorKind::Passkey => known.passkey = false,
                });
                self.effects.push(Effect::UnbindFactor { user, kind: *kind });
            }
            EffectWord::ReplaceRecoveryCodes => {
                self.new_codes = Some(label.clone());
                self.tell(user.clone(), step, "factor_added");
                self.effects.push(Effect::ReplaceRecoveryCodes { user, label });
            }
            EffectWord::CloseAccount => {
                self.learn(|known| known.active = false);
                self.tell(user.clone(), step, "account_closed");
                self.effects.push(Effect::CloseAccount { user });
            }
            _ => {}
        }
        Ok(())
    }

    /// Makes the account of what the forms were told. Whose address is taken is told by mail; the page is the same.
    fn create_account(&mut self, label: &str) -> Result<(), FlowError> {
        let user = self.facts.new_user.clone().ok_or(FlowError::MissingFact)?;
        let form = std::mem::take(&mut self.instance.told);
        let organization = self.instance.organization.take();
        let email = form.get("email").cloned();
        self.instance.account = None;
        self.instance.facts.clear();
        self.instance.carried = FactSet::EMPTY;
        self.instance.adopted = FactSet::EMPTY;
        (self.instance.candidate, self.known) = (None, None);
        if let Some(taken) = email.as_ref().filter(|_| self.facts.email_free != Some(true)) {
            self.facts.email_free.ok_or(FlowError::MissingFact)?;
            self.warn(label, taken);
            return Ok(());
        }
        let username = form.get("username").cloned();
        let names = ["given_name", "family_name"].iter().filter_map(|name| form.get(*name).cloned()).collect();
        let terms_due = true;
        let registration_incomplete = true;
        self.known = Some(AccountFacts {
            email,
            terms_due,
            username,
            names,
            registration_incomplete,
            ..AccountFacts::new(user.clone())
        });
        self.instance.candidate = Some(user.clone());
        self.effects.push(Effect::CreateAccount { user, form, organization });
        Ok(())
    }

    fn send_link(
        &mut self,
        policy: &str,
        template: &str,
        label: String,
        named: Option<UserId>,
    ) -> Result<(), FlowError> {
        let ttl = find_ttl(self.set, policy).ok_or(FlowError::NotRunnable)?;
        let reachable = self.account().is_some_and(|account| account.email.is_some() || account.mailbox.is_some());
        let Some(user) = named.filter(|_| reachable) else {
            self.pretend(label, ttl);
            return Ok(());
        };
        let (policy, template) = (policy.to_owned(), template.to_owned());
        self.effects.push(Effect::SendLink { user, label, policy, template, ttl });
        Ok(())
    }

    fn pretend(&mut self, label: String, ttl: Seconds) {
        let expires_at = self.now.plus(ttl);
        self.effects.push(Effect::Pretend { label, channel: Channel::Email, expires_at });
    }
}

/// Life of a mailed link that begins `policy`, as its `link` step says.
fn find_ttl(set: &PolicySet, policy: &str) -> Option<Seconds> {
    set.get(policy)?.steps.iter().find_map(|step| match &step.kind {
        StepKind::Link { ttl, shown: false } => Some(*ttl),
        _ => None,
    })
}
