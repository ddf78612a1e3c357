//! Decides what OAuth and OpenID Connect answer.
//!
//! Every decision is a plain function of (request, facts, now): no I/O, no clock, no randomness, no HTTP framework.
//! The grants of RFC 6749 are carried by oxide-auth's machines behind `kernel`; what those do not know is decided
//! around them.

pub mod access_token;
pub mod actor;
pub mod assertion_grant;
pub mod authorization;
pub mod authorization_response;
pub mod bearer;
pub mod binding;
pub mod certificate;
pub mod client_assertion;
pub mod client_authentication;
pub mod consent;
pub mod cors;
pub mod delegation;
pub mod device;
pub mod discovery;
pub mod dpop;
pub mod error;
pub mod features;
pub mod id_token;
pub mod interaction;
pub mod introspection;
pub mod issuer;
pub mod jwe;
pub mod jws;
mod kernel;
pub mod keys;
pub mod leeway;
pub mod logout;
pub mod params;
pub mod policy_choice;
pub mod profile;
pub mod pushed_request;
pub mod registration;
pub mod report;
pub mod request_object;
pub mod resource;
pub mod revocation;
pub mod scopes;
pub mod session_state;
pub mod token;
pub mod upstream;
pub mod userinfo;

#[cfg(test)]
mod testing;

pub use access_token::{AccessTokenClaims, verify_access_token};
pub use actor::Actor;
pub use assertion_grant::{AssertionIssuer, Naming, SpokenFor};
pub use authorization::{
    Arrival, AuthorizationRequest, Prompt, PromptSet, Provider, Refusal, ResponseMode, ResponseTarget, ResponseType,
    StoredRedirectUri, ValidRedirectUri,
};
pub use authorization_response::{AuthorizationResponse, Granted, Rendered};
pub use binding::{Binding, Held, Scheme};
pub use certificate::{CertificateThumbprint, ShownCertificate};
pub use client_assertion::{Assertion, AssertionError, VerifiedAssertion};
pub use client_authentication::{AuthenticatedClient, Presented};
pub use discovery::Capabilities;
pub use dpop::Proof;
pub use error::{ErrorCode, OAuthError, TokenErrorStatus};
pub use features::{Features, ResourceServer};
pub use id_token::{HintedIdentity, verify_id_token_hint};
pub use interaction::{SessionDecision, SessionFacts};
pub use issuer::{Issuer, IssuerError};
pub use keys::{KeyError, PrivateKey};
pub use logout::{LogoutRequest, PostLogoutTarget};
pub use params::Params;
pub use policy_choice::{Choices, LoginPolicy, choose_policy};
pub use registration::{ClientMetadata, MetadataError, Registrant};
pub use token::{Decision, Effect, Issue, TokenFacts, TokenRequest};
pub use upstream::{UpstreamError, UpstreamIdentity, verify_upstream_id_token};
