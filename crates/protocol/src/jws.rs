//! Signatures of others: a JWS held against a JWK Set that is not ours, of whatever form that is (RFC 7515; RFC 7517).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_model::SigningAlgorithm;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::{Map, Value, json};

/// The longest accepted token, in bytes.
pub(crate) const MAX_TOKEN: usize = 16 * 1024;
/// Keys of a set that are looked at.
const MAX_KEYS: usize = 64;
/// RSA keys below 2048 bits count for nothing (RFC 7518, 3.3).
const MIN_RSA_BYTES: usize = 256;

/// What a JWT says; its times, issuer and audience are still to be looked at.
#[derive(Clone, PartialEq)]
pub struct Verified {
    /// Header type, as it is written.
    pub typ: Option<String>,
    /// What it is signed with; none: it is unsigned.
    pub algorithm: Option<SigningAlgorithm>,
    /// Its claims.
    pub claims: Map<String, Value>,
}

impl std::fmt::Debug for Verified {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Verified").field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

/// Why a JWT does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JwsError {
    /// Not a JWS in compact form with claims, or too long.
    #[error("not a signed JWT")]
    Malformed,
    /// Signed with an algorithm that is not accepted; every shared secret among them.
    #[error("its algorithm is not accepted")]
    Algorithm,
    /// Has an extension that must be understood (RFC 7515, 4.1.11).
    #[error("it demands an extension")]
    Critical,
    /// No key of the set fits: fetch the set again, once.
    #[error("its key is not in the key set")]
    UnknownKey,
    /// The signature does not hold.
    #[error("its signature does not hold")]
    Signature,
}

/// The algorithm a JWT says it is signed with, `none` included; nothing of it is proven.
pub fn read_algorithm(token: &str) -> Result<String, JwsError> {
    let header = read_header(token)?;
    header.get("alg").and_then(Value::as_str).map(str::to_owned).ok_or(JwsError::Malformed)
}

/// The header type of a JWT, as it is written; nothing of it is proven.
pub fn read_type(token: &str) -> Result<Option<String>, JwsError> {
    typ(&read_header(token)?)
}

/// Checks the signature of `token` by the one key of `jwks` that fits.
pub fn verify(token: &str, jwks: &Value) -> Result<Verified, JwsError> {
    let header = read_header(token)?;
    let name = header.get("alg").and_then(Value::as_str).unwrap_or_default();
    let known = SigningAlgorithm::from_name(name).ok_or(JwsError::Algorithm)?;
    let algorithm = match known {
        SigningAlgorithm::RS256 => Algorithm::RS256,
        SigningAlgorithm::PS256 => Algorithm::PS256,
        SigningAlgorithm::ES256 => Algorithm::ES256,
        SigningAlgorithm::EdDSA => Algorithm::EdDSA,
    };
    let kid = match header.get("kid") {
        None => None,
        Some(kid) => Some(kid.as_str().ok_or(JwsError::Malformed)?),
    };
    let mut keys = list_keys(jwks, algorithm, kid);
    // Without a name there must be one key alone (Core, 10.1).
    let key = keys.next().ok_or(JwsError::UnknownKey)?;
    if keys.next().is_some() {
        return Err(JwsError::UnknownKey);
    }
    let key = decoding_key(key, algorithm).ok_or(JwsError::UnknownKey)?;
    let mut validation = Validation::new(algorithm);
    // Times, issuer and audience are the caller's to compare: jsonwebtoken would read the clock.
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    match jsonwebtoken::decode::<Map<String, Value>>(token, &key, &validation) {
        Ok(token) => Ok(Verified { typ: typ(&header)?, algorithm: Some(known), claims: token.claims }),
        // A nameless key may have been replaced.
        Err(_) if kid.is_none() => Err(JwsError::UnknownKey),
        Err(_) => Err(JwsError::Signature),
    }
}

/// Reads a JWT of the algorithm `none` (RFC 7518, 3.6), which nobody vouches for.
pub fn read_unsigned(token: &str) -> Result<Verified, JwsError> {
    let header = read_header(token)?;
    if header.get("alg").and_then(Value::as_str) != Some("none") {
        return Err(JwsError::Algorithm);
    }
    let mut parts = token.split('.').skip(1);
    let (Some(claims), Some("")) = (parts.next(), parts.next()) else { return Err(JwsError::Malformed) };
    let claims = URL_SAFE_NO_PAD.decode(claims).map_err(|_| JwsError::Malformed)?;
    let claims = serde_json::from_slice(&claims).map_err(|_| JwsError::Malformed)?;
    Ok(Verified { typ: typ(&header)?, algorithm: None, claims })
}

