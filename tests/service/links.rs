//! Mailed links, and the ticket that lets the client's own request count as the sign-in they ended in.

use countersign_model::{AuditKind, Seconds};
use countersign_service::{Answered, NewLink, Provider, RequestContext, Response};
use countersign_tests::provider::{HOSPITAL, House, Person, Seen, parameter, register_client};
use secrecy::SecretString;
use serde_json::json;
use std::sync::Arc;

on_both_stores![
    a_link_ends_signed_in_at_the_client_in_whatever_browser_it_is_opened,
    opening_a_link_spends_nothing_and_using_it_spends_it,
    a_link_past_its_end_says_so,
    a_newer_link_replaces_an_older_one,
    of_two_browsers_that_use_one_link_at_once_one_goes_on,
    a_ticket_is_for_one_request_of_one_client_in_one_browser_within_a_minute,
    a_ticket_is_no_consent_where_that_is_asked_for,
    a_link_nobody_made_is_unknown,
    a_registration_that_was_finished_elsewhere_is_not_changed_by_a_running_one,
    what_was_bound_before_the_mailbox_was_proven_does_not_survive,
    whoever_proves_the_mailbox_last_goes_on_alone,
    a_new_password_by_link_ends_remember_me_and_what_a_first_try_did_stands,
];

/// Where `link-portal` begins logins.
const START: &str = "https://portal.example/start";

/// A node with a client that has a start page, and an account whose registration is to be completed.
pub async fn prepare(house: &House) -> Arc<Provider> {
    let node = house.node().await;
    for id in ["link-portal", "other-portal"] {
        let client = json!({
            "client_id": id,
            "client_secret": "link-portal-secret-of-the-tests-0123456789",
            "initiate_login_uri": START,
            "countersign_policy": "login-options",
            "countersign_policies": ["login-options", "email", "forgot-password"],
        });
        register_client(&node, client).await;
    }
    let sql = format!("UPDATE users SET registered_at = NULL, terms_version = NULL WHERE email = '{}'", HOSPITAL.0);
    house.database.raw(&sql).await.unwrap();
    node
}

/// Mails a link and reads its token.
pub async fn mail(house: &House, node: &Arc<Provider>) -> SecretString {
    let new = NewLink {
        user: house.user(HOSPITAL.0).await,
        policy: "registration-link".to_owned(),
        template: "account_registration".to_owned(),
        client: Some("link-portal".parse().unwrap()),
        locale: "en".to_owned(),
    };
    assert!(node.mail_link(&new, &RequestContext::default()).await.unwrap());
    house.mailed_link(node, HOSPITAL.0).await
}

async fn open(node: &Provider, person: &Person, token: &SecretString) -> Answered {
    node.open_link(token, person.call()).await.unwrap()
}

async fn follow(node: &Provider, person: &mut Person, token: &SecretString) -> Seen {
    let answered = open(node, person, token).await;
    person.follow(node, answered).await
}

/// Registers by the link, by mail alone; where the browser goes in the end.
async fn register(node: &Provider, person: &mut Person, token: &SecretString) -> Seen {
    let terms = register_again(node, person, token).await.page();
    assert_eq!(terms.view.page, "terms", "{:?}", terms.view.notice);
    person.press(node, &terms, "accept", &[("accept", "on")]).await
}

/// The same for who accepted the terms before.
async fn register_again(node: &Provider, person: &mut Person, token: &SecretString) -> Seen {
    let landing = follow(node, person, token).await.page();
    assert_eq!((landing.view.kind, landing.view.page.as_str()), ("link", "link_landing"));
    let method = person.press(node, &landing, "continue", &[]).await.page();
    assert_eq!(method.view.page, "login_method");
    let password = person.press(node, &method, "email", &[]).await.page();
    assert_eq!(password.view.page, "new_password");
    let typed = "seven quiet herons over the weir";
    person.press(node, &password, "set", &[("new_password", typed), ("confirm_password", typed)]).await
}

