//! Sign-in at an upstream provider: who is let in, and that it happens once.

use countersign_model::{Role, Seconds};
use countersign_service::policy::totp;
use countersign_service::{
    AccountAnswer, AccountCall, Answered, ClaimNames, FederationSettings, Invitation, LinkRule, Provider,
    RegistrationReset, RequestContext, Response, RoleChange, SetupRefusal, UpstreamAnswer,
};
use countersign_tests::provider::{
    CLINIC, Corporate, House, NodePlan, Person, Seen, UserInfo, code_in, parameter, register_client,
};
use secrecy::SecretString;
use serde_json::{Value, json};
use std::sync::Arc;

on_both_stores!(
    an_employee_goes_upstream_and_comes_back_signed_in,
    a_replayed_callback_gets_the_same_answer,
    two_callbacks_for_one_new_person_make_one_account,
    a_callback_counts_in_its_own_browser_alone,
    whoever_is_not_vouched_for_is_refused,
    an_address_that_passes_on_takes_no_account_along,
    an_account_made_beforehand_is_adopted_unless_somebody_holds_it,
    a_new_key_is_fetched_once,
    an_account_that_a_stranger_made_under_the_address_is_not_adopted,
    a_sign_in_upstream_an_hour_ago_is_told_as_such_and_makes_no_session_younger,
    a_sign_in_upstream_is_as_young_as_the_client_wants_it,
    a_typed_address_of_the_provider_leads_there_and_is_suggested_there,
    which_addresses_lead_upstream_tells_nothing_of_accounts,
    a_provider_may_name_its_claims_otherwise,
    what_the_id_token_does_not_say_of_a_new_person_is_asked_of_userinfo,
    who_is_invited_at_an_address_of_the_provider_registers_there,
    the_link_of_a_reset_leads_there_as_an_invitation_does,
    a_new_provider_at_an_address_of_the_provider_is_led_there_and_no_account_is_made,
    an_administrator_from_upstream_gets_into_the_console_once_two_factors_are_proven,
    nobody_else_binds_an_app_for_who_is_signed_in,
    who_signs_in_upstream_alone_closes_the_account_by_it_and_is_asked_for_no_password,
);

const DOMAINS: &[&str] = &["corp.example.com", "example.com"];

async fn open(house: &House, link: LinkRule) -> (Arc<Provider>, Corporate) {
    let corporate = Corporate::open(&house.clock).await;
    let node = house.node_with(NodePlan { upstreams: vec![corporate.settings(link, DOMAINS)], ..house.plan() }).await;
    let client = json!({
        "client_id": "staff",
        "client_name": "Staff",
        "countersign_policy": "employees",
    });
    register_client(&node, client).await;
    (node, corporate)
}

fn nurse() -> Value {
    json!({
        "sub": "e-17", "email": "Nurse@Corp.example.com", "email_verified": true,
        "given_name": "Ann", "family_name": "Lee",
    })
}

async fn leave(person: &mut Person, node: &Provider) -> Response {
    person.arrive_from(node, "staff", "prompt=login").await.response()
}

async fn call_back(person: &Person, node: &Provider, answer: &UpstreamAnswer) -> Answered {
    node.federation_callback("corporate", answer.clone(), person.call()).await.unwrap()
}

async fn come(person: &mut Person, node: &Provider, corporate: &Corporate, claims: &Value) -> Seen {
    let sent = leave(person, node).await;
    let answered = call_back(person, node, &corporate.vouch(&sent, claims)).await;
    person.follow(node, answered).await
}

async fn users(house: &House) -> Vec<String> {
    house.texts("SELECT email AS text FROM users WHERE email LIKE '%corp.example.com'").await
}

async fn linked(house: &House) -> Vec<String> {
    house.texts("SELECT user_id AS text FROM federated_identities").await
}

async fn reasons(house: &House) -> Vec<String> {
    let sql = "SELECT detail AS text FROM audit_events WHERE kind = 'federation.refused' ORDER BY id";
    house.texts(sql).await
}

async fn an_employee_goes_upstream_and_comes_back_signed_in(house: House) {
    let (node, corporate) = open(&house, LinkRule::Create).await;
    let mut person = Person::new();
    let sent = leave(&mut person, &node).await;
    for (name, value) in [
        ("response_type", "code"),
        ("redirect_uri", "https://id.example/federation/corporate/callback"),
        ("scope", "openid email profile"),
        ("prompt", "login"),
        ("max_age", "0"),
    ] {
        assert_eq!(parameter(&sent, name).as_deref(), Some(value));
    }
    let answered = call_back(&person, &node, &corporate.vouch(&sent, &nurse())).await;
    let code = person.follow(&node, answered).await.code();
    assert!(!code.is_empty());
    assert_eq!(users(&house).await, ["nurse@corp.example.com"]);
    // The second time the provider's subject is enough, whatever became of the address.
    let renamed = json!({ "sub": "e-17", "email": "ann@elsewhere.example", "email_verified": false });
    come(&mut Person::new(), &node, &corporate, &renamed).await.code();
    assert_eq!((users(&house).await.len(), linked(&house).await.len()), (1, 1));
}

