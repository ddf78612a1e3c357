//! The configuration: file, then environment, then flags. Refuses what is unsafe or contradicts itself.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use countersign_model::Seconds;
use countersign_protocol::Issuer;
use countersign_service::{
    AddressLimits, Lifetimes, MailIdentity, RegistrationAccess, RegistrationSettings, Settings,
    Telephone as TelephoneSettings,
};
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
    /// Current version of the Terms of Use, by document.
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
    /// Clients that register themselves.
    pub registration: Registration,
    /// Upstream providers that people may sign in at.
    #[serde(default)]
    pub federation: Vec<Federation>,
    /// Servers that policies ask and tell, by name.
    #[serde(default)]
    pub webhooks: BTreeMap<String, Webhook>,
    /// The portal that knows passwords whose hashes were not imported; the same keys as a webhook's.
    pub legacy_portal: Option<Webhook>,
    /// Logging.
    pub log: Log,
}

/// Who may register a client (RFC 7591).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RegistrationBy {
    /// Nobody.
    Nobody,
    /// Who holds an initial access token.
    Token,
    /// Everybody.
    Everybody,
}

/// Clients that register themselves.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Registration {
    /// Who may.
    pub by: RegistrationBy,
    /// An initial access token.
    pub initial_access_token: Option<SecretString>,
    /// File that holds it.
    pub initial_access_token_file: Option<PathBuf>,
    /// How many such clients there may be.
    pub most_clients: u32,
    /// Days without use after which one is removed; 0: never.
    pub unused_days: u32,
    /// Policies they may name, the first by default; empty: any.
    pub policies: Vec<String>,
    /// Whether they are taken for the operator's own, which skip consent; there is no consent page for others yet.
    pub first_party: bool,
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
    /// Addresses that also ask for client certificates (RFC 8705).
    #[serde(default)]
    pub mtls_listen: Vec<SocketAddr>,
    /// Their origin as clients reach it.
    pub mtls_origin: Option<String>,
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
    pub registrations: u32,
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
    pub terms_dir: Option<PathBuf>,
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
    #[serde(default)]
    pub dkim: Vec<MailDkim>,
}

/// A key that signs mails from a domain.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MailDkim {
    pub domain: String,
    pub selector: String,
    pub key_file: PathBuf,
}

/// Texts and calls.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Telephone {
    pub countries: Vec<String>,
    pub prefix_sends: u32,
    pub timeout: u64,
    pub ca_file: Option<PathBuf>,
    #[serde(default)]
    pub carriers: Vec<TelephoneCarrier>,
}

impl Telephone {
    fn check(&self) -> Result<(), ConfigError> {
        let refuse = |why: &str| Err(ConfigError(why.to_owned()));
        let is_code = |code: &String| code.len() == 2 && code.bytes().all(|byte| byte.is_ascii_uppercase());
        if self.countries.is_empty() || !self.countries.iter().all(is_code) {
            return refuse("telephone.countries is a list of ISO 3166-1 codes such as \"US\"");
        }
        if self.prefix_sends == 0 {
            return refuse("telephone.prefix_sends is 0: nobody could be sent a code");
        }
        let is_name = |name: &str| {
            (1..=32).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        };
        let mut names: Vec<&str> = self.carriers.iter().map(|carrier| carrier.name.as_str()).collect();
        if !names.iter().all(|name| is_name(name)) {
            return refuse("telephone.carriers: a name is of 1 to 32 letters, digits and hyphens");
        }
        names.sort_unstable();
        if names.windows(2).any(|pair| pair[0] == pair[1]) {
            return refuse("telephone.carriers: two carriers have the same name");
        }
        // A message must be done with, one way or the other, before another node may give it up.
        let longest = self.timeout.saturating_mul(self.carriers.len().max(1) as u64);
        if self.timeout == 0 || longest > 60 {
            return refuse("telephone.timeout times the number of carriers is from 1 to 60 seconds");
        }
        if self.carriers.iter().any(|carrier| carrier.auth_token.is_none() && carrier.auth_token_file.is_none()) {
            return refuse(
                "telephone.carriers: auth_token_file is missing: nobody could tell its callbacks from others",
            );
        }
        Ok(())
    }
}

/// How a carrier is spoken to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CarrierKind {
    /// The REST API of Twilio and those who copied it.
    #[default]
    Twilio,
    /// Signed JSON to an address of the operator's own.
    Webhook,
}

/// A carrier and our account with it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TelephoneCarrier {
    pub name: String,
    #[serde(default)]
    pub kind: CarrierKind,
    pub base_url: String,
    #[serde(default)]
    pub account_sid: String,
    pub auth_token: Option<SecretString>,
    pub auth_token_file: Option<PathBuf>,
    #[serde(default)]
    pub from: String,
}

/// What happens when a person comes from upstream for the first time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FederationLink {
    /// An account is made.
    #[default]
    Create,
    /// An account must have been made beforehand.
    Existing,
}

