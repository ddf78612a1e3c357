//! The machine: `begin`, `needs`, `advance`. Pure and total: the same arguments give the same answer, and no instance
//! and no input makes it panic.
//!
//! Engine rules no policy can change: `wrong`, `expired`, `sent` and `resent` stay on the step with a notice; a try or a
//! send is charged before anything is compared or sent, and a refused charge is the outcome `spent`; `issue` counts what
//! was proven against `require` and against what client and scopes demand; an account that is disabled under a running
//! instance ends it.
//!
//! Switches: into a policy of the same purpose is a hand-over (the target's digest, limits and cancel hold, and
//! `< Cancel` leads to the target's own stop); into one of another purpose is a sub-flow whose `< Cancel` returns to the
//! page it was called from, at most three calls deep.

mod choice;
mod guard;
mod issue;
mod otp;
mod password;
mod switch;
mod totp;

pub(crate) use choice::list_boxes;
use countersign_model::{AuditKind, AuditOutcome, Timestamp, UserId};
use serde_json::{Map, Value};

use crate::facts::{AccountFacts, ChargeVerdict};
use crate::instance::NoticeKey;
use crate::language::{Branch, Channel, Destination, Entry, Guard, LoginName, Outcome, Policy, Step, StepKind, Switch};
use crate::language::{SendTo, Target};
use crate::{
    AccountKey, Advance, BeginError, Charge, Effect, Facts, FlowError, Input, Instance, Limit, Needs, Next, PolicySet,
};

/// The most automatic steps between two pages; `check` refuses policies with loops (E07), this stops what it missed.
const MAX_HOPS: usize = 256;

/// Begins a flow of `policy_id` for an authorization request and runs its automatic steps.
pub fn begin(set: &PolicySet, policy_id: &str, facts: &Facts, now: Timestamp) -> Result<Advance, BeginError> {
    let policy = set.get(policy_id).ok_or(BeginError::UnknownPolicy)?;
    if !policy.allows_entry(Entry::Authorize) {
        return Err(BeginError::EntryRefused);
    }
    let mut instance = Instance::new(policy.digest, now);
    instance.identifier = facts.login_hint.as_deref().and_then(read_hint);
    let mut run = Run { set, policy, facts, now, instance, effects: Vec::new() };
    run.audit(AuditKind::FlowStarted, AuditOutcome::Success, &[]);
    let next = run.follow(Hop::Step(policy.start))?;
    Ok(run.finish(next))
}

/// What to do before `advance` with the same input and the same `now`.
pub fn needs(set: &PolicySet, instance: &Instance, input: &Input, now: Timestamp) -> Needs {
    let Ok((policy, step)) = locate(set, instance) else { return Needs::default() };
    if check_limits(policy, instance, now).is_err() || input.control == "cancel" {
        return Needs::default();
    }
    let known = || Needs { account: instance.account.clone().map(AccountKey::Id), ..Needs::default() };
    match &step.kind {
        StepKind::Password { login } => password::needs(policy, step, *login, input),
        StepKind::Otp(otp) => otp::needs(policy, step, otp, instance, input, now),
        StepKind::Totp => totp::needs(policy, step, instance, input),
        StepKind::Choice(_) | StepKind::Notice => known(),
        _ => Needs::default(),
    }
}

/// Goes on with one input.
///
/// # Errors
/// `FlowError`, after which the instance is of no more use: the service shows a restart.
pub fn advance(
    set: &PolicySet,
    instance: &Instance,
    input: &Input,
    facts: &Facts,
    now: Timestamp,
) -> Result<Advance, FlowError> {
    let (policy, step) = locate(set, instance)?;
    check_limits(policy, instance, now)?;
    let mut run = Run { set, policy, facts, now, instance: instance.clone(), effects: Vec::new() };
    run.instance.advances = run.instance.advances.saturating_add(1);
    run.instance.advanced_at = now;
    run.instance.notice = None;
    let next = run.react(step, input)?;
    Ok(run.finish(next))
}

/// The policy and step an instance waits at.
pub(crate) fn locate<'a>(set: &'a PolicySet, instance: &Instance) -> Result<(&'a Policy, &'a Step), FlowError> {
    let policy = set.find_by_digest(&instance.digest).ok_or(FlowError::PolicyGone)?;
    let step = policy.steps.get(usize::from(instance.step)).ok_or(FlowError::Corrupt)?;
    match &step.kind {
        StepKind::Issue => Err(FlowError::Finished),
        kind if kind.is_automatic() => Err(FlowError::Corrupt),
        _ => Ok((policy, step)),
    }
}

