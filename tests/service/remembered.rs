//! Remember Me: one row per browser and policy, four hours whatever happens.

use std::sync::Arc;

use countersign_model::{AuditKind, Seconds};
use countersign_service::policy::{PolicySet, parse};
use countersign_service::{AccountAnswer, AccountCall, FlowPage, LinkRule, Provider};
use countersign_tests::provider::{
    ALICE, Corporate, HOSPITAL, House, NodePlan, Person, Seen, code_in, parameter, redeem, register_client,
};
use secrecy::ExposeSecret as _;
use serde_json::json;

use crate::claims::id_claims;

on_both_stores![
    a_remembered_login_answers_for_four_hours_and_keeps_its_time,
    an_unticked_login_is_not_remembered,
    another_policy_is_not_answered,
    login_options_shows_the_box_ticked_and_unticking_forgets,
    unticking_the_shared_box_forgets_the_other_option_too,
    the_box_stands_on_the_sign_in_page_when_the_request_names_the_policy,
    the_session_is_renewed_at_login_and_what_was_remembered_moves_along,
    another_persons_login_forgets_the_first,
    a_forgotten_password_set_anew_ends_what_is_remembered,
    another_phone_ends_what_is_remembered,
    another_mail_address_ends_what_is_remembered,
    an_employee_is_remembered_where_the_policy_says_so_and_the_box_is_ticked,
    an_employee_is_not_remembered_where_the_policy_says_nothing_of_it,
];

const FOUR_HOURS: u32 = 4 * 3600;

async fn a_remembered_login_answers_for_four_hours_and_keeps_its_time(house: House) {
    let node = house.node().await;
    let mut person = Person::new();
    let first = house.clock.now();
    person.sign_in(&house, &node, HOSPITAL, true).await;
    house.clock.pass(Seconds::new(FOUR_HOURS - 1));
    let code = person.arrive(&node, "p=email").await.code();
    let claims = id_claims(&redeem(&node, &code).await.unwrap().unwrap());
    assert_eq!(claims["auth_time"], first.as_secs());
    assert_eq!(claims["acr"], "urn:countersign:acr:password-email");
    assert_eq!(house.events(Some(AuditKind::SilentLogin)).await.len(), 1);
    house.clock.pass(Seconds::new(1));
    assert_eq!(person.arrive(&node, "p=email").await.page().view.page, "sign_in", "using it does not prolong it");
}

async fn an_unticked_login_is_not_remembered(house: House) {
    let node = house.node().await;
    let mut person = Person::new();
    person.sign_in(&house, &node, HOSPITAL, false).await;
    assert!(person.cookies.session.is_some());
    assert_eq!(house.count("remembered_logins", "1 = 1").await, 0);
    assert_eq!(person.arrive(&node, "p=email").await.page().view.page, "sign_in");
}

async fn another_policy_is_not_answered(house: House) {
    let node = house.node().await;
    let mut person = Person::new();
    person.sign_in(&house, &node, HOSPITAL, true).await;
    assert!(matches!(person.arrive(&node, "p=email").await, Seen::Client(_)));
    assert_eq!(person.arrive(&node, "p=totp").await.page().view.page, "sign_in");
    assert_eq!(person.arrive(&node, "p=phone").await.page().view.page, "sign_in");
    assert_eq!(Person::new().arrive(&node, "p=email").await.page().view.page, "sign_in", "nor another browser");
}

async fn login_options_shows_the_box_ticked_and_unticking_forgets(house: House) {
    let node = house.node().await;
    let mut person = Person::new();
    let fresh = person.arrive(&node, "").await.page();
    assert!(fresh.view.boxes.iter().all(|known| !known.checked));
    person.sign_in(&house, &node, HOSPITAL, true).await;
    let options = person.arrive(&node, "").await.page();
    let checked = |name: &str| options.view.boxes.iter().any(|known| known.name == name && known.checked);
    assert!(checked("remember_customers"), "{:?}", options.view.boxes);
    let kept = person.press(&node, &options, "email", &[("remember_customers", "on")]).await;
    assert!(matches!(kept, Seen::Client(_)), "ticked, it signs in at once");

    let options = person.arrive(&node, "").await.page();
    let sign_in = person.press(&node, &options, "email", &[]).await.page();
    assert_eq!(sign_in.view.page, "sign_in");
    assert_eq!(house.count("remembered_logins", "1 = 1").await, 0);
    assert_eq!(house.events(Some(AuditKind::LoginForgotten)).await.len(), 1);
    assert_eq!(person.arrive(&node, "p=email").await.page().view.page, "sign_in");
}

