//! The authenticator app's code.

use countersign_model::{AuditKind, AuditOutcome, Fact};

use super::{Run, list_attempts, list_resets};
use crate::instance::NoticeKey;
use crate::language::{CountScope, Outcome, Policy, Step};
use crate::{AccountKey, Charge, Effect, FlowError, Input, Instance, Needs, Next, totp};

fn list_charges(policy: &Policy, step: &Step, instance: &Instance) -> Vec<Charge> {
    list_attempts(policy, step, |rule| match rule.scope {
        CountScope::Identifier => instance.identifier.clone().unwrap_or_default(),
        CountScope::Account => instance.account.as_ref().map(ToString::to_string).unwrap_or_default(),
        _ => String::new(),
    })
}

/// What a try needs.
pub(super) fn needs(policy: &Policy, step: &Step, instance: &Instance, input: &Input) -> Needs {
    let account = instance.account.clone().map(AccountKey::Id);
    let code = if input.control == "verify" { input.code(totp::DIGITS) } else { None };
    let charges = if code.is_some() { list_charges(policy, step, instance) } else { Vec::new() };
    Needs { account, charges, totp_code: code, ..Needs::default() }
}

impl<'a> Run<'a> {
    pub(super) fn react_totp(&mut self, step: &'a Step, input: &Input) -> Result<Next, FlowError> {
        if input.control != "verify" {
            return Ok(Next::Page);
        }
        if input.code(totp::DIGITS).is_none() {
            let typed = input.has_code();
            return Ok(self.stay(Some(if typed { NoticeKey::CodeMalformed } else { NoticeKey::CodeMissing })));
        }
        let charges = list_charges(self.policy, step, &self.instance);
        if !self.is_within(charges.len()) {
            return self.spend(step);
        }
        let user = self.account().filter(|account| account.totp).map(|account| account.user.clone());
        let (Some(user), Some(spent)) = (user, self.facts.totp_step) else {
            let detail = [("step", step.name.as_str()), ("reason", "wrong")];
            self.audit(AuditKind::Login, AuditOutcome::Failure, &detail);
            return Ok(self.stay(Some(NoticeKey::CodeWrong)));
        };
        self.effects.push(Effect::SpendTotpStep { user, step: spent });
        self.effects.extend(list_resets(charges));
        self.instance.prove(Fact::Totp, self.now);
        self.go(step, Outcome::Ok)
    }
}
