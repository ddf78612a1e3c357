//! The table: each check reads the parameters and either notes what they ask for or refuses.

use countersign_model::{AuthMethod, Client, Scope, Seconds};

use super::claims_parameter;
use super::request::{AuthorizationRequest, PromptSet, ResponseMode};
use super::{Params, Provider};
use crate::error::{ErrorCode, OAuthError};
use crate::{id_token, kernel, scopes};

/// A request under check; client and redirect URI are proven.
pub(super) struct Asked<'a> {
    pub(super) params: &'a Params,
    pub(super) client: &'a Client,
    pub(super) provider: &'a Provider<'a>,
}

type Check = fn(&Asked<'_>, &mut AuthorizationRequest) -> Result<(), OAuthError>;

/// Every check with its source, in the order they are made.
pub(super) const IN_ORDER: &[(&str, Check)] = &[
    ("Multiple Response Types 2.1: response_mode", check_response_mode),
    ("Core 3.1.2.6: request, request_uri, registration", check_unsupported),
    ("RFC 6749 3.1.1: response_type", check_response_type),
    ("RFC 6749 4.1.2.1: state and nonce", check_state_and_nonce),
    ("RFC 7636 4.3: code_challenge", check_code_challenge),
    ("RFC 6749 3.3: scope", check_scope),
    ("RFC 6749 4.1.1: the code grant's own checks", check_code_grant),
    ("Core 3.1.2.1: prompt", check_prompt),
    ("Core 3.1.2.1: max_age", check_max_age),
    ("Core 5.5: claims", check_claims),
    ("Core 3.1.2.1: id_token_hint", check_id_token_hint),
];

const MAX_STATE: usize = 4096;
const MAX_NONCE: usize = 1024;
const MAX_HINT: usize = 320;
const MAX_VALUES: usize = 16;
const MAX_LOCALES: usize = 8;
const CHALLENGE_LENGTH: usize = 43;

fn invalid(description: &'static str) -> OAuthError {
    OAuthError::new(ErrorCode::InvalidRequest, description)
}

fn check_response_mode(asked: &Asked<'_>, _: &mut AuthorizationRequest) -> Result<(), OAuthError> {
    match asked.params.get("response_mode") {
        Some(mode) if ResponseMode::from_word(mode).is_none() => Err(invalid("The response_mode is not supported")),
        _ => Ok(()),
    }
}

fn check_unsupported(asked: &Asked<'_>, _: &mut AuthorizationRequest) -> Result<(), OAuthError> {
    let refused = |code, description| Err(OAuthError::new(code, description));
    match ["request", "request_uri", "registration"].map(|name| asked.params.has(name)) {
        [true, true, _] => Err(invalid("The parameters request and request_uri exclude each other")),
        [true, ..] => refused(ErrorCode::RequestNotSupported, "Request objects are not supported"),
        [_, true, _] => refused(ErrorCode::RequestUriNotSupported, "Request objects are not supported"),
        [.., true] => refused(ErrorCode::RegistrationNotSupported, "The registration parameter is not supported"),
        _ => Ok(()),
    }
}

fn check_response_type(asked: &Asked<'_>, _: &mut AuthorizationRequest) -> Result<(), OAuthError> {
    let refused = |code, description| Err(OAuthError::new(code, description));
    let registered = asked.client.response_types.iter().any(|known| known == "code");
    match asked.params.get("response_type") {
        None => Err(invalid("The parameter response_type is missing")),
        Some("code") if registered && asked.client.allows_grant("authorization_code") => Ok(()),
        Some("code") => refused(ErrorCode::UnauthorizedClient, "The client may not use this response_type"),
        Some(_) => refused(ErrorCode::UnsupportedResponseType, "The response_type is not supported"),
    }
}

fn check_state_and_nonce(asked: &Asked<'_>, request: &mut AuthorizationRequest) -> Result<(), OAuthError> {
    if request.state.as_ref().is_some_and(|state| state.len() > MAX_STATE) {
        return Err(invalid("The state is too long"));
    }
    request.nonce = asked.params.get("nonce").map(str::to_owned);
    match &request.nonce {
        Some(nonce) if nonce.len() > MAX_NONCE => Err(invalid("The nonce is too long")),
        // PostgreSQL keeps no such text: found now, not when the person has signed in.
        Some(nonce) if nonce.contains('\0') => Err(invalid("The nonce has a null character")),
        _ => Ok(()),
    }
}

/// Whether `client` must send a challenge: every public one (RFC 9700, 2.1.1) and whoever registered to.
fn must_use_pkce(client: &Client) -> bool {
    client.require_pkce || client.auth_methods.contains(&AuthMethod::None) || client.auth_methods.is_empty()
}

fn check_code_challenge(asked: &Asked<'_>, request: &mut AuthorizationRequest) -> Result<(), OAuthError> {
    let challenge = asked.params.get("code_challenge");
    match (challenge, asked.params.get("code_challenge_method")) {
        (None, None) if must_use_pkce(asked.client) => return Err(invalid("This client must send a code_challenge")),
        (None, None) => return Ok(()),
        (None, Some(_)) => return Err(invalid("There is a code_challenge_method but no code_challenge")),
        (Some(_), Some("S256")) => {}
        (Some(_), _) => return Err(invalid("The code_challenge_method must be S256")),
    }
    let well_formed = |text: &&str| {
        text.len() == CHALLENGE_LENGTH && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    };
    request.code_challenge = challenge.filter(well_formed).map(str::to_owned);
    request.code_challenge.is_some().then_some(()).ok_or(invalid("The code_challenge is malformed"))
}

fn check_scope(asked: &Asked<'_>, request: &mut AuthorizationRequest) -> Result<(), OAuthError> {
    let refused = |description| OAuthError::new(ErrorCode::InvalidScope, description);
    let text = asked.params.get("scope").ok_or(refused("The parameter scope is missing"))?;
    let scope: Scope = text.parse().map_err(|_| refused("The scope is malformed"))?;
    if scope.is_empty() {
        return Err(refused("The scope is empty"));
    }
    if !scope.is_subset(&asked.client.scope) {
        return Err(refused("The client may not ask for this scope"));
    }
    request.scope = scope;
    Ok(())
}

/// The machine makes its own checks on what is about to be granted; then `offline_access` goes if it means nothing.
fn check_code_grant(asked: &Asked<'_>, request: &mut AuthorizationRequest) -> Result<(), OAuthError> {
    kernel::authorize(&kernel::Authorize {
        params: asked.params,
        redirect_uri: request.redirect_uri.as_str(),
        allowed: &asked.client.scope,
        pkce_required: must_use_pkce(asked.client),
    })?;
    if !asked.client.allows_grant("refresh_token") {
        let kept: Vec<&str> = request.scope.iter().filter(|value| *value != scopes::OFFLINE_ACCESS).collect();
        request.scope = kept.join(" ").parse().unwrap_or_default();
    }
    Ok(())
}

fn check_prompt(asked: &Asked<'_>, request: &mut AuthorizationRequest) -> Result<(), OAuthError> {
    let Some(text) = asked.params.get("prompt") else { return Ok(()) };
    let unsupported = invalid("The prompt is not supported, or none stands with others");
    request.prompt = PromptSet::parse(text).ok_or(unsupported)?;
    Ok(())
}

fn check_max_age(asked: &Asked<'_>, request: &mut AuthorizationRequest) -> Result<(), OAuthError> {
    let Some(text) = asked.params.get("max_age") else { return Ok(()) };
    let digits = text.len() <= 20 && text.bytes().all(|byte| byte.is_ascii_digit());
    let seconds: u128 =
        text.parse().ok().filter(|_| digits).ok_or(invalid("The max_age is not a number of seconds"))?;
    request.max_age = Some(Seconds::new(u32::try_from(seconds).unwrap_or(u32::MAX)));
    Ok(())
}

fn check_claims(asked: &Asked<'_>, request: &mut AuthorizationRequest) -> Result<(), OAuthError> {
    let words = asked.params.get("acr_values").unwrap_or_default().split(' ').filter(|word| !word.is_empty());
    request.acr_values = words.take(MAX_VALUES).map(str::to_owned).collect();
    let Some(text) = asked.params.get("claims") else { return Ok(()) };
    let parsed = claims_parameter::parse(text, asked.client).ok_or(invalid("The claims parameter is malformed"))?;
    let fresh: Vec<String> =
        parsed.acr_values.into_iter().filter(|value| !request.acr_values.contains(value)).take(MAX_VALUES).collect();
    request.acr_values.extend(fresh);
    request.essential_acr = parsed.essential_acr;
    request.essential_acr.truncate(MAX_VALUES);
    request.subject = parsed.subject;
    request.claims = parsed.requested;
    Ok(())
}

fn check_id_token_hint(asked: &Asked<'_>, request: &mut AuthorizationRequest) -> Result<(), OAuthError> {
    let Some(hint) = asked.params.get("id_token_hint") else { return Ok(()) };
    let identity = id_token::verify_id_token_hint(hint, asked.provider.keys, asked.provider.issuer, &asked.client.id)?;
    request.hint = Some(identity.subject);
    Ok(())
}

/// `display`, `login_hint`, `ui_locales`, `claims_locales` never cause errors (Core, 15.1); nor does `p` here.
pub(super) fn note_hints(asked: &Asked<'_>, request: &mut AuthorizationRequest) {
    request.policy = asked.params.get("p").map(str::to_owned);
    request.login_hint = asked.params.get("login_hint").filter(|hint| hint.len() <= MAX_HINT).map(str::to_owned);
    let is_tag =
        |tag: &&str| (1..=35).contains(&tag.len()) && tag.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let locales = asked.params.get("ui_locales").unwrap_or_default().split(' ').filter(is_tag);
    request.ui_locales = locales.take(MAX_LOCALES).map(str::to_owned).collect();
}
