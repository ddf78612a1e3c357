//! Registering.

use super::*;
use crate::page::places;
use crate::page::terms::{TermsBlock, TermsView};

pub(super) fn registration_samples(locale: Locale) -> Vec<(&'static str, PageRequest)> {
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
    let known = PageRequest { policy: "registration-2024".to_owned(), ..password.clone() }
        .with_value(values::KNOWN_NAME, "Lee Provider")
        .with_value(values::KNOWN_EMAIL, "legacy.provider@example.com");
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
        ("new_password_known", known),
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
