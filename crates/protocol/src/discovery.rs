//! What the provider says of itself (OpenID Connect Discovery, 3; RFC 8414, 2). Only what is true.

use countersign_model::{AuthMethod, SigningAlgorithm, SubjectType};
use serde_json::{Map, Value, json};

use crate::authorization::{Prompt, ResponseMode, ResponseType};
use crate::features::{Features, ResourceServer};
use crate::issuer::Issuer;
use crate::jwe;
use crate::registration::IMPLICIT;
use crate::scopes;
use crate::token::grant_types;

/// Paths of the endpoints under the issuer, named as their metadata.
pub mod paths {
    /// OpenID Connect Discovery, 4.
    pub const OPENID_CONFIGURATION: &str = "/.well-known/openid-configuration";
    /// RFC 8414, 3.
    pub const OAUTH_AUTHORIZATION_SERVER: &str = "/.well-known/oauth-authorization-server";
    /// `jwks_uri`.
    pub const JWKS: &str = "/jwks";
    /// `authorization_endpoint`.
    pub const AUTHORIZATION: &str = "/authorization";
    /// `token_endpoint`.
    pub const TOKEN: &str = "/token";
    /// `userinfo_endpoint`.
    pub const USERINFO: &str = "/userinfo";
    /// `pushed_authorization_request_endpoint`.
    pub const PUSHED_AUTHORIZATION_REQUEST: &str = "/par";
    /// `device_authorization_endpoint` (RFC 8628, 4).
    pub const DEVICE_AUTHORIZATION: &str = "/device_authorization";
    /// `introspection_endpoint`.
    pub const INTROSPECTION: &str = "/introspection";
    /// `revocation_endpoint`.
    pub const REVOCATION: &str = "/revocation";
    /// `end_session_endpoint`.
    pub const END_SESSION: &str = "/end_session";
    /// `check_session_iframe`.
    pub const CHECK_SESSION: &str = "/check_session";
    /// `registration_endpoint`.
    pub const REGISTRATION: &str = "/register";
}

/// What this deployment can do, as far as it varies.
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// Parts of the protocol that are on.
    pub features: Features,
    /// Resource servers that tokens may be for.
    pub resources: Vec<ResourceServer>,
    /// Authentication contexts of the loaded login policies.
    pub acr_values: Vec<String>,
    /// Languages of the pages, BCP 47 in canonical case.
    pub ui_locales: Vec<String>,
    /// Scope values of resource servers, besides those of OpenID Connect.
    pub resource_scopes: Vec<String>,
    /// Whether there is a consent page; if not, `prompt=consent` is not advertised.
    pub consent: bool,
    /// Whether a policy makes accounts; if not, `prompt=create` is not advertised and refused.
    pub create: bool,
    /// Origin of the listener that asks for client certificates, if there is one (RFC 8705, 5).
    pub mtls_origin: Option<String>,
    /// Whether there is an authority whose certificates name clients (RFC 8705, 2.1).
    pub mtls_authority: bool,
    /// Whether clients may register themselves.
    pub registration: bool,
    /// Documentation for developers.
    pub service_documentation: Option<String>,
    /// What the operator does with data.
    pub op_policy_uri: Option<String>,
    /// Terms of service.
    pub op_tos_uri: Option<String>,
}

