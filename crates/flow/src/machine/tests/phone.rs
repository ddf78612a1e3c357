use countersign_model::Fact;

use super::*;
use crate::language::{Channel, Voice};
use crate::{Effect, Input, Next, fact_set};

fn at_phone(change: impl Fn(&str) -> String) -> Driver {
    let text = include_str!("../../../../../config/policies/phone.toml");
    let mut driver = Driver::new(crate::PolicySet::new(vec![read(&change(text))]));
    driver.accounts[0].phone = Some(PHONE.to_owned());
    driver.begin("phone");
    assert_eq!(driver.sign_in("hospital@example.com", PASSWORD), Next::Page);
    driver
}

fn voice(mode: &str) -> Driver {
    at_phone(|text| text.replace("voice   = \"press_hash\"", &format!("voice = \"{mode}\"")))
}

fn asking() -> Driver {
    at_phone(|text| text.replace("show    = \"masked\"", "show = \"ask\""))
}

fn typed(control: &str, number: &str) -> Input {
    Input::press(control).with("country", "US").with("phone_number", number)
}

#[test]
fn the_number_on_file_is_shown_by_its_last_digits_and_texted() {
    let mut driver = at_phone(str::to_owned);
    let page = driver.view();
    assert_eq!((page.state, page.values["masked"].as_str()), ("unsent", "XXX-XXX-3661"));
    assert_eq!(controls(&page), [("send", true), ("call", true), ("cancel", true)]);
    assert!(page.fields.is_empty() && !page.values.contains_key("number"));
    driver.press("send");
    assert_eq!(driver.sent, [(PHONE.to_owned(), driver.last_code())]);
    assert_eq!(driver.view().state, "sent");
    let code = driver.last_code();
    let Next::Issue(issued) = driver.verify(&code) else { panic!() };
    assert_eq!(issued.amr, ["pwd", "sms", "mfa"]);
}

#[test]
fn a_call_is_answered_on_the_telephone_and_proves_it() {
    let mut driver = voice("press_hash");
    driver.press("call");
    assert_eq!((driver.notice(), driver.view().state), ("called", "calling"));
    assert!(driver.view().fields.is_empty());
    let awaited = driver.needs(&Input::press("continue")).approval.unwrap();
    assert!(
        driver
            .did(|effect| matches!(effect, Effect::Send { channel: Channel::Voice, code: None, call: Some(call), .. }
        if call.voice == Voice::PressHash && call.challenge == awaited))
    );
    assert_eq!(driver.press("continue"), Next::Page);
    assert_eq!(driver.notice(), "call_waiting");
    driver.answers = true;
    let Next::Issue(issued) = driver.press("continue") else { panic!() };
    assert_eq!(issued.amr, ["pwd", "tel", "mfa"]);
}

#[test]
fn a_keypad_call_shows_its_digits_by_the_label_they_are_derived_from() {
    let mut driver = voice("keypad_match");
    driver.press("call");
    let asked = driver.asked.last().unwrap().code_label.clone().unwrap();
    assert_eq!(driver.view().asks.keypad_code, Some((asked, 6)));
    assert!(driver.sent[0].1.len() == 6);
}

#[test]
fn a_code_that_is_read_out_is_typed_on_the_page() {
    let mut driver = voice("read_code");
    driver.press("call");
    assert_eq!(driver.view().fields[0].name, "code");
    driver.answers = true;
    assert_eq!(driver.press("continue"), Next::Page, "an answered call alone proves nothing");
    let code = driver.last_code();
    let Next::Issue(issued) = driver.verify(&code) else { panic!() };
    assert!(issued.amr.contains(&"tel".to_owned()));
}

#[test]
fn an_old_call_never_approves_a_new_challenge() {
    let mut driver = voice("press_hash");
    driver.press("call");
    let first = driver.needs(&Input::press("continue")).approval;
    driver.wait(31_000);
    driver.press("send");
    assert_eq!(driver.needs(&Input::press("continue")).approval, None);
    driver.wait(31_000);
    driver.press("call");
    assert_ne!(driver.needs(&Input::press("continue")).approval, first);
}

