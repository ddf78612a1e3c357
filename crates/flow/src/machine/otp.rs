//! A mailed code: sent, sent again, compared, confirmed.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use countersign_model::{AuditKind, AuditOutcome, Timestamp};

use super::{Entered, Run, is_open, list_attempts, list_resets};
use crate::instance::{Challenge, NoticeKey};
use crate::language::{Channel, CountScope, Otp, Outcome, Policy, Step};
use crate::{AccountKey, Charge, Effect, FlowError, Input, Instance, Limit, Needs, Next};

/// What an input asks of the step: the same answer for `needs` and `advance` at the same `now`.
enum Plan {
    Stay(Option<NoticeKey>),
    /// Send; the challenge as it will be.
    Send(Challenge),
    /// Compare this code with the challenge's.
    Verify(Challenge, String),
    /// Continue, with the time of the proof.
    Confirmed(Timestamp),
    Change,
}

fn plan(step: &Step, otp: &Otp, instance: &Instance, input: &Input, now: Timestamp) -> Plan {
    let challenge = instance.challenge.as_ref();
    let verified = challenge.and_then(|challenge| challenge.verified_at);
    match input.control.as_str() {
        "send" | "resend" => plan_send(step, otp, challenge, now),
        "verify" => match challenge {
            _ if verified.is_some() => Plan::Stay(Some(NoticeKey::Verified)),
            None => Plan::Stay(None),
            Some(challenge) if is_expired(challenge, now) => Plan::Stay(Some(NoticeKey::Expired)),
            Some(challenge) => match input.code(otp.code.digits) {
                Some(code) => Plan::Verify(challenge.clone(), code),
                None if input.has_code() => Plan::Stay(Some(NoticeKey::CodeMalformed)),
                None => Plan::Stay(Some(NoticeKey::CodeMissing)),
            },
        },
        "continue" if otp.confirm => verified.map_or(Plan::Stay(None), Plan::Confirmed),
        "change" => Plan::Change,
        _ => Plan::Stay(None),
    }
}

fn plan_send(step: &Step, otp: &Otp, challenge: Option<&Challenge>, now: Timestamp) -> Plan {
    let fresh = |number| Challenge {
        number,
        sends: 1,
        channel: Channel::Email,
        sent_at: now,
        expires_at: now.plus(otp.code.ttl),
        verified_at: None,
    };
    match challenge {
        None => Plan::Send(fresh(1)),
        Some(challenge) if challenge.verified_at.is_some() => Plan::Stay(Some(NoticeKey::Verified)),
        Some(challenge) if now < challenge.sent_at.plus(step.limits.resend_after) => {
            Plan::Stay(Some(NoticeKey::TooSoon))
        }
        Some(challenge) if otp.code.reuse_on_resend && !is_expired(challenge, now) => {
            let sends = challenge.sends.saturating_add(1);
            Plan::Send(Challenge { sends, sent_at: now, ..challenge.clone() })
        }
        Some(challenge) => Plan::Send(fresh(challenge.number.saturating_add(1))),
    }
}

/// A code lives from its first sending for `code.ttl`; at the very end of it it is expired.
pub(crate) fn is_expired(challenge: &Challenge, now: Timestamp) -> bool {
    now >= challenge.expires_at
}

/// Label of a challenge's code: no two challenges of an instance share one.
fn label(policy: &Policy, step: &Step, instance: &Instance, challenge: &Challenge) -> String {
    format!("{}/{}/{}/{}", policy.id, step.name, instance.visit, challenge.number)
}

fn list_try_charges(policy: &Policy, step: &Step, instance: &Instance) -> Vec<Charge> {
    list_attempts(policy, step, |rule| match rule.scope {
        CountScope::Identifier => instance.identifier.clone().unwrap_or_default(),
        CountScope::Account => instance.account.as_ref().map(ToString::to_string).unwrap_or_default(),
        CountScope::Target => instance.recipient.clone().unwrap_or_default(),
        CountScope::Instance | CountScope::Ip | CountScope::Client => String::new(),
    })
}

/// The instance's own sends, then what the recipient bears over all instances and policies.
fn list_send_charges(policy: &Policy, step: &Step, instance: &Instance) -> Vec<Charge> {
    let own = step.limits.sends.map(|allowed| Charge {
        scope: CountScope::Instance,
        name: format!("{}/{}/sends", policy.id, step.name),
        subject: String::new(),
        limit: Limit { allowed, window: policy.limits.lifetime, lock: None },
    });
    let budget = step.limits.budget;
    let target = Charge {
        scope: CountScope::Target,
        name: "send/email".to_owned(),
        subject: instance.recipient.clone().unwrap_or_default(),
        limit: Limit { allowed: budget.sends, window: budget.per, lock: None },
    };
    own.into_iter().chain([target]).collect()
}

