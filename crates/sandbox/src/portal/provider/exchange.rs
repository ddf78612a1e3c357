//! From the code to who signed in.

use super::super::answers::Problem;
use super::super::login::PendingLogin;
use super::super::session::{SignIn, SignedIn};
use super::Provider;
use super::metadata::{Known, explain};
use crate::clock::now;
use actix_web::http::StatusCode;
use chrono::{DateTime, TimeDelta, Utc};
use openidconnect::core::{CoreIdToken, CoreIdTokenClaims, CoreTokenResponse, CoreUserInfoClaims};
use openidconnect::{
    AccessTokenHash, AuthorizationCode, ClaimsVerificationError, Nonce, NonceVerifier, OAuth2TokenResponse,
    PkceCodeVerifier, RequestTokenError, SignatureVerificationError, TokenResponse,
};
use secrecy::ExposeSecret;
use std::sync::Arc;

/// Between the provider's clock and ours.
const LEEWAY: TimeDelta = TimeDelta::seconds(60);

pub async fn redeem(
    provider: &Provider,
    known: &Arc<Known>,
    code: String,
    login: &PendingLogin,
) -> Result<SignIn, Problem> {
    let tokens = exchange_code(provider, known, code, login).await?;
    let id_token = tokens.id_token().ok_or_else(|| refused("no ID token was issued"))?;
    let expected = Expected { nonce: Some(&login.nonce), max_age: login.max_age };
    let claims = verify(provider, known, id_token, &tokens, &expected).await?;
    let user = fetch_user(provider, known, &tokens, &claims).await?;
    let access_until = access_until(&tokens);
    Ok(SignIn {
        user: SignedIn::new(&claims, &user, access_until),
        id_token: id_token.clone(),
        refresh_token: tokens.refresh_token().cloned(),
        access_until,
        claims,
    })
}

/// What an ID token must say besides what all of them do.
pub struct Expected<'a> {
    /// None after a refresh (OpenID Connect Core 1.0, 12.2).
    pub nonce: Option<&'a Nonce>,
    pub max_age: Option<i64>,
}

pub fn access_until(tokens: &CoreTokenResponse) -> Option<DateTime<Utc>> {
    now().checked_add_signed(TimeDelta::from_std(tokens.expires_in()?).ok()?)
}

pub fn refused(detail: &str) -> Problem {
    let message = "The answer of the sign-in service could not be verified.";
    Problem::new(StatusCode::BAD_GATEWAY, "invalid_answer", message).with_detail(detail)
}

async fn exchange_code(
    provider: &Provider,
    known: &Known,
    code: String,
    login: &PendingLogin,
) -> Result<CoreTokenResponse, Problem> {
    let client = provider.client(known);
    let send = |request| provider.send(request);
    let request = client.exchange_code(AuthorizationCode::new(code)).map_err(|error| refused(&error.to_string()))?;
    let verifier = PkceCodeVerifier::new(login.pkce_verifier.expose_secret().to_owned());
    request.set_pkce_verifier(verifier).request_async(&send).await.map_err(|error| match error {
        RequestTokenError::ServerResponse(answer) => {
            let message = "The sign-in service did not accept the code.";
            let description = answer.error_description().map_or("", String::as_str);
            Problem::new(StatusCode::BAD_GATEWAY, answer.error().as_ref(), message).with_detail(description)
        }
        other => refused(&explain(&other)),
    })
}

/// Signature, issuer, audience, times, nonce, at_hash and, if asked for, the age of the authentication. Keys may have moved on.
pub async fn verify(
    provider: &Provider,
    known: &Arc<Known>,
    id_token: &CoreIdToken,
    tokens: &CoreTokenResponse,
    expected: &Expected<'_>,
) -> Result<CoreIdTokenClaims, Problem> {
    match check(provider, known, id_token, tokens, expected) {
        Err(ClaimsVerificationError::SignatureVerification(SignatureVerificationError::NoMatchingKey)) => {
            let renewed = provider.renew_known(known).await?;
            check(provider, &renewed, id_token, tokens, expected)
        }
        outcome => outcome,
    }
    .map_err(|error| refused(&explain(&error)))
}

fn check(
    provider: &Provider,
    known: &Known,
    id_token: &CoreIdToken,
    tokens: &CoreTokenResponse,
    expected: &Expected<'_>,
) -> Result<CoreIdTokenClaims, ClaimsVerificationError> {
    let client = provider.client(known);
    let mut verifier = client.id_token_verifier().set_time_fn(now);
    if let Some(max_age) = expected.max_age {
        verifier = verifier.set_auth_time_verifier_fn(move |auth_time| check_age(auth_time, max_age));
    }
    let claims = id_token.claims(&verifier, |given: Option<&Nonce>| check_nonce(expected.nonce, given))?;
    if let Some(hash) = claims.access_token_hash() {
        let signing = |error: openidconnect::SigningError| ClaimsVerificationError::Other(error.to_string());
        let algorithm = id_token.signing_alg().map_err(ClaimsVerificationError::SignatureVerification)?;
        let key = id_token.signing_key(&verifier).map_err(ClaimsVerificationError::SignatureVerification)?;
        let actual = AccessTokenHash::from_token(tokens.access_token(), algorithm, key).map_err(signing)?;
        if actual != *hash {
            return Err(ClaimsVerificationError::Other("at_hash does not fit the access token".into()));
        }
    }
    Ok(claims.clone())
}

fn check_nonce(expected: Option<&Nonce>, given: Option<&Nonce>) -> Result<(), String> {
    match (expected, given) {
        (Some(expected), given) => expected.verify(given),
        (None, None) => Ok(()),
        (None, Some(_)) => Err("a nonce that nobody sent".into()),
    }
}

fn check_age(auth_time: Option<DateTime<Utc>>, max_age: i64) -> Result<(), String> {
    let auth_time = auth_time.ok_or("max_age was asked for, auth_time is missing")?;
    let oldest = TimeDelta::try_seconds(max_age).and_then(|age| now().checked_sub_signed(age + LEEWAY));
    match oldest {
        Some(oldest) if auth_time < oldest => Err("the authentication is too old".into()),
        _ => Ok(()),
    }
}

pub async fn fetch_user(
    provider: &Provider,
    known: &Known,
    tokens: &CoreTokenResponse,
    claims: &CoreIdTokenClaims,
) -> Result<CoreUserInfoClaims, Problem> {
    let client = provider.client(known);
    let send = |request| provider.send(request);
    let request = client.user_info(tokens.access_token().clone(), Some(claims.subject().clone()));
    let request = request.map_err(|error| refused(&error.to_string()))?;
    request.request_async(&send).await.map_err(|error| refused(&explain(&error)))
}
