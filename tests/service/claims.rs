//! Reads tokens without verifying them: these tests are about what was written, not about signatures.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

fn part(token: &str, index: usize) -> Value {
    let part = token.split('.').nth(index).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

/// Claims of the ID token in an answer of the token endpoint.
pub fn id_claims(tokens: &Value) -> Value {
    part(tokens["id_token"].as_str().unwrap(), 1)
}

/// Header of that ID token.
pub fn id_header(tokens: &Value) -> Value {
    part(tokens["id_token"].as_str().unwrap(), 0)
}
