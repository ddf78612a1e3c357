//! The configuration: file, then environment, then flags. Refuses what is unsafe or contradicts itself.
//! A section reads and checks itself; here is what concerns several.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use countersign_model::Seconds;
use countersign_protocol::{AssertionIssuer, Features};
use countersign_service::Settings;
use figment::Figment;
use figment::providers::{Env, Format, Serialized, Toml};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

mod assertion_issuers;
mod audit;
mod federation;
mod limits;
mod mail;
mod network;
mod outgoing;
mod pages;
mod protocol;
mod registration;
mod server;
mod stores;
mod telephone;
#[cfg(test)]
mod tests;
mod webhook;

pub use assertion_issuers::AssertionWriter;
pub use audit::{Audit, AuditSink};
pub use federation::{Federation, FederationLink};
pub use limits::{Hashing, LifetimeSeconds, Limits};
pub use mail::{Mail, MailDkim, MailTls};
pub use network::Network;
pub use outgoing::Outgoing;
pub use pages::{Pages, Policies};
pub use protocol::Resource;
pub use registration::Registration;
pub use server::{Log, LogFormat, Server};
pub use stores::{Database, RedisMode, Secrets, ShortLived, ShortLivedKind};
pub use telephone::{CarrierKind, Telephone, TelephoneCarrier};
pub use webhook::Webhook;

/// The default of every key, with its comment.
pub const DEFAULTS: &str = include_str!("../../../config/countersign.toml");

/// A configuration that cannot be used, in words for the operator.
#[derive(Debug, thiserror::Error)]
#[error("configuration: {0}")]
pub struct ConfigError(pub String);

/// The whole configuration, as it is written.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// JSON array of client metadata to register at start.
    pub clients_file: Option<PathBuf>,
    /// Current version of the Terms of Use, by document: of one at most.
    #[serde(default = "current_terms")]
    pub terms: BTreeMap<String, String>,
    /// Listeners.
    pub server: Server,
    /// The master key.
    pub secrets: Secrets,
    /// The database.
    pub database: Database,
    /// The short-lived store.
    pub short_lived: ShortLived,
    /// Seconds that things live.
    pub lifetimes: LifetimeSeconds,
    /// Password hashing.
    pub hashing: Hashing,
    /// Per address and minute.
    pub limits: Limits,
    /// User-flow policies.
    pub policies: Policies,
    /// Looks and texts.
    pub pages: Pages,
    /// Outgoing mail.
    pub mail: Mail,
    /// Texts and calls.
    pub telephone: Telephone,
    /// Parts of the protocol that are on.
    pub protocol: Features,
    /// Resource servers that tokens may be for.
    #[serde(default)]
    pub resources: Vec<Resource>,
    /// Who may speak for people.
    #[serde(default)]
    pub assertion_issuers: Vec<AssertionWriter>,
    /// Clients that register themselves.
    pub registration: Registration,
    /// Calls to addresses that clients registered.
    pub outgoing: Outgoing,
    /// Upstream providers that people may sign in at.
    #[serde(default)]
    pub federation: Vec<Federation>,
    /// Servers that policies ask and tell, by name.
    #[serde(default)]
    pub webhooks: BTreeMap<String, Webhook>,
    /// The portal that knows passwords whose hashes were not imported; the same keys as a webhook's.
    pub legacy_portal: Option<Webhook>,
    /// The audit log.
    pub audit: Audit,
    /// Logging.
    pub log: Log,
}

impl Config {
    /// Reads `file` over the defaults, then the environment, then `overrides` (flags), and checks the whole.
    pub fn load(file: Option<&Path>, overrides: impl Serialize) -> Result<Self, ConfigError> {
        let mut figment = Figment::from(Toml::string(DEFAULTS));
        if let Some(file) = file {
            let text =
                std::fs::read_to_string(file).map_err(|error| ConfigError(format!("{}: {error}", file.display())))?;
            figment = figment.merge(Toml::string(&text));
        }
        let config: Self = figment
            .merge(Env::prefixed("COUNTERSIGN__").split("__"))
            .merge(Serialized::defaults(overrides))
            .extract()
            .map_err(|error| ConfigError(error.to_string()))?;
        config.check()?;
        Ok(config)
    }
    /// Refuses what is unsafe or contradicts itself.
    fn check(&self) -> Result<(), ConfigError> {
        self.server.check()?;
        self.policies.check()?;
        protocol::check(&self.protocol)?;
        protocol::resource_servers(&self.resources)?;
        self.registration.check()?;
        self.lifetimes.check()?;
        self.hashing.check()?;
        self.short_lived.check()?;
        self.mail.check()?;
        self.audit.check()?;
        federation::check_all(&self.federation)?;
        self.telephone.check()?;
        self.assertion_issuers()?;
        self.check_across()
    }

