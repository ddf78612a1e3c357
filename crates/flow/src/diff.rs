//! What changes between two versions of a policy: what must be proven, limits, steps, and paths lost and gained.

use std::collections::BTreeSet;

use crate::language::{Policy, Requirement, Step, StepKind};
use crate::paths::list_paths;
use crate::{PolicySet, Position};

/// The changes, as lines for people; empty where nothing changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// What must be proven: `- [...]`, `+ [...]`.
    pub factors: Vec<String>,
    /// Limits of the policy and of its steps.
    pub limits: Vec<String>,
    /// Steps that came, went or do something else.
    pub steps: Vec<String>,
    /// Everything else of the policy: acr, entry, `on_edit`, remembering.
    pub settings: Vec<String>,
    /// Paths there are no more.
    pub lost: Vec<String>,
    /// Paths there are now.
    pub gained: Vec<String>,
}

impl Difference {
    /// Whether nothing changed but names, comments and form.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Compares two versions, each in the set it runs in.
pub fn compare(old: (&PolicySet, &Policy), new: (&PolicySet, &Policy)) -> Difference {
    let paths = |(set, policy): (&PolicySet, &Policy)| -> BTreeSet<String> {
        list_paths(set, policy).iter().map(ToString::to_string).collect()
    };
    let (before, after) = (paths(old), paths(new));
    let (old, new) = (old.1, new.1);
    Difference {
        factors: changed(&list_requirements(old), &list_requirements(new)),
        limits: changed(&list_limits(old), &list_limits(new)),
        steps: changed(&list_steps(old), &list_steps(new)),
        settings: changed(&list_settings(old), &list_settings(new)),
        lost: before.difference(&after).cloned().collect(),
        gained: after.difference(&before).cloned().collect(),
    }
}

/// Lines that only one side has.
fn changed(old: &[String], new: &[String]) -> Vec<String> {
    let gone = old.iter().filter(|line| !new.contains(line)).map(|line| format!("- {line}"));
    let come = new.iter().filter(|line| !old.contains(line)).map(|line| format!("+ {line}"));
    gone.chain(come).collect()
}

fn list_requirements(policy: &Policy) -> Vec<String> {
    let tell = |entry: &Requirement| {
        let factors: Vec<&str> = entry.factors.iter().map(countersign_model::Fact::as_str).collect();
        let waived = entry.waive.as_ref().map(|waiver| format!(" (waiver {} until {})", waiver.id, waiver.until));
        format!("{}: {}{}", entry.whom(), factors.join(", "), waived.unwrap_or_default())
    };
    policy.require.iter().map(tell).collect()
}

fn list_limits(policy: &Policy) -> Vec<String> {
    let limits = policy.limits;
    let (lifetime, idle) = (limits.lifetime.get(), limits.idle.get());
    let own = format!("policy: lifetime {lifetime} s, idle {idle} s, advances {}", limits.advances);
    let steps = policy.steps.iter().filter_map(|step| {
        let tries = step.limits.attempts.map(|count| format!("attempts {count}"));
        let budget = step.limits.budget;
        let sends = step.limits.sends.map(|count| {
            let (after, per) = (step.limits.resend_after.get(), budget.per.get());
            format!("sends {count}, again after {after} s, {} in {per} s", budget.sends)
        });
        let locks = step.limits.locks.iter().map(|lock| {
            let (first, max) = (lock.r#for.get(), lock.max.get());
            format!("lock by {} after {} for {first} s to {max} s", lock.scope.as_str(), lock.after)
        });
        let code = match &step.kind {
            StepKind::Otp(otp) | StepKind::BindPhone(otp) | StepKind::BindEmail(otp) => {
                Some(format!("{} digits for {} s", otp.code.digits, otp.code.ttl.get()))
            }
            StepKind::Link { ttl, .. } => Some(format!("link for {} s", ttl.get())),
            _ => None,
        };
        let all: Vec<String> = tries.into_iter().chain(sends).chain(locks).chain(code).collect();
        (!all.is_empty()).then(|| format!("{}: {}", step.name, all.join("; ")))
    });
    std::iter::once(own).chain(steps).collect()
}

fn list_steps(policy: &Policy) -> Vec<String> {
    policy.steps.iter().map(|step| format!("{}: {}", step.name, describe(step))).collect()
}

/// A step in words: its kind and what is its own, places left aside.
fn describe(step: &Step) -> String {
    let shown = if step.page.is_empty() { String::new() } else { format!(", page {}", step.page) };
    let more = match &step.kind {
        StepKind::Password { login } => format!(" by {}", login.as_str()),
        StepKind::Otp(otp) | StepKind::BindPhone(otp) | StepKind::BindEmail(otp) => {
            let channels: Vec<&str> = otp.channels.iter().map(|channel| channel.as_str()).collect();
            let (unknown, template) = (otp.unknown.as_str(), &otp.template);
            format!(" by {} to {}, unknown: {unknown}, message {template}", channels.join(", "), otp.to.as_str())
        }
        StepKind::Effect { effects } => {
            format!(" {}", effects.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))
        }
        StepKind::Terms { document } => format!(" of {document}"),
        StepKind::Federate { provider } => format!(" with {provider}"),
        StepKind::SetPassword { revoke, notify } => {
            let revoked: Vec<&str> = revoke.iter().map(|what| what.as_str()).collect();
            format!(" revoking {}, telling by {}", revoked.join(", "), notify.as_deref().unwrap_or("nothing"))
        }
        StepKind::Link { shown: true, .. } => " that is shown, not mailed".to_owned(),
        StepKind::Stop(stop) => format!(" with {}", stop.error),
        _ => String::new(),
    };
    format!("{}{more}{shown}", step.kind.as_str())
}

fn list_settings(policy: &Policy) -> Vec<String> {
    let entry: Vec<&str> = policy.entry.iter().map(|entry| entry.as_str()).collect();
    let claims: Vec<&str> = policy.claims_acr_of.iter().map(|(id, _): &(String, Position)| id.as_str()).collect();
    let remember = policy.remember.map_or_else(
        || "nothing".to_owned(),
        |remember| format!("{} s, cookie {}", remember.r#for.get(), remember.cookie.as_str()),
    );
    vec![
        format!("purpose: {}", policy.purpose.as_str()),
        format!("entry: {}", entry.join(", ")),
        format!("acr: {}", policy.acr.as_deref().unwrap_or("none")),
        format!("claims the acr of: {}", claims.join(", ")),
        format!("on edit: {}", policy.on_edit.as_str()),
        format!("remembers: {remember}"),
        format!("a session answers: {}", policy.sso.as_str()),
        format!("mailbox: {}", policy.mailbox.as_str()),
    ]
}

#[cfg(test)]
mod tests;
