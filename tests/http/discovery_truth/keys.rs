//! Keys of relying parties, one for each algorithm: made once for all tests.

use std::sync::LazyLock;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P256K1_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING,
    ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512,
    RSA_PSS_SHA384, RSA_PSS_SHA512, RsaEncoding,
};
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

    /// The public half, its required members alone.
    pub fn public(&self) -> Value {
        self.bare()
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

/// A key of a registered algorithm (RFC 7518, 3.1; RFC 8812) that is none of ours, as strong as they come.
pub struct ForeignKey {
    name: &'static str,
    pair: ForeignPair,
}

enum ForeignPair {
    Ecdsa(EcdsaKeyPair, &'static str),
    Rsa(Box<RsaKeyPair>, &'static dyn RsaEncoding),
}

impl ForeignKey {
    /// A fresh one; none: nobody signs by an algorithm of that name, or everybody could.
    pub fn new(name: &str) -> Option<Self> {
        let ecdsa = |signing, curve| ForeignPair::Ecdsa(EcdsaKeyPair::generate(signing).unwrap(), curve);
        let rsa = |encoding| ForeignPair::Rsa(Box::new(RsaKeyPair::generate(KeySize::Rsa2048).unwrap()), encoding);
        let (name, pair) = match name {
            "ES384" => ("ES384", ecdsa(&ECDSA_P384_SHA384_FIXED_SIGNING, "P-384")),
            "ES512" => ("ES512", ecdsa(&ECDSA_P521_SHA512_FIXED_SIGNING, "P-521")),
            "ES256K" => ("ES256K", ecdsa(&ECDSA_P256K1_SHA256_FIXED_SIGNING, "secp256k1")),
            "RS384" => ("RS384", rsa(&RSA_PKCS1_SHA384)),
            "RS512" => ("RS512", rsa(&RSA_PKCS1_SHA512)),
            "PS384" => ("PS384", rsa(&RSA_PSS_SHA384)),
            "PS512" => ("PS512", rsa(&RSA_PSS_SHA512)),
            _ => return None,
        };
        Some(Self { name, pair })
    }

    fn jwk(&self) -> Value {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        match &self.pair {
            ForeignPair::Ecdsa(pair, curve) => {
                let (x, y) = pair.public_key().as_ref()[1..].split_at(pair.public_key().as_ref().len() / 2);
                json!({"kty": "EC", "crv": curve, "x": text(x), "y": text(y)})
            }
            ForeignPair::Rsa(pair, _) => {
                let (n, e) = (pair.public_key().modulus(), pair.public_key().exponent());
                let [n, e] = [n, e].map(|number| text(number.big_endian_without_leading_zero()));
                json!({"kty": "RSA", "n": n, "e": e})
            }
        }
    }

    /// A proof of possession for a POST (RFC 9449, 4.2) that holds, but for its algorithm; `alg` is what its header says.
    pub fn prove(&self, url: &str, alg: &str) -> String {
        let claims = json!({"jti": random(), "htm": "POST", "htu": url, "iat": now()});
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", part(&json!({"typ": "dpop+jwt", "alg": alg, "jwk": self.jwk()})), part(&claims));
        let random = SystemRandom::new();
        let signature = match &self.pair {
            ForeignPair::Ecdsa(pair, _) => pair.sign(&random, message.as_bytes()).unwrap().as_ref().to_vec(),
            ForeignPair::Rsa(pair, encoding) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(*encoding, &random, message.as_bytes(), &mut signature).unwrap();
                signature
            }
        };
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// What it is called.
    pub const fn name(&self) -> &'static str {
        self.name
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
