//! Events and ends of attempts in plain English.

use countersign_flow::language::StepKind;
use countersign_flow::{Policy, PolicySet};
use countersign_model::{AuditEvent, AuditKind, AuditOutcome, Timestamp};

use super::attempt::{AttemptResult, text};
use super::sending::Sending;

/// Why an attempt ended, and what to do next.
pub(super) struct Advice {
    pub(super) why: String,
    pub(super) next: String,
}

/// `2026-11-22 03:41:07 UTC`.
pub fn moment(at: Timestamp) -> String {
    let time = chrono::DateTime::from_timestamp_millis(at.as_millis()).unwrap_or_default();
    time.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// An event in a sentence.
pub(super) fn tell(event: &AuditEvent) -> String {
    use AuditKind as Kind;
    let word = |name: &str| text(event, name).unwrap_or_default();
    let done = event.outcome == AuditOutcome::Success;
    match event.kind {
        Kind::FlowStarted => "The attempt began.".to_owned(),
        Kind::FlowStep => tell_step(event),
        Kind::FlowStopped if text(event, "step").is_some() => format!("It stopped at step `{}`.", word("step")),
        Kind::FlowStopped => format!("It was stopped: {}.", word("reason")),
        Kind::Login if done => format!("Signed in with `{}`.", word("acr")),
        Kind::SilentLogin => format!("Signed in with `{}`, without being asked: remembered.", word("acr")),
        Kind::Login => format!("Step `{}`: {}.", word("step"), failure(word("reason"))),
        Kind::LimitReached => format!("Step `{}`: too many tries, or sends.", word("step")),
        Kind::LinkSent => format!("A link for policy `{}` was mailed.", word("policy")),
        Kind::LinkUsed => "The mailed link was used.".to_owned(),
        Kind::CallAnswered if done => "The call was answered as it should be.".to_owned(),
        Kind::CallAnswered => "The call was answered with wrong keys.".to_owned(),
        Kind::FederationRefused | Kind::RequestRefused => format!("Refused: {}.", word("reason")),
        Kind::WebhookFailed => format!("The webhook `{}` did not answer.", word("webhook")),
        Kind::TermsAccepted => format!("Agreed to `{}`.", word("what")),
        Kind::FactorBound => format!("A factor was bound: {}.", word("what")),
        Kind::FactorUnbound => format!("A factor was removed: {}.", word("what")),
        Kind::SessionEnded => format!("Sessions were ended ({}).", word("what")),
        Kind::ReplayDetected => "A code or refresh token was used twice: the grant was revoked.".to_owned(),
        Kind::UserChanged => tell_change(event),
        kind => format!("{}.", plain(kind)),
    }
}

const fn plain(kind: AuditKind) -> &'static str {
    use AuditKind as Kind;
    match kind {
        Kind::LoginRemembered => "The login is remembered in this browser",
        Kind::LoginForgotten => "A remembered login was forgotten",
        Kind::PasswordChanged => "A password was set",
        Kind::PasswordRehashed => "The password's hash was renewed",
        Kind::CodeIssued => "The application got its authorization code",
        Kind::TokenIssued => "The application got its tokens",
        Kind::TokenRefreshed => "The application renewed its tokens",
        Kind::TokenExchanged => "An application got a token to act with for the person",
        Kind::AccountCreated => "The account was made",
        Kind::AccountClosed => "The account was closed by its person",
        Kind::RegistrationCompleted => "The registration is complete",
        Kind::RecoveryCodeUsed => "A recovery code was used",
        Kind::RecoveryCodesReplaced => "New recovery codes replaced all others",
        Kind::DeviceNew => "It was a browser not seen before",
        Kind::FederationLinked => "The person at the other provider was linked to this account",
        other => other.as_str(),
    }
}

fn tell_step(event: &AuditEvent) -> String {
    if let Some(policy) = text(event, "switch") {
        return format!("Went on with policy `{policy}`.");
    }
    let outcome = text(event, "outcome").unwrap_or_default();
    match (text(event, "step"), outcome) {
        (None, "cancel") => "Cancelled.".to_owned(),
        (None, outcome) => format!("Chose `{outcome}`."),
        (Some(step), "ok" | "accepted") => format!("Step `{step}`: done."),
        (Some(step), "spent") => format!("Step `{step}`: its limit is used up."),
        (Some(step), "undeliverable") => format!("Step `{step}`: nothing could be sent."),
        (Some(step), "declined") => format!("Step `{step}`: declined."),
        (Some(step), "upstream") => format!("Step `{step}`: the typed address belongs to another provider."),
        (Some(step), "forgot") => format!("Step `{step}`: forgot the password."),
        (Some(step), "") => format!("Step `{step}`: {}.", text(event, "event").unwrap_or("done")),
        (Some(step), outcome) => format!("Step `{step}`: {outcome}."),
    }
}