async fn unticking_the_shared_box_forgets_the_other_option_too(house: House) {
    let node = house.node().await;
    let mut person = Person::new();
    person.sign_in(&house, &node, HOSPITAL, true).await;
    // Ticked, the other option asks for credentials, and forgets nothing (R46).
    let options = person.arrive(&node, "").await.page();
    let sign_in = person.press(&node, &options, "phone", &[("remember_customers", "on")]).await.page();
    assert_eq!(sign_in.view.policy, "phone");
    assert!(matches!(person.arrive(&node, "p=email").await, Seen::Client(_)));
    // "Uncheck the Remember Me box, before clicking Login with Phone or Login with Email" (R47).
    let options = person.arrive(&node, "").await.page();
    person.press(&node, &options, "phone", &[]).await.page();
    assert_eq!(house.count("remembered_logins", "1 = 1").await, 0);
    assert_eq!(house.events(Some(AuditKind::LoginForgotten)).await.len(), 1);
    assert_eq!(person.arrive(&node, "p=email").await.page().view.page, "sign_in");
    let options = person.arrive(&node, "").await.page();
    assert!(options.view.boxes.iter().all(|known| !known.checked));
}

async fn the_box_stands_on_the_sign_in_page_when_the_request_names_the_policy(house: House) {
    let node = house.node().await;
    let mut person = Person::new();
    let sign_in = person.arrive(&node, "p=email").await.page();
    assert_eq!(sign_in.view.boxes.iter().map(|known| known.name.as_str()).collect::<Vec<_>>(), ["remember"]);
    let fields = [("email", HOSPITAL.0), ("password", HOSPITAL.1), ("remember", "on")];
    let page = person.press(&node, &sign_in, "login", &fields).await.page();
    let verified = person.prove_mailbox(&house, &node, &page, HOSPITAL).await;
    person.press(&node, &verified, "continue", &[]).await.code();
    assert!(matches!(person.arrive(&node, "p=email").await, Seen::Client(_)));
}

async fn the_session_is_renewed_at_login_and_what_was_remembered_moves_along(house: House) {
    let node = house.node().await;
    let mut person = Person::new();
    person.sign_in(&house, &node, HOSPITAL, true).await;
    let before = person.clone();
    let sign_in = person.arrive(&node, "p=lab&prompt=login").await.page();
    let lab = person.give_password(&node, &sign_in, HOSPITAL).await.code();
    let secret = |person: &Person| person.cookies.session.as_ref().unwrap().expose_secret().to_owned();
    assert_ne!(secret(&before), secret(&person));
    assert_eq!(house.count("remembered_logins", "1 = 1").await, 1);
    assert_eq!(house.count("browser_sessions", "ended_at IS NULL").await, 1);

    let mut thief = before;
    assert_eq!(thief.arrive(&node, "p=email").await.page().view.page, "sign_in", "the old cookie is worth nothing");
    let silent = code_in(&person.arrive(&node, "p=email").await.response());
    let lab = id_claims(&redeem(&node, &lab).await.unwrap().unwrap());
    let silent = id_claims(&redeem(&node, &silent).await.unwrap().unwrap());
    assert_eq!(silent["acr"], "urn:countersign:acr:password-email");
    assert_eq!(silent["sid"], lab["sid"], "one browser, one session");
}

async fn another_persons_login_forgets_the_first(house: House) {
    let node = house.node().await;
    let mut person = Person::new();
    person.sign_in(&house, &node, HOSPITAL, true).await;
    let sign_in = person.arrive(&node, "p=lab&prompt=login").await.page();
    person.give_password(&node, &sign_in, ALICE).await.code();
    assert_eq!(house.count("remembered_logins", "1 = 1").await, 0);
    assert_eq!(person.arrive(&node, "p=email").await.page().view.page, "sign_in");
}

