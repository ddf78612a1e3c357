//! Relying parties (OAuth clients) and what they registered (RFC 7591).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{ClientId, KeyedHash, Scope, Seconds, SigningAlgorithm, Timestamp};

/// How a client proves itself at the token endpoint (RFC 7591, 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthMethod {
    /// HTTP Basic with the client secret.
    ClientSecretBasic,
    /// The client secret in the form.
    ClientSecretPost,
    /// A public client: no secret.
    None,
}

impl AuthMethod {
    /// The registered name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ClientSecretBasic => "client_secret_basic",
            Self::ClientSecretPost => "client_secret_post",
            Self::None => "none",
        }
    }
}

/// Which rules a client's redirect URIs follow (OpenID Connect Registration, 2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ApplicationType {
    /// A web application.
    #[default]
    Web,
    /// An application on the person's device; loopback ports vary (RFC 8252, 7.3).
    Native,
}

/// One live secret of a client; two at once allow rotation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientSecret {
    /// Keyed hash of the secret.
    pub hash: KeyedHash,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it stops working; none: never.
    pub expires_at: Option<Timestamp>,
}

/// How a client registered itself (RFC 7591).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SelfRegistration {
    /// Keyed hash of its registration access token (RFC 7592, 1.2).
    pub access_token: KeyedHash,
    /// The metadata as it was accepted.
    pub metadata: Map<String, Value>,
}

/// A registered relying party.
#[expect(clippy::struct_excessive_bools, reason = "each is a yes or no of its registration")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Client {
    /// Its `client_id`.
    pub id: ClientId,
    /// Name shown to people.
    pub name: String,
    /// Live secrets, newest first; empty for a public client.
    pub secrets: Vec<ClientSecret>,
    /// Ways it may authenticate; static clients may list several.
    pub auth_methods: Vec<AuthMethod>,
    /// Redirect URIs, compared byte for byte.
    pub redirect_uris: Vec<String>,
    /// Web or native.
    pub application_type: ApplicationType,
    /// `grant_type` values it may use.
    pub grant_types: Vec<String>,
    /// `response_type` values it may use.
    pub response_types: Vec<String>,
    /// Every scope value it may ask for.
    pub scope: Scope,
    /// Whether it must send a PKCE challenge; public clients always must.
    pub require_pkce: bool,
    /// Algorithm of its ID tokens.
    pub id_token_alg: SigningAlgorithm,
    /// Algorithm of its access tokens.
    pub access_token_alg: SigningAlgorithm,
    /// Policy used when a request names none.
    pub default_policy: String,
    /// Policies a request may name.
    pub allowed_policies: Vec<String>,
    /// acr values one of which every login must satisfy; empty: any.
    pub required_acr: Vec<String>,
    /// Session age past which a login is asked for again (Registration, 2).
    pub default_max_age: Option<Seconds>,
    /// Whether ID tokens always hold `auth_time`.
    pub require_auth_time: bool,
    /// First-party clients skip consent.
    pub first_party: bool,
    /// Brand of its pages; none: the deployment's default.
    pub brand: Option<String>,
    /// Whether its access tokens are bound to the certificate it shows (RFC 8705, 3.4).
    #[serde(default)]
    pub certificate_bound_tokens: bool,
    /// Where a login may be started by somebody else (OpenID Connect Core, 4).
    pub initiate_login_uri: Option<String>,
    /// The client's own home page.
    pub client_uri: Option<String>,
    /// How it registered itself; none: an operator registered it.
    #[serde(default)]
    pub registration: Option<SelfRegistration>,
    /// Whether it is refused everything.
    pub disabled: bool,
    /// When it was registered.
    pub created_at: Timestamp,
}

impl Client {
    /// Whether it has no credential of its own (RFC 6749, 2.1).
    pub fn is_public(&self) -> bool {
        self.auth_methods == [AuthMethod::None]
    }

    /// Whether it may use `grant_type`.
    pub fn allows_grant(&self, grant_type: &str) -> bool {
        self.grant_types.iter().any(|allowed| allowed == grant_type)
    }
}
