use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use proptest::prelude::*;

use super::*;
use crate::testing::{NOW, key, later, pkcs8};

const TOKEN_ENDPOINT: &str = "https://op.example/token";

struct Signer {
    pkcs8: Vec<u8>,
    jwk: Value,
}

impl Signer {
    fn new() -> Self {
        let pkcs8 = pkcs8(SigningAlgorithm::ES256);
        let id = "k".parse().unwrap();
        let mut jwk = crate::keys::public_jwk(SigningAlgorithm::ES256, &id, &pkcs8).unwrap();
        for name in ["kid", "use", "alg"] {
            jwk.as_object_mut().unwrap().remove(name);
        }
        Self { pkcs8, jwk }
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        let encode = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let message = format!("{}.{}", encode(header), encode(claims));
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &self.pkcs8).unwrap();
        let signature = pair.sign(&aws_lc_rs::rand::SystemRandom::new(), message.as_bytes()).unwrap();
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }

    fn header(&self) -> Value {
        json!({"typ": "dpop+jwt", "alg": "ES256", "jwk": self.jwk})
    }
}

fn claims() -> Value {
    json!({"jti": "proof-1", "htm": "POST", "htu": TOKEN_ENDPOINT, "iat": NOW.as_secs()})
}

fn changed(mut value: Value, change: impl FnOnce(&mut Map<String, Value>)) -> Value {
    change(value.as_object_mut().unwrap());
    value
}

fn check(proof: &str) -> Result<Proof, ErrorCode> {
    check_with(proof, None, None)
}

fn check_with(proof: &str, access_token: Option<&str>, nonces: Option<&[String]>) -> Result<Proof, ErrorCode> {
    let addresses = [TOKEN_ENDPOINT.to_owned(), "https://mtls.op.example:8443/token".to_owned()];
    let expected = Expected { method: "POST", addresses: &addresses, access_token, nonces };
    verify(proof, &expected, NOW).map_err(|error| error.code)
}

#[test]
fn a_sound_proof_names_its_key_by_rfc7638() {
    let signer = Signer::new();
    let proof = check(&signer.sign(&signer.header(), &claims())).unwrap();
    let (x, y) = (signer.jwk["x"].as_str().unwrap(), signer.jwk["y"].as_str().unwrap());
    let members = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
    assert_eq!(proof.thumbprint, hash(members.as_bytes()));
    assert!(is_thumbprint(&proof.thumbprint) && !is_thumbprint("short") && !is_thumbprint(""));
    assert_eq!(proof.jti, "proof-1");
    assert!(proof.expires_at > NOW.plus(PROOF_AGE));
}

#[test]
fn the_example_of_rfc7638_3_1_has_its_thumbprint() {
    let n = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3o\
             knjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHz\
             u6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8\
             awapJzKnqDKgw";
    let jwk = json!({"kty": "RSA", "n": n, "e": "AQAB", "alg": "RS256", "kid": "2011-04-29"});
    let expected = "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs";
    assert_eq!(thumbprint(jwk.as_object().unwrap()).as_deref(), Some(expected));
}

#[test]
fn every_algorithm_that_is_advertised_is_taken() {
    for algorithm in SigningAlgorithm::ALL {
        let (_, stored) = key(algorithm, "k1");
        let der = pkcs8(algorithm);
        let mut jwk = crate::keys::public_jwk(algorithm, &stored.id, &der).unwrap();
        jwk.as_object_mut().unwrap().remove("kid");
        let (name, encoding) = match algorithm {
            SigningAlgorithm::ES256 => (Algorithm::ES256, EncodingKey::from_ec_der(&der)),
            SigningAlgorithm::EdDSA => (Algorithm::EdDSA, EncodingKey::from_ed_der(&der)),
            // The same key signs both; its PKCS#8 is read by the product's own code elsewhere.
            SigningAlgorithm::RS256 | SigningAlgorithm::PS256 => continue,
        };
        let mut header = Header::new(name);
        header.typ = Some(TYPE.to_owned());
        header.jwk = Some(serde_json::from_value(jwk).unwrap());
        let proof = jsonwebtoken::encode(&header, &claims(), &encoding).unwrap();
        assert!(check(&proof).is_ok(), "{}", algorithm.as_str());
    }
}