/// Somebody whose login is remembered on another browser.
async fn remember_elsewhere(house: &House, node: &Arc<Provider>) -> Person {
    let mut elsewhere = Person::new();
    elsewhere.sign_in(house, node, HOSPITAL, true).await;
    assert_eq!(house.count("remembered_logins", "1 = 1").await, 1);
    assert!(matches!(elsewhere.arrive(node, "p=email").await, Seen::Client(_)));
    // A code may be sent again.
    house.clock.pass(Seconds::new(31));
    elsewhere
}

async fn assert_forgotten(house: &House, node: &Provider, mut elsewhere: Person) {
    assert_eq!(house.count("remembered_logins", "1 = 1").await, 0);
    assert_eq!(elsewhere.arrive(node, "p=email").await.page().view.page, "sign_in");
}

/// Forgets the password, and proves the mailbox: the page for a new one.
pub async fn forget_password(house: &House, node: &Arc<Provider>, person: &mut Person) -> FlowPage {
    let sign_in = person.arrive(node, "p=email").await.page();
    let address = person.press(node, &sign_in, "forgot", &[]).await.page();
    let sent = person.press(node, &address, "send", &[("email", HOSPITAL.0)]).await.page();
    let code = house.mailed_code(node, HOSPITAL.0).await;
    let verified = person.press(node, &sent, "verify", &[("code", &code)]).await.page();
    person.press(node, &verified, "continue", &[]).await.page()
}

async fn a_forgotten_password_set_anew_ends_what_is_remembered(house: House) {
    let node = house.node().await;
    let elsewhere = remember_elsewhere(&house, &node).await;
    let mut person = Person::new();
    let password = forget_password(&house, &node, &mut person).await;
    let typed = "seven quiet herons over the weir";
    let fields = [("new_password", typed), ("confirm_password", typed)];
    person.press(&node, &password, "set", &fields).await.code();
    assert_forgotten(&house, &node, elsewhere).await;
}

/// Signs in on another browser, and proves password and mailbox again: the page for what is new.
pub async fn begin_change(house: &House, node: &Arc<Provider>, person: &mut Person, policy: &str) -> FlowPage {
    person.sign_in(house, node, HOSPITAL, false).await;
    // The notice of a new device is out before the next code is.
    house.deliver(node).await;
    house.clock.pass(Seconds::new(31));
    let call = AccountCall { cookies: &person.cookies, locale: "en", context: &person.context };
    let AccountAnswer::Flow(answered) = node.begin_enrolment(policy, call).await.unwrap() else { panic!("no flow") };
    let sign_in = person.follow(node, *answered).await.page();
    let mailbox = person.give_password(node, &sign_in, HOSPITAL).await.page();
    let sent = person.press(node, &mailbox, "send", &[]).await.page();
    let code = house.mailed_code(node, HOSPITAL.0).await;
    person.press(node, &sent, "verify", &[("code", &code)]).await.page()
}

async fn another_phone_ends_what_is_remembered(house: House) {
    let node = house.node().await;
    let elsewhere = remember_elsewhere(&house, &node).await;
    let mut person = Person::new();
    let typing = begin_change(&house, &node, &mut person, "change-phone").await;
    let number = [("country", "US"), ("phone_number", "2025550177")];
    let sent = person.press(&node, &typing, "send", &number).await.page();
    assert_eq!(house.count("remembered_logins", "1 = 1").await, 1, "nothing is changed yet");
    house.deliver(&node).await;
    let code = house.phones.newest("+12025550177").code();
    person.press(&node, &sent, "verify", &[("code", &code)]).await.response();
    assert_forgotten(&house, &node, elsewhere).await;
}

