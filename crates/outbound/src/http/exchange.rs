//! One request and its bounded answer, with every failure in words that hold nothing secret.

use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderMap};
use reqwest::{RequestBuilder, StatusCode};

use super::{is_refused_address, read_body};
use crate::CallError;

/// A complete answer.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    /// The media type it says to be of, without parameters, in small letters.
    pub(crate) media_type: String,
    /// At most [`super::MAX_RESPONSE`] bytes.
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The body as JSON; an answer that is none will not become one.
    pub(crate) fn json<T: serde::de::DeserializeOwned>(&self) -> Result<T, CallError> {
        serde_json::from_slice(&self.body)
            .map_err(|_| CallError::Permanent("the answer is not the JSON expected".into()))
    }

    /// What a status other than success means for another try.
    pub(crate) fn failure(&self) -> CallError {
        let detail = format!("HTTP {}", self.status.as_u16());
        if is_temporary(self.status) { CallError::Temporary(detail) } else { CallError::Permanent(detail) }
    }
}

/// Whether the same request may be answered otherwise later.
pub(crate) fn is_temporary(status: StatusCode) -> bool {
    status.is_server_error() || matches!(status.as_u16(), 408 | 429)
}

/// Sends `request`, none when the guard refused its URL, and reads the whole answer within `timeout`.
pub(crate) async fn exchange(request: Option<RequestBuilder>, timeout: Duration) -> Result<Answer, CallError> {
    let refused = || CallError::Permanent("the address is not public".to_owned());
    let request = request.ok_or_else(refused)?.timeout(timeout);
    let response = request
        .send()
        .await
        .map_err(|error| if is_refused_address(&error) { refused() } else { describe_failure(&error) })?;
    let (status, media_type) = (response.status(), media_type(response.headers()));
    match read_body(response).await {
        Some(body) => Ok(Answer { status, media_type, body }),
        None => Err(CallError::Temporary("the answer is too long or broke off".to_owned())),
    }
}

fn media_type(headers: &HeaderMap) -> String {
    let text = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn describe_failure(error: &reqwest::Error) -> CallError {
    if error.is_builder() {
        return CallError::Permanent("the request cannot be built".to_owned());
    }
    let detail = match () {
        () if error.is_connect() => "no connection",
        () if error.is_timeout() => "time limit reached",
        () => "the connection broke off",
    };
    CallError::Temporary(detail.to_owned())
}
