//! Proofs of possession (RFC 9449): a fresh JWT under the key that a token is bound to.

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_model::{Seconds, SigningAlgorithm, Timestamp};
use serde_json::{Map, Value, json};
use url::Url;

use crate::authorization::AuthorizationRequest;
use crate::error::{ErrorCode, OAuthError};
use crate::jws;
use crate::leeway::{self, PROOF_AGE};

/// Header type of a proof (RFC 9449, 4.2).
const TYPE: &str = "dpop+jwt";
const MAX_PROOF: usize = 8 * 1024;
const MAX_JTI: usize = 256;
/// RSA keys above 4096 bits only cost time.
const MAX_MODULUS: usize = 683;
/// RFC 7518, 6.2.2 and 6.3.2; RFC 8037, 2.
const PRIVATE_MEMBERS: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// What a proof is held against.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// The request's method.
    pub method: &'a str,
    /// The addresses the endpoint is published at.
    pub addresses: &'a [String],
    /// The access token it comes with, at a protected resource.
    pub access_token: Option<&'a str>,
    /// Nonces one of which must be in it; none: the deployment hands out no nonces.
    pub nonces: Option<&'a [String]>,
}

/// A proof whose signature and claims hold. Whether its id was seen before is the caller's to find out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// Thumbprint of its key (RFC 7638), as in `jkt`.
    pub thumbprint: String,
    /// Its id.
    pub jti: String,
    /// From when on it is refused for its age, whether its id is still known or not.
    pub expires_at: Timestamp,
}

/// Checks a proof (RFC 9449, 4.3). Errors with `invalid_dpop_proof`, or `use_dpop_nonce` for one that is sound but for
/// its nonce.
pub fn verify(proof: &str, expected: &Expected<'_>, now: Timestamp) -> Result<Proof, OAuthError> {
    if proof.len() > MAX_PROOF {
        return Err(invalid("too long"));
    }
    let jwk = read_key(proof).ok_or_else(|| invalid("header without a public key of its own"))?;
    let thumbprint = thumbprint(&jwk).ok_or_else(|| invalid("its key lacks members"))?;
    let set = json!({ "keys": [jwk] });
    let verified = jws::verify(proof, &set).map_err(|error| invalid(&error.to_string()))?;
    if verified.typ.as_deref() != Some(TYPE) {
        return Err(invalid("typ"));
    }
    let (jti, issued_at) = check_claims(&verified.claims, expected, now)?;
    check_nonce(&verified.claims, expected.nonces)?;
    let expires_at = issued_at.plus(PROOF_AGE).plus(Seconds::new(1));
    Ok(Proof { thumbprint, jti, expires_at })
}

/// Binds the code of a pushed request to the key that its proof shows (RFC 9449, 10.1). Errors with
/// `invalid_dpop_proof` when the request names another.
pub fn bind_request(request: AuthorizationRequest, proof: Option<&Proof>) -> Result<AuthorizationRequest, OAuthError> {
    let Some(proof) = proof else { return Ok(request) };
    match &request.dpop_jkt {
        Some(named) if *named != proof.thumbprint => Err(invalid("the request names another key")),
        _ => Ok(AuthorizationRequest { dpop_jkt: Some(proof.thumbprint.clone()), ..request }),
    }
}

/// Checks that a request has one proof at most (RFC 9449, 4.3).
pub fn only_proof<'a>(mut headers: impl Iterator<Item = Option<&'a str>>) -> Result<Option<&'a str>, OAuthError> {
    match (headers.next(), headers.next()) {
        (None, _) => Ok(None),
        (Some(Some(proof)), None) => Ok(Some(proof)),
        (Some(None), None) => Err(invalid("not ASCII")),
        (Some(_), Some(_)) => Err(invalid("more than one proof")),
    }
}

/// The algorithms proofs may be signed with, separated by spaces, as challenges name them (RFC 9449, 7.1).
pub fn algorithms() -> String {
    SigningAlgorithm::ALL.map(SigningAlgorithm::as_str).join(" ")
}

/// Whether `text` can be the thumbprint of a key: SHA-256 in base64url.
pub fn is_thumbprint(text: &str) -> bool {
    URL_SAFE_NO_PAD.decode(text).is_ok_and(|bytes| bytes.len() == digest::SHA256_OUTPUT_LEN)
}

