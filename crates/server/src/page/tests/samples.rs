//! Every page as it is seen, and the same with values that want to be markup.

use countersign_model::Timestamp;

use crate::page::account_view::{AccountFactor, AccountGrant, AccountRemembered, AccountSession};
use crate::page::terms::{TermsBlock, TermsView};
use crate::page::{
    AccountView, BoxView, ControlView, FieldView, FormView, HiddenView, Locale, NoticeView, OptionView, PageRequest,
    ScopeView, Tone, places, qr, values,
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
    all.extend(mail_samples(locale));
    all.extend(phone_samples(locale));
    all.extend(registration_samples(locale));
    all.extend(factor_samples(locale));
    all.extend(stop_samples(locale));
    all.extend(own_samples(locale));
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

/// The mail pages of other policies, which have words of their own.
fn mail_samples(locale: Locale) -> Vec<(&'static str, PageRequest)> {
    let of = |policy: &str, state: &str, controls: &[&str]| {
        let mut request = email_verify(locale, state, controls).with_value(values::CODE_TTL, "600");
        policy.clone_into(&mut request.policy);
        request
    };
    let typed = |policy: &str| {
        let mut request = of(policy, "unsent", &["send", "cancel"]);
        request.values.remove(values::MASKED);
        request.fields = vec![field("email", "email", "email")];
        request
    };
    let mut empty = typed("registration");
    empty.notices = vec![error("email_required", Some("email"))];
    let sent = |policy: &str| {
        of(policy, "sent", &["verify", "resend", "change", "cancel"]).with_value(values::CODE_LEFT, "600")
    };
    vec![
        ("registration_email_unsent", typed("registration")),
        ("registration_email_required", empty),
        ("registration_email_fixed", of("registration", "unsent", &["send", "cancel"])),
        ("registration_email_sent", sent("invitation")),
        ("registration_email_verified", of("registration", "verified", &["continue", "change", "cancel"])),
        ("forgot_email_unsent", typed("forgot-password")),
        ("forgot_email_sent", sent("forgot-password")),
        ("forgot_email_verified", of("forgot-password", "verified", &["continue", "change", "cancel"])),
        ("change_email_unsent", typed("change-email")),
    ]
}

fn phone(locale: Locale, name: &str, state: &str, controls: &[&str]) -> PageRequest {
    let mut request = flow_page(name, locale, controls)
        .with_value(values::CODE_TTL, "300")
        .with_value(values::CODE_DIGITS, "6")
        .with_value(values::SUBMIT, "auto+button");
    state.clone_into(&mut request.state);
    if state == "sent" {
        request.fields = vec![field("code", "text", "one-time-code")];
        request.values.insert(values::CODE_LEFT.to_owned(), "300".to_owned());
    }
    request
}

fn number_fields(locale: Locale) -> Vec<FieldView> {
    let choices = places::list_countries("US CA MX", locale);
    let country = FieldView { choices, value: "US".to_owned(), ..field("country", "select", "tel-country-code") };
    let number = FieldView { inputmode: "tel".to_owned(), ..field("phone_number", "tel", "tel-national") };
    vec![country, number]
}

fn phone_samples(locale: Locale) -> Vec<(&'static str, PageRequest)> {
    let verify = |state: &str, controls: &[&str]| {
        phone(locale, "phone_verify", state, controls).with_value(values::MASKED, "XXX-XXX-3661")
    };
    let bind = |state: &str, controls: &[&str]| {
        phone(locale, "phone_number", state, controls).with_value(values::NUMBER, "+18015553661")
    };
    let mut ask = verify("unsent", &["send", "call", "cancel"]);
    ask.fields = number_fields(locale);
    let mut wrong = verify("sent", &["verify", "resend", "call", "cancel"]);
    wrong.notices = vec![error("wrong", Some("code"))];
    let mut sent = verify("sent", &["verify", "resend", "call", "cancel"]);
    sent.notices = vec![NoticeView { key: "sent".to_owned(), tone: Tone::Success, field: None }];
    let expired = verify("sent", &["verify", "resend", "call", "cancel"]).with_value(values::CODE_LEFT, "0");
    let calling = &["continue", "resend", "send", "cancel"];
    let mut read = verify("calling", &["verify", "resend", "send", "cancel"]);
    read.fields = vec![field("code", "text", "one-time-code")];
    let mut waiting = verify("calling", calling);
    waiting.notices = vec![NoticeView { key: "call_waiting".to_owned(), tone: Tone::Info, field: None }];
    let mut unsent = phone(locale, "phone_number", "unsent", &["send", "call", "cancel"]);
    unsent.fields = number_fields(locale);
    let mut extension = unsent.clone();
    "555-0100 ext. 7".clone_into(&mut extension.fields[1].value);
    extension.notices = vec![error("extension_refused", Some("phone_number"))];
    vec![
        ("phone_verify_unsent", verify("unsent", &["send", "call", "cancel"])),
        ("phone_verify_ask", ask),
        ("phone_verify_sent", sent),
        ("phone_verify_wrong", wrong),
        ("phone_verify_expired", expired),
        ("phone_verify_calling", verify("calling", calling)),
        ("phone_verify_keypad", verify("calling", calling).with_value(values::KEYPAD_CODE, "47")),
        ("phone_verify_read", read),
        ("phone_verify_waiting", waiting),
        ("phone_number_unsent", unsent),
        ("phone_number_extension", extension),
        ("phone_number_sent", bind("sent", &["verify", "resend", "call", "change", "cancel"])),
        ("phone_number_calling", bind("calling", &["continue", "resend", "send", "change", "cancel"])),
        ("phone_number_verified", bind("verified", &["continue", "cancel"])),
    ]
}

fn registration_samples(locale: Locale) -> Vec<(&'static str, PageRequest)> {
    let mut portal_login = flow_page("portal_login", locale, &["login", "cancel"]);
    portal_login.fields =
        vec![field("username", "text", "username"), field("password", "password", "current-password")];
    let mut wrong = portal_login.clone();
    wrong.notices = vec![error("wrong", None)];
    let mut method = flow_page("login_method", locale, &["cancel"]);
    method.options = ["phone", "email"].map(|id| option(id, None)).into();
    let mut password = flow_page("new_password", locale, &["set", "cancel"]);
    password.fields =
        vec![field("new_password", "password", "new-password"), field("confirm_password", "password", "new-password")];
    let registration = PageRequest { policy: "registration".to_owned(), ..password.clone() };
    let mut mismatch = password.clone();
    mismatch.notices = vec![error("password_mismatch", Some("confirm_password"))];
    let mut organization = flow_page("organization", locale, &["next", "cancel"]);
    organization.fields = vec![field("npi", "text", ""), field("registration_code", "text", "")];
    let mut unknown = organization.clone();
    unknown.notices = vec![error("organization_unknown", Some("registration_code"))];
    let mut username = flow_page("reset_username", locale, &["next", "cancel"]);
    username.fields = vec![field("username", "text", "username")];
    let mut help = flow_page("login_help", locale, &["cancel"]);
    help.options = vec![option("resume", None)];
    help.links = ["complete", "reset"].map(|id| option(id, None)).into();
    let landing = flow_page("link_landing", locale, &["continue"]);
    vec![
        ("portal_login", portal_login),
        ("portal_login_wrong", wrong),
        ("login_method", method),
        ("new_password", password),
        ("new_password_registration", registration),
        ("new_password_mismatch", mismatch),
        ("organization", organization),
        ("organization_unknown", unknown),
        ("user_information", user_information(locale)),
        ("user_information_wrong", wrong_user_information(locale)),
        ("reset_username", username),
        ("login_help", help),
        ("link_landing_invitation", PageRequest { policy: "invitation".to_owned(), ..landing.clone() }),
        ("link_landing", landing),
        ("terms", terms(locale)),
        ("terms_unticked", {
            let mut unticked = terms(locale);
            unticked.notices = vec![error("accept_required", Some("accept"))];
            unticked
        }),
        ("terms_missing", PageRequest { terms: None, ..terms(locale) }),
    ]
}

fn user_information(locale: Locale) -> PageRequest {
    let mut request = flow_page("user_information", locale, &["next", "cancel"])
        .with_value(values::ORGANIZATION, "Lakeside Family Practice");
    let state =
        FieldView { kind: "select".to_owned(), choices: places::list_states(), ..optional("state", "address-level1") };
    request.fields = vec![
        field("username", "text", "username"),
        field("first_name", "text", "given-name"),
        field("last_name", "text", "family-name"),
        optional("address1", "address-line1"),
        optional("address2", "address-line2"),
        optional("city", "address-level2"),
        state,
        optional("zip", "postal-code"),
        field("email", "email", "email"),
        field("confirm_email", "email", "email"),
        FieldView { kind: "tel".to_owned(), ..optional("phone", "tel-national") },
        field("fax", "tel", "fax tel-national"),
    ];
    request
}

fn wrong_user_information(locale: Locale) -> PageRequest {
    let mut request = user_information(locale);
    "MS".clone_into(&mut request.fields[6].value);
    request.notices = vec![
        error("username_taken", Some("username")),
        error("state_invalid", Some("state")),
        error("email_mismatch", Some("confirm_email")),
        error("field_required", Some("fax")),
    ];
    request
}

fn terms(locale: Locale) -> PageRequest {
    let mut request = flow_page("terms", locale, &["accept", "decline", "cancel"]);
    request.fields = vec![field("accept", "checkbox", "")];
    let long = "This Agreement is posted on the Portal and is subject to change at any time. ".repeat(12);
    let blocks = vec![
        TermsBlock::Heading { text: "Terms of Use Agreement".to_owned() },
        TermsBlock::Paragraph { text: long },
        TermsBlock::List { items: vec!["One".to_owned(), "Two".to_owned()] },
    ];
    request.terms = Some(TermsView { version: "1".to_owned(), locale, blocks });
    request
}

fn factor_samples(locale: Locale) -> Vec<(&'static str, PageRequest)> {
    let code = || field("code", "text", "one-time-code");
    let mut totp = flow_page("totp_enrol", locale, &["verify", "cancel"])
        .with_value(values::CODE_DIGITS, "6")
        .with_value(values::TOTP_SECRET, "JBSW Y3DP EHPK 3PXP JBSW Y3DP EHPK 3PXP");
    totp.fields = vec![code()];
    totp.qr = qr::draw("otpauth://totp/Atrezzo:d.duck?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP&issuer=Atrezzo");
    let options = r#"{"publicKey":{"challenge":"AA"}}"#;
    let hidden = || ["credential", "ceremony"].map(|name| field(name, "hidden", "off"));
    let mut passkey = flow_page("passkey", locale, &["verify", "cancel"]).with_value(values::PASSKEY_OPTIONS, options);
    passkey.fields = hidden().into();
    let mut enrol =
        flow_page("passkey_enrol", locale, &["verify", "cancel"]).with_value(values::PASSKEY_OPTIONS, options);
    enrol.fields = hidden().into_iter().chain([optional("name", "")]).collect();
    let mut recovery = flow_page("recovery_code", locale, &["verify", "cancel"]);
    recovery.fields = vec![field("code", "text", "")];
    recovery.notices = vec![error("wrong", Some("code"))];
    let mut codes = flow_page("recovery_codes", locale, &["continue"]);
    codes.recovery_codes = (0..10).map(|at| format!("{at}k3f-9x2m-7t{at}q")).collect();
    vec![
        ("totp_enrol", totp),
        ("passkey", passkey),
        ("passkey_enrol", enrol),
        ("recovery_code", recovery),
        ("recovery_codes", codes),
        ("federation", flow_page("federation", locale, &["continue", "cancel"])),
        ("confirm_close", flow_page("confirm_close", locale, &["continue", "cancel"])),
    ]
}

/// The account page and the help pages.
fn own_samples(locale: Locale) -> Vec<(&'static str, PageRequest)> {
    let at = |secs: i64| Some(Timestamp::from_secs(1_795_000_000 + secs));
    let factor = |kind: &str, name: Option<&str>| AccountFactor {
        id: "f1".to_owned(),
        kind: kind.to_owned(),
        name: name.map(str::to_owned),
        added_at: at(0),
        used_at: at(90_000),
        removable: true,
        ..AccountFactor::default()
    };
    let session = |device: &str, current| AccountSession {
        id: "s1".to_owned(),
        device: Some(device.to_owned()),
        address: Some("192.0.2.7".to_owned()),
        begun_at: at(0),
        used_at: at(3600),
        current,
    };
    let view = AccountView {
        nonce: "bm9uY2U".to_owned(),
        name: "Daisy Duck".to_owned(),
        username: Some("dduck".to_owned()),
        email: Some("demohospital18@example.com".to_owned()),
        phone: Some("XXX-XXX-3661".to_owned()),
        password_set_at: at(0),
        factors: vec![
            factor("totp", None),
            factor("passkey", Some("Office laptop")),
            AccountFactor { left: Some(8), ..factor("recovery_codes", None) },
        ],
        sessions: vec![session("Chrome, Windows", true), session("Safari, iPhone", false)],
        remembered: vec![AccountRemembered {
            id: "r1".to_owned(),
            policy: "phone".to_owned(),
            device: Some("Chrome, Windows".to_owned()),
            until: at(14_400),
        }],
        grants: vec![AccountGrant {
            id: "g1".to_owned(),
            application: "Case Portal".to_owned(),
            scopes: vec!["openid".to_owned(), "email".to_owned(), "cases.read".to_owned()],
            since: at(0),
        }],
        actions: [
            "change-password",
            "change-email",
            "change-phone",
            "totp-enrol",
            "passkey-enrol",
            "recovery-codes-enrol",
            "close-account",
        ]
        .map(str::to_owned)
        .into(),
        notice: None,
    };
    let bare = AccountView {
        nonce: "bm9uY2U".to_owned(),
        name: "Daisy Duck".to_owned(),
        notice: Some("removed".to_owned()),
        ..AccountView::default()
    };
    let changed = NoticeView { key: "changed".to_owned(), tone: Tone::Success, field: None };
    vec![
        ("account", PageRequest { account: Some(view.clone()), ..page("account", locale) }),
        ("account_changed", PageRequest { account: Some(view), notices: vec![changed], ..page("account", locale) }),
        ("account_bare", PageRequest { account: Some(bare), ..page("account", locale) }),
        ("help", page("help", locale)),
        ("help_browser", page("help_browser", locale)),
    ]
}

fn stop_samples(locale: Locale) -> Vec<(&'static str, PageRequest)> {
    let mut all: Vec<_> = [
        "use_phone",
        "no_phone_registered",
        "stopped",
        "try_later",
        "already_registered",
        "declined",
        "federation_refused",
        "link_used",
        "phone_failed",
        "registration_sent",
        "reset_refused",
        "reset_sent",
    ]
    .map(|name| (name, flow_page(name, locale, &["login", "return"])))
    .into();
    let linked = |name: &str, id: &str| {
        let mut request = flow_page(name, locale, &["login", "return"]);
        request.links = vec![option(id, None)];
        request
    };
    all.push(("registration_incomplete", linked("registration_incomplete", "resume")));
    all.push(("link_expired", linked("link_expired", "reset")));
    all.push(("no_phone_registered_email", linked("no_phone_registered", "email")));
    all.push(("registration_error_link", linked("registration_error", "reset")));
    all.push((
        "link_expired_dead",
        page("link_expired", locale).with_value(values::LOGIN, "https://app.example.com/login"),
    ));
    all.push(("link_unknown", page("link_unknown", locale).with_value(values::LOGIN, "/account")));
    all.push(("account_closed", flow_page("account_closed", locale, &[])));
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
    for name in [
        values::MASKED,
        values::NUMBER,
        values::KEYPAD_CODE,
        values::ORGANIZATION,
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
        own.grants.iter_mut().for_each(|grant| (grant.application, grant.scopes) = (attack(), vec![attack()]));
        own.factors.iter_mut().for_each(|factor| factor.name = Some(attack()));
    }
    request.recovery_codes.iter_mut().for_each(|code| *code = attack());
    request.fields.iter_mut().for_each(|field| field.value = attack());
    request.scopes.iter_mut().for_each(|scope| (scope.name, scope.description) = (attack(), Some(attack())));
    request.hidden.iter_mut().for_each(|field| (field.name, field.value) = (attack(), attack()));
    if let Some(form) = &mut request.form {
        (form.action, form.nonce, form.start) = (attack(), attack(), Some(attack()));
    }
    request
}
