//! Request objects: an authorization request as a JWT of its client (RFC 9101; OpenID Connect Core, 6).

use countersign_model::{Client, Seconds, SecurityProfile, SigningAlgorithm, Timestamp};
use serde_json::{Map, Value};

use crate::authorization::ResponseType;
use crate::error::{ErrorCode, OAuthError};
use crate::issuer::Issuer;
use crate::jws::{self, JwsError, Verified, read_time};
use crate::leeway;
use crate::params::Params;
use crate::profile;

/// Longest life, and oldest start, of an object under Message Signing (FAPI 2.0 Message Signing, 5.3.1).
const LONGEST: Seconds = Seconds::minutes(60);
/// Header type of an object by RFC 9101, 10.8.
const TYPE: &str = "oauth-authz-req+jwt";
/// Claims of the JWT itself, which are no parameters.
const OWN_CLAIMS: [&str; 7] = ["iss", "aud", "sub", "exp", "nbf", "iat", "jti"];

/// What an object is held against.
#[derive(Clone, Copy)]
pub struct Expected<'a> {
    /// Whose it must be.
    pub client: &'a Client,
    /// The JWK Set of the client; none: it has none.
    pub jwks: Option<&'a Value>,
    /// For whom it must be.
    pub issuer: &'a Issuer,
}

/// The request that an object stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// Its parameters.
    pub params: Params,
    /// Whether its client signed it.
    pub signed: bool,
}

/// Why an object was not opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unopened {
    /// No key of the client's fits: fetch its set again, once.
    UnknownKey,
    /// The client hears of it.
    Refused(OAuthError),
}

/// Opens `object`, which came with the parameters `outer` in clear.
///
/// By RFC 9101, 5 only what is in the object counts, and `client_id` is in both: for objects of its header type, for
/// clients that must sign their requests, and where no `response_type` is in clear. Else by Core, 6.1 the object's
/// parameters supersede those in clear.
pub fn open(outer: &Params, object: &str, expected: &Expected<'_>, now: Timestamp) -> Result<Opened, Unopened> {
    let verified = verify(object, expected)?;
    let signed = verified.algorithm.is_some();
    let explicit = check_type(verified.typ.as_deref())?;
    check_claims(&verified.claims, expected, now)?;
    let inner = params(&verified.claims)?;
    let client = expected.client;
    let alone = explicit || client.requests.require_signed || client.profile.is_some() || !outer.has("response_type");
    let params = if alone { inner } else { merge(outer, &inner)? };
    Ok(Opened { params: params.with("client_id", client.id.as_str()), signed })
}

/// The signature, by the algorithm that was registered; `none` only if it was.
fn verify(object: &str, expected: &Expected<'_>) -> Result<Verified, Unopened> {
    let name = jws::read_algorithm(object)?;
    let registered = expected.client.requests.signing_alg.as_deref();
    let allowed = match registered {
        Some(registered) => registered == name,
        None => name != "none",
    };
    let suits = match SigningAlgorithm::from_name(&name) {
        Some(algorithm) => profile::allows_algorithm(expected.client, algorithm),
        None => expected.client.profile.is_none(),
    };
    if !allowed || !suits {
        return Err(invalid("The request object is not signed with the registered algorithm"));
    }
    if name == "none" {
        return Ok(jws::read_unsigned(object)?);
    }
    Ok(jws::verify(object, expected.jwks.unwrap_or(&Value::Null))?)
}

/// Whether the type is that of RFC 9101; any other than this and `JWT` is of another kind of token.
fn check_type(typ: Option<&str>) -> Result<bool, Unopened> {
    let typ = typ.unwrap_or("JWT").to_ascii_lowercase();
    let explicit = typ.strip_prefix("application/").unwrap_or(&typ) == TYPE;
    if explicit || typ == "jwt" { Ok(explicit) } else { Err(invalid("The request object is another kind of token")) }
}

