//! Which parts of the protocol this deployment speaks. What is off is neither advertised nor answered.

use countersign_model::{AuthMethod, Client, Feature, Scope, SigningAlgorithm};
use serde::Deserialize;

use crate::error::{ErrorCode, OAuthError};

/// A switch for each part that is not the core of OpenID Connect; section `protocol` of the configuration.
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Features {
    /// Response types `id_token` and `id_token token` (OpenID Connect Core, 3.2), for clients that registered them.
    pub implicit: bool,
    /// Response types with `code` and tokens (Core, 3.3), for clients that registered them.
    pub hybrid: bool,
    /// Answers that the browser posts (Form Post Response Mode).
    pub form_post: bool,
    /// The `claims` parameter (Core, 5.5).
    pub claims_parameter: bool,
    /// `prompt=create` (Initiating User Registration), where a policy makes accounts.
    pub prompt_create: bool,
    /// Pushed authorization requests (RFC 9126).
    pub pushed_requests: bool,
    /// Whether every request of every client must be pushed (RFC 9126, 5).
    pub require_pushed_requests: bool,
    /// Request objects by value (RFC 9101; Core, 6.1).
    pub request_objects: bool,
    /// Request objects by reference, at registered addresses alone (Core, 6.2).
    pub request_uris: bool,
    /// Signed authorization responses (JARM).
    pub signed_responses: bool,
    /// FAPI 2.0 profiles, for clients that registered one.
    pub security_profiles: bool,
    /// Clients that prove themselves by HTTP Basic (RFC 6749, 2.3.1).
    pub client_secret_basic: bool,
    /// By their secret in the form.
    pub client_secret_post: bool,
    /// By an assertion under their secret (Core, 9).
    pub client_secret_jwt: bool,
    /// By an assertion under their private key (RFC 7523, 2.2).
    pub private_key_jwt: bool,
    /// By nothing (RFC 6749, 2.1).
    pub public_clients: bool,
    /// Refresh tokens (RFC 6749, 6), for clients that registered the grant type.
    pub refresh_tokens: bool,
    /// Client credentials (RFC 6749, 4.4), likewise.
    pub client_credentials: bool,
    /// The `resource` parameter (RFC 8707).
    pub resource_indicators: bool,
    /// Tokens bound to a key by proofs (RFC 9449).
    pub dpop: bool,
    /// Whether each proof must have a nonce of this provider (RFC 9449, 8).
    pub dpop_nonce: bool,
    /// Token introspection (RFC 7662).
    pub introspection: bool,
    /// Its signed answers (RFC 9701).
    pub signed_introspection: bool,
    /// Token revocation (RFC 7009).
    pub revocation: bool,
    /// Device authorization grant (RFC 8628).
    pub device: bool,
    /// Token exchange (RFC 8693).
    pub token_exchange: bool,
    /// JWT bearer grants (RFC 7523, 2.1).
    pub jwt_bearer: bool,
    /// Clients described by a document at the address that is their id (OAuth Client ID Metadata Document).
    pub client_documents: bool,
    /// Pairwise subjects (Core, 8.1).
    pub pairwise: bool,
    /// Signed answers of UserInfo (Core, 5.3.2), for clients that registered an algorithm.
    pub signed_userinfo: bool,
    /// Encrypted ID tokens and answers of UserInfo (Core, 10.2), likewise.
    pub encryption: bool,
    /// ID tokens of the algorithm `none` (Core, 2), for clients of the code flow alone that registered it.
    pub unsigned_id_tokens: bool,
    /// Logout asked for by a client (RP-Initiated Logout), and the three ways clients hear of it.
    pub logout: bool,
    /// Logout tokens posted to clients (Back-Channel Logout).
    pub backchannel_logout: bool,
    /// Addresses of clients loaded in the browser (Front-Channel Logout).
    pub frontchannel_logout: bool,
    /// `check_session_iframe` (Session Management).
    pub session_management: bool,
}

impl Features {
    /// What is safe for everybody.
    pub const SAFE: Self = Self {
        implicit: false,
        hybrid: false,
        form_post: true,
        claims_parameter: true,
        prompt_create: true,
        pushed_requests: true,
        require_pushed_requests: false,
        request_objects: true,
        request_uris: false,
        signed_responses: true,
        security_profiles: true,
        client_secret_basic: true,
        client_secret_post: true,
        client_secret_jwt: true,
        private_key_jwt: true,
        public_clients: true,
        refresh_tokens: true,
        client_credentials: true,
        resource_indicators: true,
        dpop: true,
        dpop_nonce: false,
        introspection: true,
        signed_introspection: true,
        revocation: true,
        device: false,
        token_exchange: false,
        jwt_bearer: false,
        client_documents: false,
        pairwise: true,
        signed_userinfo: true,
        encryption: true,
        unsigned_id_tokens: false,
        logout: true,
        backchannel_logout: true,
        frontchannel_logout: false,
        session_management: false,
    };

