//! The one HTTP client of the product.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, RequestBuilder, Response};

use crate::SettingsError;

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
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(15), connect_timeout: Duration::from_secs(5), ca_file: None }
    }
}

/// A pool of connections over rustls; follows no redirect, heeds no proxy variable, keeps no cookie.
/// Use a clone of it on the runtime it was first used on.
#[derive(Clone)]
pub struct HttpClient(Client);

impl fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HttpClient")
    }
}

impl HttpClient {
    /// Builds the client. A machine without any CA certificate gets one that can do `http:` alone, and a warning.
    pub fn new(settings: &HttpSettings) -> Result<Self, SettingsError> {
        let extra = settings.ca_file.as_deref().map_or(Ok(Vec::new()), read_certificates)?;
        let builder = || {
            Client::builder()
                .timeout(settings.timeout)
                .connect_timeout(settings.connect_timeout)
                .redirect(Policy::none())
                .no_proxy()
                .user_agent("Countersign")
        };
        match builder().tls_certs_merge(extra.clone()).build() {
            Ok(client) => Ok(Self(client)),
            Err(error) => {
                tracing::warn!(error = ?error, "no CA certificates on this machine: https works for ca_file alone");
                let client = builder().tls_certs_only(extra).build();
                client.map(Self).map_err(|error| SettingsError::Tls(error.to_string()))
            }
        }
    }

    /// A POST to `url`, still to be filled.
    pub(crate) fn post(&self, url: url::Url) -> RequestBuilder {
        self.0.post(url)
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
