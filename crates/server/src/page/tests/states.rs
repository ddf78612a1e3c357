//! What a page shows depends on its request: options, buttons, notices, brand.

use super::{pages, sample, visible};
use crate::page::*;

#[test]
fn a_code_by_phone_goes_on_by_itself_and_says_so() {
    let html = pages().render(&sample("phone_verify_sent")).unwrap();
    assert!(html.contains("data-auto=\"All digits are entered.") && html.contains("data-sms"), "{html}");
    assert!(visible(&html).contains("The page will go on by itself when you have entered the last digit."));
    let calling = pages().render(&sample("phone_verify_calling")).unwrap();
    assert!(calling.contains("data-poll=\"/flow/AAAAAAAAAAAAAAAAAAAAAA/state\""));
    assert!(calling.contains("value=\"continue\" data-go-on>"), "without script the button does it");
}

#[test]
fn continue_is_off_until_the_mail_is_verified() {
    let off = "value=\"continue\" disabled>";
    for (name, expected) in
        [("email_verify_unsent", true), ("email_verify_sent", true), ("email_verify_verified", false)]
    {
        assert_eq!(pages().render(&sample(name)).unwrap().contains(off), expected, "{name}");
    }
}

#[test]
fn enter_presses_the_pages_own_button_and_never_cancel_or_forgot() {
    for (name, expected) in [
        ("sign_in", "login"),
        ("email_verify_unsent", "send"),
        ("email_verify_sent", "verify"),
        ("email_verify_verified", "continue"),
        ("totp", "verify"),
        ("try_later", "login"),
        ("consent", "allow"),
        ("portal_login", "login"),
        ("registration_email_unsent", "send"),
        ("phone_verify_unsent", "send"),
        ("phone_verify_sent", "verify"),
        ("phone_verify_expired", "resend"),
        ("phone_verify_calling", "continue"),
        ("phone_verify_read", "verify"),
        ("new_password", "set"),
        ("terms", "accept"),
        ("user_information", "next"),
        ("totp_enrol", "verify"),
        ("recovery_codes", "continue"),
    ] {
        let html = pages().render(&sample(name)).unwrap();
        let main = html
            .split("<form ")
            .find(|form| !form.starts_with("class=\"cancel\"") && form.contains("<button"))
            .unwrap();
        let own = main.split("<button").skip(1).find(|button| !button.contains(" form=")).unwrap();
        assert!(own.contains(&format!("name=\"do\" value=\"{expected}\"")), "{name}: {own}");
    }
}

#[test]
fn an_error_is_said_at_the_top_and_beside_its_field() {
    let html = pages().render(&sample("sign_in_wrong")).unwrap();
    assert!(html.contains("<title>Error: Sign in with your email address - Atrezzo</title>"));
    assert!(html.contains("id=\"problem\" role=\"alert\" tabindex=\"-1\" autofocus"));
    assert!(html.contains("<a href=\"#field-password\">Your email address or password is incorrect."));
    assert!(html.contains("aria-describedby=\"field-password-error\" aria-invalid=\"true\""), "{html}");
    assert_eq!(html.matches("autofocus").count(), 1);
}

#[test]
fn the_cursor_is_in_the_code_field_but_not_below_a_picture_to_be_scanned_first() {
    assert_eq!(pages().render(&sample("totp")).unwrap().matches("autofocus").count(), 1);
    assert_eq!(pages().render(&sample("totp_enrol")).unwrap().matches("autofocus").count(), 0);
}

#[test]
fn an_unknown_notice_still_says_something() {
    let mut request = sample("sign_in");
    request.notices =
        vec![NoticeView { key: "never_heard".to_owned(), tone: Tone::Error, field: Some("gone".to_owned()) }];
    let html = pages().render(&request).unwrap();
    assert!(html.contains("That did not work.") && !html.contains("#field-gone"));
}