fn tell_change(event: &AuditEvent) -> String {
    let change = text(event, "change").unwrap_or("changed");
    match (text(event, "by"), text(event, "reason")) {
        (Some(by), Some(reason)) => format!("Account: {change} by {by}: {reason}"),
        (Some(by), None) => format!("Account: {change} by {by}."),
        _ => format!("Account: {change}."),
    }
}

fn failure(reason: &str) -> &str {
    match reason {
        "wrong" => "wrong",
        "unknown" => "nobody has this name",
        "disabled" => "the account is disabled",
        "other" => "another person than the one who began",
        "refused" => "the other provider vouched for nobody who may sign in",
        other => other,
    }
}

/// Why an attempt ended and what to do next.
pub(super) fn advise(result: AttemptResult, steps: &[&AuditEvent], sends: &[Sending], set: &PolicySet) -> Advice {
    match result {
        AttemptResult::SignedIn => advice("They signed in.", "Nothing."),
        AttemptResult::Mailed => advise_mailed(sends),
        AttemptResult::Stopped => advise_stopped(steps, sends, set),
        AttemptResult::Waiting | AttemptResult::Abandoned => advise_left(result, steps, sends, set),
    }
}

fn advice(why: &str, next: &str) -> Advice {
    Advice { why: why.to_owned(), next: next.to_owned() }
}

fn advise_mailed(sends: &[Sending]) -> Advice {
    if let Some(lost) = sends.iter().rev().find(|send| send.lost) {
        return advice(&lost.line, "Check the mail address on file, then send the link again.");
    }
    advice(
        "A link was mailed; it was not opened in this attempt.",
        "Ask them to look in their mailbox, also among unwanted mail, and to press the button of the page.",
    )
}

fn advise_stopped(steps: &[&AuditEvent], sends: &[Sending], set: &PolicySet) -> Advice {
    let Some(last) = steps.last() else { return advise_mailed(sends) };
    if last.kind == AuditKind::FlowStep {
        return advice("They pressed Cancel.", "Ask them to begin again at the application.");
    }
    if let Some(advice) = advise_lost(sends).filter(|_| !is_blocked(last)) {
        return advice;
    }
    match (text(last, "reason"), find_page(last, set)) {
        (Some("account"), _) => advice(
            "The account is disabled or closed.",
            "If it should not be: `countersign user enable <who> --reason <text>`.",
        ),
        (Some("limit"), _) => advice("A limit was reached.", "Ask them to wait some minutes and to begin again."),
        (Some("unmet" | "unproven"), _) => advice(
            "What was proven is not enough for what the policy demands.",
            "Tell the operator: `countersign policy check` finds such a policy.",
        ),
        (_, Some(page)) => advise_page(page),
        _ => advice("It stopped.", "Ask them to begin again at the application."),
    }
}

fn is_blocked(last: &AuditEvent) -> bool {
    text(last, "reason") == Some("account")
}

/// The page a stop shows, as the policy stands now.
fn find_page<'a>(event: &AuditEvent, set: &'a PolicySet) -> Option<&'a str> {
    let step = find_policy(event, set)?.find_step(text(event, "step")?)?;
    Some(step.page.as_str())
}

fn find_policy<'a>(event: &AuditEvent, set: &'a PolicySet) -> Option<&'a Policy> {
    set.get(text(event, "policy")?)
}

