//! What the page of an instance shows: everything a template needs, and nothing it could not show to an intruder.

mod code;
mod data;

use std::collections::BTreeMap;

use countersign_model::Timestamp;

use crate::instance::Typed;
use crate::language::{Choice, ChoiceOption, Destination, LoginName, Outcome, Policy, Step, StepKind, Target};
use crate::machine::{self, enrol_label};
use crate::{FlowError, Instance, MAX_EMAIL, MAX_PASSWORD, MAX_USERNAME, NoticeKey, PolicySet, Tone, totp};

/// A page, ready for its template.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PageView {
    /// Policy it belongs to.
    pub policy: String,
    /// Step it belongs to.
    pub step: String,
    /// Kind of the step, as policies name it: `choice`, `password`, `otp`, `bind_phone`.
    pub kind: &'static str,
    /// Template key, such as `login_options`, `sign_in`, `email_verify`.
    pub page: String,
    /// Of a code's page: `unsent`, `sent`, `calling` or `verified`; empty elsewhere.
    pub state: &'static str,
    /// Input fields, in order.
    pub fields: Vec<FieldView>,
    /// Buttons, in order; one that is not here must not be shown.
    pub controls: Vec<ControlView>,
    /// What happened last.
    pub notice: Option<Notice>,
    /// Every error of a form, each with its field; the first is `notice`.
    pub errors: Vec<Notice>,
    /// Values for the texts: `resend_in`, `code_left`, `code_ttl`, `ends_in` (seconds as decimal text), `code_digits`,
    /// `submit`, `voice`; `masked` where the recipient is on file, `number` or `address` where it was typed; `countries`
    /// (`US,CA`, the default first), `provider`, `document`, and `error` on a stop page.
    pub values: BTreeMap<&'static str, String>,
    /// Buttons of a choice whose policy is there.
    pub options: Vec<OptionView>,
    /// Links of a choice or stop page whose policy is there; pressed like buttons.
    pub links: Vec<OptionView>,
    /// Remember Me boxes: on a choice those of its visible options, on a sign-in page its own.
    pub boxes: Vec<BoxView>,
    /// What the page shows that only the service can derive.
    pub asks: Asks,
}

/// Secrets a page shows: derived by the service for each showing, never part of an instance.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asks {
    /// Label of the authenticator seed to show as QR code and text.
    pub totp_seed: Option<String>,
    /// Label of the ten recovery codes to show.
    pub recovery_codes: Option<String>,
    /// Label and number of digits of the code that is to be typed on the telephone's keypad.
    pub keypad_code: Option<(String, u8)>,
    /// Ceremony of a passkey to begin.
    pub passkey: Option<crate::PasskeyUse>,
    /// Terms of Use to show: document and version.
    pub terms: Option<(String, String)>,
}

/// An input field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldView {
    /// Name in the form.
    pub name: &'static str,
    /// Type attribute: `email`, `text`, `tel`, `password`, `checkbox`, `hidden`; or `select`.
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

impl PageView {
    /// Offers these countries, ISO 3166-1 alpha-2, where the page asks for a phone number; the first is the default.
    pub fn offer_countries(&mut self, countries: &[String]) {
        let Some(field) = self.fields.iter_mut().find(|field| field.name == "country") else { return };
        if !countries.contains(&field.value) {
            field.value = countries.first().cloned().unwrap_or_default();
        }
        self.values.insert("countries", countries.join(","));
    }
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
    show(set, policy, step, instance, now, &mut page)?;
    show_errors(instance, &mut page);
    let can_cancel = policy.cancel.is_some() || !instance.callers.is_empty();
    if can_cancel && !matches!(step.kind, StepKind::Stop(_)) {
        page.controls.push(control("cancel", true));
    }
    Ok(page)
}

