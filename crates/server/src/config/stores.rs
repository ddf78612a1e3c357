//! The database, the short-lived store and the key that what they keep is sealed with.

use std::path::PathBuf;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use url::Url;

use super::{ConfigError, is_here, refuse, secret};

/// Where the master key is.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Secrets {
    /// 32 bytes in base64.
    pub master_key: Option<SecretString>,
    /// File that holds it.
    pub master_key_file: Option<PathBuf>,
}

impl Secrets {
    /// The master key's text.
    pub fn master_key(&self) -> Result<SecretString, ConfigError> {
        match secret(self.master_key.as_ref(), self.master_key_file.as_deref(), "secrets.master_key")? {
            Some(key) => Ok(key),
            None => refuse("secrets.master_key_file (or COUNTERSIGN__SECRETS__MASTER_KEY) is missing"),
        }
    }
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

impl Database {
    /// Its address.
    pub fn url(&self) -> Result<SecretString, ConfigError> {
        match secret(self.url.as_ref(), self.url_file.as_deref(), "database.url")? {
            Some(url) => Ok(url),
            None => refuse("database.url (or database.url_file) is missing"),
        }
    }

    /// Its address, if it is PostgreSQL.
    pub(super) fn postgres(&self) -> Result<Option<Url>, ConfigError> {
        let url = Url::parse(self.url()?.expose_secret()).ok();
        Ok(url.filter(|url| url.scheme().starts_with("postgres")))
    }
}

/// Whether `postgres` is another machine, reached without TLS.
pub(super) fn is_in_clear(postgres: &Url) -> bool {
    let has_tls = postgres.query_pairs().any(|(name, value)| name == "sslmode" && value != "disable");
    !has_tls && !is_here(postgres.host_str().unwrap_or_default())
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

impl ShortLived {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if self.store == ShortLivedKind::InProcess && self.urls_file.is_some() {
            return refuse("short_lived.urls_file is given, but short_lived.store is in_process");
        }
        Ok(())
    }

    /// Addresses of Redis.
    pub fn redis_urls(&self) -> Result<Vec<SecretString>, ConfigError> {
        let file = secret(None, self.urls_file.as_deref(), "short_lived.urls")?;
        let from_file = file.iter().flat_map(|text| text.expose_secret().lines()).map(str::trim);
        let mut urls = self.urls.clone();
        urls.extend(from_file.filter(|line| !line.is_empty()).map(SecretString::from));
        if urls.is_empty() {
            return refuse("short_lived.urls (or short_lived.urls_file) is missing");
        }
        Ok(urls)
    }
}
