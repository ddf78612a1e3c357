//! E10, E11: every page a policy shows exists, with the inputs and buttons its step needs, and every text is there in
//! every language.

use std::collections::{BTreeMap, BTreeSet};

use super::explore::Ways;
use super::finding;
use super::way::find_otp;
use crate::language::{Channel, EffectWord, LoginName, Outcome, PhoneShow, Policy, SendTo, Step, StepKind};
use crate::{Finding, Position};

/// What pages and messages there are: built by whoever has them, because this crate reads no files.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    /// Pages by template key.
    pub pages: BTreeMap<String, PageParts>,
    /// What there is in each language, by its tag.
    pub locales: BTreeMap<String, Texts>,
}

/// What a page can show.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PageParts {
    /// Inputs by name.
    pub fields: BTreeSet<String>,
    /// Whether it shows whatever inputs the step has.
    pub any_field: bool,
    /// Buttons and links by their value.
    pub controls: BTreeSet<String>,
    /// Whether it shows whatever options and links the step has.
    pub any_option: bool,
    /// Message keys it asks for.
    pub keys: BTreeSet<String>,
}

/// What there is in one language.
#[derive(Clone, Debug, Default)]
pub struct Texts {
    /// Full message keys: `page.key`, `policy.page.key`, `common.key`.
    pub keys: BTreeSet<String>,
    /// Mail templates.
    pub mails: BTreeSet<String>,
    /// Text message and call templates.
    pub calls: BTreeSet<String>,
    /// Terms of Use documents.
    pub documents: BTreeSet<String>,
}

impl Texts {
    fn has_key(&self, policy: &str, page: &str, key: &str) -> bool {
        let candidates = [format!("{policy}.{page}.{key}"), format!("{page}.{key}"), format!("common.{key}")];
        candidates.iter().any(|full| self.keys.contains(full))
    }
}

pub(super) fn check(catalogue: &Catalogue, policy: &Policy, ways: &Ways, findings: &mut Vec<Finding>) {
    for (index, step) in policy.steps.iter().enumerate() {
        let first = findings.len();
        if let Some(page) = find_page(step) {
            check_page(catalogue, policy, step, page, findings);
        }
        for message in list_messages(step) {
            check_message(catalogue, policy, step, &message, findings);
        }
        ways.lead(policy, index, first, findings);
    }
}

/// The page a step shows; what only happens has none.
fn find_page(step: &Step) -> Option<&str> {
    let shown = match &step.kind {
        StepKind::Stop(stop) => stop.shows_page,
        kind => kind.has_page(),
    };
    (shown && !step.page.is_empty()).then_some(step.page.as_str())
}

fn check_page(catalogue: &Catalogue, policy: &Policy, step: &Step, page: &str, findings: &mut Vec<Finding>) {
    let Some(parts) = catalogue.pages.get(page) else {
        let message = format!("the page `{page}` of `{}` does not exist", step.name);
        findings.push(finding(policy, "E10", step.at, message));
        return;
    };
    for field in list_fields(step) {
        if !parts.any_field && !parts.fields.contains(field) {
            let message = format!("the page `{page}` of `{}` lacks the input `{field}`", step.name);
            findings.push(finding(policy, "E10", step.at, message));
        }
    }
    for (control, is_option) in list_controls(policy, step) {
        let shown = parts.controls.contains(&control) || is_option && parts.any_option;
        if !shown {
            let message = format!("the page `{page}` of `{}` lacks the button `{control}`", step.name);
            findings.push(finding(policy, "E10", step.at, message));
        }
    }
    let own = [String::from("title")];
    for key in parts.keys.iter().chain(&own) {
        for (locale, texts) in &catalogue.locales {
            if !texts.has_key(&policy.id, page, key) {
                let message = format!("the text `{page}.{key}` of `{}` is missing in `{locale}`", step.name);
                findings.push(finding(policy, "E11", step.at, message));
            }
        }
    }
}

