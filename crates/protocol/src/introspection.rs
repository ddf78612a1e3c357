//! Token introspection (RFC 7662), plain and as a signed JWT (RFC 9701): what is said of a token, and to whom.

use countersign_model::{Client, Grant, RefreshToken, Timestamp};
use serde_json::{Map, Value, json};

use crate::access_token::{self, AccessTokenClaims};
use crate::client_authentication::AuthenticatedClient;
use crate::error::OAuthError;
use crate::issuer::Issuer;
use crate::params::Params;
use crate::revocation;

/// Media type of a signed answer (RFC 9701, 5).
pub const MEDIA_TYPE: &str = "application/token-introspection+jwt";
/// Header type of a signed answer (RFC 9701, 5).
pub const TYPE: &str = "token-introspection+jwt";

/// What was found out about the token that was presented.
#[derive(Clone, Copy, Debug)]
pub enum Facts<'a> {
    /// It is none of ours, or has ended.
    Nothing,
    /// An access token whose signature and time hold.
    AccessToken {
        /// What it says.
        claims: &'a AccessTokenClaims,
        /// Whether it, its grant, its person and its client still stand.
        standing: bool,
    },
    /// A refresh token.
    RefreshToken {
        /// Its row.
        token: &'a RefreshToken,
        /// Its grant.
        grant: &'a Grant,
        /// Subject of the grant as the client knows it.
        subject: &'a str,
        /// Whether its person and its client still stand.
        standing: bool,
    },
}

/// The token that `form` presents. Errors with `invalid_request`, or `invalid_client` for a public client: who asks
/// about tokens must prove who it is (RFC 7662, 2.1).
pub fn parse<'f>(client: AuthenticatedClient<'_>, form: &'f Params) -> Result<&'f str, OAuthError> {
    if !client.is_confidential() {
        return Err(client.refused("a public client asks about tokens"));
    }
    revocation::token_of(form)
}

/// What `caller` is told. Everything that is not its business is as inactive as what never was (RFC 7662, 2.2 and 4):
/// an access token is that of the client it was issued to and of the servers in its audience, a refresh token its
/// client's alone. A resource server is known by its `client_id` being the audience.
pub fn answer(caller: &Client, facts: &Facts<'_>, issuer: &Issuer, now: Timestamp) -> Map<String, Value> {
    let told = match facts {
        Facts::AccessToken { claims, standing: true } if concerns(caller, claims) => of_access_token(claims),
        Facts::RefreshToken { token, grant, subject, standing: true }
            if token.client == caller.id && is_live(token, grant, now) =>
        {
            Some(of_refresh_token(token, subject, issuer))
        }
        _ => None,
    };
    told.unwrap_or_else(|| Map::from_iter([("active".to_owned(), json!(false))]))
}

/// The claims of a signed answer (RFC 9701, 5): never `sub` or `exp` of its own, so that nobody takes it for a token.
pub fn signed_claims(issuer: &Issuer, caller: &Client, answer: &Map<String, Value>, now: Timestamp) -> Value {
    json!({
        "iss": issuer.as_str(),
        "aud": caller.id.as_str(),
        "iat": now.as_secs(),
        "token_introspection": answer,
    })
}

/// Whether an `Accept` header asks for a signed answer (RFC 9701, 4).
pub fn wants_signed(accept: Option<&str>) -> bool {
    let types = accept.unwrap_or_default().split(',');
    types.map(|range| range.split(';').next().unwrap_or_default().trim()).any(|it| it.eq_ignore_ascii_case(MEDIA_TYPE))
}

fn concerns(caller: &Client, claims: &AccessTokenClaims) -> bool {
    claims.client_id == caller.id.as_str() || claims.aud.iter().any(|audience| audience == caller.id.as_str())
}

fn is_live(token: &RefreshToken, grant: &Grant, now: Timestamp) -> bool {
    token.consumed_at.is_none() && token.revoked_at.is_none() && now < token.expires_at && grant.revoked_at.is_none()
}

/// Every claim as it is in the token, but for the name of its grant, which is ours alone.
fn of_access_token(claims: &AccessTokenClaims) -> Option<Map<String, Value>> {
    let Ok(Value::Object(mut members)) = serde_json::to_value(claims) else { return None };
    members.remove("gid");
    members.insert("active".to_owned(), json!(true));
    members.insert("token_type".to_owned(), json!(access_token::token_type(claims.cnf.as_ref())));
    Some(members)
}

fn of_refresh_token(token: &RefreshToken, subject: &str, issuer: &Issuer) -> Map<String, Value> {
    let mut members = Map::from_iter([
        ("active".to_owned(), json!(true)),
        ("iss".to_owned(), json!(issuer.as_str())),
        ("sub".to_owned(), json!(subject)),
        ("client_id".to_owned(), json!(token.client.as_str())),
        ("scope".to_owned(), json!(token.scope.to_string())),
        ("iat".to_owned(), json!(token.created_at.as_secs())),
        ("exp".to_owned(), json!(token.expires_at.as_secs())),
    ]);
    if let Some(binding) = &token.binding {
        members.insert("cnf".to_owned(), json!(binding));
    }
    members
}

#[cfg(test)]
mod tests;
