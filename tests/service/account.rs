//! The own account page: signing in to it, what ends there, and who may change what.

use countersign_model::{AuditKind, FactorKind, Seconds};
use countersign_service::policy::totp;
use countersign_service::{AccountAnswer, AccountCall, AccountDeed, FlowPage, OwnAccount, Provider, Response};
use countersign_tests::provider::{CLINIC, Credentials, DUCK, HOSPITAL, House, Person, Seen};
use std::sync::Arc;

use crate::sessions::{SEED, with_app};

on_both_stores![
    the_page_asks_for_a_sign_in_and_leads_back,
    sessions_end_there_and_only_ones_own,
    a_form_of_another_session_or_an_old_sign_in_changes_nothing,
    another_persons_password_counts_as_wrong_in_what_changes_an_account,
    the_export_holds_what_is_known_and_no_secret,
    a_sign_in_on_a_new_device_is_told_once_and_not_of_the_first,
    what_is_stronger_is_taken_away_by_who_signed_in_with_it_alone,
    a_phone_that_another_one_takes_the_place_of_is_told_by_text,
    whether_a_typed_address_has_an_owner_shows_in_no_mailbox_and_no_export_of_who_typed_it,
];

const fn call(person: &Person) -> AccountCall<'_> {
    AccountCall { cookies: &person.cookies, locale: "en", context: &person.context }
}

async fn see(node: &Provider, person: &mut Person) -> Result<OwnAccount, Seen> {
    match node.own_account(call(person)).await.unwrap() {
        AccountAnswer::Page(own) => Ok(*own),
        AccountAnswer::Flow(answered) => Err(person.follow(node, *answered).await),
        other => panic!("{other:?}"),
    }
}

/// Signs in to the account page by mail.
async fn enter(house: &House, node: &Arc<Provider>, person: &mut Person, who: Credentials) -> OwnAccount {
    let options = see(node, person).await.expect_err("a sign-in").page();
    let sign_in = person.press(node, &options, "email", &[]).await.page();
    let page = person.give_password(node, &sign_in, who).await.page();
    let verified = person.prove_mailbox(house, node, &page, who).await;
    let end = person.press(node, &verified, "continue", &[]).await.response();
    assert_eq!(end, Response::Redirect("/account".to_owned()));
    see(node, person).await.expect("the page")
}

async fn the_page_asks_for_a_sign_in_and_leads_back(house: House) {
    let node = house.node().await;
    let mut person = Person::new();
    let own = enter(&house, &node, &mut person, HOSPITAL).await;
    assert_eq!(own.account.user.email.as_deref(), Some(HOSPITAL.0));
    assert_eq!((own.sessions.len(), own.grants.len()), (1, 0), "no client got anything");
    assert!(own.actions.iter().any(|action| action == "change-password"), "{:?}", own.actions);
    let options = see(&node, &mut Person::new()).await.expect_err("a sign-in").page();
    let left = person.press(&node, &options, "cancel", &[]).await;
    assert!(matches!(left, Seen::Gone | Seen::Client(_) | Seen::Page(_)));
}

async fn sessions_end_there_and_only_ones_own(house: House) {
    let node = house.node().await;
    let (mut person, mut elsewhere, mut stranger) = (Person::new(), Person::new(), Person::new());
    elsewhere.sign_in(&house, &node, HOSPITAL, true).await;
    let other = enter(&house, &node, &mut stranger, CLINIC).await;
    let own = enter(&house, &node, &mut person, HOSPITAL).await;
    assert_eq!((own.sessions.len(), own.remembered.len(), own.grants.len()), (2, 1, 1));
    let foreign = AccountDeed::EndSession(other.session.to_string());
    let answer = node.change_account(foreign, &own.nonce, call(&person)).await.unwrap();
    assert!(matches!(answer, AccountAnswer::Stale));
    for deed in [
        AccountDeed::EndOtherSessions,
        AccountDeed::Forget(own.remembered[0].0.clone()),
        AccountDeed::Withdraw(own.grants[0].1.id.to_string()),
    ] {
        let answer = node.change_account(deed, &own.nonce, call(&person)).await.unwrap();
        assert!(matches!(answer, AccountAnswer::Done(_)), "{answer:?}");
    }
    let own = see(&node, &mut person).await.expect("the page");
    assert_eq!((own.sessions.len(), own.remembered.len(), own.grants.len()), (1, 0, 0));
    assert!(see(&node, &mut elsewhere).await.is_err(), "signed out there");
    assert!(see(&node, &mut stranger).await.is_ok(), "nobody else is");
    let left = node.change_account(AccountDeed::SignOut, &own.nonce, call(&person)).await.unwrap();
    assert!(matches!(left, AccountAnswer::Done("signed_out")));
    assert!(see(&node, &mut person).await.is_err());
}

