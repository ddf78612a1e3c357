//! What clients register: the metadata of RFC 7591, OpenID Connect Registration and their extensions, checked as a
//! whole and turned into a [`Client`].

mod addresses;
mod answer;
mod authentication;
mod document;
mod grants;
mod metadata;
mod own;
mod profile;
mod responses;
mod subject;
mod switches;
mod text;

use std::collections::BTreeSet;

use countersign_model::{
    Client, ClientId, Feature, LogoutRules, PolicyNaming, RefreshRule, RequestRules, Scope, Seconds, ShownUris,
    Timestamp,
};
use serde_json::{Map, Value};

pub use answer::describe;
pub use document::{MAX_DOCUMENT, is_document_address, is_document_type, read_document};
pub use grants::{IMPLICIT, RESPONSE_TYPES, canonical_response_type};
pub use metadata::ClientMetadata;
pub use subject::check_sector;
pub use text::MAX_TEXT;

use crate::discovery::Capabilities;

/// Most values of a list.
const MAX_LIST: usize = 50;
/// Scopes of a client that asks for none.
const DEFAULT_SCOPE: &str = "openid profile email address phone offline_access";
/// Our own members that a client may set for itself; others are an operator's to decide, and ignored.
const OWN_CHOICES: [&str; 7] = [
    "countersign_policy",
    "countersign_ask_consent",
    "countersign_off",
    "countersign_profile",
    "countersign_refresh",
    "countersign_require_pkce",
    "countersign_resources",
];

/// Who wrote the metadata.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registrant {
    /// The operator, who knows what is behind an address.
    Operator,
    /// Anybody, by dynamic registration.
    Client,
}

/// What metadata is held against.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'a> {
    /// Who wrote it.
    pub registrant: Registrant,
    /// What is on here: a member of what is off is refused.
    pub capabilities: &'a Capabilities,
    /// Scope values besides those of OpenID Connect that a client may register for itself.
    pub scopes: &'a Scope,
    /// Whether addresses of clients may be `http` on this machine, as in the demo.
    pub loopback: bool,
}

/// Metadata that cannot be accepted: the registered error (RFC 7591, 3.2.2) and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {why}")]
pub struct MetadataError {
    /// `invalid_redirect_uri`, `invalid_client_metadata` or `invalid_software_statement`.
    pub code: &'static str,
    /// What is wrong.
    pub why: String,
}

impl MetadataError {
    /// `invalid_client_metadata`.
    pub fn new(why: impl Into<String>) -> Self {
        Self::of("invalid_client_metadata", &why.into())
    }

    /// `invalid_redirect_uri`.
    fn redirect(why: impl Into<String>) -> Self {
        Self::of("invalid_redirect_uri", &why.into())
    }

    fn of(code: &'static str, why: &str) -> Self {
        // In the characters of an error_description (RFC 6749, 5.2).
        let readable = why.chars().map(|c| if c == '"' || c == '\\' { '\'' } else { c });
        Self { code, why: readable.filter(|c| matches!(c, ' '..='~')).take(MAX_TEXT).collect() }
    }
}

/// Reads what a client sent (RFC 7591, 3.1) without `client_id` and `client_secret`: those are not its to choose. What
/// only an operator decides is taken out of `members`.
pub fn read(members: &mut Map<String, Value>) -> Result<ClientMetadata, MetadataError> {
    check_members(members)?;
    members.retain(|name, _| !name.starts_with("countersign_") || OWN_CHOICES.contains(&name.as_str()));
    ClientMetadata::from_members(members)
}

/// Reads what an administrator's program says of a client: our own members count, and one that means nothing is refused, since
/// it was meant to mean something.
pub fn read_whole(members: &Map<String, Value>) -> Result<ClientMetadata, MetadataError> {
    check_members(members)?;
    let means = |name: &str| metadata::NAMES.contains(&name) || text::is_descriptive(name);
    if let Some(name) = members.keys().find(|name| !means(name)) {
        return Err(MetadataError::new(format!("{name} is no member of a client's metadata")));
    }
    ClientMetadata::from_members(members)
}

fn check_members(members: &Map<String, Value>) -> Result<(), MetadataError> {
    if let Some(name) = ["client_id", "client_secret"].into_iter().find(|name| members.contains_key(*name)) {
        return Err(MetadataError::new(format!("{name} is not for the client to choose")));
    }
    if members.contains_key("software_statement") {
        return Err(MetadataError::of("invalid_software_statement", "software statements are not understood here"));
    }
    if let Some(name) = members.keys().find(|name| metadata::is_beyond(name)) {
        return Err(MetadataError::new(format!("{name} is not supported")));
    }
    text::check(members)
}

