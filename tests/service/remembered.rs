//! Remember Me: one row per browser and policy, four hours whatever happens.

use countersign_model::{AuditKind, Seconds};
use countersign_tests::provider::{ALICE, HOSPITAL, House, Person, Seen, code_in, redeem};
use secrecy::ExposeSecret as _;

use crate::claims::id_claims;

on_both_stores![
    a_remembered_login_answers_for_four_hours_and_keeps_its_time,
    an_unticked_login_is_not_remembered,
    another_policy_is_not_answered,
    login_options_shows_the_box_ticked_and_unticking_forgets,
    the_box_stands_on_the_sign_in_page_when_the_request_names_the_policy,
    the_session_is_renewed_at_login_and_what_was_remembered_moves_along,
    another_persons_login_forgets_the_first,
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
    assert_eq!(person.arrive(&node, "p=lab").await.page().view.page, "sign_in");
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
    let sign_in = person.arrive(&node, "p=lab").await.page();
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
    let sign_in = person.arrive(&node, "p=lab").await.page();
    person.give_password(&node, &sign_in, ALICE).await.code();
    assert_eq!(house.count("remembered_logins", "1 = 1").await, 0);
    assert_eq!(person.arrive(&node, "p=email").await.page().view.page, "sign_in");
}