async fn a_form_of_another_session_or_an_old_sign_in_changes_nothing(house: House) {
    let node = house.node().await;
    let (mut person, mut stranger) = (Person::new(), Person::new());
    let own = enter(&house, &node, &mut person, HOSPITAL).await;
    let other = enter(&house, &node, &mut stranger, CLINIC).await;
    for nonce in ["", other.nonce.as_str()] {
        let answer = node.change_account(AccountDeed::EndOtherSessions, nonce, call(&person)).await.unwrap();
        assert!(matches!(answer, AccountAnswer::Stale));
    }
    house.clock.pass(Seconds::minutes(15));
    let late = node.change_account(AccountDeed::EndOtherSessions, &own.nonce, call(&person)).await.unwrap();
    assert!(matches!(late, AccountAnswer::Flow(_)), "prove yourself first");
    assert!(node.export_account(call(&person)).await.unwrap().is_none());
    assert_eq!(house.events(Some(AuditKind::SessionEnded)).await.len(), 0);
}

async fn another_persons_password_counts_as_wrong_in_what_changes_an_account(house: House) {
    let node = house.node().await;
    let mut person = Person::new();
    enter(&house, &node, &mut person, HOSPITAL).await;
    let AccountAnswer::Flow(answered) = node.begin_enrolment("change-password", call(&person)).await.unwrap() else {
        panic!("no flow");
    };
    let page = person.follow(&node, *answered).await.page();
    let wrong = person.give_password(&node, &page, CLINIC).await.page();
    assert_eq!(wrong.view.page, page.view.page, "it stays");
    assert_eq!(wrong.view.notice.map(|notice| notice.key), Some("wrong"));
    let AccountAnswer::Stale = node.begin_enrolment("email", call(&person)).await.unwrap() else {
        panic!("a login policy is none of the page's");
    };
}

async fn the_export_holds_what_is_known_and_no_secret(house: House) {
    let node = house.node().await;
    let mut person = Person::new();
    enter(&house, &node, &mut person, HOSPITAL).await;
    let held = node.export_account(call(&person)).await.unwrap().expect("an export");
    assert_eq!(held["account"]["email"], HOSPITAL.0);
    assert!(held["events"].as_array().is_some_and(|events| !events.is_empty()));
    let text = held.to_string();
    assert!(!text.contains("argon2") && !text.contains("\"token\""), "{text}");
}

async fn a_sign_in_on_a_new_device_is_told_once_and_not_of_the_first(house: House) {
    let node = house.node().await;
    let mut person = Person::new();
    person.sign_in(&house, &node, HOSPITAL, false).await;
    person.sign_in(&house, &node, HOSPITAL, false).await;
    assert_eq!(house.events(Some(AuditKind::DeviceNew)).await.len(), 0, "the first is no news, nor is a known one");
    Person::new().sign_in(&house, &node, HOSPITAL, false).await;
    assert_eq!(house.events(Some(AuditKind::DeviceNew)).await.len(), 1);
    assert_eq!(house.count("outbox", "template = 'new_device'").await, 1);
}

/// By password and mailbox an app stays; by the app it goes.
async fn what_is_stronger_is_taken_away_by_who_signed_in_with_it_alone(house: House) {
    let node = house.node().await;
    let who = with_app(&node).await;
    let user = house.user(who.0).await;
    let kept = async || house.count("factors", &format!("user_id = '{user}' AND kind = 'totp'")).await;
    house.database.raw(&format!("UPDATE users SET terms_version = '1' WHERE id = '{user}'")).await.unwrap();
    let mailbox = format!(
        "INSERT INTO factors (id, user_id, kind, value, bound_at) \
         SELECT '0190b2f0-0000-7000-8000-000000000001', id, 'mailbox', email, created_at FROM users WHERE id = '{user}'"
    );
    house.database.raw(&mailbox).await.unwrap();

    let mut weaker = Person::new();
    let own = enter(&house, &node, &mut weaker, who).await;
    let app = own.account.factors.iter().find(|factor| factor.kind == FactorKind::Totp).expect("an app").id.clone();
    assert!(own.removable.is_empty(), "nothing is offered");
    let deed = || AccountDeed::RemoveFactor(app.to_string());
    let answer = node.change_account(deed(), &own.nonce, call(&weaker)).await.unwrap();
    assert!(matches!(answer, AccountAnswer::Stale), "{answer:?}");
    assert_eq!(kept().await, 1);

    let mut person = Person::new();
    let page = person.arrive(&node, "p=totp").await.page();
    let page = person.give_password(&node, &page, who).await.page();
    let code = totp::code_at(&totp::parse_seed(SEED).unwrap(), house.clock.now().as_secs() / 30).unwrap();
    person.press(&node, &page, "verify", &[("code", &code)]).await.code();
    let own = see(&node, &mut person).await.expect("the page");
    assert_eq!(own.removable, [FactorKind::Totp]);
    let answer = node.change_account(deed(), &own.nonce, call(&person)).await.unwrap();
    assert!(matches!(answer, AccountAnswer::Done("removed")), "{answer:?}");
    assert_eq!(kept().await, 0);
}