async fn another_mail_address_ends_what_is_remembered(house: House) {
    let node = house.node().await;
    let elsewhere = remember_elsewhere(&house, &node).await;
    let mut person = Person::new();
    let typing = begin_change(&house, &node, &mut person, "change-email").await;
    let sent = person.press(&node, &typing, "send", &[("email", "new@example.com")]).await.page();
    let code = house.mailed_code(&node, "new@example.com").await;
    let verified = person.press(&node, &sent, "verify", &[("code", &code)]).await.page();
    assert_eq!(house.count("remembered_logins", "1 = 1").await, 1, "nothing is changed yet");
    person.press(&node, &verified, "continue", &[]).await.response();
    assert_forgotten(&house, &node, elsewhere).await;
}

/// A node with the corporate provider and `employees` with `remember = ...`, or without that line.
async fn open_staff(house: &House, remembers: bool) -> (Arc<Provider>, Corporate) {
    let corporate = Corporate::open(&house.clock).await;
    let upstreams = vec![corporate.settings(LinkRule::Create, &["corp.example.com"])];
    let shipped = include_str!("../../config/policies/employees.toml");
    let kept = shipped.lines().filter(|line| remembers || !line.starts_with("remember ="));
    let text: String = kept.flat_map(|line| [line, "\n"]).collect();
    let plan = house.plan();
    let others = plan.policies.iter().filter(|policy| policy.id != "employees").cloned();
    let policies = PolicySet::new(others.chain([parse("employees.toml", &text).unwrap()]).collect());
    let node = house.node_with(NodePlan { policies, upstreams, ..plan }).await;
    let client = json!({
        "client_id": "staff",
        "countersign_policy": "login-options",
        "countersign_policies": ["login-options", "employees"],
    });
    register_client(&node, client).await;
    (node, corporate)
}

/// Goes upstream by LOGIN OPTIONS and comes back signed in.
async fn come_back(person: &mut Person, node: &Provider, corporate: &Corporate, ticked: &[(&str, &str)]) {
    let options = person.arrive_from(node, "staff", "").await.page();
    let sent = person.press(node, &options, "employees", ticked).await.response();
    assert!(parameter(&sent, "code_challenge").is_some(), "sent upstream");
    let claims = json!({ "sub": "e-17", "email": "nurse@corp.example.com", "email_verified": true });
    let answer = corporate.vouch(&sent, &claims);
    let answered = node.federation_callback("corporate", answer, person.call()).await.unwrap();
    person.follow(node, answered).await.code();
}

async fn an_employee_is_remembered_where_the_policy_says_so_and_the_box_is_ticked(house: House) {
    let (node, corporate) = open_staff(&house, true).await;
    let (mut person, ticked) = (Person::new(), [("remember_employees", "on")]);
    come_back(&mut person, &node, &corporate, &[]).await;
    assert_eq!(house.count("remembered_logins", "1 = 1").await, 0, "not ticked");
    come_back(&mut person, &node, &corporate, &ticked).await;
    assert_eq!(house.texts("SELECT policy AS text FROM remembered_logins").await, ["employees"]);
    let options = person.arrive_from(&node, "staff", "").await.page();
    assert!(options.view.boxes.iter().any(|known| known.name == "remember_employees" && known.checked));
    let exchanges = corporate.exchanges();
    person.press(&node, &options, "employees", &ticked).await.code();
    person.arrive_from(&node, "staff", "p=employees").await.code();
    assert_eq!(corporate.exchanges(), exchanges, "nobody was asked upstream");
    house.clock.pass(Seconds::new(FOUR_HOURS));
    come_back(&mut person, &node, &corporate, &ticked).await;
    assert_eq!(corporate.exchanges(), exchanges + 1, "four hours are over");
}

async fn an_employee_is_not_remembered_where_the_policy_says_nothing_of_it(house: House) {
    let (node, corporate) = open_staff(&house, false).await;
    let mut person = Person::new();
    let options = person.arrive_from(&node, "staff", "").await.page();
    let shown: Vec<&str> = options.view.boxes.iter().map(|known| known.name.as_str()).collect();
    assert_eq!(shown, ["remember_customers"], "no box that nothing reads");
    for _ in 0..2 {
        come_back(&mut person, &node, &corporate, &[("remember_employees", "on")]).await;
        assert_eq!(house.count("remembered_logins", "1 = 1").await, 0);
    }
}
