//! The machine: `begin`, `needs`, `advance`. Pure and total: the same arguments give the same answer, and no instance
//! and no input makes it panic.
//!
//! Engine rules no policy can change: `wrong`, `expired`, `sent` and `resent` stay on the step with a notice; a try or a
//! send is charged before anything is compared or sent, and a refused charge is the outcome `spent`; `issue` counts what
//! was proven against `require` and against what client and scopes demand, and completes the registration in a policy
//! that registers, invites or resets; an account that is disabled under a running instance ends it; who changes a factor
//! is told at the mailbox they had before; nobody learns from a page whether an address or a user name is known.
//!
//! Switches: into a policy of the same purpose is a hand-over (the target's digest, limits and cancel hold, and
//! `< Cancel` leads to the target's own stop); into one of another purpose is a sub-flow whose `< Cancel` returns to the
//! page it was called from, at most three calls deep.

mod bind;
mod charge;
mod choice;
mod effect;
mod federate;
mod form;
mod guard;
mod issue;
mod link;
mod new_password;
mod otp;
mod passkey;
mod password;
mod plan;
mod reach;
mod run;
mod switch;
mod terms;
mod totp;

use std::collections::BTreeSet;

use countersign_model::{AuditKind, AuditOutcome, Timestamp};

pub(crate) use choice::list_boxes;
pub(crate) use plan::code_label;
pub(crate) use totp::enrol_label;

use crate::language::{Destination, Entry, Policy, Step, StepKind, Target};
use crate::{AccountKey, Advance, BeginError, Facts, FlowError, Input, Instance, Needs, PolicySet};
use reach::{Reach, from_start};
use run::{Hop, Run};

/// The step an input is looked at with.
#[derive(Clone, Copy)]
struct Here<'a> {
    set: &'a PolicySet,
    policy: &'a Policy,
    step: &'a Step,
    instance: &'a Instance,
    now: Timestamp,
}

impl Here<'_> {
    /// The account in hand, else the one that was named.
    fn known(&self) -> Needs {
        let user = self.instance.account.as_ref().or(self.instance.candidate.as_ref());
        Needs { account: user.cloned().map(AccountKey::Id), ..Needs::default() }
    }
}

/// Begins a flow of `policy_id`, born by `entry`, and runs its automatic steps.
pub fn begin(
    set: &PolicySet,
    policy_id: &str,
    entry: Entry,
    facts: &Facts,
    now: Timestamp,
) -> Result<Advance, BeginError> {
    let policy = find_entered(set, policy_id, entry)?;
    let mut instance = Instance::new(policy.digest, now);
    instance.identifier = facts.login_hint.as_deref().and_then(read_hint);
    let mut run = Run::new(set, policy, facts, now, instance);
    run.audit(AuditKind::FlowStarted, AuditOutcome::Success, &[]);
    let next = run.follow(Hop::Step(policy.start))?;
    Ok(run.finish(next))
}

/// What to do before `begin`: webhooks to ask alone.
pub fn begin_needs(set: &PolicySet, policy_id: &str, entry: Entry) -> Result<Needs, BeginError> {
    let policy = find_entered(set, policy_id, entry)?;
    let Reach { webhooks, .. } = from_start(set, policy);
    Ok(Needs { webhooks, ..Needs::default() })
}

fn find_entered<'a>(set: &'a PolicySet, policy_id: &str, entry: Entry) -> Result<&'a Policy, BeginError> {
    let policy = set.get(policy_id).ok_or(BeginError::UnknownPolicy)?;
    if policy.allows_entry(entry) { Ok(policy) } else { Err(BeginError::EntryRefused) }
}

/// What to do before `advance` with the same input and the same `now`.
pub fn needs(set: &PolicySet, instance: &Instance, input: &Input, now: Timestamp) -> Needs {
    let Ok((policy, step)) = locate(set, instance) else { return Needs::default() };
    if check_limits(policy, instance, now).is_err() {
        return Needs::default();
    }
    let here = Here { set, policy, step, instance, now };
    if input.control == "cancel" && !matches!(step.kind, StepKind::Stop(_)) {
        return cancel_needs(here);
    }
    let ahead = reach::ahead(here);
    let needs = match &step.kind {
        StepKind::Password { login } => password::needs(here, *login, input),
        StepKind::Otp(otp) | StepKind::BindPhone(otp) | StepKind::BindEmail(otp) => {
            Needs { delivery: otp::find_sent(here), ..otp::needs(here, otp, input) }
        }
        StepKind::Totp | StepKind::BindTotp | StepKind::RecoveryCode => totp::needs(here, input),
        StepKind::Passkey | StepKind::BindPasskey => passkey::needs(here, input),
        StepKind::Form { fields } => form::needs(here, fields, &ahead, input),
        StepKind::Link { .. } => link::needs(here, input),
        StepKind::SetPassword { .. } => new_password::needs(here, input),
        StepKind::Federate { .. } => federate::needs(here, input),
        StepKind::Stop(_) if matches!(input.control.as_str(), "login" | "return") => Needs::default(),
        _ => here.known(),
    };
    if needs == Needs::default() { needs } else { Needs { webhooks: ahead.webhooks, lock: ahead.asks_lock, ..needs } }
}

/// What a cancel leads to may ask something, too.
fn cancel_needs(here: Here) -> Needs {
    let target = here.policy.cancel.as_ref().filter(|_| here.instance.callers.is_empty());
    let Some(target) = target else { return Needs::default() };
    let ahead = reach::from_targets(here.set, here.policy, &[target]);
    let needs = Needs { webhooks: ahead.webhooks, lock: ahead.asks_lock, ..here.known() };
    if ahead.decides { needs } else { Needs::default() }
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
    let mut run = Run::new(set, policy, facts, now, instance.clone());
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

/// The upstream providers that `target` leads to before anybody has to do something.
pub(crate) fn list_providers(set: &PolicySet, policy: &Policy, target: &Target) -> BTreeSet<String> {
    reach::from_targets(set, policy, &[target]).providers
}

fn read_hint(hint: &str) -> Option<String> {
    let hint = hint.trim().to_lowercase();
    let fits = !hint.is_empty() && hint.len() <= crate::MAX_EMAIL && !hint.chars().any(char::is_control);
    fits.then_some(hint)
}

/// Whether this version can run a step: every one.
pub(crate) const fn is_runnable(_: &StepKind) -> bool {
    true
}

#[cfg(test)]
pub(crate) mod tests;
