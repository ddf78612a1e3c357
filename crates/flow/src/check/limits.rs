//! Limits: guesses, sends, and the life of codes.

use countersign_model::Seconds;

use super::explore::Ways;
use super::finding;
use super::way::find_otp;
use crate::language::{Channel, CountScope, EffectWord, FieldName, LockRule, Otp, Policy, Step, StepKind};
use crate::{Finding, Position};

const LONGEST_CODE: Seconds = Seconds::minutes(10);
const SHORTEST_DELIVERED_CODE: Seconds = Seconds::minutes(1);

/// One guess in this many may be right over all tries of an instance: 20 tries at six digits.
const FEWEST_CODES: u64 = 50_000;
/// NIST 800-63B-4, 3.2.2: no more than 100 wrong tries on one account.
const MOST_TRIES: u32 = 100;
/// More sends than this limit nobody's toll.
const MOST_SENDS: u32 = 20;
const MOST_SENDS_AN_HOUR: u64 = 60;
const SHORTEST_PAUSE: Seconds = Seconds::new(10);

pub(super) fn check(policy: &Policy, ways: &Ways, findings: &mut Vec<Finding>) {
    check_policy(policy, findings);
    let sends = policy.steps.iter().any(sends_by_effect);
    for (index, step) in policy.steps.iter().enumerate() {
        let first = findings.len();
        if sends {
            check_form(policy, step, findings);
        }
        check_bounds(policy, step, findings);
        check_attempts(policy, step, findings);
        if find_otp(&step.kind).is_some() && step.limits.sends.is_none() {
            let message = format!("no send limit on `{}`: whoever reaches it can send without end", step.name);
            findings.push(finding(policy, "E21", step.limits.at, message));
        }
        if let StepKind::Otp(otp) | StepKind::BindPhone(otp) | StepKind::BindEmail(otp) = &step.kind {
            check_code(policy, step, otp, findings);
        }
        ways.lead(policy, index, first, findings);
    }
}

fn check_attempts(policy: &Policy, step: &Step, findings: &mut Vec<Finding>) {
    let guessable = is_guessable(&step.kind);
    if guessable && step.limits.attempts.is_none() {
        let message = format!("no attempt limit on `{}`", step.name);
        findings.push(finding(policy, "E20", step.limits.at, message));
        return;
    }
    // A new instance brings new attempts; a code dies with its instance, a password or an app's seed does not.
    // Codes sent to somebody's number are many, if an instance has few: 50 guesses an hour are enough for a year.
    let lasting =
        matches!(step.kind, StepKind::Password { .. } | StepKind::Otp(_) | StepKind::Totp | StepKind::RecoveryCode);
    let by_code = matches!(step.kind, StepKind::Otp(_));
    let by_person =
        |scope| matches!(scope, CountScope::Identifier | CountScope::Account) || by_code && scope == CountScope::Target;
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

fn is_guessable(kind: &StepKind) -> bool {
    match kind {
        StepKind::Password { .. }
        | StepKind::Otp(_)
        | StepKind::Totp
        | StepKind::RecoveryCode
        | StepKind::BindPhone(_)
        | StepKind::BindEmail(_)
        | StepKind::BindTotp => true,
        StepKind::Form { fields } => fields.iter().any(|field| field.name == FieldName::RegistrationCode),
        _ => false,
    }
}

/// Limits that limit nothing, and limits that let nobody through.
fn check_bounds(policy: &Policy, step: &Step, findings: &mut Vec<Finding>) {
    let (at, name) = (step.limits.at, &step.name);
    let mut report = |code, message: String| findings.push(finding(policy, code, at, message));
    if let Some(attempts) = step.limits.attempts {
        let codes = find_otp(&step.kind).map_or(1_000_000, |otp| 10_u64.saturating_pow(u32::from(otp.code.digits)));
        let coded = !matches!(step.kind, StepKind::Password { .. } | StepKind::RecoveryCode | StepKind::Form { .. });
        if coded && u64::from(attempts) * FEWEST_CODES > codes {
            report("E20", format!("`{name}` lets {attempts} of {codes} codes be tried: one in {FEWEST_CODES} at most"));
        } else if attempts > MOST_TRIES {
            report("E20", format!("`{name}` lets {attempts} tries be made: {MOST_TRIES} at most"));
        }
        if attempts < 3 {
            report("W71", format!("`{name}` allows {attempts} tries: who mistypes twice is locked out"));
        }
    }
    if let Some(sends) = step.limits.sends {
        if sends > MOST_SENDS {
            report("E21", format!("`{name}` lets {sends} messages be sent by one instance: {MOST_SENDS} at most"));
        }
        if sends < 2 {
            report("W71", format!("`{name}` sends {sends} messages: a lost one can not be sent again"));
        }
        let budget = step.limits.budget;
        if u64::from(budget.sends) * 3600 > MOST_SENDS_AN_HOUR * u64::from(budget.per.get()) {
            let message = format!("the budget of `{name}` is over {MOST_SENDS_AN_HOUR} messages an hour to one target");
            report("E21", message);
        }
        if step.limits.resend_after < SHORTEST_PAUSE {
            report("W71", format!("`{name}` sends again after less than {} s", SHORTEST_PAUSE.get()));
        }
    }
    for lock in &step.limits.locks {
        check_lock(policy, step, lock, at, findings);
    }
    if let StepKind::Link { ttl, .. } = step.kind {
        if ttl > Seconds::new(7 * 24 * 3600) {
            let message = format!("the link of `{name}` lives over a week");
            findings.push(finding(policy, "E22", step.at, message));
        } else if ttl < Seconds::minutes(5) {
            let message = format!("the link of `{name}` lives under five minutes");
            findings.push(finding(policy, "W22", step.at, message));
        }
    }
}

fn check_lock(policy: &Policy, step: &Step, lock: &LockRule, at: Position, findings: &mut Vec<Finding>) {
    let name = &step.name;
    let by_person = matches!(lock.scope, CountScope::Identifier | CountScope::Account | CountScope::Target);
    let most = if by_person { MOST_TRIES } else { MOST_TRIES * 10 };
    if lock.after > most {
        let message = format!("`{name}` locks after {} tries: {most} at most", lock.after);
        findings.push(finding(policy, "E20", at, message));
    }
    if lock.r#for < SHORTEST_PAUSE || lock.after < 3 {
        let message = format!("the lock of `{name}` is below its floor: 3 tries, {} s", SHORTEST_PAUSE.get());
        findings.push(finding(policy, "W71", at, message));
    }
}

