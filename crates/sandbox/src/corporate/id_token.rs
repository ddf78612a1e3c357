//! ID tokens, signed with ES256; wrong ones on demand.

use super::{Approved, Corporate, CorporateFault};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

const KEY_ID: &str = "corporate-1";
/// Of an ID token.
const LIFE: TimeDelta = TimeDelta::minutes(5);
/// How long ago an expired one was issued.
const LONG_AGO: TimeDelta = TimeDelta::hours(1);

/// The key that is published, and one that is not.
pub struct Keys {
    published: EcdsaKeyPair,
    forged: EcdsaKeyPair,
}

impl Keys {
    pub fn generate() -> Option<Self> {
        let make = || EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).ok();
        Some(Self { published: make()?, forged: make()? })
    }

    /// A JWK: the public key is an uncompressed point, 0x04 and two coordinates of 32 bytes.
    pub fn public(&self) -> Value {
        let point = self.published.public_key().as_ref();
        let (x, y) = point[1..].split_at(32);
        let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        json!({
            "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": KEY_ID, "x": part(x), "y": part(y),
        })
    }
}

impl Corporate {
    /// None only if the library fails to sign.
    pub(super) fn issue_id_token(&self, approved: &Approved, now: DateTime<Utc>) -> Option<String> {
        let fault = approved.fault;
        let issued_at = if fault == CorporateFault::Expired { now - LONG_AGO } else { now };
        let person = &approved.person;
        let mut claims = json!({
            "iss": self.issuer,
            "sub": person.subject,
            "aud": if fault == CorporateFault::Audience { "somebody-else" } else { &self.client.client_id },
            "iat": issued_at.timestamp(),
            "exp": (issued_at + LIFE).timestamp(),
            "auth_time": approved.at.timestamp(),
            "email": person.email,
            "email_verified": person.email_verified,
            "name": format!("{} {}", person.given_name, person.family_name),
            "given_name": person.given_name,
            "family_name": person.family_name,
        });
        if fault == CorporateFault::Nonce {
            claims["nonce"] = json!("another-nonce");
        } else if let Some(nonce) = &approved.nonce {
            claims["nonce"] = json!(nonce);
        }
        self.sign(&claims, fault == CorporateFault::Signature)
    }

    fn sign(&self, claims: &Value, forged: bool) -> Option<String> {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let header = json!({ "alg": "ES256", "typ": "JWT", "kid": KEY_ID });
        let signed = format!("{}.{}", part(&header), part(claims));
        let key = if forged { &self.keys.forged } else { &self.keys.published };
        let signature = key.sign(&SystemRandom::new(), signed.as_bytes()).ok()?;
        Some(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}