    /// What one section may say only because of another.
    fn check_across(&self) -> Result<(), ConfigError> {
        if self.terms.len() > 1 {
            return refuse("terms names more than one document: an account keeps the version it accepted of one");
        }
        if self.policies.demo && !self.server.allow_http {
            return refuse("policies.demo lets in by password alone: for development (server.allow_http)");
        }
        let anybody = matches!(self.registration.by, registration::RegistrationBy::Everybody);
        if anybody && self.outgoing.allow_private && !self.server.allow_http {
            return refuse("outgoing.allow_private with registration.by = everybody: private networks lie open");
        }
        // Anybody may name an address where a document is looked for.
        if self.protocol.client_documents && self.outgoing.allow_private && !self.server.allow_http {
            return refuse("outgoing.allow_private with protocol.client_documents: private networks lie open");
        }
        if self.lifetimes.key_announcement < 3600 && self.server.is_secure() {
            return refuse("lifetimes.key_announcement is shorter than the hour for which clients may cache the JWKS");
        }
        Ok(())
    }

    /// What is accepted and yet worth a word to the operator.
    pub fn warnings(&self) -> Result<Vec<&'static str>, ConfigError> {
        let postgres = self.database.postgres()?;
        let findings = [
            (
                self.server.is_secure() && self.server.tls_cert_file.is_none() && !self.server.behind_proxy,
                "https without server.tls_cert_file or server.behind_proxy: all people share the proxy's address, and its limits",
            ),
            (
                postgres.as_ref().is_some_and(stores::is_in_clear),
                "database.url has no sslmode: the database is reached in clear",
            ),
            (
                postgres.is_some() && self.short_lived.store == ShortLivedKind::InProcess,
                "short_lived.store is in_process: a second node on this database would know nothing of running sign-ins",
            ),
            (self.mail.is_in_clear(), "mail.tls is none: codes travel to the mail server in clear"),
        ];
        Ok(findings.into_iter().filter(|(holds, _)| *holds).map(|(_, warning)| warning).collect())
    }

    /// Who may speak for people.
    pub fn assertion_issuers(&self) -> Result<Vec<AssertionIssuer>, ConfigError> {
        assertion_issuers::assertion_issuers(self)
    }

    /// What the use cases are told.
    pub fn service_settings(&self) -> Result<Settings, ConfigError> {
        Ok(Settings {
            issuer: self.server.issuer()?,
            mtls_origin: self.server.mtls_origin.clone(),
            mtls_authority: self.server.mtls_ca_file.is_some(),
            features: self.protocol,
            resources: protocol::resource_servers(&self.resources)?,
            registration: self.registration.settings()?,
            lifetimes: self.lifetimes.settings(),
            address_limits: self.limits.settings(),
            mail: self.mail.identity(),
            telephone: self.telephone.settings(),
            terms: self.terms.clone(),
            key_rotation: self.lifetimes.key_rotation(),
            key_announcement: Seconds::new(self.lifetimes.key_announcement),
            audit_log: self.audit.settings(),
        })
    }
}

/// The document that ships.
fn current_terms() -> BTreeMap<String, String> {
    BTreeMap::from([("portal_terms".to_owned(), "1".to_owned())])
}

fn refuse<T>(why: impl Into<String>) -> Result<T, ConfigError> {
    Err(ConfigError(why.into()))
}

/// Whether `host` is this machine.
fn is_here(host: &str) -> bool {
    matches!(host, "" | "localhost" | "127.0.0.1" | "::1" | "[::1]") || host.starts_with("%2F")
}

fn secret(inline: Option<&SecretString>, file: Option<&Path>, key: &str) -> Result<Option<SecretString>, ConfigError> {
    match (inline, file) {
        (Some(_), Some(_)) => Err(ConfigError(format!("{key} and {key}_file are both given"))),
        (Some(inline), None) => Ok(Some(inline.clone())),
        (None, None) => Ok(None),
        (None, Some(file)) => {
            let text = std::fs::read_to_string(file)
                .map_err(|error| ConfigError(format!("{key}_file {}: {error}", file.display())))?;
            Ok(Some(SecretString::from(text.trim())))
        }
    }
}
