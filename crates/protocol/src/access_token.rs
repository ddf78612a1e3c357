//! JWT access tokens (RFC 9068).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_model::{Client, ClientId, GrantId, Scope, Seconds, SigningKey, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::actor::Actor;
use crate::binding::Binding;
use crate::error::{ErrorCode, OAuthError};
use crate::issuer::Issuer;
use crate::token::Issue;
use crate::{id_token, keys};

/// Header type of an access token (RFC 9068, 2.1).
pub const TYPE: &str = "at+jwt";

/// Claims of an access token (RFC 9068, 2.2), and `gid`, the grant it lives and dies with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessTokenClaims {
    /// The issuer.
    pub iss: String,
    /// The person; the client itself when it acts on its own behalf.
    pub sub: String,
    /// Resource servers it is for; the issuer itself for UserInfo.
    pub aud: Vec<String>,
    /// The client.
    pub client_id: String,
    /// When it was issued, in seconds since the epoch.
    pub iat: i64,
    /// When it ends, in seconds since the epoch.
    pub exp: i64,
    /// Its id.
    pub jti: String,
    /// What it allows.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub scope: String,
    /// When the person proved themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_time: Option<i64>,
    /// In which authentication context.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acr: Option<String>,
    /// By which methods.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub amr: Vec<String>,
    /// The grant; none for a client on its own behalf.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gid: Option<String>,
    /// Whose hands it works in; none: anybody's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cnf: Option<Confirmation>,
    /// Which policy ran, where the client registered to be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tfp: Option<String>,
    /// Who acts for the person (RFC 8693, 4.1); none: whoever they gave it to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub act: Option<Actor>,
    /// Who alone may (RFC 8693, 4.4).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub may_act: Option<Actor>,
}

/// Proof of possession (RFC 7800, 3.1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confirmation {
    /// Thumbprint of the client's certificate (RFC 8705, 3.1).
    #[serde(rename = "x5t#S256", default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<String>,
    /// Thumbprint of the client's DPoP key (RFC 9449, 6.1).
    #[serde(rename = "jkt", default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// What an access token needs besides what was decided: random and configured values.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'a> {
    /// Its id, 128 random bits or more.
    pub jti: &'a str,
    /// How long it lives.
    pub lifetime: Seconds,
    /// Resource servers it is for; empty: the issuer.
    pub audience: &'a [String],
    /// What it is bound to.
    pub binding: &'a Binding,
    /// Whom it is issued to.
    pub client: &'a Client,
}

impl AccessTokenClaims {
    /// The claims of what was decided to be issued.
    pub fn new(issuer: &Issuer, issue: &Issue, terms: &Terms<'_>, now: Timestamp) -> Self {
        let authentication = issue.grant.as_ref().map(|grant| &grant.authentication);
        let proven = authentication.filter(|authentication| !authentication.is_hearsay());
        let naming = &terms.client.policy_naming;
        let itself = || issue.client.to_string();
        let audience = if terms.audience.is_empty() { vec![issuer.to_string()] } else { terms.audience.to_vec() };
        Self {
            iss: issuer.to_string(),
            sub: authentication.map_or_else(itself, |authentication| authentication.subject().to_owned()),
            aud: audience,
            client_id: itself(),
            iat: now.as_secs(),
            exp: now.plus(issue.lifetime(terms.lifetime)).as_secs(),
            jti: terms.jti.to_owned(),
            scope: issue.scope.to_string(),
            auth_time: proven.map(|proven| proven.auth_time.as_secs()),
            acr: proven.map(|proven| id_token::told_acr(proven, naming).to_owned()),
            amr: proven.map(|proven| proven.amr.clone()).unwrap_or_default(),
            gid: issue.grant.as_ref().map(|grant| grant.id.to_string()),
            cnf: terms.binding.confirmation(),
            tfp: proven.and_then(|proven| id_token::told_policy(proven, naming)).map(str::to_owned),
            act: issue.exchanged.as_ref().and_then(|exchanged| exchanged.act.clone()),
            may_act: match &issue.exchanged {
                Some(exchanged) => exchanged.may_act.clone(),
                None => issue.grant.as_ref().and_then(|_| terms.client.may_act.as_ref().map(Actor::of_client)),
            },
        }
    }

    /// What it allows.
    pub fn scope(&self) -> Scope {
        self.scope.parse().unwrap_or_default()
    }

    /// The grant to be found alive before the token is honoured.
    pub fn grant(&self) -> Option<GrantId> {
        self.gid.as_ref()?.parse().ok()
    }

    /// The client.
    pub fn client(&self) -> Option<ClientId> {
        self.client_id.parse().ok()
    }
}

/// The `token_type` of an access token bound to `bound` (RFC 6750, 4; RFC 9449, 5).
pub fn token_type(bound: Option<&Confirmation>) -> &'static str {
    if bound.is_some_and(|bound| bound.key.is_some()) { "DPoP" } else { "Bearer" }
}

/// Checks an access token presented to this provider itself (RFC 9068, 4): [`read_access_token`], and that the issuer
/// is in its audience. Errors with `invalid_token`.
pub fn verify_access_token(
    token: &str,
    keys: &[SigningKey],
    issuer: &Issuer,
    now: Timestamp,
) -> Result<AccessTokenClaims, OAuthError> {
    let claims = read_access_token(token, keys, issuer, now)?;
    if claims.aud.iter().any(|audience| audience == issuer.as_str()) { Ok(claims) } else { Err(invalid("audience")) }
}

/// Checks an access token issued here, for whatever audience: signature by one of `keys` that is published at `now`,
/// type, issuer, time. Errors with `invalid_token`. Whether it and its grant still stand is the caller's to find out.
pub fn read_access_token(
    token: &str,
    keys: &[SigningKey],
    issuer: &Issuer,
    now: Timestamp,
) -> Result<AccessTokenClaims, OAuthError> {
    let (typ, claims) = keys::verify(token, keys::published(keys, now)).ok_or_else(|| invalid("signature or form"))?;
    let typ = typ.unwrap_or_default().to_ascii_lowercase();
    if typ != TYPE && typ != "application/at+jwt" {
        return Err(invalid("not an access token"));
    }
    let claims: AccessTokenClaims =
        serde_json::from_value(Value::Object(claims)).map_err(|_| invalid("claims missing"))?;
    if claims.iss != issuer.as_str() {
        return Err(invalid("another issuer"));
    }
    if now.as_secs() >= claims.exp {
        return Err(invalid("expired"));
    }
    Ok(claims)
}

/// The client that `token` says it was issued to; nothing of it is proven.
pub fn named_client(token: &str) -> Option<ClientId> {
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    let claims: Value = serde_json::from_slice(&claims).ok()?;
    claims.get("client_id")?.as_str()?.parse().ok()
}

fn invalid(detail: &'static str) -> OAuthError {
    OAuthError::new(ErrorCode::InvalidToken, "The access token is invalid or expired").with_detail(detail)
}

#[cfg(test)]
mod tests;
