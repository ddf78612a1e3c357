use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::testing::{NOW, key, later, pkcs8};

#[test]
fn each_algorithm_signs_what_its_public_half_verifies() {
    for algorithm in SigningAlgorithm::ALL {
        let (private, stored) = key(algorithm, "k1");
        let token = private.sign("at+jwt", &json!({ "a": 1 })).unwrap();
        let (typ, claims) = verify(&token, &[stored]).unwrap();
        assert_eq!((typ.as_deref(), claims.get("a")), (Some("at+jwt"), Some(&json!(1))));
        let header = jsonwebtoken::decode_header(&token).unwrap();
        assert_eq!((header.kid.as_deref(), header.alg), (Some("k1"), super::algorithm(algorithm)));
    }
}

#[test]
fn a_key_of_another_algorithm_is_unusable() {
    let id: KeyId = "k1".parse().unwrap();
    for (claimed, actual) in [
        (SigningAlgorithm::RS256, SigningAlgorithm::ES256),
        (SigningAlgorithm::ES256, SigningAlgorithm::EdDSA),
        (SigningAlgorithm::EdDSA, SigningAlgorithm::RS256),
    ] {
        let der = pkcs8(actual);
        assert_eq!(PrivateKey::from_pkcs8(claimed, id.clone(), &der).unwrap_err(), KeyError::Unusable);
    }
    assert!(PrivateKey::from_pkcs8(SigningAlgorithm::ES256, id, &[]).is_err());
}

#[test]
fn the_ed25519_key_of_rfc8037_appendix_a_gives_its_public_half() {
    let seed = URL_SAFE_NO_PAD.decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A").unwrap();
    let pkcs8 = [&[0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20][..], &seed].concat();
    let id = "k1".parse().unwrap();
    let jwk = public_jwk(SigningAlgorithm::EdDSA, &id, &pkcs8).unwrap();
    assert_eq!(jwk["x"], "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
    // Appendix A.4: the signature of its example message.
    let message = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
    let private = PrivateKey::from_pkcs8(SigningAlgorithm::EdDSA, id, &pkcs8).unwrap();
    let expected = "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
    assert_eq!(URL_SAFE_NO_PAD.encode(private.pair.sign(message).unwrap()), expected);
}

#[test]
fn the_jwks_holds_public_members_whatever_is_stored_rfc7517() {
    for algorithm in SigningAlgorithm::ALL {
        let (_, mut stored) = key(algorithm, "k1");
        let private = json!("secret");
        for name in ["d", "p", "q", "dp", "dq", "qi", "k", "oth", "x5u"] {
            stored.public_jwk[name] = private.clone();
        }
        let set = jwks(&[stored], NOW);
        let jwk = set["keys"][0].as_object().unwrap();
        assert!(!set.to_string().contains("secret"));
        assert_eq!((&jwk["kid"], &jwk["use"], &jwk["alg"]), (&json!("k1"), &json!("sig"), &json!(algorithm.as_str())));
        let expected = if algorithm == SigningAlgorithm::EdDSA {
            6
        } else {
            6 + usize::from(algorithm == SigningAlgorithm::ES256)
        };
        assert_eq!(jwk.len(), expected, "{jwk:?}");
    }
}

#[test]
fn a_key_is_published_before_use_and_until_it_retires() {
    let (_, mut old) = key(SigningAlgorithm::ES256, "old");
    let (_, mut new) = key(SigningAlgorithm::ES256, "new");
    (old.retire_at, new.created_at, new.use_from) = (Some(later(300)), later(100), later(200));
    let keys = [old, new];
    let at = |seconds| {
        let published: Vec<_> = published(&keys, later(seconds)).map(|key| key.id.to_string()).collect();
        let signs = choose_signing_key(&keys, SigningAlgorithm::ES256, later(seconds)).map(|key| key.id.to_string());
        (published.join(" "), signs.unwrap_or_default())
    };
    let told = |published: &str, signs: &str| (published.to_owned(), signs.to_owned());
    assert_eq!(at(-1), told("", ""));
    assert_eq!(at(0), told("old", "old"));
    assert_eq!(at(100), told("old new", "old"));
    assert_eq!(at(200), told("old new", "new"));
    assert_eq!(at(300), told("new", "new"));
    assert!(choose_signing_key(&keys, SigningAlgorithm::RS256, later(0)).is_none());
}

/// A token with the header given, signed properly.
fn forge(header: &Value, private: &PrivateKey) -> String {
    let text = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", text(header), text(&json!({ "a": 1 })));
    let signature = URL_SAFE_NO_PAD.encode(private.pair.sign(message.as_bytes()).unwrap());
    format!("{message}.{signature}")
}

#[test]
fn what_does_not_fit_the_key_is_refused() {
    let (private, stored) = key(SigningAlgorithm::ES256, "k1");
    let keys = [stored];
    assert!(verify(&forge(&json!({ "alg": "ES256", "kid": "k1" }), &private), &keys).is_some());
    for header in [
        json!({ "alg": "ES256" }),
        json!({ "alg": "ES256", "kid": "k2" }),
        json!({ "alg": "none", "kid": "k1" }),
        json!({ "alg": "HS256", "kid": "k1" }),
        json!({ "alg": "EdDSA", "kid": "k1" }),
        json!({ "alg": "ES256", "kid": "k1", "crit": ["b64"], "b64": true }),
        json!({ "alg": "ES256", "kid": "k1", "crit": [] }),
    ] {
        assert!(verify(&forge(&header, &private), &keys).is_none(), "{header}");
    }
}

#[test]
fn a_changed_token_is_refused() {
    let (private, stored) = key(SigningAlgorithm::ES256, "k1");
    let keys = [stored];
    let token = private.sign("JWT", &json!({ "a": 1 })).unwrap();
    let (head, signature) = token.rsplit_once('.').unwrap();
    let (header, _) = head.split_once('.').unwrap();
    let other = URL_SAFE_NO_PAD.encode(r#"{"a":2}"#);
    for changed in [format!("{header}.{other}.{signature}"), format!("{head}."), format!("{token}A"), head.to_owned()] {
        assert!(verify(&changed, &keys).is_none(), "{changed}");
    }
    assert!(verify(&format!("{token}{}", "A".repeat(MAX_TOKEN)), &keys).is_none());
}

#[test]
fn debug_of_a_private_key_shows_no_key() {
    let (private, _) = key(SigningAlgorithm::ES256, "k1");
    assert_eq!(format!("{private:?}"), r#"PrivateKey { id: KeyId("k1"), algorithm: ES256, .. }"#);
}

proptest! {
    #[test]
    fn arbitrary_tokens_never_panic(token in "[A-Za-z0-9._=-]{0,120}") {
        prop_assert!(verify(&token, &[]).is_none());
    }
}