async fn a_link_ends_signed_in_at_the_client_in_whatever_browser_it_is_opened(house: House) {
    let node = prepare(&house).await;
    let token = mail(&house, &node).await;
    let mut person = Person::new();
    let end = register(&node, &mut person, &token).await.response();
    assert_eq!(parameter(&end, "iss").as_deref(), Some("https://id.example"));
    assert!(person.cookies.session.is_some());
    let code = person.arrive_from(&node, "link-portal", "prompt=login&max_age=0").await;
    assert!(matches!(code, Seen::Client(_)), "the client's next request counts as this sign-in: {code:?}");
    assert_eq!(house.count("users", "registered_at IS NULL").await, 0);
    for kind in [AuditKind::LinkSent, AuditKind::LinkUsed, AuditKind::RegistrationCompleted, AuditKind::TermsAccepted] {
        assert_eq!(house.events(Some(kind)).await.len(), 1, "{kind:?}");
    }
    let again = person.arrive_from(&node, "link-portal", "prompt=login").await.page();
    assert_eq!(again.view.page, "login_options", "once");
}

async fn opening_a_link_spends_nothing_and_using_it_spends_it(house: House) {
    let node = prepare(&house).await;
    let token = mail(&house, &node).await;
    let (mut person, mut late) = (Person::new(), Person::new());
    for _ in 0..3 {
        open(&node, &person, &token).await;
    }
    assert_eq!(house.count("links", "consumed_at IS NOT NULL").await, 0);
    let landing = follow(&node, &mut late, &token).await.page();
    register(&node, &mut person, &token).await.response();
    let stopped = late.press(&node, &landing, "continue", &[]).await.page();
    assert_eq!(stopped.view.page, "link_expired");
    assert!(stopped.view.controls.iter().all(|control| control.value != "return"), "there is nobody to return to");
    assert_reset_is_offered(&node, &mut late, &token).await;
}

/// The page of a link that is over has its ways on at once, before anything is pressed.
async fn assert_reset_is_offered(node: &Provider, person: &mut Person, token: &SecretString) {
    let dead = follow(node, person, token).await.page();
    assert_eq!(dead.view.page, "link_expired");
    assert_eq!(dead.view.links.iter().map(|link| link.id.as_str()).collect::<Vec<_>>(), ["reset"]);
    assert_eq!(person.press(node, &dead, "reset", &[]).await.page().view.page, "reset_username");
}

async fn a_link_past_its_end_says_so(house: House) {
    let node = prepare(&house).await;
    let token = mail(&house, &node).await;
    let mut person = Person::new();
    let landing = follow(&node, &mut person, &token).await.page();
    house.clock.pass(Seconds::minutes(20));
    assert_reset_is_offered(&node, &mut Person::new(), &token).await;
    let late = person.press(&node, &landing, "continue", &[]).await;
    assert_eq!(late.page().view.page, "link_expired");
    assert_eq!(house.count("links", "consumed_at IS NOT NULL").await, 0);
}

async fn a_newer_link_replaces_an_older_one(house: House) {
    let node = prepare(&house).await;
    let old = mail(&house, &node).await;
    house.clock.pass(Seconds::new(1));
    let new = mail(&house, &node).await;
    assert_reset_is_offered(&node, &mut Person::new(), &old).await;
    register(&node, &mut Person::new(), &new).await.response();
}

async fn of_two_browsers_that_use_one_link_at_once_one_goes_on(house: House) {
    let node = prepare(&house).await;
    let token = mail(&house, &node).await;
    let (mut one, mut two) = (Person::new(), Person::new());
    let first = follow(&node, &mut one, &token).await.page();
    let second = follow(&node, &mut two, &token).await.page();
    let pressed = tokio::join!(one.press(&node, &first, "continue", &[]), two.press(&node, &second, "continue", &[]));
    let mut pages = [pressed.0.page().view.page, pressed.1.page().view.page];
    pages.sort();
    assert_eq!(pages, ["link_expired", "login_method"]);
    assert_eq!(house.events(Some(AuditKind::LinkUsed)).await.len(), 1);
}