fn check_claims(
    claims: &Map<String, Value>,
    expected: &Expected<'_>,
    now: Timestamp,
) -> Result<(String, Timestamp), OAuthError> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    let jti = text("jti").filter(|jti| (1..=MAX_JTI).contains(&jti.len())).ok_or_else(|| invalid("jti"))?;
    if text("htm") != Some(expected.method) {
        return Err(invalid("htm"));
    }
    let address = text("htu").and_then(normalize).ok_or_else(|| invalid("htu"))?;
    if !expected.addresses.iter().any(|known| normalize(known).as_ref() == Some(&address)) {
        return Err(invalid("htu of another endpoint"));
    }
    let issued_at = claims.get("iat").and_then(jws::read_time).ok_or_else(|| invalid("iat"))?;
    let is_ahead = leeway::is_ahead(issued_at, now);
    let issued_at = Timestamp::from_secs(issued_at);
    if now.minus(PROOF_AGE) > issued_at || is_ahead {
        return Err(invalid("iat too far from now"));
    }
    if let Some(token) = expected.access_token
        && text("ath") != Some(hash(token.as_bytes()).as_str())
    {
        return Err(invalid("ath"));
    }
    Ok((jti.to_owned(), issued_at))
}

fn check_nonce(claims: &Map<String, Value>, nonces: Option<&[String]>) -> Result<(), OAuthError> {
    let Some(nonces) = nonces else { return Ok(()) };
    match claims.get("nonce").and_then(Value::as_str) {
        Some(nonce) if nonces.iter().any(|known| known == nonce) => Ok(()),
        _ => Err(OAuthError::new(ErrorCode::UseDpopNonce, "The DPoP proof must have the nonce of this answer")),
    }
}

/// The key in a proof's header, if it is public and of a sensible size.
fn read_key(proof: &str) -> Option<Map<String, Value>> {
    let header = URL_SAFE_NO_PAD.decode(proof.split('.').next()?).ok()?;
    let header: Map<String, Value> = serde_json::from_slice(&header).ok()?;
    let jwk = header.get("jwk")?.as_object()?;
    let modulus = jwk.get("n").and_then(Value::as_str).unwrap_or_default();
    if PRIVATE_MEMBERS.iter().any(|name| jwk.contains_key(*name)) || modulus.len() > MAX_MODULUS {
        return None;
    }
    // The header may not choose among names: its only key is meant, whatever `kid` says.
    let mut jwk = jwk.clone();
    match header.get("kid") {
        Some(kid) => jwk.insert("kid".to_owned(), kid.clone()),
        None => jwk.remove("kid"),
    };
    Some(jwk)
}

/// RFC 7638, 3: the required members in order, nothing between them.
fn thumbprint(jwk: &Map<String, Value>) -> Option<String> {
    let members: &[&str] = match jwk.get("kty")?.as_str()? {
        "RSA" => &["e", "kty", "n"],
        "EC" => &["crv", "kty", "x", "y"],
        "OKP" => &["crv", "kty", "x"],
        _ => return None,
    };
    let member = |name: &&str| Some(format!("{}:{}", json!(name), json!(jwk.get(*name)?.as_str()?)));
    let members: Vec<String> = members.iter().map(member).collect::<Option<_>>()?;
    Some(hash(format!("{{{}}}", members.join(",")).as_bytes()))
}

/// RFC 9449, 4.3: without query and fragment; case of scheme and host, default ports and dots mean nothing.
fn normalize(address: &str) -> Option<String> {
    let mut url = Url::parse(address).ok()?;
    url.set_query(None);
    url.set_fragment(None);
    Some(url.into())
}

fn hash(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, bytes))
}

fn invalid(detail: &str) -> OAuthError {
    OAuthError::new(ErrorCode::InvalidDpopProof, "The DPoP proof is missing or invalid").with_detail(detail)
}

/// The refusal of a proof that was seen before (RFC 9449, 11.1).
pub fn replayed() -> OAuthError {
    invalid("its id was seen before")
}

/// The refusal of a request that should have come with a proof and did not.
pub(crate) fn missing() -> OAuthError {
    invalid("no proof")
}

#[cfg(test)]
mod tests;
