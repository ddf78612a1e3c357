//! The client for requests to the provider: bounded in time and size, no redirects.

use crate::SandboxError;
use reqwest::{Certificate, Client, Response};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Past this an answer is refused.
const MAX_ANSWER: usize = 1 << 20;

/// `private_ca`: trust this CA alone. Without it the system's roots; a bare machine has none, and then https fails closed.
pub fn build_client(private_ca: Option<&PathBuf>, timeout: Duration) -> Result<Client, SandboxError> {
    let builder = || {
        Client::builder()
            .user_agent(concat!("countersign-sandbox/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .connect_timeout(Duration::from_secs(5))
            .timeout(timeout)
    };
    if let Some(path) = private_ca {
        return Ok(builder().tls_certs_only(read_certificates(path)?).build()?);
    }
    builder().build().or_else(|error| {
        tracing::debug!(%error, "no certificates of the system; https will fail");
        Ok(builder().tls_certs_only([]).build()?)
    })
}

fn read_certificates(path: &Path) -> Result<Vec<Certificate>, SandboxError> {
    let unreadable = |reason: String| SandboxError::File { path: path.to_owned(), reason };
    let pem = std::fs::read(path).map_err(|error| unreadable(error.to_string()))?;
    let certificates = Certificate::from_pem_bundle(&pem).map_err(|error| unreadable(error.to_string()))?;
    if certificates.is_empty() {
        return Err(unreadable("no certificate inside".into()));
    }
    Ok(certificates)
}

/// What went wrong outside.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    #[error("{}", with_sources(.0))]
    Http(reqwest::Error),
    #[error("the answer is longer than {MAX_ANSWER} bytes")]
    TooLong,
    #[error("{0}")]
    Malformed(#[from] reqwest::header::InvalidHeaderValue),
}

impl From<reqwest::Error> for FetchError {
    /// Without the address: its query may carry secrets.
    fn from(error: reqwest::Error) -> Self {
        Self::Http(error.without_url())
    }
}

/// Reads a body up to the limit.
pub async fn read_bounded(mut response: Response) -> Result<Vec<u8>, FetchError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > MAX_ANSWER {
            return Err(FetchError::TooLong);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// reqwest hides "connection refused" in its sources.
fn with_sources(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        text = format!("{text}: {inner}");
        source = inner.source();
    }
    text
}
