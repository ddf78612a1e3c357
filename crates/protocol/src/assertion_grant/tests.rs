use countersign_model::SigningAlgorithm;
use serde_json::json;

use super::*;
use crate::jws::JwsError;
use crate::keys;
use crate::testing::{NOW, client, issuer, key, later, scope};

fn declared() -> AssertionIssuer {
    AssertionIssuer {
        issuer: "https://partner.example".to_owned(),
        keys: ClientKeys::default(),
        clients: vec![client().id],
        scopes: scope("cases.read"),
        naming: Naming::Email(vec!["example.com".to_owned()]),
        subjects: Vec::new(),
    }
}

fn hear_as(declared: &AssertionIssuer, typ: &str, changes: &Value) -> Result<SpokenFor, AssertionError> {
    let (private, stored) = key(SigningAlgorithm::ES256, "k1");
    let mut claims = json!({
        "iss": "https://partner.example", "sub": "alice@example.com", "aud": "https://op.example", "jti": "one",
        "iat": NOW.as_secs(), "exp": NOW.as_secs() + 60,
    });
    let members = claims.as_object_mut().unwrap();
    members.extend(changes.as_object().unwrap().clone());
    members.retain(|_, value| !value.is_null());
    let token = private.sign(typ, &claims).unwrap();
    let jwks = keys::jwks(std::slice::from_ref(&stored), NOW);
    verify(&token, declared, &jwks, &client().id, &issuer(), NOW)
}

fn hear(changes: &Value) -> Result<SpokenFor, AssertionError> {
    hear_as(&declared(), "JWT", changes)
}

#[test]
fn an_assertion_that_holds_says_for_whom_and_how_long_rfc7523_3() {
    let spoken = hear(&json!({})).unwrap();
    assert_eq!((spoken.subject.as_str(), spoken.jti.as_str()), ("alice@example.com", "one"));
    assert_eq!((spoken.expires_at, spoken.scopes), (later(90), scope("cases.read")));
    assert!(hear(&json!({"aud": "https://op.example/token"})).is_ok());
    assert!(hear(&json!({"aud": ["https://op.example"]})).is_ok());
    assert!(hear_as(&declared(), "authorization-grant+jwt", &json!({})).is_ok());
}

#[test]
fn each_rule_of_rfc7523_3_is_kept() {
    let now = NOW.as_secs();
    for (changes, error) in [
        (json!({"iss": "https://other.example"}), AssertionError::Parties),
        (json!({"sub": null}), AssertionError::Subject),
        (json!({"sub": ""}), AssertionError::Subject),
        (json!({"sub": "alice@elsewhere.example"}), AssertionError::Subject),
        (json!({"sub": "@example.com"}), AssertionError::Subject),
        (json!({"sub": "x".repeat(300) + "@example.com"}), AssertionError::Subject),
        (json!({"aud": null}), AssertionError::Audience),
        (json!({"aud": "https://other.example"}), AssertionError::Audience),
        (json!({"aud": "https://op.example/par"}), AssertionError::Audience),
        (json!({"aud": ["https://op.example", "https://other.example"]}), AssertionError::Audience),
        (json!({"exp": null}), AssertionError::Expired),
        (json!({"exp": now - 31}), AssertionError::Expired),
        (json!({"exp": now + 4000}), AssertionError::Lifetime),
        (json!({"nbf": now + 60}), AssertionError::NotYet),
        (json!({"iat": now + 60}), AssertionError::NotYet),
        (json!({"jti": null}), AssertionError::Id),
        (json!({"jti": "x".repeat(256)}), AssertionError::Id),
    ] {
        assert_eq!(hear(&changes), Err(error), "{changes}");
    }
}

#[test]
fn a_token_made_for_something_else_is_no_assertion() {
    for typ in ["at+jwt", "logout+jwt", "dpop+jwt", "client-authentication+jwt"] {
        assert_eq!(hear_as(&declared(), typ, &json!({})), Err(AssertionError::Type), "{typ}");
    }
}

#[test]
fn who_shows_it_and_whom_it_speaks_for_is_the_operators_to_say() {
    let others = AssertionIssuer { clients: vec!["other".parse().unwrap()], ..declared() };
    assert_eq!(hear_as(&others, "JWT", &json!({})), Err(AssertionError::Parties));
    let few = AssertionIssuer { subjects: vec!["bob@example.com".to_owned()], ..declared() };
    assert_eq!(hear_as(&few, "JWT", &json!({})), Err(AssertionError::Subject));
    assert!(hear_as(&few, "JWT", &json!({"sub": "bob@example.com"})).is_ok());
    let by_id = AssertionIssuer { naming: Naming::UserId, ..declared() };
    assert!(
        hear_as(&by_id, "JWT", &json!({"sub": "anything"})).is_ok(),
        "whether there is such a person is not known here"
    );
}

#[test]
fn a_signature_of_somebody_else_is_none() {
    let (private, _) = key(SigningAlgorithm::ES256, "k1");
    let (_, stored) = key(SigningAlgorithm::ES256, "k1");
    let claims = json!({"iss": "https://partner.example"});
    let verify_by = |jwks: &Value| {
        let token = private.sign("JWT", &claims).unwrap();
        verify(&token, &declared(), jwks, &client().id, &issuer(), NOW)
    };
    let other = keys::jwks(std::slice::from_ref(&stored), NOW);
    assert_eq!(verify_by(&other), Err(AssertionError::Jws(JwsError::Signature)));
    assert_eq!(verify_by(&json!({"keys": []})), Err(AssertionError::Jws(JwsError::UnknownKey)));
    assert_eq!(read_issuer(&private.sign("JWT", &claims).unwrap()).as_deref(), Some("https://partner.example"));
    for nonsense in ["", "a.b.c", "..", "e30.e30.e30"] {
        assert_eq!(read_issuer(nonsense), None, "{nonsense}");
    }
}