#[test]
fn nothing_of_rfc9449_4_3_is_left_unchecked() {
    let signer = Signer::new();
    let (other, sound) = (Signer::new(), signer.header());
    let header = |change: fn(&mut Map<String, Value>)| signer.sign(&changed(signer.header(), change), &claims());
    let claim = |change: fn(&mut Map<String, Value>)| signer.sign(&sound, &changed(claims(), change));
    let good = signer.sign(&sound, &claims());
    let parts: Vec<&str> = good.split('.').collect();
    let none = changed(signer.header(), |header| drop(header.insert("alg".to_owned(), json!("none"))));
    let refused = [
        ("no JWT", "abc".to_owned()),
        ("empty", String::new()),
        ("cut", format!("{}.{}", parts[0], parts[1])),
        ("no signature", format!("{}.{}.", parts[0], parts[1])),
        (
            "another signature",
            format!("{}.{}.{}", parts[0], parts[1], other.sign(&sound, &claims()).split('.').nth(2).unwrap()),
        ),
        ("another key's signature", other.sign(&sound, &claims())),
        ("unsigned", format!("{}.{}.", URL_SAFE_NO_PAD.encode(none.to_string()), parts[1])),
        ("no typ", header(|header| drop(header.remove("typ")))),
        ("typ of a JWT", header(|header| drop(header.insert("typ".to_owned(), json!("JWT"))))),
        ("no alg", header(|header| drop(header.remove("alg")))),
        ("a symmetric alg", header(|header| drop(header.insert("alg".to_owned(), json!("HS256"))))),
        ("alg of another kind of key", header(|header| drop(header.insert("alg".to_owned(), json!("EdDSA"))))),
        ("no jwk", header(|header| drop(header.remove("jwk")))),
        ("a jwk that is none", header(|header| drop(header.insert("jwk".to_owned(), json!("key"))))),
        (
            "a private jwk",
            header(|header| drop(header["jwk"].as_object_mut().unwrap().insert("d".to_owned(), json!("AA")))),
        ),
        ("a symmetric jwk", header(|header| drop(header.insert("jwk".to_owned(), json!({"kty": "oct", "k": "AA"}))))),
        (
            "a jwk for encryption",
            header(|header| drop(header["jwk"].as_object_mut().unwrap().insert("use".to_owned(), json!("enc")))),
        ),
        ("crit", header(|header| drop(header.insert("crit".to_owned(), json!(["exp"]))))),
        ("no jti", claim(|claims| drop(claims.remove("jti")))),
        ("an empty jti", claim(|claims| drop(claims.insert("jti".to_owned(), json!(""))))),
        ("a long jti", claim(|claims| drop(claims.insert("jti".to_owned(), json!("j".repeat(257)))))),
        ("a jti that is a number", claim(|claims| drop(claims.insert("jti".to_owned(), json!(7))))),
        ("no htm", claim(|claims| drop(claims.remove("htm")))),
        ("another method", claim(|claims| drop(claims.insert("htm".to_owned(), json!("GET"))))),
        ("method in lower case", claim(|claims| drop(claims.insert("htm".to_owned(), json!("post"))))),
        ("no htu", claim(|claims| drop(claims.remove("htu")))),
        (
            "another endpoint",
            claim(|claims| drop(claims.insert("htu".to_owned(), json!("https://op.example/userinfo")))),
        ),
        ("another host", claim(|claims| drop(claims.insert("htu".to_owned(), json!("https://rp.example/token"))))),
        ("http", claim(|claims| drop(claims.insert("htu".to_owned(), json!("http://op.example/token"))))),
        (
            "a path in another case",
            claim(|claims| drop(claims.insert("htu".to_owned(), json!("https://op.example/Token")))),
        ),
        ("no URL", claim(|claims| drop(claims.insert("htu".to_owned(), json!("/token"))))),
        ("no iat", claim(|claims| drop(claims.remove("iat")))),
        ("an iat that is text", claim(|claims| drop(claims.insert("iat".to_owned(), json!("now"))))),
        ("an hour ago", claim(|claims| drop(claims.insert("iat".to_owned(), json!(NOW.as_secs() - 3600))))),
        ("in an hour", claim(|claims| drop(claims.insert("iat".to_owned(), json!(NOW.as_secs() + 3600))))),
        ("too long", claim(|claims| drop(claims.insert("more".to_owned(), json!("x".repeat(9000)))))),
    ];
    for (case, proof) in refused {
        assert_eq!(check(&proof), Err(ErrorCode::InvalidDpopProof), "{case}");
    }
}

#[test]
fn an_rsa_key_of_an_absurd_size_is_not_even_tried() {
    let jwk = json!({"kty": "RSA", "n": "A".repeat(2000), "e": "AQAB"});
    let header = json!({"typ": "dpop+jwt", "alg": "RS256", "jwk": jwk});
    let proof = format!("{}.e30.AA", URL_SAFE_NO_PAD.encode(header.to_string()));
    assert!(read_key(&proof).is_none());
}

