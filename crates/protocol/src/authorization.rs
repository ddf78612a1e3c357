//! The authorization endpoint's checks (RFC 6749, 4.1.1; OpenID Connect Core, 3.1.2): a table, in order.

mod carriage;
mod checks;
mod claims_parameter;
mod redirect_uri;
mod request;
mod response_type;

use countersign_model::{Client, Scope, SigningKey};

pub use carriage::{Carriage, find_carriage};
pub use redirect_uri::{StoredRedirectUri, ValidRedirectUri};
pub use request::{AuthorizationRequest, Prompt, PromptSet, ResponseMode, ResponseTarget};
pub use response_type::ResponseType;

use crate::discovery::Capabilities;
use crate::error::{ErrorCode, OAuthError};
use crate::features::Features;
use crate::issuer::Issuer;
use crate::params::Params;

/// What the checks need to know of this provider.
#[derive(Clone, Copy, Debug)]
pub struct Provider<'a> {
    /// Its identifier.
    pub issuer: &'a Issuer,
    /// What it advertises.
    pub capabilities: &'a Capabilities,
    /// Keys its ID tokens may be signed with, for `id_token_hint`.
    pub keys: &'a [SigningKey],
}

/// How a request reached the provider.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Arrival {
    /// By the client itself, which proved who it is (RFC 9126).
    pub pushed: bool,
    /// As an object that its client signed (RFC 9101).
    pub signed: bool,
}

/// Why a request goes no further.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Client or redirect URI are unproven: an error page, never a redirect (RFC 6749, 4.1.2.1).
    Page(OAuthError),
    /// The client hears of it.
    Redirect(Box<ResponseTarget>, OAuthError),
}

/// Decides whether an authorization request may go on.
///
/// `client` is the one found under the request's `client_id` by [`client_id`]; none: there is no such client.
pub fn check(
    params: &Params,
    client: Option<&Client>,
    provider: &Provider<'_>,
    arrival: Arrival,
) -> Result<AuthorizationRequest, Refusal> {
    let (client, target) = bind(params, client, provider).map_err(Refusal::Page)?;
    let mut request = blank(client, &target);
    let features = provider.capabilities.features.of(client);
    let asked = checks::Asked { params, client, provider, features, arrival };
    for (_, check) in checks::IN_ORDER {
        check(&asked, &mut request).map_err(|error| Refusal::Redirect(Box::new(target.clone()), error))?;
    }
    checks::note_hints(&asked, &mut request);
    Ok(request)
}

/// Where `error` is told when the request could not even be read: to the client, if what came in clear proves it.
pub fn refuse(params: &Params, client: Option<&Client>, provider: &Provider<'_>, error: OAuthError) -> Refusal {
    match bind(params, client, provider) {
        Ok((_, target)) => Refusal::Redirect(Box::new(target), error),
        Err(_) => Refusal::Page(error),
    }
}

/// The client the request claims to come from, to be looked up; none: absent or no possible id.
pub fn client_id(params: &Params) -> Option<countersign_model::ClientId> {
    params.get("client_id")?.parse().ok()
}

/// Proves client and redirect URI, before anything else.
fn bind<'a>(
    params: &Params,
    client: Option<&'a Client>,
    provider: &Provider<'_>,
) -> Result<(&'a Client, ResponseTarget), OAuthError> {
    let refused = |description| OAuthError::new(ErrorCode::InvalidRequest, description);
    let asked = params.get("client_id").ok_or(refused("The parameter client_id is missing"))?;
    let client = client.filter(|client| client.id.as_str() == asked && !client.disabled);
    let client = client.ok_or(OAuthError::new(ErrorCode::InvalidClient, "The client is not registered here"))?;
    let uri = params.get("redirect_uri").ok_or(refused("The parameter redirect_uri is missing"))?;
    let redirect_uri = ValidRedirectUri::find(client, uri)
        .ok_or_else(|| refused("The redirect_uri is not registered for this client"))?;
    let state = params.get("state").map(str::to_owned);
    let mode = response_mode(params, provider.capabilities.features.of(client));
    Ok((client, ResponseTarget { redirect_uri, mode, state }))
}

/// The mode asked for if it may carry the answer, else the response type's default (Multiple Response Types, 2.1 and 5):
/// errors travel in it, whatever is wrong with the request.
fn response_mode(params: &Params, features: Features) -> ResponseMode {
    let text = params.get("response_type").unwrap_or("code");
    // An unknown type is answered as its words would be (Core, 3.3.2.6).
    let unknown = if text.split(' ').any(|word| matches!(word, "token" | "id_token")) {
        ResponseType::ALL[ResponseType::ALL.len() - 1]
    } else {
        ResponseType::CODE
    };
    let response_type = ResponseType::parse(text).unwrap_or(unknown);
    let asked = params.get("response_mode").and_then(|word| ResponseMode::from_word(word, response_type));
    let asked = asked.filter(|mode| mode.is_on(features));
    match asked {
        Some(mode) if mode.suits(response_type) => mode,
        Some(mode) if mode.is_signed() => ResponseMode::default_of(response_type).signed(),
        _ => ResponseMode::default_of(response_type),
    }
}

fn blank(client: &Client, target: &ResponseTarget) -> AuthorizationRequest {
    AuthorizationRequest {
        client: client.id.clone(),
        redirect_uri: target.redirect_uri.store(),
        response_type: ResponseType::CODE,
        response_mode: target.mode,
        scope: Scope::default(),
        state: target.state.clone(),
        nonce: None,
        prompt: PromptSet::default(),
        max_age: None,
        hint: None,
        subject: None,
        login_hint: None,
        ui_locales: Vec::new(),
        acr_values: Vec::new(),
        essential_acr: Vec::new(),
        policy: None,
        code_challenge: None,
        claims: countersign_model::RequestedClaims::default(),
        resources: Vec::new(),
        pushed: None,
        dpop_jkt: None,
    }
}

#[cfg(test)]
mod tests;
