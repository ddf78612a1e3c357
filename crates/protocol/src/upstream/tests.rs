use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_model::{Seconds, SigningAlgorithm};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::jws::MAX_TOKEN;
use crate::keys::{PrivateKey, jwks};
use crate::testing::{NOW, key};

const ISSUER: &str = "https://corp.example/oidc";
const ACCESS_TOKEN: &str = "access-token";

fn expected() -> Expected<'static> {
    Expected {
        issuer: ISSUER,
        client: "countersign",
        nonce: "n-1",
        access_token: Some(ACCESS_TOKEN),
        fresh_since: None,
    }
}

fn at_hash(algorithm: SigningAlgorithm) -> String {
    crate::id_token::left_half_hash(algorithm, ACCESS_TOKEN)
}

fn claims(algorithm: SigningAlgorithm) -> Value {
    json!({
        "iss": ISSUER, "sub": "e-17", "aud": "countersign", "nonce": "n-1", "at_hash": at_hash(algorithm),
        "iat": NOW.as_secs(), "exp": NOW.as_secs() + 300, "email": "nurse@corp.example",
    })
}

struct Upstream {
    private: PrivateKey,
    jwks: Value,
}

fn upstream(algorithm: SigningAlgorithm) -> Upstream {
    let (private, stored) = key(algorithm, "k1");
    Upstream { private, jwks: jwks(&[stored], NOW) }
}

impl Upstream {
    fn verify(&self, claims: &Value) -> Result<UpstreamIdentity, UpstreamError> {
        let token = self.private.sign("JWT", claims).unwrap();
        verify_upstream_id_token(&token, &self.jwks, &expected(), NOW)
    }
}

/// A token whose header and claims are these, with this signature: what nobody signed.
fn raw(header: &Value, claims: &Value, signature: &str) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.{signature}", part(header), part(claims))
}

#[test]
fn a_right_token_of_each_algorithm_names_its_subject() {
    for algorithm in SigningAlgorithm::ALL {
        let identity = upstream(algorithm).verify(&claims(algorithm)).unwrap();
        assert_eq!(identity.subject, "e-17");
        assert_eq!(identity.claims["email"], "nurse@corp.example");
        assert!(!format!("{identity:?}").contains("nurse"));
    }
}

#[test]
fn ps256_counts_too() {
    let der = crate::testing::pkcs8(SigningAlgorithm::RS256);
    let id = "k1".parse().unwrap();
    let mut jwk = crate::keys::public_jwk(SigningAlgorithm::RS256, &id, &der).unwrap();
    jwk["alg"] = json!("PS256");
    let pem = base64::engine::general_purpose::STANDARD.encode(&der);
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{pem}\n-----END PRIVATE KEY-----\n");
    let mut header = Header::new(Algorithm::PS256);
    header.kid = Some("k1".to_owned());
    let signing = EncodingKey::from_rsa_pem(pem.as_bytes()).unwrap();
    let token = jsonwebtoken::encode(&header, &claims(SigningAlgorithm::RS256), &signing).unwrap();
    let set = json!({ "keys": [jwk] });
    assert!(verify_upstream_id_token(&token, &set, &expected(), NOW).is_ok());
    header.alg = Algorithm::RS256;
    let token = jsonwebtoken::encode(&header, &claims(SigningAlgorithm::RS256), &signing).unwrap();
    assert_eq!(verify_upstream_id_token(&token, &set, &expected(), NOW), Err(UpstreamError::UnknownKey));
}

