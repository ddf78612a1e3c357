//! A code that is sent and comes back: by mail, as a text, in a call.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use countersign_model::{AuditKind, AuditOutcome, Fact, Timestamp};

use super::charge::{list_attempts, list_resets, list_sends, list_tries};
use super::plan::{Aim, Plan, Sending, approval_id, code_label, is_answered_by_phone, plan};
use super::run::{Entered, Run};
use super::{Here, is_open};
use crate::instance::Challenge;
use crate::language::{Channel, Otp, Outcome, Policy, Step, UnknownRule, Voice};
use crate::{AccountKey, Call, Charge, Effect, FlowError, Input, Instance, Needs, Next, NoticeKey};

/// The charges of a try; an address that nobody proved yet is counted by itself.
fn list_try_charges(here: Here, aim: Aim) -> Vec<Charge> {
    use crate::CountScope::{Account, Identifier, Target};
    if aim != Aim::TypedEmail {
        return list_tries(here);
    }
    let address = here.instance.recipient.clone().unwrap_or_default();
    list_attempts(here, |rule| match rule.scope {
        Account | Identifier | Target => address.clone(),
        _ => String::new(),
    })
}

/// The charges of a send; a number that is compared with the one on file is a try, too.
fn list_send_charges(here: Here, aim: Aim, sending: &Sending) -> Vec<Charge> {
    let mut charges = list_sends(here, sending.challenge.channel.as_str(), &sending.to);
    if aim == (Aim::Phone { ask: true }) && here.instance.challenge.is_none() {
        charges.extend(list_tries(here));
    }
    charges
}

/// What an input at the step needs.
pub(super) fn needs(here: Here, otp: &Otp, input: &Input) -> Needs {
    let aim = Aim::of(here.policy, here.step, otp);
    let planned = plan(here, otp, input);
    let recipient = match &planned {
        Plan::Send(sending) => Some(sending.to.clone()),
        _ => here.instance.recipient.clone(),
    };
    let account = match aim {
        Aim::TypedEmail => recipient.clone().map(AccountKey::Email),
        _ => here.known().account,
    };
    let free_email = recipient.filter(|_| matches!(aim, Aim::NewMailbox { .. }) && !here.instance.fixed);
    let (charges, challenge) = match planned {
        Plan::Send(sending) => (list_send_charges(here, aim, &sending), sending.challenge),
        Plan::Verify(challenge, _) => (list_try_charges(here, aim), challenge),
        Plan::Approve(challenge) => {
            return Needs {
                account,
                free_email,
                approval: Some(approval_id(here.instance, &challenge)),
                ..Needs::default()
            };
        }
        Plan::Confirmed(..) => return Needs { account, free_email, ..Needs::default() },
        Plan::Stay(_) | Plan::Change => return Needs { account, ..Needs::default() },
    };
    let needs = Needs { charges, account, free_email, ..Needs::default() };
    if has_no_code(otp, &challenge) {
        return needs;
    }
    let label = code_label(here.policy, here.step, here.instance, &challenge);
    Needs { code_label: Some(label), code_digits: otp.code.digits, ..needs }
}

/// Label of the text or call that was sent last, as in its `Effect::Send`: it may turn out that it never arrives.
pub(super) fn find_sent(here: Here) -> Option<String> {
    let challenge = here.instance.challenge.as_ref()?;
    let may_fail = challenge.channel != Channel::Email && challenge.verified_at.is_none() && !challenge.pretended;
    may_fail.then(|| send_label(here.policy, here.step, here.instance, challenge))
}

/// Label of a challenge's last send.
fn send_label(policy: &Policy, step: &Step, instance: &Instance, challenge: &Challenge) -> String {
    format!("{}/{}", code_label(policy, step, instance, challenge), challenge.sends)
}

/// A call that asks for `#` alone has no code.
fn has_no_code(otp: &Otp, challenge: &Challenge) -> bool {
    challenge.channel == Channel::Voice && otp.voice == Voice::PressHash
}

/// Who gets a message.
enum Delivery {
    /// Them.
    To(String),
    /// Nobody, and the page does not say so; the address is told that somebody typed it.
    Pretended { tell: bool },
    /// Nobody: the step's way out.
    Undeliverable,
    /// Nobody, and the page says why.
    Refused(NoticeKey),
}

