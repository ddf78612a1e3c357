//! Documents at addresses that clients registered: their keys, their redirect URIs, their request objects.

use std::time::Duration;

use reqwest::Method;
use url::Url;

use crate::CallError;
use crate::http::{HttpClient, exchange};

/// Limit of one document: somebody waits for the answer that needs it.
const TIMEOUT: Duration = Duration::from_secs(5);

/// What is at `url`: `https`, or `http` on this host where `http` may go there; 200 at once, no redirect, at most
/// [`crate::http::MAX_RESPONSE`] bytes. `accept` is the media type asked for.
pub async fn fetch(http: &HttpClient, url: &str, accept: &'static str) -> Result<Vec<u8>, CallError> {
    let url = Url::parse(url).map_err(|_| CallError::Permanent("not a URL".to_owned()))?;
    let mut place = url.clone();
    // A fragment stays here (RFC 9110, 4.2.5).
    place.set_fragment(None);
    http.check_url("url", &place).map_err(|error| CallError::Permanent(error.to_string()))?;
    let request = http.request(Method::GET, place).map(|request| request.header("Accept", accept));
    let answer = exchange(request, TIMEOUT).await?;
    tracing::debug!(host = url.host_str(), status = answer.status.as_u16(), "a client's document");
    if answer.status.as_u16() == 200 { Ok(answer.body) } else { Err(answer.failure()) }
}