async fn a_replayed_callback_gets_the_same_answer(house: House) {
    let (node, corporate) = open(&house, LinkRule::Create).await;
    let mut person = Person::new();
    let sent = leave(&mut person, &node).await;
    let answer = corporate.vouch(&sent, &nurse());
    let first = call_back(&person, &node, &answer).await;
    let again = call_back(&person, &node, &answer).await;
    let first = person.follow(&node, first).await.response();
    let again = person.follow(&node, again).await.response();
    assert_eq!((code_in(&first), corporate.exchanges()), (code_in(&again), 1));
    assert_eq!(house.texts("SELECT id AS text FROM browser_sessions").await.len(), 1);
}

async fn two_callbacks_for_one_new_person_make_one_account(house: House) {
    let (node, corporate) = open(&house, LinkRule::Create).await;
    let mut people = [Person::new(), Person::new()];
    let mut answers = Vec::new();
    for person in &mut people {
        let sent = leave(person, &node).await;
        answers.push(corporate.vouch(&sent, &nurse()));
    }
    let both = futures_util::future::join(
        call_back(&people[0], &node, &answers[0]),
        call_back(&people[1], &node, &answers[1]),
    );
    let (one, other) = both.await;
    for (person, answered) in people.iter_mut().zip([one, other]) {
        let seen = person.follow(&node, answered).await.response();
        // Who came second is sent upstream once more, and is known there by then.
        let seen = if parameter(&seen, "code_challenge").is_some() {
            let answered = call_back(person, &node, &corporate.vouch(&seen, &nurse())).await;
            person.follow(&node, answered).await.response()
        } else {
            seen
        };
        assert!(!code_in(&seen).is_empty());
    }
    assert_eq!((users(&house).await.len(), linked(&house).await.len()), (1, 1));
}

async fn a_callback_counts_in_its_own_browser_alone(house: House) {
    let (node, corporate) = open(&house, LinkRule::Create).await;
    let (mut person, mut stranger) = (Person::new(), Person::new());
    let sent = leave(&mut person, &node).await;
    leave(&mut stranger, &node).await;
    let answer = corporate.vouch(&sent, &nurse());
    for browser in [&stranger, &Person::new()] {
        let answered = call_back(browser, &node, &answer).await;
        assert!(matches!(browser.clone().follow(&node, answered).await, Seen::Gone));
    }
    let answered = node.federation_callback("another", answer.clone(), person.call()).await.unwrap();
    assert!(matches!(person.clone().follow(&node, answered).await, Seen::Gone));
    assert_eq!(corporate.exchanges(), 0);
    let answered = call_back(&person, &node, &answer).await;
    person.follow(&node, answered).await.code();
}

async fn whoever_is_not_vouched_for_is_refused(house: House) {
    let (node, corporate) = open(&house, LinkRule::Create).await;
    let before = house.texts("SELECT id AS text FROM users").await.len();
    let with = |change: Value| {
        let mut claims = nurse();
        claims.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        claims
    };
    for (claims, reason) in [
        (with(json!({ "email_verified": false })), "not verified"),
        (with(json!({ "email_verified": "true" })), "not verified"),
        (with(json!({ "email": null })), "no mail address"),
        (with(json!({ "email": "nurse@corp.example.com.evil.example" })), "foreign domain"),
        (with(json!({ "email": "nurse@sub.corp.example.com" })), "foreign domain"),
        (with(json!({ "email": "a@evil.example@corp.example.com" })), "malformed"),
        (with(json!({ "email": CLINIC.0 })), "has a password"),
        (with(json!({ "nonce": "another" })), "does not count"),
        (with(json!({ "aud": "another" })), "does not count"),
        (with(json!({ "exp": 0 })), "does not count"),
    ] {
        // The newest event is told by its time.
        house.clock.pass(Seconds::new(1));
        let page = come(&mut Person::new(), &node, &corporate, &claims).await.page();
        assert_eq!(page.view.page, "federation_refused", "{claims}");
        let told = reasons(&house).await;
        assert!(told.last().unwrap().contains(reason), "{claims}: {told:?}");
    }
    let mut person = Person::new();
    for spoil in [
        |answer: &mut UpstreamAnswer| answer.iss = Some("https://evil.example".to_owned()),
        |answer: &mut UpstreamAnswer| answer.iss = None,
        |answer: &mut UpstreamAnswer| answer.error = Some("access_denied".to_owned()),
        |answer: &mut UpstreamAnswer| answer.code = None,
        |answer: &mut UpstreamAnswer| answer.code = Some("made-up".to_owned()),
    ] {
        let sent = leave(&mut person, &node).await;
        let mut answer = corporate.vouch(&sent, &nurse());
        spoil(&mut answer);
        let answered = call_back(&person, &node, &answer).await;
        assert_eq!(person.follow(&node, answered).await.page().view.page, "federation_refused");
    }
    assert!(linked(&house).await.is_empty());
    assert_eq!(house.texts("SELECT id AS text FROM users").await.len(), before);
}

