//! Signed calls to the deployment's own servers: they are told of something, or asked whether a flow may go on.

pub mod signature;

use std::fmt;
use std::time::Duration;

use countersign_model::Timestamp;
use reqwest::Method;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use crate::http::{Answer, HttpClient, exchange};
use crate::{CallError, SettingsError};

/// The header that proves who called.
pub const SIGNATURE_HEADER: &str = "Countersign-Signature";

/// The shortest secret, in bytes.
pub(crate) const MIN_SECRET: usize = 16;

/// Where a webhook is and how it knows us.
#[derive(Clone)]
pub struct WebhookSettings {
    /// Where to post.
    pub url: Url,
    /// Key of the signatures; at least 16 bytes.
    pub secret: SecretString,
}

impl fmt::Debug for WebhookSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookSettings").field("host", &self.url.host_str()).finish_non_exhaustive()
    }
}

/// Calls one webhook.
#[derive(Clone, Debug)]
pub struct Webhook {
    settings: WebhookSettings,
    http: HttpClient,
}

/// The answer to a guard's question.
#[derive(Deserialize)]
struct Verdict {
    allow: bool,
}

impl Webhook {
    /// Checks the settings; connects only when something is to be told.
    pub fn new(settings: WebhookSettings, http: HttpClient) -> Result<Self, SettingsError> {
        http.check_url("url", &settings.url)?;
        if settings.secret.expose_secret().len() < MIN_SECRET {
            return Err(SettingsError::Value { key: "secret", reason: "must have at least 16 bytes" });
        }
        Ok(Self { settings, http })
    }

    /// Asks whether a flow may go on: `{"allow": true}` or `{"allow": false}`. What an error means is the caller's.
    pub async fn ask(&self, body: &Value, now: Timestamp, timeout: Duration) -> Result<bool, CallError> {
        let answer = self.post(body, now, timeout).await?;
        Ok(answer.json::<Verdict>()?.allow)
    }

    /// Tells of something; any 2xx will do. It may arrive twice: the body should hold an id.
    pub async fn notify(&self, body: &Value, now: Timestamp, timeout: Duration) -> Result<(), CallError> {
        self.post(body, now, timeout).await.map(drop)
    }

    /// Tells of many things, a line of JSON each; any 2xx will do. They may arrive twice.
    pub(crate) async fn tell_lines(&self, body: String, now: Timestamp, timeout: Duration) -> Result<(), CallError> {
        self.send("application/x-ndjson", body, now, timeout).await.map(drop)
    }

    async fn post(&self, body: &Value, now: Timestamp, timeout: Duration) -> Result<Answer, CallError> {
        self.send("application/json", body.to_string(), now, timeout).await
    }

    async fn send(
        &self,
        media_type: &str,
        body: String,
        now: Timestamp,
        timeout: Duration,
    ) -> Result<Answer, CallError> {
        let WebhookSettings { url, secret } = &self.settings;
        let request = self.http.request(Method::POST, url.clone()).map(|request| {
            request
                .header("Content-Type", media_type)
                .header(SIGNATURE_HEADER, signature::sign(secret, body.as_bytes(), now))
                .body(body)
        });
        let answer = exchange(request, timeout).await?;
        tracing::debug!(host = self.settings.url.host_str(), status = answer.status.as_u16(), "webhook answered");
        if answer.status.is_success() { Ok(answer) } else { Err(answer.failure()) }
    }
}

#[cfg(test)]
mod tests;
