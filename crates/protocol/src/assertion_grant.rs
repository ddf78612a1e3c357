//! JWTs that stand for the authorization of a person (RFC 7523, 2.1 and 3; RFC 7521, 4.1): who may write them, and
//! whom they may speak for.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_model::{ClientId, ClientKeys, Scope, Timestamp};
use serde_json::{Map, Value};

use crate::client_assertion::{self, AssertionError};
use crate::discovery::paths;
use crate::issuer::Issuer;
use crate::jws;

/// The longest accepted assertion, in bytes.
const MAX_ASSERTION: usize = 8 * 1024;
/// The longest accepted `sub`, in bytes.
const MAX_SUBJECT: usize = 255;
/// Header types of an assertion; none is the same as `JWT`. Every other kind of token says another.
const HEADER_TYPES: [&str; 2] = ["JWT", "authorization-grant+jwt"];

/// Somebody whose assertions are heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssertionIssuer {
    /// `iss`, byte for byte.
    pub issuer: String,
    /// Its public keys.
    pub keys: ClientKeys,
    /// Clients that may show its assertions; nobody else.
    pub clients: Vec<ClientId>,
    /// The most that comes of one.
    pub scopes: Scope,
    /// How `sub` names a person.
    pub naming: Naming,
    /// Values of `sub` that it may speak for; empty: all that name a person.
    pub subjects: Vec<String>,
}

/// How `sub` names a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Naming {
    /// By our own id.
    UserId,
    /// By the mail address on file, of one of these domains.
    Email(Vec<String>),
    /// As the upstream provider of this id does.
    Upstream(String),
}

/// An assertion that holds; only [`verify`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpokenFor {
    /// `iss`.
    pub issuer: String,
    /// `sub`.
    pub subject: String,
    /// Its id, which is good once.
    pub jti: String,
    /// When it is refused for its age, whatever the difference of the clocks.
    pub expires_at: Timestamp,
    /// The most that comes of it.
    pub scopes: Scope,
}

/// Who says to have written an assertion; nothing of it is proven.
pub fn read_issuer(token: &str) -> Option<String> {
    if token.len() > MAX_ASSERTION {
        return None;
    }
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    let claims: Map<String, Value> = serde_json::from_slice(&claims).ok()?;
    Some(claims.get("iss")?.as_str()?.to_owned())
}

/// Checks an assertion that `client` shows, by the key set of its `declared` issuer (RFC 7523, 3).
/// [`jws::JwsError::UnknownKey`] asks for a fresh look at the keys.
pub fn verify(
    token: &str,
    declared: &AssertionIssuer,
    jwks: &Value,
    client: &ClientId,
    issuer: &Issuer,
    now: Timestamp,
) -> Result<SpokenFor, AssertionError> {
    if !declared.clients.contains(client) {
        return Err(AssertionError::Parties);
    }
    let verified = jws::verify(token, jwks)?;
    let is_type = |typ: &String| HEADER_TYPES.into_iter().any(|known| known.eq_ignore_ascii_case(typ));
    if !verified.typ.as_ref().is_none_or(is_type) {
        return Err(AssertionError::Type);
    }
    let text = |name: &str| verified.claims.get(name).and_then(Value::as_str);
    if text("iss") != Some(&declared.issuer) {
        return Err(AssertionError::Parties);
    }
    let is_ours = |aud: &str| aud == issuer.as_str() || aud == issuer.endpoint(paths::TOKEN);
    client_assertion::check_single_audience(verified.claims.get("aud"), is_ours)?;
    let expires_at = client_assertion::check_times(&verified.claims, now)?;
    let jti = client_assertion::read_id(&verified.claims)?.to_owned();
    let subject = text("sub").filter(|sub| declared.may_speak_for(sub)).ok_or(AssertionError::Subject)?.to_owned();
    let (issuer, scopes) = (declared.issuer.clone(), declared.scopes.clone());
    Ok(SpokenFor { issuer, subject, jti, expires_at, scopes })
}

impl AssertionIssuer {
    fn may_speak_for(&self, subject: &str) -> bool {
        let named = self.subjects.is_empty() || self.subjects.iter().any(|known| known == subject);
        let fits = match &self.naming {
            Naming::UserId | Naming::Upstream(_) => true,
            Naming::Email(domains) => subject
                .rsplit_once('@')
                .is_some_and(|(name, domain)| !name.is_empty() && domains.iter().any(|known| known == domain)),
        };
        named && fits && (1..=MAX_SUBJECT).contains(&subject.len())
    }
}

#[cfg(test)]
mod tests;