fn advise_page(page: &str) -> Advice {
    let (why, next) = match page {
        "none" => ("They left.", "Ask them to begin again at the application."),
        "registration_sent" | "reset_sent" => (
            "They were told to look for a mail with a link.",
            "Ask them to look in their mailbox, also among unwanted mail. Whether one was sent is below.",
        ),
        "already_registered" => (
            "The registration is complete already.",
            "They sign in with mail address and password; a forgotten password has its own link on the sign-in page.",
        ),
        "registration_incomplete" => (
            "The registration is not complete.",
            "Send the link again: `countersign user invite --email <address> --name <name>`.",
        ),
        "link_expired" => (
            "The link is past its end, was used, or was replaced by a newer one.",
            "Send another: `countersign user invite`, or `countersign user reset-registration`.",
        ),
        "no_phone_registered" => (
            "No phone is registered on the account.",
            "They sign in by mail, or the registration is reset to choose a phone.",
        ),
        "phone_failed" | "use_phone" => (
            "The phone could not be reached, or only the phone may be used here.",
            "Check the end of the number above; if it is wrong, reset the registration.",
        ),
        "try_later" => ("Too many tries, or too many sends.", "Ask them to wait some minutes; it ends by itself."),
        "federation_refused" => (
            "The other provider did not vouch for them, or its account may not be linked.",
            "Look at the reason below; ask the administrators of the other provider.",
        ),
        "declined" => ("They did not agree to the Terms of Use.", "Nothing, unless they want to agree."),
        "registration_error" => (
            "The registration could not be finished.",
            "RESET on that page sends a new link while the registration is unfinished.",
        ),
        _ => ("It stopped.", "Ask them to begin again at the application."),
    };
    advice(why, next)
}

/// The newest message is known not to arrive.
fn advise_lost(sends: &[Sending]) -> Option<Advice> {
    let newest = sends.last().filter(|send| send.lost)?;
    let next = match newest.channel.as_str() {
        "email" => "Check the mail address on file and the relay.",
        "webhook" => "Tell the operator of the webhook.",
        "logout" => "Tell the operator of the application.",
        _ => {
            "Check the phone: switched on, able to receive texts and calls. The other of Send Code and Call Me may work."
        }
    };
    Some(advice(&newest.line, next))
}

fn advise_left(result: AttemptResult, steps: &[&AuditEvent], sends: &[Sending], set: &PolicySet) -> Advice {
    let end = if result == AttemptResult::Waiting { "It still waits for them." } else { "Then they did not go on." };
    if let Some(Advice { why, next }) = advise_lost(sends) {
        return Advice { why: format!("{why}. {end}"), next };
    }
    let tried =
        |event: &&&AuditEvent| matches!(event.kind, AuditKind::Login | AuditKind::LimitReached | AuditKind::FlowStep);
    let trouble = steps.iter().rev().find(tried).filter(|event| event.kind != AuditKind::FlowStep);
    let Some(trouble) = trouble else {
        let why = match sends.last() {
            Some(send) => format!("{} {end}", sentence(&send.line)),
            None => end.to_owned(),
        };
        return advice(&why, "Ask what the page shows; they may begin again at the application.");
    };
    let (why, next) = advise_wrong(trouble, set);
    Advice { why: format!("{why} {end}"), next: next.to_owned() }
}

fn sentence(line: &str) -> String {
    format!("{line}.")
}

fn advise_wrong(event: &AuditEvent, set: &PolicySet) -> (&'static str, &'static str) {
    if event.kind == AuditKind::LimitReached {
        return ("Too many tries, or too many sends.", "Ask them to wait some minutes; it ends by itself.");
    }
    let step = find_policy(event, set).and_then(|policy| policy.find_step(text(event, "step")?));
    match (text(event, "reason"), step.map(|step| &step.kind)) {
        (Some("disabled"), _) => (
            "The account is disabled; the page says the same as for a wrong password.",
            "If it should not be: `countersign user enable <who> --reason <text>`.",
        ),
        (Some("other"), _) => ("They typed another person's name than they began with.", "Ask them to begin again."),
        (Some("refused"), _) => (
            "The other provider vouched for nobody who may sign in.",
            "Look at the reason below; ask the administrators of the other provider.",
        ),
        (_, Some(StepKind::Password { .. })) => (
            "The password was wrong.",
            "\"Forgot your password?\" on the same page; many wrong tries lock for a while.",
        ),
        (_, Some(StepKind::Totp | StepKind::BindTotp)) => (
            "The code of the authenticator app was wrong.",
            "Check the clock of the phone: it must tell the right time.",
        ),
        (_, Some(StepKind::RecoveryCode)) => ("The recovery code was wrong or used.", "Each works once; try another."),
        (_, Some(StepKind::Passkey | StepKind::BindPasskey)) => {
            ("The passkey was refused.", "Use the device where it was made, or another way to sign in.")
        }
        _ => ("The code was wrong.", "The newest code alone works; \"resend\" on the page sends another."),
    }
}
