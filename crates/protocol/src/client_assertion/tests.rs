use countersign_model::{SecurityProfile, SigningAlgorithm};
use jsonwebtoken::{EncodingKey, Header};
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::keys::{self, PrivateKey};
use crate::testing::{NOW, client, issuer, key, later};

const SECRET: &[u8] = b"a-secret-of-thirty-two-bytes-----";
const JWT: &str = "JWT";

/// A client that signs, its key, and its set.
fn signing(algorithm: SigningAlgorithm) -> (Client, PrivateKey, Value) {
    let (private, stored) = key(algorithm, "k1");
    let jwks = keys::jwks(std::slice::from_ref(&stored), NOW);
    (Client { auth_methods: vec![AuthMethod::PrivateKeyJwt], ..client() }, private, jwks)
}

fn claims(changes: &Value) -> Value {
    let mut claims = json!({
        "iss": "rp", "sub": "rp", "aud": "https://op.example", "jti": "one", "iat": NOW.as_secs(),
        "exp": NOW.as_secs() + 60,
    });
    claims.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    claims
}

fn check(token: &str, client: &Client, material: Material<'_>) -> Result<VerifiedAssertion, AssertionError> {
    verify(&Assertion::read(token).ok_or(AssertionError::Jws(JwsError::Malformed))?, client, material, &issuer(), NOW)
}

/// What becomes of a sound assertion with `changes`, of a client of `profile`.
fn changed(changes: &Value, profile: Option<SecurityProfile>) -> Result<VerifiedAssertion, AssertionError> {
    let (client, private, jwks) = signing(SigningAlgorithm::ES256);
    let client = Client { profile, ..client };
    check(&private.sign(JWT, &claims(changes)).unwrap(), &client, Material::Keys(&jwks))
}

#[test]
fn a_key_of_each_algorithm_proves_its_client() {
    for algorithm in SigningAlgorithm::ALL {
        let (client, private, jwks) = signing(algorithm);
        let token = private.sign(JWT, &claims(&json!({}))).unwrap();
        let verified = check(&token, &client, Material::Keys(&jwks)).unwrap();
        assert_eq!((verified.method(), verified.jti()), (AuthMethod::PrivateKeyJwt, "one"));
        // Remembered until its age alone refuses it.
        assert_eq!(verified.expires_at(), later(90));
        let (_, _, others) = signing(algorithm);
        let error = check(&token, &client, Material::Keys(&others)).unwrap_err();
        assert_eq!(error, AssertionError::Jws(JwsError::Signature));
    }
}

#[test]
fn any_live_secret_proves_its_client_and_no_key_does() {
    let client = Client { auth_methods: vec![AuthMethod::ClientSecretJwt], ..client() };
    let sign = |secret| {
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims(&json!({})), &EncodingKey::from_secret(secret))
    };
    let token = sign(SECRET).unwrap();
    let other: &[u8] = b"another-secret-of-thirty-two-bytes";
    assert!(check(&token, &client, Material::Secrets(&[other, SECRET])).is_ok());
    assert!(check(&token, &client, Material::Secrets(&[other])).is_err());
    assert!(check(&token, &client, Material::Secrets(&[])).is_err());
    // A public key is no secret (RFC 8725, 3.1).
    let (_, _, jwks) = signing(SigningAlgorithm::RS256);
    assert_eq!(check(&token, &client, Material::Keys(&jwks)), Err(AssertionError::Material));
    let forged = sign(jwks["keys"][0]["n"].as_str().unwrap().as_bytes()).unwrap();
    assert!(check(&forged, &client, Material::Keys(&jwks)).is_err());
}

#[test]
fn issuer_and_subject_are_the_client_rfc7523_3() {
    for changes in [json!({"iss": "other"}), json!({"iss": null}), json!({"sub": "other"}), json!({"iss": ["rp"]})] {
        assert_eq!(changed(&changes, None), Err(AssertionError::Parties), "{changes}");
    }
}

#[test]
fn the_audience_is_the_issuer_or_the_token_endpoint_and_nobody_else() {
    let (issuer, token) = ("https://op.example", "https://op.example/token");
    for good in [json!(issuer), json!(token), json!([issuer]), json!([token])] {
        assert!(changed(&json!({"aud": good}), None).is_ok(), "{good}");
    }
    for bad in [
        json!(null),
        json!("https://op.example/"),
        json!("https://other.example"),
        json!([issuer, "https://other.example"]),
        json!([issuer, token]),
        json!([]),
        json!([[issuer]]),
        json!(7),
    ] {
        assert_eq!(changed(&json!({"aud": bad}), None), Err(AssertionError::Audience), "{bad}");
    }
}

#[test]
fn under_fapi_the_audience_is_the_issuer_as_a_string_fapi2_5_3_2_1() {
    let fapi = Some(SecurityProfile::Fapi2Security);
    let issuer = "https://op.example";
    assert!(changed(&json!({"aud": issuer}), fapi).is_ok());
    for bad in [json!([issuer]), json!("https://op.example/token"), json!("https://op.example/par")] {
        assert_eq!(changed(&json!({"aud": bad}), fapi), Err(AssertionError::Audience), "{bad}");
    }
}