/// The metadata, the same for both documents.
pub fn metadata(issuer: &Issuer, capabilities: &Capabilities) -> Value {
    let features = &capabilities.features;
    let mut metadata = Map::new();
    let mut put = |name: &str, value: Value| metadata.insert(name.to_owned(), value);
    put("issuer", json!(issuer.as_str()));
    put("authorization_endpoint", json!(issuer.endpoint(paths::AUTHORIZATION)));
    put("token_endpoint", json!(issuer.endpoint(paths::TOKEN)));
    put("userinfo_endpoint", json!(issuer.endpoint(paths::USERINFO)));
    put("jwks_uri", json!(issuer.endpoint(paths::JWKS)));
    if features.device {
        put("device_authorization_endpoint", json!(issuer.endpoint(paths::DEVICE_AUTHORIZATION)));
    }
    put("scopes_supported", json!(supported_scopes(capabilities)));
    let types = ResponseType::ALL.into_iter().filter(|kind| kind.is_on(features));
    put("response_types_supported", json!(types.map(ResponseType::as_str).collect::<Vec<_>>()));
    put("response_modes_supported", json!(supported_modes(features)));
    put("grant_types_supported", json!(supported_grants(features)));
    put("subject_types_supported", json!(supported_subjects(features)));
    put("id_token_signing_alg_values_supported", json!(supported_id_token_algorithms(features)));
    put("code_challenge_methods_supported", json!(["S256"]));
    put("prompt_values_supported", json!(supported_prompts(capabilities)));
    put("claim_types_supported", json!(["normal"]));
    put("claims_supported", json!(supported_claims()));
    put("claims_parameter_supported", json!(features.claims_parameter));
    put("request_parameter_supported", json!(features.request_objects));
    put("request_uri_parameter_supported", json!(features.request_uris));
    if features.request_uris {
        put("require_request_uri_registration", json!(true));
    }
    if features.request_objects || features.request_uris {
        put("request_object_signing_alg_values_supported", json!(REQUEST_ALGORITHMS));
    }
    if features.signed_responses {
        put("authorization_signing_alg_values_supported", json!(SigningAlgorithm::ALL.map(SigningAlgorithm::as_str)));
    }
    if features.pushed_requests {
        put("pushed_authorization_request_endpoint", json!(issuer.endpoint(paths::PUSHED_AUTHORIZATION_REQUEST)));
        put("require_pushed_authorization_requests", json!(features.require_pushed_requests));
    }
    put("authorization_response_iss_parameter_supported", json!(true));
    if features.client_documents {
        put("client_id_metadata_document_supported", json!(true));
    }
    if capabilities.registration {
        put("registration_endpoint", json!(issuer.endpoint(paths::REGISTRATION)));
    }
    if features.introspection {
        put("introspection_endpoint", json!(issuer.endpoint(paths::INTROSPECTION)));
    }
    if features.revocation {
        put("revocation_endpoint", json!(issuer.endpoint(paths::REVOCATION)));
    }
    for (name, value) in signed_metadata(features).into_iter().chain(proof_metadata(capabilities)) {
        put(&name, value);
    }
    for (name, value) in logout_metadata(issuer, *features) {
        put(name, value);
    }
    if let Some(origin) = &capabilities.mtls_origin {
        let alias = |path: &str| json!(format!("{origin}{path}"));
        let mut aliases = json!({"token_endpoint": alias(paths::TOKEN), "userinfo_endpoint": alias(paths::USERINFO)});
        for (name, path, on) in switched_endpoints(features) {
            if on {
                aliases[name] = alias(path);
            }
        }
        put("mtls_endpoint_aliases", aliases);
        put("tls_client_certificate_bound_access_tokens", json!(true));
    }
    for (name, values) in
        [("acr_values_supported", &capabilities.acr_values), ("ui_locales_supported", &capabilities.ui_locales)]
    {
        if !values.is_empty() {
            put(name, json!(values));
        }
    }
    for (name, value) in [
        ("service_documentation", &capabilities.service_documentation),
        ("op_policy_uri", &capabilities.op_policy_uri),
        ("op_tos_uri", &capabilities.op_tos_uri),
    ] {
        if let Some(value) = value {
            put(name, json!(value));
        }
    }
    Value::Object(metadata)
}

fn supported_id_token_algorithms(features: &Features) -> Vec<&'static str> {
    let unsigned = features.unsigned_id_tokens.then_some("none");
    SigningAlgorithm::ALL.map(SigningAlgorithm::as_str).into_iter().chain(unsigned).collect()
}

/// How answers are signed and encrypted, and proofs are.
fn signed_metadata(features: &Features) -> Vec<(String, Value)> {
    let signing = [
        ("userinfo_signing_alg_values_supported", features.signed_userinfo),
        ("introspection_signing_alg_values_supported", features.introspection && features.signed_introspection),
        ("dpop_signing_alg_values_supported", features.dpop),
    ];
    let algorithms = json!(SigningAlgorithm::ALL.map(SigningAlgorithm::as_str));
    let signed = signing.into_iter().filter(|(_, on)| *on).map(|(name, _)| (name.to_owned(), algorithms.clone()));
    let encrypted = ["id_token", "userinfo"].into_iter().filter(|_| features.encryption).flat_map(|answer| {
        [
            (format!("{answer}_encryption_alg_values_supported"), json!(jwe::KEY_MANAGEMENT)),
            (format!("{answer}_encryption_enc_values_supported"), json!(jwe::CONTENT_ENCRYPTION)),
        ]
    });
    signed.chain(encrypted).collect()
}

/// How clients prove themselves at each endpoint (RFC 8414, 2). Who asks about tokens is never a public client.
fn proof_metadata(capabilities: &Capabilities) -> Vec<(String, Value)> {
    let features = &capabilities.features;
    let (methods, assertions) = (supported_auth_methods(capabilities), assertion_algorithms(features));
    let mut members = Vec::new();
    for (endpoint, on) in
        [("token", true), ("introspection", features.introspection), ("revocation", features.revocation)]
    {
        if !on {
            continue;
        }
        let proven = |method: &&&str| endpoint != "introspection" || **method != "none";
        let methods: Vec<_> = methods.iter().filter(proven).collect();
        members.push((format!("{endpoint}_endpoint_auth_methods_supported"), json!(methods)));
        if !assertions.is_empty() {
            members.push((format!("{endpoint}_endpoint_auth_signing_alg_values_supported"), json!(assertions)));
        }
    }
    members
}

