//! What the page of an instance shows: everything a template needs, and nothing it could not show to an intruder.

use std::collections::BTreeMap;

use countersign_model::Timestamp;

use crate::instance::NoticeKey;
use crate::language::{Choice, ChoiceOption, Destination, LoginName, Otp, Outcome, Policy, Step, StepKind};
use crate::{FlowError, Instance, MAX_CODE, MAX_EMAIL, MAX_PASSWORD, MAX_USERNAME, PolicySet, machine, totp};

/// A page, ready for its template.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PageView {
    /// Policy it belongs to.
    pub policy: String,
    /// Step it belongs to.
    pub step: String,
    /// Kind of the step: `choice`, `password`, `otp`, `totp`, `notice` or `stop`.
    pub kind: &'static str,
    /// Template key, such as `login_options`, `sign_in`, `email_verify`.
    pub page: String,
    /// Of a code's page: `unsent`, `sent` or `verified`; empty elsewhere.
    pub state: &'static str,
    /// Input fields, in order.
    pub fields: Vec<FieldView>,
    /// Buttons, in order; one that is not here must not be shown.
    pub controls: Vec<ControlView>,
    /// What happened last.
    pub notice: Option<Notice>,
    /// Values for the texts: `masked`, `resend_in`, `code_left`, `code_ttl`, `code_digits`, `submit`, `ends_in` (seconds
    /// as decimal text), and `error` on a stop page.
    pub values: BTreeMap<&'static str, String>,
    /// Buttons of a choice whose policy is there.
    pub options: Vec<OptionView>,
    /// Links of a choice whose policy is there; pressed like buttons.
    pub links: Vec<OptionView>,
    /// Remember Me boxes: on a choice those of its visible options, on a sign-in page its own.
    pub boxes: Vec<BoxView>,
}

/// An input field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldView {
    /// Name in the form.
    pub name: &'static str,
    /// Type attribute: `email`, `text`, `password`.
    pub kind: &'static str,
    /// Autocomplete token (HTML, 4.10.18.7).
    pub autocomplete: &'static str,
    /// Input mode; empty for the default.
    pub inputmode: &'static str,
    /// Longest value.
    pub max_length: usize,
    /// Whether it must be filled in for the main button.
    pub required: bool,
    /// Value to show; never a secret.
    pub value: String,
}

/// A button: `<button name="do" value="...">`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControlView {
    /// Its value.
    pub value: &'static str,
    /// Whether it can be pressed now.
    pub enabled: bool,
}

/// What happened last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Last part of its message key.
    pub key: &'static str,
    /// How to show it.
    pub tone: Tone,
    /// Field it belongs to.
    pub field: Option<&'static str>,
}

/// How a notice is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Plainly.
    Info,
    /// As good news.
    Success,
    /// As an error, in words beside the field and in the summary.
    Error,
}

impl Tone {
    /// The word for templates.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Success => "success",
            Self::Error => "error",
        }
    }
}

/// A button or link of a choice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptionView {
    /// Its value and message key: `employees`, `phone`, `email`.
    pub id: String,
    /// Policy it leads to; none: a step of this one.
    pub policy: Option<String>,
    /// Name of the box it reads, as in `boxes`.
    pub remember: Option<String>,
}

/// A Remember Me box.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoxView {
    /// Name in the form: `remember_employees`, `remember_customers`, or `remember` on a sign-in page.
    pub name: String,
    /// Whether it is shown ticked.
    pub checked: bool,
}