fn show(
    set: &PolicySet,
    policy: &Policy,
    step: &Step,
    instance: &Instance,
    now: Timestamp,
    page: &mut PageView,
) -> Result<(), FlowError> {
    match &step.kind {
        StepKind::Password { login } => show_password(set, policy, step, *login, instance, page),
        StepKind::Otp(otp) | StepKind::BindPhone(otp) | StepKind::BindEmail(otp) => {
            code::show(set, policy, step, otp, instance, now, page);
        }
        StepKind::Totp | StepKind::BindTotp => {
            page.fields.push(code_field());
            page.values.insert("code_digits", totp::DIGITS.to_string());
            page.controls.push(control("verify", true));
            if matches!(step.kind, StepKind::BindTotp) {
                page.asks.totp_seed = Some(enrol_label(policy, step, instance));
            }
        }
        StepKind::RecoveryCode => {
            page.fields.push(data::recovery_code_field());
            page.controls.push(control("verify", true));
        }
        StepKind::Passkey | StepKind::BindPasskey => data::show_passkey(&step.kind, page),
        StepKind::Form { fields } => data::show_form(fields, instance, page),
        StepKind::SetPassword { .. } => data::show_new_password(instance, page),
        StepKind::Terms { document } => data::show_terms(step, document, instance, page),
        StepKind::Choice(choice) => show_choice(set, choice, instance, page),
        StepKind::Notice => {
            page.asks.recovery_codes.clone_from(&instance.shown);
            page.controls.push(control("continue", true));
        }
        StepKind::Link { .. } => page.controls.push(control("continue", true)),
        StepKind::Federate { provider } => {
            page.values.insert("provider", provider.clone());
            page.controls.push(control("continue", true));
        }
        StepKind::Stop(end) => {
            page.values.insert("error", end.error.to_owned());
            page.controls.extend([control("login", true), control("return", true)]);
            page.links = list_open(set, &end.links);
        }
        _ => return Err(FlowError::Corrupt),
    }
    Ok(())
}

/// The errors of a form, beside their fields, with what was typed there.
fn show_errors(instance: &Instance, page: &mut PageView) {
    let Some(Typed { values, errors }) = &instance.typed else { return };
    for field in &mut page.fields {
        if let Some(value) = values.get(field.name) {
            field.value.clone_from(value);
        }
    }
    for (key, name) in errors {
        let field = page.fields.iter().map(|field| field.name).find(|field| field == name);
        page.errors.push(Notice { key: key.as_str(), tone: key.tone(), field });
    }
    if let Some(first) = page.errors.first() {
        page.notice = Some(first.clone());
    }
}

fn show_password(
    set: &PolicySet,
    policy: &Policy,
    step: &Step,
    login: LoginName,
    instance: &Instance,
    page: &mut PageView,
) {
    let mut name = match login {
        LoginName::Email => email_field(),
        LoginName::Username | LoginName::Legacy => text_field("username", "username", MAX_USERNAME),
    };
    name.value = instance.identifier.clone().unwrap_or_default();
    page.fields.push(name);
    page.fields.push(FieldView { kind: "password", ..text_field("password", "current-password", MAX_PASSWORD) });
    page.controls.push(control("login", true));
    if step.find_route(Outcome::Forgot).is_some_and(|target| machine::is_open(set, target)) {
        page.controls.push(control("forgot", true));
    }
    if policy.remember.is_some() && instance.vars.remember.is_none() {
        page.boxes.push(BoxView { name: "remember".to_owned(), checked: instance.vars.ticked });
    }
}

fn show_choice(set: &PolicySet, choice: &Choice, instance: &Instance, page: &mut PageView) {
    page.options = list_open(set, &choice.options);
    page.links = list_open(set, &choice.links);
    // A box that nothing reads would promise what the policy behind it does not do.
    let open = choice.options.iter().filter(|option| is_remembering(set, &option.target));
    let shown = machine::list_boxes(open);
    for (bit, name) in machine::list_boxes(choice.options.iter()).into_iter().enumerate() {
        if shown.contains(&name) {
            let checked = instance.vars.prechecked & (1 << bit) != 0;
            page.boxes.push(BoxView { name: format!("remember_{name}"), checked });
        }
    }
}

fn is_remembering(set: &PolicySet, target: &Target) -> bool {
    match &target.to {
        Destination::Switch(switch) => set.find_switched(switch).is_some_and(|policy| policy.remember.is_some()),
        Destination::Step(_) => false,
    }
}

fn list_open(set: &PolicySet, options: &[ChoiceOption]) -> Vec<OptionView> {
    options.iter().filter(|option| machine::is_open(set, &option.target)).map(option_view).collect()
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

/// A required line of text.
const fn text_field(name: &'static str, autocomplete: &'static str, max_length: usize) -> FieldView {
    FieldView { name, kind: "text", autocomplete, inputmode: "", max_length, required: true, value: String::new() }
}

fn email_field() -> FieldView {
    FieldView { kind: "email", inputmode: "email", ..text_field("email", "username", MAX_EMAIL) }
}

/// One input for all digits, pasteable (POLICIES.md, section 6).
fn code_field() -> FieldView {
    FieldView { inputmode: "numeric", ..text_field("code", "one-time-code", crate::MAX_CODE) }
}

/// Whole seconds until `then`, rounded up; never negative.
fn seconds_until(then: Timestamp, now: Timestamp) -> String {
    let millis = then.millis_since(now).max(0);
    (millis.saturating_add(999) / 1000).to_string()
}

const fn notice_of(key: NoticeKey) -> Notice {
    Notice { key: key.as_str(), tone: key.tone(), field: key.field() }
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
}