async fn an_address_that_passes_on_takes_no_account_along(house: House) {
    let (node, corporate) = open(&house, LinkRule::Create).await;
    come(&mut Person::new(), &node, &corporate, &nurse()).await.code();
    let successor = json!({ "sub": "e-18", "email": "nurse@corp.example.com", "email_verified": true });
    let page = come(&mut Person::new(), &node, &corporate, &successor).await.page();
    assert_eq!(page.view.page, "federation_refused");
    assert_eq!(linked(&house).await.len(), 1);
}

async fn an_account_made_beforehand_is_adopted_unless_somebody_holds_it(house: House) {
    let (node, corporate) = open(&house, LinkRule::Existing).await;
    let page = come(&mut Person::new(), &node, &corporate, &nurse()).await.page();
    assert_eq!(page.view.page, "federation_refused", "nobody made an account");
    come(&mut Person::new(), &node, &corporate, &json!({ "sub": "e-1" })).await.page();
    let id = "01890000-0000-7000-8000-000000000001";
    let columns = "id, email, status, roles, profile, created_at, updated_at";
    let values = format!("'{id}', 'nurse@corp.example.com', 'active', '[]', '{{}}', 0, 0");
    house.database.raw(&format!("INSERT INTO users ({columns}) VALUES ({values})")).await.unwrap();
    come(&mut Person::new(), &node, &corporate, &nurse()).await.code();
    assert_eq!(linked(&house).await, [id]);
}

async fn an_account_that_a_stranger_made_under_the_address_is_not_adopted(house: House) {
    for link in [LinkRule::Create, LinkRule::Existing] {
        let planted = "01890000-0000-7000-8000-000000000001";
        for sql in [
            format!(
                "INSERT INTO users (id, email, username, organization, status, roles, profile, created_at, updated_at) \
                 VALUES ('{planted}', 'nurse@corp.example.com', 'thief', NULL, 'active', '[]', '{{}}', 0, 0)"
            ),
            format!("INSERT INTO unfinished_accounts (user_id, made_at, claimed) VALUES ('{planted}', 0, FALSE)"),
            format!("INSERT INTO password_credentials (user_id, phc, changed_at) VALUES ('{planted}', 'x', 0)"),
            format!(
                "INSERT INTO factors (id, user_id, kind, value, bound_at) \
                 VALUES ('{planted}', '{planted}', 'phone', '+12025550199', 0)"
            ),
        ] {
            house.database.raw(&sql).await.unwrap();
        }
        let (node, corporate) = open(&house, link).await;
        let seen = come(&mut Person::new(), &node, &corporate, &nurse()).await;
        if link == LinkRule::Existing {
            assert_eq!(seen.page().view.page, "federation_refused", "no operator made it");
            continue;
        }
        seen.code();
        assert_eq!(users(&house).await, ["nurse@corp.example.com"]);
        assert_ne!(linked(&house).await, [planted]);
        for (table, column) in [("users", "id"), ("password_credentials", "user_id"), ("factors", "user_id")] {
            assert_eq!(house.count(table, &format!("{column} = '{planted}'")).await, 0, "{table}");
        }
        assert_eq!(house.count("users", "username = 'thief'").await, 0);
        house.database.raw("DELETE FROM federated_identities").await.unwrap();
        house.database.raw("UPDATE users SET email = NULL WHERE email = 'nurse@corp.example.com'").await.unwrap();
    }
}

async fn a_new_key_is_fetched_once(house: House) {
    let (node, corporate) = open(&house, LinkRule::Create).await;
    come(&mut Person::new(), &node, &corporate, &nurse()).await.code();
    corporate.change_key();
    let page = come(&mut Person::new(), &node, &corporate, &nurse()).await.page();
    assert_eq!(page.view.page, "federation_refused", "the keys were fetched a moment ago");
    house.clock.pass(Seconds::new(31));
    come(&mut Person::new(), &node, &corporate, &nurse()).await.code();
}