#[test]
fn an_option_that_is_not_offered_is_not_shown() {
    let mut request = sample("login_options");
    request.options.retain(|option| option.id == "email");
    request.links.clear();
    request.boxes.retain(|remember| remember.name == "remember_customers");
    let html = pages().render(&request).unwrap();
    let text = visible(&html);
    assert!(text.contains("Customer/Provider") && text.contains("LOGIN WITH EMAIL"));
    for absent in ["Employees", "LOGIN WITH PHONE", "register here", "Having trouble", "remember_employees"] {
        assert!(!html.contains(absent), "{absent}");
    }
}

#[test]
fn the_policys_own_text_is_shown() {
    let mut request = sample("sign_in");
    "lab".clone_into(&mut request.policy);
    assert!(visible(&pages().render(&request).unwrap()).contains("Sign in to the lab"));
}

#[test]
fn an_error_of_ours_is_not_blamed_on_the_application() {
    let ours = visible(&pages().render(&sample("error_ours")).unwrap());
    assert!(ours.contains("SOMETHING WENT WRONG") && !ours.contains("NOT VALID"), "{ours}");
    assert!(visible(&pages().render(&sample("error")).unwrap()).contains("invalid_request"));
}

#[test]
fn the_other_brand_is_only_another_name_and_its_own_texts() {
    let mut request = sample("login_options");
    "kepro".clone_into(&mut request.brand);
    let text = visible(&pages().render(&request).unwrap());
    assert!(text.contains("Kepro Use this login button if you have a Kepro domain account."), "{text}");
    assert!(!text.contains("Acentra"));
    "no-such-brand".clone_into(&mut request.brand);
    assert!(visible(&pages().render(&request).unwrap()).contains("Countersign Employees"));
}

#[test]
fn a_life_is_said_as_the_policies_have_it() {
    for (secs, expected) in [
        ("1800", "30 minutes"),
        ("3600", "1 hour"),
        ("14400", "four (4) hours"),
        ("46800", "13 hours"),
        ("172800", "two (2) days"),
        ("176400", "49 hours"),
    ] {
        let page = sample("sign_in_remember").with_value(values::REMEMBER_FOR, secs);
        let text = visible(&pages().render(&page).unwrap());
        assert!(text.contains(&format!("Remembers your login for {expected}.")), "{secs}: {text}");
    }
    let text = visible(&pages().render(&sample("reset_sent").with_value(values::LINK_TTL, "172800")).unwrap());
    assert!(text.contains("within 2 days, this"), "{text}");
}

#[test]
fn who_registers_sees_their_own_name_and_address_where_the_policys_texts_name_them() {
    let known = sample("new_password_known");
    let html = pages().render(&known).unwrap();
    for (label, value) in [("Display Name", "Lee Provider"), ("Email", "legacy.provider@example.com")] {
        assert!(visible(&html).contains(label), "{html}");
        assert!(html.contains(&format!("value=\"{value}\" autocomplete=\"off\" readonly")), "{html}");
    }
    for policy in ["registration-link", "invitation"] {
        let page = PageRequest { policy: policy.to_owned(), ..known.clone() };
        assert!(pages().render(&page).unwrap().contains("Lee Provider"), "{policy}");
    }
    let forgot = PageRequest { policy: "forgot-password".to_owned(), ..known };
    assert!(!pages().render(&forgot).unwrap().contains("Lee Provider"));
}

#[test]
fn names_in_the_log_of_a_person_are_marked_up_and_nothing_in_it_is() {
    let mut request = sample("setup_user");
    if let Some(view) = &mut request.setup {
        view.attempts[0].events[0].line = "Account: reset by `<i>x</i>` & others".to_owned();
    }
    let html = pages().render(&request).unwrap();
    assert!(html.contains("Step <code>code</code>: done."), "{html}");
    assert!(html.contains("Signed in with <code>urn:countersign:acr:password-phone</code>."), "{html}");
    assert!(html.contains("<code>&lt;i&gt;x&lt;"), "{html}");
    assert!(!html.contains('`'), "{html}");
}