#[test]
fn where_the_policy_asks_for_the_number_the_right_one_must_be_typed_and_a_try_is_charged() {
    let mut driver = asking();
    let mut page = driver.view();
    page.offer_countries(&["US".to_owned(), "CA".to_owned()]);
    assert_eq!(page.values["countries"], "US,CA");
    assert_eq!(page.fields[0].value, "US");
    assert_eq!(page.values["masked"], "");
    let names: Vec<String> =
        driver.needs(&typed("send", "202 555 3662")).charges.into_iter().map(|charge| charge.name).collect();
    assert_eq!(names, ["phone/phone/sends", "send/sms", "phone/phone/attempts", "otp/lock"]);
    driver.post(&typed("send", "202 555 3662"));
    assert_eq!((driver.notice(), driver.sent.len()), ("phone_not_on_file", 0));
    assert_eq!(driver.view().fields[1].value, "202 555 3662");
    driver.post(&typed("send", "(202) 555-3661"));
    assert_eq!((driver.notice(), driver.sent.len()), ("sent", 1));
}

#[test]
fn extensions_and_countries_that_are_not_served_are_refused_in_words() {
    let mut driver = asking();
    for (number, notice) in [
        ("", "phone_required"),
        ("202 555 3661 x12", "extension_refused"),
        ("555 3661", "phone_ten_digits"),
        ("+44 20 7946 0958", "country_refused"),
        ("abc", "phone_invalid"),
    ] {
        driver.post(&typed("send", number));
        assert_eq!(driver.notice(), notice, "{number}");
        driver.counters.clear();
    }
    assert!(driver.sent.is_empty());
}

#[test]
fn a_text_that_can_not_arrive_points_to_the_call_and_a_call_ends_the_step() {
    let mut driver = voice("press_hash");
    driver.press("send");
    assert!(driver.needs(&Input::press("continue")).delivery.is_some());
    driver.facts.undeliverable = true;
    assert_eq!(driver.press("continue"), Next::Page);
    assert_eq!(driver.notice(), "send_failed");
    driver.wait(31_000);
    driver.press("call");
    assert_eq!(driver.view().state, "calling");
    assert!(matches!(driver.press("continue"), Next::Stop { page, .. } if page == "registration_error"));
}

#[test]
fn who_has_no_phone_is_led_to_email_with_the_password_in_hand() {
    let mut driver = Driver::new(all_shipped());
    driver.begin("phone");
    let next = driver.sign_in("hospital@example.com", PASSWORD);
    assert!(matches!(next, Next::Stop { page, .. } if page == "no_phone_registered"));
    let page = driver.view();
    assert_eq!(page.links[0].id, "email");
    assert_eq!(driver.press("email"), Next::Page);
    assert_eq!((driver.view().policy.as_str(), driver.view().page.as_str()), ("email", "email_verify"));
    assert!(fact_set(driver.instance().facts()).contains(Fact::Password));
}

#[test]
fn no_two_visits_of_one_instance_wait_for_the_same_approval() {
    let mut driver = Driver::new(all_shipped());
    for account in &mut driver.accounts {
        account.phone = Some(PHONE.to_owned());
    }
    driver.begin("phone");
    let mut awaited = Vec::new();
    for address in ["hospital@example.com", "dduck@example.com"] {
        driver.press("forgot");
        driver.post(&Input::press("send").with("email", address));
        let code = driver.last_code();
        driver.verify(&code);
        driver.press("continue");
        assert_eq!(driver.view().page, "phone_verify");
        for _ in 0..2 {
            driver.wait(31_000);
            driver.press("call");
            awaited.push(driver.needs(&Input::press("continue")).approval.unwrap());
        }
        driver.press("cancel");
        assert_eq!(driver.view().page, "sign_in");
    }
    assert!(awaited.windows(2).all(|pair| pair[0] < pair[1]), "later ones are higher: {awaited:?}");
}
