//! Why something was not sent. The details are for the log: never a body, a secret or a full address.

use std::path::PathBuf;

/// Why a mail, text or call did not go out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// Certainly not taken; a later try may succeed.
    #[error("temporary: {0}")]
    Temporary(String),
    /// Certainly not taken; no later try will succeed.
    #[error("permanent: {0}")]
    Permanent(String),
    /// The answer was lost after it was handed over: it may have been taken, so a second try may deliver twice.
    #[error("uncertain: {0}")]
    Uncertain(String),
}

impl SendError {
    /// Whether another try can help and cannot deliver twice.
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::Temporary(_))
    }
}

/// Settings with which nothing could ever be sent.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file of extra CA certificates cannot be used.
    #[error("CA file {path}: {reason}")]
    CaFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// TLS could not be set up.
    #[error("TLS: {0}")]
    Tls(String),
    /// A value has the wrong form.
    #[error("{key}: {reason}")]
    Value {
        /// Name of the setting.
        key: &'static str,
        /// What is wrong with it.
        reason: &'static str,
    },
}

/// Why a call to somebody else's server gave nothing. The details are for the log: never a secret or a body.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// A later try may succeed.
    #[error("temporary: {0}")]
    Temporary(String),
    /// The same call will not succeed later.
    #[error("permanent: {0}")]
    Permanent(String),
}

impl CallError {
    /// Whether another try can help.
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::Temporary(_))
    }
}