/// A JWT of the algorithm `none` (RFC 7518, 3.6; RFC 7519, 6).
pub fn write_unsigned(typ: &str, claims: &Map<String, Value>) -> String {
    let part = |members: &Map<String, Value>| URL_SAFE_NO_PAD.encode(json!(members).to_string());
    let header = [("alg", "none"), ("typ", typ)].map(|(name, value)| (name.to_owned(), json!(value)));
    format!("{}.{}.", part(&header.into_iter().collect()), part(claims))
}

/// Seconds since the epoch; a fraction is dropped (RFC 7519, 2: NumericDate).
pub(crate) fn read_time(value: &Value) -> Option<i64> {
    #[expect(clippy::cast_possible_truncation, reason = "a cast from float saturates")]
    let whole = |seconds: f64| seconds as i64;
    value.as_i64().or_else(|| value.as_f64().map(whole))
}

fn typ(header: &Map<String, Value>) -> Result<Option<String>, JwsError> {
    match header.get("typ") {
        None => Ok(None),
        Some(typ) => typ.as_str().map(|typ| Some(typ.to_owned())).ok_or(JwsError::Malformed),
    }
}

fn read_header(token: &str) -> Result<Map<String, Value>, JwsError> {
    if token.len() > MAX_TOKEN {
        return Err(JwsError::Malformed);
    }
    let parts: Vec<&str> = token.split('.').collect();
    let [header, _, _] = parts[..] else { return Err(JwsError::Malformed) };
    let header = URL_SAFE_NO_PAD.decode(header).map_err(|_| JwsError::Malformed)?;
    let header: Map<String, Value> = serde_json::from_slice(&header).map_err(|_| JwsError::Malformed)?;
    // jsonwebtoken lets unknown `crit` pass.
    if header.contains_key("crit") { Err(JwsError::Critical) } else { Ok(header) }
}

/// The keys of a set that may have signed with `algorithm`, under `kid` where the token names one.
fn list_keys<'a>(jwks: &'a Value, algorithm: Algorithm, kid: Option<&'a str>) -> impl Iterator<Item = &'a Value> {
    let keys = jwks.get("keys").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    keys.iter().take(MAX_KEYS).filter(move |key| is_for(key, algorithm) && kid.is_none_or(|kid| key["kid"] == kid))
}

fn is_for(key: &Value, algorithm: Algorithm) -> bool {
    let (kty, crv, alg) = match algorithm {
        Algorithm::RS256 => ("RSA", None, "RS256"),
        Algorithm::PS256 => ("RSA", None, "PS256"),
        Algorithm::ES256 => ("EC", Some("P-256"), "ES256"),
        _ => ("OKP", Some("Ed25519"), "EdDSA"),
    };
    let is_absent_or = |name: &str, word: &str| key.get(name).is_none_or(|value| value == word);
    let operations = key.get("key_ops").and_then(Value::as_array);
    key["kty"] == kty
        && crv.is_none_or(|crv| key["crv"] == crv)
        && is_absent_or("use", "sig")
        && is_absent_or("alg", alg)
        && operations.is_none_or(|operations| operations.iter().any(|operation| operation == "verify"))
}

fn decoding_key(key: &Value, algorithm: Algorithm) -> Option<DecodingKey> {
    let member = |name: &str| key.get(name).and_then(Value::as_str);
    match algorithm {
        Algorithm::RS256 | Algorithm::PS256 => {
            let modulus = member("n")?;
            let bytes = URL_SAFE_NO_PAD.decode(modulus).ok()?;
            let length = bytes.iter().skip_while(|byte| **byte == 0).count();
            (length >= MIN_RSA_BYTES).then(|| DecodingKey::from_rsa_components(modulus, member("e")?).ok())?
        }
        Algorithm::ES256 => DecodingKey::from_ec_components(member("x")?, member("y")?).ok(),
        _ => DecodingKey::from_ed_components(member("x")?).ok(),
    }
}
