//! A carrier with a Twilio-compatible REST API.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use countersign_model::{OutboxId, Timestamp};
use reqwest::{Method, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use url::Url;

use super::{Call, Callback, Courier, Text};
use super::{check_number, check_text, classify_failure, is_number, keep_reference, refused_address, signature};
use crate::http::{HttpClient, is_temporary, read_body};
use crate::{SendError, SettingsError, mask};

/// The carrier and our account with it.
#[derive(Clone)]
pub struct TwilioSettings {
    /// Root of the API, such as `https://api.twilio.com`.
    pub base_url: Url,
    /// Account SID: user name and part of every path.
    pub account_sid: String,
    /// Auth token: password, and key of the signatures of its callbacks.
    pub auth_token: SecretString,
    /// Number that texts and calls come from (E.164), or a messaging service (`MG...`) for texts.
    pub from: String,
    /// Limit of one exchange.
    pub timeout: Duration,
}

impl fmt::Debug for TwilioSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TwilioSettings")
            .field("base_url", &self.base_url.as_str())
            .field("account_sid", &self.account_sid)
            .field("from", &mask::number(&self.from))
            .finish_non_exhaustive()
    }
}

/// Sends texts and places calls by Twilio's API of 2010-04-01.
#[derive(Clone, Debug)]
pub struct Twilio {
    settings: TwilioSettings,
    http: HttpClient,
}

/// A form, field by field.
type Form = Vec<(&'static str, String)>;

impl Twilio {
    /// Checks the settings; connects only when something is sent.
    pub fn new(settings: TwilioSettings, http: HttpClient) -> Result<Self, SettingsError> {
        let wrong = |key, reason| Err(SettingsError::Value { key, reason });
        http.check_url("base_url", &settings.base_url)?;
        let sid = &settings.account_sid;
        if sid.is_empty() || sid.len() > 64 || !sid.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return wrong("account_sid", "must be 1 to 64 letters and digits");
        }
        if settings.auth_token.expose_secret().is_empty() {
            return wrong("auth_token", "must not be empty");
        }
        if !is_number(&settings.from) && !settings.from.starts_with("MG") {
            return wrong("from", "must be a number such as +12025550100, or a messaging service");
        }
        Ok(Self { settings, http })
    }

    async fn post(&self, resource: &str, id: &OutboxId, form: &Form) -> Result<Option<String>, SendError> {
        let request = self.http.request(Method::POST, self.resource_url(resource)).ok_or_else(refused_address)?;
        let request = request
            .basic_auth(&self.settings.account_sid, Some(self.settings.auth_token.expose_secret()))
            .timeout(self.settings.timeout)
            .form(form);
        let response = request.send().await.map_err(|error| classify_failure(&error))?;
        let status = response.status();
        let answer = read_body(response).await.and_then(|body| serde_json::from_slice(&body).ok()).unwrap_or_default();
        tracing::debug!(%id, resource, status = status.as_u16(), "carrier answered");
        classify_answer(status, answer)
    }

    fn resource_url(&self, resource: &str) -> Url {
        let mut url = self.settings.base_url.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(["2010-04-01", "Accounts", &self.settings.account_sid, resource]);
        }
        url
    }
}

#[async_trait]
impl Courier for Twilio {
    async fn send_text(&self, text: &Text, _now: Timestamp) -> Result<Option<String>, SendError> {
        check_text(text)?;
        let from = if self.settings.from.starts_with("MG") { "MessagingServiceSid" } else { "From" };
        let mut form = vec![(from, self.settings.from.clone()), ("To", text.to.clone()), ("Body", text.body.clone())];
        if let Some(callback) = &text.status_callback {
            form.push(("StatusCallback", callback.as_str().to_owned()));
        }
        self.post("Messages.json", &text.id, &form).await
    }

    async fn place_call(&self, call: &Call, _now: Timestamp) -> Result<Option<String>, SendError> {
        check_number(&call.to)?;
        let mut form = vec![
            ("From", self.settings.from.clone()),
            ("To", call.to.clone()),
            ("Url", call.twiml_url.as_str().to_owned()),
            ("Method", "POST".to_owned()),
        ];
        if let Some(callback) = &call.status_callback {
            form.push(("StatusCallback", callback.as_str().to_owned()));
            form.push(("StatusCallbackMethod", "POST".to_owned()));
        }
        self.post("Calls.json", &call.id, &form).await
    }

    fn is_genuine(&self, callback: &Callback, _now: Timestamp) -> bool {
        let header = callback.twilio_signature.as_deref();
        header.is_some_and(|it| signature::check(&self.settings.auth_token, &callback.url, &callback.params, it))
    }
}

/// What is of use in an answer, good or bad.
#[derive(Default, Deserialize)]
struct Answer {
    sid: Option<String>,
    code: Option<u32>,
}

fn classify_answer(status: StatusCode, answer: Answer) -> Result<Option<String>, SendError> {
    if status.is_success() {
        return Ok(keep_reference(answer.sid));
    }
    let code = answer.code.map(|code| format!(", error {code}")).unwrap_or_default();
    let detail = format!("HTTP {}{code}", status.as_u16());
    if is_temporary(status) { Err(SendError::Temporary(detail)) } else { Err(SendError::Permanent(detail)) }
}
