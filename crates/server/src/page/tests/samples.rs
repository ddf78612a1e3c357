//! Every page as it is seen, and the same with values that want to be markup.

use crate::page::{
    BoxView, ControlView, FieldView, FormView, HiddenView, Locale, NoticeView, OptionView, PageRequest, ScopeView,
    Tone, values,
};

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
        value: String::new(),
    }
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

fn login_options(locale: Locale) -> PageRequest {
    let mut request = flow_page("login_options", locale, &["cancel"]);
    request.options = vec![
        option("employees", Some("remember_employees")),
        option("phone", Some("remember_customers")),
        option("email", Some("remember_customers")),
    ];
    request.links = ["register", "complete", "trouble"].map(|id| option(id, None)).into();
    request.boxes = vec![remember("remember_employees", false), remember("remember_customers", true)];
    if let Some(form) = &mut request.form {
        form.start = Some("c2VhbGVk".to_owned());
    }
    request
}

fn sign_in(locale: Locale) -> PageRequest {
    let mut request = flow_page("sign_in", locale, &["login", "forgot", "cancel"]);
    request.fields = vec![field("email", "email", "username"), field("password", "password", "current-password")];
    request
}

fn email_verify(locale: Locale, state: &str, controls: &[&str]) -> PageRequest {
    let mut request = flow_page("email_verify", locale, controls)
        .with_value(values::MASKED, "d*****@example.com")
        .with_value(values::CODE_TTL, "30")
        .with_value(values::CODE_DIGITS, "6");
    state.clone_into(&mut request.state);
    if state == "sent" {
        request.fields = vec![field("code", "text", "one-time-code")];
    }
    request
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
    all.push(("sign_in_default", PageRequest { brand: "default".to_owned(), ..sign_in(locale) }));
    all.extend(sign_in_samples(locale));
    all.extend(code_samples(locale));
    all.extend(stop_samples(locale));
    all.extend(plain_samples(locale));
    all
}

fn sign_in_samples(locale: Locale) -> Vec<(&'static str, PageRequest)> {
    let mut wrong = sign_in(locale);
    wrong.notices = vec![error("wrong", Some("password"))];
    "demohospital18@example.com".clone_into(&mut wrong.fields[0].value);
    let mut remembering = sign_in(locale);
    remembering.boxes = vec![remember("remember", false)];
    let mut by_username = flow_page("sign_in", locale, &["login"]);
    by_username.fields = vec![field("username", "text", "username"), field("password", "password", "current-password")];
    by_username.notices = vec![error("wrong", None)];
    let mut stale = sign_in(locale);
    stale.notices = vec![NoticeView { key: "out_of_date".to_owned(), tone: Tone::Info, field: None }];
    vec![
        ("sign_in", sign_in(locale)),
        ("sign_in_wrong", wrong),
        ("sign_in_remember", remembering),
        ("sign_in_username", by_username),
        ("sign_in_out_of_date", stale),
    ]
}

fn code_samples(locale: Locale) -> Vec<(&'static str, PageRequest)> {
    let sent = || {
        email_verify(locale, "sent", &["verify", "resend", "!continue", "cancel"]).with_value(values::CODE_LEFT, "30")
    };
    let mut wrong = sent();
    wrong.notices = vec![error("wrong", Some("code"))];
    let mut resent = sent();
    resent.notices = vec![NoticeView { key: "resent".to_owned(), tone: Tone::Success, field: None }];
    let mut expired = sent().with_value(values::CODE_LEFT, "0");
    expired.notices = vec![error("expired", Some("code"))];
    let mut totp = flow_page("totp", locale, &["verify", "cancel"])
        .with_value(values::SUBMIT, "auto+button")
        .with_value(values::CODE_DIGITS, "6");
    totp.fields = vec![field("code", "text", "one-time-code")];
    vec![
        ("email_verify_unsent", email_verify(locale, "unsent", &["send", "!continue", "cancel"])),
        ("email_verify_sent", sent()),
        ("email_verify_wrong", wrong),
        ("email_verify_resent", resent),
        ("email_verify_expired", expired),
        ("email_verify_verified", email_verify(locale, "verified", &["continue", "cancel"])),
        ("totp", totp),
    ]
}

fn stop_samples(locale: Locale) -> Vec<(&'static str, PageRequest)> {
    let mut all: Vec<_> = ["use_phone", "no_phone_registered", "stopped", "try_later"]
        .map(|name| (name, flow_page(name, locale, &["login", "return"])))
        .into();
    all.push(("try_later_wait", flow_page("try_later", locale, &["login"]).with_value(values::RETRY_AFTER, "300")));
    all.push(("registration_error", flow_page("registration_error", locale, &["login", "reset"])));
    all.push(("registration_error_login", flow_page("registration_error", locale, &["login", "return"])));
    all
}

fn plain_samples(locale: Locale) -> Vec<(&'static str, PageRequest)> {
    let error = page("error", locale)
        .with_value(values::ERROR, "invalid_request")
        .with_value(values::DESCRIPTION, "redirect_uri is not registered for this client");
    let mut form_post = page("form_post", locale);
    form_post.form = Some(FormView { action: "https://app.example.com/callback".to_owned(), ..FormView::default() });
    form_post.hidden = [("code", "SplxlOBeZQQYbYS6WxSbIA"), ("state", "af0ifjsldkj"), ("iss", "http://localhost:8080")]
        .map(|(name, value)| HiddenView { name: name.to_owned(), value: value.to_owned() })
        .into();
    let mut consent = flow_page("consent", locale, &["allow", "deny"]);
    consent.scopes = ["openid", "email", "offline_access", "reports.export"]
        .map(|name| ScopeView { name: name.to_owned(), description: Some("export reports".to_owned()) })
        .into();
    vec![
        ("flow_gone", page("flow_gone", locale)),
        ("out_of_date", page("out_of_date", locale).with_value(values::HREF, "/flow/AAAAAAAAAAAAAAAAAAAAAA")),
        ("error", error),
        ("error_ours", page("error", locale).with_value(values::ERROR, "server_error")),
        ("not_found", page("not_found", locale)),
        ("unavailable", page("unavailable", locale).with_value(values::RETRY_AFTER, "2")),
        ("message", page("message", locale)),
        ("form_post", form_post),
        ("consent", consent),
    ]
}

/// The same page with an attack in every value that comes from outside.
pub(super) fn hostile(mut request: PageRequest) -> PageRequest {
    let attack = || ATTACK.to_owned();
    request.application = Some(attack());
    request.request_id = attack();
    request.here = Some(format!("/authorize?state={ATTACK}&lang=en"));
    for name in [values::MASKED, values::ERROR, values::DESCRIPTION] {
        if request.values.contains_key(name) {
            request.values.insert(name.to_owned(), attack());
        }
    }
    request.fields.iter_mut().for_each(|field| field.value = attack());
    request.scopes.iter_mut().for_each(|scope| (scope.name, scope.description) = (attack(), Some(attack())));
    request.hidden.iter_mut().for_each(|field| (field.name, field.value) = (attack(), attack()));
    if let Some(form) = &mut request.form {
        (form.action, form.nonce, form.start) = (attack(), attack(), Some(attack()));
    }
    request
}