fn check_limits(policy: &Policy, instance: &Instance, now: Timestamp) -> Result<(), FlowError> {
    let limits = &policy.limits;
    let ended = now >= instance.entered_at.plus(limits.lifetime) || now >= instance.advanced_at.plus(limits.idle);
    if ended || instance.advances >= limits.advances { Err(FlowError::Expired) } else { Ok(()) }
}

/// Whether a control that leads to `target` can be shown.
pub(crate) fn is_open(set: &PolicySet, target: &Target) -> bool {
    match &target.to {
        Destination::Step(_) => true,
        Destination::Switch(switch) => set.find_switched(switch).is_some() || switch.otherwise.is_some(),
    }
}

fn read_hint(hint: &str) -> Option<String> {
    let hint = hint.trim().to_lowercase();
    let fits = !hint.is_empty() && hint.len() <= crate::MAX_EMAIL && !hint.chars().any(char::is_control);
    fits.then_some(hint)
}

/// Where to go next without a page in between.
enum Hop<'a> {
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
enum Entered<'a> {
    At(Next),
    On(Hop<'a>),
}

/// One decision under way.
struct Run<'a> {
    set: &'a PolicySet,
    policy: &'a Policy,
    facts: &'a Facts,
    now: Timestamp,
    instance: Instance,
    effects: Vec<Effect>,
}

impl<'a> Run<'a> {
    fn finish(self, next: Next) -> Advance {
        Advance { instance: self.instance, next, effects: self.effects }
    }

    fn react(&mut self, step: &'a Step, input: &Input) -> Result<Next, FlowError> {
        if let StepKind::Stop(stop) = &step.kind {
            return Ok(if input.control == "login" { Next::Restart } else { Next::Return { error: stop.error } });
        }
        if input.control == "cancel" {
            return self.cancel();
        }
        if !matches!(step.kind, StepKind::Password { .. }) && !self.is_past_limit() && !self.is_account_fine() {
            self.audit(AuditKind::FlowStopped, AuditOutcome::Failure, &[("reason", "account")]);
            return Ok(Next::Return { error: "access_denied" });
        }
        match &step.kind {
            StepKind::Password { login } => self.react_password(step, *login, input),
            StepKind::Otp(otp) => self.react_otp(step, otp, input),
            StepKind::Totp => self.react_totp(step, input),
            StepKind::Choice(choice) => self.react_choice(choice, input),
            StepKind::Notice if input.control == "continue" => self.go(step, Outcome::Ok),
            StepKind::Notice => Ok(Next::Page),
            _ => Err(FlowError::NotRunnable),
        }
    }

    /// Nobody is in hand yet, or the account in hand still may sign in.
    fn is_account_fine(&self) -> bool {
        self.instance.account.is_none() || self.account().is_some_and(|account| account.active)
    }

