//! Single sign-on, prompt, max_age, and the limits of a session.

use countersign_model::Seconds;
use countersign_service::policy::totp;
use countersign_service::{NewAccount, Provider};
use countersign_tests::provider::{
    ALICE, Credentials, HOSPITAL, House, PORTAL_SECRET, PORTAL_URI, Person, Seen, redeem, redeem_as, register_client,
};
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::claims::id_claims;

on_both_stores![
    a_lab_session_answers_the_next_request,
    a_stronger_session_answers_for_lab_and_not_the_other_way_round,
    prompt_none_never_shows_a_page,
    prompt_none_is_answered_by_a_remembered_login_of_any_policy_allowed,
    prompt_login_beats_session_and_remember_me,
    max_age_is_counted_to_the_second,
    a_session_ends_after_an_hour_without_use,
    a_session_ends_after_twelve_hours_whatever_happens,
    a_step_up_makes_no_session_longer_and_no_password_younger,
    a_step_up_knows_its_person_by_the_name_of_the_clients_sector,
];

async fn sign_in_at_lab(house: &House, person: &mut Person) {
    let node = house.node().await;
    let sign_in = person.arrive_from(&node, "lab-suite", "").await.page();
    person.give_password(&node, &sign_in, ALICE).await.code();
}

async fn a_lab_session_answers_the_next_request(house: House) {
    let node = house.node().await;
    let mut person = Person::new();
    sign_in_at_lab(&house, &mut person).await;
    let first = house.clock.now();
    house.clock.pass(Seconds::minutes(5));
    let code = person.arrive(&node, "p=lab").await.code();
    let claims = id_claims(&redeem(&node, &code).await.unwrap().unwrap());
    assert_eq!(
        (&claims["auth_time"], &claims["acr"]),
        (&first.as_secs().into(), &"urn:countersign:acr:password".into())
    );
    assert_eq!(
        person.arrive(&node, "").await.page().view.page,
        "login_options",
        "it is no answer for a stronger login"
    );
    assert_eq!(person.arrive(&node, "p=email").await.page().view.page, "sign_in");
}

async fn a_stronger_session_answers_for_lab_and_not_the_other_way_round(house: House) {
    let node = house.node().await;
    let mut person = Person::new();
    person.sign_in(&house, &node, HOSPITAL, false).await;
    let code = person.arrive(&node, "p=lab").await.code();
    let claims = id_claims(&redeem(&node, &code).await.unwrap().unwrap());
    assert_eq!(claims["acr"], "urn:countersign:acr:password-email");
    assert_eq!(person.arrive(&node, "p=email").await.page().view.page, "sign_in", "email asks for a Remember Me box");
}

async fn prompt_none_never_shows_a_page(house: House) {
    let node = house.node().await;
    let mut person = Person::new();
    assert_eq!(person.arrive_from(&node, "lab-suite", "prompt=none").await.error(), "login_required");
    assert_eq!(person.arrive(&node, "prompt=none").await.error(), "login_required");
    sign_in_at_lab(&house, &mut person).await;
    person.arrive_from(&node, "lab-suite", "prompt=none").await.code();
    assert_eq!(person.arrive(&node, "prompt=none&p=email").await.error(), "login_required");
}

async fn prompt_none_is_answered_by_a_remembered_login_of_any_policy_allowed(house: House) {
    let node = house.node().await;
    let mut person = Person::new();
    person.sign_in(&house, &node, HOSPITAL, false).await;
    assert_eq!(person.arrive(&node, "prompt=none").await.error(), "login_required", "a session alone is not enough");
    person.sign_in(&house, &node, HOSPITAL, true).await;
    person.arrive(&node, "prompt=none").await.code();
    house.clock.pass(Seconds::hours(4));
    assert_eq!(person.arrive(&node, "prompt=none").await.error(), "login_required");
}