#[test]
fn each_wrong_claim_is_refused() {
    use UpstreamError::{AccessToken, Audience, Expired, Issuer, Nonce, NotYet, Subject};
    let upstream = upstream(SigningAlgorithm::ES256);
    let now = NOW.as_secs();
    for (change, error) in [
        (json!({ "iss": "https://corp.example/oidc/" }), Issuer),
        (json!({ "iss": null }), Issuer),
        (json!({ "aud": "another" }), Audience),
        (json!({ "aud": null }), Audience),
        (json!({ "aud": [] }), Audience),
        (json!({ "aud": ["another"], "azp": "countersign" }), Audience),
        (json!({ "aud": ["countersign", "another"] }), Audience),
        (json!({ "aud": ["countersign", "another"], "azp": "another" }), Audience),
        (json!({ "azp": "another" }), Audience),
        (json!({ "exp": now - 30 }), Expired),
        (json!({ "exp": null }), Expired),
        (json!({ "exp": "never" }), Expired),
        (json!({ "iat": now + 31 }), NotYet),
        (json!({ "iat": null }), NotYet),
        (json!({ "nbf": now + 31 }), NotYet),
        (json!({ "nbf": "soon" }), NotYet),
        (json!({ "nonce": "n-2" }), Nonce),
        (json!({ "nonce": null }), Nonce),
        (json!({ "at_hash": "AAAA" }), AccessToken),
        (json!({ "at_hash": 5 }), AccessToken),
        (json!({ "sub": "" }), Subject),
        (json!({ "sub": null }), Subject),
        (json!({ "sub": 17 }), Subject),
        (json!({ "sub": "a\nb" }), Subject),
        (json!({ "sub": "x".repeat(256) }), Subject),
    ] {
        let mut claims = claims(SigningAlgorithm::ES256);
        for (name, value) in change.as_object().unwrap() {
            claims[name] = value.clone();
        }
        assert_eq!(upstream.verify(&claims), Err(error), "{change}");
    }
}

#[test]
fn a_sign_in_there_is_as_old_as_it_was_allowed_to_be() {
    let upstream = upstream(SigningAlgorithm::ES256);
    let now = NOW.as_secs();
    let verify = |auth_time: Value, age: Option<u32>| {
        let mut claims = claims(SigningAlgorithm::ES256);
        if !auth_time.is_null() {
            claims["auth_time"] = auth_time;
        }
        let token = upstream.private.sign("JWT", &claims).unwrap();
        let fresh_since = age.map(|age| NOW.minus(Seconds::new(age)));
        let expected = Expected { fresh_since, ..expected() };
        verify_upstream_id_token(&token, &upstream.jwks, &expected, NOW).map(|identity| identity.auth_time)
    };
    let secs = |secs: i64| Ok(Some(Timestamp::from_secs(secs)));
    assert_eq!(verify(json!(null), None), Ok(None));
    assert_eq!(verify(json!(now - 3600), None), secs(now - 3600));
    assert_eq!(verify(json!(now - 3600), Some(4000)), secs(now - 3600));
    // Other clocks may be a little behind or before; what counts is ours.
    assert_eq!(verify(json!(now - 30), Some(0)), Ok(Some(NOW)));
    assert_eq!(verify(json!(now + 30), None), Ok(Some(NOW)));
    for (auth_time, age, error) in [
        (json!(null), Some(0), UpstreamError::Stale),
        (json!(now - 31), Some(0), UpstreamError::Stale),
        (json!(now - 3600), Some(3000), UpstreamError::Stale),
        (json!(now + 31), None, UpstreamError::NotYet),
        (json!("yesterday"), None, UpstreamError::NotYet),
    ] {
        assert_eq!(verify(auth_time.clone(), age), Err(error), "{auth_time} {age:?}");
    }
}

#[test]
fn clocks_may_differ_a_little_and_lists_of_one_need_no_azp() {
    let upstream = upstream(SigningAlgorithm::ES256);
    let now = NOW.as_secs();
    for change in [
        json!({ "exp": now - 29 }),
        json!({ "iat": now + 30 }),
        json!({ "nbf": now + 30 }),
        json!({ "exp": 1.9e9 }),
        json!({ "aud": ["countersign"] }),
        json!({ "aud": ["countersign", "another"], "azp": "countersign" }),
    ] {
        let mut claims = claims(SigningAlgorithm::ES256);
        for (name, value) in change.as_object().unwrap() {
            claims[name] = value.clone();
        }
        assert!(upstream.verify(&claims).is_ok(), "{change}");
    }
}

