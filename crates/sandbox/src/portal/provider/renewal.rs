//! Refresh tokens: used before the access token ends, given back at the end.

use super::super::answers::Problem;
use super::super::session::{SignIn, SignedIn};
use super::Provider;
use super::exchange::{Expected, access_until, fetch_user, refused, verify};
use super::metadata::{Known, explain};
use actix_web::http::StatusCode;
use openidconnect::core::{CoreErrorResponseType, CoreIdTokenClaims, CoreTokenResponse};
use openidconnect::{OAuth2TokenResponse, RequestTokenError, TokenResponse};
use std::sync::Arc;
use url::form_urlencoded::byte_serialize;

/// Why there are no new tokens.
pub enum NotRenewed {
    /// The grant is over, or the answer is not for this person: so is the session.
    Over(Problem),
    /// The provider cannot say now.
    Later(Problem),
}

pub async fn renew(provider: &Provider, known: &Arc<Known>, sign_in: &SignIn) -> Result<SignIn, NotRenewed> {
    let tokens = exchange(provider, known, sign_in).await?;
    let (id_token, claims) = match tokens.id_token() {
        Some(id_token) => {
            let expected = Expected { nonce: None, max_age: None };
            let claims = verify(provider, known, id_token, &tokens, &expected).await.map_err(NotRenewed::Over)?;
            (id_token.clone(), claims)
        }
        None => (sign_in.id_token.clone(), sign_in.claims.clone()),
    };
    if !is_same(&claims, &sign_in.claims) {
        return Err(NotRenewed::Over(refused("the new ID token is of another sign-in")));
    }
    let access_until = access_until(&tokens);
    // The old refresh token is gone, so that the new one is kept whatever else cannot be had now.
    let user = match fetch_user(provider, known, &tokens, &claims).await {
        Ok(user) => SignedIn::new(&claims, &user, access_until),
        Err(_) => sign_in.user.clone().with_access_until(access_until),
    };
    Ok(SignIn {
        user,
        id_token,
        refresh_token: tokens.refresh_token().or(sign_in.refresh_token.as_ref()).cloned(),
        access_until,
        claims,
    })
}

/// OpenID Connect Core 1.0, 12.2; issuer and audience are compared with every ID token.
fn is_same(new: &CoreIdTokenClaims, old: &CoreIdTokenClaims) -> bool {
    new.subject() == old.subject() && new.auth_time() == old.auth_time()
}

async fn exchange(provider: &Provider, known: &Known, sign_in: &SignIn) -> Result<CoreTokenResponse, NotRenewed> {
    let over = |detail: &str| NotRenewed::Over(refused(detail));
    let refresh_token = sign_in.refresh_token.as_ref().ok_or_else(|| over("there is no refresh token"))?;
    let client = provider.client(known);
    let send = |request| provider.send(request);
    let request = client.exchange_refresh_token(refresh_token).map_err(|error| over(&error.to_string()))?;
    request.request_async(&send).await.map_err(|error| match error {
        RequestTokenError::ServerResponse(answer) if *answer.error() == CoreErrorResponseType::InvalidGrant => {
            over(answer.error_description().map_or("invalid_grant", String::as_str))
        }
        other => NotRenewed::Later(unavailable(&explain(&other))),
    })
}

fn unavailable(detail: &str) -> Problem {
    let message = "The sign-in service cannot be reached at the moment.";
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "provider_unavailable", message).with_detail(detail)
}

/// Nobody uses it any more (RFC 7009, 2.1); the crate does so over https alone, which the demo need not have. What the
/// provider does not hear ends by itself.
pub async fn revoke(provider: &Provider, known: &Known, sign_in: &SignIn) {
    let (Some(token), Some(endpoint)) = (&sign_in.refresh_token, known.revocation_endpoint()) else { return };
    let encode = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
    let request = provider
        .http
        .post(endpoint.clone())
        .basic_auth(encode(&provider.client_id), Some(encode(provider.client_secret.secret())))
        .form(&[("token", token.secret().as_str()), ("token_type_hint", "refresh_token")]);
    if let Err(error) = request.send().await.and_then(reqwest::Response::error_for_status) {
        tracing::info!(error = explain(&error), "a refresh token could not be revoked");
    }
}
