use countersign_model::Seconds;

use super::*;
use crate::{Charge, CountScope, Effect, Input, Next};

/// What a post of `values` at a page asks to be charged.
fn charges(driver: &Driver, values: &[(&str, &str)]) -> Vec<Charge> {
    driver.needs(&values.iter().fold(Input::press("next"), |input, (name, value)| input.with(name, value))).charges
}

fn of_network(charges: &[Charge]) -> &Charge {
    charges.iter().find(|charge| charge.scope == CountScope::Ip).unwrap()
}

#[test]
fn a_network_is_counted_at_each_page_by_itself_and_never_for_longer_than_the_page_says() {
    let mut driver = Driver::new(all_shipped());
    driver.begin("new-provider");
    let organization = charges(&driver, &[("npi", "1234567893"), ("registration_code", "join-us")]);
    driver.begin("registration-reset");
    let reset = charges(&driver, &[("username", "hospital")]);
    let (one, other) = (of_network(&organization), of_network(&reset));
    assert_ne!(one.name, other.name, "a page locked another");
    for charge in [one, other] {
        assert_eq!((charge.limit.lock, charge.limit.window), (None, Seconds::minutes(5)));
    }
}

#[test]
fn mails_to_new_accounts_are_counted_by_their_mailbox_whatever_name_is_made_up() {
    let mut driver = Driver::new(all_shipped());
    driver.begin("new-provider");
    driver.post(&Input::press("next").with("npi", "1234567893").with("registration_code", "join-us"));
    let data = |name| {
        [
            ("username", name),
            ("first_name", "Ann"),
            ("last_name", "Lee"),
            ("email", "victim@example.com"),
            ("confirm_email", "victim@example.com"),
            ("fax", "202-555-3662"),
        ]
    };
    for name in ["first.try", "second.try"] {
        let charged = charges(&driver, &data(name));
        let sends: Vec<&str> = charged.iter().filter(|c| c.name == "send/link").map(|c| c.subject.as_str()).collect();
        assert_eq!(sends, ["victim@example.com"], "{name}: {charged:?}");
    }
}

#[test]
fn a_right_registration_code_sets_the_lock_of_its_organization_back() {
    let mut driver = Driver::new(all_shipped());
    driver.begin("new-provider");
    driver.post(&Input::press("next").with("npi", "1234567893").with("registration_code", "join-us"));
    let reset = |effect: &Effect| matches!(effect, Effect::ResetCounter(charge) if charge.subject == "1234567893");
    assert!(driver.effects.iter().any(reset), "{:?}", driver.effects);
}

#[test]
fn an_upstream_sign_in_counts_from_when_it_was() {
    let mut driver = Driver::new(all_shipped());
    driver.begin("employees");
    let then = START.minus(Seconds::hours(3));
    driver.federated = Some(crate::Federated { user: user(1), is_new: false, auth_time: Some(then) });
    let Next::Issue(issued) = driver.press("federated") else { panic!("not issued") };
    assert!(issued.facts.iter().all(|proven| proven.at == then), "{:?}", issued.facts);
}
