//! The configuration: file, then environment, then flags. Refuses what is unsafe or contradicts itself.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use countersign_model::Seconds;
use countersign_protocol::Issuer;
use countersign_service::{AddressLimits, Lifetimes, MailIdentity, Settings};
use figment::Figment;
use figment::providers::{Env, Format, Serialized, Toml};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use url::Url;

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
    /// Logging.
    pub log: Log,
}

/// Listeners and what they accept.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Server {
    /// The issuer identifier.
    pub issuer: String,
    /// Addresses of the provider.
    pub listen: Vec<SocketAddr>,
    /// Address of health and metrics.
    pub management_listen: SocketAddr,
    /// Certificate chain, PEM.
    pub tls_cert_file: Option<PathBuf>,
    /// Private key, PEM.
    pub tls_key_file: Option<PathBuf>,
    /// Whether forwarded headers are believed.
    pub behind_proxy: bool,
    /// Threads; none: one per core.
    pub workers: Option<usize>,
    /// Bytes of a request body.
    pub max_body: usize,
    /// Seconds to send a request.
    pub request_timeout: u64,
    /// Seconds that requests under way may take at the end.
    pub shutdown_timeout: u64,
    /// Whether an http issuer is accepted.
    pub allow_http: bool,
}

/// Where the master key is.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Secrets {
    /// 32 bytes in base64.
    pub master_key: Option<SecretString>,
    /// File that holds it.
    pub master_key_file: Option<PathBuf>,
}

/// The database.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Database {
    /// `sqlite:PATH` or `postgres://...`.
    pub url: Option<SecretString>,
    /// File that holds it.
    pub url_file: Option<PathBuf>,
    /// Connections.
    pub pool_size: usize,
    /// Seconds.
    pub connect_timeout: u32,
    /// Trusted besides the system's roots.
    pub root_certificate_file: Option<PathBuf>,
}

/// Where running flows and counters live.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ShortLivedKind {
    /// In this process: one node.
    InProcess,
    /// In Redis.
    Redis,
}

/// How Redis is reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RedisMode {
    /// One server.
    #[default]
    Standalone,
    /// The master that Sentinels name.
    Sentinel,
    /// A Cluster.
    Cluster,
}

/// The short-lived store.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShortLived {
    /// Which one.
    pub store: ShortLivedKind,
    /// How Redis is reached.
    #[serde(default)]
    pub mode: RedisMode,
    /// Addresses of Redis.
    #[serde(default)]
    pub urls: Vec<SecretString>,
    /// File that holds them, one a line.
    pub urls_file: Option<PathBuf>,
    /// Name of the master at the Sentinels.
    pub sentinel_master: Option<String>,
    /// Before every key.
    pub prefix: String,
}

/// Seconds that things live.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LifetimeSeconds {
    pub code: u32,
    pub id_token: u32,
    pub access_token: u32,
    pub refresh_token: u32,
    pub session_idle: u32,
    pub session_absolute: u32,
    pub key_announcement: u32,
}

/// argon2id and its threads.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hashing {
    pub memory_kib: u32,
    pub passes: u32,
    pub lanes: u32,
    pub threads: Option<usize>,
    pub queue: usize,
}

/// Per address and minute.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    pub attempts: u32,
    pub sends: u32,
    pub starts: u32,
    pub refusals: u32,
    pub client_failures: u32,
}

/// User-flow policies.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policies {
    pub directory: Option<PathBuf>,
    pub demo: bool,
}

/// Looks and texts.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pages {
    pub brand: String,
    pub messages_dir: Option<PathBuf>,
    pub brand_dir: Option<PathBuf>,
}

/// How the connection to the mail server is secured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MailTls {
    None,
    Starttls,
    Tls,
}

/// Outgoing mail.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mail {
    pub host: String,
    pub port: u16,
    pub tls: MailTls,
    pub username: Option<String>,
    pub password: Option<SecretString>,
    pub password_file: Option<PathBuf>,
    pub ca_file: Option<PathBuf>,
    pub from: String,
    pub from_name: String,
    pub company: String,
    pub product: String,
    pub pool_size: usize,
    pub timeout: u64,
}

/// Form of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    Json,
    Text,
}

