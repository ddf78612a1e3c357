//! What a client registered about its keys, requests, answers and logout (RFC 7591; OpenID Connect Registration, 2).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::SigningAlgorithm;

/// The public keys of a client: by value or by address, never both (RFC 7591, 2).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientKeys {
    /// A JWK Set.
    pub jwks: Option<Value>,
    /// Where its JWK Set is fetched.
    pub jwks_uri: Option<String>,
}

/// Addresses shown to people when they are asked for consent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownUris {
    /// `logo_uri`.
    pub logo_uri: Option<String>,
    /// `policy_uri`.
    pub policy_uri: Option<String>,
    /// `tos_uri`.
    pub tos_uri: Option<String>,
}

/// What the certificate of a client must name (RFC 8705, 2.1.2): exactly one of these.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CertificateName {
    /// `tls_client_auth_subject_dn`, RFC 4514.
    SubjectDn(String),
    /// `tls_client_auth_san_dns`.
    Dns(String),
    /// `tls_client_auth_san_uri`.
    Uri(String),
    /// `tls_client_auth_san_ip`.
    Ip(String),
    /// `tls_client_auth_san_email`.
    Email(String),
}

/// Which identifier of a person a client sees (OpenID Connect Core, 8).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubjectType {
    /// The same as every other public client.
    #[default]
    Public,
    /// One that only its sector sees.
    Pairwise,
}

/// How the authorization requests of a client come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestRules {
    /// JWS algorithm of its request objects (`request_object_signing_alg`), `none` included; none: any signed one.
    pub signing_alg: Option<String>,
    /// Whether every request is a signed object (RFC 9101, 10.5).
    pub require_signed: bool,
    /// Whether every request is pushed (RFC 9126, 6).
    pub require_pushed: bool,
    /// Where its request objects may be fetched.
    pub request_uris: Vec<String>,
}

/// How an answer is encrypted (RFC 7516): `alg` for the key, `enc` for the content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Encryption {
    /// `alg`, such as `RSA-OAEP-256`.
    pub alg: String,
    /// `enc`, such as `A128CBC-HS256`.
    pub enc: String,
}

/// How a client is answered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResponseRules {
    /// JARM (`authorization_signed_response_alg`).
    pub authorization_alg: Option<SigningAlgorithm>,
    /// `userinfo_signed_response_alg`; none: plain JSON.
    pub userinfo_alg: Option<SigningAlgorithm>,
    /// `introspection_signed_response_alg` (RFC 9701).
    pub introspection_alg: Option<SigningAlgorithm>,
    /// Encryption of ID tokens.
    pub id_token_encryption: Option<Encryption>,
    /// Encryption of UserInfo.
    pub userinfo_encryption: Option<Encryption>,
    /// Whether ID tokens of the token endpoint are of the algorithm `none`; all else that is signed goes on being so.
    #[serde(default)]
    pub unsigned_id_token: bool,
}

/// What happens to a refresh token when it is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefreshRule {
    /// It is exchanged for a successor (RFC 9700, 4.14.2).
    #[default]
    Rotate,
    /// It stays: for tokens bound to a key, and confidential clients (FAPI 2.0, 5.3.2.1).
    Keep,
}

/// How tokens tell which policy ran, for applications that move over from Azure AD B2C.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyNaming {
    /// Whether the claim `tfp` tells.
    pub tfp: bool,
    /// Whether `acr` tells, instead of the authentication context.
    pub acr: bool,
    /// What the client calls a policy, by its id; others go by their ids.
    pub names: BTreeMap<String, String>,
}

impl PolicyNaming {
    /// What the client calls the policy `id`.
    pub fn name_of<'a>(&'a self, id: &'a str) -> &'a str {
        self.names.get(id).map_or(id, String::as_str)
    }

    /// The first of the policies `ids` that the client calls `name`, in whatever case.
    pub fn find<'a>(&self, name: &str, mut ids: impl Iterator<Item = &'a str>) -> Option<&'a str> {
        ids.find(|id| self.names.get(*id).is_some_and(|known| known.eq_ignore_ascii_case(name)))
    }
}

/// Where a logout leads, and how a client hears of one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogoutRules {
    /// Where a browser may be sent after a logout, compared byte for byte (RP-Initiated Logout, 2.1).
    pub post_logout_redirect_uris: Vec<String>,
    /// Where a logout token is posted (Back-Channel Logout, 2.2).
    pub backchannel_uri: Option<String>,
    /// Whether that token must name the session.
    pub backchannel_session_required: bool,
    /// What is loaded in the browser (Front-Channel Logout, 2).
    pub frontchannel_uri: Option<String>,
    /// Whether that address must name issuer and session.
    pub frontchannel_session_required: bool,
}

/// A security profile that a client is held to, whatever else it registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecurityProfile {
    /// FAPI 2.0 Security Profile.
    Fapi2Security,
    /// FAPI 2.0 Message Signing on top of it.
    Fapi2MessageSigning,
}
