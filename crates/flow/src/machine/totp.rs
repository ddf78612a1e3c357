//! Codes that are not sent: of an authenticator app, of one that is being bound, and recovery codes.

use super::Here;
use super::charge::{list_resets, list_tries};
use super::run::Run;
use crate::language::{Outcome, Policy, Step, StepKind};
use crate::{Binding, Effect, FlowError, Input, Instance, Needs, Next, NoticeKey, totp};

/// Longest recovery code as typed, in bytes.
const MAX_RECOVERY_CODE: usize = 64;

/// Label of the authenticator seed that is bound at a step.
pub(crate) fn enrol_label(policy: &Policy, step: &Step, instance: &Instance) -> String {
    format!("{}/{}/{}/seed", policy.id, step.name, instance.visit)
}

/// A recovery code without spaces and hyphens, in lower case.
fn read_recovery_code(input: &Input) -> Option<String> {
    let typed = input.field("code");
    if typed.len() > MAX_RECOVERY_CODE {
        return None;
    }
    let code: String = typed.chars().filter(|c| !c.is_whitespace() && *c != '-').collect();
    (!code.is_empty() && code.is_ascii()).then(|| code.to_ascii_lowercase())
}

/// What a try needs.
pub(super) fn needs(here: Here, input: &Input) -> Needs {
    let known = here.known();
    if input.control != "verify" {
        return known;
    }
    if matches!(here.step.kind, StepKind::RecoveryCode) {
        let Some(code) = read_recovery_code(input) else { return known };
        return Needs { charges: list_tries(here), recovery_code: Some(code), ..known };
    }
    let Some(code) = input.code(totp::DIGITS) else { return known };
    let binds = matches!(here.step.kind, StepKind::BindTotp);
    let enrol_totp = binds.then(|| enrol_label(here.policy, here.step, here.instance));
    Needs { charges: list_tries(here), totp_code: Some(code), enrol_totp, ..known }
}

impl<'a> Run<'a> {
    pub(super) fn react_totp(&mut self, step: &'a Step, input: &Input) -> Result<Next, FlowError> {
        if let Some(next) = self.look_at_code(step, input) {
            return next;
        }
        let user = self.account().filter(|account| account.totp).map(|account| account.user.clone());
        let (Some(user), Some(spent)) = (user, self.facts.totp_step) else {
            return Ok(self.fail(step, NoticeKey::CodeWrong));
        };
        self.effects.push(Effect::SpendTotpStep { user, step: spent });
        self.pass_code(step)
    }

    pub(super) fn react_bind_totp(&mut self, step: &'a Step, input: &Input) -> Result<Next, FlowError> {
        if let Some(next) = self.look_at_code(step, input) {
            return next;
        }
        let Some(spent) = self.facts.totp_step.filter(|_| self.proven_user().is_some()) else {
            return Ok(self.fail(step, NoticeKey::CodeWrong));
        };
        let label = enrol_label(self.policy, step, &self.instance);
        let replaced = self.account().is_some_and(|account| account.totp);
        self.bind(step, Binding::Totp { label, step: spent }, "factor_added", replaced)?;
        self.learn(|known| known.totp = true);
        self.pass_code(step)
    }

    pub(super) fn react_recovery_code(&mut self, step: &'a Step, input: &Input) -> Result<Next, FlowError> {
        if input.control != "verify" {
            return Ok(Next::Page);
        }
        if read_recovery_code(input).is_none() {
            return Ok(self.stay(Some(if input.has_code() { NoticeKey::CodeWrong } else { NoticeKey::CodeMissing })));
        }
        if !self.is_within(list_tries(self.here(step)).len()) {
            return self.spend(step);
        }
        let user = self.account().map(|account| account.user.clone());
        let (Some(user), Some(hash)) = (user, self.facts.recovery_code) else {
            return Ok(self.fail(step, NoticeKey::CodeWrong));
        };
        self.effects.push(Effect::SpendRecoveryCode { user, hash });
        self.pass_code(step)
    }

    /// What is to be said before the code is looked at, if anything is.
    fn look_at_code(&mut self, step: &'a Step, input: &Input) -> Option<Result<Next, FlowError>> {
        if input.control != "verify" {
            return Some(Ok(Next::Page));
        }
        if input.code(totp::DIGITS).is_none() {
            let typed = input.has_code();
            return Some(Ok(self.stay(Some(if typed { NoticeKey::CodeMalformed } else { NoticeKey::CodeMissing }))));
        }
        let within = self.is_within(list_tries(self.here(step)).len());
        (!within).then(|| self.spend(step))
    }

    fn pass_code(&mut self, step: &'a Step) -> Result<Next, FlowError> {
        let charges = list_tries(self.here(step));
        self.effects.extend(list_resets(charges));
        if let Some(fact) = step.kind.proves() {
            self.instance.prove(fact, self.now);
        }
        self.go(step, Outcome::Ok)
    }
}
