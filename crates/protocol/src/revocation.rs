//! Token revocation (RFC 7009): whose a token must be for it to be taken back, and what goes with it.

use countersign_model::{Client, GrantId, RefreshToken, Timestamp};

use crate::access_token::AccessTokenClaims;
use crate::error::{ErrorCode, OAuthError};
use crate::params::Params;

/// What was found out about the token that was presented; `token_type_hint` decides nothing, every kind is looked for.
#[derive(Clone, Copy, Debug)]
pub enum Facts<'a> {
    /// It is none of ours, or has ended.
    Nothing,
    /// An access token whose signature and time hold.
    AccessToken(&'a AccessTokenClaims),
    /// A refresh token, spent or not.
    RefreshToken(&'a RefreshToken),
}

/// What is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing: what is unknown needs not be taken back (RFC 7009, 2.2).
    Nothing,
    /// This access token is dead; its grant and what else was issued under it are not.
    RevokeToken {
        /// Its id.
        jti: String,
        /// When it would have ended.
        expires_at: Timestamp,
    },
    /// The refresh token's family and every access token under its grant are dead (RFC 7009, 2.1).
    RevokeGrant(GrantId),
}

/// The token that `form` presents. Errors with `invalid_request`.
pub fn token_of(form: &Params) -> Result<&str, OAuthError> {
    form.get("token").ok_or(OAuthError::new(ErrorCode::InvalidRequest, "The parameter token is missing"))
}

/// Decides what `client` takes back. Errors with `invalid_grant` when the token is another client's; it then stands.
pub fn decide(client: &Client, facts: &Facts<'_>) -> Result<Effect, OAuthError> {
    match facts {
        Facts::Nothing => Ok(Effect::Nothing),
        Facts::AccessToken(claims) if claims.client_id == client.id.as_str() => {
            let expires_at = Timestamp::from_secs(claims.exp);
            Ok(Effect::RevokeToken { jti: claims.jti.clone(), expires_at })
        }
        Facts::RefreshToken(token) if token.client == client.id => Ok(Effect::RevokeGrant(token.grant.clone())),
        Facts::AccessToken(_) | Facts::RefreshToken(_) => {
            Err(OAuthError::new(ErrorCode::InvalidGrant, "The token was issued to another client"))
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