#[test]
fn unsigned_and_shared_secret_tokens_are_refused_whatever_they_say() {
    let upstream = upstream(SigningAlgorithm::ES256);
    let body = claims(SigningAlgorithm::ES256);
    for alg in ["none", "None", "nOnE", "HS256", "HS512", "RS512", "ES384", "RS1", ""] {
        for signature in ["", "AAAA"] {
            let token = raw(&json!({ "alg": alg, "kid": "k1" }), &body, signature);
            let answer = verify_upstream_id_token(&token, &upstream.jwks, &expected(), NOW);
            assert_eq!(answer, Err(UpstreamError::Algorithm), "{alg}");
        }
    }
    let by_public_key = EncodingKey::from_secret(upstream.jwks["keys"][0]["x"].as_str().unwrap().as_bytes());
    let mut header = Header::new(Algorithm::HS256);
    header.kid = Some("k1".to_owned());
    let token = jsonwebtoken::encode(&header, &body, &by_public_key).unwrap();
    let answer = verify_upstream_id_token(&token, &upstream.jwks, &expected(), NOW);
    assert_eq!(answer, Err(UpstreamError::Algorithm));
}

#[test]
fn extensions_that_must_be_understood_and_other_types_are_refused() {
    let upstream = upstream(SigningAlgorithm::ES256);
    let body = claims(SigningAlgorithm::ES256);
    let right = upstream.private.sign("JWT", &body).unwrap();
    let signature = right.rsplit('.').next().unwrap();
    for (header, error) in [
        (json!({ "alg": "ES256", "kid": "k1", "crit": ["b64"], "b64": false }), UpstreamError::Critical),
        (json!({ "alg": "ES256", "kid": "k1", "crit": [] }), UpstreamError::Critical),
        (json!({ "alg": "ES256", "kid": "k1", "typ": "at+jwt" }), UpstreamError::Malformed),
        (json!({ "alg": "ES256", "kid": "k1", "typ": "logout+jwt" }), UpstreamError::Malformed),
        (json!({ "alg": "ES256", "kid": 1 }), UpstreamError::Malformed),
        (json!({ "alg": "ES256", "kid": "k2" }), UpstreamError::UnknownKey),
        (json!({ "alg": "RS256", "kid": "k1" }), UpstreamError::UnknownKey),
        (json!({ "alg": "ES256", "kid": "k1" }), UpstreamError::Signature),
    ] {
        let token = raw(&header, &body, signature);
        assert_eq!(verify_upstream_id_token(&token, &upstream.jwks, &expected(), NOW), Err(error), "{header}");
    }
}

#[test]
fn a_changed_token_and_a_strangers_signature_are_refused() {
    let (ours, theirs) = (upstream(SigningAlgorithm::EdDSA), upstream(SigningAlgorithm::EdDSA));
    let token = theirs.private.sign("JWT", &claims(SigningAlgorithm::EdDSA)).unwrap();
    let answer = verify_upstream_id_token(&token, &ours.jwks, &expected(), NOW);
    assert_eq!(answer, Err(UpstreamError::Signature));
    let token = ours.private.sign("JWT", &claims(SigningAlgorithm::EdDSA)).unwrap();
    for broken in [&token[1..], &token[..token.len() - 1], "", ".", "..", "...", "a.b.c", &format!("{token}.x")] {
        assert!(verify_upstream_id_token(broken, &ours.jwks, &expected(), NOW).is_err(), "{broken}");
    }
    let long = format!("{token}{}", "A".repeat(MAX_TOKEN));
    assert_eq!(verify_upstream_id_token(&long, &ours.jwks, &expected(), NOW), Err(UpstreamError::Malformed));
}

#[test]
fn the_key_is_found_by_its_name_and_must_be_for_signatures() {
    let upstream = upstream(SigningAlgorithm::ES256);
    let token = upstream.private.sign("JWT", &claims(SigningAlgorithm::ES256)).unwrap();
    let key = upstream.jwks["keys"][0].clone();
    let with = |name: &str, value: Value| {
        let mut key = key.clone();
        key[name] = value;
        json!({ "keys": [key] })
    };
    let verify = |set: &Value| verify_upstream_id_token(&token, set, &expected(), NOW).map(drop);
    let (_, other) = crate::testing::key(SigningAlgorithm::ES256, "k2");
    let other = jwks(&[other], NOW)["keys"][0].clone();
    assert_eq!(verify(&json!({ "keys": [other, key] })), Ok(()));
    assert_eq!(verify(&with("key_ops", json!(["verify"]))), Ok(()));
    for set in [
        with("use", json!("enc")),
        with("alg", json!("ES384")),
        with("key_ops", json!(["sign"])),
        with("kty", json!("RSA")),
        with("crv", json!("P-384")),
        with("kid", json!("k3")),
        with("x", json!("not base64!")),
        json!({ "keys": [key, key] }),
        json!({ "keys": [] }),
        json!({ "keys": "none" }),
        json!([]),
        json!(null),
    ] {
        assert_eq!(verify(&set), Err(UpstreamError::UnknownKey), "{set}");
    }
}