/// The client that `metadata` describes, if it is sound. Its secrets and policies are the caller's to fill in.
pub fn check(
    id: ClientId,
    metadata: &ClientMetadata,
    rules: &Rules<'_>,
    now: Timestamp,
) -> Result<Client, MetadataError> {
    let off = off(metadata)?;
    let mut capabilities = rules.capabilities.clone();
    for feature in &off {
        *capabilities.features.switch(*feature) = false;
    }
    let rules = &Rules { capabilities: &capabilities, ..*rules };
    switches::check(metadata, rules.capabilities)?;
    let auth_methods = authentication::methods(metadata, rules)?;
    let is_public = auth_methods == [countersign_model::AuthMethod::None];
    let (grant_types, response_types) = grants::check(metadata, &rules.capabilities.features, is_public)?;
    addresses::check(metadata, &grant_types, rules)?;
    if rules.registrant == Registrant::Client {
        own::check(metadata, &grant_types, rules.scopes)?;
    }
    let client = Client {
        name: metadata.client_name.clone().unwrap_or_else(|| id.to_string()),
        keys: authentication::keys(metadata, &auth_methods)?,
        assertion_alg: authentication::assertion_alg(metadata, &auth_methods)?,
        certificate_name: authentication::certificate_name(metadata, &auth_methods)?,
        auth_methods,
        redirect_uris: metadata.redirect_uris.clone().unwrap_or_default(),
        application_type: metadata.application_type.unwrap_or_default(),
        grant_types,
        response_types,
        scope: scope(metadata)?,
        require_pkce: is_public || metadata.countersign_require_pkce.unwrap_or(false),
        id_token_alg: responses::id_token_algorithm(metadata)?,
        access_token_alg: responses::algorithm(metadata.countersign_access_token_alg.as_deref())?,
        required_acr: metadata.countersign_required_acr.clone().unwrap_or_default(),
        default_max_age: metadata.default_max_age.map(Seconds::new),
        require_auth_time: metadata.require_auth_time.unwrap_or(false),
        first_party: metadata.countersign_first_party.unwrap_or(true),
        brand: metadata.countersign_brand.clone(),
        certificate_bound_tokens: metadata.tls_client_certificate_bound_access_tokens.unwrap_or(false),
        initiate_login_uri: metadata.initiate_login_uri.clone(),
        client_uri: metadata.client_uri.clone(),
        shown: shown(metadata),
        subject_type: metadata.subject_type.unwrap_or_default(),
        sector: subject::sector(metadata, rules)?,
        requests: requests(metadata)?,
        responses: responses::rules(metadata)?,
        dpop_bound_tokens: metadata.dpop_bound_access_tokens.unwrap_or(false),
        refresh: metadata.countersign_refresh.unwrap_or_default(),
        logout: logout(metadata),
        profile: metadata.countersign_profile,
        resources: resources(metadata, rules.capabilities)?,
        policy_naming: policy_naming(metadata)?,
        may_act: may_act(metadata)?,
        off,
        ..Client::new(id, now)
    };
    let client = profile::hold(client, metadata)?;
    check_bindings(&client)?;
    responses::check_unsigned(&client)?;
    Ok(client)
}

/// A refresh token that stays, and a token bound to a certificate, need a client that proves itself (RFC 9700, 2.2.2).
fn check_bindings(client: &Client) -> Result<(), MetadataError> {
    if client.is_public() && client.certificate_bound_tokens {
        return Err(MetadataError::new("a public client cannot ask for certificate-bound tokens here"));
    }
    if client.is_public() && client.refresh == RefreshRule::Keep && !client.dpop_bound_tokens {
        return Err(MetadataError::new("refresh tokens of a public client are rotated, or bound to a key"));
    }
    Ok(())
}

fn scope(metadata: &ClientMetadata) -> Result<Scope, MetadataError> {
    let text = metadata.scope.as_deref().unwrap_or(DEFAULT_SCOPE);
    text.parse().map_err(|_| MetadataError::new("scope has characters that no scope value may have"))
}

fn shown(metadata: &ClientMetadata) -> ShownUris {
    ShownUris {
        logo_uri: metadata.logo_uri.clone(),
        policy_uri: metadata.policy_uri.clone(),
        tos_uri: metadata.tos_uri.clone(),
    }
}