/// Types `address` as the new one of who is signed in; what their export says afterwards of messages and events.
async fn type_new_address(house: &House, node: &Arc<Provider>, who: Credentials, address: &str) -> Vec<String> {
    let mut person = Person::new();
    enter(house, node, &mut person, who).await;
    let AccountAnswer::Flow(answered) = node.begin_enrolment("change-email", call(&person)).await.unwrap() else {
        panic!("no flow")
    };
    let sign_in = person.follow(node, *answered).await.page();
    let mailbox = person.give_password(node, &sign_in, who).await.page();
    house.clock.pass(Seconds::new(31));
    let sent = person.press(node, &mailbox, "send", &[]).await.page();
    let code = house.mailed_code(node, who.0).await;
    let typing = person.press(node, &sent, "verify", &[("code", &code)]).await.page();
    let sent = person.press(node, &typing, "send", &[("email", address)]).await.page();
    assert_eq!(sent.view.state, "sent");
    house.deliver(node).await;
    let held = node.export_account(call(&person)).await.unwrap().expect("an export");
    let told = |entry: &serde_json::Value| {
        format!("{} {} {} {}", entry["kind"], entry["channel"], entry["template"], entry["detail"]["template"])
    };
    let mut told: Vec<String> =
        ["messages", "events"].iter().flat_map(|part| held[part].as_array().unwrap().iter().map(told)).collect();
    // Events of one moment come in any order.
    told.sort();
    told
}

async fn whether_a_typed_address_has_an_owner_shows_in_no_mailbox_and_no_export_of_who_typed_it(house: House) {
    let node = house.node().await;
    let taken = type_new_address(&house, &node, HOSPITAL, "alice@example.com").await;
    let told = |letters: Vec<countersign_tests::provider::Letter>| -> Vec<String> {
        let attempts = letters.into_iter().filter(|letter| letter.text.contains("tried to register"));
        attempts.map(|letter| letter.to).collect()
    };
    assert_eq!(told(house.relay.letters()), ["alice@example.com"], "the owner alone");
    let free = type_new_address(&house, &node, CLINIC, "nobody@example.com").await;
    assert_eq!(taken, free);
}

const OLD: &str = "+12025553661";
const NEW: &str = "+12025550161";

/// Gives the code that is texted to `number`.
async fn give_texted_code(
    house: &House,
    node: &Arc<Provider>,
    person: &mut Person,
    sent: &FlowPage,
    number: &str,
) -> Seen {
    assert_eq!(sent.view.state, "sent");
    house.deliver(node).await;
    let code = house.phones.newest(number).code();
    person.press(node, sent, "verify", &[("code", &code)]).await
}

/// Proves the phone `from` and registers `to`, from the account page.
async fn change_phone(house: &House, node: &Arc<Provider>, person: &mut Person, from: &str, to: &str) {
    house.clock.pass(Seconds::new(31));
    let AccountAnswer::Flow(answered) = node.begin_enrolment("change-phone", call(person)).await.unwrap() else {
        panic!("no flow")
    };
    let sign_in = person.follow(node, *answered).await.page();
    let page = person.give_password(node, &sign_in, DUCK).await.page();
    let sent = person.press(node, &page, "send", &[]).await.page();
    let typing = give_texted_code(house, node, person, &sent, from).await.page();
    assert_eq!(typing.view.page, "phone_number");
    let number = [("country", "US"), ("phone_number", to.trim_start_matches("+1"))];
    let sent = person.press(node, &typing, "send", &number).await.page();
    give_texted_code(house, node, person, &sent, to).await.response();
    house.deliver(node).await;
}

async fn a_phone_that_another_one_takes_the_place_of_is_told_by_text(house: House) {
    let node = house.node().await;
    let mut person = Person::new();
    let options = see(&node, &mut person).await.expect_err("a sign-in").page();
    let sign_in = person.press(&node, &options, "phone", &[]).await.page();
    let page = person.give_password(&node, &sign_in, DUCK).await.page();
    let sent = person.press(&node, &page, "send", &[]).await.page();
    give_texted_code(&house, &node, &mut person, &sent, OLD).await.response();

    change_phone(&house, &node, &mut person, OLD, NEW).await;
    let is_notice = |text: &str| text.contains("another phone number was registered for your account");
    let told = house.phones.newest(OLD).text;
    assert!(is_notice(&told) && !told.contains("0161"), "{told}");
    assert!(!is_notice(&house.phones.newest(NEW).text), "the new one knows");
    let mailed = || house.relay.letters().into_iter().filter(|letter| letter.to == DUCK.0).count();
    let before = mailed();
    assert_eq!(before, 1, "and the mailbox");

    // The same number once more takes nothing's place: the mailbox alone is told.
    change_phone(&house, &node, &mut person, NEW, NEW).await;
    let notices = house.phones.taken().into_iter().filter(|rung| is_notice(&rung.text)).count();
    assert_eq!((notices, mailed()), (1, before + 1));
}
