//! A client's own key: made once for all tests, its public half in the client's metadata.

use std::sync::LazyLock;

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
    fn new(name: &str) -> Self {
        let der = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap().to_pkcs8v1().unwrap();
        let id: KeyId = name.parse().unwrap();
        let jwks = json!({"keys": [public_jwk(SigningAlgorithm::ES256, &id, der.as_ref()).unwrap()]});
        Self { private: PrivateKey::from_pkcs8(SigningAlgorithm::ES256, id, der.as_ref()).unwrap(), jwks }
    }

    /// `claims` as a JWT of the header type `typ`.
    pub fn sign(&self, typ: &str, claims: &Value) -> String {
        self.private.sign(typ, claims).unwrap()
    }
}

/// The key of the client `signer`.
pub static SIGNER: LazyLock<ClientKey> = LazyLock::new(|| ClientKey::new("signer-1"));
/// A key of the same name that nobody registered.
pub static STRANGER: LazyLock<ClientKey> = LazyLock::new(|| ClientKey::new("signer-1"));
