//! One decision under way: reacting to an input, entering steps, following outcomes.

use countersign_model::{AuditKind, AuditOutcome, Timestamp, UserId};
use serde_json::{Map, Value};

use super::Here;
use crate::facts::{AccountFacts, ChargeVerdict, fact_set};
use crate::language::{Branch, Destination, Guard, Outcome, Policy, SendTo, Step, StepKind, Stop, Switch, Target};
use crate::{Advance, Effect, Facts, FlowError, Input, Instance, Next, NoticeKey, PolicySet};

/// The most automatic steps between two pages; `check` refuses policies with loops (E07), this stops what it missed.
const MAX_HOPS: usize = 256;

/// Where to go next without a page in between.
pub(super) enum Hop<'a> {
    Step(usize),
    Switch(&'a Switch),
}

impl<'a> From<&'a Target> for Hop<'a> {
    fn from(target: &'a Target) -> Self {
        match &target.to {
            Destination::Step(step) => Self::Step(*step),
            Destination::Switch(switch) => Self::Switch(switch),
        }
    }
}

/// What entering a step leads to.
pub(super) enum Entered<'a> {
    At(Next),
    On(Hop<'a>),
}

/// One decision under way.
pub(super) struct Run<'a> {
    pub(super) set: &'a PolicySet,
    pub(super) policy: &'a Policy,
    pub(super) facts: &'a Facts,
    pub(super) now: Timestamp,
    pub(super) instance: Instance,
    pub(super) effects: Vec<Effect>,
    /// What is known of the account of this decision, with what the decision itself changed.
    pub(super) known: Option<AccountFacts>,
    /// Label of recovery codes that the next page shows.
    pub(super) new_codes: Option<String>,
    /// Whether an address was typed that leads upstream: who is remembered may be somebody else.
    pub(super) leads_upstream: bool,
}

impl<'a> Run<'a> {
    pub(super) fn new(
        set: &'a PolicySet,
        policy: &'a Policy,
        facts: &'a Facts,
        now: Timestamp,
        instance: Instance,
    ) -> Self {
        let known = facts.account.clone();
        Self { set, policy, facts, now, instance, effects: Vec::new(), known, new_codes: None, leads_upstream: false }
    }

    pub(super) fn finish(self, next: Next) -> Advance {
        Advance { instance: self.instance, next, effects: self.effects }
    }

    /// How `step` is looked at, now.
    pub(super) fn here<'s>(&'s self, step: &'s Step) -> Here<'s> {
        Here { set: self.set, policy: self.policy, step, instance: &self.instance, now: self.now }
    }

    pub(super) fn react(&mut self, step: &'a Step, input: &Input) -> Result<Next, FlowError> {
        if let StepKind::Stop(stop) = &step.kind {
            return self.react_stop(stop, input);
        }
        if input.control == "cancel" {
            return self.cancel();
        }
        if !is_anybodys(&step.kind) && !self.is_past_limit() && !self.is_account_fine() {
            return Ok(self.refuse("account", "access_denied"));
        }
        match &step.kind {
            StepKind::Password { login } => self.react_password(step, *login, input),
            StepKind::Otp(otp) | StepKind::BindPhone(otp) | StepKind::BindEmail(otp) => {
                self.react_otp(step, otp, input)
            }
            StepKind::Totp => self.react_totp(step, input),
            StepKind::BindTotp => self.react_bind_totp(step, input),
            StepKind::RecoveryCode => self.react_recovery_code(step, input),
            StepKind::Passkey => self.react_passkey(step, input),
            StepKind::BindPasskey => self.react_bind_passkey(step, input),
            StepKind::Form { fields } => self.react_form(step, fields, input),
            StepKind::Choice(choice) => self.react_choice(choice, input),
            StepKind::Link { .. } => self.react_link(step, input),
            StepKind::SetPassword { revoke, notify } => self.react_new_password(step, revoke, notify.as_deref(), input),
            StepKind::Terms { document } => self.react_terms(step, document, input),
            StepKind::Notice if input.control == "continue" => self.go(step, Outcome::Ok),
            StepKind::Notice => Ok(Next::Page),
            StepKind::Federate { provider } => self.react_federate(step, provider, input),
            _ => Err(FlowError::NotRunnable),
        }
    }

    fn react_stop(&mut self, stop: &'a Stop, input: &Input) -> Result<Next, FlowError> {
        if input.control == "login" {
            return Ok(Next::Restart);
        }
        let link = stop.links.iter().find(|link| link.id == input.control);
        let Some(link) = link.filter(|link| super::is_open(self.set, &link.target)) else {
            return Ok(Next::Return { error: stop.error });
        };
        if self.instance.account.is_some() && !self.is_account_fine() {
            return Ok(self.refuse("account", "access_denied"));
        }
        self.audit(AuditKind::FlowStep, AuditOutcome::Success, &[("outcome", &link.id)]);
        self.follow(Hop::from(&link.target))
    }

    /// Ends the flow at once, with the reason in the audit.
    pub(super) fn refuse(&mut self, reason: &str, error: &'static str) -> Next {
        self.audit(AuditKind::FlowStopped, AuditOutcome::Failure, &[("reason", reason)]);
        Next::Return { error }
    }

