//! Where a flow stops, and pages outside of flows.

use super::*;
use crate::page::{AccountOption, AskerView, HiddenView, ScopeView};

pub(super) fn stop_samples(locale: Locale) -> Vec<(&'static str, PageRequest)> {
    let mut all: Vec<_> = [
        "use_phone",
        "no_phone_registered",
        "stopped",
        "try_later",
        "already_registered",
        "declined",
        "federation_refused",
        "phone_failed",
        "registration_sent",
        "reset_sent",
    ]
    .map(|name| (name, flow_page(name, locale, &["login", "return"]).with_value(values::LINK_TTL, "1200")))
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

pub(super) fn plain_samples(locale: Locale) -> Vec<(&'static str, PageRequest)> {
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
    consent.asker = Some(AskerView {
        host: Some("app.example.com".to_owned()),
        here: Some("127.0.0.1".to_owned()),
        logo: Some("https://app.example.com/logo.svg".to_owned()),
        home: Some("https://app.example.com/".to_owned()),
        policy: Some("https://app.example.com/privacy".to_owned()),
        terms: Some("https://app.example.com/terms".to_owned()),
        account: "alice@example.com".to_owned(),
    });
    let mut select_account = flow_page("select_account", locale, &[]);
    select_account.accounts = [("1", "Alice Archer", "alice@example.com"), ("2", "", "legacy.provider")]
        .map(|(id, name, address)| AccountOption {
            id: id.to_owned(),
            name: name.to_owned(),
            address: address.to_owned(),
        })
        .into();
    let mut logout = page("logout", locale);
    logout.form = Some(FormView { action: "/end_session/confirm".to_owned(), ..FormView::default() });
    let mut logged_out = page("logged_out", locale).with_value(values::HREF, "https://app.example.com/after?state=x");
    logged_out.frames = vec!["https://app.example.com/front?iss=http%3A%2F%2Flocalhost%3A8080&sid=1".to_owned()];
    vec![
        ("select_account", select_account),
        ("logout", logout.clone()),
        ("logout_nobody", PageRequest { application: None, ..logout }),
        ("logged_out", logged_out),
        ("logged_out_here", page("logged_out", locale)),
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

/// A device that waits for a person (RFC 8628).
pub(super) fn device_samples(locale: Locale) -> Vec<(&'static str, PageRequest)> {
    let mut asked = flow_page("device", locale, &[]);
    asked.fields = vec![field("user_code", "text", "off")];
    let unknown = PageRequest { notices: vec![error("user_code", Some("user_code"))], ..asked.clone() };
    let mut confirm = flow_page("device_confirm", locale, &[]);
    confirm.hidden = vec![HiddenView { name: "user_code".to_owned(), value: "WDJB-MJHT".to_owned() }];
    confirm.scopes = ["openid", "reports.export"]
        .map(|name| ScopeView { name: name.to_owned(), description: Some("export reports".to_owned()) })
        .into();
    vec![
        ("device", asked),
        ("device_unknown", unknown),
        ("device_confirm", confirm),
        ("device_allowed", page("device_allowed", locale)),
        ("device_denied", page("device_denied", locale)),
    ]
}
