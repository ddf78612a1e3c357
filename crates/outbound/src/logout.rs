//! Tells a client that a session ended (OpenID Connect Back-Channel Logout, 2.5).

use std::time::Duration;

use reqwest::Method;
use url::Url;

use crate::CallError;
use crate::http::{HttpClient, exchange};

/// Posts a logout token to the address a client registered; any 2xx will do (2.8). It may arrive twice: its `jti` tells.
pub async fn post_logout_token(http: &HttpClient, url: &Url, token: &str, timeout: Duration) -> Result<(), CallError> {
    http.check_url("backchannel_logout_uri", url).map_err(|error| CallError::Permanent(error.to_string()))?;
    // Base64url and dots stand for themselves in a form.
    let body = format!("logout_token={token}");
    let request = http.request(Method::POST, url.clone());
    let request = request.map(|request| request.header("Content-Type", "application/x-www-form-urlencoded").body(body));
    let answer = exchange(request, timeout).await?;
    if answer.status.is_success() { Ok(()) } else { Err(answer.failure()) }
}