#[test]
fn under_fapi_rs256_is_refused_fapi2_5_4_1() {
    let (client, private, jwks) = signing(SigningAlgorithm::RS256);
    let client = Client { profile: Some(SecurityProfile::Fapi2Security), ..client };
    let token = private.sign(JWT, &claims(&json!({}))).unwrap();
    assert_eq!(check(&token, &client, Material::Keys(&jwks)), Err(AssertionError::Algorithm));
}

#[test]
fn the_registered_algorithm_alone_counts() {
    let (client, private, jwks) = signing(SigningAlgorithm::ES256);
    let token = private.sign(JWT, &claims(&json!({}))).unwrap();
    let with = |alg: &str| Client { assertion_alg: Some(alg.to_owned()), ..client.clone() };
    assert!(check(&token, &with("ES256"), Material::Keys(&jwks)).is_ok());
    assert_eq!(check(&token, &with("PS256"), Material::Keys(&jwks)), Err(AssertionError::Algorithm));
}

#[test]
fn times_are_held_to_with_a_little_skew() {
    let at = |seconds: i64| NOW.as_secs() + seconds;
    for good in [
        json!({"iat": at(8)}),
        json!({"nbf": at(8)}),
        json!({"iat": at(30)}),
        json!({"nbf": at(30)}),
        json!({"iat": null}),
        json!({"exp": at(-5)}),
        json!({"exp": at(-29)}),
        json!({"exp": at(3600)}),
        json!({"exp": at(3630)}),
    ] {
        assert!(changed(&good, None).is_ok(), "{good}");
    }
    for (bad, error) in [
        (json!({"iat": at(31)}), AssertionError::NotYet),
        (json!({"nbf": at(31)}), AssertionError::NotYet),
        (json!({"iat": at(61)}), AssertionError::NotYet),
        (json!({"nbf": at(61)}), AssertionError::NotYet),
        (json!({"nbf": "soon"}), AssertionError::NotYet),
        (json!({"exp": at(-30)}), AssertionError::Expired),
        (json!({"exp": null}), AssertionError::Expired),
        (json!({"exp": at(3631)}), AssertionError::Lifetime),
        (json!({"exp": at(7200)}), AssertionError::Lifetime),
        (json!({"exp": i64::MAX}), AssertionError::Lifetime),
        (json!({"exp": 1e300}), AssertionError::Lifetime),
    ] {
        assert_eq!(changed(&bad, None), Err(error), "{bad}");
    }
}

#[test]
fn it_has_an_id_of_bounded_length() {
    for bad in [json!(null), json!(""), json!(7), json!("j".repeat(256))] {
        assert_eq!(changed(&json!({"jti": bad}), None), Err(AssertionError::Id), "{bad}");
    }
}

#[test]
fn a_jwt_of_another_type_is_no_assertion() {
    let (client, private, jwks) = signing(SigningAlgorithm::ES256);
    let with = |typ: &str| check(&private.sign(typ, &claims(&json!({}))).unwrap(), &client, Material::Keys(&jwks));
    assert!(with("client-authentication+jwt").is_ok() && with("jwt").is_ok());
    for typ in ["at+jwt", "dpop+jwt", "oauth-authz-req+jwt"] {
        assert_eq!(with(typ), Err(AssertionError::Type), "{typ}");
    }
}

#[test]
fn unsigned_and_oversized_assertions_are_none() {
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let unsigned = format!("{}.{}.", encode(&json!({"alg": "none"})), encode(&claims(&json!({}))));
    let (client, private, jwks) = signing(SigningAlgorithm::ES256);
    assert_eq!(check(&unsigned, &client, Material::Keys(&jwks)), Err(AssertionError::Algorithm));
    let long = private.sign(JWT, &claims(&json!({"more": "x".repeat(MAX_ASSERTION)}))).unwrap();
    assert!(Assertion::read(&long).is_none());
}

proptest! {
    #[test]
    fn arbitrary_text_never_panics(
        text in "\\PC{0,200}",
        header in "\\PC{0,60}",
        claims in "\\PC{0,60}",
        signature in "[A-Za-z0-9_-]{0,90}",
    ) {
        let client = Client { auth_methods: vec![AuthMethod::PrivateKeyJwt], ..client() };
        let encoded = format!("{}.{}.{signature}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let odd_set = json!({"keys": [{}, 7]});
        for token in [text, encoded] {
            prop_assert!(check(&token, &client, Material::Keys(&odd_set)).is_err());
        }
    }

    #[test]
    fn no_claims_of_odd_kinds_panic_or_pass_for_another(
        name in prop::sample::select(vec!["iss", "sub", "aud", "exp", "iat", "nbf", "jti"]),
        value in prop::sample::select(vec![
            json!({}), json!([]), json!([[]]), json!(true), json!(-1), json!(u64::MAX), json!(1.5e308), json!("\u{0}"),
        ]),
    ) {
        let client = Client { auth_methods: vec![AuthMethod::ClientSecretJwt], ..client() };
        let mut odd = claims(&json!({}));
        odd[name] = value;
        let token = jsonwebtoken::encode(&Header::default(), &odd, &EncodingKey::from_secret(SECRET)).unwrap();
        if let Ok(verified) = check(&token, &client, Material::Secrets(&[SECRET])) {
            prop_assert!(verified.expires_at() <= later(3600 + 60));
            prop_assert_eq!(verified.client(), &client.id);
        }
    }
}