/// The page `instance` waits at.
///
/// # Errors
/// `FlowError::PolicyGone`, `Finished` and `Corrupt` as `advance`; never `Expired`: the page's `ends_in` is 0 then.
pub fn view(set: &PolicySet, instance: &Instance, now: Timestamp) -> Result<PageView, FlowError> {
    let (policy, step) = machine::locate(set, instance)?;
    let mut page = PageView {
        policy: policy.id.clone(),
        step: step.name.clone(),
        kind: step.kind.as_str(),
        page: step.page.clone(),
        notice: instance.notice.map(notice_of),
        ..PageView::default()
    };
    let end = instance.entered_at.plus(policy.limits.lifetime).min(instance.advanced_at.plus(policy.limits.idle));
    page.values.insert("ends_in", seconds_until(end, now));
    match &step.kind {
        StepKind::Password { login } => show_password(set, policy, step, *login, instance, &mut page),
        StepKind::Otp(otp) => show_otp(set, step, otp, instance, now, &mut page),
        StepKind::Totp => {
            page.fields.push(code_field());
            page.values.insert("code_digits", totp::DIGITS.to_string());
            page.controls.push(control("verify", true));
        }
        StepKind::Choice(choice) => show_choice(set, choice, instance, &mut page),
        StepKind::Notice => page.controls.push(control("continue", true)),
        StepKind::Stop(end) => {
            page.values.insert("error", end.error.to_owned());
            page.controls.extend([control("login", true), control("return", true)]);
        }
        _ => return Err(FlowError::Corrupt),
    }
    let can_cancel = policy.cancel.is_some() || !instance.callers.is_empty();
    if can_cancel && !matches!(step.kind, StepKind::Stop(_)) {
        page.controls.push(control("cancel", true));
    }
    Ok(page)
}

fn show_password(
    set: &PolicySet,
    policy: &Policy,
    step: &Step,
    login: LoginName,
    instance: &Instance,
    page: &mut PageView,
) {
    let by_email = login == LoginName::Email;
    page.fields.push(FieldView {
        name: if by_email { "email" } else { "username" },
        kind: if by_email { "email" } else { "text" },
        autocomplete: "username",
        inputmode: if by_email { "email" } else { "" },
        max_length: if by_email { MAX_EMAIL } else { MAX_USERNAME },
        required: true,
        value: instance.identifier.clone().unwrap_or_default(),
    });
    page.fields.push(FieldView {
        name: "password",
        kind: "password",
        autocomplete: "current-password",
        inputmode: "",
        max_length: MAX_PASSWORD,
        required: true,
        value: String::new(),
    });
    page.controls.push(control("login", true));
    if step.find_route(Outcome::Forgot).is_some_and(|target| machine::is_open(set, target)) {
        page.controls.push(control("forgot", true));
    }
    if policy.remember.is_some() && instance.vars.remember.is_none() {
        page.boxes.push(BoxView { name: "remember".to_owned(), checked: instance.vars.ticked });
    }
}

fn show_otp(set: &PolicySet, step: &Step, otp: &Otp, instance: &Instance, now: Timestamp, page: &mut PageView) {
    let masked = instance.recipient.as_deref().map(mask_email).unwrap_or_default();
    page.values.insert("masked", masked);
    page.values.insert("code_digits", otp.code.digits.to_string());
    page.values.insert("code_ttl", otp.code.ttl.get().to_string());
    page.values.insert("submit", otp.submit.as_str().to_owned());
    match &instance.challenge {
        None => {
            page.state = "unsent";
            page.controls.push(control("send", true));
        }
        Some(challenge) if challenge.verified_at.is_some() => page.state = "verified",
        Some(challenge) => {
            page.state = "sent";
            let allowed = challenge.sent_at.plus(step.limits.resend_after);
            page.values.insert("resend_in", seconds_until(allowed, now));
            page.values.insert("code_left", seconds_until(challenge.expires_at, now));
            page.fields.push(code_field());
            page.controls.extend([control("verify", true), control("resend", now >= allowed)]);
        }
    }
    if otp.confirm {
        page.controls.push(control("continue", page.state == "verified"));
    }
    if step.find_route(Outcome::Change).is_some_and(|target| machine::is_open(set, target)) {
        page.controls.push(control("change", true));
    }
}