async fn prompt_login_beats_session_and_remember_me(house: House) {
    let node = house.node().await;
    let mut person = Person::new();
    person.sign_in(&house, &node, HOSPITAL, true).await;
    house.clock.pass(Seconds::new(40));
    assert_eq!(person.arrive(&node, "p=email&prompt=login").await.page().view.page, "sign_in");
    let options = person.arrive(&node, "prompt=login").await.page();
    let sign_in = person.press(&node, &options, "email", &[("remember_customers", "on")]).await.page();
    assert_eq!(sign_in.view.page, "sign_in", "what is remembered answers for nothing here");
    let page = person.give_password(&node, &sign_in, HOSPITAL).await.page();
    let verified = person.prove_mailbox(&house, &node, &page, HOSPITAL).await;
    let code = person.press(&node, &verified, "continue", &[]).await.code();
    let claims = id_claims(&redeem(&node, &code).await.unwrap().unwrap());
    assert_eq!(claims["auth_time"], house.clock.now().as_secs());

    let mut person = Person::new();
    sign_in_at_lab(&house, &mut person).await;
    assert_eq!(person.arrive_from(&node, "lab-suite", "prompt=login").await.page().view.page, "sign_in");
}

async fn max_age_is_counted_to_the_second(house: House) {
    let node = house.node().await;
    let mut person = Person::new();
    sign_in_at_lab(&house, &mut person).await;
    house.clock.pass(Seconds::new(60));
    person.arrive_from(&node, "lab-suite", "max_age=60").await.code();
    house.clock.pass(Seconds::new(1));
    assert_eq!(person.arrive_from(&node, "lab-suite", "max_age=60").await.page().view.page, "sign_in");
    assert_eq!(person.arrive_from(&node, "lab-suite", "max_age=60&prompt=none").await.error(), "login_required");
    assert_eq!(person.arrive_from(&node, "lab-suite", "max_age=0").await.page().view.page, "sign_in");

    person.sign_in(&house, &node, HOSPITAL, true).await;
    house.clock.pass(Seconds::new(61));
    let options = person.arrive(&node, "max_age=60").await.page();
    let sign_in = person.press(&node, &options, "email", &[("remember_customers", "on")]).await.page();
    assert_eq!(sign_in.view.page, "sign_in", "a remembered login can be too old");
}

async fn a_session_ends_after_an_hour_without_use(house: House) {
    let node = house.node().await;
    let mut person = Person::new();
    sign_in_at_lab(&house, &mut person).await;
    for _ in 0..3 {
        house.clock.pass(Seconds::new(3599));
        assert!(matches!(person.arrive_from(&node, "lab-suite", "").await, Seen::Client(_)), "use keeps it alive");
    }
    house.clock.pass(Seconds::new(3600));
    assert_eq!(person.arrive_from(&node, "lab-suite", "").await.page().view.page, "sign_in");
}

async fn a_session_ends_after_twelve_hours_whatever_happens(house: House) {
    let node = house.node().await;
    let mut person = Person::new();
    sign_in_at_lab(&house, &mut person).await;
    for _ in 0..23 {
        house.clock.pass(Seconds::minutes(30));
        assert!(matches!(person.arrive_from(&node, "lab-suite", "").await, Seen::Client(_)));
    }
    house.clock.pass(Seconds::new(1799));
    assert!(matches!(person.arrive_from(&node, "lab-suite", "").await, Seen::Client(_)));
    house.clock.pass(Seconds::new(1));
    assert_eq!(person.arrive_from(&node, "lab-suite", "").await.page().view.page, "sign_in");
}

/// Of the app of [`with_app`].
pub const SEED: &str = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP";

/// Somebody with a password and an authenticator app.
pub async fn with_app(node: &Provider) -> Credentials {
    let steve = ("steve@example.com", "copper-lantern-3304-owl");
    let account = NewAccount {
        email: steve.0.to_owned(),
        password: Some(SecretString::from(steve.1)),
        totp_seed: Some(SecretString::from(SEED)),
        ..NewAccount::default()
    };
    node.create_account(&account).await.unwrap().expect("new");
    steve
}

