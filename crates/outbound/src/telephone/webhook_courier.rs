//! Any carrier, behind a server of the deployment's own that takes signed JSON.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use countersign_model::{OutboxId, Timestamp};
use reqwest::Method;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use url::Url;

use super::{Call, Callback, Courier, Text};
use super::{check_number, check_text, classify_failure, keep_reference, refused_address};
use crate::http::{HttpClient, is_temporary, read_body};
use crate::webhook::{MIN_SECRET, SIGNATURE_HEADER, signature};
use crate::{SendError, SettingsError, mask};

/// Where the server is and how it knows us.
#[derive(Clone)]
pub struct WebhookCourierSettings {
    /// Where to post texts and calls.
    pub url: Url,
    /// Key of the signatures of both sides; at least 16 bytes.
    pub secret: SecretString,
    /// Sender, in whatever form the server wants it.
    pub from: Option<String>,
    /// Limit of one exchange.
    pub timeout: Duration,
}

impl fmt::Debug for WebhookCourierSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookCourierSettings").field("host", &self.url.host_str()).finish_non_exhaustive()
    }
}

/// Posts texts and calls as signed JSON. The server fetches a call's words and reports as Twilio does, by POST of a
/// form, but signs the body as we do.
#[derive(Clone, Debug)]
pub struct WebhookCourier {
    settings: WebhookCourierSettings,
    http: HttpClient,
}

/// What is posted.
#[derive(Serialize)]
struct Order<'a> {
    channel: &'static str,
    to: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    voice: Option<Words<'a>>,
    reference: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_callback: Option<&'a str>,
}

/// What is said in a call.
#[derive(Serialize)]
struct Words<'a> {
    url: &'a str,
}

/// What comes back; may be missing.
#[derive(Default, Deserialize)]
struct Answer {
    reference: Option<String>,
}

impl WebhookCourier {
    /// Checks the settings; connects only when something is sent.
    pub fn new(settings: WebhookCourierSettings, http: HttpClient) -> Result<Self, SettingsError> {
        http.check_url("url", &settings.url)?;
        if settings.secret.expose_secret().len() < MIN_SECRET {
            return Err(SettingsError::Value { key: "secret", reason: "must have at least 16 bytes" });
        }
        Ok(Self { settings, http })
    }

    async fn post(&self, id: &OutboxId, order: &Order<'_>, now: Timestamp) -> Result<Option<String>, SendError> {
        let body = serde_json::to_string(order);
        let body = body.map_err(|_| SendError::Permanent("the request cannot be built".to_owned()))?;
        let request = self.http.request(Method::POST, self.settings.url.clone()).ok_or_else(refused_address)?;
        let request = request
            .header("Content-Type", "application/json")
            .header(SIGNATURE_HEADER, signature::sign(&self.settings.secret, body.as_bytes(), now))
            .timeout(self.settings.timeout)
            .body(body);
        let response = request.send().await.map_err(|error| classify_failure(&error))?;
        let status = response.status();
        let answer: Answer =
            read_body(response).await.and_then(|body| serde_json::from_slice(&body).ok()).unwrap_or_default();
        tracing::debug!(%id, to = mask::number(order.to), channel = order.channel, status = status.as_u16(), "carrier answered");
        if status.is_success() {
            return Ok(keep_reference(answer.reference));
        }
        let detail = format!("HTTP {}", status.as_u16());
        if is_temporary(status) { Err(SendError::Temporary(detail)) } else { Err(SendError::Permanent(detail)) }
    }
}

#[async_trait]
impl Courier for WebhookCourier {
    async fn send_text(&self, text: &Text, now: Timestamp) -> Result<Option<String>, SendError> {
        check_text(text)?;
        let order = Order {
            channel: "sms",
            to: &text.to,
            from: self.settings.from.as_deref(),
            text: Some(&text.body),
            voice: None,
            reference: text.id.as_str(),
            status_callback: text.status_callback.as_ref().map(Url::as_str),
        };
        self.post(&text.id, &order, now).await
    }

    async fn place_call(&self, call: &Call, now: Timestamp) -> Result<Option<String>, SendError> {
        check_number(&call.to)?;
        let order = Order {
            channel: "voice",
            to: &call.to,
            from: self.settings.from.as_deref(),
            text: None,
            voice: Some(Words { url: call.twiml_url.as_str() }),
            reference: call.id.as_str(),
            status_callback: call.status_callback.as_ref().map(Url::as_str),
        };
        self.post(&call.id, &order, now).await
    }

    fn is_genuine(&self, callback: &Callback, now: Timestamp) -> bool {
        let header = callback.countersign_signature.as_deref();
        header.is_some_and(|it| signature::check(&self.settings.secret, &callback.body, it, now))
    }
}