/// What an input at the step needs.
pub(super) fn needs(
    policy: &Policy,
    step: &Step,
    otp: &Otp,
    instance: &Instance,
    input: &Input,
    now: Timestamp,
) -> Needs {
    let account = instance.account.clone().map(AccountKey::Id);
    let (charges, challenge) = match plan(step, otp, instance, input, now) {
        Plan::Send(challenge) => (list_send_charges(policy, step, instance), challenge),
        Plan::Verify(challenge, _) => (list_try_charges(policy, step, instance), challenge),
        Plan::Stay(_) | Plan::Confirmed(_) | Plan::Change => return Needs { account, ..Needs::default() },
    };
    let code_label = Some(label(policy, step, instance, &challenge));
    Needs { charges, account, code_label, code_digits: otp.code.digits, ..Needs::default() }
}

impl<'a> Run<'a> {
    /// An account without a mailbox can not be sent anything.
    pub(super) fn enter_otp(&mut self, index: usize, step: &'a Step) -> Result<Entered<'a>, FlowError> {
        let Some(mailbox) = self.account().and_then(|account| account.mailbox.clone()) else {
            return self.take(step, Outcome::Undeliverable).map(Entered::On);
        };
        let entered = self.wait(index)?;
        self.instance.recipient = Some(mailbox);
        Ok(entered)
    }

    pub(super) fn react_otp(&mut self, step: &'a Step, otp: &Otp, input: &Input) -> Result<Next, FlowError> {
        match plan(step, otp, &self.instance, input, self.now) {
            Plan::Stay(notice) => Ok(self.stay(notice)),
            Plan::Send(challenge) => self.send(step, otp, challenge),
            Plan::Verify(challenge, code) => self.verify(step, otp, &challenge, &code),
            Plan::Confirmed(at) => self.pass(step, at),
            Plan::Change => match step.find_route(Outcome::Change) {
                Some(target) if is_open(self.set, target) => self.go(step, Outcome::Change),
                _ => Ok(Next::Page),
            },
        }
    }

    fn send(&mut self, step: &'a Step, otp: &Otp, challenge: Challenge) -> Result<Next, FlowError> {
        let charges = list_send_charges(self.policy, step, &self.instance);
        if !self.is_within(charges.len()) {
            return self.spend(step);
        }
        let mailbox = self.account().and_then(|account| account.mailbox.clone());
        let Some(to) = mailbox.filter(|mailbox| self.instance.recipient.as_ref() == Some(mailbox)) else {
            return self.go(step, Outcome::Undeliverable);
        };
        let code = self.facts.code.clone().ok_or(FlowError::MissingFact)?;
        let label = format!("{}/{}", label(self.policy, step, &self.instance, &challenge), challenge.sends);
        self.effects.push(Effect::Send {
            label,
            channel: challenge.channel,
            template: otp.template.clone(),
            to,
            code,
            expires_at: challenge.expires_at,
        });
        let detail = [("step", step.name.as_str()), ("channel", challenge.channel.as_str())];
        self.audit(AuditKind::SendQueued, AuditOutcome::Success, &detail);
        let notice = if self.instance.challenge.is_none() { NoticeKey::Sent } else { NoticeKey::Resent };
        self.instance.challenge = Some(challenge);
        Ok(self.stay(Some(notice)))
    }

    fn verify(&mut self, step: &'a Step, otp: &Otp, challenge: &Challenge, code: &str) -> Result<Next, FlowError> {
        let charges = list_try_charges(self.policy, step, &self.instance);
        if !self.is_within(charges.len()) {
            return self.spend(step);
        }
        let right = self.facts.code.as_ref().ok_or(FlowError::MissingFact)?;
        if verify_slices_are_equal(right.as_bytes(), code.as_bytes()).is_err() {
            let detail = [("step", step.name.as_str()), ("reason", "wrong")];
            self.audit(AuditKind::Login, AuditOutcome::Failure, &detail);
            return Ok(self.stay(Some(NoticeKey::CodeWrong)));
        }
        self.effects.extend(list_resets(charges));
        if otp.confirm {
            self.instance.challenge = Some(Challenge { verified_at: Some(self.now), ..challenge.clone() });
            return Ok(self.stay(Some(NoticeKey::Verified)));
        }
        self.pass(step, self.now)
    }

    fn pass(&mut self, step: &'a Step, at: Timestamp) -> Result<Next, FlowError> {
        if let Some(fact) = step.kind.proves() {
            self.instance.prove(fact, at);
        }
        self.go(step, Outcome::Ok)
    }
}
