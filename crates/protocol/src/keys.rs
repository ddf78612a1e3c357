//! Signing keys: what they sign, what of them is published, which one signs now (RFC 7515, 7517, 7518, 8037).

pub mod schedule;

use std::sync::Arc;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RSA_PSS_SHA256,
    RsaEncoding, RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_model::{KeyId, SigningAlgorithm, SigningKey, Timestamp};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Serialize;
use serde_json::{Map, Value, json};

/// The longest accepted token, in bytes.
const MAX_TOKEN: usize = 16 * 1024;
const MIN_RSA_BYTES: usize = 256;
/// Members of a JWK that are public, by key type; nothing else is ever published.
const PUBLIC_MEMBERS: [(&str, &[&str]); 3] = [("RSA", &["n", "e"]), ("EC", &["crv", "x", "y"]), ("OKP", &["crv", "x"])];

/// A key that cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The bytes are not a PKCS#8 key of the algorithm, or an RSA key under 2048 bits.
    #[error("not a usable private key of its algorithm")]
    Unusable,
    /// Signing failed.
    #[error("the key could not sign")]
    Signing,
}

/// A private key ready to sign. Debug shows its id and algorithm only.
#[derive(Clone)]
pub struct PrivateKey {
    id: KeyId,
    algorithm: SigningAlgorithm,
    pair: Arc<Pair>,
}

/// Read once: reading an RSA key takes about as long as signing with it, and jsonwebtoken reads it for every signature.
enum Pair {
    Rsa(RsaKeyPair, &'static dyn RsaEncoding),
    Ecdsa(EcdsaKeyPair),
    Eddsa(Ed25519KeyPair),
}

impl Pair {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        let (random, failed) = (SystemRandom::new(), |_| KeyError::Signing);
        match self {
            Self::Rsa(pair, padding) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(*padding, &random, message, &mut signature).map_err(failed)?;
                Ok(signature)
            }
            Self::Ecdsa(pair) => Ok(pair.sign(&random, message).map_err(failed)?.as_ref().to_vec()),
            Self::Eddsa(pair) => Ok(pair.sign(message).as_ref().to_vec()),
        }
    }
}

/// The protected header of what is signed here (RFC 7515, 4.1).
#[derive(Serialize)]
struct Header<'a> {
    typ: &'a str,
    alg: &'static str,
    kid: &'a str,
}

impl PrivateKey {
    /// From PKCS#8 DER; checks that the key is one of `algorithm`.
    pub fn from_pkcs8(algorithm: SigningAlgorithm, id: KeyId, pkcs8: &[u8]) -> Result<Self, KeyError> {
        public_members(algorithm, pkcs8)?;
        let rsa = |padding| RsaKeyPair::from_pkcs8(pkcs8).map(|pair| Pair::Rsa(pair, padding));
        let pair = match algorithm {
            SigningAlgorithm::RS256 => rsa(&RSA_PKCS1_SHA256),
            SigningAlgorithm::PS256 => rsa(&RSA_PSS_SHA256),
            SigningAlgorithm::ES256 => {
                EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8).map(Pair::Ecdsa)
            }
            SigningAlgorithm::EdDSA => Ed25519KeyPair::from_pkcs8(pkcs8).map(Pair::Eddsa),
        };
        Ok(Self { id, algorithm, pair: Arc::new(pair.map_err(|_| KeyError::Unusable)?) })
    }

    /// Its `kid`.
    pub const fn id(&self) -> &KeyId {
        &self.id
    }

    /// What it signs.
    pub const fn algorithm(&self) -> SigningAlgorithm {
        self.algorithm
    }

    /// `claims` as a compact JWS with the header `typ` given, `alg` and `kid`.
    pub fn sign<T: Serialize>(&self, typ: &str, claims: &T) -> Result<String, KeyError> {
        let header = Header { typ, alg: self.algorithm.as_str(), kid: self.id.as_str() };
        let mut token = part(&header)?;
        token.push('.');
        token.push_str(&part(claims)?);
        let signature = self.pair.sign(token.as_bytes())?;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Ok(token)
    }
}

impl std::fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PrivateKey").field("id", &self.id).field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

/// The public half of a PKCS#8 key as a JWK with `kid`, `use` and `alg` (RFC 7517, 4; RFC 7518, 6; RFC 8037, 2).
pub fn public_jwk(algorithm: SigningAlgorithm, id: &KeyId, pkcs8: &[u8]) -> Result<Value, KeyError> {
    let mut jwk = public_members(algorithm, pkcs8)?;
    jwk.insert("kid".to_owned(), json!(id.as_str()));
    jwk.insert("use".to_owned(), json!("sig"));
    jwk.insert("alg".to_owned(), json!(algorithm.as_str()));
    Ok(Value::Object(jwk))
}

/// The keys the JWKS holds at `now`: made already, not retired yet.
pub fn published(keys: &[SigningKey], now: Timestamp) -> impl Iterator<Item = &SigningKey> {
    keys.iter().filter(move |key| key.created_at <= now && key.retire_at.is_none_or(|end| now < end))
}

/// How often the JWKS of these keys has changed until `now`: by a key that was made, by one that was retired.
pub fn changes_until(keys: &[SigningKey], now: Timestamp) -> usize {
    let (made, retired) =
        (keys.iter().filter(|key| key.created_at <= now), keys.iter().filter_map(|key| key.retire_at));
    made.count() + retired.filter(|end| *end <= now).count()
}

