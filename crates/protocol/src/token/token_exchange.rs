//! Token exchange (RFC 8693): an access token of ours for a narrower one, of whoever acts for the person.
//!
//! What is exchanged, and what comes of it, are access tokens of this provider alone: an ID token is no authorization,
//! and nothing that could be taken back stands behind it. The new token is under the grant of the old one, dies with
//! that, and allows no more, for no other server, for no longer.

use countersign_model::{AuditKind, AuditOutcome, Client, Grant, Scope, Seconds, Timestamp};

use super::{
    AuthenticatedClient, Decision, Effect, Exchanged, Issue, Prepared, RequestedGrant, ShownToken, TokenFacts,
};
use crate::access_token::AccessTokenClaims;
use crate::actor::Actor;
use crate::binding::Binding;
use crate::error::{ErrorCode, OAuthError};
use crate::params::Params;
use crate::resource::{self, Target};
use crate::scopes;

/// `grant_type` of an exchange (RFC 8693, 2.1).
pub const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
/// Type of every token that is taken or given (RFC 8693, 3).
pub const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

/// Reads the parameters of an exchange. Errors with `invalid_request` (RFC 8693, 2.2.2).
pub(super) fn parse(form: &Params, scope: Option<String>) -> Result<RequestedGrant, OAuthError> {
    let refused = |description| Err(OAuthError::new(ErrorCode::InvalidRequest, description));
    let subject = super::required(form, "subject_token", "The parameter subject_token is missing")?;
    let kind = super::required(form, "subject_token_type", "The parameter subject_token_type is missing")?;
    if kind != ACCESS_TOKEN {
        return refused("Only access tokens are taken as subject_token");
    }
    match (form.get("actor_token"), form.get("actor_token_type")) {
        (None, None) | (Some(_), Some(ACCESS_TOKEN)) => {}
        (Some(_), None) => return refused("The parameter actor_token_type is missing"),
        (None, Some(_)) => return refused("There is an actor_token_type and no actor_token"),
        (Some(_), Some(_)) => return refused("Only access tokens are taken as actor_token"),
    }
    if form.get("requested_token_type").is_some_and(|kind| kind != ACCESS_TOKEN) {
        return refused("Only access tokens are issued in an exchange");
    }
    Ok(RequestedGrant::TokenExchange { subject: subject.into(), actor: form.get("actor_token").map(Into::into), scope })
}

pub(super) struct Exchange<'a> {
    pub(super) client: AuthenticatedClient<'a>,
    pub(super) has_actor: bool,
    pub(super) scope: Option<&'a str>,
    pub(super) resources: &'a [String],
    pub(super) binding: &'a Binding,
}

pub(super) fn decide(exchange: &Exchange<'_>, facts: TokenFacts, prepared: &Prepared<'_>, now: Timestamp) -> Decision {
    if !exchange.client.is_confidential() {
        let description = "A public client may not use this grant_type";
        return Decision::refused(OAuthError::new(ErrorCode::UnauthorizedClient, description), None);
    }
    let TokenFacts::Exchange { subject: Some(subject), actor } = facts else {
        return Decision::refused(unacceptable("the subject token is no living access token"), None);
    };
    let ShownToken { claims, grant: Some(grant) } = *subject else {
        return Decision::refused(unacceptable("the subject token is a client's on its own behalf"), None);
    };
    let decided = check_subject(exchange, &claims)
        .and_then(|()| choose_actor(exchange, &claims, actor.as_deref()))
        .and_then(|act| Ok((act, narrow(exchange, &claims, prepared)?)));
    match decided {
        Ok((act, target)) => issue(exchange.client.client(), grant, &claims, actor.as_deref(), act, target, now),
        Err(error) => Decision::refused(error, Some(&grant)),
    }
}

/// Holds the subject token to who shows it: the client it was issued to, with its key; a server it is for, known by its
/// `client_id` being the audience; or whom it says may act. What is bound to a key does not become a bearer token.
fn check_subject(exchange: &Exchange<'_>, claims: &AccessTokenClaims) -> Result<(), OAuthError> {
    let client = exchange.client.client();
    let is_own = claims.client_id == client.id.as_str();
    let is_audience = claims.aud.iter().any(|audience| audience == client.id.as_str());
    if !is_own && !is_audience && !is_named(claims, &Actor::of_client(&client.id)) {
        return Err(unacceptable("the subject token is none of the client's business"));
    }
    match &claims.cnf {
        Some(bound) if is_own && !bound.is_held(exchange.binding) => {
            Err(unacceptable("the subject token is bound to another key"))
        }
        Some(_) if exchange.binding.confirmation().is_none() => {
            Err(unacceptable("the subject token is bound to a key, and the new one would not be"))
        }
        _ => Ok(()),
    }
}

