//! Pushed authorization requests (RFC 9126): their names and the answer of the endpoint.

use countersign_model::Seconds;
use serde_json::{Value, json};

/// What the name of a pushed request begins with (RFC 9126, 2.2).
const PREFIX: &str = "urn:ietf:params:oauth:request_uri:";

/// How long one waits for its browser.
pub const LIFETIME: Seconds = Seconds::new(60);

/// The name in a `request_uri` of ours; none: it is an address.
pub fn name_in(uri: &str) -> Option<&str> {
    uri.strip_prefix(PREFIX)
}

/// The body of the endpoint's answer, 201 (RFC 9126, 2.2).
pub fn response(name: &str) -> Value {
    json!({ "request_uri": format!("{PREFIX}{name}"), "expires_in": LIFETIME.get() })
}
