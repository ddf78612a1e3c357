//! Texts and calls by a Twilio-compatible REST API.

pub mod signature;

use std::fmt;
use std::time::Duration;

use countersign_model::OutboxId;
use reqwest::StatusCode;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use url::Url;

use crate::http::{HttpClient, read_body};
use crate::{SendError, SettingsError, mask};

/// The longest text, in characters: what Twilio's Messages resource takes.
const MAX_TEXT: usize = 1600;

/// The carrier and our account with it.
#[derive(Clone)]
pub struct CarrierSettings {
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
    /// Where the carrier reports what became of a text or call; `id` is added to its query.
    pub status_callback: Option<Url>,
}

impl fmt::Debug for CarrierSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CarrierSettings")
            .field("base_url", &self.base_url.as_str())
            .field("account_sid", &self.account_sid)
            .field("from", &mask::number(&self.from))
            .finish_non_exhaustive()
    }
}

/// A text to send.
#[derive(Clone, PartialEq, Eq)]
pub struct Text {
    /// Our id, handed back by status callbacks.
    pub id: OutboxId,
    /// Recipient's number (E.164).
    pub to: String,
    /// What it says.
    pub body: String,
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Text").field("id", &self.id).field("to", &mask::number(&self.to)).finish_non_exhaustive()
    }
}

/// A call to place.
#[derive(Clone, PartialEq, Eq)]
pub struct Call {
    /// Our id, handed back by status callbacks.
    pub id: OutboxId,
    /// Number to ring (E.164).
    pub to: String,
    /// Where the carrier asks what to say once somebody answers.
    pub twiml_url: Url,
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").field("id", &self.id).field("to", &mask::number(&self.to)).finish_non_exhaustive()
    }
}

/// The carrier took it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The carrier's id of the text or call, when its answer could be read.
    pub sid: Option<String>,
}

/// Sends texts and places calls.
#[derive(Clone, Debug)]
pub struct Carrier {
    settings: CarrierSettings,
    http: HttpClient,
}

impl Carrier {
    /// Checks the settings; connects only when something is sent.
    pub fn new(settings: CarrierSettings, http: HttpClient) -> Result<Self, SettingsError> {
        let wrong = |key, reason| Err(SettingsError::Value { key, reason });
        if !matches!(settings.base_url.scheme(), "http" | "https") || settings.base_url.cannot_be_a_base() {
            return wrong("base_url", "must be an http or https URL");
        }
        let sid = &settings.account_sid;
        if sid.is_empty() || sid.len() > 64 || !sid.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return wrong("account_sid", "must be 1 to 64 letters and digits");
        }
        if !is_number(&settings.from) && !settings.from.starts_with("MG") {
            return wrong("from", "must be a number such as +12025550100, or a messaging service");
        }
        Ok(Self { settings, http })
    }

    /// Hands a text to the carrier.
    pub async fn send_text(&self, text: &Text) -> Result<Receipt, SendError> {
        if text.body.is_empty() || text.body.chars().count() > MAX_TEXT {
            return Err(SendError::Permanent("the text is empty or too long".to_owned()));
        }
        let from = if self.settings.from.starts_with("MG") { "MessagingServiceSid" } else { "From" };
        let form = vec![(from, self.settings.from.clone()), ("Body", text.body.clone())];
        self.post("Messages.json", &text.id, &text.to, form).await
    }

    /// Has the carrier ring a number and then fetch `twiml_url`.
    pub async fn place_call(&self, call: &Call) -> Result<Receipt, SendError> {
        let url = call.twiml_url.as_str().to_owned();
        let form = vec![("From", self.settings.from.clone()), ("Url", url), ("Method", "POST".to_owned())];
        self.post("Calls.json", &call.id, &call.to, form).await
    }

    async fn post(
        &self,
        resource: &str,
        id: &OutboxId,
        to: &str,
        mut form: Vec<(&'static str, String)>,
    ) -> Result<Receipt, SendError> {
        if !is_number(to) {
            return Err(SendError::Permanent("the recipient is no E.164 number".to_owned()));
        }
        form.push(("To", to.to_owned()));
        if let Some(mut callback) = self.settings.status_callback.clone() {
            callback.query_pairs_mut().append_pair("id", id.as_str());
            form.push(("StatusCallback", callback.into()));
        }
        let request = self
            .http
            .post(self.resource_url(resource))
            .basic_auth(&self.settings.account_sid, Some(self.settings.auth_token.expose_secret()))
            .timeout(self.settings.timeout)
            .form(&form);
        let response = request.send().await.map_err(|error| classify_failure(&error))?;
        let status = response.status();
        let answer = read_body(response).await.and_then(|body| serde_json::from_slice(&body).ok()).unwrap_or_default();
        let result = classify_answer(status, answer);
        tracing::debug!(%id, to = mask::number(to), resource, status = status.as_u16(), "carrier answered");
        result
    }

    fn resource_url(&self, resource: &str) -> Url {
        let mut url = self.settings.base_url.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(["2010-04-01", "Accounts", &self.settings.account_sid, resource]);
        }
        url
    }
}

/// What is of use in an answer, good or bad.
#[derive(Default, Deserialize)]
struct Answer {
    sid: Option<String>,
    code: Option<u32>,
}

fn classify_failure(error: &reqwest::Error) -> SendError {
    if error.is_connect() {
        SendError::Temporary("no connection to the carrier".to_owned())
    } else if error.is_builder() {
        SendError::Permanent("the request cannot be built".to_owned())
    } else if error.is_timeout() {
        SendError::Uncertain("time limit reached".to_owned())
    } else {
        SendError::Uncertain("the carrier broke off".to_owned())
    }
}

fn classify_answer(status: StatusCode, answer: Answer) -> Result<Receipt, SendError> {
    if status.is_success() {
        let sid = answer.sid.filter(|sid| sid.len() <= 64 && sid.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        return Ok(Receipt { sid });
    }
    let code = answer.code.map(|code| format!(", error {code}")).unwrap_or_default();
    let detail = format!("HTTP {}{code}", status.as_u16());
    if status.is_server_error() || matches!(status.as_u16(), 408 | 429) {
        Err(SendError::Temporary(detail))
    } else {
        Err(SendError::Permanent(detail))
    }
}

/// Whether `text` is a number in E.164 with its plus.
fn is_number(text: &str) -> bool {
    text.strip_prefix('+').is_some_and(|digits| {
        (8..=15).contains(&digits.len()) && !digits.starts_with('0') && digits.bytes().all(|byte| byte.is_ascii_digit())
    })
}

#[cfg(test)]
mod tests;
