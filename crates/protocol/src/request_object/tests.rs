use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::keys::{PrivateKey, jwks};
use crate::testing::{CALLBACK, NOW, client, issuer, key, params as form};

struct Signer {
    private: PrivateKey,
    jwks: Value,
}

fn signer(algorithm: SigningAlgorithm) -> Signer {
    let (private, stored) = key(algorithm, "k1");
    Signer { private, jwks: jwks(&[stored], NOW) }
}

fn claims() -> Value {
    json!({
        "iss": "rp", "aud": "https://op.example", "client_id": "rp", "response_type": "code",
        "redirect_uri": CALLBACK, "scope": "openid", "max_age": 60, "claims": {"userinfo": {"name": null}},
        "exp": NOW.as_secs() + 300, "nbf": NOW.as_secs(), "jti": "j", "resource": ["https://a.example", "https://b.example"],
    })
}

fn changed(name: &str, value: Value) -> Value {
    let mut claims = claims();
    if value.is_null() {
        claims.as_object_mut().unwrap().remove(name);
    } else {
        claims[name] = value;
    }
    claims
}

fn outer() -> Params {
    form(&[("client_id", "rp"), ("response_type", "code"), ("scope", "openid email"), ("state", "outside")])
}

impl Signer {
    fn open_as(&self, client: &Client, typ: &str, claims: &Value) -> Result<Opened, Unopened> {
        let object = self.private.sign(typ, claims).unwrap();
        open(&outer(), &object, &Expected { client, jwks: Some(&self.jwks), issuer: &issuer() }, NOW)
    }

    fn open(&self, claims: &Value) -> Result<Opened, Unopened> {
        self.open_as(&client(), TYPE, claims)
    }
}

fn code(result: Result<Opened, Unopened>) -> ErrorCode {
    OAuthError::from(result.unwrap_err()).code
}

