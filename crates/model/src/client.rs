//! Relying parties (OAuth clients) and what they registered (RFC 7591).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    CertificateName, ClientId, ClientKeys, Feature, KeyedHash, LogoutRules, PolicyNaming, RefreshRule, RequestRules,
    ResponseRules, Scope, Seconds, SecurityProfile, ShownUris, SigningAlgorithm, SubjectType, Timestamp,
};

/// How a client proves itself at the token endpoint (RFC 7591, 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthMethod {
    /// HTTP Basic with the client secret.
    ClientSecretBasic,
    /// The client secret in the form.
    ClientSecretPost,
    /// A JWT under the client secret (OpenID Connect Core, 9).
    ClientSecretJwt,
    /// A JWT signed by the client's private key (RFC 7523, 2.2).
    PrivateKeyJwt,
    /// A certificate that names it, issued by somebody trusted (RFC 8705, 2.1).
    TlsClientAuth,
    /// A certificate of its own, registered by its key (RFC 8705, 2.2).
    SelfSignedTlsClientAuth,
    /// A public client: no secret.
    None,
}

impl AuthMethod {
    /// Every one.
    pub const ALL: [Self; 7] = [
        Self::ClientSecretBasic,
        Self::ClientSecretPost,
        Self::ClientSecretJwt,
        Self::PrivateKeyJwt,
        Self::TlsClientAuth,
        Self::SelfSignedTlsClientAuth,
        Self::None,
    ];

    /// The method named `name`.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.as_str() == name)
    }

    /// Whether it is proven by a client secret.
    pub const fn uses_secret(self) -> bool {
        matches!(self, Self::ClientSecretBasic | Self::ClientSecretPost | Self::ClientSecretJwt)
    }

    /// The registered name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ClientSecretBasic => "client_secret_basic",
            Self::ClientSecretPost => "client_secret_post",
            Self::ClientSecretJwt => "client_secret_jwt",
            Self::PrivateKeyJwt => "private_key_jwt",
            Self::TlsClientAuth => "tls_client_auth",
            Self::SelfSignedTlsClientAuth => "self_signed_tls_client_auth",
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
    /// The secret itself, sealed under the master key: only for clients that registered something symmetric
    /// (`client_secret_jwt`, HS256), which needs it in clear.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed: Option<Vec<u8>>,
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
    /// Its other addresses that people see.
    #[serde(default)]
    pub shown: ShownUris,
    /// Its public keys.
    #[serde(default)]
    pub keys: ClientKeys,
    /// JWS algorithm of its assertions (`token_endpoint_auth_signing_alg`); none: any that fits its method.
    #[serde(default)]
    pub assertion_alg: Option<String>,
    /// What its certificate must name, for `tls_client_auth`.
    #[serde(default)]
    pub certificate_name: Option<CertificateName>,
    /// Whether people have another identifier here than elsewhere.
    #[serde(default)]
    pub subject_type: SubjectType,
    /// Host its pairwise identifiers are made for (OpenID Connect Core, 8.1).
    #[serde(default)]
    pub sector: Option<String>,
    /// How its authorization requests come.
    #[serde(default)]
    pub requests: RequestRules,
    /// How it is answered.
    #[serde(default)]
    pub responses: ResponseRules,
    /// Whether every access token is bound to a DPoP key (RFC 9449, 5.2).
    #[serde(default)]
    pub dpop_bound_tokens: bool,
    /// What happens to its refresh tokens when they are used.
    #[serde(default)]
    pub refresh: RefreshRule,
    /// How it hears of a logout, and where one may lead.
    #[serde(default)]
    pub logout: LogoutRules,
    /// Security profile it is held to.
    #[serde(default)]
    pub profile: Option<SecurityProfile>,
    /// Resource servers it may ask for (RFC 8707); empty: every one.
    #[serde(default)]
    pub resources: Vec<String>,
    /// How its tokens tell which policy ran.
    #[serde(default)]
    pub policy_naming: PolicyNaming,
    /// The client that alone may act with its tokens besides itself (RFC 8693, 4.4); none: whoever they are for.
    #[serde(default)]
    pub may_act: Option<ClientId>,
    /// Parts of the protocol that are off for it, whatever is on for others.
    #[serde(default)]
    pub off: Vec<Feature>,
    /// How it registered itself; none: an operator registered it.
    #[serde(default)]
    pub registration: Option<SelfRegistration>,
    /// When the document at the address that is its id was read; none: it was registered.
    #[serde(default)]
    pub described_at: Option<Timestamp>,
    /// Whether it is refused everything.
    pub disabled: bool,
    /// When it was registered.
    pub created_at: Timestamp,
}

impl Client {
    /// A client that may do nothing yet: no secret, no address, no grant, RS256, consent asked.
    pub fn new(id: ClientId, created_at: Timestamp) -> Self {
        Self {
            name: id.to_string(),
            id,
            secrets: Vec::new(),
            auth_methods: Vec::new(),
            redirect_uris: Vec::new(),
            application_type: ApplicationType::Web,
            grant_types: Vec::new(),
            response_types: Vec::new(),
            scope: Scope::default(),
            require_pkce: false,
            id_token_alg: SigningAlgorithm::RS256,
            access_token_alg: SigningAlgorithm::RS256,
            default_policy: String::new(),
            allowed_policies: Vec::new(),
            required_acr: Vec::new(),
            default_max_age: None,
            require_auth_time: false,
            first_party: false,
            brand: None,
            certificate_bound_tokens: false,
            initiate_login_uri: None,
            client_uri: None,
            shown: ShownUris::default(),
            keys: ClientKeys::default(),
            assertion_alg: None,
            certificate_name: None,
            subject_type: SubjectType::Public,
            sector: None,
            requests: RequestRules::default(),
            responses: ResponseRules::default(),
            dpop_bound_tokens: false,
            refresh: RefreshRule::Rotate,
            logout: LogoutRules::default(),
            profile: None,
            resources: Vec::new(),
            policy_naming: PolicyNaming::default(),
            may_act: None,
            off: Vec::new(),
            registration: None,
            described_at: None,
            disabled: false,
            created_at,
        }
    }

    /// Whether it has no credential of its own (RFC 6749, 2.1).
    pub fn is_public(&self) -> bool {
        self.auth_methods == [AuthMethod::None]
    }

    /// Whether it may use `grant_type`.
    pub fn allows_grant(&self, grant_type: &str) -> bool {
        self.grant_types.iter().any(|allowed| allowed == grant_type)
    }
}