fn show_choice(set: &PolicySet, choice: &Choice, instance: &Instance, page: &mut PageView) {
    let is_open = |option: &&ChoiceOption| machine::is_open(set, &option.target);
    page.options = choice.options.iter().filter(is_open).map(option_view).collect();
    page.links = choice.links.iter().filter(is_open).map(option_view).collect();
    let shown = machine::list_boxes(choice.options.iter().filter(is_open));
    for (bit, name) in machine::list_boxes(choice.options.iter()).into_iter().enumerate() {
        if shown.contains(&name) {
            let checked = instance.vars.prechecked & (1 << bit) != 0;
            page.boxes.push(BoxView { name: format!("remember_{name}"), checked });
        }
    }
}

fn option_view(option: &ChoiceOption) -> OptionView {
    let policy = match &option.target.to {
        Destination::Switch(switch) => Some(switch.policy.clone()),
        Destination::Step(_) => None,
    };
    let remember = option.remember.as_ref().map(|name| format!("remember_{name}"));
    OptionView { id: option.id.clone(), policy, remember }
}

const fn control(value: &'static str, enabled: bool) -> ControlView {
    ControlView { value, enabled }
}

/// One input for all digits, pasteable (POLICIES.md, section 6).
const fn code_field() -> FieldView {
    FieldView {
        name: "code",
        kind: "text",
        autocomplete: "one-time-code",
        inputmode: "numeric",
        max_length: MAX_CODE,
        required: true,
        value: String::new(),
    }
}

/// Whole seconds until `then`, rounded up; never negative.
fn seconds_until(then: Timestamp, now: Timestamp) -> String {
    let millis = then.millis_since(now).max(0);
    (millis.saturating_add(999) / 1000).to_string()
}

const fn notice_of(key: NoticeKey) -> Notice {
    let (tone, field) = match key {
        NoticeKey::Wrong => (Tone::Error, None),
        NoticeKey::EmailMissing | NoticeKey::EmailMalformed => (Tone::Error, Some("email")),
        NoticeKey::UsernameMissing => (Tone::Error, Some("username")),
        NoticeKey::PasswordMissing => (Tone::Error, Some("password")),
        NoticeKey::CodeMissing | NoticeKey::CodeMalformed | NoticeKey::CodeWrong | NoticeKey::Expired => {
            (Tone::Error, Some("code"))
        }
        NoticeKey::Sent | NoticeKey::Resent | NoticeKey::Verified => (Tone::Success, None),
        NoticeKey::TooSoon => (Tone::Info, None),
    };
    Notice { key: key.as_str(), tone, field }
}

/// `d*****@yahoo.com`: the first letter, five asterisks whatever the length, and the domain.
pub fn mask_email(address: &str) -> String {
    let Some((local, domain)) = address.rsplit_once('@') else { return "*****".to_owned() };
    let first = local.chars().next().map(String::from).unwrap_or_default();
    format!("{first}*****@{domain}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_show_the_first_letter_and_the_domain() {
        assert_eq!(mask_email("dduck@yahoo.com"), "d*****@yahoo.com");
        assert_eq!(mask_email("é@b.c"), "é*****@b.c");
        assert_eq!(mask_email("@b.c"), "*****@b.c");
        assert_eq!(mask_email("nobody"), "*****");
    }

    #[test]
    fn seconds_round_up_and_end_at_zero() {
        let at = Timestamp::from_millis;
        assert_eq!(seconds_until(at(30_000), at(0)), "30");
        assert_eq!(seconds_until(at(30_000), at(29_999)), "1");
        assert_eq!(seconds_until(at(30_000), at(30_000)), "0");
        assert_eq!(seconds_until(at(0), at(30_000)), "0");
        assert_eq!(seconds_until(at(i64::MAX), at(i64::MIN)), (i64::MAX / 1000).to_string());
    }

    #[test]
    fn every_notice_belongs_to_a_field_or_none() {
        for key in NoticeKey::ALL {
            let notice = notice_of(key);
            assert_eq!(notice.key, key.as_str());
            assert!(notice.field.is_none() || notice.tone == Tone::Error);
        }
    }
}
