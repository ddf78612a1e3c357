//! Passkeys: made after a password, then enough by themselves; nothing about a ceremony counts twice or elsewhere.

use std::sync::Arc;

use countersign_model::{FactorKind, Seconds};
use countersign_service::policy::{PolicySet, parse};
use countersign_service::{AccountAnswer, AccountCall, AccountDeed, FlowPage, Provider};
use countersign_tests::provider::{
    ALICE, Authenticator, CLINIC, Credentials, House, NodePlan, Person, Seen, register_client,
};
use serde_json::json;

on_both_stores!(
    a_passkey_is_made_and_then_signs_in_by_itself,
    a_passkey_is_a_second_factor_of_its_own_account_alone,
    what_is_wrong_about_a_ceremony_does_not_count,
    a_copied_passkey_is_found_out_by_its_counter,
    a_passkey_signs_in_whoever_is_signed_in_already,
    a_removed_passkey_is_told_by_mail,
);

const ADD: &str = r#"
format  = 1
id      = "add"
purpose = "login"
entry   = ["authorize"]
start   = "credentials"
on_edit = "restart"
require = [{ factors = ["password", "passkey"] }]
acr     = "urn:test:add"
limits  = { lifetime = "20m", idle = "10m", advances = 60 }
cancel  = { to = "over" }
[step]
issue = { kind = "issue" }
over  = { kind = "stop", page = "none", error = "access_denied" }
bind  = { kind = "bind_passkey", page = "passkey_enrol", on = { ok = "issue" } }
[step.credentials]
kind   = "password"
page   = "sign_in"
login  = "email"
limits = { attempts = 10 }
on     = { ok = "bind", spent = "over" }
"#;

async fn open(house: &House) -> Arc<Provider> {
    let second = ADD
        .replace("id      = \"add\"", "id      = \"second\"")
        .replace("urn:test:add", "urn:test:second")
        .replace("kind = \"bind_passkey\", page = \"passkey_enrol\", on = { ok = \"issue\" }", "kind = \"passkey\", page = \"passkey\", limits = { attempts = 5 }, on = { ok = \"issue\", spent = \"over\" }");
    let plan = house.plan();
    let shipped = plan.policies.get("passkey").unwrap().clone();
    let own = [ADD, &second].map(|text| parse("test", text).unwrap());
    let policies = PolicySet::new(own.into_iter().chain([shipped]).collect());
    let node = house.node_with(NodePlan { policies, ..plan }).await;
    let client = json!({
        "client_id": "keys",
        "countersign_policy": "add",
        "countersign_policies": ["add", "second", "passkey"],
    });
    register_client(&node, client).await;
    node
}

fn ceremony(page: &FlowPage) -> &str {
    &page.view.fields.iter().find(|field| field.name == "ceremony").unwrap().value
}

fn options(page: &FlowPage) -> &str {
    &page.view.values["passkey_options"]
}

async fn verify(person: &mut Person, node: &Provider, page: &FlowPage, credential: &str) -> Seen {
    let fields = [("credential", credential), ("ceremony", ceremony(page)), ("name", "Laptop")];
    person.press(node, page, "verify", &fields).await
}

/// Lets `who` make a passkey; signed in afterwards.
async fn add(node: &Provider, who: Credentials, key: &mut Authenticator) -> Person {
    let mut person = Person::new();
    let sign_in = person.arrive_from(node, "keys", "p=add").await.page();
    let page = person.give_password(node, &sign_in, who).await.page();
    let made = key.create(options(&page));
    verify(&mut person, node, &page, &made).await.code();
    person
}

/// Signed in, but for terms that may be due.
fn is_signed_in(seen: Seen) -> bool {
    match seen {
        Seen::Page(page) => page.view.page == "terms",
        seen => !seen.code().is_empty(),
    }
}

async fn a_passkey_is_made_and_then_signs_in_by_itself(house: House) {
    let node = open(&house).await;
    let mut key = Authenticator::new(1);
    add(&node, ALICE, &mut key).await;
    assert_eq!(house.texts("SELECT name AS text FROM factors WHERE kind = 'passkey'").await, ["Laptop"]);
    for _ in 0..2 {
        let mut person = Person::new();
        let page = person.arrive_from(&node, "keys", "p=passkey").await.page();
        assert_eq!(page.view.page, "passkey");
        let signed = key.get(options(&page));
        assert!(is_signed_in(verify(&mut person, &node, &page, &signed).await));
    }
}