async fn a_sign_in_upstream_is_as_young_as_the_client_wants_it(house: House) {
    let (node, corporate) = open(&house, LinkRule::Create).await;
    let hour_ago = house.clock.now().as_secs() - 3600;
    let vouched = |auth_time: Value| {
        let mut claims = nurse();
        claims["auth_time"] = auth_time;
        claims
    };
    // Who takes `prompt` and `max_age` out of the address gets the old sign-in vouched for, or none.
    for (asked, auth_time) in [
        ("prompt=login", json!(hour_ago)),
        ("max_age=0", json!(hour_ago)),
        ("max_age=600", json!(hour_ago)),
        ("max_age=600", json!("never")),
    ] {
        house.clock.pass(Seconds::new(1));
        let mut person = Person::new();
        let sent = person.arrive_from(&node, "staff", asked).await.response();
        let answered = call_back(&person, &node, &corporate.vouch(&sent, &vouched(auth_time))).await;
        assert_eq!(person.follow(&node, answered).await.page().view.page, "federation_refused", "{asked}");
    }
    assert!(reasons(&house).await[0].contains("no recent sign-in there"));
    let mut person = Person::new();
    let sent = person.arrive_from(&node, "staff", "max_age=4000").await.response();
    assert_eq!((parameter(&sent, "max_age").as_deref(), parameter(&sent, "prompt")), (Some("4000"), None));
    let answered = call_back(&person, &node, &corporate.vouch(&sent, &vouched(json!(hour_ago)))).await;
    person.follow(&node, answered).await.code();
    // The session is as old as that sign-in, not as this request.
    let session = house.texts("SELECT authentication AS text FROM browser_sessions").await;
    let session: Value = serde_json::from_str(&session[0]).unwrap();
    assert_eq!(session["auth_time"], json!(hour_ago * 1000));
}

async fn a_sign_in_upstream_an_hour_ago_is_told_as_such_and_makes_no_session_younger(house: House) {
    let (node, corporate) = open(&house, LinkRule::Create).await;
    let hour_ago = house.clock.now().as_secs() - 3600;
    let mut claims = nurse();
    claims["auth_time"] = json!(hour_ago);
    let mut person = Person::new();
    // A repeated silent sign-in there, of one and the same proof.
    for _ in 0..2 {
        let sent = person.arrive_from(&node, "staff", "max_age=9000").await;
        let Seen::Client(response) = sent else { panic!("{sent:?}") };
        if parameter(&response, "code").is_none() {
            let answered = call_back(&person, &node, &corporate.vouch(&response, &claims)).await;
            person.follow(&node, answered).await.code();
        }
        house.clock.pass(Seconds::minutes(10));
    }
    let grants = house.texts("SELECT authentication AS text FROM grants").await;
    assert!(!grants.is_empty());
    for grant in grants {
        let grant: Value = serde_json::from_str(&grant).unwrap();
        assert_eq!(grant["auth_time"], json!(hour_ago * 1000));
    }
    // Whoever asks for a younger one is sent upstream, not answered from that.
    let sent = person.arrive_from(&node, "staff", "max_age=1800").await.response();
    assert_eq!(parameter(&sent, "max_age").as_deref(), Some("1800"));
}

/// A node whose provider's people alone have `corp.example.com`, and a client that signs in by mail.
async fn open_with_mail(house: &House) -> (Arc<Provider>, Corporate) {
    let corporate = Corporate::open(&house.clock).await;
    let upstreams = vec![corporate.settings(LinkRule::Create, &["corp.example.com"])];
    (house.node_with(NodePlan { upstreams, ..house.plan() }).await, corporate)
}

async fn type_address(person: &mut Person, node: &Provider, address: &str) -> Seen {
    let page = person.arrive(node, "p=email&prompt=login").await.page();
    person.press(node, &page, "login", &[("email", address), ("password", "whatever it is")]).await
}

async fn a_typed_address_of_the_provider_leads_there_and_is_suggested_there(house: House) {
    let (node, corporate) = open_with_mail(&house).await;
    let mut person = Person::new();
    let sent = type_address(&mut person, &node, " Nurse@Corp.example.com").await.response();
    assert_eq!(parameter(&sent, "login_hint").as_deref(), Some("nurse@corp.example.com"));
    let answered = call_back(&person, &node, &corporate.vouch(&sent, &nurse())).await;
    assert!(!person.follow(&node, answered).await.code().is_empty());
    assert_eq!(users(&house).await, ["nurse@corp.example.com"]);
    // "Forgot your password?" has none to set here.
    let mut person = Person::new();
    let page = person.arrive(&node, "p=email&prompt=login").await.page();
    let page = person.press(&node, &page, "forgot", &[]).await.page();
    let sent = person.press(&node, &page, "send", &[("email", "nurse@corp.example.com")]).await.response();
    assert_eq!(parameter(&sent, "login_hint").as_deref(), Some("nurse@corp.example.com"));
    assert_eq!(house.count("outbox", "TRUE").await, 0);
}

