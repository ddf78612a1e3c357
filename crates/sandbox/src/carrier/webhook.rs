//! Requests to the customer's addresses, signed as Twilio signs them.

use super::CarrierSettings;
use super::signature::sign;
use crate::SandboxError;
use crate::outgoing::{FetchError, build_client, read_bounded};
use reqwest::header::HeaderValue;
use reqwest::{Client, Method};
use secrecy::{ExposeSecret, SecretString};
use std::fmt;
use std::time::Duration;
use url::Url;

/// Twilio gives an address 15 seconds.
const PATIENCE: Duration = Duration::from_secs(15);

/// An address and how to call it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub url: Url,
    pub method: Method,
}

impl Target {
    /// `method` is `GET` or `POST` in any case; absent means POST.
    pub fn read(url: &str, method: Option<&str>) -> Result<Self, String> {
        let url = Url::parse(url).map_err(|error| format!("{url:?} is no URL: {error}"))?;
        Self::new(url, method)
    }

    /// Only http and https are called.
    pub fn new(url: Url, method: Option<&str>) -> Result<Self, String> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(format!("{url} is neither http nor https"));
        }
        let method = match method.map(str::to_ascii_uppercase).as_deref() {
            None | Some("POST") => Method::POST,
            Some("GET") => Method::GET,
            Some(other) => return Err(format!("method {other} is neither GET nor POST")),
        };
        Ok(Self { url, method })
    }
}

impl fmt::Display for Target {
    /// Without the query, which may carry secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut url = self.url.clone();
        url.set_query(None);
        url.fmt(f)
    }
}

/// The signing client.
pub struct Webhooks {
    client: Client,
    auth_token: SecretString,
}

/// Why an address gave nothing.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    #[error("{0}")]
    Fetch(#[from] FetchError),
    #[error("answered {0}")]
    Status(u16),
    #[error("answered with something that is not UTF-8")]
    Encoding,
}

impl From<reqwest::Error> for WebhookError {
    fn from(error: reqwest::Error) -> Self {
        Self::Fetch(error.into())
    }
}

impl Webhooks {
    pub fn new(settings: &CarrierSettings) -> Result<Self, SandboxError> {
        let client = build_client(settings.ca_file.as_ref(), PATIENCE)?;
        Ok(Self { client, auth_token: settings.auth_token.clone() })
    }

    /// The body of a 2xx answer. A fragment is neither sent nor signed.
    pub async fn call(&self, target: &Target, form: &[(String, String)]) -> Result<String, WebhookError> {
        let mut url = target.url.clone();
        url.set_fragment(None);
        let token = self.auth_token.expose_secret();
        let request = if target.method == Method::GET {
            url.query_pairs_mut().extend_pairs(form);
            let signature = sign(token, url.as_str(), &[]);
            self.client.get(url).header("X-Twilio-Signature", header(&signature)?)
        } else {
            let signature = sign(token, url.as_str(), form);
            self.client.post(url).header("X-Twilio-Signature", header(&signature)?).form(form)
        };
        let response = request.send().await?;
        let status = response.status();
        let body = read_bounded(response).await?;
        if !status.is_success() {
            return Err(WebhookError::Status(status.as_u16()));
        }
        String::from_utf8(body).map_err(|_| WebhookError::Encoding)
    }
}

fn header(signature: &str) -> Result<HeaderValue, FetchError> {
    Ok(HeaderValue::from_str(signature)?)
}
