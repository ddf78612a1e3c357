//! Form and query parameters: `application/x-www-form-urlencoded`, bounded, each name once but for a few.

use std::fmt;

use crate::error::{ErrorCode, OAuthError};

/// The longest accepted text, in bytes.
pub const MAX_BYTES: usize = 16 * 1024;
/// The most parameters accepted.
pub const MAX_COUNT: usize = 64;
/// Parameters that may be sent more than once (RFC 8707, 2; RFC 8693, 2.1).
const REPEATABLE: [&str; 2] = ["resource", "audience"];

/// The parameters of one request. An empty value counts as absent (RFC 6749, 3.1); Debug shows the names only.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Params(Vec<(String, String)>);

impl Params {
    /// Parses a form body. Errors with `invalid_request`: too long, too many, a name twice, broken encoding.
    pub fn parse_form(body: &[u8]) -> Result<Self, OAuthError> {
        if body.len() > MAX_BYTES {
            return Err(malformed("The request is too long"));
        }
        let mut params = Self::default();
        for pair in body.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
            params.insert(pair)?;
        }
        params.0.retain(|(_, value)| !value.is_empty());
        Ok(params)
    }

    /// Parses a query, without its `?`; same errors as [`Params::parse_form`].
    pub fn parse_query(query: &str) -> Result<Self, OAuthError> {
        Self::parse_form(query.as_bytes())
    }

    /// What was sent once of a body in which a parameter was sent more often: enough to tell its client so. None: there
    /// is more wrong with it.
    pub fn parse_once(body: &[u8]) -> Option<Self> {
        let pairs = body.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty());
        let pairs: Vec<_> = pairs.map(decode).take(MAX_COUNT + 1).collect::<Option<_>>()?;
        let once = |name: &String| pairs.iter().filter(|(known, _)| known == name).count() == 1;
        let kept = pairs.iter().filter(|(name, value)| !value.is_empty() && once(name));
        (body.len() <= MAX_BYTES && pairs.len() <= MAX_COUNT).then(|| Self(kept.cloned().collect()))
    }

    /// The value of `name`, if there is one.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Every value of `name`, in the order sent: more than one for the few that may repeat.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Whether `name` has a value.
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// The same with one value of `name` instead of those there are.
    #[must_use]
    pub fn with(self, name: &str, value: &str) -> Self {
        self.without(&[name]).and(name, value)
    }

    /// The same with one more value of `name`; an empty one counts for nothing.
    #[must_use]
    pub fn and(mut self, name: &str, value: &str) -> Self {
        if !value.is_empty() {
            self.0.push((name.to_owned(), value.to_owned()));
        }
        self
    }

    /// The same without `names`.
    #[must_use]
    pub fn without(mut self, names: &[&str]) -> Self {
        self.0.retain(|(known, _)| !names.contains(&known.as_str()));
        self
    }

    /// Names and values, in the order sent.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Whether nothing was sent.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn insert(&mut self, pair: &[u8]) -> Result<(), OAuthError> {
        if self.0.len() == MAX_COUNT {
            return Err(malformed("The request has too many parameters"));
        }
        let (name, value) = decode(pair).ok_or_else(|| malformed("The request is not properly form-encoded"))?;
        if !REPEATABLE.contains(&name.as_str()) && self.0.iter().any(|(known, _)| *known == name) {
            return Err(malformed("A parameter was sent more than once"));
        }
        self.0.push((name, value));
        Ok(())
    }
}

impl fmt::Debug for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

/// Name and value of a pair.
fn decode(pair: &[u8]) -> Option<(String, String)> {
    let split = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
    let (name, value) = (&pair[..split], pair.get(split + 1..).unwrap_or_default());
    Some((form_decode(name)?, form_decode(value)?))
}

/// Decodes one form-encoded name or value; none: a broken escape or no UTF-8.
pub(crate) fn form_decode(text: &[u8]) -> Option<String> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => hex(*bytes.next()?)? << 4 | hex(*bytes.next()?)?,
            plain => *plain,
        });
    }
    String::from_utf8(decoded).ok()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

fn malformed(description: &'static str) -> OAuthError {
    OAuthError::new(ErrorCode::InvalidRequest, description)
}

#[cfg(test)]
mod tests;