/// Logging.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    pub format: LogFormat,
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
        let refuse = |why: &str| Err(ConfigError(why.to_owned()));
        let issuer = self.issuer()?;
        if !issuer.as_str().starts_with("https:") && !self.server.allow_http {
            return refuse(
                "server.issuer is http: tokens and passwords would travel in clear (server.allow_http permits it for development)",
            );
        }
        if issuer.as_str().splitn(4, '/').nth(3).is_some() {
            return refuse("server.issuer has a path; the provider serves its endpoints at the root of a host");
        }
        if self.policies.demo && !self.server.allow_http {
            return refuse("policies.demo lets in by password alone: for development (server.allow_http)");
        }
        if self.policies.demo && self.policies.directory.is_some() {
            return refuse("policies.demo adds to the policies built in; with policies.directory put the file there");
        }
        if self.server.tls_cert_file.is_some() != self.server.tls_key_file.is_some() {
            return refuse("server.tls_cert_file and server.tls_key_file go together");
        }
        if self.server.listen.is_empty() {
            return refuse("server.listen names no address");
        }
        if self.server.listen.contains(&self.server.management_listen) {
            return refuse("server.management_listen must not be an address of the provider");
        }
        if self.lifetimes.code > 600 {
            return refuse("lifetimes.code is over 10 minutes (RFC 6749, 4.1.2)");
        }
        if self.lifetimes.session_idle > self.lifetimes.session_absolute {
            return refuse("lifetimes.session_idle is longer than lifetimes.session_absolute");
        }
        if self.lifetimes.key_announcement < 3600 && issuer.as_str().starts_with("https:") {
            return refuse("lifetimes.key_announcement is shorter than the hour for which clients may cache the JWKS");
        }
        if self.hashing.memory_kib < 7168 || self.hashing.passes == 0 || self.hashing.lanes == 0 {
            return refuse("hashing: argon2id needs at least 7168 KiB, one pass and one lane (OWASP)");
        }
        if self.short_lived.store == ShortLivedKind::InProcess && self.short_lived.urls_file.is_some() {
            return refuse("short_lived.urls_file is given, but short_lived.store is in_process");
        }
        if self.mail.username.is_some() && self.mail.tls == MailTls::None {
            return refuse("mail.username without mail.tls would send the password in clear");
        }
        Ok(())
    }

    /// What is accepted and yet worth a word to the operator.
    pub fn warnings(&self) -> Result<Vec<&'static str>, ConfigError> {
        let database = Url::parse(self.database_url()?.expose_secret()).ok();
        let postgres = database.filter(|url| url.scheme().starts_with("postgres"));
        let has_tls = |url: &Url| url.query_pairs().any(|(name, value)| name == "sslmode" && value != "disable");
        let in_clear =
            postgres.as_ref().is_some_and(|url| !is_here(url.host_str().unwrap_or_default()) && !has_tls(url));
        let findings = [
            (
                self.is_secure() && self.server.tls_cert_file.is_none() && !self.server.behind_proxy,
                "https without server.tls_cert_file or server.behind_proxy: all people share the proxy's address, and its limits",
            ),
            (in_clear, "database.url has no sslmode: the database is reached in clear"),
            (
                postgres.is_some() && self.short_lived.store == ShortLivedKind::InProcess,
                "short_lived.store is in_process: a second node on this database would know nothing of running sign-ins",
            ),
            (
                self.mail.tls == MailTls::None && !is_here(&self.mail.host),
                "mail.tls is none: codes travel to the mail server in clear",
            ),
        ];
        Ok(findings.into_iter().filter(|(holds, _)| *holds).map(|(_, warning)| warning).collect())
    }

    /// The issuer identifier.
    pub fn issuer(&self) -> Result<Issuer, ConfigError> {
        self.server.issuer.parse::<Issuer>().map_err(|error| ConfigError(format!("server.issuer: {error}")))
    }

    /// Whether browsers reach the provider by https, so that cookies may be `__Host-`.
    pub fn is_secure(&self) -> bool {
        self.server.issuer.starts_with("https:")
    }

    /// The master key's text.
    pub fn master_key(&self) -> Result<SecretString, ConfigError> {
        secret(self.secrets.master_key.as_ref(), self.secrets.master_key_file.as_deref(), "secrets.master_key")?
            .ok_or_else(|| {
                ConfigError("secrets.master_key_file (or COUNTERSIGN__SECRETS__MASTER_KEY) is missing".into())
            })
    }

    /// The database's address.
    pub fn database_url(&self) -> Result<SecretString, ConfigError> {
        secret(self.database.url.as_ref(), self.database.url_file.as_deref(), "database.url")?
            .ok_or_else(|| ConfigError("database.url (or database.url_file) is missing".into()))
    }

    /// The mail server's password, if it wants one.
    pub fn mail_password(&self) -> Result<Option<SecretString>, ConfigError> {
        secret(self.mail.password.as_ref(), self.mail.password_file.as_deref(), "mail.password")
    }

    /// Addresses of Redis.
    pub fn redis_urls(&self) -> Result<Vec<SecretString>, ConfigError> {
        let file = secret(None, self.short_lived.urls_file.as_deref(), "short_lived.urls")?;
        let from_file = file.iter().flat_map(|text| text.expose_secret().lines()).map(str::trim);
        let mut urls = self.short_lived.urls.clone();
        urls.extend(from_file.filter(|line| !line.is_empty()).map(SecretString::from));
        if urls.is_empty() {
            return Err(ConfigError("short_lived.urls (or short_lived.urls_file) is missing".into()));
        }
        Ok(urls)
    }

    /// What the use cases are told.
    pub fn service_settings(&self) -> Result<Settings, ConfigError> {
        let lifetimes = self.lifetimes;
        Ok(Settings {
            issuer: self.issuer()?,
            lifetimes: Lifetimes {
                code: Seconds::new(lifetimes.code),
                id_token: Seconds::new(lifetimes.id_token),
                access_token: Seconds::new(lifetimes.access_token),
                refresh_token: Seconds::new(lifetimes.refresh_token),
                session_idle: Seconds::new(lifetimes.session_idle),
                session_absolute: Seconds::new(lifetimes.session_absolute),
                ..Lifetimes::default()
            },
            address_limits: AddressLimits {
                attempts: self.limits.attempts,
                sends: self.limits.sends,
                starts: self.limits.starts,
                refusals: self.limits.refusals,
                client_failures: self.limits.client_failures,
            },
            mail: MailIdentity { company: self.mail.company.clone(), product: self.mail.product.clone() },
            key_announcement: Seconds::new(lifetimes.key_announcement),
        })
    }
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_shipped_file_holds_every_default() {
        let config = Config::load(None, json!({})).unwrap();
        assert_eq!(config.lifetimes.code, 60);
    }

    #[test]
    fn an_unknown_key_is_refused() {
        let error = Config::load(None, json!({"server": {"isuer": "x"}})).unwrap_err();
        assert!(error.to_string().contains("isuer"), "{error}");
    }

    #[test]
    fn unsafe_and_contradictory_settings_are_refused_with_their_reason() {
        for (change, word) in [
            (json!({"server": {"issuer": "http://login.example.com"}}), "in clear"),
            (json!({"server": {"issuer": "https://login.example.com/?a=b"}}), "issuer"),
            (json!({"server": {"issuer": "https://login.example.com/realm"}}), "has a path"),
            (json!({"policies": {"demo": true}}), "password alone"),
            (json!({"server": {"allow_http": true}, "policies": {"demo": true, "directory": "policies"}}), "built in"),
            (json!({"server": {"tls_cert_file": "a.pem"}}), "go together"),
            (json!({"server": {"listen": []}}), "names no address"),
            (json!({"server": {"management_listen": "127.0.0.1:8080"}}), "management_listen"),
            (json!({"lifetimes": {"code": 601}}), "10 minutes"),
            (json!({"lifetimes": {"session_idle": 99999}}), "session_idle"),
            (json!({"lifetimes": {"key_announcement": 60}}), "JWKS"),
            (json!({"hashing": {"memory_kib": 8}}), "argon2id"),
            (json!({"mail": {"username": "u", "tls": "none"}}), "in clear"),
        ] {
            let error = Config::load(None, &change).expect_err(&change.to_string());
            assert!(error.to_string().contains(word), "{change}: {error}");
        }
    }

    #[test]
    fn what_is_doubtful_is_told() {
        let warned = |change: serde_json::Value, word: &str| {
            let config = Config::load(None, change).unwrap();
            config.warnings().unwrap().iter().any(|warning| warning.contains(word))
        };
        let postgres = |url: &str| json!({"database": {"url": url}});
        assert!(warned(postgres("postgres://db.example.com/c"), "sslmode"));
        assert!(warned(postgres("postgres://localhost/c"), "in_process"));
        for fine in ["postgres://localhost/c", "postgres://db.example.com/c?sslmode=verify-full", "sqlite:c.db"] {
            assert!(!warned(postgres(fine), "sslmode"), "{fine}");
        }
        let mail = |host: &str| json!({"database": {"url": "sqlite:c.db"}, "mail": {"tls": "none", "host": host}});
        assert!(warned(mail("mail.example.com"), "mail.tls"));
        assert!(!warned(mail("localhost"), "mail.tls"));
        assert!(warned(postgres("sqlite:c.db"), "behind_proxy"));
        let proxied = json!({"database": {"url": "sqlite:c.db"}, "server": {"behind_proxy": true}});
        assert!(!warned(proxied, "behind_proxy"));
    }

    #[test]
    fn a_secret_given_twice_is_refused() {
        let twice = json!({"secrets": {"master_key": "a", "master_key_file": "b"}});
        assert!(Config::load(None, twice).unwrap().master_key().is_err());
    }
}