async fn which_addresses_lead_upstream_tells_nothing_of_accounts(house: House) {
    let (node, corporate) = open_with_mail(&house).await;
    let mut person = Person::new();
    let sent = type_address(&mut person, &node, "nurse@corp.example.com").await.response();
    call_back(&person, &node, &corporate.vouch(&sent, &nurse())).await;
    let known = type_address(&mut Person::new(), &node, "nurse@corp.example.com").await.response();
    let unknown = type_address(&mut Person::new(), &node, "nobody@corp.example.com").await.response();
    for name in ["client_id", "scope", "redirect_uri", "max_age", "prompt"] {
        assert_eq!(parameter(&known, name), parameter(&unknown, name), "{name}");
    }
    for (other, address) in [("known", CLINIC.0), ("unknown", "nobody@example.com")] {
        let page = type_address(&mut Person::new(), &node, address).await.page();
        assert_eq!(
            (page.view.page.as_str(), page.view.notice.map(|notice| notice.key)),
            ("sign_in", Some("wrong")),
            "{other}"
        );
    }
}

async fn a_provider_may_name_its_claims_otherwise(house: House) {
    let corporate = Corporate::open(&house.clock).await;
    let claims = ClaimNames {
        email: "upn".to_owned(),
        given_name: "https://corp.example.com/first".to_owned(),
        family_name: "surname".to_owned(),
    };
    let settings = FederationSettings { claims, ..corporate.settings(LinkRule::Create, DOMAINS) };
    let node = house.node_with(NodePlan { upstreams: vec![settings], ..house.plan() }).await;
    register_client(&node, json!({ "client_id": "staff", "countersign_policy": "employees" })).await;
    // What stands under the usual names is another's there, and counts for nothing.
    let foreign = json!({
        "sub": "f-1", "email": "boss@corp.example.com", "email_verified": true, "upn": "Nurse@Corp.example.com",
        "given_name": "Wrong", "family_name": "Person", "https://corp.example.com/first": "Ann", "surname": "Lee",
    });
    come(&mut Person::new(), &node, &corporate, &foreign).await.code();
    assert_eq!(users(&house).await, ["nurse@corp.example.com"]);
    let sql = "SELECT profile AS text FROM users WHERE email = 'nurse@corp.example.com'";
    let profile: Value = serde_json::from_str(&house.texts(sql).await[0]).unwrap();
    assert_eq!((&profile["given_name"], &profile["family_name"]), (&json!("Ann"), &json!("Lee")));
    let mut unnamed = nurse();
    unnamed["sub"] = json!("f-2");
    let page = come(&mut Person::new(), &node, &corporate, &unnamed).await.page();
    assert_eq!(page.view.page, "federation_refused");
    assert!(reasons(&house).await.last().unwrap().contains("no mail address"));
}

/// Nurse, as UserInfo tells of her.
fn told(change: &Value) -> UserInfo {
    let mut claims = nurse();
    claims.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    UserInfo::Tells(claims)
}

async fn what_the_id_token_does_not_say_of_a_new_person_is_asked_of_userinfo(house: House) {
    let (node, corporate) = open(&house, LinkRule::Create).await;
    let bare = json!({ "sub": "e-17" });
    let unverified = json!({ "sub": "e-17", "email": "chief@corp.example.com" });
    let borrowed = json!({ "sub": "e-17", "email_verified": true });
    for (userinfo, claims, reason) in [
        (told(&json!({ "sub": "e-18" })), &bare, "of somebody else"),
        (told(&json!({ "sub": null })), &bare, "of somebody else"),
        (told(&json!({ "email": "nurse@elsewhere.example" })), &bare, "foreign domain"),
        (told(&json!({ "email_verified": false })), &bare, "not verified"),
        (told(&json!({ "email_verified": null })), &borrowed, "not verified"),
        (told(&json!({})), &unverified, "not verified"),
        (UserInfo::Fails(503, String::new()), &bare, "the provider failed"),
        (UserInfo::Fails(200, "<html>".to_owned()), &bare, "the provider failed"),
        (UserInfo::Fails(302, "{}".to_owned()), &bare, "the provider failed"),
    ] {
        house.clock.pass(Seconds::new(1));
        corporate.tell_more(userinfo.clone());
        let page = come(&mut Person::new(), &node, &corporate, claims).await.page();
        assert_eq!(page.view.page, "federation_refused", "{userinfo:?}");
        let reasons = reasons(&house).await;
        assert!(reasons.last().unwrap().contains(reason), "{userinfo:?}: {reasons:?}");
    }
    assert!(users(&house).await.is_empty());

    corporate.tell_more(told(&json!({})));
    let asked = corporate.told();
    come(&mut Person::new(), &node, &corporate, &bare).await.code();
    assert_eq!((users(&house).await, corporate.told()), (vec!["nurse@corp.example.com".to_owned()], asked + 1));
    let profile = house.texts("SELECT profile AS text FROM users WHERE email = 'nurse@corp.example.com'").await;
    let profile: Value = serde_json::from_str(&profile[0]).unwrap();
    assert_eq!((&profile["given_name"], &profile["family_name"]), (&json!("Ann"), &json!("Lee")));
    // Who was here before is known by the subject alone.
    come(&mut Person::new(), &node, &corporate, &bare).await.code();
    assert_eq!(corporate.told(), asked + 1);

    // What is in the ID token needs no UserInfo, and a name is not worth a refusal.
    let whole = json!({ "sub": "e-19", "email": "whole@corp.example.com", "email_verified": true, "given_name": "A", "family_name": "B" });
    come(&mut Person::new(), &node, &corporate, &whole).await.code();
    assert_eq!(corporate.told(), asked + 1);
    corporate.tell_more(UserInfo::Fails(503, String::new()));
    let nameless = json!({ "sub": "e-20", "email": "nameless@corp.example.com", "email_verified": true });
    come(&mut Person::new(), &node, &corporate, &nameless).await.code();
    assert_eq!((users(&house).await.len(), corporate.told()), (3, asked + 2));
}

