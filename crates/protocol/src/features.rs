//! Which parts of the protocol this deployment speaks. What is off is neither advertised nor answered.

use countersign_model::{Scope, SigningAlgorithm};
use serde::Deserialize;

/// A switch for each part that is not the core of OpenID Connect; section `protocol` of the configuration.
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Features {
    /// Response types `id_token` and `id_token token` (OpenID Connect Core, 3.2), for clients that registered them.
    pub implicit: bool,
    /// Response types with `code` and tokens (Core, 3.3), for clients that registered them.
    pub hybrid: bool,
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
    /// Tokens bound to a key by proofs (RFC 9449).
    pub dpop: bool,
    /// Whether each proof must have a nonce of this provider (RFC 9449, 8).
    pub dpop_nonce: bool,
    /// Token introspection (RFC 7662).
    pub introspection: bool,
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
        pushed_requests: true,
        require_pushed_requests: false,
        request_objects: true,
        request_uris: false,
        signed_responses: true,
        dpop: true,
        dpop_nonce: false,
        introspection: true,
        revocation: true,
        device: false,
        token_exchange: false,
        jwt_bearer: false,
        client_documents: false,
        pairwise: true,
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
        frontchannel_logout: true,
        session_management: true,
        ..Self::SAFE
    };
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
