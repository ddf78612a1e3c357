//! The use of a refresh token (RFC 6749, 6; RFC 9700, 4.14; OpenID Connect Core, 12): each is good once.

use countersign_model::{AuditKind, Grant, RefreshToken, Scope, Timestamp};
use secrecy::{ExposeSecret as _, SecretString};

use super::{AuthenticatedClient, Decision, Effect, Issue, Prepared, TokenFacts, check_standing, invalid_grant};
use crate::error::OAuthError;
use crate::{kernel, scopes};

pub(super) struct Usage<'a> {
    pub(super) client: AuthenticatedClient<'a>,
    pub(super) token: &'a SecretString,
    pub(super) scope: Option<&'a str>,
}

pub(super) fn decide(usage: &Usage<'_>, facts: TokenFacts, prepared: &Prepared, now: Timestamp) -> Decision {
    let TokenFacts::RefreshToken { token, grant, user_active } = facts else {
        return Decision::refused(invalid_grant("unknown refresh token"), None);
    };
    if token.consumed_at.is_some() {
        return Decision::replayed(&grant, "the refresh token was spent already");
    }
    let standing = check_standing(&grant, user_active, token.expires_at, now);
    match standing.and_then(|()| check(usage, &token, &grant)) {
        Ok(scope) => rotate(usage, token, *grant, scope, prepared, now),
        Err(error) => Decision::refused(error, Some(&grant)),
    }
}

/// Holds the token to its client and the scope within the granted one; gives the access token's scope, which is no
/// more than the client is registered for today.
fn check(usage: &Usage<'_>, token: &RefreshToken, grant: &Grant) -> Result<Scope, OAuthError> {
    let client = usage.client.client();
    if token.client != client.id || grant.client != client.id || token.grant != grant.id {
        return Err(invalid_grant("the refresh token is another client's"));
    }
    let scope = kernel::refresh(&kernel::Refresh {
        client: client.id.as_str(),
        token: usage.token.expose_secret(),
        scope: usage.scope,
        stored: kernel::Stored {
            owner: grant.authentication.user.as_str(),
            client: token.client.as_str(),
            scope: &token.scope,
        },
    })?;
    Ok(scope.intersection(&client.scope))
}

/// The successor keeps scope and end of its predecessor, however narrow the access token.
fn rotate(
    usage: &Usage<'_>,
    token: RefreshToken,
    grant: Grant,
    scope: Scope,
    prepared: &Prepared,
    now: Timestamp,
) -> Decision {
    let spent = Effect::ConsumeRefreshToken(token.hash);
    let successor = RefreshToken { hash: prepared.refresh_token, created_at: now, consumed_at: None, ..token };
    let issue = Issue {
        client: usage.client.client().id.clone(),
        id_token: scope.contains(scopes::OPENID),
        grant: Some(grant),
        scope,
        nonce: None,
        refresh_token: true,
    };
    Decision::issued(AuditKind::TokenRefreshed, issue, vec![spent, Effect::InsertRefreshToken(successor)])
}