    /// Nobody is in hand yet, or the account in hand still may sign in.
    fn is_account_fine(&self) -> bool {
        self.instance.account.is_none() || self.account().is_some_and(|account| account.active)
    }

    /// What is known of the account in hand, else of the one that was named.
    pub(super) fn account(&self) -> Option<&AccountFacts> {
        let known = self.known.as_ref()?;
        let user = self.instance.account.as_ref().or(self.instance.candidate.as_ref());
        (user == Some(&known.user)).then_some(known)
    }

    /// The account in hand, once something of it was proven: who may be changed.
    pub(super) fn proven_user(&self) -> Option<UserId> {
        let user = self.instance.account.as_ref().filter(|_| !self.instance.facts.is_empty());
        user.filter(|_| self.account().is_some_and(|account| account.active) && self.is_open()).cloned()
    }

    /// Whether the policy may still change the account: what a registration asks for is less than what a finished
    /// account holds, so one that was finished elsewhere meanwhile is out of its reach.
    pub(super) fn is_open(&self) -> bool {
        !self.policy.purpose.completes() || self.account().is_none_or(|account| account.registration_incomplete)
    }

    /// Makes this decision depend on the registration being open still when it is written.
    pub(super) fn hold_registration(&mut self, user: &UserId) {
        let is_held = |effect: &Effect| matches!(effect, Effect::HoldRegistration { .. });
        if self.policy.purpose.completes() && !self.effects.iter().any(is_held) {
            let since = self.instance.facts.iter().map(|proven| proven.at).min().unwrap_or(self.now);
            self.effects.push(Effect::HoldRegistration { user: user.clone(), since });
        }
    }

    /// Changes what this decision knows of the account.
    pub(super) fn learn(&mut self, change: impl FnOnce(&mut AccountFacts)) {
        if let Some(known) = &mut self.known {
            change(known);
        }
    }

    /// Whether the flow may go on as `user`: in a step-up or on the account page nobody else may, and nowhere may a
    /// second account follow on one of which something is proven.
    pub(super) fn is_wanted(&self, user: &UserId) -> bool {
        let proven = self.instance.account.as_ref().filter(|_| !self.instance.facts.is_empty());
        self.facts.subject.iter().chain(proven).all(|only| only == user)
    }

    /// Whether each of `count` charges was allowed; one without a verdict was not.
    pub(super) fn is_within(&self, count: usize) -> bool {
        self.facts.charges.len() >= count && !self.is_past_limit()
    }

    pub(super) fn is_past_limit(&self) -> bool {
        self.facts.charges.iter().any(|verdict| *verdict != ChargeVerdict::Allowed)
    }

    pub(super) fn stay(&mut self, notice: Option<NoticeKey>) -> Next {
        self.instance.notice = notice;
        Next::Page
    }

    /// Follows an outcome of the step the instance waits at.
    pub(super) fn go(&mut self, step: &'a Step, outcome: Outcome) -> Result<Next, FlowError> {
        let hop = self.take(step, outcome)?;
        self.follow(hop)
    }

    pub(super) fn take(&mut self, step: &'a Step, outcome: Outcome) -> Result<Hop<'a>, FlowError> {
        let verdict = if matches!(outcome, Outcome::Spent | Outcome::Undeliverable | Outcome::Declined) {
            AuditOutcome::Failure
        } else {
            AuditOutcome::Success
        };
        self.audit(AuditKind::FlowStep, verdict, &[("step", &step.name), ("outcome", outcome.as_str())]);
        let routed = step.find_route(outcome).or_else(|| {
            let instead = outcome == Outcome::Undeliverable;
            instead.then(|| step.find_route(Outcome::Spent)).flatten()
        });
        routed.map(Hop::from).ok_or(FlowError::NotRunnable)
    }

    /// A refused charge.
    pub(super) fn spend(&mut self, step: &'a Step) -> Result<Next, FlowError> {
        self.audit(AuditKind::LimitReached, AuditOutcome::Failure, &[("step", &step.name)]);
        if step.find_route(Outcome::Spent).is_none() && step.find_route(Outcome::Undeliverable).is_none() {
            return Ok(self.refuse("limit", "temporarily_unavailable"));
        }
        self.go(step, Outcome::Spent)
    }

    /// A wrong answer: the audit knows of whom, the page says no more than that.
    pub(super) fn fail(&mut self, step: &Step, notice: NoticeKey) -> Next {
        let detail = [("step", step.name.as_str()), ("reason", "wrong")];
        self.audit(AuditKind::Login, AuditOutcome::Failure, &detail);
        self.stay(Some(notice))
    }

    /// Runs automatic steps until somebody has to do something.
    pub(super) fn follow(&mut self, mut hop: Hop<'a>) -> Result<Next, FlowError> {
        for _ in 0..MAX_HOPS {
            let index = match hop {
                Hop::Step(index) => index,
                Hop::Switch(switch) => self.switch(switch)?,
            };
            match self.enter(index)? {
                Entered::At(next) => return Ok(next),
                Entered::On(on) => hop = on,
            }
        }
        Err(FlowError::NotRunnable)
    }

    fn enter(&mut self, index: usize) -> Result<Entered<'a>, FlowError> {
        let policy = self.policy;
        let step = policy.steps.get(index).ok_or(FlowError::Corrupt)?;
        match &step.kind {
            StepKind::Branch(branch) => Ok(Entered::On(self.decide_branch(branch))),
            StepKind::Switch(switch) => Ok(Entered::On(Hop::Switch(switch))),
            StepKind::Effect { effects } => self.enter_effect(step, effects),
            StepKind::Issue => {
                self.stand_at(index)?;
                Ok(Entered::At(self.decide_issue(step)))
            }
            StepKind::Stop(end) => self.enter_stop(index, step, end),
            StepKind::Password { .. } => self.enter_password(index, step),
            StepKind::Otp(otp) | StepKind::BindPhone(otp) | StepKind::BindEmail(otp) => {
                self.enter_otp(index, step, otp)
            }
            StepKind::Choice(choice) => {
                self.instance.vars.prechecked = self.list_prechecked(choice);
                self.wait(index)
            }
            StepKind::Terms { document } => self.enter_terms(index, document),
            StepKind::Link { .. } => self.enter_link(index, step),
            StepKind::Federate { provider } => {
                self.wait(index)?;
                Ok(Entered::At(Next::Federate { provider: provider.clone() }))
            }
            _ => self.wait(index),
        }
    }

