//! Every page as it is seen, and the same with values that want to be markup.

mod ends;
mod own;
mod phone;
mod registration;
mod setup;
mod sign_in;

use crate::page::terms::TermsBlock;
use crate::page::{
    BoxView, ControlView, FieldView, FormView, Locale, NoticeView, OptionView, PageRequest, Tone, values,
};
use ends::{device_samples, plain_samples, stop_samples};
use own::{factor_samples, own_samples};
use phone::phone_samples;
use registration::registration_samples;
use setup::setup_samples;
use sign_in::{code_samples, login_options, mail_samples, sign_in, sign_in_samples};

const ATTACK: &str =
    "\"><script>alert(1)</script><img src=x onerror=alert(1)>' onmouseover=\"x {company} &amp; </title>";

fn page(name: &str, locale: Locale) -> PageRequest {
    PageRequest {
        application: Some("Case Portal".to_owned()),
        here: Some("/flow/AAAAAAAAAAAAAAAAAAAAAA".to_owned()),
        request_id: "0192f3c1-7d1e-7abc-8def-0123456789ab".to_owned(),
        ..PageRequest::new(name, locale, "acentra")
    }
}

fn flow_page(name: &str, locale: Locale, controls: &[&str]) -> PageRequest {
    PageRequest {
        form: Some(FormView {
            action: "/flow/AAAAAAAAAAAAAAAAAAAAAA".to_owned(),
            nonce: "bm9uY2U".to_owned(),
            start: None,
        }),
        controls: controls.iter().map(|value| control(value)).collect(),
        ..page(name, locale).with_value(values::ENDS_IN, "600")
    }
}

/// `value`, or `!value` when it is off.
fn control(value: &str) -> ControlView {
    ControlView { value: value.trim_start_matches('!').to_owned(), enabled: !value.starts_with('!') }
}

fn field(name: &str, kind: &str, autocomplete: &str) -> FieldView {
    FieldView {
        name: name.to_owned(),
        kind: kind.to_owned(),
        autocomplete: autocomplete.to_owned(),
        max_length: if name == "code" { 16 } else { 254 },
        required: true,
        ..FieldView::default()
    }
}

fn optional(name: &str, autocomplete: &str) -> FieldView {
    FieldView { required: false, ..field(name, "text", autocomplete) }
}

fn error(key: &str, field: Option<&str>) -> NoticeView {
    NoticeView { key: key.to_owned(), tone: Tone::Error, field: field.map(str::to_owned) }
}

fn remember(name: &str, checked: bool) -> BoxView {
    BoxView { name: name.to_owned(), checked }
}

fn option(id: &str, remember: Option<&str>) -> OptionView {
    OptionView { id: id.to_owned(), remember: remember.map(str::to_owned) }
}

/// A name for each page in each of its states, and the page.
pub(super) fn samples(locale: Locale) -> Vec<(&'static str, PageRequest)> {
    let mut all = vec![("login_options", login_options(locale))];
    let mut email_only = login_options(locale);
    email_only.options.retain(|option| option.id == "email");
    email_only.links.clear();
    email_only.boxes.retain(|remember| remember.name == "remember_customers");
    all.push(("login_options_email", email_only));
    all.push(("login_options_kepro", PageRequest { brand: "kepro".to_owned(), ..login_options(locale) }));
    all.push(("login_options_default", PageRequest { brand: "default".to_owned(), ..login_options(locale) }));
    all.push(("sign_in_kepro", PageRequest { brand: "kepro".to_owned(), ..sign_in(locale) }));
    all.push(("sign_in_default", PageRequest { brand: "default".to_owned(), ..sign_in(locale) }));
    all.extend(sign_in_samples(locale));
    all.extend(code_samples(locale));
    all.extend(mail_samples(locale));
    all.extend(phone_samples(locale));
    all.extend(registration_samples(locale));
    all.extend(factor_samples(locale));
    all.extend(stop_samples(locale));
    all.extend(own_samples(locale));
    all.extend(setup_samples(locale));
    all.extend(plain_samples(locale));
    all.extend(device_samples(locale));
    all
}

/// The same page with an attack in every value that comes from outside.
pub(super) fn hostile(mut request: PageRequest) -> PageRequest {
    let attack = || ATTACK.to_owned();
    request.application = Some(attack());
    request.request_id = attack();
    request.here = Some(format!("/authorize?state={ATTACK}&lang=en"));
    for name in [
        values::MASKED,
        values::NUMBER,
        values::KEYPAD_CODE,
        values::ORGANIZATION,
        values::KNOWN_NAME,
        values::KNOWN_EMAIL,
        values::TOTP_SECRET,
        values::PASSKEY_OPTIONS,
        values::ERROR,
        values::DESCRIPTION,
    ] {
        if request.values.contains_key(name) {
            request.values.insert(name.to_owned(), attack());
        }
    }
    if let Some(terms) = &mut request.terms {
        terms.blocks.push(TermsBlock::Paragraph { text: attack() });
    }
    if let Some(own) = &mut request.account {
        (own.name, own.nonce, own.email) = (attack(), attack(), Some(attack()));
        own.sessions.iter_mut().for_each(|session| (session.id, session.device) = (attack(), Some(attack())));
        own.consents.iter_mut().for_each(|consent| (consent.id, consent.application) = (attack(), attack()));
        own.grants.iter_mut().for_each(|grant| (grant.application, grant.scopes) = (attack(), vec![attack()]));
        own.factors.iter_mut().for_each(|factor| factor.name = Some(attack()));
    }
    if let Some(setup) = &mut request.setup {
        (setup.search, setup.next) = (attack(), setup.next.as_ref().map(|_| attack()));
        setup.organizations.iter_mut().for_each(|name| *name = attack());
        for person in setup.people.iter_mut().chain([&mut setup.person]) {
            (person.id, person.name, person.email) = (attack(), attack(), Some(attack()));
            (person.username, person.organization, person.phone) = (Some(attack()), Some(attack()), Some(attack()));
        }
        setup.attempts.iter_mut().for_each(|attempt| attempt.why = attack());
        setup.other.iter_mut().for_each(|event| event.line = attack());
    }
    request.recovery_codes.iter_mut().for_each(|code| *code = attack());
    request.fields.iter_mut().for_each(|field| field.value = attack());
    request.scopes.iter_mut().for_each(|scope| (scope.name, scope.description) = (attack(), Some(attack())));
    if let Some(asker) = &mut request.asker {
        (asker.logo, asker.home) = (Some(attack()), Some(attack()));
        (asker.policy, asker.terms, asker.account) = (Some(attack()), Some(attack()), attack());
    }
    request.accounts.iter_mut().for_each(|own| (own.id, own.name, own.address) = (attack(), attack(), attack()));
    request.frames.iter_mut().for_each(|frame| *frame = attack());
    request.hidden.iter_mut().for_each(|field| (field.name, field.value) = (attack(), attack()));
    if let Some(form) = &mut request.form {
        (form.action, form.nonce, form.start) = (attack(), attack(), Some(attack()));
    }
    request
}
