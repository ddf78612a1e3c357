//! The members of a client's metadata, by the names of their specifications.

use std::collections::BTreeMap;

use countersign_model::{ApplicationType, RefreshRule, SecurityProfile, SubjectType};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::MetadataError;

macro_rules! metadata {
    ($($(#[$doc:meta])* $name:ident: $kind:ty,)*) => {
        /// A client's metadata as it was written. Members that we do not know are ignored (RFC 7591, 2); `null` is
        /// the same as absent.
        #[derive(Clone, Debug, Default, Deserialize)]
        #[expect(missing_docs, reason = "the names are those of the specifications")]
        pub struct ClientMetadata {
            $($(#[$doc])* pub $name: Option<$kind>,)*
        }

        /// The name of every member.
        pub(super) const NAMES: &[&str] = &[$(stringify!($name)),*];
    };
}

metadata! {
    // RFC 7591, 2.
    client_name: String,
    client_uri: String,
    logo_uri: String,
    policy_uri: String,
    tos_uri: String,
    redirect_uris: Vec<String>,
    token_endpoint_auth_method: String,
    grant_types: Vec<String>,
    response_types: Vec<String>,
    scope: String,
    jwks: Value,
    jwks_uri: String,
    // OpenID Connect Registration, 2.
    application_type: ApplicationType,
    subject_type: SubjectType,
    sector_identifier_uri: String,
    id_token_signed_response_alg: String,
    id_token_encrypted_response_alg: String,
    id_token_encrypted_response_enc: String,
    userinfo_signed_response_alg: String,
    userinfo_encrypted_response_alg: String,
    userinfo_encrypted_response_enc: String,
    request_object_signing_alg: String,
    token_endpoint_auth_signing_alg: String,
    default_max_age: u32,
    require_auth_time: bool,
    initiate_login_uri: String,
    request_uris: Vec<String>,
    // RP-Initiated, Back-Channel and Front-Channel Logout.
    post_logout_redirect_uris: Vec<String>,
    backchannel_logout_uri: String,
    backchannel_logout_session_required: bool,
    frontchannel_logout_uri: String,
    frontchannel_logout_session_required: bool,
    // RFC 8705, 2.1.2 and 3.4.
    tls_client_auth_subject_dn: String,
    tls_client_auth_san_dns: String,
    tls_client_auth_san_uri: String,
    tls_client_auth_san_ip: String,
    tls_client_auth_san_email: String,
    tls_client_certificate_bound_access_tokens: bool,
    // RFC 9101, 10.5; RFC 9126, 6; RFC 9449, 5.2; JARM, 3; RFC 9701, 6.
    require_signed_request_object: bool,
    require_pushed_authorization_requests: bool,
    dpop_bound_access_tokens: bool,
    authorization_signed_response_alg: String,
    introspection_signed_response_alg: String,
    /// Several ways to authenticate: static clients only.
    countersign_auth_methods: Vec<String>,
    /// Policy used when a request names none.
    countersign_policy: String,
    /// Policies that a request may name; always with the default one.
    countersign_policies: Vec<String>,
    /// acr values one of which every login must satisfy.
    countersign_required_acr: Vec<String>,
    /// Whether PKCE is demanded; public clients always must.
    countersign_require_pkce: bool,
    /// Algorithm of access tokens.
    countersign_access_token_alg: String,
    /// Brand of its pages.
    countersign_brand: String,
    /// Whether the operator consents for everybody; who does not say otherwise does.
    countersign_first_party: bool,
    /// Whether people are asked for consent where clients that register themselves skip it.
    countersign_ask_consent: bool,
    /// Security profile it is held to.
    countersign_profile: SecurityProfile,
    /// What happens to its refresh tokens when they are used.
    countersign_refresh: RefreshRule,
    /// Resource servers it may ask for.
    countersign_resources: Vec<String>,
    /// Claims by which tokens tell which policy ran: `tfp`, `acr`.
    countersign_policy_claims: Vec<String>,
    /// What the client calls policies, by their ids: in those claims and in `p`.
    countersign_policy_names: BTreeMap<String, String>,
    /// Parts of the protocol that are off for it.
    countersign_off: Vec<String>,
    /// The client that alone may act with its tokens besides itself.
    countersign_may_act: String,
}

impl ClientMetadata {
    pub(super) fn from_members(members: &Map<String, Value>) -> Result<Self, MetadataError> {
        Self::deserialize(members).map_err(|error| MetadataError::new(error.to_string()))
    }
}

/// Members whose meaning would be lost if they were ignored: encryption that nobody here can do.
pub(super) fn is_beyond(name: &str) -> bool {
    let encrypts = name.ends_with("_encrypted_response_alg")
        || name.ends_with("_encrypted_response_enc")
        || matches!(name, "request_object_encryption_alg" | "request_object_encryption_enc");
    encrypts && !NAMES.contains(&name)
}