/// An upstream OpenID Provider.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Federation {
    pub id: String,
    pub issuer: String,
    pub client_id: String,
    pub client_secret: Option<SecretString>,
    pub client_secret_file: Option<PathBuf>,
    #[serde(default = "federation_scopes")]
    pub scopes: String,
    pub domains: Vec<String>,
    #[serde(default)]
    pub link: FederationLink,
    #[serde(default)]
    pub claims: BTreeMap<String, String>,
    #[serde(default)]
    pub allow_private: bool,
    pub ca_file: Option<PathBuf>,
}

impl Federation {
    /// Claims that may be named otherwise upstream.
    const CLAIMS: [&str; 3] = ["email", "given_name", "family_name"];

    fn check(&self) -> Result<(), ConfigError> {
        let refuse = |why: &str| Err(ConfigError(format!("federation {:?}: {why}", self.id)));
        let is_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
        if !(1..=32).contains(&self.id.len()) || !self.id.bytes().all(is_name) {
            return refuse("an id is of 1 to 32 lower-case letters, digits, hyphens and underscores");
        }
        let is_domain = |domain: &String| {
            let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.');
            domain.contains('.') && !domain.starts_with('.') && domain.bytes().all(allowed)
        };
        if self.domains.is_empty() || !self.domains.iter().all(is_domain) {
            return refuse("domains names the mail domains of its people, in lower case; nobody else can be linked");
        }
        if !self.scopes.split(' ').any(|scope| scope == "openid") {
            return refuse("scopes must hold openid");
        }
        if self.client_secret.is_none() && self.client_secret_file.is_none() {
            return refuse("client_secret_file is missing");
        }
        match self.claims.keys().find(|name| !Self::CLAIMS.contains(&name.as_str())) {
            Some(_) => refuse("claims knows email, given_name and family_name"),
            None => Ok(()),
        }
    }
}

/// A server that policies ask and tell.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    pub url: String,
    pub secret: Option<SecretString>,
    pub secret_file: Option<PathBuf>,
    #[serde(default)]
    pub allow_private: bool,
    pub ca_file: Option<PathBuf>,
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
        if self.server.mtls_listen.is_empty() != self.server.mtls_origin.is_none() {
            return refuse("server.mtls_listen and server.mtls_origin go together");
        }
        if !self.server.mtls_listen.is_empty() && self.server.tls_cert_file.is_none() {
            return refuse("server.mtls_listen needs server.tls_cert_file and server.tls_key_file");
        }
        if self.server.mtls_origin.as_ref().is_some_and(|origin| !is_https_origin(origin)) {
            return refuse("server.mtls_origin is an https origin such as https://login.example.com:8443");
        }
        self.registration_settings()?;
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
        let mut ids: Vec<&str> = self.federation.iter().map(|upstream| upstream.id.as_str()).collect();
        ids.sort_unstable();
        if ids.windows(2).any(|pair| pair[0] == pair[1]) {
            return refuse("federation: two providers have the same id");
        }
        self.federation.iter().try_for_each(Federation::check)?;
        self.telephone.check()
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

    fn registration_settings(&self) -> Result<RegistrationSettings, ConfigError> {
        let own = &self.registration;
        let token = secret(
            own.initial_access_token.as_ref(),
            own.initial_access_token_file.as_deref(),
            "registration.initial_access_token",
        )?;
        if own.by == RegistrationBy::Token && token.is_none() {
            return Err(ConfigError("registration.by is token, and there is no initial_access_token".to_owned()));
        }
        if token.as_ref().is_some_and(|token| token.expose_secret().len() < 16) {
            return Err(ConfigError("registration.initial_access_token is shorter than 16 characters".to_owned()));
        }
        if own.by != RegistrationBy::Nobody && !own.first_party {
            let why = "registration.first_party is false, and there is no page yet on which people could consent: clients \
                       that register themselves could sign nobody in. Let nobody register (registration.by), or take all \
                       of them for your own";
            return Err(ConfigError(why.to_owned()));
        }
        Ok(RegistrationSettings {
            access: match own.by {
                RegistrationBy::Nobody => RegistrationAccess::Closed,
                RegistrationBy::Token => RegistrationAccess::WithToken,
                RegistrationBy::Everybody => RegistrationAccess::Open,
            },
            initial_access_tokens: token.into_iter().collect(),
            most_clients: own.most_clients,
            unused: Seconds::hours(own.unused_days.saturating_mul(24)),
            policies: own.policies.clone(),
            first_party: own.first_party,
        })
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

    /// The password of our account with a carrier.
    pub fn carrier_token(&self, carrier: &TelephoneCarrier) -> Result<SecretString, ConfigError> {
        let key = format!("telephone.carriers {:?} auth_token", carrier.name);
        secret(carrier.auth_token.as_ref(), carrier.auth_token_file.as_deref(), &key)?
            .ok_or_else(|| ConfigError(format!("{key} (or auth_token_file) is missing")))
    }

    /// Our client secret at an upstream provider.
    pub fn upstream_secret(&self, upstream: &Federation) -> Result<SecretString, ConfigError> {
        let key = format!("federation {:?} client_secret", upstream.id);
        secret(upstream.client_secret.as_ref(), upstream.client_secret_file.as_deref(), &key)?
            .ok_or_else(|| ConfigError(format!("{key} (or client_secret_file) is missing")))
    }

    /// Key of a webhook's signatures.
    pub fn webhook_secret(&self, name: &str, webhook: &Webhook) -> Result<SecretString, ConfigError> {
        let key = format!("webhooks.{name}.secret");
        secret(webhook.secret.as_ref(), webhook.secret_file.as_deref(), &key)?
            .ok_or_else(|| ConfigError(format!("{key} (or secret_file) is missing")))
    }

    /// Bearer token for the legacy portal.
    pub fn legacy_secret(&self, portal: &Webhook) -> Result<SecretString, ConfigError> {
        secret(portal.secret.as_ref(), portal.secret_file.as_deref(), "legacy_portal.secret")?
            .ok_or_else(|| ConfigError("legacy_portal.secret (or secret_file) is missing".to_owned()))
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
            mtls_origin: self.server.mtls_origin.clone(),
            registration: self.registration_settings()?,
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
                registrations: self.limits.registrations,
            },
            mail: MailIdentity { company: self.mail.company.clone(), product: self.mail.product.clone(), from: None },
            telephone: TelephoneSettings {
                countries: self.telephone.countries.clone(),
                prefix_sends: self.telephone.prefix_sends,
            },
            terms: self.terms.clone(),
            key_announcement: Seconds::new(lifetimes.key_announcement),
        })
    }
}

