use countersign_model::Fact;

use super::*;
use crate::{AccountKey, Effect, Input, Next, fact_set};

fn at_address() -> Driver {
    let mut driver = Driver::new(all_shipped());
    driver.begin("forgot-password");
    driver
}

fn send(driver: &mut Driver, email: &str) {
    driver.post(&Input::press("send").with("email", email));
}

fn set(driver: &mut Driver, password: &str, again: &str) -> Next {
    driver.post(&Input::press("set").with("new_password", password).with("confirm_password", again))
}

#[test]
fn an_unknown_address_sees_the_same_page_and_no_code_is_ever_right() {
    let mut known = at_address();
    send(&mut known, "hospital@example.com");
    let mut unknown = at_address();
    send(&mut unknown, "nobody@example.com");
    let (mut one, mut other) = (known.view(), unknown.view());
    for page in [&mut one, &mut other] {
        page.values.remove("address");
        page.values.remove("masked");
    }
    assert_eq!(one, other);
    assert_eq!(known.asked.last().map(shape), unknown.asked.last().map(shape));
    assert!(known.did(|effect| matches!(effect, Effect::Send { .. })) && unknown.sent.is_empty());
    assert!(unknown.did(|effect| matches!(effect, Effect::Pretend { .. })));

    let input = Input::press("verify").with("code", "123456");
    assert_eq!(shape(&known.needs(&input)), shape(&unknown.needs(&input)));
    let label = unknown.needs(&input).code_label.unwrap();
    unknown.verify(&digits(&label));
    assert_eq!((unknown.notice(), unknown.view().state), ("wrong", "sent"));
}

/// Needs without what tells one person from another.
fn shape(needs: &crate::Needs) -> (Vec<String>, bool, bool, u8) {
    let charges = needs.charges.iter().map(|charge| charge.name.clone()).collect();
    let by_email = matches!(needs.account, Some(AccountKey::Email(_)));
    (charges, by_email, needs.code_label.is_some(), needs.code_digits)
}

#[test]
fn code_phone_and_password_end_signed_in_with_the_acr_of_phone() {
    let mut driver = at_address();
    driver.accounts[0].phone = Some(PHONE.to_owned());
    send(&mut driver, "hospital@example.com");
    let code = driver.last_code();
    driver.verify(&code);
    assert_eq!(driver.view().state, "verified");
    assert!(driver.instance().account().is_none());
    driver.press("continue");
    assert_eq!(driver.view().page, "phone_verify");
    driver.press("send");
    let code = driver.last_code();
    driver.verify(&code);
    assert_eq!(driver.view().page, "new_password");
    let Next::Issue(issued) = set(&mut driver, "velvet tuba lagoon", "velvet tuba lagoon") else { panic!() };
    assert_eq!(issued.acr, "urn:countersign:acr:password-phone");
    assert!(fact_set(&issued.facts).contains(Fact::Mailbox));
    assert_eq!(driver.told(), ["password_changed"]);
    assert!(driver.did(|effect| matches!(effect, Effect::Revoke { what, .. } if what.len() == 3)));
}

#[test]
fn who_has_no_phone_claims_the_acr_of_email() {
    let mut driver = at_address();
    send(&mut driver, "hospital@example.com");
    let code = driver.last_code();
    driver.verify(&code);
    driver.press("continue");
    for (password, again, notice) in [
        ("", "", "new_password_required"),
        ("short", "short", "password_short"),
        ("velvet tuba lagoon", "velvet tuba", "password_mismatch"),
        ("password1", "password1", "password_weak"),
        ("hospital@example.com", "hospital@example.com", "password_personal"),
    ] {
        assert_eq!(set(&mut driver, password, again), Next::Page);
        assert_eq!(driver.notice(), notice);
    }
    let Next::Issue(issued) = set(&mut driver, "velvet tuba lagoon", "velvet tuba lagoon") else { panic!() };
    assert_eq!(issued.acr, "urn:countersign:acr:password-email");
}

#[test]
fn change_starts_over_with_another_address() {
    let mut driver = at_address();
    send(&mut driver, "dduck@example.com");
    let old = driver.last_code();
    driver.press("change");
    assert_eq!(driver.view().state, "unsent");
    send(&mut driver, "hospital@example.com");
    assert_ne!(driver.last_code(), old);
    driver.verify(&old);
    assert_eq!(driver.notice(), "wrong");
}

#[test]
fn a_registration_reset_says_the_same_whoever_is_named() {
    let mut seen = Vec::new();
    for (name, incomplete) in [("hospital", true), ("hospital", false), ("nobody", false)] {
        let mut driver = Driver::new(all_shipped());
        driver.accounts[0].username = Some("hospital".to_owned());
        driver.accounts[0].registration_incomplete = incomplete;
        driver.begin("registration-reset");
        let next = driver.post(&Input::press("next").with("username", name));
        let queued = driver.effects.iter().filter(|effect| {
            matches!(effect, Effect::SendLink { .. } | Effect::Pretend { .. } | Effect::Notify { .. })
        });
        seen.push((next, queued.count(), driver.view()));
        assert_eq!(driver.did(|effect| matches!(effect, Effect::SendLink { .. })), incomplete);
        let charged = &driver.asked.last().unwrap().charges;
        assert!(charged.iter().any(|charge| charge.name == "send/link" && charge.subject == name));
    }
    assert!(seen.windows(2).all(|pair| pair[0] == pair[1]), "{seen:#?}");
}