async fn a_ticket_is_for_one_request_of_one_client_in_one_browser_within_a_minute(house: House) {
    let node = prepare(&house).await;
    let mut person = Person::new();
    let token = mail(&house, &node).await;
    register(&node, &mut person, &token).await.response();
    let asked = "prompt=login";
    assert_eq!(Person::new().arrive_from(&node, "link-portal", asked).await.page().view.page, "login_options");
    assert_eq!(person.arrive_from(&node, "other-portal", asked).await.page().view.page, "login_options");
    let (mut one, mut two) = (person.clone(), person.clone());
    let both = tokio::join!(one.arrive_from(&node, "link-portal", asked), two.arrive_from(&node, "link-portal", asked));
    let answered = [&both.0, &both.1].into_iter().filter(|seen| matches!(seen, Seen::Client(_))).count();
    assert_eq!(answered, 1, "one of two at once");

    let sql = format!("UPDATE users SET registered_at = NULL WHERE email = '{}'", HOSPITAL.0);
    house.database.raw(&sql).await.unwrap();
    house.clock.pass(Seconds::new(1));
    let token = mail(&house, &node).await;
    assert!(matches!(register_again(&node, &mut person, &token).await, Seen::Client(_)));
    house.clock.pass(Seconds::minutes(1));
    assert_eq!(person.arrive_from(&node, "link-portal", asked).await.page().view.page, "login_options", "too late");
}

/// A second factor that somebody else bound to the account.
async fn plant(house: &House) {
    let user = house.user(HOSPITAL.0).await;
    for (number, kind, value) in
        [(1, "totp", "AAAA"), (2, "phone", "+12025550199"), (3, "mailbox", "thief@evil.example")]
    {
        let id = format!("01890000-0000-7000-8000-00000000000{number}");
        let sql = format!(
            "INSERT INTO factors (id, user_id, kind, value, bound_at) VALUES ('{id}', '{user}', '{kind}', '{value}', 0)"
        );
        house.database.raw(&sql).await.unwrap();
    }
}

async fn factors(house: &House) -> Vec<String> {
    let user = house.user(HOSPITAL.0).await;
    house.texts(&format!("SELECT value AS text FROM factors WHERE user_id = '{user}' ORDER BY value")).await
}

async fn what_was_bound_before_the_mailbox_was_proven_does_not_survive(house: House) {
    let node = prepare(&house).await;
    plant(&house).await;
    let user = house.user(HOSPITAL.0).await;
    let passwords = async || house.count("password_credentials", &format!("user_id = '{user}'")).await;
    let mut person = Person::new();
    let landing = follow(&node, &mut person, &mail(&house, &node).await).await.page();
    assert_eq!((factors(&house).await.len(), passwords().await), (4, 1), "opening changes nothing");
    person.press(&node, &landing, "continue", &[]).await.page();
    assert_eq!((factors(&house).await, passwords().await), (vec![HOSPITAL.0.to_owned()], 0));
    house.clock.pass(Seconds::new(1));
    register(&node, &mut Person::new(), &mail(&house, &node).await).await.response();
    assert_eq!((factors(&house).await, passwords().await), (vec![HOSPITAL.0.to_owned()], 1));
    // What a finished account holds is not touched by a link to it.
    plant_finished(&house, &node).await;
}

async fn plant_finished(house: &House, node: &Arc<Provider>) {
    let token = mail(house, node).await;
    plant(house).await;
    let mut person = Person::new();
    let landing = follow(node, &mut person, &token).await.page();
    person.press(node, &landing, "continue", &[]).await.page();
    assert_eq!(factors(house).await.len(), 4);
}