#[test]
fn the_address_is_compared_as_a_url_without_query_and_fragment() {
    let signer = Signer::new();
    for same in [
        "HTTPS://OP.Example:443/token",
        "https://op.example/token?x=y",
        "https://op.example/token#z",
        "https://op.example/./token",
        "https://mtls.op.example:8443/token",
    ] {
        let proof = signer.sign(&signer.header(), &changed(claims(), |claims| claims["htu"] = json!(same)));
        assert!(check(&proof).is_ok(), "{same}");
    }
}

#[test]
fn clocks_may_differ_a_little() {
    let signer = Signer::new();
    for seconds in [-60, -10, 0, 10, 30] {
        let issued = changed(claims(), |claims| claims["iat"] = json!(later(seconds).as_secs()));
        assert!(check(&signer.sign(&signer.header(), &issued)).is_ok(), "{seconds}");
    }
    for seconds in [-61, 31, 61, -3600, 3600] {
        let issued = changed(claims(), |claims| claims["iat"] = json!(later(seconds).as_secs()));
        assert!(check(&signer.sign(&signer.header(), &issued)).is_err(), "{seconds}");
    }
}

#[test]
fn an_id_is_remembered_until_the_proof_is_too_old() {
    let signer = Signer::new();
    let ahead = changed(claims(), |claims| claims["iat"] = json!(later(30).as_secs()));
    let proof = signer.sign(&signer.header(), &ahead);
    let expires_at = check(&proof).unwrap().expires_at;
    let addresses = [TOKEN_ENDPOINT.to_owned()];
    let expected = Expected { method: "POST", addresses: &addresses, access_token: None, nonces: None };
    assert!(verify(&proof, &expected, expires_at).is_err());
}

#[test]
fn at_a_resource_the_proof_names_the_token_rfc9449_7() {
    let signer = Signer::new();
    let bound = changed(claims(), |claims| drop(claims.insert("ath".to_owned(), json!(hash(b"token")))));
    let proof = signer.sign(&signer.header(), &bound);
    assert!(check_with(&proof, Some("token"), None).is_ok());
    assert_eq!(check_with(&proof, Some("other"), None), Err(ErrorCode::InvalidDpopProof));
    let without = signer.sign(&signer.header(), &claims());
    assert_eq!(check_with(&without, Some("token"), None), Err(ErrorCode::InvalidDpopProof));
}

#[test]
fn a_nonce_must_be_one_of_ours_where_there_are_any_rfc9449_8() {
    let signer = Signer::new();
    let with = |nonce: &str| {
        let claims = changed(claims(), |claims| drop(claims.insert("nonce".to_owned(), json!(nonce))));
        signer.sign(&signer.header(), &claims)
    };
    let ours = ["now".to_owned(), "before".to_owned()];
    for nonce in ["now", "before"] {
        assert!(check_with(&with(nonce), None, Some(&ours)).is_ok());
    }
    for proof in [with("long ago"), with(""), signer.sign(&signer.header(), &claims())] {
        assert_eq!(check_with(&proof, None, Some(&ours)), Err(ErrorCode::UseDpopNonce));
    }
    let unsound = changed(claims(), |claims| claims["htm"] = json!("GET"));
    let proof = signer.sign(&signer.header(), &unsound);
    assert_eq!(check_with(&proof, None, Some(&ours)), Err(ErrorCode::InvalidDpopProof));
}

#[test]
fn a_request_has_one_proof_at_most() {
    assert_eq!(only_proof([].into_iter()), Ok(None));
    assert_eq!(only_proof([Some("a")].into_iter()), Ok(Some("a")));
    for refused in [vec![Some("a"), Some("b")], vec![Some("a"), Some("a")], vec![None]] {
        assert_eq!(only_proof(refused.into_iter()).unwrap_err().code, ErrorCode::InvalidDpopProof);
    }
}

proptest! {
    #[test]
    fn an_arbitrary_proof_never_panics(text in "\\PC{0,80}", header in "\\PC{0,40}") {
        let _ = check(&text);
        let _ = check(&format!("{}.{text}.{text}", URL_SAFE_NO_PAD.encode(&header)));
        let _ = check(&format!("{}.e30.AA", URL_SAFE_NO_PAD.encode(format!(r#"{{"jwk":{{"{header}":1}}}}"#))));
    }
}