    /// Everything, for the demo and for tests.
    pub const ALL: Self = Self {
        implicit: true,
        hybrid: true,
        request_uris: true,
        device: true,
        token_exchange: true,
        jwt_bearer: true,
        client_documents: true,
        unsigned_id_tokens: true,
        frontchannel_logout: true,
        session_management: true,
        ..Self::SAFE
    };

    /// What is left of this for `client`.
    #[must_use]
    pub fn of(mut self, client: &Client) -> Self {
        for feature in &client.off {
            *self.switch(*feature) = false;
        }
        self
    }

    /// Whether `feature` is on.
    pub const fn has(mut self, feature: Feature) -> bool {
        *self.switch(feature)
    }

    /// The switch of `feature`.
    pub const fn switch(&mut self, feature: Feature) -> &mut bool {
        match feature {
            Feature::Implicit => &mut self.implicit,
            Feature::Hybrid => &mut self.hybrid,
            Feature::FormPost => &mut self.form_post,
            Feature::ClaimsParameter => &mut self.claims_parameter,
            Feature::PromptCreate => &mut self.prompt_create,
            Feature::PushedRequests => &mut self.pushed_requests,
            Feature::RequestObjects => &mut self.request_objects,
            Feature::RequestUris => &mut self.request_uris,
            Feature::SignedResponses => &mut self.signed_responses,
            Feature::SecurityProfiles => &mut self.security_profiles,
            Feature::ClientSecretBasic => &mut self.client_secret_basic,
            Feature::ClientSecretPost => &mut self.client_secret_post,
            Feature::ClientSecretJwt => &mut self.client_secret_jwt,
            Feature::PrivateKeyJwt => &mut self.private_key_jwt,
            Feature::PublicClients => &mut self.public_clients,
            Feature::RefreshTokens => &mut self.refresh_tokens,
            Feature::ClientCredentials => &mut self.client_credentials,
            Feature::Device => &mut self.device,
            Feature::TokenExchange => &mut self.token_exchange,
            Feature::JwtBearer => &mut self.jwt_bearer,
            Feature::ResourceIndicators => &mut self.resource_indicators,
            Feature::Dpop => &mut self.dpop,
            Feature::Introspection => &mut self.introspection,
            Feature::SignedIntrospection => &mut self.signed_introspection,
            Feature::Revocation => &mut self.revocation,
            Feature::SignedUserinfo => &mut self.signed_userinfo,
            Feature::Encryption => &mut self.encryption,
            Feature::UnsignedIdTokens => &mut self.unsigned_id_tokens,
            Feature::Pairwise => &mut self.pairwise,
            Feature::Logout => &mut self.logout,
            Feature::BackchannelLogout => &mut self.backchannel_logout,
            Feature::FrontchannelLogout => &mut self.frontchannel_logout,
            Feature::SessionManagement => &mut self.session_management,
        }
    }

    /// Whether clients may prove themselves by `method`; certificates have a listener of their own.
    pub const fn has_method(&self, method: AuthMethod) -> bool {
        match method {
            AuthMethod::ClientSecretBasic => self.client_secret_basic,
            AuthMethod::ClientSecretPost => self.client_secret_post,
            AuthMethod::ClientSecretJwt => self.client_secret_jwt,
            AuthMethod::PrivateKeyJwt => self.private_key_jwt,
            AuthMethod::None => self.public_clients,
            AuthMethod::TlsClientAuth | AuthMethod::SelfSignedTlsClientAuth => true,
        }
    }

    /// Refuses a client that proved itself by a method that is off, as if it had not.
    pub fn check_method(self, client: &Client, method: AuthMethod) -> Result<(), OAuthError> {
        if self.of(client).has_method(method) {
            return Ok(());
        }
        let error = OAuthError::new(ErrorCode::InvalidClient, "Client authentication failed");
        Err(error.with_detail("this method of authentication is off"))
    }

    /// Refuses `client` an endpoint that is there for others (RFC 6749, 5.2: `unauthorized_client`).
    pub fn check_endpoint(self, client: &Client, feature: Feature) -> Result<(), OAuthError> {
        if self.of(client).has(feature) {
            return Ok(());
        }
        Err(OAuthError::new(ErrorCode::UnauthorizedClient, "The client may not use this endpoint"))
    }
}

impl Default for Features {
    fn default() -> Self {
        Self::SAFE
    }
}

/// A resource server that access tokens may be for (RFC 8707).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceServer {
    /// Its absolute URI without fragment: the audience of its tokens.
    pub uri: String,
    /// Scope values that mean something there.
    pub scopes: Scope,
    /// Algorithm its tokens are signed with.
    pub access_token_alg: SigningAlgorithm,
}
