//! The exchange of an authorization code (RFC 6749, 4.1.3; RFC 7636, 4.5; OpenID Connect Core, 3.1.3).

use countersign_model::{AuditKind, AuthMethod, AuthorizationCode, Client, Grant, Scope, Timestamp};
use secrecy::{ExposeSecret, SecretString};

use super::{AuthenticatedClient, Decision, Effect, Issue, Prepared, TokenFacts, check_standing, invalid_grant};
use crate::binding::Binding;
use crate::error::OAuthError;
use crate::resource::{self, Target};
use crate::{kernel, scopes};

pub(super) struct Exchange<'a> {
    pub(super) client: AuthenticatedClient<'a>,
    pub(super) code: &'a SecretString,
    pub(super) redirect_uri: &'a str,
    pub(super) verifier: Option<&'a SecretString>,
    pub(super) resources: &'a [String],
    pub(super) binding: &'a Binding,
}

pub(super) fn decide(exchange: &Exchange<'_>, facts: TokenFacts, prepared: &Prepared<'_>, now: Timestamp) -> Decision {
    let TokenFacts::Code { code, grant, user_active } = facts else {
        return Decision::refused(invalid_grant("unknown code"), None);
    };
    if code.consumed_at.is_some() {
        return Decision::replayed(&grant, "the code was spent already");
    }
    let checked = check(exchange, &code, &grant)
        .and_then(|scope| check_standing(&grant, user_active, code.expires_at, now).map(|()| scope));
    let client = exchange.client.client();
    let targeted = checked.and_then(|scope| {
        let resources = &prepared.resources;
        resource::decide(exchange.resources, &grant.resources, &scope, client, resources).map(|target| (scope, target))
    });
    match targeted {
        Ok((scope, target)) => issue(client, &code, *grant, &scope, target, prepared, now),
        Err(error) => Decision::refused(error, Some(&grant)),
    }
}

/// Holds the code to its client, redirect URI and challenge; gives the scope to issue.
fn check(exchange: &Exchange<'_>, code: &AuthorizationCode, grant: &Grant) -> Result<Scope, OAuthError> {
    let client = exchange.client.client();
    if code.client != client.id || grant.client != client.id || code.grant != grant.id {
        return Err(invalid_grant("the code is another client's"));
    }
    if code.redirect_uri != exchange.redirect_uri {
        return Err(invalid_grant("the redirect_uri is not the one of the authorization request"));
    }
    if code.dpop_jkt.is_some() && code.dpop_jkt.as_deref() != exchange.binding.key() {
        return Err(invalid_grant("the code is bound to another DPoP key"));
    }
    let verifier = exchange.verifier.map(ExposeSecret::expose_secret);
    if verifier.is_some_and(|verifier| !is_verifier(verifier)) {
        return Err(invalid_grant("the code_verifier is malformed"));
    }
    kernel::redeem(&kernel::Redeem {
        client: client.id.as_str(),
        code: exchange.code.expose_secret(),
        redirect_uri: exchange.redirect_uri,
        verifier,
        pkce_required: exchange.client.method() == AuthMethod::None || client.require_pkce,
        stored: kernel::Stored {
            owner: grant.authentication.user.as_str(),
            client: code.client.as_str(),
            scope: &grant.scope,
        },
        stored_redirect_uri: &code.redirect_uri,
        challenge: code.code_challenge.as_deref(),
    })
}

/// 43 to 128 unreserved characters (RFC 7636, 4.1).
fn is_verifier(text: &str) -> bool {
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    (43..=128).contains(&text.len()) && text.bytes().all(unreserved)
}

fn issue(
    client: &Client,
    code: &AuthorizationCode,
    grant: Grant,
    scope: &Scope,
    target: Target,
    prepared: &Prepared<'_>,
    now: Timestamp,
) -> Decision {
    let refresh_token = scope.contains(scopes::OFFLINE_ACCESS) && client.allows_grant("refresh_token");
    let mut effects = vec![Effect::ConsumeCode(code.hash)];
    if refresh_token {
        effects.push(Effect::InsertRefreshToken(prepared.first_refresh_token(&grant, scope.clone(), now)));
    }
    let issue = Issue { refresh_token, ..Issue::of_a_person(grant, scope, target) };
    Decision::issued(AuditKind::TokenIssued, issue, effects)
}
