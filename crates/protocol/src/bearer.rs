//! Access tokens presented to a protected resource (RFC 6750; RFC 9449, 7).

use countersign_model::{Scope, Seconds};
use secrecy::SecretString;
use serde_json::Value;

use crate::binding::Scheme;
use crate::dpop;
use crate::error::{ErrorCode, OAuthError};
use crate::params::Params;

/// The longest accepted token, in bytes.
const MAX_TOKEN: usize = 16 * 1024;

/// Why a protected resource does not answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No token was presented: a bare challenge, no error code (RFC 6750, 3.1).
    Missing,
    /// The request or the token is at fault.
    Error(OAuthError),
    /// The token does not allow it.
    InsufficientScope {
        /// What would.
        needed: &'static str,
    },
    /// The person behind the token proved too little, or too long ago (RFC 9470, 3).
    InsufficientAuthentication {
        /// Authentication contexts one of which is enough; empty: what was proven is.
        acr_values: Vec<String>,
        /// How old the login may be; none: it is young enough.
        max_age: Option<Seconds>,
    },
}

impl Refusal {
    /// HTTP status (RFC 6750, 3.1): 400, 401, 403, or 500 and 503.
    pub fn status(&self) -> u16 {
        match self {
            Self::Missing | Self::InsufficientAuthentication { .. } => 401,
            Self::InsufficientScope { .. } => 403,
            Self::Error(error) => match error.code {
                ErrorCode::InvalidToken
                | ErrorCode::InvalidDpopProof
                | ErrorCode::UseDpopNonce
                | ErrorCode::InsufficientUserAuthentication => 401,
                ErrorCode::ServerError => 500,
                ErrorCode::TemporarilyUnavailable => 503,
                _ => 400,
            },
        }
    }

    /// Value of `WWW-Authenticate` where bearer tokens alone are taken (RFC 6750, 3).
    pub fn challenge(&self) -> String {
        challenge("Bearer", &self.parameters())
    }

    /// Values of `WWW-Authenticate` where tokens of both kinds are taken, that of the scheme in use first and with the
    /// error (RFC 9449, 7.1).
    pub fn challenges(&self, used: Scheme) -> [String; 2] {
        let algorithms = format!(r#"algs="{}""#, dpop::algorithms());
        let mut told = self.parameters();
        match used {
            Scheme::Bearer => [challenge("Bearer", &told), challenge("DPoP", &[algorithms])],
            Scheme::Dpop => {
                told.push(algorithms);
                [challenge("DPoP", &told), challenge("Bearer", &[])]
            }
        }
    }

    fn parameters(&self) -> Vec<String> {
        let error = |code: ErrorCode, description: &str| {
            vec![format!(r#"error="{}""#, code.as_str()), format!(r#"error_description="{description}""#)]
        };
        match self {
            Self::Missing => Vec::new(),
            Self::Error(refusal) => error(refusal.code, &refusal.public_description()),
            Self::InsufficientScope { needed } => {
                let mut told = error(ErrorCode::InsufficientScope, TOO_NARROW);
                told.push(format!(r#"scope="{needed}""#));
                told
            }
            Self::InsufficientAuthentication { acr_values, max_age } => {
                let mut told = error(ErrorCode::InsufficientUserAuthentication, TOO_WEAK);
                if !acr_values.is_empty() {
                    told.push(format!(r#"acr_values="{}""#, acr_values.join(" ")));
                }
                told.extend(max_age.map(|age| format!(r#"max_age="{}""#, age.get())));
                told
            }
        }
    }

    /// JSON body; none where there is no error code.
    pub fn body(&self) -> Option<Value> {
        match self {
            Self::Missing => None,
            Self::Error(error) => Some(error.body()),
            Self::InsufficientScope { .. } => Some(OAuthError::new(ErrorCode::InsufficientScope, TOO_NARROW).body()),
            Self::InsufficientAuthentication { .. } => {
                Some(OAuthError::new(ErrorCode::InsufficientUserAuthentication, TOO_WEAK).body())
            }
        }
    }
}

fn challenge(scheme: &str, parameters: &[String]) -> String {
    if parameters.is_empty() { scheme.to_owned() } else { format!("{scheme} {}", parameters.join(", ")) }
}

const TOO_NARROW: &str = "The access token does not allow this";
const TOO_WEAK: &str = "This takes a stronger or a more recent authentication of the person";

impl From<OAuthError> for Refusal {
    fn from(error: OAuthError) -> Self {
        Self::Error(error)
    }
}

/// The scheme under which a request presents its token, whether it is one or not.
pub fn scheme_of(authorization: Option<&str>) -> Scheme {
    let is_dpop = authorization.and_then(|header| credentials(header, "dpop")).is_some();
    if is_dpop { Scheme::Dpop } else { Scheme::Bearer }
}

/// Finds the token of a request: in the `Authorization` header (schemes in any case) or the form of a POST. One in the
/// query is refused (RFC 9700, 4.3.2), two at once too (RFC 6750, 2). `form` is empty for a GET.
pub fn find_token(authorization: Option<&str>, query: &Params, form: &Params) -> Result<SecretString, Refusal> {
    let invalid = |description| Refusal::Error(OAuthError::new(ErrorCode::InvalidRequest, description));
    let header = authorization.and_then(|header| credentials(header, "bearer").or_else(|| credentials(header, "dpop")));
    let in_form = form.get("access_token");
    match (header, in_form, query.has("access_token")) {
        (_, _, true) => Err(invalid("An access token does not belong in the query")),
        (Some(_), Some(_), _) => Err(invalid("The request presents more than one access token")),
        (Some(token), None, _) | (None, Some(token), _) if is_b64token(token) => Ok(SecretString::from(token)),
        (None, None, _) => Err(Refusal::Missing),
        _ => Err(invalid("The access token is malformed")),
    }
}

/// Checks that `granted` holds `needed`.
pub fn check_scope(granted: &Scope, needed: &'static str) -> Result<(), Refusal> {
    if granted.contains(needed) { Ok(()) } else { Err(Refusal::InsufficientScope { needed }) }
}

/// What follows the scheme `name`; none: another scheme.
fn credentials<'a>(header: &'a str, name: &str) -> Option<&'a str> {
    let (scheme, token) = header.split_once(' ').unwrap_or((header, ""));
    scheme.eq_ignore_ascii_case(name).then_some(token.trim_matches(' '))
}

/// RFC 6750, 2.1: 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"=".
fn is_b64token(token: &str) -> bool {
    let body = token.trim_end_matches('=');
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
    !body.is_empty() && token.len() <= MAX_TOKEN && body.bytes().all(allowed)
}

#[cfg(test)]
mod tests;