fn invitation() -> Invitation {
    Invitation {
        email: "nurse@corp.example.com".to_owned(),
        name: "Ann Lee".to_owned(),
        username: Some("alee".to_owned()),
        npi: None,
        client: Some("staff".to_owned()),
        locale: "en".to_owned(),
    }
}

async fn who_is_invited_at_an_address_of_the_provider_registers_there(house: House) {
    let (node, corporate) = open(&house, LinkRule::Existing).await;
    let nobody = come(&mut Person::new(), &node, &corporate, &nurse()).await.page();
    assert_eq!(nobody.view.page, "federation_refused", "nobody made an account for her");
    let mut person = Person::new();
    let invited = node.invite(&invitation(), &person.context).await.unwrap().unwrap();
    house.deliver(&node).await;
    let text = house.relay.letters().last().unwrap().text.replace("=\r\n", "").replace("=\n", "");
    let (_, token) = text.split_once("/link/").unwrap();
    let token = SecretString::from(token.chars().take(43).collect::<String>());
    let landing = node.open_link(&token, person.call()).await.unwrap();
    let landing = person.follow(&node, landing).await.page();
    let sent = person.press(&node, &landing, "continue", &[]).await.response();
    assert_eq!(parameter(&sent, "login_hint").as_deref(), Some("nurse@corp.example.com"));
    // Whom the provider does not vouch for, the link alone does not let in.
    let liar = json!({ "sub": "e-66", "email": "liar@corp.example.com", "email_verified": true });
    let mut other = person.clone();
    let answered = call_back(&other, &node, &corporate.vouch(&sent, &liar)).await;
    assert_eq!(other.follow(&node, answered).await.page().view.page, "federation_refused");
    let landing = node.open_link(&token, person.call()).await.unwrap();
    let landing = person.follow(&node, landing).await.page();
    assert_eq!(landing.view.page, "link_landing", "it is not spent");
    let sent = person.press(&node, &landing, "continue", &[]).await.response();
    let answered = call_back(&person, &node, &corporate.vouch(&sent, &nurse())).await;
    person.follow(&node, answered).await.response();
    assert_eq!(linked(&house).await, [invited.user.as_str()]);
    let registered =
        "SELECT username AS text FROM users WHERE email = 'nurse@corp.example.com' AND registered_at IS NOT NULL";
    assert_eq!(house.texts(registered).await, ["alee"]);
    assert_eq!(
        house.count("factors", &format!("user_id = '{}'", invited.user)).await,
        0,
        "no way in past the provider"
    );
}

/// A client by which people register.
async fn register_portal(node: &Provider) {
    let policies = ["login-options", "employees", "new-provider", "registration-reset"];
    let portal = json!({ "client_id": "portal", "countersign_policy": policies[0], "countersign_policies": policies });
    register_client(node, portal).await;
}

async fn the_link_of_a_reset_leads_there_as_an_invitation_does(house: House) {
    let (node, corporate) = open(&house, LinkRule::Existing).await;
    register_portal(&node).await;
    let mut person = Person::new();
    let invited = node.invite(&invitation(), &person.context).await.unwrap().unwrap();
    house.mailed_link(&node, "nurse@corp.example.com").await;
    let page = person.arrive_from(&node, "portal", "p=registration-reset").await.page();
    person.press(&node, &page, "next", &[("username", "alee")]).await.page();
    let token = house.mailed_link(&node, "nurse@corp.example.com").await;
    let landing = node.open_link(&token, person.call()).await.unwrap();
    let landing = person.follow(&node, landing).await.page();
    assert_eq!((landing.view.policy.as_str(), landing.view.page.as_str()), ("registration-link", "link_landing"));
    let sent = person.press(&node, &landing, "continue", &[]).await.response();
    assert_eq!(parameter(&sent, "login_hint").as_deref(), Some("nurse@corp.example.com"));
    let answered = call_back(&person, &node, &corporate.vouch(&sent, &nurse())).await;
    person.follow(&node, answered).await.response();
    assert_eq!(linked(&house).await, [invited.user.as_str()]);
    let registered = async || house.count("users", "username = 'alee' AND registered_at IS NOT NULL").await;
    assert_eq!(registered().await, 1);
    assert_eq!(house.count("factors", &format!("user_id = '{}'", invited.user)).await, 0);
    // Of whom an operator reset, the provider's sign-in is all there is to be done again.
    let reset = RegistrationReset { who: "alee", reason: "lost the app", force: false };
    node.reset_registration(reset, &person.context).await.unwrap().unwrap();
    assert_eq!(registered().await, 0);
    come(&mut Person::new(), &node, &corporate, &nurse()).await.code();
    assert_eq!((registered().await, linked(&house).await.len()), (1, 1));
}

