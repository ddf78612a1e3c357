use countersign_model::RequestedClaims;

use super::*;
use crate::testing::{NOW, authorize, client, native_client, scope};

fn foreign() -> Client {
    Client { first_party: false, ..client() }
}

fn allowed(text: &str) -> Consent {
    Consent {
        user: "01890000-0000-7000-8000-000000000001".parse().unwrap(),
        client: client().id,
        scope: scope(text),
        claims: RequestedClaims { userinfo: vec!["name".to_owned()], id_token: Vec::new() },
        resources: Vec::new(),
        given_at: NOW,
    }
}

fn decided(client: &Client, changes: &[(&str, &str)], remembered: Option<&Consent>) -> ConsentDecision {
    decide(&authorize(client, changes).unwrap(), client, remembered)
}

fn is_refused(decision: &ConsentDecision) -> bool {
    matches!(decision, ConsentDecision::Refuse(error) if error.code == ErrorCode::ConsentRequired)
}

#[test]
fn what_was_allowed_is_asked_once() {
    let (client, known) = (foreign(), allowed("openid email"));
    assert_eq!(decided(&client, &[], None), ConsentDecision::Ask);
    assert_eq!(decided(&client, &[], Some(&known)), ConsentDecision::Given);
    assert_eq!(decided(&client, &[("scope", "openid email")], Some(&known)), ConsentDecision::Given);
    assert_eq!(decided(&client, &[("scope", "openid phone")], Some(&known)), ConsentDecision::Ask, "one scope more");
    let by_name = |name: &str| format!(r#"{{"userinfo":{{"{name}":null}}}}"#);
    assert_eq!(decided(&client, &[("claims", &by_name("name"))], Some(&known)), ConsentDecision::Given);
    assert_eq!(decided(&client, &[("claims", &by_name("birthdate"))], Some(&known)), ConsentDecision::Ask);
    assert_eq!(
        decided(&client, &[("claims", &by_name("acr"))], Some(&known)),
        ConsentDecision::Given,
        "not of a person"
    );
}

#[test]
fn what_is_asked_by_name_is_said_too() {
    let claims = r#"{"userinfo":{"email":null,"birthdate":null},"id_token":{"email_verified":null,"auth_time":null}}"#;
    let request = authorize(&foreign(), &[("scope", "openid email"), ("claims", claims)]).unwrap();
    let request = AuthorizationRequest { resources: vec!["https://api.example/".to_owned()], ..request };
    assert_eq!(asked(&request), ["email", "openid", "profile", "https://api.example/"].map(str::to_owned));
}

/// Core, 3.1.2.1 and 3.1.2.6.
#[test]
fn prompt_consent_always_asks_and_prompt_none_never_does() {
    let known = allowed("openid");
    for client in [client(), foreign()] {
        assert_eq!(decided(&client, &[("prompt", "consent")], Some(&known)), ConsentDecision::Ask);
    }
    assert!(is_refused(&decided(&foreign(), &[("prompt", "none")], None)));
    assert_eq!(decided(&foreign(), &[("prompt", "none")], Some(&known)), ConsentDecision::Given);
    assert_eq!(decided(&client(), &[("prompt", "none")], None), ConsentDecision::Given, "the operator's own");
}

/// RFC 8252, 8.6.
#[test]
fn a_native_application_without_a_secret_is_asked_for_every_time() {
    let known = allowed("openid");
    let native = Client { first_party: false, ..native_client(&[crate::testing::CALLBACK]) };
    assert_eq!(decided(&native, &[], Some(&known)), ConsentDecision::Ask);
    assert!(is_refused(&decided(&native, &[("prompt", "none")], Some(&known))));
    let own = Client { first_party: true, ..native };
    assert_eq!(decided(&own, &[], None), ConsentDecision::Given);
}

#[test]
fn accounts_are_chosen_where_that_is_asked_for_and_there_are_some() {
    let user = |last: char| format!("01890000-0000-7000-8000-00000000000{last}").parse::<UserId>().unwrap();
    let asked = |prompt: &str| authorize(&client(), &[("prompt", prompt)]).unwrap();
    let chosen = decide_account(&asked("select_account"), [user('2'), user('1'), user('2')]);
    assert_eq!(chosen, AccountDecision::Choose(vec![user('1'), user('2')]));
    assert_eq!(decide_account(&asked("select_account"), []), AccountDecision::Known);
    assert_eq!(decide_account(&asked("login"), [user('1')]), AccountDecision::Known);
    assert_eq!(decide_account(&asked("none"), [user('1')]), AccountDecision::Known);
}
