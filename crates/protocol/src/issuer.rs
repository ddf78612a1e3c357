//! The issuer identifier (OpenID Connect Discovery, 3; RFC 8414, 2).

use std::fmt;
use std::str::FromStr;

use url::Url;

/// Text that cannot be an issuer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an issuer is a normalised http(s) URL without user, query, fragment and trailing slash")]
pub struct IssuerError;

/// An issuer identifier: compared byte for byte, prefix of every endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Issuer(String);

impl Issuer {
    /// The identifier as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The address of the endpoint at `path`, which starts with a slash.
    pub fn endpoint(&self, path: &str) -> String {
        format!("{}{path}", self.0)
    }

    /// Whether it is https.
    pub fn is_secure(&self) -> bool {
        self.0.starts_with("https://")
    }
}

impl FromStr for Issuer {
    type Err = IssuerError;

    fn from_str(text: &str) -> Result<Self, IssuerError> {
        let url = Url::parse(text).map_err(|_| IssuerError)?;
        let web = matches!(url.scheme(), "http" | "https") && url.username().is_empty() && url.password().is_none();
        let bare = url.query().is_none() && url.fragment().is_none() && !text.ends_with('/');
        let normalised = url.as_str().trim_end_matches('/') == text;
        if web && bare && normalised { Ok(Self(text.to_owned())) } else { Err(IssuerError) }
    }
}

impl fmt::Display for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests;