/// The JWK Set at `now` (RFC 7517, 5): public members only, whatever is stored.
pub fn jwks(keys: &[SigningKey], now: Timestamp) -> Value {
    let keys: Vec<Value> = published(keys, now).filter_map(published_jwk).collect();
    json!({ "keys": keys })
}

/// The key that signs with `algorithm` at `now`: the newest that is due and not retired.
pub fn choose_signing_key(keys: &[SigningKey], algorithm: SigningAlgorithm, now: Timestamp) -> Option<&SigningKey> {
    published(keys, now)
        .filter(|key| key.algorithm == algorithm && key.use_from <= now)
        .max_by_key(|key| (key.use_from, key.created_at))
}

/// Header type and claims of a JWS of ours whose signature holds; none: it is not. Time, issuer and audience are the
/// caller's to check: jsonwebtoken would read the clock.
pub(crate) fn verify<'a>(
    token: &str,
    keys: impl IntoIterator<Item = &'a SigningKey>,
) -> Option<(Option<String>, Map<String, Value>)> {
    if token.len() > MAX_TOKEN {
        return None;
    }
    let header = jsonwebtoken::decode_header(token).ok()?;
    let key = keys.into_iter().find(|key| Some(key.id.as_str()) == header.kid.as_deref())?;
    // jsonwebtoken lets unknown `crit` pass (RFC 7515, 4.1.11); ours never have one.
    if header.crit.is_some() || header.alg != algorithm(key.algorithm) {
        return None;
    }
    let mut validation = Validation::new(algorithm(key.algorithm));
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    let token = jsonwebtoken::decode::<Map<String, Value>>(token, &decoding_key(key)?, &validation).ok()?;
    Some((token.header.typ, token.claims))
}

const fn algorithm(algorithm: SigningAlgorithm) -> Algorithm {
    match algorithm {
        SigningAlgorithm::RS256 => Algorithm::RS256,
        SigningAlgorithm::PS256 => Algorithm::PS256,
        SigningAlgorithm::ES256 => Algorithm::ES256,
        SigningAlgorithm::EdDSA => Algorithm::EdDSA,
    }
}

/// Header or claims as they stand in a JWS (RFC 7515, 7.1).
fn part<T: Serialize>(value: &T) -> Result<String, KeyError> {
    serde_json::to_vec(value).map(|json| URL_SAFE_NO_PAD.encode(json)).map_err(|_| KeyError::Signing)
}

fn public_members(algorithm: SigningAlgorithm, pkcs8: &[u8]) -> Result<Map<String, Value>, KeyError> {
    let unusable = |_| KeyError::Unusable;
    let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let members = match algorithm {
        SigningAlgorithm::RS256 | SigningAlgorithm::PS256 => {
            let pair = RsaKeyPair::from_pkcs8(pkcs8).map_err(unusable)?;
            if pair.public_modulus_len() < MIN_RSA_BYTES {
                return Err(KeyError::Unusable);
            }
            let key = pair.public_key();
            let (n, e) = (key.modulus().big_endian_without_leading_zero(), key.exponent());
            json!({ "kty": "RSA", "n": text(n), "e": text(e.big_endian_without_leading_zero()) })
        }
        SigningAlgorithm::ES256 => {
            let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8).map_err(unusable)?;
            let point = pair.public_key().as_ref();
            let (x, y) = point.get(1..).filter(|xy| xy.len() == 64).ok_or(KeyError::Unusable)?.split_at(32);
            json!({ "kty": "EC", "crv": "P-256", "x": text(x), "y": text(y) })
        }
        SigningAlgorithm::EdDSA => {
            let pair = Ed25519KeyPair::from_pkcs8(pkcs8).map_err(unusable)?;
            json!({ "kty": "OKP", "crv": "Ed25519", "x": text(pair.public_key().as_ref()) })
        }
    };
    match members {
        Value::Object(members) => Ok(members),
        _ => Err(KeyError::Unusable),
    }
}

fn published_jwk(key: &SigningKey) -> Option<Value> {
    let kty = key.public_jwk.get("kty")?.as_str()?;
    let (_, members) = PUBLIC_MEMBERS.iter().find(|(known, _)| *known == kty)?;
    let mut jwk = Map::new();
    jwk.insert("kty".to_owned(), json!(kty));
    for name in *members {
        jwk.insert((*name).to_owned(), key.public_jwk.get(*name)?.clone());
    }
    jwk.insert("kid".to_owned(), json!(key.id.as_str()));
    jwk.insert("use".to_owned(), json!("sig"));
    jwk.insert("alg".to_owned(), json!(key.algorithm.as_str()));
    Some(Value::Object(jwk))
}

fn decoding_key(key: &SigningKey) -> Option<DecodingKey> {
    let member = |name: &str| key.public_jwk.get(name).and_then(Value::as_str);
    match key.algorithm {
        SigningAlgorithm::RS256 | SigningAlgorithm::PS256 => {
            DecodingKey::from_rsa_components(member("n")?, member("e")?).ok()
        }
        SigningAlgorithm::ES256 => DecodingKey::from_ec_components(member("x")?, member("y")?).ok(),
        SigningAlgorithm::EdDSA => DecodingKey::from_ed_components(member("x")?).ok(),
    }
}

#[cfg(test)]
mod tests;
