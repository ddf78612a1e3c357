//! Where an answer may go: only to a URI matched against a client here, so that an open redirect does not type-check.

use countersign_model::{ApplicationType, Client};
use serde::{Deserialize, Serialize};
use url::Url;

/// A redirect URI proven to be the client's. Only matching a client makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValidRedirectUri(String);

/// A redirect URI at rest, in a running instance: worth nothing until it is matched against the client again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StoredRedirectUri(String);

impl ValidRedirectUri {
    /// The URI as asked for, if `client` registered it: byte for byte (RFC 6749, 3.1.2.3; RFC 9700, 2.1), but for the
    /// port of a native client's loopback address (RFC 8252, 7.3).
    pub fn find(client: &Client, asked: &str) -> Option<Self> {
        let native = client.application_type == ApplicationType::Native;
        let matches = |registered: &String| registered == asked || (native && is_same_loopback(registered, asked));
        (is_redirectable(asked) && client.redirect_uris.iter().any(matches)).then(|| Self(asked.to_owned()))
    }

    /// The URI as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The form to keep.
    pub fn store(&self) -> StoredRedirectUri {
        StoredRedirectUri(self.0.clone())
    }
}

impl StoredRedirectUri {
    /// The URI if it is still `client`'s.
    pub fn revalidate(&self, client: &Client) -> Option<ValidRedirectUri> {
        ValidRedirectUri::find(client, &self.0)
    }

    /// The URI as text, to be kept with the authorization code; no proof of anything.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Absolute, visible ASCII, no fragment (RFC 6749, 3.1.2), no scheme a browser runs as a script.
fn is_redirectable(uri: &str) -> bool {
    let clean = uri.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'#' | b'"' | b'<' | b'>' | b'\\'));
    let scripted = |url: Url| matches!(url.scheme(), "javascript" | "data" | "vbscript" | "blob" | "file" | "about");
    clean && Url::parse(uri).is_ok_and(|url| !scripted(url))
}

fn is_same_loopback(registered: &str, asked: &str) -> bool {
    matches!((split_loopback(registered), split_loopback(asked)), (Some(known), Some(wanted)) if known == wanted)
}

/// Host and what follows the port of an http URI at a loopback address; `localhost` is a name and does not count.
fn split_loopback(uri: &str) -> Option<(&str, &str)> {
    let authority = uri.strip_prefix("http://")?;
    let host = ["127.0.0.1", "[::1]"].into_iter().find(|host| authority.starts_with(host))?;
    let rest = &authority[host.len()..];
    let rest = match rest.strip_prefix(':') {
        None => rest,
        Some(port) => {
            let digits = port.bytes().take_while(u8::is_ascii_digit).count();
            port[..digits].parse::<u16>().ok()?;
            &port[digits..]
        }
    };
    (rest.is_empty() || rest.starts_with(['/', '?'])).then_some((host, rest))
}