async fn whoever_proves_the_mailbox_last_goes_on_alone(house: House) {
    let node = prepare(&house).await;
    let mut first = Person::new();
    let landing = follow(&node, &mut first, &mail(&house, &node).await).await.page();
    let method = first.press(&node, &landing, "continue", &[]).await.page();
    let password = first.press(&node, &method, "email", &[]).await.page();
    house.clock.pass(Seconds::new(1));
    let mut last = Person::new();
    let landing = follow(&node, &mut last, &mail(&house, &node).await).await.page();
    let method = last.press(&node, &landing, "continue", &[]).await.page();
    let typed = "seven quiet herons over the weir";
    let fields = [("new_password", typed), ("confirm_password", typed)];
    // Twice: who lost a race gives the flow back at once, not when the lease ends.
    let mut seen = password;
    for _ in 0..2 {
        seen = first.press(&node, &seen, "set", &fields).await.page();
        assert_eq!(seen.view.page, "new_password", "nothing was done: {:?}", seen.view.notice);
    }
    assert_eq!(house.count("password_credentials", &format!("user_id = '{}'", house.user(HOSPITAL.0).await)).await, 0);
    let password = last.press(&node, &method, "email", &[]).await.page();
    let terms = last.press(&node, &password, "set", &fields).await.page();
    last.press(&node, &terms, "accept", &[("accept", "on")]).await.response();
}

async fn a_registration_that_was_finished_elsewhere_is_not_changed_by_a_running_one(house: House) {
    let node = prepare(&house).await;
    let mut intruder = Person::new();
    let landing = follow(&node, &mut intruder, &mail(&house, &node).await).await.page();
    let method = intruder.press(&node, &landing, "continue", &[]).await.page();
    let password = intruder.press(&node, &method, "phone", &[]).await.page();
    assert_eq!(password.view.page, "new_password");
    let sql = format!("UPDATE users SET registered_at = 1 WHERE email = '{}'", HOSPITAL.0);
    house.database.raw(&sql).await.unwrap();
    let before = house.texts("SELECT phc AS text FROM password_credentials").await;
    let typed = "seven quiet herons over the weir";
    let fields = [("new_password", typed), ("confirm_password", typed)];
    let seen = intruder.press(&node, &password, "set", &fields).await;
    assert!(!matches!(seen, Seen::Page(_)), "{seen:?}");
    assert_eq!(house.texts("SELECT phc AS text FROM password_credentials").await, before);
}

/// The sign-in counts, the person's word does not: `prompt=consent` asks for that alone.
async fn a_ticket_is_no_consent_where_that_is_asked_for(house: House) {
    let node = prepare(&house).await;
    let token = mail(&house, &node).await;
    let mut person = Person::new();
    register(&node, &mut person, &token).await.response();
    let asked = person.arrive_from(&node, "link-portal", "prompt=login%20consent").await.response();
    let Response::Redirect(uri) = asked else { panic!("{asked:?}") };
    assert!(uri.starts_with("/consent/"), "{uri}");
    assert_eq!(house.count("authorization_codes", "1 = 1").await, 0);
}

async fn a_link_nobody_made_is_unknown(house: House) {
    let node = prepare(&house).await;
    for token in ["short".to_owned(), "A".repeat(43), "A".repeat(9000)] {
        let seen = follow(&node, &mut Person::new(), &SecretString::from(token)).await;
        assert!(matches!(seen, Seen::DeadLink("link_unknown")));
    }
}

async fn a_new_password_by_link_ends_remember_me_and_what_a_first_try_did_stands(house: House) {
    let node = prepare(&house).await;
    let sql = |value: &str| {
        format!("UPDATE users SET registered_at = {value}, terms_version = '1' WHERE email = '{}'", HOSPITAL.0)
    };
    house.database.raw(&sql("1")).await.unwrap();
    let mut elsewhere = Person::new();
    elsewhere.sign_in(&house, &node, HOSPITAL, true).await;
    assert!(matches!(elsewhere.arrive(&node, "p=email").await, Seen::Client(_)));
    house.database.raw(&sql("NULL")).await.unwrap();
    let token = mail(&house, &node).await;
    register_again(&node, &mut Person::new(), &token).await.response();
    assert_eq!(house.count("remembered_logins", "1 = 1").await, 0);
    assert_eq!(elsewhere.arrive(&node, "p=email").await.page().view.page, "sign_in");
    assert_eq!(house.events(Some(AuditKind::PasswordChanged)).await.len(), 1);
}