fn federation_scopes() -> String {
    "openid email profile".to_owned()
}

/// The document that ships.
fn current_terms() -> BTreeMap<String, String> {
    BTreeMap::from([("portal_terms".to_owned(), "1".to_owned())])
}

/// Scheme, host and port, and nothing more.
fn is_https_origin(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| url.scheme() == "https" && url.origin().ascii_serialization() == text)
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

    fn carriers(names: &[&str], token: &str) -> serde_json::Value {
        let carrier = |name: &&str| json!({"name": name, "base_url": "https://carrier.example", "auth_token": token});
        json!({"telephone": {"carriers": names.iter().map(carrier).collect::<Vec<_>>()}})
    }

    fn upstream(change: &serde_json::Value) -> serde_json::Value {
        let mut upstream = json!({
            "id": "corporate", "issuer": "https://corp.example.com", "client_id": "c", "client_secret": "s",
            "domains": ["corp.example.com"],
        });
        upstream.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        json!({ "federation": [upstream] })
    }

    #[test]
    fn upstream_providers_are_told_apart_by_their_ids() {
        let one = upstream(&json!({}));
        assert!(Config::load(None, &one).is_ok());
        let twice = json!({ "federation": [one["federation"][0], one["federation"][0]] });
        assert!(Config::load(None, &twice).unwrap_err().to_string().contains("same id"));
    }

    #[test]
    fn unsafe_and_contradictory_settings_are_refused_with_their_reason() {
        for (change, word) in [
            (json!({"server": {"issuer": "http://login.example.com"}}), "in clear"),
            (json!({"server": {"issuer": "https://login.example.com/?a=b"}}), "issuer"),
            (json!({"server": {"issuer": "https://login.example.com/realm"}}), "has a path"),
            (json!({"policies": {"demo": true}}), "password alone"),
            (json!({"registration": {"by": "everybody"}}), "no page yet on which people could consent"),
            (json!({"server": {"allow_http": true}, "policies": {"demo": true, "directory": "policies"}}), "built in"),
            (json!({"server": {"tls_cert_file": "a.pem"}}), "go together"),
            (json!({"server": {"listen": []}}), "names no address"),
            (json!({"server": {"management_listen": "127.0.0.1:8080"}}), "management_listen"),
            (json!({"lifetimes": {"code": 601}}), "10 minutes"),
            (json!({"lifetimes": {"session_idle": 99999}}), "session_idle"),
            (json!({"lifetimes": {"key_announcement": 60}}), "JWKS"),
            (json!({"hashing": {"memory_kib": 8}}), "argon2id"),
            (json!({"mail": {"username": "u", "tls": "none"}}), "in clear"),
            (upstream(&json!({"id": "Corp"})), "an id is"),
            (upstream(&json!({"domains": []})), "domains"),
            (upstream(&json!({"domains": ["Corp.example.com"]})), "lower case"),
            (upstream(&json!({"scopes": "email"})), "openid"),
            (upstream(&json!({"client_secret": null})), "client_secret_file"),
            (upstream(&json!({"claims": {"sub": "oid"}})), "claims knows"),
            (json!({"telephone": {"countries": []}}), "telephone.countries"),
            (json!({"telephone": {"countries": ["us"]}}), "telephone.countries"),
            (json!({"telephone": {"prefix_sends": 0}}), "prefix_sends"),
            (json!({"telephone": {"timeout": 61}}), "telephone.timeout"),
            (carriers(&["a", "a"], "t"), "same name"),
            (carriers(&["a b"], "t"), "a name is"),
            (json!({"telephone": {"carriers": [{"name": "a", "base_url": "https://a"}]}}), "auth_token_file"),
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
