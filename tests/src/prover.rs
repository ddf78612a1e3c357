//! A client's key for DPoP proofs (RFC 9449), of any algorithm the metadata names.
#![allow(clippy::expect_used, clippy::missing_panics_doc, reason = "a fixture that fails is a test that fails")]

use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RSA_PSS_SHA256,
    RsaEncoding,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_model::SigningAlgorithm;
use serde_json::{Value, json};

/// A key, and the proofs it makes.
pub struct Prover {
    algorithm: SigningAlgorithm,
    pair: Pair,
}

enum Pair {
    P256(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Rsa(Box<RsaKeyPair>, &'static dyn RsaEncoding),
}

impl Default for Prover {
    fn default() -> Self {
        Self::new(SigningAlgorithm::ES256)
    }
}

impl Prover {
    /// A fresh key.
    pub fn new(algorithm: SigningAlgorithm) -> Self {
        let rsa = || Box::new(RsaKeyPair::generate(KeySize::Rsa2048).expect("an RSA key"));
        let pair = match algorithm {
            SigningAlgorithm::ES256 => {
                Pair::P256(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a P-256 key"))
            }
            SigningAlgorithm::EdDSA => Pair::Ed25519(Ed25519KeyPair::generate().expect("an Ed25519 key")),
            SigningAlgorithm::RS256 => Pair::Rsa(rsa(), &RSA_PKCS1_SHA256),
            SigningAlgorithm::PS256 => Pair::Rsa(rsa(), &RSA_PSS_SHA256),
        };
        Self { algorithm, pair }
    }

    /// The public key, its required members alone (RFC 7638, 3.2).
    pub fn jwk(&self) -> Value {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        match &self.pair {
            Pair::P256(pair) => {
                let point = pair.public_key().as_ref();
                json!({"crv": "P-256", "kty": "EC", "x": text(&point[1..33]), "y": text(&point[33..])})
            }
            Pair::Ed25519(pair) => json!({"crv": "Ed25519", "kty": "OKP", "x": text(pair.public_key().as_ref())}),
            Pair::Rsa(pair, _) => {
                let (n, e) = (pair.public_key().modulus(), pair.public_key().exponent());
                let [n, e] = [n, e].map(|number| text(number.big_endian_without_leading_zero()));
                json!({"e": e, "kty": "RSA", "n": n})
            }
        }
    }

    /// `jkt` (RFC 7638, 3: the members in their order).
    pub fn thumbprint(&self) -> String {
        URL_SAFE_NO_PAD.encode(digest(&SHA256, self.jwk().to_string().as_bytes()))
    }

    /// A proof of a request, with more or other claims.
    pub fn prove(&self, method: &str, url: &str, more: &Value) -> String {
        let jti: [u8; 16] = aws_lc_rs::rand::generate(&SystemRandom::new()).expect("random bits").expose();
        let mut claims = json!({"jti": URL_SAFE_NO_PAD.encode(jti), "htm": method, "htu": url, "iat": now()});
        claims.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        let header = json!({"typ": "dpop+jwt", "alg": self.algorithm.as_str(), "jwk": self.jwk()});
        let encode = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let message = format!("{}.{}", encode(&header), encode(&claims));
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(self.sign(message.as_bytes())))
    }

    /// A proof of a GET with a token.
    pub fn prove_token(&self, url: &str, token: &str, more: &Value) -> String {
        let mut claims = json!({"ath": URL_SAFE_NO_PAD.encode(digest(&SHA256, token.as_bytes()))});
        claims.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        self.prove("GET", url, &claims)
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::P256(pair) => pair.sign(&random, message).expect("a signature").as_ref().to_vec(),
            Pair::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
            Pair::Rsa(pair, padding) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(*padding, &random, message, &mut signature).expect("a signature");
                signature
            }
        }
    }
}

/// The client's clock, which is not the product's, in seconds.
#[expect(clippy::disallowed_methods, reason = "the client's clock, which is not the product's")]
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
}
