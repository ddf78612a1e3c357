//! What a client learns of the browser's session, to see in the browser when it changes (Session Management, 2 and 3).

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_model::ClientId;
use url::Url;

/// `session_state` for the pages of `redirect_uri`'s origin: a salted hash of the client, that origin and the state that
/// the browser keeps in a cookie. The page of `check_session_iframe` computes the same. None: the address has no origin.
pub fn compute(client: &ClientId, redirect_uri: &str, browser_state: &str, salt: &str) -> Option<String> {
    let origin = Url::parse(redirect_uri).ok()?.origin();
    let origin = origin.is_tuple().then(|| origin.ascii_serialization())?;
    let text = format!("{client} {origin} {browser_state} {salt}");
    let hash = digest::digest(&digest::SHA256, text.as_bytes());
    Some(format!("{}.{salt}", URL_SAFE_NO_PAD.encode(hash.as_ref())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::client;

    #[test]
    fn it_changes_with_the_browser_the_origin_and_the_salt_and_not_with_the_path() {
        let state = |uri: &str, browser: &str, salt: &str| compute(&client().id, uri, browser, salt);
        let known = state("https://rp.example/cb", "b", "s").unwrap();
        // SHA-256 of "rp https://rp.example b s".
        assert_eq!(known, "yhx7DxQsEvEkt6XLc_FlxsSJC_8dNDMWpAT_xNlNPCQ.s");
        assert_eq!(state("https://rp.example:443/other?x=y", "b", "s").unwrap(), known);
        for other in [
            state("https://rp.example/cb", "c", "s"),
            state("https://rp.example/cb", "b", "t"),
            state("https://rp.example:8443/cb", "b", "s"),
        ] {
            assert_ne!(other.unwrap(), known);
        }
        assert!(!known.contains(' '), "2: no space in it");
        assert_eq!(state("com.example.app:/cb", "b", "s"), None);
    }
}