async fn a_passkey_is_a_second_factor_of_its_own_account_alone(house: House) {
    let node = open(&house).await;
    let (mut own, mut other) = (Authenticator::new(1), Authenticator::new(2));
    add(&node, ALICE, &mut own).await;
    add(&node, CLINIC, &mut other).await;
    let mut person = Person::new();
    let sign_in = person.arrive_from(&node, "keys", "p=second").await.page();
    let page = person.give_password(&node, &sign_in, ALICE).await.page();
    assert!(options(&page).contains("allowCredentials"));
    let foreign = other.get(options(&page));
    let page = verify(&mut person, &node, &page, &foreign).await.page();
    assert_eq!(page.view.page, "passkey");
    let signed = own.get(options(&page));
    verify(&mut person, &node, &page, &signed).await.code();
}

async fn what_is_wrong_about_a_ceremony_does_not_count(house: House) {
    let node = open(&house).await;
    let mut key = Authenticator::new(1);
    add(&node, ALICE, &mut key).await;
    let mut person = Person::new();
    let other = Person::new().arrive_from(&node, "keys", "p=passkey").await.page();
    let mut page = person.arrive_from(&node, "keys", "p=passkey").await.page();
    let first = page.clone();
    for wrong in ["foreign ceremony", "no user verification", "another origin", "no JSON", "too long", "old", "used"] {
        key.verifies = wrong != "no user verification";
        let origin = if wrong == "another origin" { "https://evil.example" } else { "https://id.example" };
        key.origin = origin.to_owned();
        let mut signed = key.get(options(&page));
        let mut sealed = ceremony(&page).to_owned();
        match wrong {
            "foreign ceremony" => (signed, sealed) = (key.get(options(&other)), ceremony(&other).to_owned()),
            "no JSON" => signed = "{".to_owned(),
            "too long" => signed.push_str(&" ".repeat(16 * 1024)),
            "old" => house.clock.pass(Seconds::new(301)),
            "used" => (signed, sealed) = (key.get(options(&first)), ceremony(&first).to_owned()),
            _ => {}
        }
        let fields = [("credential", signed.as_str()), ("ceremony", sealed.as_str())];
        let seen = person.press(&node, &page, "verify", &fields).await;
        page = seen.page();
        assert_eq!(page.view.page, "passkey", "{wrong}");
        assert!(page.view.notice.is_some(), "{wrong}");
    }
    let signed = key.get(options(&page));
    assert!(is_signed_in(verify(&mut person, &node, &page, &signed).await));
}

async fn a_copied_passkey_is_found_out_by_its_counter(house: House) {
    let node = open(&house).await;
    let mut key = Authenticator::new(1);
    add(&node, ALICE, &mut key).await;
    for (counter, counts) in [(4, true), (4, false), (2, false), (5, true)] {
        let mut person = Person::new();
        let page = person.arrive_from(&node, "keys", "p=passkey").await.page();
        key.counter = counter;
        let signed = key.get(options(&page));
        assert_eq!(is_signed_in(verify(&mut person, &node, &page, &signed).await), counts, "{counter}");
    }
}

async fn a_passkey_signs_in_whoever_is_signed_in_already(house: House) {
    let node = open(&house).await;
    let mut key = Authenticator::new(1);
    let mut person = add(&node, ALICE, &mut key).await;
    assert!(person.cookies.session.is_some());
    let page = person.arrive_from(&node, "keys", "p=passkey").await.page();
    assert_eq!(page.view.page, "passkey");
    let signed = key.get(options(&page));
    assert!(is_signed_in(verify(&mut person, &node, &page, &signed).await));
}

async fn a_removed_passkey_is_told_by_mail(house: House) {
    let node = open(&house).await;
    let mut key = Authenticator::new(1);
    let person = add(&node, ALICE, &mut key).await;
    let call = AccountCall { cookies: &person.cookies, locale: "en", context: &person.context };
    let AccountAnswer::Page(own) = node.own_account(call).await.unwrap() else { panic!("no page") };
    let factor = own.account.factors.iter().find(|factor| factor.kind == FactorKind::Passkey).unwrap();
    let deed = AccountDeed::RemoveFactor(factor.id.to_string());
    let done = node.change_account(deed, &own.nonce, call).await.unwrap();
    assert!(matches!(done, AccountAnswer::Done("removed")), "{done:?}");
    house.deliver(&node).await;
    assert_eq!(house.count("outbox", "template = 'factor_removed' AND channel = 'email'").await, 1);
    assert!(house.relay.letters().iter().any(|letter| letter.to == ALICE.0));
}
