//! The nouns of Countersign. Plain data: no I/O, no clock, no randomness.
//!
//! Everything here is what the other crates talk about; none of it decides anything.

pub mod account;
pub mod audit;
pub mod client;
pub mod client_rules;
pub mod device_code;
pub mod fact;
pub mod feature;
pub mod federation;
pub mod grant;
pub mod id;
pub mod link;
pub mod organization;
pub mod outbox;
pub mod recovery_code;
pub mod scope;
pub mod session;
pub mod signing_key;
pub mod terms;
pub mod time;

pub use account::{
    Account, Factor, FactorKind, LegacyCredential, PasswordCredential, PostalAddress, Profile, Role, User, UserStatus,
};
pub use audit::{AuditClass, AuditEvent, AuditKind, AuditOutcome};
pub use client::{ApplicationType, AuthMethod, Client, ClientSecret, SelfRegistration};
pub use client_rules::{
    CertificateName, ClientKeys, Encryption, LogoutRules, PolicyNaming, RefreshRule, RequestRules, ResponseRules,
    SecurityProfile, ShownUris, SubjectType,
};
pub use device_code::{DeviceCode, DeviceState};
pub use fact::{Fact, FactSet, ProvenFact};
pub use feature::Feature;
pub use federation::FederatedIdentity;
pub use grant::{
    Authentication, AuthorizationCode, Consent, Grant, PushedRequest, RefreshToken, RequestedClaims, TokenBinding,
};
pub use id::{
    AuditId, ClientId, FactorId, FlowId, GrantId, IdError, KeyId, OrganizationId, OutboxId, SessionId, UserId,
};
pub use link::Link;
pub use organization::{NpiRule, Organization};
pub use outbox::{OutboxMessage, OutboxState};
pub use recovery_code::RecoveryCode;
pub use scope::Scope;
pub use session::{BrowserSession, KnownDevice, RememberedLogin, Ticket};
pub use signing_key::{SigningAlgorithm, SigningKey};
pub use terms::TermsAcceptance;
pub use time::{Seconds, Timestamp};

/// A keyed hash (HMAC-SHA-256) of a high-entropy secret: what the database holds instead of it.
pub type KeyedHash = [u8; 32];