/// Endpoints where clients authenticate and which may be off: a certificate proves a client at each (RFC 8705, 5).
const fn switched_endpoints(features: &Features) -> [(&'static str, &'static str, bool); 4] {
    [
        ("pushed_authorization_request_endpoint", paths::PUSHED_AUTHORIZATION_REQUEST, features.pushed_requests),
        ("device_authorization_endpoint", paths::DEVICE_AUTHORIZATION, features.device),
        ("introspection_endpoint", paths::INTROSPECTION, features.introspection),
        ("revocation_endpoint", paths::REVOCATION, features.revocation),
    ]
}

/// Those of the token endpoint, and `implicit` for tokens of the authorization endpoint (Registration, 2).
fn supported_grants(features: &Features) -> Vec<&'static str> {
    let implicit = (features.implicit || features.hybrid).then_some(IMPLICIT);
    grant_types(features).into_iter().chain(implicit).collect()
}

/// How clients may authenticate here.
pub(crate) fn is_supported(method: AuthMethod, capabilities: &Capabilities) -> bool {
    match method {
        AuthMethod::SelfSignedTlsClientAuth => capabilities.mtls_origin.is_some(),
        AuthMethod::TlsClientAuth => capabilities.mtls_origin.is_some() && capabilities.mtls_authority,
        _ => capabilities.features.has_method(method),
    }
}

fn supported_subjects(features: &Features) -> Vec<SubjectType> {
    [SubjectType::Public].into_iter().chain(features.pairwise.then_some(SubjectType::Pairwise)).collect()
}

fn supported_auth_methods(capabilities: &Capabilities) -> Vec<&'static str> {
    AuthMethod::ALL.into_iter().filter(|method| is_supported(*method, capabilities)).map(AuthMethod::as_str).collect()
}

/// Algorithms of client assertions: those of keys, and of secrets.
fn assertion_algorithms(features: &Features) -> Vec<&'static str> {
    let of_keys = SigningAlgorithm::ALL.into_iter().map(SigningAlgorithm::as_str).filter(|_| features.private_key_jwt);
    of_keys.chain(features.client_secret_jwt.then_some("HS256")).collect()
}

/// `none` is for clients that registered it.
const REQUEST_ALGORITHMS: [&str; 5] = ["RS256", "PS256", "ES256", "EdDSA", "none"];

/// `jwt` stands for whichever of the signed modes suits the response type.
fn supported_modes(features: &Features) -> Vec<&'static str> {
    let modes = ResponseMode::ALL.into_iter().filter(|mode| mode.is_on(*features));
    modes.map(ResponseMode::as_str).chain(features.signed_responses.then_some("jwt")).collect()
}

/// RP-Initiated Logout, 2.1; Back-Channel Logout, 2.1; Front-Channel Logout, 3; Session Management, 3.3. What is told
/// always names the session.
fn logout_metadata(issuer: &Issuer, features: Features) -> Vec<(&'static str, Value)> {
    let mut members = Vec::new();
    if features.logout {
        members.push(("end_session_endpoint", json!(issuer.endpoint(paths::END_SESSION))));
    }
    if features.backchannel_logout {
        members.push(("backchannel_logout_supported", json!(true)));
        members.push(("backchannel_logout_session_supported", json!(true)));
    }
    if features.frontchannel_logout {
        members.push(("frontchannel_logout_supported", json!(true)));
        members.push(("frontchannel_logout_session_supported", json!(true)));
    }
    if features.session_management {
        members.push(("check_session_iframe", json!(issuer.endpoint(paths::CHECK_SESSION))));
    }
    members
}

fn supported_scopes(capabilities: &Capabilities) -> Vec<&str> {
    scopes::OF_A_PERSON.into_iter().chain(capabilities.resource_scopes.iter().map(String::as_str)).collect()
}

fn supported_prompts(capabilities: &Capabilities) -> Vec<&'static str> {
    let supported = |prompt: &Prompt| match prompt {
        Prompt::Consent => capabilities.consent,
        Prompt::Create => capabilities.create && capabilities.features.prompt_create,
        Prompt::None | Prompt::Login | Prompt::SelectAccount => true,
    };
    Prompt::ALL.into_iter().filter(supported).map(Prompt::as_str).collect()
}

/// Claims of ID tokens and UserInfo.
fn supported_claims() -> Vec<&'static str> {
    const PROTOCOL: [&str; 12] =
        ["iss", "sub", "aud", "azp", "exp", "iat", "auth_time", "nonce", "acr", "amr", "sid", "at_hash"];
    PROTOCOL.into_iter().chain(scopes::CLAIMS.iter().flat_map(|(_, claims)| claims.iter().copied())).collect()
}

#[cfg(test)]
mod tests;
