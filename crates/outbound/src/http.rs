//! The one HTTP client of the product.

mod exchange;
mod guard;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, Method, RequestBuilder, Response};
use url::Url;

use crate::SettingsError;
pub(crate) use exchange::{Answer, exchange, is_temporary};
pub(crate) use guard::is_refused_address;

/// The longest answer that is read, in bytes.
pub const MAX_RESPONSE: usize = 64 * 1024;

/// How to reach the world by HTTP.
#[derive(Clone, Debug)]
pub struct HttpSettings {
    /// Limit of a whole exchange.
    pub timeout: Duration,
    /// Limit of TCP and TLS set-up.
    pub connect_timeout: Duration,
    /// PEM file of CA certificates trusted beside the system's.
    pub ca_file: Option<PathBuf>,
    /// Whether addresses of this host and of private networks may be called. Link-local ones never are.
    pub allow_private: bool,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(15),
            connect_timeout: Duration::from_secs(5),
            ca_file: None,
            allow_private: false,
        }
    }
}

/// A pool of connections over rustls; follows no redirect, heeds no proxy variable, keeps no cookie, and connects to no
/// address that the settings refuse. Use a clone of it on the runtime it was first used on.
#[derive(Clone)]
pub struct HttpClient {
    client: Client,
    allow_private: bool,
}

impl fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HttpClient")
    }
}

impl HttpClient {
    /// Builds the client. A machine without any CA certificate gets one that can do `http:` alone, and a warning.
    pub fn new(settings: &HttpSettings) -> Result<Self, SettingsError> {
        let extra = settings.ca_file.as_deref().map_or(Ok(Vec::new()), read_certificates)?;
        let allow_private = settings.allow_private;
        let builder = || {
            Client::builder()
                .dns_resolver(Arc::new(guard::GuardedResolver { allow_private }))
                .timeout(settings.timeout)
                .connect_timeout(settings.connect_timeout)
                .redirect(Policy::none())
                .no_proxy()
                .user_agent("Countersign")
        };
        match builder().tls_certs_merge(extra.clone()).build() {
            Ok(client) => Ok(Self { client, allow_private }),
            Err(error) => {
                tracing::warn!(error = ?error, "no CA certificates on this machine: https works for ca_file alone");
                let client = builder().tls_certs_only(extra).build();
                let client = client.map_err(|error| SettingsError::Tls(error.to_string()))?;
                Ok(Self { client, allow_private })
            }
        }
    }

    /// Whether addresses of this host and of private networks may be called.
    pub const fn allows_private(&self) -> bool {
        self.allow_private
    }

    /// A request to `url`, still to be filled. None when the URL names an address that the settings refuse: no name
    /// is resolved for it, so the resolver would not see it.
    pub(crate) fn request(&self, method: Method, url: Url) -> Option<RequestBuilder> {
        guard::allows_host(&url, self.allow_private).then(|| self.client.request(method, url))
    }

    /// Refuses a URL whose traffic could be read on its way: `https` alone, or `http` to this very host where that is
    /// allowed.
    pub(crate) fn check_url(&self, key: &'static str, url: &Url) -> Result<(), SettingsError> {
        let reason = if !self.is_protected(url) {
            "must be an https URL"
        } else if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
            "must hold neither credentials nor a fragment"
        } else if !guard::allows_host(url, self.allow_private) {
            "names an address that is not public"
        } else {
            return Ok(());
        };
        Err(SettingsError::Value { key, reason })
    }

    fn is_protected(&self, url: &Url) -> bool {
        match url.scheme() {
            "https" => url.has_host(),
            "http" => self.allow_private && guard::is_loopback_host(url),
            _ => false,
        }
    }
}

/// The body of `response` up to [`MAX_RESPONSE`] bytes; none when it is longer or breaks off.
pub(crate) async fn read_body(mut response: Response) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.ok()? {
        if body.len() + chunk.len() > MAX_RESPONSE {
            return None;
        }
        body.extend_from_slice(&chunk);
    }
    Some(body)
}

fn read_certificates(path: &Path) -> Result<Vec<Certificate>, SettingsError> {
    let unusable = |reason: String| SettingsError::CaFile { path: path.to_owned(), reason };
    let pem = std::fs::read(path).map_err(|error| unusable(error.to_string()))?;
    let certificates = Certificate::from_pem_bundle(&pem).map_err(|error| unusable(error.to_string()))?;
    if certificates.is_empty() {
        return Err(unusable("no certificate in it".to_owned()));
    }
    Ok(certificates)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ca_file_without_certificates_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        std::fs::write(&path, "nothing here").unwrap();
        for ca_file in [path, folder.path().join("missing.pem")] {
            let settings = HttpSettings { ca_file: Some(ca_file), ..HttpSettings::default() };
            assert!(matches!(HttpClient::new(&settings), Err(SettingsError::CaFile { .. })));
        }
    }
}
