//! Answers of the authorization endpoint: parameters and how they travel. `iss` and `state` are in every one.

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
    /// The answer with an authorization code (RFC 6749, 4.1.2; RFC 9207, 2).
    pub fn success(target: ResponseTarget, issuer: &Issuer, code: &str) -> Self {
        Self::new(target, issuer, vec![("code", code.to_owned())])
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

    /// The answer in the mode asked for; a registered query is kept byte for byte.
    ///
    /// A redirect without a fragment of its own gets `#_`, lest the browser carry an old one along
    /// (RFC 9700, 4.1.3).
    pub fn render(self) -> Rendered {
        let uri = self.redirect_uri.as_str();
        match self.mode {
            ResponseMode::Query => {
                let separator = match uri.split_once('?') {
                    None => "?",
                    Some((_, query)) if query.is_empty() || query.ends_with('&') => "",
                    Some(_) => "&",
                };
                Rendered::Redirect(format!("{uri}{separator}{}#_", self.encode()))
            }
            ResponseMode::Fragment => Rendered::Redirect(format!("{uri}#{}", self.encode())),
            ResponseMode::FormPost => Rendered::FormPost { action: uri.to_owned(), fields: self.parameters },
        }
    }

    fn encode(&self) -> String {
        form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.parameters).finish()
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
