//! ID tokens of upstream providers: what must hold before one counts (OpenID Connect Core, 3.1.3.7); and what their
//! UserInfo may add.

use aws_lc_rs::constant_time;
use countersign_model::{SigningAlgorithm, Timestamp};
use serde_json::{Map, Value};

use crate::id_token::left_half_hash;
use crate::jws::{self, JwsError, read_time};
use crate::leeway;

/// The longest accepted subject, in bytes (Core, 2).
const MAX_SUBJECT: usize = 255;

/// What an upstream ID token is held against.
#[derive(Clone, Copy)]
pub struct Expected<'a> {
    /// The upstream's issuer identifier, exactly.
    pub issuer: &'a str,
    /// Our client id there.
    pub client: &'a str,
    /// The nonce we sent.
    pub nonce: &'a str,
    /// The access token that came along, if one did: `at_hash` must be its own.
    pub access_token: Option<&'a str>,
    /// When the person must have signed in there at the earliest: what the browser was told to ask for proves nothing.
    pub fresh_since: Option<Timestamp>,
}

/// Whom an upstream vouched for.
#[derive(Clone, PartialEq)]
pub struct UpstreamIdentity {
    /// Its `sub`: with the issuer, the only name that never passes to another person.
    pub subject: String,
    /// When the person signed in there, if it says so.
    pub auth_time: Option<Timestamp>,
    /// Every claim of the token, and what UserInfo added.
    pub claims: Map<String, Value>,
}

/// The claims that say an address, and that it is verified.
const VERIFIED: &str = "email_verified";

impl UpstreamIdentity {
    /// Whether the token lacks one of these claims, or does not say whether the address is verified.
    pub fn lacks(&self, names: &[&str]) -> bool {
        names.iter().chain(&[VERIFIED]).any(|name| !self.claims.contains_key(*name))
    }

    /// Takes over what the token did not say. UserInfo counts for this subject alone (Core, 5.3.2), what is signed stands,
    /// and `email_verified` speaks of the very address it came with.
    pub fn complete(&mut self, userinfo: &Map<String, Value>, email: &str) -> Result<(), UpstreamError> {
        if text(userinfo, "sub") != Some(self.subject.as_str()) {
            return Err(UpstreamError::UserInfo);
        }
        let told = userinfo.get(email);
        let is_same = self.claims.get(email).is_none_or(|known| Some(known) == told);
        if is_same && !(self.claims.contains_key(email) && self.claims.contains_key(VERIFIED)) {
            self.claims.remove(VERIFIED);
        }
        for (name, value) in userinfo.iter().filter(|(name, _)| is_same || name.as_str() != VERIFIED) {
            self.claims.entry(name.clone()).or_insert_with(|| value.clone());
        }
        Ok(())
    }
}

impl std::fmt::Debug for UpstreamIdentity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("UpstreamIdentity(..)")
    }
}

/// Why an upstream ID token does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UpstreamError {
    /// Not a JWS in compact form with claims, too long, or of another type.
    #[error("not an ID token")]
    Malformed,
    /// Signed with an algorithm that is not accepted; `none` and every shared secret among them.
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
    /// Issued by somebody else.
    #[error("another issuer")]
    Issuer,
    /// Issued to somebody else.
    #[error("another audience")]
    Audience,
    /// Past its end.
    #[error("expired")]
    Expired,
    /// From the future, or without a time.
    #[error("not valid yet")]
    NotYet,
    /// Of another sign-in.
    #[error("another nonce")]
    Nonce,
    /// The person signed in too long ago, or it does not say when.
    #[error("no recent sign-in")]
    Stale,
    /// Belongs to another access token.
    #[error("another access token")]
    AccessToken,
    /// Names nobody.
    #[error("no subject")]
    Subject,
    /// UserInfo of somebody else.
    #[error("UserInfo of another subject")]
    UserInfo,
}

/// Checks an ID token against the upstream's JWK Set, of whatever form that is, and against what was expected.
pub fn verify_upstream_id_token(
    token: &str,
    jwks: &Value,
    expected: &Expected<'_>,
    now: Timestamp,
) -> Result<UpstreamIdentity, UpstreamError> {
    let (algorithm, claims) = verify_signature(token, jwks)?;
    check_parties(&claims, expected)?;
    check_times(&claims, now)?;
    if text(&claims, "nonce") != Some(expected.nonce) {
        return Err(UpstreamError::Nonce);
    }
    check_access_token(&claims, algorithm, expected.access_token)?;
    let auth_time = check_auth_time(&claims, expected.fresh_since, now)?;
    let subject = text(&claims, "sub").filter(|subject| (1..=MAX_SUBJECT).contains(&subject.len()));
    let subject = subject.filter(|subject| !subject.chars().any(char::is_control)).ok_or(UpstreamError::Subject)?;
    Ok(UpstreamIdentity { subject: subject.to_owned(), auth_time, claims })
}