/// Floors by WCAG 2.2.1, ceilings by HIPAA's automatic logoff.
fn check_policy(policy: &Policy, findings: &mut Vec<Finding>) {
    let limits = policy.limits;
    let mut report = |code, message: &str| findings.push(finding(policy, code, policy.at, message.to_owned()));
    if limits.lifetime < Seconds::minutes(5) {
        report("W71", "`lifetime` is under five minutes: who reads slowly never gets through");
    }
    if limits.idle < Seconds::minutes(2) {
        report("W71", "`idle` is under two minutes: a code takes that long to arrive");
    }
    let pages = policy.steps.iter().filter(|step| step.kind.has_page() && !matches!(step.kind, StepKind::Stop(_)));
    if usize::from(limits.advances) < pages.count() * 3 {
        report("W71", "`advances` is under three times the number of pages");
    }
    if limits.lifetime > Seconds::hours(24) {
        report("W72", "`lifetime` is over a day");
    }
    if limits.idle > Seconds::hours(1) {
        report("W72", "`idle` is over an hour: nobody logs off by leaving");
    }
    if limits.advances > 1000 {
        report("W72", "`advances` is over 1000: a limit that limits nothing");
    }
    if policy.remember.is_some_and(|remember| remember.r#for > Seconds::hours(24)) {
        report("W72", "`remember` lasts over a day");
    }
}

fn sends_by_effect(step: &Step) -> bool {
    let sends = |effect: &EffectWord| matches!(effect, EffectWord::Send(_) | EffectWord::SendLink { .. });
    matches!(&step.kind, StepKind::Effect { effects } if effects.iter().any(sends))
}

/// E21: where a form alone stands before an effect that sends, its limits are what limits the sends.
fn check_form(policy: &Policy, step: &Step, findings: &mut Vec<Finding>) {
    let unlimited = step.limits.attempts.is_none() || step.limits.locks.is_empty();
    if matches!(step.kind, StepKind::Form { .. }) && unlimited {
        let message =
            format!("no limit on `{}`, which leads to a message: it needs `attempts` and a `lock`", step.name);
        findings.push(finding(policy, "E21", step.limits.at, message));
    }
}
