//! Answers of the authorization endpoint: parameters and how they travel. `iss` and `state` are in every one.

use countersign_model::{ClientId, Scope, Seconds, Timestamp};
use serde_json::{Map, Value, json};
use url::form_urlencoded;

use crate::authorization::{ResponseMode, ResponseTarget, ValidRedirectUri};
use crate::error::OAuthError;
use crate::issuer::Issuer;

/// An answer on its way to a proven redirect URI.
#[derive(Clone, PartialEq, Eq)]
pub struct AuthorizationResponse {
    redirect_uri: ValidRedirectUri,
    mode: ResponseMode,
    parameters: Vec<(&'static str, String)>,
}

/// What a request was granted, in the order of the answer.
#[derive(Clone, Copy, Default)]
pub struct Granted<'a> {
    /// Authorization code.
    pub code: Option<&'a str>,
    /// Access token, how long it lives, and what it allows.
    pub access_token: Option<(&'a str, Seconds, &'a Scope)>,
    /// ID token.
    pub id_token: Option<&'a str>,
}

/// How long a signed answer lives (JARM, 2.1: ten minutes at most is recommended).
const SIGNED_LIFETIME: Seconds = Seconds::minutes(5);

/// What the browser is given.
#[derive(Clone, PartialEq, Eq)]
pub enum Rendered {
    /// A 303 to this location.
    Redirect(String),
    /// A page with a form that posts itself (Form Post Response Mode): every value is to be escaped.
    FormPost {
        /// Where to.
        action: String,
        /// Names and values.
        fields: Vec<(&'static str, String)>,
    },
}

impl AuthorizationResponse {
    /// The answer with what was granted (RFC 6749, 4.1.2 and 4.2.2; Core, 3.2.2.5; RFC 9207, 2).
    pub fn success(target: ResponseTarget, issuer: &Issuer, granted: &Granted<'_>) -> Self {
        let mut parameters: Vec<(&'static str, String)> = Vec::new();
        parameters.extend(granted.code.map(|code| ("code", code.to_owned())));
        if let Some((token, lifetime, scope)) = granted.access_token {
            parameters.push(("access_token", token.to_owned()));
            parameters.push(("token_type", "Bearer".to_owned()));
            parameters.push(("expires_in", lifetime.get().to_string()));
            parameters.push(("scope", scope.to_string()));
        }
        parameters.extend(granted.id_token.map(|token| ("id_token", token.to_owned())));
        Self::new(target, issuer, parameters)
    }

    /// This answer with what the client's pages need to see the session change (Session Management, 2).
    #[must_use]
    pub fn with_session_state(mut self, state: Option<String>) -> Self {
        self.parameters.extend(state.map(|state| ("session_state", state)));
        self
    }

    /// The answer with an error (RFC 6749, 4.1.2.1; RFC 9207, 2).
    pub fn error(target: ResponseTarget, issuer: &Issuer, error: &OAuthError) -> Self {
        let mut parameters = vec![("error", error.code.as_str().to_owned())];
        if !error.description.is_empty() {
            parameters.push(("error_description", error.public_description()));
        }
        Self::new(target, issuer, parameters)
    }

    fn new(target: ResponseTarget, issuer: &Issuer, mut parameters: Vec<(&'static str, String)>) -> Self {
        parameters.extend(target.state.map(|state| ("state", state)));
        parameters.push(("iss", issuer.to_string()));
        Self { redirect_uri: target.redirect_uri, mode: target.mode, parameters }
    }

    /// The answer in the mode asked for; a registered query is kept byte for byte. `sign` makes a JWT of the claims of
    /// a signed answer (JARM, 2.1).
    ///
    /// A redirect without a fragment of its own gets `#_`, lest the browser carry an old one along
    /// (RFC 9700, 4.1.3).
    pub fn render<E>(
        mut self,
        client: &ClientId,
        now: Timestamp,
        sign: impl FnOnce(&Map<String, Value>) -> Result<String, E>,
    ) -> Result<Rendered, E> {
        if self.mode.is_signed() {
            self.parameters = vec![("response", sign(&self.claims(client, now))?)];
        }
        let uri = self.redirect_uri.as_str();
        Ok(match self.mode {
            ResponseMode::Query | ResponseMode::QueryJwt => {
                let separator = match uri.split_once('?') {
                    None => "?",
                    Some((_, query)) if query.is_empty() || query.ends_with('&') => "",
                    Some(_) => "&",
                };
                Rendered::Redirect(format!("{uri}{separator}{}#_", self.encode()))
            }
            ResponseMode::Fragment | ResponseMode::FragmentJwt => {
                Rendered::Redirect(format!("{uri}#{}", self.encode()))
            }
            ResponseMode::FormPost | ResponseMode::FormPostJwt => {
                Rendered::FormPost { action: uri.to_owned(), fields: self.parameters }
            }
        })
    }

    /// The parameters as claims, with whom they are for and how long.
    fn claims(&self, client: &ClientId, now: Timestamp) -> Map<String, Value> {
        let value = |name: &str, text: &str| match (name, text.parse::<u32>()) {
            ("expires_in", Ok(seconds)) => json!(seconds),
            _ => json!(text),
        };
        let mut claims: Map<String, Value> =
            self.parameters.iter().map(|(name, text)| ((*name).to_owned(), value(name, text))).collect();
        claims.insert("aud".to_owned(), json!(client.as_str()));
        claims.insert("iat".to_owned(), json!(now.as_secs()));
        claims.insert("exp".to_owned(), json!(now.plus(SIGNED_LIFETIME).as_secs()));
        claims
    }

    fn encode(&self) -> String {
        form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.parameters).finish()
    }
}

impl std::fmt::Debug for Granted<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Granted(..)")
    }
}

impl std::fmt::Debug for AuthorizationResponse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<_> = self.parameters.iter().map(|(name, _)| *name).collect();
        f.debug_struct("AuthorizationResponse")
            .field("mode", &self.mode)
            .field("parameters", &names)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Rendered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Redirect(_) => "Redirect",
            Self::FormPost { .. } => "FormPost",
        })
    }
}

#[cfg(test)]
mod tests;