/// The signature, and that it is an ID token or says nothing of its type.
fn verify_signature(token: &str, jwks: &Value) -> Result<(SigningAlgorithm, Map<String, Value>), UpstreamError> {
    if jws::read_type(token)?.is_some_and(|typ| !typ.eq_ignore_ascii_case("JWT")) {
        return Err(UpstreamError::Malformed);
    }
    let verified = jws::verify(token, jwks)?;
    let algorithm = verified.algorithm.ok_or(UpstreamError::Algorithm)?;
    Ok((algorithm, verified.claims))
}

impl From<JwsError> for UpstreamError {
    fn from(error: JwsError) -> Self {
        match error {
            JwsError::Malformed => Self::Malformed,
            JwsError::Algorithm => Self::Algorithm,
            JwsError::Critical => Self::Critical,
            JwsError::UnknownKey => Self::UnknownKey,
            JwsError::Signature => Self::Signature,
        }
    }
}

fn check_parties(claims: &Map<String, Value>, expected: &Expected<'_>) -> Result<(), UpstreamError> {
    if text(claims, "iss") != Some(expected.issuer) {
        return Err(UpstreamError::Issuer);
    }
    let (is_ours, others) = match claims.get("aud") {
        Some(Value::String(one)) => (one == expected.client, false),
        Some(Value::Array(many)) => (many.iter().any(|one| one == expected.client), many.len() > 1),
        _ => (false, false),
    };
    let azp = claims.get("azp");
    let azp_fits = azp.is_none_or(|azp| azp == expected.client) && (azp.is_some() || !others);
    if is_ours && azp_fits { Ok(()) } else { Err(UpstreamError::Audience) }
}

fn check_times(claims: &Map<String, Value>, now: Timestamp) -> Result<(), UpstreamError> {
    let time = |name: &str| claims.get(name).and_then(read_time);
    let expires = time("exp").ok_or(UpstreamError::Expired)?;
    if leeway::has_ended(expires, now) {
        return Err(UpstreamError::Expired);
    }
    let issued = time("iat").ok_or(UpstreamError::NotYet)?;
    let starts = if claims.contains_key("nbf") { time("nbf").ok_or(UpstreamError::NotYet)? } else { issued };
    if leeway::is_ahead(issued.max(starts), now) {
        return Err(UpstreamError::NotYet);
    }
    Ok(())
}

/// When the person signed in (Core, 2: `auth_time`); never later than now.
fn check_auth_time(
    claims: &Map<String, Value>,
    fresh_since: Option<Timestamp>,
    now: Timestamp,
) -> Result<Option<Timestamp>, UpstreamError> {
    let at = match claims.get("auth_time") {
        None => None,
        Some(time) => Some(read_time(time).ok_or(UpstreamError::NotYet)?),
    };
    if at.is_some_and(|at| leeway::is_ahead(at, now)) {
        return Err(UpstreamError::NotYet);
    }
    if let Some(since) = fresh_since
        && at.is_none_or(|at| leeway::last(at) < since.as_secs())
    {
        return Err(UpstreamError::Stale);
    }
    // Clocks that differ make no sign-in older than our asking for it, and none younger than now.
    Ok(at.map(|at| fresh_since.map_or(Timestamp::from_secs(at), |since| since.max(Timestamp::from_secs(at))).min(now)))
}

/// The left half of the access token's hash (Core, 3.1.3.8), where the token has one.
fn check_access_token(
    claims: &Map<String, Value>,
    algorithm: SigningAlgorithm,
    access_token: Option<&str>,
) -> Result<(), UpstreamError> {
    let Some(at_hash) = claims.get("at_hash") else { return Ok(()) };
    let Some(access_token) = access_token else { return Ok(()) };
    let half = left_half_hash(algorithm, access_token);
    let given = at_hash.as_str().unwrap_or_default();
    constant_time::verify_slices_are_equal(half.as_bytes(), given.as_bytes()).map_err(|_| UpstreamError::AccessToken)
}

fn text<'a>(claims: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    claims.get(name).and_then(Value::as_str)
}

#[cfg(test)]
mod tests;
