//! Errors of OAuth and OpenID Connect: a registered code, a fixed public description, a detail for the log alone.

use std::fmt;

use serde_json::{Value, json};

macro_rules! error_codes {
    ($($(#[$doc:meta])* $name:ident = $word:literal),* $(,)?) => {
        /// A code of the IANA registry "OAuth Extensions Error".
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ErrorCode {
            $($(#[$doc])* $name,)*
        }

        impl ErrorCode {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The registered text.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)*
                }
            }

            /// The code written `word`.
            pub fn from_word(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|code| code.as_str() == word)
            }
        }
    };
}

error_codes! {
    /// RFC 6749, 4.1.2.1 and 5.2; RFC 6750, 3.1.
    InvalidRequest = "invalid_request",
    /// RFC 6749, 5.2.
    InvalidClient = "invalid_client",
    /// RFC 6749, 5.2.
    InvalidGrant = "invalid_grant",
    /// RFC 6749, 4.1.2.1 and 5.2.
    UnauthorizedClient = "unauthorized_client",
    /// RFC 6749, 5.2.
    UnsupportedGrantType = "unsupported_grant_type",
    /// RFC 6749, 4.1.2.1 and 5.2.
    InvalidScope = "invalid_scope",
    /// RFC 6749, 4.1.2.1.
    AccessDenied = "access_denied",
    /// RFC 6749, 4.1.2.1.
    UnsupportedResponseType = "unsupported_response_type",
    /// RFC 6749, 4.1.2.1.
    ServerError = "server_error",
    /// RFC 6749, 4.1.2.1.
    TemporarilyUnavailable = "temporarily_unavailable",
    /// OpenID Connect Core, 3.1.2.6.
    InteractionRequired = "interaction_required",
    /// OpenID Connect Core, 3.1.2.6.
    LoginRequired = "login_required",
    /// OpenID Connect Core, 3.1.2.6.
    ConsentRequired = "consent_required",
    /// OpenID Connect Core, 3.1.2.6.
    RequestNotSupported = "request_not_supported",
    /// OpenID Connect Core, 3.1.2.6.
    RequestUriNotSupported = "request_uri_not_supported",
    /// RFC 9101, 7.
    InvalidRequestObject = "invalid_request_object",
    /// RFC 9101, 7; RFC 9126, 4.
    InvalidRequestUri = "invalid_request_uri",
    /// OpenID Connect Core, 3.1.2.6.
    RegistrationNotSupported = "registration_not_supported",
    /// OpenID Connect Core Error Code unmet_authentication_requirements 1.0.
    UnmetAuthenticationRequirements = "unmet_authentication_requirements",
    /// RFC 8707, 2.
    InvalidTarget = "invalid_target",
    /// RFC 8628, 3.5.
    AuthorizationPending = "authorization_pending",
    /// RFC 8628, 3.5.
    SlowDown = "slow_down",
    /// RFC 8628, 3.5.
    ExpiredToken = "expired_token",
    /// RFC 6750, 3.1.
    InvalidToken = "invalid_token",
    /// RFC 6750, 3.1.
    InsufficientScope = "insufficient_scope",
    /// RFC 9449, 12.2.
    InvalidDpopProof = "invalid_dpop_proof",
    /// RFC 9449, 12.2.
    UseDpopNonce = "use_dpop_nonce",
    /// RFC 9470, 3.
    InsufficientUserAuthentication = "insufficient_user_authentication",
}

/// A refusal: code and description go to the client, the detail to the log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {description} ({detail})", code.as_str())]
pub struct OAuthError {
    /// What the client's program acts on.
    pub code: ErrorCode,
    /// What the client's developer reads.
    pub description: &'static str,
    /// What the operator reads; never sent out, never a secret.
    pub detail: String,
    basic_challenge: bool,
}

/// The status and challenge that belong to an error of the token endpoint, as plain data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenErrorStatus {
    /// HTTP status: 400, 401, 500 or 503.
    pub status: u16,
    /// Value of `WWW-Authenticate`, if there must be one.
    pub www_authenticate: Option<&'static str>,
}

impl OAuthError {
    /// The challenge sent when a client used the Authorization header and failed (RFC 6749, 5.2; RFC 7617, 2).
    pub const BASIC_CHALLENGE: &'static str = r#"Basic realm="countersign""#;

    /// A refusal without detail.
    pub const fn new(code: ErrorCode, description: &'static str) -> Self {
        Self { code, description, detail: String::new(), basic_challenge: false }
    }

    /// The same with a detail for the log.
    #[must_use]
    pub fn with_detail(mut self, detail: impl fmt::Display) -> Self {
        self.detail = detail.to_string();
        self
    }

    /// The same, answered with a Basic challenge: the client used the Authorization header.
    #[must_use]
    pub(crate) const fn with_basic_challenge(mut self, header_used: bool) -> Self {
        self.basic_challenge = header_used;
        self
    }

    /// The description in the characters RFC 6749, 4.1.2.1 allows (%x20-21 / %x23-5B / %x5D-7E).
    pub fn public_description(&self) -> String {
        self.description.chars().filter(|char| matches!(char, ' '..='!' | '#'..='[' | ']'..='~')).collect()
    }

    /// The JSON body (RFC 6749, 5.2). Never holds `state`.
    pub fn body(&self) -> Value {
        match self.description {
            "" => json!({ "error": self.code.as_str() }),
            _ => json!({ "error": self.code.as_str(), "error_description": self.public_description() }),
        }
    }

    /// Status and challenge at the token endpoint (RFC 6749, 5.2).
    pub fn token_status(&self) -> TokenErrorStatus {
        let status = match self.code {
            ErrorCode::InvalidClient => 401,
            ErrorCode::ServerError => 500,
            ErrorCode::TemporarilyUnavailable => 503,
            _ => 400,
        };
        let www_authenticate = (status == 401 && self.basic_challenge).then_some(Self::BASIC_CHALLENGE);
        TokenErrorStatus { status, www_authenticate }
    }
}

#[cfg(test)]
mod tests;
