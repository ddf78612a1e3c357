//! Passwords of people who have not registered yet, checked by the system that still holds them.

use std::fmt;
use std::time::Duration;

use reqwest::Method;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::json;
use url::Url;

use crate::http::{Answer, HttpClient, exchange};
use crate::{CallError, SettingsError};

/// The longest user name or password that is passed on, in bytes.
const MAX_INPUT: usize = 1024;
/// The longest mail address and name that are taken from an answer, in bytes.
const MAX_FIELD: usize = 254;

/// Where the older system checks passwords.
#[derive(Clone)]
pub struct LegacySettings {
    /// Where to post `{"username", "password"}`.
    pub url: Url,
    /// Bearer token of the call.
    pub secret: SecretString,
    /// Limit of one exchange.
    pub timeout: Duration,
}

impl fmt::Debug for LegacySettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LegacySettings").field("host", &self.url.host_str()).finish_non_exhaustive()
    }
}

/// What the older system knows of somebody whose password was right.
#[derive(Clone, PartialEq, Eq)]
pub struct LegacyAccount {
    /// Mail on file; nobody has proven it to us.
    pub email: Option<String>,
    /// Name of the person.
    pub name: Option<String>,
}

impl fmt::Debug for LegacyAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LegacyAccount")
    }
}

/// Asks the older system.
#[derive(Clone, Debug)]
pub struct LegacyConnector {
    settings: LegacySettings,
    http: HttpClient,
}

#[derive(Deserialize)]
struct Verdict {
    valid: bool,
    email: Option<String>,
    name: Option<String>,
}

impl LegacyConnector {
    /// Checks the settings; connects only when something is asked.
    pub fn new(settings: LegacySettings, http: HttpClient) -> Result<Self, SettingsError> {
        http.check_url("url", &settings.url)?;
        if settings.secret.expose_secret().is_empty() {
            return Err(SettingsError::Value { key: "secret", reason: "must not be empty" });
        }
        Ok(Self { settings, http })
    }

    /// Whose password it is; none: the name or the password is wrong.
    pub async fn check(&self, username: &str, password: &SecretString) -> Result<Option<LegacyAccount>, CallError> {
        let password = password.expose_secret();
        if username.is_empty() || password.is_empty() || username.len().max(password.len()) > MAX_INPUT {
            return Ok(None);
        }
        let request = self.http.request(Method::POST, self.settings.url.clone()).map(|request| {
            let request = request.bearer_auth(self.settings.secret.expose_secret());
            request.json(&json!({ "username": username, "password": password }))
        });
        let answer = exchange(request, self.settings.timeout).await?;
        tracing::debug!(status = answer.status.as_u16(), "legacy system answered");
        read_verdict(&answer)
    }
}

fn read_verdict(answer: &Answer) -> Result<Option<LegacyAccount>, CallError> {
    if answer.status.as_u16() != 200 {
        return Err(answer.failure());
    }
    let verdict: Verdict = answer.json()?;
    let field = |text: Option<String>| text.filter(|text| is_field(text));
    Ok(verdict.valid.then(|| LegacyAccount { email: field(verdict.email), name: field(verdict.name) }))
}

fn is_field(text: &str) -> bool {
    (1..=MAX_FIELD).contains(&text.len()) && !text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests;