#[test]
fn every_algorithm_is_verified_and_the_values_are_as_in_clear_rfc9101_4() {
    for algorithm in SigningAlgorithm::ALL {
        let opened = signer(algorithm).open(&claims()).unwrap();
        assert!(opened.signed);
        let params = &opened.params;
        assert_eq!(params.get("redirect_uri"), Some(CALLBACK));
        assert_eq!((params.get("max_age"), params.get("claims")), (Some("60"), Some(r#"{"userinfo":{"name":null}}"#)));
        assert_eq!(params.all("resource").collect::<Vec<_>>(), ["https://a.example", "https://b.example"]);
        assert!(["iss", "aud", "exp", "nbf", "jti"].iter().all(|name| !params.has(name)));
    }
}

#[test]
fn what_is_outside_counts_by_core_6_1_alone() {
    let signer = signer(SigningAlgorithm::ES256);
    let strict = signer.open(&claims()).unwrap().params;
    assert_eq!((strict.get("state"), strict.get("scope")), (None, Some("openid")));
    let merged = signer.open_as(&client(), "JWT", &claims()).unwrap().params;
    assert_eq!((merged.get("state"), merged.get("scope")), (Some("outside"), Some("openid")));
    let mut careful = client();
    careful.requests.require_signed = true;
    assert_eq!(signer.open_as(&careful, "JWT", &claims()).unwrap().params.get("state"), None);
    assert_eq!(
        code(signer.open_as(&client(), "JWT", &changed("response_type", json!("id_token")))),
        ErrorCode::InvalidRequestObject
    );
}

#[test]
fn an_object_of_somebody_else_or_for_somebody_else_is_refused() {
    let signer = signer(SigningAlgorithm::ES256);
    let cases = [
        ("iss", json!("other")),
        ("client_id", json!("other")),
        ("sub", json!("rp")),
        ("aud", json!("https://other.example")),
        ("aud", json!(["https://other.example"])),
        ("exp", json!(NOW.as_secs() - 30)),
        ("exp", json!("soon")),
        ("nbf", json!(NOW.as_secs() + 31)),
        ("nbf", json!(NOW.as_secs() + 61)),
        ("iat", json!(NOW.as_secs() + 31)),
        ("iat", json!(NOW.as_secs() + 86_400)),
        ("iat", json!("now")),
    ];
    for (name, value) in cases {
        assert_eq!(code(signer.open(&changed(name, value.clone()))), ErrorCode::InvalidRequestObject, "{name} {value}");
    }
    for (name, value) in [
        ("nbf", json!(NOW.as_secs() + 8)),
        ("nbf", json!(NOW.as_secs() + 30)),
        ("exp", json!(NOW.as_secs() - 29)),
        ("iat", json!(NOW.as_secs() + 30)),
        ("iat", json!(NOW.as_secs() - 86_400)),
        ("aud", json!(["x", "https://op.example"])),
        ("iss", Value::Null),
    ] {
        assert!(signer.open(&changed(name, value)).is_ok(), "{name}");
    }
    for typ in ["at+jwt", "dpop+jwt", "logout+jwt"] {
        assert!(signer.open_as(&client(), typ, &claims()).is_err(), "{typ}");
    }
    for name in ["request", "request_uri"] {
        assert_eq!(code(signer.open(&changed(name, json!("x")))), ErrorCode::InvalidRequestObject);
    }
}

#[test]
fn only_the_registered_algorithm_and_key_count() {
    let (es256, other) = (signer(SigningAlgorithm::ES256), signer(SigningAlgorithm::ES256));
    let mut registered = client();
    registered.requests.signing_alg = Some("RS256".to_owned());
    assert_eq!(code(es256.open_as(&registered, TYPE, &claims())), ErrorCode::InvalidRequestObject);
    let object = other.private.sign(TYPE, &claims()).unwrap();
    let expected = Expected { client: &client(), jwks: Some(&es256.jwks), issuer: &issuer() };
    assert!(matches!(open(&outer(), &object, &expected, NOW), Err(Unopened::Refused(_))));
    assert_eq!(open(&outer(), &object, &Expected { jwks: None, ..expected }, NOW), Err(Unopened::UnknownKey));
    let held = Client { profile: Some(SecurityProfile::Fapi2Security), ..client() };
    assert!(signer(SigningAlgorithm::RS256).open_as(&held, TYPE, &claims()).is_err());
    assert!(signer(SigningAlgorithm::PS256).open_as(&held, TYPE, &claims()).is_ok());
}

#[test]
fn none_is_for_who_registered_it() {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let object = format!("{}.{}.", part(&json!({"alg": "none"})), part(&claims()));
    let open_for = |client: &Client, object: &str| {
        open(&outer(), object, &Expected { client, jwks: None, issuer: &issuer() }, NOW)
    };
    assert_eq!(code(open_for(&client(), &object)), ErrorCode::InvalidRequestObject);
    let mut plain = client();
    plain.requests.signing_alg = Some("none".to_owned());
    let opened = open_for(&plain, &object).unwrap();
    assert!(!opened.signed && opened.params.get("redirect_uri") == Some(CALLBACK));
    assert!(open_for(&plain, &format!("{object}AAAA")).is_err());
    plain.profile = Some(SecurityProfile::Fapi2Security);
    assert!(open_for(&plain, &object).is_err());
}

#[test]
fn message_signing_is_strict_about_time_and_audience_fapi2_5_3_1() {
    let signer = signer(SigningAlgorithm::PS256);
    let client = Client { profile: Some(SecurityProfile::Fapi2MessageSigning), ..client() };
    assert!(signer.open_as(&client, TYPE, &claims()).is_ok());
    for (name, value) in [
        ("exp", Value::Null),
        ("nbf", Value::Null),
        ("aud", Value::Null),
        ("exp", json!(NOW.as_secs() + 3700)),
        ("nbf", json!(NOW.as_secs() - 3700)),
    ] {
        assert!(signer.open_as(&client, TYPE, &changed(name, value)).is_err(), "{name}");
    }
    // The hour counts from `nbf`; `iat` may be left out, and is as good as its clock.
    let made = |at: i64| signer.open_as(&client, TYPE, &changed("iat", json!(NOW.as_secs() + at)));
    assert!(made(0).is_ok() && made(-3700).is_ok() && made(10).is_ok());
    assert_eq!(code(made(61)), ErrorCode::InvalidRequestObject);
}

proptest! {
    #[test]
    fn arbitrary_objects_never_panic(object in "[A-Za-z0-9_.-]{0,200}", text in "\\PC{0,60}") {
        let expected = Expected { client: &client(), jwks: None, issuer: &issuer() };
        prop_assert!(open(&outer(), &object, &expected, NOW).is_err());
        prop_assert!(open(&outer(), &text, &expected, NOW).is_err());
    }
}
