//! The console.

use super::*;
use countersign_model::Timestamp;

use crate::page::SetupView;
use crate::page::setup_view::{SetupAttempt, SetupEvent, SetupPerson};

fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(1_795_000_000 + secs)
}

fn person(name: &str, state: &str) -> SetupPerson {
    SetupPerson {
        id: "019ab2c3-7d1e-7abc-8def-0123456789ab".to_owned(),
        name: name.to_owned(),
        email: Some("dduck@example.com".to_owned()),
        username: Some("dduck".to_owned()),
        organization: Some("Duck Pond Clinic".to_owned()),
        state: state.to_owned(),
        registered_at: (state == "complete").then(|| at(0)),
        factors: ["mailbox", "phone", "totp", "passkey"].map(str::to_owned).into(),
        phone: Some("XXX-XXX-3661".to_owned()),
        signed_in_at: Some(at(90_000)),
    }
}

fn event(secs: i64, line: &str) -> SetupEvent {
    SetupEvent { at: Some(at(secs)), line: line.to_owned() }
}

fn setup(name: &str, locale: Locale, view: SetupView) -> PageRequest {
    let form = Some(FormView { nonce: "bm9uY2U".to_owned(), ..FormView::default() });
    PageRequest { form, setup: Some(view), here: Some(format!("/{name}")), ..page(name, locale) }
}

fn one(name: &str, locale: Locale, state: &str, changeable: bool) -> PageRequest {
    let attempt = SetupAttempt {
        at: Some(at(80_000)),
        result: "signed_in".to_owned(),
        why: "Signed in with `urn:countersign:acr:password-phone`.".to_owned(),
        events: vec![event(80_000, "The attempt began."), event(80_020, "Step `code`: done.")],
    };
    let other = vec![event(95_000, "Account: registration reset by provider administrator: lost her phone")];
    let view = SetupView {
        person: person("Daisy Duck", state),
        changeable,
        attempts: if changeable { vec![attempt] } else { Vec::new() },
        other,
        ..SetupView::default()
    };
    setup(name, locale, view)
}

/// The console's pages.
pub(super) fn setup_samples(locale: Locale) -> Vec<(&'static str, PageRequest)> {
    let own = || SetupView { organizations: vec!["Duck Pond Clinic".to_owned()], ..SetupView::default() };
    let bare = SetupPerson {
        id: "019ab2c3-7d1e-7abc-8def-0123456789ac".to_owned(),
        name: "legacy.provider".to_owned(),
        state: "unfinished".to_owned(),
        ..SetupPerson::default()
    };
    let people = vec![person("Daisy Duck", "complete"), bare, person("Donald Duck", "disabled")];
    let list = SetupView { people, next: Some("/setup/users?after=x".to_owned()), ..own() };
    let search = || vec![optional("search", "off")];
    let found = SetupView { search: "duck".to_owned(), further: true, ..own() };
    let told = |key: &str, tone| NoticeView { key: key.to_owned(), tone, field: None };
    let reset = one("setup_reset", locale, "complete", true);
    let asks = PageRequest { fields: vec![field("reason", "text", "")], ..reset };
    let refused = one("setup_user", locale, "complete", false);
    let invited = one("setup_user", locale, "unfinished", true);
    let forbidden = page("setup_forbidden", locale).with_value(values::HREF, "/account");
    vec![
        ("setup", setup("setup", locale, own())),
        ("setup_nobody", setup("setup", locale, SetupView::default())),
        ("setup_everybody", setup("setup", locale, SetupView { everybody: true, ..SetupView::default() })),
        ("setup_users", PageRequest { fields: search(), form: None, ..setup("setup_users", locale, list) }),
        ("setup_users_none", PageRequest { fields: search(), form: None, ..setup("setup_users", locale, found) }),
        ("setup_user", one("setup_user", locale, "complete", true)),
        ("setup_user_invited", PageRequest { notices: vec![told("invited", Tone::Success)], ..invited }),
        ("setup_user_refused", PageRequest { notices: vec![told("administrator", Tone::Error)], ..refused }),
        ("setup_reset_wrong", PageRequest { notices: vec![error("reason", Some("reason"))], ..asks.clone() }),
        ("setup_reset", asks),
        ("setup_forbidden", forbidden),
    ]
}
