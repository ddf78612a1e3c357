//! Listeners, the log, and what may be asked for.

use std::net::SocketAddr;
use std::path::PathBuf;

use countersign_protocol::Issuer;
use serde::Deserialize;
use url::Url;

use super::network::Network;
use super::{ConfigError, refuse};

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
    /// CA certificates, PEM, of those who vouch for clients (`tls_client_auth`).
    pub mtls_ca_file: Option<PathBuf>,
    /// Certificate chain, PEM.
    pub tls_cert_file: Option<PathBuf>,
    /// Private key, PEM.
    pub tls_key_file: Option<PathBuf>,
    /// Whether forwarded headers are believed.
    pub behind_proxy: bool,
    /// Whose forwarded headers are believed; none: everybody's.
    #[serde(default)]
    pub proxy_networks: Vec<Network>,
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

impl Server {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let issuer = self.issuer()?;
        if !issuer.as_str().starts_with("https:") && !self.allow_http {
            return refuse(
                "server.issuer is http: tokens and passwords would travel in clear (server.allow_http permits it for development)",
            );
        }
        if issuer.as_str().splitn(4, '/').nth(3).is_some() {
            return refuse("server.issuer has a path; the provider serves its endpoints at the root of a host");
        }
        if self.listen.is_empty() {
            return refuse("server.listen names no address");
        }
        if self.listen.contains(&self.management_listen) {
            return refuse("server.management_listen must not be an address of the provider");
        }
        if !self.proxy_networks.is_empty() && !self.behind_proxy {
            return refuse(
                "server.proxy_networks needs server.behind_proxy: nobody's forwarded addresses are believed",
            );
        }
        self.check_certificates()
    }

    fn check_certificates(&self) -> Result<(), ConfigError> {
        if self.tls_cert_file.is_some() != self.tls_key_file.is_some() {
            return refuse("server.tls_cert_file and server.tls_key_file go together");
        }
        if self.mtls_listen.is_empty() != self.mtls_origin.is_none() {
            return refuse("server.mtls_listen and server.mtls_origin go together");
        }
        if self.mtls_ca_file.is_some() && self.mtls_listen.is_empty() {
            return refuse("server.mtls_ca_file needs server.mtls_listen: nobody would be asked for a certificate");
        }
        if !self.mtls_listen.is_empty() && self.tls_cert_file.is_none() {
            return refuse("server.mtls_listen needs server.tls_cert_file and server.tls_key_file");
        }
        if self.mtls_origin.as_ref().is_some_and(|origin| !is_https_origin(origin)) {
            return refuse("server.mtls_origin is an https origin such as https://login.example.com:8443");
        }
        Ok(())
    }

    /// The issuer identifier.
    pub fn issuer(&self) -> Result<Issuer, ConfigError> {
        self.issuer.parse::<Issuer>().map_err(|error| ConfigError(format!("server.issuer: {error}")))
    }

    /// Whether browsers reach the provider by https, so that cookies may be `__Host-`.
    pub fn is_secure(&self) -> bool {
        self.issuer.starts_with("https:")
    }
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

/// Scheme, host and port, and nothing more.
fn is_https_origin(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| url.scheme() == "https" && url.origin().ascii_serialization() == text)
}
