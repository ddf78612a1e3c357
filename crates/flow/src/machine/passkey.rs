//! Passkeys: to sign in with, and to be bound.

use super::Here;
use super::charge::{list_resets, list_tries};
use super::run::Run;
use crate::language::{Outcome, Step, StepKind};
use crate::{Binding, Effect, FlowError, Input, Needs, Next, NoticeKey, PasskeyUse};

/// What the ceremony at a step is for.
pub(crate) const fn ceremony(kind: &StepKind) -> PasskeyUse {
    if matches!(kind, StepKind::BindPasskey) { PasskeyUse::Register } else { PasskeyUse::Assert }
}

fn has_credential(input: &Input) -> bool {
    input.control == "verify" && !input.field("credential").trim().is_empty()
}

/// What a try needs; nothing of a browser without script.
pub(super) fn needs(here: Here, input: &Input) -> Needs {
    let known = here.known();
    if !has_credential(input) {
        return known;
    }
    let charges = list_tries(here);
    Needs { charges, passkey: Some(ceremony(&here.step.kind)), ..known }
}

impl<'a> Run<'a> {
    pub(super) fn react_passkey(&mut self, step: &'a Step, input: &Input) -> Result<Next, FlowError> {
        if input.control != "verify" {
            return Ok(Next::Page);
        }
        if !has_credential(input) {
            return Ok(self.stay(Some(NoticeKey::PasskeyMissing)));
        }
        let charges = list_tries(self.here(step));
        if !self.is_within(charges.len()) {
            return self.spend(step);
        }
        let proof = self.facts.passkey.as_ref().filter(|proof| {
            let owner = self.known.as_ref().is_some_and(|known| known.active && known.user == proof.user);
            let same = self.instance.account.as_ref().is_none_or(|account| *account == proof.user);
            owner && same && self.is_wanted(&proof.user)
        });
        let Some(proof) = proof.cloned() else {
            return Ok(self.fail(step, NoticeKey::PasskeyFailed));
        };
        self.effects.push(Effect::UsePasskey { user: proof.user.clone() });
        self.effects.extend(list_resets(charges));
        self.instance.identify(&proof.user);
        self.instance.vars.verified = proof.verified;
        if let Some(fact) = step.kind.proves() {
            self.instance.prove(fact, self.now);
        }
        self.go(step, Outcome::Ok)
    }

    pub(super) fn react_bind_passkey(&mut self, step: &'a Step, input: &Input) -> Result<Next, FlowError> {
        if input.control != "verify" {
            return Ok(Next::Page);
        }
        if !has_credential(input) {
            return Ok(self.stay(Some(NoticeKey::PasskeyMissing)));
        }
        if !self.is_within(list_tries(self.here(step)).len()) {
            return self.spend(step);
        }
        let user = self.proven_user();
        let proof = self.facts.passkey.as_ref().filter(|proof| Some(&proof.user) == user.as_ref());
        let Some(verified) = proof.map(|proof| proof.verified) else {
            return Ok(self.fail(step, NoticeKey::PasskeyFailed));
        };
        self.bind(step, Binding::Passkey, "factor_added", false)?;
        self.learn(|known| known.passkey = true);
        self.instance.vars.verified = verified;
        if let Some(fact) = step.kind.proves() {
            self.instance.prove(fact, self.now);
        }
        self.go(step, Outcome::Ok)
    }
}
