//! Keys of relying parties, one for each algorithm: made once for all tests.

use std::sync::LazyLock;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use countersign_model::SigningAlgorithm;
use countersign_protocol::keys::public_jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Map, Value, json};

/// A key of an algorithm.
pub struct Key {
    algorithm: Algorithm,
    id: String,
    private: EncodingKey,
    public: Value,
}

static KEYS: LazyLock<Vec<Key>> = LazyLock::new(|| SigningAlgorithm::ALL.into_iter().map(Key::new).collect());

/// The key for a registered algorithm's name.
pub fn key(name: &str) -> &'static Key {
    let algorithm: Algorithm = name.parse().expect("an algorithm that keys sign with");
    KEYS.iter().find(|key| key.algorithm == algorithm).expect("an algorithm of ours")
}

/// The public halves of all keys.
pub fn jwks() -> Value {
    json!({"keys": KEYS.iter().map(|key| key.public.clone()).collect::<Vec<_>>()})
}

impl Key {
    fn new(signing: SigningAlgorithm) -> Self {
        let der = pkcs8(signing);
        let id = format!("rp-{}", signing.as_str());
        let public = public_jwk(signing, &id.parse().unwrap(), &der).unwrap();
        let private = match signing {
            SigningAlgorithm::RS256 | SigningAlgorithm::PS256 => {
                let pem =
                    format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(&der));
                EncodingKey::from_rsa_pem(pem.as_bytes()).unwrap()
            }
            SigningAlgorithm::ES256 => EncodingKey::from_ec_der(&der),
            SigningAlgorithm::EdDSA => EncodingKey::from_ed_der(&der),
        };
        Self { algorithm: signing.as_str().parse().unwrap(), id, private, public }
    }

    /// `claims` as a JWT of the header type `typ`.
    pub fn sign(&self, typ: &str, claims: &Value) -> String {
        let mut header = Header::new(self.algorithm);
        (header.typ, header.kid) = (Some(typ.to_owned()), Some(self.id.clone()));
        jsonwebtoken::encode(&header, claims, &self.private).unwrap()
    }

    /// A proof of possession for a request (RFC 9449, 4.2), with its access token if there is one.
    pub fn prove(&self, method: &str, url: &str, token: Option<&str>) -> String {
        let mut claims = json!({"jti": random(), "htm": method, "htu": url, "iat": now()});
        if let Some(token) = token {
            claims["ath"] = json!(URL_SAFE_NO_PAD.encode(digest(&SHA256, token.as_bytes())));
        }
        let mut header = Header::new(self.algorithm);
        header.typ = Some("dpop+jwt".to_owned());
        header.jwk = Some(serde_json::from_value(self.bare()).unwrap());
        jsonwebtoken::encode(&header, &claims, &self.private).unwrap()
    }

    /// Thumbprint of the public half (RFC 7638).
    pub fn thumbprint(&self) -> String {
        URL_SAFE_NO_PAD.encode(digest(&SHA256, self.bare().to_string().as_bytes()))
    }

    /// The required members alone, in order (RFC 7638, 3).
    fn bare(&self) -> Value {
        let names = ["crv", "e", "kty", "n", "x", "y"];
        let members = names.into_iter().filter_map(|name| Some((name.to_owned(), self.public.get(name)?.clone())));
        Value::Object(members.collect::<Map<_, _>>())
    }
}

fn pkcs8(algorithm: SigningAlgorithm) -> Vec<u8> {
    match algorithm {
        SigningAlgorithm::RS256 | SigningAlgorithm::PS256 => {
            let der: aws_lc_rs::encoding::Pkcs8V1Der<'_> =
                RsaKeyPair::generate(KeySize::Rsa2048).unwrap().as_der().unwrap();
            der.as_ref().to_vec()
        }
        SigningAlgorithm::ES256 => {
            EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap().to_pkcs8v1().unwrap().as_ref().to_vec()
        }
        SigningAlgorithm::EdDSA => Ed25519KeyPair::generate().unwrap().to_pkcs8().unwrap().as_ref().to_vec(),
    }
}

/// A JWT of any header whose signature is nonsense.
pub fn forge(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signature = if header["alg"] == "none" { String::new() } else { "AAAA".repeat(16) };
    format!("{}.{}.{signature}", part(header), part(claims))
}

/// A text nobody can guess.
pub fn random() -> String {
    let bytes: [u8; 16] = aws_lc_rs::rand::generate(&SystemRandom::new()).unwrap().expose();
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Seconds since the epoch.
#[expect(clippy::disallowed_methods, reason = "what another process checks is held to the real time")]
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}