#[test]
fn without_a_name_there_must_be_one_key_alone() {
    let der = crate::testing::pkcs8(SigningAlgorithm::EdDSA);
    let id = "k1".parse().unwrap();
    let jwk = crate::keys::public_jwk(SigningAlgorithm::EdDSA, &id, &der).unwrap();
    let header = Header::new(Algorithm::EdDSA);
    let token =
        jsonwebtoken::encode(&header, &claims(SigningAlgorithm::EdDSA), &EncodingKey::from_ed_der(&der)).unwrap();
    let verify = |set: Value| verify_upstream_id_token(&token, &set, &expected(), NOW).map(drop);
    let (_, other) = crate::testing::key(SigningAlgorithm::EdDSA, "k2");
    let other = jwks(&[other], NOW)["keys"][0].clone();
    assert_eq!(verify(json!({ "keys": [jwk] })), Ok(()));
    assert_eq!(verify(json!({ "keys": [jwk, other] })), Err(UpstreamError::UnknownKey));
    assert_eq!(verify(json!({ "keys": [other] })), Err(UpstreamError::UnknownKey), "it may have been replaced");
}

#[test]
fn short_rsa_keys_count_for_nothing() {
    let n = URL_SAFE_NO_PAD.encode([0xc5; 128]);
    let set = json!({ "keys": [{ "kty": "RSA", "kid": "k1", "n": n, "e": "AQAB" }] });
    let token = raw(&json!({ "alg": "RS256", "kid": "k1" }), &claims(SigningAlgorithm::RS256), "AAAA");
    assert_eq!(verify_upstream_id_token(&token, &set, &expected(), NOW), Err(UpstreamError::UnknownKey));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(token in ".{0,200}", set in ".{0,200}") {
        let set = serde_json::from_str(&set).unwrap_or(Value::Null);
        prop_assert!(verify_upstream_id_token(&token, &set, &expected(), NOW).is_err());
    }
}

#[test]
fn userinfo_adds_what_the_token_did_not_say_and_speaks_of_its_own_address_alone() {
    let map = |value: Value| value.as_object().unwrap().clone();
    let rows = [
        // Token, UserInfo, what comes of address, verification and name.
        (json!({}), json!({ "email": "a", "email_verified": true, "name": "N" }), json!(["a", true, "N"])),
        (json!({ "email": "a" }), json!({ "email": "a", "email_verified": true }), json!(["a", true, null])),
        (json!({ "email": "a" }), json!({ "email": "b", "email_verified": true }), json!(["a", null, null])),
        (json!({ "email": "a" }), json!({ "email_verified": true }), json!(["a", null, null])),
        (json!({ "email_verified": true }), json!({ "email": "b" }), json!(["b", null, null])),
        (
            json!({ "email": "a", "email_verified": false, "name": "T" }),
            json!({ "email": "a", "email_verified": true, "name": "N" }),
            json!(["a", false, "T"]),
        ),
    ];
    for (token, told, wanted) in rows {
        let mut identity = UpstreamIdentity { subject: "s".to_owned(), auth_time: None, claims: map(token.clone()) };
        let mut userinfo = map(told);
        assert_eq!(identity.complete(&userinfo, "email"), Err(UpstreamError::UserInfo), "it names nobody");
        userinfo.insert("sub".to_owned(), json!("another"));
        assert_eq!(identity.complete(&userinfo, "email"), Err(UpstreamError::UserInfo));
        assert_eq!(identity.claims, map(token.clone()), "nothing is taken over then");
        userinfo.insert("sub".to_owned(), json!("s"));
        assert_eq!(identity.complete(&userinfo, "email"), Ok(()));
        let claim = |name: &str| identity.claims.get(name).cloned().unwrap_or_default();
        assert_eq!(json!([claim("email"), claim("email_verified"), claim("name")]), wanted, "{token}");
    }
}