async fn a_new_provider_at_an_address_of_the_provider_is_led_there_and_no_account_is_made(house: House) {
    let (node, corporate) = open(&house, LinkRule::Create).await;
    register_portal(&node).await;
    node.create_organization("Ward 7", "1234567893", &SecretString::from("code-one")).await.unwrap();
    let mut person = Person::new();
    let page = person.arrive_from(&node, "portal", "p=new-provider").await.page();
    let code = [("npi", "1234567893"), ("registration_code", "code-one")];
    let page = person.press(&node, &page, "next", &code).await.page();
    assert_eq!(page.view.page, "user_information");
    let told = [
        ("username", "alee"),
        ("first_name", "Ann"),
        ("last_name", "Lee"),
        ("email", "Nurse@corp.example.com"),
        ("confirm_email", "nurse@corp.example.com"),
        ("fax", "601 555 0100"),
    ];
    let sent = person.press(&node, &page, "next", &told).await.response();
    assert_eq!(parameter(&sent, "login_hint").as_deref(), Some("nurse@corp.example.com"));
    assert!(users(&house).await.is_empty());
    house.deliver(&node).await;
    assert!(house.relay.letters().is_empty(), "nothing is mailed");
    let answered = call_back(&person, &node, &corporate.vouch(&sent, &nurse())).await;
    person.follow(&node, answered).await.code();
    assert_eq!(users(&house).await, ["nurse@corp.example.com"]);
}

const fn at_console(person: &Person) -> AccountCall<'_> {
    AccountCall { cookies: &person.cookies, locale: "en", context: &person.context }
}

/// Where the console sends whoever may not enter yet.
async fn lead(person: &mut Person, node: &Provider) -> Seen {
    let Err(SetupRefusal::Prove(answered)) = node.setup_home(at_console(person)).await.unwrap() else {
        panic!("nothing is asked for")
    };
    person.follow(node, *answered).await
}

/// What an app with this seed shows after the codes it showed before.
fn next_code(house: &House, seed: &[u8]) -> String {
    house.clock.pass(Seconds::new(31));
    totp::code_at(seed, house.clock.now().as_secs() / 30).unwrap()
}

/// Nurse, whom an operator made an administrator, signed in at her provider and nothing else.
async fn administrator(house: &House, link: LinkRule) -> (Arc<Provider>, Corporate, Person) {
    let (node, corporate) = open(house, link).await;
    let mut person = Person::new();
    come(&mut person, &node, &corporate, &nurse()).await.code();
    let who = "nurse@corp.example.com";
    let change = RoleChange { who, role: Role::Administrator, npi: None, reason: "of the test" };
    node.grant_role(change, &RequestContext::default()).await.unwrap().unwrap();
    (node, corporate, person)
}

