//! What a client is told of its registration (RFC 7591, 3.2.1): everything as it holds, defaults filled in.

use countersign_model::{AuthMethod, Client, RefreshRule, SecurityProfile};
use serde_json::{Map, Value, json};

use super::metadata::NAMES;
use super::text::is_descriptive;

/// The members a client sent, as far as they are understood, with what the registration made of them.
pub fn describe(client: &Client, mut members: Map<String, Value>) -> Map<String, Value> {
    members.retain(|name, value| (NAMES.contains(&name.as_str()) || is_descriptive(name)) && !value.is_null());
    let method = client.auth_methods.first().map_or("none", |method| AuthMethod::as_str(*method));
    let held = [
        ("redirect_uris", json!(client.redirect_uris)),
        ("token_endpoint_auth_method", json!(method)),
        ("grant_types", json!(client.grant_types)),
        ("response_types", json!(client.response_types)),
        ("application_type", json!(client.application_type)),
        ("scope", json!(client.scope.to_string())),
        ("id_token_signed_response_alg", json!(id_token_algorithm(client))),
        ("require_auth_time", json!(client.require_auth_time)),
        ("subject_type", json!(client.subject_type)),
        ("countersign_policy", json!(client.default_policy)),
    ];
    members.extend(held.map(|(name, value)| (name.to_owned(), value)));
    members.extend(encryption(client));
    members.extend(profile(client));
    members
}

fn id_token_algorithm(client: &Client) -> &'static str {
    if client.responses.unsigned_id_token { "none" } else { client.id_token_alg.as_str() }
}

/// `enc` has a default of its own (OpenID Connect Registration, 2).
fn encryption(client: &Client) -> impl Iterator<Item = (String, Value)> {
    let rules = [
        ("id_token_encrypted_response_enc", &client.responses.id_token_encryption),
        ("userinfo_encrypted_response_enc", &client.responses.userinfo_encryption),
    ];
    rules.into_iter().filter_map(|(name, rule)| Some((name.to_owned(), json!(rule.as_ref()?.enc))))
}

/// What the profile set.
fn profile(client: &Client) -> Vec<(String, Value)> {
    let Some(profile) = client.profile else { return Vec::new() };
    let signed = profile == SecurityProfile::Fapi2MessageSigning;
    let set = [
        ("require_pushed_authorization_requests", Some(json!(true))),
        ("require_signed_request_object", signed.then_some(json!(true))),
        ("countersign_refresh", (client.refresh == RefreshRule::Keep).then(|| json!(client.refresh))),
    ];
    set.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}