/// OpenID Connect Core, 8: a pairwise client's hint is not the name that others know the person by.
async fn a_step_up_knows_its_person_by_the_name_of_the_clients_sector(house: House) {
    let node = house.node().await;
    let steve = with_app(&node).await;
    let client = json!({
        "client_id": "pairwise", "subject_type": "pairwise", "grant_types": ["authorization_code"],
        "countersign_policy": "lab", "countersign_policies": ["lab", "step-up-totp"],
    });
    register_client(&node, client).await;
    let mut hints = Vec::new();
    let mut people = [Person::new(), Person::new()];
    for (person, who) in people.iter_mut().zip([steve, ALICE]) {
        let page = person.arrive_from(&node, "pairwise", "").await.page();
        let code = person.give_password(&node, &page, who).await.code();
        let tokens = redeem_as(&node, "pairwise", &code).await.unwrap().unwrap();
        assert_ne!(id_claims(&tokens)["sub"], house.user(who.0).await.as_str());
        hints.push(tokens["id_token"].as_str().unwrap().to_owned());
    }
    for (hint, page) in [(&hints[0], "totp"), (&hints[1], "sign_in")] {
        let more = format!("p=step-up-totp&id_token_hint={hint}");
        let shown = people[0].arrive_from(&node, "pairwise", &more).await.page();
        assert_eq!(shown.view.page, page);
    }
}

async fn a_step_up_makes_no_session_longer_and_no_password_younger(house: House) {
    let node = house.node().await;
    let steve = with_app(&node).await;
    let client = json!({
        "client_id": "stepper",
        "client_secret": PORTAL_SECRET,
        "redirect_uris": [PORTAL_URI],
        "token_endpoint_auth_method": "client_secret_post",
        "grant_types": ["authorization_code"],
        "scope": "openid",
        "countersign_policy": "lab",
        "countersign_policies": ["lab", "step-up-totp"],
        "countersign_first_party": true,
    });
    node.register_client(&serde_json::from_value(client).unwrap()).await.unwrap();
    let began = house.clock.now();
    let mut person = Person::new();
    let page = person.arrive_from(&node, "stepper", "").await.page();
    person.give_password(&node, &page, steve).await.code();
    for _ in 0..22 {
        house.clock.pass(Seconds::minutes(30));
        assert!(matches!(person.arrive_from(&node, "stepper", "").await, Seen::Client(_)));
    }
    let page = person.arrive_from(&node, "stepper", "p=step-up-totp").await.page();
    assert_eq!(page.view.page, "totp", "the session's password counts");
    let seed = totp::parse_seed(SEED).unwrap();
    let code = totp::code_at(&seed, house.clock.now().as_secs() / 30).unwrap();
    person.press(&node, &page, "verify", &[("code", &code)]).await.code();
    let sql = "SELECT authentication AS text FROM browser_sessions WHERE ended_at IS NULL";
    let session: Value = serde_json::from_str(&house.texts(sql).await[0]).unwrap();
    assert_eq!(session["auth_time"], json!(began.as_millis()));
    let end = began.plus(Seconds::hours(12)).as_millis();
    assert_eq!(house.count("browser_sessions", &format!("ended_at IS NULL AND expires_at = {end}")).await, 1);
    let asked = person.arrive_from(&node, "stepper", "p=step-up-totp&max_age=60").await.page();
    assert_eq!(asked.view.page, "sign_in", "the password is eleven hours old");
    house.clock.pass(Seconds::minutes(29));
    assert!(matches!(person.arrive_from(&node, "stepper", "").await, Seen::Client(_)));
    house.clock.pass(Seconds::minutes(30));
    assert!(matches!(person.arrive_from(&node, "stepper", "").await, Seen::Client(_)));
    house.clock.pass(Seconds::minutes(1));
    assert_eq!(person.arrive_from(&node, "stepper", "").await.page().view.page, "sign_in", "twelve hours are over");
}