async fn an_administrator_from_upstream_gets_into_the_console_once_two_factors_are_proven(house: House) {
    let (node, corporate, mut person) = administrator(&house, LinkRule::Create).await;
    // An app is bound: by the provider's sign-in of just now, and by the mailbox.
    let sent = lead(&mut person, &node).await.response();
    assert_eq!(
        (parameter(&sent, "prompt").as_deref(), parameter(&sent, "max_age").as_deref()),
        (Some("login"), Some("0"))
    );
    let answered = call_back(&person, &node, &corporate.vouch(&sent, &nurse())).await;
    let page = person.follow(&node, answered).await.page();
    assert_eq!(page.view.page, "email_verify");
    assert!(lead(&mut person.clone(), &node).await.response() != Response::Redirect("/setup".to_owned()), "not yet");
    let page = person.press(&node, &page, "send", &[]).await.page();
    let code = house.mailed_code(&node, "nurse@corp.example.com").await;
    let page = person.press(&node, &page, "verify", &[("code", &code)]).await.page();
    assert_eq!(page.view.page, "totp_enrol");
    let seed = totp::parse_seed(&page.view.values["totp_secret"]).unwrap();
    let end = person.press(&node, &page, "verify", &[("code", &next_code(&house, &seed))]).await.response();
    assert_eq!(end, Response::Redirect("/setup".to_owned()));
    assert!(node.setup_home(at_console(&person)).await.unwrap().is_ok());
    let user = house.user("nurse@corp.example.com").await;
    let kinds = format!("SELECT kind AS text FROM factors WHERE user_id = '{user}'");
    assert_eq!(house.texts(&kinds).await, ["totp"], "no mailbox: nobody gets in by a mailed code");
    house.deliver(&node).await;
    assert!(house.relay.letters().iter().any(|letter| letter.text.contains("authenticator app")), "they are told");

    // In another browser the provider alone is not enough; with the app it is, until it is too long ago for changes.
    let mut person = Person::new();
    come(&mut person, &node, &corporate, &nurse()).await.code();
    let sent = lead(&mut person, &node).await.response();
    let answered = call_back(&person, &node, &corporate.vouch(&sent, &nurse())).await;
    let page = person.follow(&node, answered).await.page();
    assert_eq!((page.view.policy.as_str(), page.view.page.as_str()), ("employees-totp", "totp"));
    let wrong = person.press(&node, &page, "verify", &[("code", "000000")]).await.page();
    assert!(matches!(node.setup_home(at_console(&person)).await.unwrap(), Err(SetupRefusal::Prove(_))));
    let end = person.press(&node, &wrong, "verify", &[("code", &next_code(&house, &seed))]).await.response();
    assert_eq!(end, Response::Redirect("/setup".to_owned()));
    assert!(node.setup_home(at_console(&person)).await.unwrap().is_ok());
    assert!(node.ask_reset(&user, at_console(&person)).await.unwrap().is_ok());
    house.clock.pass(Seconds::minutes(15));
    assert!(matches!(node.ask_reset(&user, at_console(&person)).await.unwrap(), Err(SetupRefusal::Prove(_))));
}

async fn nobody_else_binds_an_app_for_who_is_signed_in(house: House) {
    let (node, corporate, mut person) = administrator(&house, LinkRule::Create).await;
    let colleague = json!({ "sub": "e-40", "email": "colleague@corp.example.com", "email_verified": true });
    come(&mut Person::new(), &node, &corporate, &colleague).await.code();
    let sent = lead(&mut person, &node).await.response();
    let answered = call_back(&person, &node, &corporate.vouch(&sent, &colleague)).await;
    assert_eq!(person.follow(&node, answered).await.page().view.page, "federation_refused");
    // A sign-in of this morning binds nothing.
    let sent = lead(&mut person, &node).await.response();
    let mut old = nurse();
    old["auth_time"] = json!(house.clock.now().as_secs() - 3600);
    let answered = call_back(&person, &node, &corporate.vouch(&sent, &old)).await;
    assert_eq!(person.follow(&node, answered).await.page().view.page, "federation_refused");
    assert!(reasons(&house).await.last().unwrap().contains("no recent sign-in"));
}

async fn who_signs_in_upstream_alone_closes_the_account_by_it_and_is_asked_for_no_password(house: House) {
    let (node, corporate) = open(&house, LinkRule::Create).await;
    let mut person = Person::new();
    come(&mut person, &node, &corporate, &nurse()).await.code();
    let user = house.user("nurse@corp.example.com").await;
    let AccountAnswer::Page(own) = node.own_account(at_console(&person)).await.unwrap() else { panic!("no page") };
    let offered = ["close-account", "employees-close-account", "employees-totp-enrol", "totp-enrol"];
    assert_eq!(own.actions, offered, "nothing that begins with a password");

    let AccountAnswer::Flow(begun) = node.begin_enrolment("close-account", at_console(&person)).await.unwrap() else {
        panic!("no flow")
    };
    let page = person.follow(&node, *begun).await.page();
    let address = [("email", "nurse@corp.example.com"), ("password", "")];
    let sent = person.press(&node, &page, "login", &address).await.response();
    assert_eq!(parameter(&sent, "prompt").as_deref(), Some("login"), "a sign-in of just now");
    let answered = call_back(&person, &node, &corporate.vouch(&sent, &nurse())).await;
    let page = person.follow(&node, answered).await.page();
    assert_eq!(page.view.page, "confirm_close");
    let kept = format!("id = '{user}' AND status = 'active' AND email IS NOT NULL");
    assert_eq!(house.count("users", &kept).await, 1);
    let end = person.press(&node, &page, "continue", &[]).await.page();
    assert_eq!(end.view.page, "account_closed");
    assert_eq!(house.count("users", &kept).await, 0);
    assert!(linked(&house).await.is_empty());
    house.deliver(&node).await;
    assert!(house.relay.letters().iter().any(|letter| letter.text.contains("closed")), "they are told");
}
