//! What an operator decides about the use cases. Parsed by the server, plain values here.

use std::collections::BTreeMap;

use countersign_model::Seconds;
use countersign_outbound::Sender;
use countersign_protocol::{Features, Issuer, ResourceServer};

use crate::audit_log::AuditLogSettings;
use crate::registration::RegistrationSettings;

/// Decisions of the operator.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The issuer identifier.
    pub issuer: Issuer,
    /// Origin of the listener that asks for client certificates, such as `https://login.example.com:8443`.
    pub mtls_origin: Option<String>,
    /// Whether an authority is configured whose certificates name clients.
    pub mtls_authority: bool,
    /// Life of things issued.
    pub lifetimes: Lifetimes,
    /// Parts of the protocol that are on.
    pub features: Features,
    /// Resource servers that tokens may be for.
    pub resources: Vec<ResourceServer>,
    /// Clients that register themselves.
    pub registration: RegistrationSettings,
    /// Limits of counters kept per address.
    pub address_limits: AddressLimits,
    /// Mail sender and names of the default brand.
    pub mail: MailIdentity,
    /// Whom texts and calls may reach.
    pub telephone: Telephone,
    /// Current version of the Terms of Use, by document.
    pub terms: BTreeMap<String, String>,
    /// How long a signing key signs before its successor does; none: until an operator rotates.
    pub key_rotation: Option<Seconds>,
    /// Time before a new signing key may sign: at least one JWKS max-age.
    pub key_announcement: Seconds,
    /// The audit log.
    pub audit_log: AuditLogSettings,
}

/// How long things live.
#[derive(Clone, Copy, Debug)]
pub struct Lifetimes {
    /// Authorization codes (RFC 9700: short; FAPI 2.0: at most 60 s).
    pub code: Seconds,
    /// ID tokens.
    pub id_token: Seconds,
    /// Access tokens.
    pub access_token: Seconds,
    /// Refresh token families.
    pub refresh_token: Seconds,
    /// A browser session without use.
    pub session_idle: Seconds,
    /// A browser session whatever happens.
    pub session_absolute: Seconds,
    /// How long the answer of a finished flow is repeated to a double submit.
    pub finished_flow: Seconds,
    /// An account that was made on a registration page and never completed.
    pub unfinished_account: Seconds,
}

impl Default for Lifetimes {
    fn default() -> Self {
        Self {
            code: Seconds::new(60),
            id_token: Seconds::minutes(10),
            access_token: Seconds::minutes(10),
            refresh_token: Seconds::hours(24 * 30),
            session_idle: Seconds::hours(1),
            session_absolute: Seconds::hours(12),
            finished_flow: Seconds::minutes(2),
            unfinished_account: Seconds::hours(24 * 30),
        }
    }
}

/// What one address may do in a minute, over every node.
#[derive(Clone, Copy, Debug)]
pub struct AddressLimits {
    /// Password and code attempts.
    pub attempts: u32,
    /// Mails, texts and calls.
    pub sends: u32,
    /// Flows begun: what a stranger can make the short-lived store hold.
    pub starts: u32,
    /// Refused authorization requests that are audited; further ones are only logged.
    pub refusals: u32,
    /// Failed client authentications.
    pub client_failures: u32,
    /// Clients that register themselves.
    pub registrations: u32,
}

impl Default for AddressLimits {
    fn default() -> Self {
        Self { attempts: 120, sends: 30, starts: 300, refusals: 60, client_failures: 120, registrations: 30 }
    }
}

/// Whom texts and calls may reach, and how often: the guards against toll fraud.
#[derive(Clone, Debug)]
pub struct Telephone {
    /// Countries whose numbers may be used, ISO 3166-1 alpha-2; the first is the default.
    pub countries: Vec<String>,
    /// Texts and calls in an hour to numbers that differ in their last four digits alone.
    pub prefix_sends: u32,
}

impl Default for Telephone {
    fn default() -> Self {
        Self { countries: vec!["US".to_owned()], prefix_sends: 60 }
    }
}

/// Whose name stands in mails.
#[derive(Clone, Debug)]
pub struct MailIdentity {
    /// Company, such as `Acentra Health`.
    pub company: String,
    /// Product, such as `Atrezzo`.
    pub product: String,
    /// Sender of its mails; none: the deployment's.
    pub from: Option<Sender>,
}