    /// What is known of the account in hand.
    fn account(&self) -> Option<&'a AccountFacts> {
        let account = self.facts.account.as_ref()?;
        (self.instance.account.as_ref() == Some(&account.user)).then_some(account)
    }

    /// Whether each of `count` charges was allowed; one without a verdict was not.
    fn is_within(&self, count: usize) -> bool {
        self.facts.charges.len() >= count && !self.is_past_limit()
    }

    fn is_past_limit(&self) -> bool {
        self.facts.charges.iter().any(|verdict| *verdict != ChargeVerdict::Allowed)
    }

    fn stay(&mut self, notice: Option<NoticeKey>) -> Next {
        self.instance.notice = notice;
        Next::Page
    }

    /// Follows an outcome of the step the instance waits at.
    fn go(&mut self, step: &'a Step, outcome: Outcome) -> Result<Next, FlowError> {
        let hop = self.take(step, outcome)?;
        self.follow(hop)
    }

    fn take(&mut self, step: &'a Step, outcome: Outcome) -> Result<Hop<'a>, FlowError> {
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
    fn spend(&mut self, step: &'a Step) -> Result<Next, FlowError> {
        self.audit(AuditKind::LimitReached, AuditOutcome::Failure, &[("step", &step.name)]);
        self.go(step, Outcome::Spent)
    }

    /// Runs automatic steps until somebody has to do something.
    fn follow(&mut self, mut hop: Hop<'a>) -> Result<Next, FlowError> {
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
            StepKind::Issue => {
                self.stand_at(index)?;
                self.decide_issue(step).map(Entered::At)
            }
            StepKind::Stop(end) => {
                self.stand_at(index)?;
                let detail = [("step", step.name.as_str()), ("error", end.error)];
                self.audit(AuditKind::FlowStopped, AuditOutcome::Failure, &detail);
                let (page, error) = (step.page.clone(), end.error);
                Ok(Entered::At(if end.shows_page { Next::Stop { page, error } } else { Next::Return { error } }))
            }
            StepKind::Password { login } if *login != LoginName::Legacy => self.enter_password(index, step),
            StepKind::Otp(otp) if otp.to == SendTo::AccountMailbox => self.enter_otp(index, step),
            StepKind::Choice(choice) => {
                self.instance.vars.prechecked = self.list_prechecked(choice);
                self.wait(index)
            }
            StepKind::Totp | StepKind::Notice => self.wait(index),
            _ => Err(FlowError::NotRunnable),
        }
    }

    /// Waits at a page for somebody.
    fn wait(&mut self, index: usize) -> Result<Entered<'a>, FlowError> {
        self.stand_at(index)?;
        self.instance.visit = self.instance.visit.saturating_add(1);
        self.instance.vars.silent = false;
        Ok(Entered::At(Next::Page))
    }

    fn stand_at(&mut self, index: usize) -> Result<(), FlowError> {
        self.instance.step = u8::try_from(index).map_err(|_| FlowError::Corrupt)?;
        self.instance.leave_step();
        Ok(())
    }

    fn decide_branch(&mut self, branch: &'a Branch) -> Hop<'a> {
        let clause = branch.when.iter().find(|clause| self.holds(&clause.guard));
        if let Some(clause) = clause {
            if clause.guard == Guard::SessionRemembered {
                self.adopt_remembered();
            }
            return Hop::from(&clause.then);
        }
        Hop::from(&branch.otherwise)
    }

    /// The account and facts of the remembered login, with their original times.
    fn adopt_remembered(&mut self) {
        let Some(remembered) = self.facts.find_remembered(&self.policy.id) else { return };
        self.instance.account = Some(remembered.user.clone());
        self.instance.facts.clone_from(&remembered.facts);
        self.instance.vars.silent = true;
    }

    fn audit(&mut self, kind: AuditKind, outcome: AuditOutcome, more: &[(&str, &str)]) {
        let subject = self.instance.account.clone();
        self.audit_about(kind, outcome, subject, more);
    }

    fn audit_about(&mut self, kind: AuditKind, outcome: AuditOutcome, subject: Option<UserId>, more: &[(&str, &str)]) {
        let mut detail = Map::new();
        detail.insert("policy".to_owned(), Value::from(self.policy.id.as_str()));
        for (key, value) in more {
            detail.insert((*key).to_owned(), Value::from(*value));
        }
        self.effects.push(Effect::Audit { kind, outcome, subject, detail });
    }
}

/// The charges of a try at `step`: the instance's own counter, then the locks that outlive it.
fn list_attempts(policy: &Policy, step: &Step, subject: impl Fn(&crate::language::LockRule) -> String) -> Vec<Charge> {
    let scope = crate::CountScope::Instance;
    let own = step.limits.attempts.map(|allowed| Charge {
        scope,
        name: format!("{}/{}/attempts", policy.id, step.name),
        subject: String::new(),
        limit: Limit { allowed, window: policy.limits.lifetime, lock: None },
    });
    let locks = step.limits.locks.iter().map(|rule| Charge {
        scope: rule.scope,
        name: format!("{}/lock", step.kind.as_str()),
        subject: subject(rule),
        limit: Limit::from(rule),
    });
    own.into_iter().chain(locks).collect()
}

/// Those of `charges` that a right answer sets back: what counts by person, not by address or client.
fn list_resets(charges: Vec<Charge>) -> impl Iterator<Item = Effect> {
    use crate::CountScope::{Account, Identifier, Target};
    charges.into_iter().filter(|charge| matches!(charge.scope, Account | Identifier | Target)).map(Effect::ResetCounter)
}

/// Whether this version can run a step.
pub(crate) fn is_runnable(kind: &StepKind) -> bool {
    match kind {
        StepKind::Password { login } => *login != LoginName::Legacy,
        StepKind::Otp(otp) => otp.to == SendTo::AccountMailbox && otp.channels == [Channel::Email],
        StepKind::Totp
        | StepKind::Choice(_)
        | StepKind::Notice
        | StepKind::Branch(_)
        | StepKind::Issue
        | StepKind::Stop(_)
        | StepKind::Switch(_) => true,
        _ => false,
    }
}

#[cfg(test)]
pub(crate) mod tests;
