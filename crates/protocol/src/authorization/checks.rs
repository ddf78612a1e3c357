//! The table: each check reads the parameters and either notes what they ask for or refuses.

use countersign_model::{AuthMethod, Client, Scope, Seconds};

use super::carriage::{Carriage, find_carriage};
use super::claims_parameter;
use super::request::{AuthorizationRequest, Prompt, PromptSet, ResponseMode};
use super::response_type::ResponseType;
use super::{Arrival, Params, Provider};
use crate::error::{ErrorCode, OAuthError};
use crate::features::Features;
use crate::resource::{self, Resources};
use crate::{dpop, id_token, kernel, policy_choice, profile, scopes};

/// A request under check; client and redirect URI are proven.
pub(super) struct Asked<'a> {
    pub(super) params: &'a Params,
    pub(super) client: &'a Client,
    pub(super) provider: &'a Provider<'a>,
    /// What is on for the client.
    pub(super) features: Features,
    pub(super) arrival: Arrival,
}

type Check = fn(&Asked<'_>, &mut AuthorizationRequest) -> Result<(), OAuthError>;

/// Every check with its source, in the order they are made.
pub(super) const IN_ORDER: &[(&str, Check)] = &[
    ("Core 3.1.2.6: request, request_uri, registration", check_carriage),
    ("RFC 9126 5; RFC 9101 10.5: how it must arrive", check_arrival),
    ("RFC 6749 3.1.1; Core 3: response_type", check_response_type),
    ("Multiple Response Types 2.1 and 5; JARM 2.3: response_mode", check_response_mode),
    ("RFC 6749 4.1.2.1; Core 3.2.2.1: state and nonce", check_state_and_nonce),
    ("RFC 7636 4.3: code_challenge", check_code_challenge),
    ("RFC 9449 10: dpop_jkt", check_dpop_key),
    ("RFC 6749 3.3: scope", check_scope),
    ("RFC 6749 4.1.1: the code grant's own checks", check_code_grant),
    ("RFC 8707 2.1: resource", check_resources),
    ("Core 3.1.2.1: prompt", check_prompt),
    ("Core 3.1.2.1: max_age", check_max_age),
    ("Core 5.5: claims", check_claims),
    ("Core 3.1.2.1: id_token_hint", check_id_token_hint),
    ("FAPI 2.0: the client's security profile", check_profile),
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

fn check_response_mode(asked: &Asked<'_>, request: &mut AuthorizationRequest) -> Result<(), OAuthError> {
    let Some(word) = asked.params.get("response_mode") else { return Ok(()) };
    let mode = ResponseMode::from_word(word, request.response_type);
    match mode.filter(|mode| mode.is_on(asked.features)) {
        None => Err(invalid("The response_mode is not supported")),
        Some(mode) if !mode.suits(request.response_type) => Err(invalid("Tokens do not travel in a query")),
        Some(_) => Ok(()),
    }
}

/// What carried the request is taken off by now: what is left of it is nested, or not supported.
fn check_carriage(asked: &Asked<'_>, _: &mut AuthorizationRequest) -> Result<(), OAuthError> {
    if asked.params.has("registration") {
        let description = "The registration parameter is not supported";
        return Err(OAuthError::new(ErrorCode::RegistrationNotSupported, description));
    }
    if find_carriage(asked.params, &asked.features)? != Carriage::Plain {
        return Err(invalid("A request does not hold another one"));
    }
    Ok(())
}

/// RFC 9126, 5 and 6; RFC 9101, 10.5.
fn check_arrival(asked: &Asked<'_>, _: &mut AuthorizationRequest) -> Result<(), OAuthError> {
    let rules = &asked.client.requests;
    if !asked.arrival.pushed && (asked.features.require_pushed_requests || rules.require_pushed) {
        return Err(invalid("This request must be pushed"));
    }
    if !asked.arrival.signed && rules.require_signed {
        return Err(invalid("This client must sign its requests"));
    }
    Ok(())
}

/// What a security profile demands of the request, whatever else the client registered.
fn check_profile(asked: &Asked<'_>, request: &mut AuthorizationRequest) -> Result<(), OAuthError> {
    profile::check_request(asked.client, request, asked.arrival)
}

fn check_response_type(asked: &Asked<'_>, request: &mut AuthorizationRequest) -> Result<(), OAuthError> {
    let text = asked.params.get("response_type").ok_or(invalid("The parameter response_type is missing"))?;
    let on = |kind: &ResponseType| kind.is_on(&asked.features);
    let unsupported = OAuthError::new(ErrorCode::UnsupportedResponseType, "The response_type is not supported");
    let kind = ResponseType::parse(text).filter(on).ok_or(unsupported)?;
    let client = asked.client;
    let registered = client.response_types.iter().any(|known| ResponseType::parse(known) == Some(kind));
    // An access token in the answer is bound to nothing.
    let unbound = kind.has_token() && (client.certificate_bound_tokens || client.dpop_bound_tokens);
    if !registered || unbound || (kind.has_code() && !client.allows_grant("authorization_code")) {
        return Err(OAuthError::new(ErrorCode::UnauthorizedClient, "The client may not use this response_type"));
    }
    request.response_type = kind;
    Ok(())
}

fn check_state_and_nonce(asked: &Asked<'_>, request: &mut AuthorizationRequest) -> Result<(), OAuthError> {
    if request.state.as_ref().is_some_and(|state| state.len() > MAX_STATE) {
        return Err(invalid("The state is too long"));
    }
    request.nonce = asked.params.get("nonce").map(str::to_owned);
    match &request.nonce {
        Some(nonce) if nonce.len() > MAX_NONCE => Err(invalid("The nonce is too long")),
        // An access token alone has no place for it: `code token` needs none.
        None if request.response_type.has_id_token() => {
            Err(invalid("The parameter nonce is missing, which this response_type needs"))
        }
        // PostgreSQL keeps no such text: found now, not when the person has signed in.
        Some(nonce) if nonce.contains('\0') => Err(invalid("The nonce has a null character")),
        _ => Ok(()),
    }
}

/// Whether `client` must send a challenge: every public one (RFC 9700, 2.1.1) and whoever registered to.
fn must_use_pkce(client: &Client) -> bool {
    client.require_pkce
        || client.profile.is_some()
        || client.auth_methods.contains(&AuthMethod::None)
        || client.auth_methods.is_empty()
}

fn check_code_challenge(asked: &Asked<'_>, request: &mut AuthorizationRequest) -> Result<(), OAuthError> {
    let challenge = asked.params.get("code_challenge");
    if !request.response_type.has_code() {
        return Ok(());
    }
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

fn check_dpop_key(asked: &Asked<'_>, request: &mut AuthorizationRequest) -> Result<(), OAuthError> {
    let thumbprint = asked.params.get("dpop_jkt").filter(|_| asked.features.dpop);
    request.dpop_jkt = thumbprint.map(str::to_owned);
    match thumbprint {
        Some(text) if !dpop::is_thumbprint(text) => Err(invalid("The dpop_jkt is no thumbprint of a key")),
        _ => Ok(()),
    }
}

fn check_scope(asked: &Asked<'_>, request: &mut AuthorizationRequest) -> Result<(), OAuthError> {
    let refused = |description| OAuthError::new(ErrorCode::InvalidScope, description);
    let text = asked.params.get("scope").ok_or(refused("The parameter scope is missing"))?;
    let scope: Scope = text.parse().map_err(|_| refused("The scope is malformed"))?;
    if scope.is_empty() {
        return Err(refused("The scope is empty"));
    }
    if request.response_type.has_front_channel_tokens() && !scope.contains(scopes::OPENID) {
        return Err(refused("This response_type needs the scope openid"));
    }
    if !scope.is_subset(&asked.client.scope) {
        return Err(refused("The client may not ask for this scope"));
    }
    request.scope = scope;
    Ok(())
}

/// The machine makes its own checks on a code about to be granted; then `offline_access` goes if it means nothing
/// (Core, 11).
fn check_code_grant(asked: &Asked<'_>, request: &mut AuthorizationRequest) -> Result<(), OAuthError> {
    let has_code = request.response_type.has_code();
    if has_code {
        check_by_machine(asked, request)?;
    }
    if !has_code || !asked.features.refresh_tokens || !asked.client.allows_grant("refresh_token") {
        let kept: Vec<&str> = request.scope.iter().filter(|value| *value != scopes::OFFLINE_ACCESS).collect();
        request.scope = kept.join(" ").parse().unwrap_or_default();
    }
    Ok(())
}

fn check_by_machine(asked: &Asked<'_>, request: &AuthorizationRequest) -> Result<(), OAuthError> {
    // The machine knows codes alone: what else the answer holds was looked at above.
    let params = asked.params.clone().with("response_type", ResponseType::CODE.as_str());
    kernel::authorize(&kernel::Authorize {
        params: &params,
        redirect_uri: request.redirect_uri.as_str(),
        allowed: &asked.client.scope,
        pkce_required: must_use_pkce(asked.client),
    })
    .map(drop)
}

fn check_resources(asked: &Asked<'_>, request: &mut AuthorizationRequest) -> Result<(), OAuthError> {
    let Provider { issuer, capabilities, .. } = *asked.provider;
    request.resources = resource::asked(asked.params, &asked.features)?;
    let resources = Resources { issuer, servers: &capabilities.resources };
    resource::check(&request.resources, &request.scope, asked.client, &resources)?;
    // The token of this very answer: what it is for must be clear now, not when the person has signed in.
    if request.response_type.has_token() {
        resource::decide(&[], &request.resources, &request.scope, asked.client, &resources)?;
    }
    Ok(())
}

fn check_prompt(asked: &Asked<'_>, request: &mut AuthorizationRequest) -> Result<(), OAuthError> {
    let Some(text) = asked.params.get("prompt") else { return Ok(()) };
    let unsupported = invalid("The prompt is not supported, or none stands with others");
    let prompt = PromptSet::parse(text).ok_or(unsupported.clone())?;
    if prompt.contains(Prompt::Create) && !(asked.provider.capabilities.create && asked.features.prompt_create) {
        return Err(unsupported);
    }
    request.prompt = prompt;
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
    // Who does not support it ignores it (Core, 5.5).
    let Some(text) = asked.params.get("claims").filter(|_| asked.features.claims_parameter) else { return Ok(()) };
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
    request.policy = asked.params.get("p").map(|name| policy_choice::policy_meant(asked.client, name).to_owned());
    request.login_hint = asked.params.get("login_hint").filter(|hint| hint.len() <= MAX_HINT).map(str::to_owned);
    let is_tag =
        |tag: &&str| (1..=35).contains(&tag.len()) && tag.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let locales = asked.params.get("ui_locales").unwrap_or_default().split(' ').filter(is_tag);
    request.ui_locales = locales.take(MAX_LOCALES).map(str::to_owned).collect();
}