/// Whether `may_act` of a token names `actor`.
fn is_named(claims: &AccessTokenClaims, actor: &Actor) -> bool {
    claims.may_act.as_ref().is_some_and(|named| named.names(actor))
}

/// Who acts with the new token: whom the actor token was issued for, or the client where the subject token is not its
/// own; else whoever did before.
fn choose_actor(
    exchange: &Exchange<'_>,
    claims: &AccessTokenClaims,
    shown: Option<&ShownToken>,
) -> Result<Option<Actor>, OAuthError> {
    let client = exchange.client.client();
    let actor = if exchange.has_actor {
        let shown = shown.ok_or_else(|| unacceptable("the actor token is no living access token"))?;
        check_actor(exchange, &shown.claims)?;
        Actor::of_token(&shown.claims)
    } else if claims.client_id == client.id.as_str() {
        return Ok(claims.act.clone());
    } else {
        Actor::of_client(&client.id)
    };
    if claims.may_act.is_some() && !is_named(claims, &actor) {
        return Err(unacceptable("the subject token says that somebody else may act"));
    }
    let chain = actor.after(claims.act.as_ref());
    chain.map(Some).ok_or_else(|| unacceptable("too many act one for the other"))
}

/// An actor token is the client's own, in its own hands, and nobody else's who acts already.
fn check_actor(exchange: &Exchange<'_>, claims: &AccessTokenClaims) -> Result<(), OAuthError> {
    if claims.client_id != exchange.client.client().id.as_str() {
        return Err(unacceptable("the actor token is another client's"));
    }
    if claims.cnf.as_ref().is_some_and(|bound| !bound.is_held(exchange.binding)) {
        return Err(unacceptable("the actor token is bound to another key"));
    }
    if claims.act.is_some() {
        return Err(unacceptable("the actor token is one that somebody acts with"));
    }
    Ok(())
}

/// What the new token is for: within the scope and the audience of the old one, and within what the client may have.
fn narrow(exchange: &Exchange<'_>, claims: &AccessTokenClaims, prepared: &Prepared<'_>) -> Result<Target, OAuthError> {
    let client = exchange.client.client();
    let scope = narrow_scope(exchange.scope, &claims.scope().intersection(&client.scope))?;
    resource::decide(exchange.resources, &claims.aud, &scope, client, &prepared.resources)
}

fn narrow_scope(asked: Option<&str>, allowed: &Scope) -> Result<Scope, OAuthError> {
    let refused = |description| OAuthError::new(ErrorCode::InvalidScope, description);
    let allowed: Vec<&str> = allowed.iter().filter(|value| *value != scopes::OFFLINE_ACCESS).collect();
    let allowed: Scope = allowed.join(" ").parse().map_err(|_| refused("The scope is malformed"))?;
    let scope = match asked {
        Some(asked) => asked.parse().map_err(|_| refused("The scope is malformed"))?,
        None => allowed.clone(),
    };
    if scope.is_empty() || !scope.is_subset(&allowed) {
        return Err(refused("The scope exceeds that of the subject_token or of the client"));
    }
    Ok(scope)
}

fn issue(
    client: &Client,
    grant: Grant,
    claims: &AccessTokenClaims,
    actor: Option<&ShownToken>,
    act: Option<Actor>,
    target: Target,
    now: Timestamp,
) -> Decision {
    let end = actor.map_or(claims.exp, |actor| claims.exp.min(actor.claims.exp));
    let left = Seconds::new(u32::try_from(end.saturating_sub(now.as_secs())).unwrap_or_default());
    let who = act.as_ref().map_or("nobody else", |act| act.sub.as_str());
    let note = Effect::Audit {
        kind: AuditKind::TokenExchanged,
        outcome: AuditOutcome::Success,
        grant: Some(grant.id.clone()),
        subject: Some(grant.authentication.user.clone()),
        reason: format!("for token {} of client {}; who acts: {who}", claims.jti, claims.client_id),
    };
    let issue = Issue {
        client: client.id.clone(),
        grant: Some(grant),
        scope: target.scope,
        audience: target.audience,
        access_token_alg: target.algorithm,
        id_token: false,
        nonce: None,
        refresh_token: false,
        exchanged: Some(Exchanged { act, may_act: claims.may_act.clone(), left }),
    };
    Decision { outcome: Ok(issue), effects: vec![note] }
}

/// One public face for every token that does not do (RFC 8693, 2.2.2).
fn unacceptable(detail: &'static str) -> OAuthError {
    let description = "The subject_token or the actor_token is invalid or not acceptable";
    OAuthError::new(ErrorCode::InvalidRequest, description).with_detail(detail)
}

#[cfg(test)]
mod tests;
