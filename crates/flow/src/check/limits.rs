//! Limits: guesses, sends, and the life of codes.

use countersign_model::Seconds;

use super::finding;
use crate::Finding;
use crate::language::{Channel, CountScope, FieldName, Otp, Policy, Step, StepKind};

const LONGEST_CODE: Seconds = Seconds::minutes(10);
const SHORTEST_DELIVERED_CODE: Seconds = Seconds::minutes(1);

pub(super) fn check(policy: &Policy, findings: &mut Vec<Finding>) {
    for step in &policy.steps {
        check_attempts(policy, step, findings);
        let sends = matches!(
            step.kind,
            StepKind::Otp(_) | StepKind::BindPhone(_) | StepKind::BindEmail(_) | StepKind::Link { .. }
        );
        if sends && step.limits.sends.is_none() {
            let message = format!("no send limit on `{}`: whoever reaches it can send without end", step.name);
            findings.push(finding(policy, "E21", step.limits.at, message));
        }
        if let StepKind::Otp(otp) | StepKind::BindPhone(otp) | StepKind::BindEmail(otp) = &step.kind {
            check_code(policy, step, otp, findings);
        }
    }
}

fn check_attempts(policy: &Policy, step: &Step, findings: &mut Vec<Finding>) {
    let guessable = match &step.kind {
        StepKind::Password { .. }
        | StepKind::Otp(_)
        | StepKind::Totp
        | StepKind::RecoveryCode
        | StepKind::BindPhone(_)
        | StepKind::BindEmail(_)
        | StepKind::BindTotp => true,
        StepKind::Form { fields } => fields.iter().any(|field| field.name == FieldName::RegistrationCode),
        _ => false,
    };
    if guessable && step.limits.attempts.is_none() {
        let message = format!("no attempt limit on `{}`", step.name);
        findings.push(finding(policy, "E20", step.limits.at, message));
        return;
    }
    // A new instance brings new attempts; a code dies with its instance, a password or an app's seed does not.
    let lasting = matches!(step.kind, StepKind::Password { .. } | StepKind::Totp | StepKind::RecoveryCode);
    let by_person = |scope| matches!(scope, CountScope::Identifier | CountScope::Account);
    if lasting && !step.limits.locks.iter().any(|lock| by_person(lock.scope)) {
        let message =
            format!("no attempt limit on `{}` outlives the instance: add a lock by identifier or account", step.name);
        findings.push(finding(policy, "E20", step.limits.at, message));
    }
}

fn check_code(policy: &Policy, step: &Step, otp: &Otp, findings: &mut Vec<Finding>) {
    let ttl = otp.code.ttl;
    let seconds = ttl.get();
    if ttl > LONGEST_CODE {
        let message = format!("the code of `{}` lives {seconds} s, over 10 minutes", step.name);
        findings.push(finding(policy, "E22", otp.code.at, message));
    } else if ttl < SHORTEST_DELIVERED_CODE {
        let channels: Vec<&str> = otp.channels.iter().copied().map(Channel::as_str).collect();
        let message = format!(
            "the code of `{}` lives {seconds} s, under 60 s over a delivered channel ({}; WCAG 2.2.1)",
            step.name,
            channels.join(", ")
        );
        findings.push(finding(policy, "W22", otp.code.at, message));
    }
}
