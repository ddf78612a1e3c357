//! Signing in: the first page, the password, codes by mail and app.

use super::*;

pub(super) fn login_options(locale: Locale) -> PageRequest {
    let mut request = flow_page("login_options", locale, &["cancel"]).with_value(values::REMEMBER_FOR, "14400");
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

pub(super) fn sign_in(locale: Locale) -> PageRequest {
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

pub(super) fn sign_in_samples(locale: Locale) -> Vec<(&'static str, PageRequest)> {
    let mut wrong = sign_in(locale);
    wrong.notices = vec![error("wrong", Some("password"))];
    "demohospital18@example.com".clone_into(&mut wrong.fields[0].value);
    let mut remembering = sign_in(locale).with_value(values::REMEMBER_FOR, "28800");
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

pub(super) fn code_samples(locale: Locale) -> Vec<(&'static str, PageRequest)> {
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
pub(super) fn mail_samples(locale: Locale) -> Vec<(&'static str, PageRequest)> {
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