/// The inputs a step reads: fixed by its kind (POLICIES.md, section 3).
fn list_fields(step: &Step) -> Vec<&'static str> {
    match &step.kind {
        StepKind::Password { login: LoginName::Email } => vec!["email", "password"],
        StepKind::Password { .. } => vec!["username", "password"],
        StepKind::Otp(otp) => match otp.to {
            SendTo::InputEmail => vec!["email", "code"],
            SendTo::AccountPhone if otp.show == PhoneShow::Ask => vec!["phone_number", "code"],
            _ => vec!["code"],
        },
        StepKind::Totp | StepKind::RecoveryCode | StepKind::BindTotp => vec!["code"],
        StepKind::BindPhone(_) => vec!["country", "phone_number", "code"],
        StepKind::BindEmail(_) => vec!["email", "code"],
        StepKind::SetPassword { .. } => vec!["new_password", "confirm_password"],
        StepKind::Passkey | StepKind::BindPasskey => vec!["credential", "ceremony"],
        StepKind::Terms { .. } => vec!["accept"],
        StepKind::Form { fields } => {
            fields.iter().flat_map(|field| field.name.list_inputs()).map(|input| input.as_str()).collect()
        }
        _ => Vec::new(),
    }
}

/// The buttons a step needs, and whether they are options of its own.
fn list_controls(policy: &Policy, step: &Step) -> Vec<(String, bool)> {
    let mut controls: Vec<&str> = match &step.kind {
        StepKind::Password { .. } => vec!["login"],
        StepKind::Totp | StepKind::RecoveryCode | StepKind::BindTotp => vec!["verify"],
        StepKind::Form { .. } => vec!["next"],
        StepKind::SetPassword { .. } => vec!["set"],
        StepKind::Terms { .. } => vec!["accept"],
        StepKind::Notice | StepKind::Link { .. } => vec!["continue"],
        StepKind::Stop(_) => vec!["login", "return"],
        _ => Vec::new(),
    };
    if let Some(otp) = find_otp(&step.kind) {
        controls.extend(["verify", "resend"]);
        controls.push(if otp.channels.contains(&Channel::Voice) && otp.channels.len() == 1 { "call" } else { "send" });
        let calls = otp.channels.contains(&Channel::Voice) && otp.channels.len() > 1;
        controls.extend(calls.then_some("call"));
        controls.extend(otp.confirm.then_some("continue"));
    }
    let routed = [(Outcome::Forgot, "forgot"), (Outcome::Change, "change"), (Outcome::Declined, "decline")];
    let by_button = |outcome| step.find_route(outcome).is_some() && !matches!(step.kind, StepKind::Federate { .. });
    controls.extend(routed.into_iter().filter(|(outcome, _)| by_button(*outcome)).map(|(_, control)| control));
    if policy.cancel.is_some() && !matches!(step.kind, StepKind::Stop(_) | StepKind::Federate { .. }) {
        controls.push("cancel");
    }
    let options = match &step.kind {
        StepKind::Choice(choice) => choice.options.iter().chain(&choice.links).collect(),
        StepKind::Stop(stop) => stop.links.iter().collect(),
        _ => Vec::new(),
    };
    let plain = controls.into_iter().map(|control| (control.to_owned(), false));
    plain.chain(options.into_iter().map(|option| (option.id.clone(), true))).collect()
}

/// A message that a step sends, or a document it shows.
enum Message<'a> {
    Mail(&'a str),
    Call(&'a str),
    Document(&'a str),
}

fn list_messages(step: &Step) -> Vec<Message<'_>> {
    let mut messages = Vec::new();
    if let Some(otp) = find_otp(&step.kind) {
        let by_mail = otp.channels.contains(&Channel::Email);
        messages.push(if by_mail { Message::Mail(&otp.template) } else { Message::Call(&otp.template) });
    }
    match &step.kind {
        StepKind::SetPassword { notify: Some(template), .. } => messages.push(Message::Mail(template)),
        StepKind::Terms { document } => messages.push(Message::Document(document)),
        StepKind::Effect { effects } => messages.extend(effects.iter().filter_map(|effect| match effect {
            EffectWord::Send(template) | EffectWord::SendLink { template, .. } => Some(Message::Mail(template)),
            _ => None,
        })),
        _ => {}
    }
    messages
}

fn check_message(catalogue: &Catalogue, policy: &Policy, step: &Step, message: &Message, findings: &mut Vec<Finding>) {
    let at: Position = step.at;
    for (locale, texts) in &catalogue.locales {
        let (known, what, name) = match message {
            Message::Mail(name) => (texts.mails.contains(*name), "mail", name),
            Message::Call(name) => (texts.calls.contains(*name), "text message", name),
            Message::Document(name) => (texts.documents.contains(*name), "document", name),
        };
        if !known {
            let text = format!("the {what} `{name}` of `{}` is missing in `{locale}`", step.name);
            findings.push(finding(policy, "E11", at, text));
        }
    }
}