impl<'a> Run<'a> {
    /// Waits at the step; who has nothing on file that could be sent to does not get there.
    pub(super) fn enter_otp(&mut self, index: usize, step: &'a Step, otp: &Otp) -> Result<Entered<'a>, FlowError> {
        let aim = Aim::of(self.policy, step, otp);
        if aim.binds() && self.proven_user().is_none() && !self.goes_on_file(aim) {
            return if self.is_open() {
                Err(FlowError::NotRunnable)
            } else {
                Ok(Entered::At(self.refuse("account", "access_denied")))
            };
        }
        let account = self.account();
        let on_file = match aim {
            Aim::Mailbox => self.mailbox().cloned(),
            Aim::Phone { .. } => account.and_then(|account| account.phone.clone()),
            Aim::NewMailbox { on_file: true } => account.and_then(|account| account.email.clone()),
            _ => None,
        };
        if on_file.is_none() && matches!(aim, Aim::Mailbox | Aim::Phone { .. }) {
            return self.take(step, Outcome::Undeliverable).map(Entered::On);
        }
        let entered = self.wait(index)?;
        if aim == Aim::TypedEmail {
            self.instance.candidate = None;
        }
        if on_file.is_some() && aim != (Aim::Phone { ask: true }) {
            self.instance.recipient = on_file;
            self.instance.fixed = true;
        }
        Ok(entered)
    }

    /// Whether the code goes to the mail on file of the account in hand: it proves something of it by itself.
    fn goes_on_file(&self, aim: Aim) -> bool {
        let known = self.account().filter(|account| account.active && account.email.is_some());
        let in_hand = self.instance.account.is_some() && known.is_some() && self.is_open();
        in_hand && aim == (Aim::NewMailbox { on_file: true })
    }

    /// The mailbox of the account in hand. Of whom their provider vouched for in this flow, the address it verified: no
    /// other way in, since nothing but that sign-in leads to it.
    fn mailbox(&self) -> Option<&String> {
        let account = self.account()?;
        let vouched = self.instance.facts.iter().any(|proven| proven.fact == Fact::Federated);
        account.mailbox.as_ref().or_else(|| account.email.as_ref().filter(|_| vouched))
    }

    pub(super) fn react_otp(&mut self, step: &'a Step, otp: &Otp, input: &Input) -> Result<Next, FlowError> {
        let aim = Aim::of(self.policy, step, otp);
        let on_file = self.instance.fixed && self.goes_on_file(aim);
        if aim.binds() && self.proven_user().is_none() && !on_file && !self.is_past_limit() {
            return Ok(self.refuse("account", "access_denied"));
        }
        let planned = plan(self.here(step), otp, input);
        let waits = matches!(planned, Plan::Stay(_) | Plan::Approve(_)) && !self.facts.approved;
        if waits && self.facts.undeliverable && step.find_route(Outcome::Undeliverable).is_some() {
            return self.give_up(step, otp);
        }
        match planned {
            Plan::Stay(notice) => Ok(self.stay_with_typed(notice, input)),
            Plan::Send(sending) => self.send(step, otp, aim, sending, input),
            Plan::Verify(challenge, code) => self.verify(step, otp, aim, &challenge, &code),
            Plan::Approve(challenge) => self.approve(step, otp, aim, &challenge),
            Plan::Confirmed(challenge, at) => self.pass(step, aim, &challenge, at),
            Plan::Change => self.change(step),
        }
    }

    /// What was sent will never arrive: a call may do better than a text, and nothing does better than a call (R12).
    fn give_up(&mut self, step: &'a Step, otp: &Otp) -> Result<Next, FlowError> {
        let texted = self.instance.challenge.as_ref().is_some_and(|challenge| challenge.channel == Channel::Sms);
        if texted && otp.channels.contains(&Channel::Voice) {
            return Ok(self.stay(Some(NoticeKey::SendFailed)));
        }
        self.go(step, Outcome::Undeliverable)
    }

    /// Stays, and shows again what was typed while it is wrong.
    fn stay_with_typed(&mut self, notice: Option<NoticeKey>, input: &Input) -> Next {
        let wrong = notice.is_some_and(|notice| notice.tone() == crate::Tone::Error);
        if self.instance.challenge.is_none() {
            self.instance.typed = wrong.then(|| input.keep(&["email", "country", "phone_number"]));
        }
        self.stay(notice)
    }

    fn change(&mut self, step: &'a Step) -> Result<Next, FlowError> {
        if step.find_route(Outcome::Change).is_some_and(|target| is_open(self.set, target)) {
            return self.go(step, Outcome::Change);
        }
        if self.instance.fixed || self.instance.challenge.is_none() {
            return Ok(Next::Page);
        }
        self.wait(usize::from(self.instance.step))?;
        Ok(Next::Page)
    }

    fn send(
        &mut self,
        step: &'a Step,
        otp: &Otp,
        aim: Aim,
        sending: Sending,
        input: &Input,
    ) -> Result<Next, FlowError> {
        if aim == Aim::TypedEmail && self.find_upstream(step, &sending.to).is_some() {
            self.instance.identifier = Some(sending.to);
            return self.go_upstream(step);
        }
        if !self.is_within(list_send_charges(self.here(step), aim, &sending).len()) {
            return self.spend(step);
        }
        if sending.country.as_ref().is_some_and(|country| !self.facts.countries.contains(country)) {
            return Ok(self.stay_with_typed(Some(NoticeKey::PhoneCountry), input));
        }
        let delivery = match self.find_delivery(otp, aim, &sending.to)? {
            Delivery::Undeliverable => return self.go(step, Outcome::Undeliverable),
            Delivery::Refused(notice) => {
                let detail = [("step", step.name.as_str()), ("reason", "wrong")];
                self.audit(AuditKind::Login, AuditOutcome::Failure, &detail);
                return Ok(self.stay_with_typed(Some(notice), input));
            }
            delivery => delivery,
        };
        let Sending { mut challenge, to, .. } = sending;
        challenge.pretended = matches!(delivery, Delivery::Pretended { .. });
        self.queue(step, otp, &challenge, delivery, &to)?;
        let first = self.instance.challenge.is_none();
        let notice = match challenge.channel {
            Channel::Voice => NoticeKey::Called,
            _ if first => NoticeKey::Sent,
            _ => NoticeKey::Resent,
        };
        if aim == Aim::TypedEmail {
            self.instance.identifier = Some(to.clone());
        }
        self.instance.recipient = Some(to);
        self.instance.challenge = Some(challenge);
        self.instance.typed = None;
        Ok(self.stay(Some(notice)))
    }

    /// Who gets the message that is to go `to`.
    fn find_delivery(&mut self, otp: &Otp, aim: Aim, to: &str) -> Result<Delivery, FlowError> {
        let is_to = |on_file: Option<&String>| on_file.is_some_and(|on_file| on_file == to);
        let on_file = |known: bool| if known { Delivery::To(to.to_owned()) } else { Delivery::Undeliverable };
        let account = self.account();
        Ok(match aim {
            Aim::Mailbox => on_file(is_to(self.mailbox())),
            Aim::Phone { ask: false } => on_file(is_to(account.and_then(|account| account.phone.as_ref()))),
            Aim::Phone { ask: true } if is_to(account.and_then(|account| account.phone.as_ref())) => on_file(true),
            Aim::Phone { ask: true } => Delivery::Refused(NoticeKey::PhoneNotOnFile),
            Aim::TypedPhone if is_to(account.and_then(|account| account.phone.as_ref())) => on_file(true),
            Aim::TypedPhone => Delivery::Pretended { tell: false },
            Aim::NewPhone => on_file(true),
            Aim::NewMailbox { .. } if self.instance.fixed => {
                on_file(is_to(account.and_then(|account| account.email.as_ref())))
            }
            Aim::NewMailbox { .. } if self.is_free(to)? => on_file(true),
            Aim::NewMailbox { .. } => Delivery::Pretended { tell: true },
            Aim::TypedEmail => self.find_addressee(otp),
        })
    }

    /// The mailbox of whoever signs in with the typed address.
    fn find_addressee(&mut self, otp: &Otp) -> Delivery {
        let known = self.known.as_ref().filter(|account| account.active && self.is_wanted(&account.user));
        let found = known.and_then(|account| Some((account.user.clone(), account.mailbox.clone()?)));
        let Some((user, mailbox)) = found else {
            return match otp.unknown {
                UnknownRule::Pretend => Delivery::Pretended { tell: false },
                UnknownRule::Say => Delivery::Refused(NoticeKey::EmailUnknown),
            };
        };
        self.instance.candidate = Some(user);
        Delivery::To(mailbox)
    }

    /// Whether nobody else has this address.
    pub(super) fn is_free(&self, address: &str) -> Result<bool, FlowError> {
        let own = self.account().is_some_and(|account| {
            [&account.email, &account.mailbox].into_iter().flatten().any(|known| known == address)
        });
        if own { Ok(true) } else { self.facts.email_free.ok_or(FlowError::MissingFact) }
    }

    fn queue(
        &mut self,
        step: &Step,
        otp: &Otp,
        challenge: &Challenge,
        delivery: Delivery,
        typed: &str,
    ) -> Result<(), FlowError> {
        let Challenge { channel, expires_at, .. } = *challenge;
        let code = if has_no_code(otp, challenge) {
            None
        } else {
            Some(self.facts.code.clone().ok_or(FlowError::MissingFact)?)
        };
        let label = send_label(self.policy, step, &self.instance, challenge);
        if let Delivery::To(to) = delivery {
            let called = channel == Channel::Voice;
            let call = called.then(|| Call { voice: otp.voice, challenge: approval_id(&self.instance, challenge) });
            let template = otp.template.clone();
            self.effects.push(Effect::Send { label, channel, template, to, code, call, expires_at });
        } else {
            self.effects.push(Effect::Pretend { label: label.clone(), channel, expires_at });
            if let Delivery::Pretended { tell: true } = delivery {
                self.warn(&label, typed);
            }
        }
        let detail = [("step", step.name.as_str()), ("channel", channel.as_str())];
        self.audit(AuditKind::SendQueued, AuditOutcome::Success, &detail);
        Ok(())
    }

    /// Tells the owner of an address that somebody typed it, and nobody else: who typed it must not learn it has one.
    pub(super) fn warn(&mut self, label: &str, address: &str) {
        self.effects.push(Effect::Warn {
            label: format!("{label}/attempt"),
            template: "registration_attempt".to_owned(),
            to: address.to_owned(),
        });
    }

    /// Whether the right answer to the challenge proves anything.
    fn is_real(&self, aim: Aim, challenge: &Challenge) -> bool {
        let fits = match aim {
            Aim::TypedEmail => {
                let known = self.known.as_ref().filter(|account| account.active && self.is_wanted(&account.user));
                known.is_some_and(|account| self.instance.candidate.as_ref() == Some(&account.user))
            }
            Aim::NewMailbox { .. } if !self.instance.fixed => {
                self.instance.recipient.as_ref().is_some_and(|address| self.is_free(address) == Ok(true))
            }
            _ => self.account().is_some(),
        };
        fits && !challenge.pretended
    }

    fn verify(
        &mut self,
        step: &'a Step,
        otp: &Otp,
        aim: Aim,
        challenge: &Challenge,
        code: &str,
    ) -> Result<Next, FlowError> {
        let charges = list_try_charges(self.here(step), aim);
        if !self.is_within(charges.len()) {
            return self.spend(step);
        }
        let right = self.facts.code.as_ref().ok_or(FlowError::MissingFact)?;
        let equal = verify_slices_are_equal(right.as_bytes(), code.as_bytes()).is_ok();
        if !equal || !self.is_real(aim, challenge) {
            return Ok(self.fail(step, NoticeKey::CodeWrong));
        }
        self.effects.extend(list_resets(charges));
        self.prove_challenge(step, otp, aim, challenge)
    }

    /// The telephone answered, or did not yet.
    fn approve(&mut self, step: &'a Step, otp: &Otp, aim: Aim, challenge: &Challenge) -> Result<Next, FlowError> {
        if !self.facts.approved || !is_answered_by_phone(otp, challenge) || !self.is_real(aim, challenge) {
            return Ok(self.stay(Some(NoticeKey::CallWaiting)));
        }
        self.prove_challenge(step, otp, aim, challenge)
    }

    fn prove_challenge(
        &mut self,
        step: &'a Step,
        otp: &Otp,
        aim: Aim,
        challenge: &Challenge,
    ) -> Result<Next, FlowError> {
        if otp.confirm {
            self.instance.challenge = Some(Challenge { verified_at: Some(self.now), ..challenge.clone() });
            return Ok(self.stay(Some(NoticeKey::Verified)));
        }
        self.pass(step, aim, challenge, self.now)
    }

    fn pass(&mut self, step: &'a Step, aim: Aim, challenge: &Challenge, at: Timestamp) -> Result<Next, FlowError> {
        if !self.is_real(aim, challenge) {
            return Ok(self.fail(step, NoticeKey::CodeWrong));
        }
        if let (Aim::TypedEmail, Some(user)) = (aim, self.instance.candidate.clone()) {
            self.instance.identify(&user);
        }
        let proves = step.kind.proves();
        // What is bound is bound to an account of which something is proven: this, where nothing was before.
        if let Some(fact) = proves.filter(|_| self.instance.facts.is_empty()) {
            self.instance.prove(fact, at);
        }
        if let (true, Some(to)) = (aim.binds(), self.instance.recipient.clone()) {
            self.bind_recipient(step, aim, to)?;
        }
        if let Some(fact) = proves {
            self.instance.prove(fact, at);
        }
        if challenge.channel != Channel::Email {
            self.instance.vars.called = challenge.channel == Channel::Voice;
        }
        self.go(step, Outcome::Ok)
    }
}
