//! Factors beside the password, and the account page.

use super::*;
use countersign_model::Timestamp;

use crate::page::account_view::{AccountFactor, AccountGrant, AccountRemembered, AccountSession};
use crate::page::{AccountView, qr};

pub(super) fn factor_samples(locale: Locale) -> Vec<(&'static str, PageRequest)> {
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
pub(super) fn own_samples(locale: Locale) -> Vec<(&'static str, PageRequest)> {
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
        consents: vec![AccountGrant {
            id: "lab-app".to_owned(),
            application: "Lab App".to_owned(),
            scopes: vec!["openid".to_owned(), "phone".to_owned()],
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
        administers: true,
        notice: None,
    };
    let bare = AccountView {
        nonce: "bm9uY2U".to_owned(),
        name: "Daisy Duck".to_owned(),
        notice: Some("removed".to_owned()),
        ..AccountView::default()
    };
    let help = page("help", locale)
        .with_value(values::REMEMBER_FOR, "14400")
        .with_value(values::LINK_TTL, "1200")
        .with_value(values::INVITATION_TTL, "172800");
    let changed = NoticeView { key: "changed".to_owned(), tone: Tone::Success, field: None };
    vec![
        ("account", PageRequest { account: Some(view.clone()), ..page("account", locale) }),
        ("account_changed", PageRequest { account: Some(view), notices: vec![changed], ..page("account", locale) }),
        ("account_bare", PageRequest { account: Some(bare), ..page("account", locale) }),
        ("help", help),
        ("help_browser", page("help_browser", locale)),
    ]
}
