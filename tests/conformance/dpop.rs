//! Proofs of possession (RFC 9449) that the tests can get wrong.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::encoding::{AsBigEndian as _, EcPrivateKeyBin};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::rp::random;

/// A client's key for proofs.
pub struct Prover {
    pair: EcdsaKeyPair,
}

/// A proof before it is signed.
#[derive(Clone, Debug)]
pub struct Proof {
    /// Its header.
    pub header: Value,
    /// Its claims.
    pub claims: Value,
}

impl Prover {
    /// A fresh one.
    pub fn new() -> Self {
        Self { pair: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key") }
    }

    fn jwk(&self) -> Value {
        let point = self.pair.public_key().as_ref();
        let part = |from: usize| URL_SAFE_NO_PAD.encode(&point[from..from + 32]);
        json!({"crv": "P-256", "kty": "EC", "x": part(1), "y": part(33)})
    }

    /// The key with its private half, which no proof may show.
    pub fn private_jwk(&self) -> Value {
        let private: EcPrivateKeyBin<'static> = self.pair.private_key().as_be_bytes().expect("a private key");
        let mut jwk = self.jwk();
        jwk["d"] = json!(URL_SAFE_NO_PAD.encode(private.as_ref()));
        jwk
    }

    /// RFC 7638; the members of the key are in that order already.
    pub fn thumbprint(&self) -> String {
        hash(&self.jwk().to_string())
    }

    /// A sound proof of a request at `now`.
    pub fn proof(&self, method: &str, url: &str, now: i64) -> Proof {
        Proof {
            header: json!({"typ": "dpop+jwt", "alg": "ES256", "jwk": self.jwk()}),
            claims: json!({"jti": random(22), "htm": method, "htu": url, "iat": now}),
        }
    }

    /// Signs it, whatever it says.
    pub fn sign(&self, proof: &Proof) -> String {
        let encode = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let message = format!("{}.{}", encode(&proof.header), encode(&proof.claims));
        let signature = self.pair.sign(&SystemRandom::new(), message.as_bytes()).expect("a signature");
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }
}

impl Proof {
    /// With a claim, instead of one of that name.
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.claims[name] = value.into();
        self
    }

    /// Without a claim.
    pub fn without(mut self, name: &str) -> Self {
        self.claims.as_object_mut().expect("an object").remove(name);
        self
    }

    /// With a header parameter, instead of one of that name.
    pub fn with_header(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.header[name] = value.into();
        self
    }

    /// Without a header parameter.
    pub fn without_header(mut self, name: &str) -> Self {
        self.header.as_object_mut().expect("an object").remove(name);
        self
    }

    /// For the use of an access token.
    pub fn of_token(self, token: &str) -> Self {
        self.with("ath", hash(token))
    }
}

fn hash(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, text.as_bytes()))
}
