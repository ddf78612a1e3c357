//! The page of a code: sent by mail, as a text or in a call.

use countersign_model::Timestamp;

use super::{PageView, code_field, control, email_field, mask_email, seconds_until, text_field};
use crate::instance::Challenge;
use crate::language::{Channel, Otp, Outcome, Policy, Step, StepKind, Voice};
use crate::machine::{self, code_label};
use crate::view::FieldView;
use crate::{Instance, PolicySet, phone};

pub(super) fn show(
    set: &PolicySet,
    policy: &Policy,
    step: &Step,
    otp: &Otp,
    instance: &Instance,
    now: Timestamp,
    page: &mut PageView,
) {
    show_values(otp, instance, page);
    match &instance.challenge {
        None => show_unsent(otp, instance, page),
        Some(challenge) if challenge.verified_at.is_some() => page.state = "verified",
        Some(challenge) => show_sent(step, otp, challenge, now, page),
    }
    let calling = page.state == "calling" && otp.voice != Voice::ReadCode;
    if otp.confirm || calling {
        page.controls.push(control("continue", page.state == "verified" || calling));
    }
    if calling
        && otp.voice == Voice::KeypadMatch
        && let Some(challenge) = &instance.challenge
    {
        page.asks.keypad_code = Some((code_label(policy, step, instance, challenge), otp.code.digits));
    }
    if can_change(set, step, instance) {
        page.controls.push(control("change", true));
    }
}

/// Another address or number may be typed, but for one that is on file and to be bound.
fn can_change(set: &PolicySet, step: &Step, instance: &Instance) -> bool {
    let routed = step.find_route(Outcome::Change).is_some_and(|target| machine::is_open(set, target));
    if instance.fixed { routed && matches!(step.kind, StepKind::Otp(_)) } else { instance.challenge.is_some() }
}

fn show_values(otp: &Otp, instance: &Instance, page: &mut PageView) {
    let by_mail = otp.channels.contains(&Channel::Email);
    let recipient = instance.recipient.as_deref().unwrap_or_default();
    let masked = match (instance.recipient.is_some(), by_mail) {
        (false, _) => String::new(),
        (true, true) => mask_email(recipient),
        (true, false) => phone::mask(recipient, otp.mask.as_deref()),
    };
    page.values.insert("masked", masked);
    if !instance.fixed && instance.recipient.is_some() {
        page.values.insert(if by_mail { "address" } else { "number" }, recipient.to_owned());
    }
    page.values.insert("code_digits", otp.code.digits.to_string());
    page.values.insert("code_ttl", otp.code.ttl.get().to_string());
    page.values.insert("submit", otp.submit.as_str().to_owned());
    if otp.channels.contains(&Channel::Voice) {
        page.values.insert("voice", otp.voice.as_str().to_owned());
    }
}

fn show_unsent(otp: &Otp, instance: &Instance, page: &mut PageView) {
    page.state = "unsent";
    if !instance.fixed && otp.channels.contains(&Channel::Email) {
        let hint = instance.identifier.clone().filter(|hint| hint.contains('@'));
        page.fields.push(FieldView { autocomplete: "email", value: hint.unwrap_or_default(), ..email_field() });
    } else if !instance.fixed {
        page.fields.push(FieldView { kind: "select", ..text_field("country", "country", 2) });
        let number = text_field("phone_number", "tel-national", phone::MAX_TYPED);
        page.fields.push(FieldView { kind: "tel", inputmode: "tel", ..number });
    }
    push_channels(otp, true, page);
}

fn push_channels(otp: &Otp, allowed: bool, page: &mut PageView) {
    if otp.channels.iter().any(|channel| *channel != Channel::Voice) {
        page.controls.push(control("send", allowed));
    }
    if otp.channels.contains(&Channel::Voice) {
        page.controls.push(control("call", allowed));
    }
}

fn show_sent(step: &Step, otp: &Otp, challenge: &Challenge, now: Timestamp, page: &mut PageView) {
    let called = challenge.channel == Channel::Voice;
    page.state = if called { "calling" } else { "sent" };
    let again = challenge.sent_at.plus(step.limits.resend_after);
    page.values.insert("resend_in", seconds_until(again, now));
    page.values.insert("code_left", seconds_until(challenge.expires_at, now));
    if !called || otp.voice == Voice::ReadCode {
        page.fields.push(code_field());
        page.controls.push(control("verify", true));
    }
    page.controls.push(control("resend", now >= again));
    if called && otp.channels.iter().any(|channel| *channel != Channel::Voice) {
        page.controls.push(control("send", now >= again));
    }
    if !called && otp.channels.contains(&Channel::Voice) {
        page.controls.push(control("call", now >= again));
    }
}
