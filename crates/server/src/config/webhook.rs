//! Servers of the operator's own that policies ask and tell, and the legacy portal.

use std::path::PathBuf;

use secrecy::SecretString;
use serde::Deserialize;

use super::{ConfigError, refuse, secret};

/// A server that policies ask and tell, or the legacy portal.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    pub url: String,
    pub secret: Option<SecretString>,
    pub secret_file: Option<PathBuf>,
    #[serde(default)]
    pub allow_private: bool,
    pub ca_file: Option<PathBuf>,
}

impl Webhook {
    /// What we show it, or sign with; `section` is where it stands.
    pub fn secret(&self, section: &str) -> Result<SecretString, ConfigError> {
        let key = format!("{section}.secret");
        match secret(self.secret.as_ref(), self.secret_file.as_deref(), &key)? {
            Some(secret) => Ok(secret),
            None => refuse(format!("{key} (or secret_file) is missing")),
        }
    }
}