fn check_claims(claims: &Map<String, Value>, expected: &Expected<'_>, now: Timestamp) -> Result<(), Unopened> {
    let client = expected.client.id.as_str();
    for name in ["iss", "client_id"] {
        if claims.get(name).is_some_and(|value| value != client) {
            return Err(invalid("The request object is another client's"));
        }
    }
    // Else an assertion by which the client proves itself would be a request (RFC 9101, 10.8).
    if claims.get("sub").is_some_and(|subject| subject == client) {
        return Err(invalid("The request object is another kind of token"));
    }
    let strict = expected.client.profile == Some(SecurityProfile::Fapi2MessageSigning);
    let issuer = expected.issuer.as_str();
    let is_for_us = match claims.get("aud") {
        None => !strict,
        Some(Value::Array(many)) => many.iter().any(|one| one == issuer),
        Some(one) => one == issuer,
    };
    if !is_for_us {
        return Err(invalid("The request object is for another audience"));
    }
    check_times(claims, strict, now)
}

fn check_times(claims: &Map<String, Value>, strict: bool, now: Timestamp) -> Result<(), Unopened> {
    let time = |name: &str| match claims.get(name) {
        None => Ok(None),
        Some(value) => read_time(value).map(Some).ok_or_else(|| invalid("The request object has no readable time")),
    };
    let (ends, starts, made) = (time("exp")?, time("nbf")?, time("iat")?);
    if strict && (ends.is_none() || starts.is_none()) {
        return Err(invalid("The request object has no exp or no nbf"));
    }
    if ends.is_some_and(|ends| leeway::has_ended(ends, now)) {
        return Err(invalid("The request object has expired"));
    }
    // One that is made tomorrow is made by a clock that nobody can go by (FAPI 2.0 Security Profile, 5.3.2.1). How old it
    // may be `exp` and `nbf` tell: no section wants that of `iat`.
    if [starts, made].into_iter().flatten().any(|time| leeway::is_ahead(time, now)) {
        return Err(invalid("The request object is not valid yet"));
    }
    let longest = i64::from(LONGEST.get());
    if let (true, Some(ends), Some(starts)) = (strict, ends, starts)
        && (ends.saturating_sub(starts) > longest || now.as_secs().saturating_sub(starts) > longest)
    {
        return Err(invalid("The request object lives longer than an hour"));
    }
    Ok(())
}

/// The parameters in an object: JSON values as they would be written in clear (RFC 9101, 4).
fn params(claims: &Map<String, Value>) -> Result<Params, Unopened> {
    if claims.contains_key("request") || claims.contains_key("request_uri") {
        return Err(invalid("A request object holds neither request nor request_uri"));
    }
    let mut params = Params::default();
    for (name, value) in claims.iter().filter(|(name, _)| !OWN_CLAIMS.contains(&name.as_str())) {
        match value {
            Value::Null => {}
            Value::String(text) => params = params.and(name, text),
            Value::Array(many) if name == "resource" => {
                params = many.iter().filter_map(Value::as_str).fold(params, |params, one| params.and(name, one));
            }
            other => params = params.and(name, &other.to_string()),
        }
    }
    Ok(params)
}

/// Core, 6.1: what is in the object supersedes what is in clear; `response_type` is the same in both.
fn merge(outer: &Params, inner: &Params) -> Result<Params, Unopened> {
    let kind = |params: &Params| params.get("response_type").map(ResponseType::parse);
    if inner.has("response_type") && kind(outer) != kind(inner) {
        return Err(invalid("The response_type of the request object is another"));
    }
    let superseded: Vec<&str> = inner.iter().map(|(name, _)| name).chain(["request", "request_uri"]).collect();
    let kept = outer.clone().without(&superseded);
    Ok(inner.iter().fold(kept, |params, (name, value)| params.and(name, value)))
}

fn invalid(description: &'static str) -> Unopened {
    Unopened::Refused(OAuthError::new(ErrorCode::InvalidRequestObject, description))
}

impl From<JwsError> for Unopened {
    fn from(error: JwsError) -> Self {
        match error {
            JwsError::UnknownKey => Self::UnknownKey,
            other => Self::Refused(
                OAuthError::new(ErrorCode::InvalidRequestObject, "The request object does not hold").with_detail(other),
            ),
        }
    }
}

impl From<Unopened> for OAuthError {
    fn from(unopened: Unopened) -> Self {
        match unopened {
            Unopened::Refused(error) => error,
            Unopened::UnknownKey => Self::new(ErrorCode::InvalidRequestObject, "The request object does not hold")
                .with_detail(JwsError::UnknownKey),
        }
    }
}

#[cfg(test)]
mod tests;