    fn enter_stop(&mut self, index: usize, step: &Step, end: &Stop) -> Result<Entered<'a>, FlowError> {
        self.stand_at(index)?;
        let detail = [("step", step.name.as_str()), ("error", end.error)];
        self.audit(AuditKind::FlowStopped, AuditOutcome::Failure, &detail);
        let (page, error) = (step.page.clone(), end.error);
        Ok(Entered::At(if end.shows_page { Next::Stop { page, error } } else { Next::Return { error } }))
    }

    /// Waits at a page for somebody.
    pub(super) fn wait(&mut self, index: usize) -> Result<Entered<'a>, FlowError> {
        self.stand_at(index)?;
        self.instance.visit = self.instance.visit.saturating_add(1);
        self.instance.vars.silent = false;
        self.instance.shown = self.new_codes.take();
        Ok(Entered::At(Next::Page))
    }

    fn stand_at(&mut self, index: usize) -> Result<(), FlowError> {
        self.instance.step = u8::try_from(index).map_err(|_| FlowError::Corrupt)?;
        self.instance.leave_step();
        Ok(())
    }

    fn decide_branch(&mut self, branch: &'a Branch) -> Hop<'a> {
        let clause = branch.when.iter().find(|clause| self.holds(&clause.guard));
        let Some(clause) = clause else { return Hop::from(&branch.otherwise) };
        match clause.guard {
            Guard::SessionRemembered => self.adopt_remembered(),
            Guard::SessionFresh => self.adopt_session(),
            _ => {}
        }
        Hop::from(&clause.then)
    }

    /// The account and facts of the remembered login, with their original times.
    fn adopt_remembered(&mut self) {
        let Some(remembered) = self.facts.find_remembered(&self.policy.id) else { return };
        self.instance.identify(&remembered.user);
        self.instance.facts.clone_from(&remembered.facts);
        self.instance.adopted = fact_set(&remembered.facts);
        self.instance.vars.silent = true;
    }

    /// The account of the browser's session, and what was proven in it, with the original times.
    fn adopt_session(&mut self) {
        let Some(session) = &self.facts.session else { return };
        self.instance.identify(&session.user);
        for proven in &session.facts {
            if !self.instance.facts.iter().any(|known| known.fact == proven.fact) {
                self.instance.facts.push(*proven);
                self.instance.adopted = self.instance.adopted.with(proven.fact);
            }
        }
        self.instance.carried = fact_set(&self.instance.facts);
        self.instance.vars.silent = true;
    }

    pub(super) fn audit(&mut self, kind: AuditKind, outcome: AuditOutcome, more: &[(&str, &str)]) {
        let subject = self.instance.account.clone();
        self.audit_about(kind, outcome, subject, more);
    }

    pub(super) fn audit_about(
        &mut self,
        kind: AuditKind,
        outcome: AuditOutcome,
        subject: Option<UserId>,
        more: &[(&str, &str)],
    ) {
        let mut detail = Map::new();
        detail.insert("policy".to_owned(), Value::from(self.policy.id.as_str()));
        for (key, value) in more {
            detail.insert((*key).to_owned(), Value::from(*value));
        }
        self.effects.push(Effect::Audit { kind, outcome, subject, detail });
    }
}

/// Steps that say themselves whose account is in hand, whoever was before.
fn is_anybodys(kind: &StepKind) -> bool {
    match kind {
        StepKind::Password { .. } | StepKind::Link { .. } | StepKind::Federate { .. } => true,
        StepKind::Otp(otp) => otp.to == SendTo::InputEmail,
        _ => false,
    }
}
