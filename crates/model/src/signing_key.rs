//! Keys that sign tokens.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{KeyId, Timestamp};

/// A JWS algorithm this provider signs with (RFC 7518, 3.1; RFC 8037).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum SigningAlgorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256, 2048 bits: the interoperable default.
    RS256,
    /// RSASSA-PSS with SHA-256, 2048 bits: FAPI 2.0.
    PS256,
    /// ECDSA on P-256 with SHA-256.
    ES256,
    /// Ed25519.
    EdDSA,
}

impl SigningAlgorithm {
    /// Every one, the default first.
    pub const ALL: [Self; 4] = [Self::RS256, Self::PS256, Self::ES256, Self::EdDSA];

    /// The registered name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RS256 => "RS256",
            Self::PS256 => "PS256",
            Self::ES256 => "ES256",
            Self::EdDSA => "EdDSA",
        }
    }

    /// The algorithm named `name`.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|alg| alg.as_str() == name)
    }
}

/// A signing key as it is stored.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningKey {
    /// Its `kid`.
    pub id: KeyId,
    /// What it signs.
    pub algorithm: SigningAlgorithm,
    /// Public half as a JWK (RFC 7517).
    pub public_jwk: Value,
    /// Private half (PKCS#8 DER) sealed under the master key.
    pub sealed_private: Vec<u8>,
    /// When it was made; published from then.
    pub created_at: Timestamp,
    /// When it may sign for the first time.
    pub use_from: Timestamp,
    /// When it leaves the JWKS; none: not decided yet.
    pub retire_at: Option<Timestamp>,
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SigningKey").field("id", &self.id).field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}