/// How its requests come (Registration, 2; RFC 9101, 10.5; RFC 9126, 6).
fn requests(metadata: &ClientMetadata) -> Result<RequestRules, MetadataError> {
    let signing_alg = metadata.request_object_signing_alg.clone();
    let known = |name: &String| name == "none" || countersign_model::SigningAlgorithm::from_name(name).is_some();
    if let Some(unknown) = signing_alg.as_ref().filter(|name| !known(name)) {
        return Err(MetadataError::new(format!("request_object_signing_alg {unknown} is not supported")));
    }
    let require_signed = metadata.require_signed_request_object.unwrap_or(false);
    if require_signed && signing_alg.as_deref() == Some("none") {
        return Err(MetadataError::new("request objects cannot be both signed and of algorithm none (RFC 9101, 10.5)"));
    }
    let has_keys = metadata.jwks.is_some() || metadata.jwks_uri.is_some();
    if (require_signed || signing_alg.as_deref().is_some_and(|name| name != "none")) && !has_keys {
        return Err(MetadataError::new("signed request objects need jwks or jwks_uri"));
    }
    Ok(RequestRules {
        signing_alg,
        require_signed,
        require_pushed: metadata.require_pushed_authorization_requests.unwrap_or(false),
        request_uris: metadata.request_uris.clone().unwrap_or_default(),
    })
}

fn logout(metadata: &ClientMetadata) -> LogoutRules {
    LogoutRules {
        post_logout_redirect_uris: metadata.post_logout_redirect_uris.clone().unwrap_or_default(),
        backchannel_uri: metadata.backchannel_logout_uri.clone(),
        backchannel_session_required: metadata.backchannel_logout_session_required.unwrap_or(false),
        frontchannel_uri: metadata.frontchannel_logout_uri.clone(),
        frontchannel_session_required: metadata.frontchannel_logout_session_required.unwrap_or(false),
    }
}

/// The longest name of a policy, as a client calls it.
const MAX_POLICY_NAME: usize = 64;

fn policy_naming(metadata: &ClientMetadata) -> Result<PolicyNaming, MetadataError> {
    let claims = metadata.countersign_policy_claims.as_deref().unwrap_or_default();
    if let Some(unknown) = claims.iter().find(|claim| !["tfp", "acr"].contains(&claim.as_str())) {
        return Err(MetadataError::new(format!("countersign_policy_claims: {unknown} is neither tfp nor acr")));
    }
    let names = metadata.countersign_policy_names.clone().unwrap_or_default();
    let is_name =
        |name: &String| (1..=MAX_POLICY_NAME).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic());
    if names.len() > MAX_LIST || !names.values().all(is_name) {
        return Err(MetadataError::new("countersign_policy_names: a name is 1 to 64 visible ASCII characters"));
    }
    let has = |claim: &str| claims.iter().any(|known| known == claim);
    Ok(PolicyNaming { tfp: has("tfp"), acr: has("acr"), names })
}

/// What the client does without: it is held against the rest of its metadata as if it were off for everybody.
fn off(metadata: &ClientMetadata) -> Result<Vec<Feature>, MetadataError> {
    let named = |name: &String| {
        Feature::from_name(name).ok_or_else(|| MetadataError::new(format!("countersign_off: {name} is no feature")))
    };
    let names = metadata.countersign_off.iter().flatten();
    let off: BTreeSet<Feature> = names.map(named).collect::<Result<_, _>>()?;
    Ok(off.into_iter().collect())
}

fn may_act(metadata: &ClientMetadata) -> Result<Option<ClientId>, MetadataError> {
    let named = metadata.countersign_may_act.as_ref().map(|id| id.parse());
    named.transpose().map_err(|_| MetadataError::new("countersign_may_act is no client_id"))
}

fn resources(metadata: &ClientMetadata, capabilities: &Capabilities) -> Result<Vec<String>, MetadataError> {
    let asked = metadata.countersign_resources.clone().unwrap_or_default();
    let known = |uri: &String| capabilities.resources.iter().any(|server| server.uri == *uri);
    match asked.iter().find(|uri| !known(uri)) {
        Some(unknown) => Err(MetadataError::new(format!("countersign_resources: {unknown} is no resource server"))),
        None => Ok(asked),
    }
}

#[cfg(test)]
mod tests;
