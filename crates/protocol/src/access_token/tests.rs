use countersign_model::SigningAlgorithm;
use serde_json::json;

use super::*;
use crate::keys::PrivateKey;
use crate::testing::{NOW, client, grant, issuer, key, later, scope};

fn issue(grant: Option<countersign_model::Grant>) -> Issue {
    let scope = scope("openid email");
    Issue {
        client: client().id,
        grant,
        scope,
        audience: Vec::new(),
        access_token_alg: None,
        id_token: true,
        nonce: None,
        refresh_token: false,
        exchanged: None,
    }
}

fn claims(audience: &[String]) -> AccessTokenClaims {
    let (binding, client) = (Binding::default(), client());
    let terms = Terms { jti: "token-1", lifetime: Seconds::minutes(5), audience, binding: &binding, client: &client };
    AccessTokenClaims::new(&issuer(), &issue(Some(grant("openid email"))), &terms, NOW)
}

#[test]
fn the_claims_are_those_of_rfc9068_2_2() {
    let grant = grant("openid email");
    let expected = json!({
        "iss": "https://op.example", "sub": grant.authentication.user, "aud": ["https://op.example"],
        "client_id": "rp", "iat": 1_800_000_000, "exp": 1_800_000_300, "jti": "token-1", "scope": "email openid",
        "auth_time": 1_799_999_900, "acr": "urn:acr:email", "amr": ["pwd", "otp"], "gid": grant.id,
    });
    assert_eq!(serde_json::to_value(claims(&[])).unwrap(), expected);
}

#[test]
fn a_client_on_its_own_behalf_is_its_own_subject_rfc9068_2_2() {
    let terms = Terms {
        jti: "token-1",
        lifetime: Seconds::minutes(5),
        audience: &["https://api.example".to_owned()],
        binding: &Binding::default(),
        client: &client(),
    };
    let claims = AccessTokenClaims::new(&issuer(), &issue(None), &terms, NOW);
    assert_eq!((claims.sub.as_str(), claims.aud[0].as_str()), ("rp", "https://api.example"));
    assert!(claims.auth_time.is_none() && claims.acr.is_none() && claims.amr.is_empty() && claims.grant().is_none());
}

fn sign(private: &PrivateKey, typ: &str, change: impl FnOnce(&mut serde_json::Value)) -> String {
    let mut claims = serde_json::to_value(claims(&[])).unwrap();
    change(&mut claims);
    private.sign(typ, &claims).unwrap()
}

#[test]
fn a_good_token_is_read_back() {
    let (private, stored) = key(SigningAlgorithm::EdDSA, "k1");
    let token = sign(&private, TYPE, |_| {});
    let read = verify_access_token(&token, &[stored], &issuer(), later(299)).unwrap();
    assert_eq!(read, claims(&[]));
    assert_eq!((read.grant(), read.client()), (Some(grant("openid").id), Some(client().id)));
    assert_eq!(read.scope(), scope("openid email"));
}

#[test]
fn everything_rfc9068_4_asks_is_checked() {
    let (private, stored) = key(SigningAlgorithm::ES256, "k1");
    let keys = [stored];
    let refused = |typ: &str, change: fn(&mut serde_json::Value)| {
        let result = verify_access_token(&sign(&private, typ, change), &keys, &issuer(), NOW);
        result.is_err_and(|error| error.code == ErrorCode::InvalidToken)
    };
    assert!(!refused("application/AT+JWT", |_| {}));
    assert!(refused("JWT", |_| {}), "an ID token is no access token");
    assert!(refused("logout+jwt", |_| {}));
    assert!(refused(TYPE, |claims| claims["iss"] = json!("https://op.example/")));
    assert!(refused(TYPE, |claims| claims["aud"] = json!(["https://api.example"])));
    assert!(refused(TYPE, |claims| claims["exp"] = json!(1_800_000_000)));
    assert!(refused(TYPE, |claims| claims["exp"] = json!("soon")));
    for missing in ["iss", "sub", "aud", "client_id", "exp", "iat", "jti"] {
        let token = sign(&private, TYPE, |claims| drop(claims.as_object_mut().unwrap().remove(missing)));
        assert!(verify_access_token(&token, &keys, &issuer(), NOW).is_err(), "{missing}");
    }
}

#[test]
fn a_token_ends_at_its_exp() {
    let (private, stored) = key(SigningAlgorithm::ES256, "k1");
    let token = sign(&private, TYPE, |_| {});
    assert!(verify_access_token(&token, &[stored], &issuer(), later(300)).is_err());
}

#[test]
fn a_token_of_a_retired_key_is_dead() {
    let (private, mut stored) = key(SigningAlgorithm::ES256, "k1");
    let token = sign(&private, TYPE, |_| {});
    stored.retire_at = Some(later(10));
    assert!(verify_access_token(&token, std::slice::from_ref(&stored), &issuer(), later(9)).is_ok());
    assert!(verify_access_token(&token, &[stored], &issuer(), later(10)).is_err());
}

#[test]
fn a_client_from_b2c_is_told_which_policy_ran() {
    let policy_naming = countersign_model::PolicyNaming { tfp: true, acr: true, ..Default::default() };
    let (binding, client) = (Binding::default(), Client { policy_naming, ..client() });
    let terms =
        Terms { jti: "token-1", lifetime: Seconds::minutes(5), audience: &[], binding: &binding, client: &client };
    let claims = AccessTokenClaims::new(&issuer(), &issue(Some(grant("openid"))), &terms, NOW);
    assert_eq!((claims.tfp.as_deref(), claims.acr.as_deref()), (Some("email"), Some("email")));
    let own = AccessTokenClaims::new(&issuer(), &issue(None), &terms, NOW);
    assert!(own.tfp.is_none() && own.acr.is_none(), "no policy ran");
}
