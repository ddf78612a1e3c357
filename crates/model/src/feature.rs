//! Parts of the protocol that may be off: for everybody by the configuration, for one client by its registration.

use serde::{Deserialize, Serialize};

macro_rules! features {
    ($($(#[$doc:meta])* $variant:ident: $name:literal,)*) => {
        /// A part of the protocol that is not its core, by its name in the configuration and in `countersign_off`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum Feature {
            $($(#[$doc])* #[serde(rename = $name)] $variant,)*
        }

        impl Feature {
            /// Every one.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// Its name.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

features! {
    /// Response types `id_token` and `id_token token` (OpenID Connect Core, 3.2).
    Implicit: "implicit",
    /// Response types with `code` and tokens (Core, 3.3).
    Hybrid: "hybrid",
    /// `response_mode=form_post`.
    FormPost: "form_post",
    /// The `claims` parameter (Core, 5.5).
    ClaimsParameter: "claims_parameter",
    /// `prompt=create`.
    PromptCreate: "prompt_create",
    /// Pushed authorization requests (RFC 9126).
    PushedRequests: "pushed_requests",
    /// Request objects by value (RFC 9101).
    RequestObjects: "request_objects",
    /// Request objects by reference (Core, 6.2).
    RequestUris: "request_uris",
    /// Signed authorization responses (JARM).
    SignedResponses: "signed_responses",
    /// Security profiles of FAPI 2.0.
    SecurityProfiles: "security_profiles",
    /// HTTP Basic with a client secret (RFC 6749, 2.3.1).
    ClientSecretBasic: "client_secret_basic",
    /// A client secret in the form.
    ClientSecretPost: "client_secret_post",
    /// An assertion under a client secret (Core, 9).
    ClientSecretJwt: "client_secret_jwt",
    /// An assertion under a private key (RFC 7523, 2.2).
    PrivateKeyJwt: "private_key_jwt",
    /// Clients that prove nothing (RFC 6749, 2.1).
    PublicClients: "public_clients",
    /// Refresh tokens (RFC 6749, 6).
    RefreshTokens: "refresh_tokens",
    /// Client credentials (RFC 6749, 4.4).
    ClientCredentials: "client_credentials",
    /// Device authorization grant (RFC 8628).
    Device: "device",
    /// Token exchange (RFC 8693).
    TokenExchange: "token_exchange",
    /// JWT bearer grants (RFC 7523, 2.1).
    JwtBearer: "jwt_bearer",
    /// The `resource` parameter (RFC 8707).
    ResourceIndicators: "resource_indicators",
    /// Tokens bound to a key by proofs (RFC 9449).
    Dpop: "dpop",
    /// Token introspection (RFC 7662).
    Introspection: "introspection",
    /// Its signed answers (RFC 9701).
    SignedIntrospection: "signed_introspection",
    /// Token revocation (RFC 7009).
    Revocation: "revocation",
    /// Signed answers of UserInfo (Core, 5.3.2).
    SignedUserinfo: "signed_userinfo",
    /// Encrypted ID tokens and answers of UserInfo (Core, 10.2).
    Encryption: "encryption",
    /// ID tokens of the algorithm `none` (Core, 2).
    UnsignedIdTokens: "unsigned_id_tokens",
    /// Pairwise subjects (Core, 8.1).
    Pairwise: "pairwise",
    /// RP-Initiated Logout.
    Logout: "logout",
    /// Back-Channel Logout.
    BackchannelLogout: "backchannel_logout",
    /// Front-Channel Logout.
    FrontchannelLogout: "frontchannel_logout",
    /// Session Management.
    SessionManagement: "session_management",
}

impl Feature {
    /// The one named `name`.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|feature| feature.as_str() == name)
    }
}
