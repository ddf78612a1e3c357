//! A client's own key: its public half is in the client's metadata.
#![allow(clippy::expect_used, clippy::missing_panics_doc, reason = "a fixture that fails is a test that fails")]

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use countersign_model::{KeyId, SigningAlgorithm};
use countersign_protocol::PrivateKey;
use countersign_protocol::keys::public_jwk;
use serde_json::{Value, json};

/// A key and its set.
pub struct ClientKey {
    private: PrivateKey,
    /// The JWK Set.
    pub jwks: Value,
}

impl ClientKey {
    /// A fresh key under that id.
    pub fn new(name: &str) -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a P-256 key");
        let der = pair.to_pkcs8v1().expect("PKCS #8");
        let id: KeyId = name.parse().expect("an id");
        let jwk = public_jwk(SigningAlgorithm::ES256, &id, der.as_ref()).expect("a public key");
        let private = PrivateKey::from_pkcs8(SigningAlgorithm::ES256, id, der.as_ref()).expect("a private key");
        Self { private, jwks: json!({"keys": [jwk]}) }
    }

    /// `claims` as a JWT of the header type `typ`.
    pub fn sign(&self, typ: &str, claims: &Value) -> String {
        self.private.sign(typ, claims).expect("a signature")
    }
}
