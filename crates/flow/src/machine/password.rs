//! The sign-in pages: by mail address, by user name, by the legacy portal's credential. Unknown, disabled and wrong look
//! the same.

use countersign_model::{AuditKind, AuditOutcome, Fact};

use super::charge::{list_attempts, list_resets};
use super::run::{Entered, Run};
use super::{Here, is_open};
use crate::facts::AccountFacts;
use crate::input::Typed;
use crate::language::{LoginName, Outcome, Step};
use crate::{AccountKey, Charge, Effect, FlowError, Input, MAX_PASSWORD, Needs, Next, NoticeKey, Verdict};

/// The typed name, if name and password can be looked at.
fn read(login: LoginName, input: &Input) -> Result<String, NoticeKey> {
    let by_email = login == LoginName::Email;
    let typed = if by_email { input.email() } else { input.username() };
    let name = match typed {
        Typed::Name(name) => name,
        Typed::Missing => return Err(if by_email { NoticeKey::EmailMissing } else { NoticeKey::UsernameMissing }),
        Typed::Malformed => return Err(if by_email { NoticeKey::EmailMalformed } else { NoticeKey::Wrong }),
    };
    match input.password_length() {
        0 => Err(NoticeKey::PasswordMissing),
        1..=MAX_PASSWORD => Ok(name),
        _ => Err(NoticeKey::Wrong),
    }
}

fn list_charges(here: Here, name: &str) -> Vec<Charge> {
    use crate::CountScope::{Account, Identifier, Target};
    list_attempts(here, |rule| match rule.scope {
        Identifier | Account | Target => name.to_owned(),
        _ => String::new(),
    })
}

/// What a try needs; nothing while the form can not be looked at.
pub(super) fn needs(here: Here, login: LoginName, input: &Input) -> Needs {
    if input.control != "login" {
        return Needs::default();
    }
    let Ok(name) = read(login, input) else { return Needs::default() };
    let charges = list_charges(here, &name);
    let key = if login == LoginName::Email { AccountKey::Email(name) } else { AccountKey::Username(name) };
    let legacy = login == LoginName::Legacy;
    Needs { charges, account: Some(key), verify_password: !legacy, verify_legacy: legacy, ..Needs::default() }
}

impl<'a> Run<'a> {
    /// A password that a switch or the session carried here is not asked for again.
    pub(super) fn enter_password(&mut self, index: usize, step: &'a Step) -> Result<Entered<'a>, FlowError> {
        let carried = self.instance.account.is_some() && self.instance.carried.contains(Fact::Password);
        if carried && step.kind.proves() == Some(Fact::Password) {
            return self.take(step, Outcome::Ok).map(Entered::On);
        }
        self.wait(index)
    }

    pub(super) fn react_password(
        &mut self,
        step: &'a Step,
        login: LoginName,
        input: &Input,
    ) -> Result<Next, FlowError> {
        let typed = if login == LoginName::Email { input.email() } else { input.username() };
        if let Typed::Name(name) = typed {
            self.instance.identifier = Some(name);
        }
        match input.control.as_str() {
            "login" => self.react_login(step, login, input),
            "forgot" => match step.find_route(Outcome::Forgot) {
                Some(target) if is_open(self.set, target) => self.go(step, Outcome::Forgot),
                _ => Ok(Next::Page),
            },
            _ => Ok(Next::Page),
        }
    }

    fn react_login(&mut self, step: &'a Step, login: LoginName, input: &Input) -> Result<Next, FlowError> {
        let has_box = self.policy.remember.is_some() && self.instance.vars.remember.is_none();
        self.instance.vars.ticked = has_box && input.is_ticked("remember");
        if let Typed::Name(address) = input.email()
            && let Some(target) = self.find_upstream(step, &address)
        {
            if has_box {
                self.hand_on_box(std::iter::once(target), self.instance.vars.ticked);
            }
            return self.go_upstream(step);
        }
        let name = match read(login, input) {
            Ok(name) => name,
            Err(notice) => return Ok(self.stay(Some(notice))),
        };
        let charges = list_charges(self.here(step), &name);
        if !self.is_within(charges.len()) {
            return self.spend(step);
        }
        let verdict = if login == LoginName::Legacy { self.facts.legacy } else { self.facts.password };
        let Some(user) = self.find_proven(verdict).map(|account| account.user.clone()) else {
            self.audit_wrong(step);
            return Ok(self.stay(Some(NoticeKey::Wrong)));
        };
        self.instance.identify(&user);
        if let Some(fact) = step.kind.proves() {
            self.instance.prove(fact, self.now);
        }
        self.effects.extend(list_resets(charges));
        if has_box && !self.instance.vars.ticked {
            self.effects.push(Effect::ForgetRemembered { policy: self.policy.id.clone() });
        }
        self.go(step, Outcome::Ok)
    }

    /// The account whose password was right and that may sign in.
    fn find_proven(&self, verdict: Verdict) -> Option<&AccountFacts> {
        let known = self.known.as_ref().filter(|account| account.active && verdict == Verdict::Right);
        known.filter(|account| self.is_wanted(&account.user))
    }

    /// The audit knows why; the page does not.
    fn audit_wrong(&mut self, step: &Step) {
        let (reason, subject) = match &self.known {
            None => ("unknown", None),
            Some(account) if !account.active => ("disabled", Some(account.user.clone())),
            Some(account) if !self.is_wanted(&account.user) => ("other", Some(account.user.clone())),
            Some(account) => ("wrong", Some(account.user.clone())),
        };
        let detail = [("step", step.name.as_str()), ("reason", reason)];
        self.audit_about(AuditKind::Login, AuditOutcome::Failure, subject, &detail);
    }
}
