//! Outgoing mail.

use std::path::PathBuf;

use countersign_service::MailIdentity;
use secrecy::SecretString;
use serde::Deserialize;

use super::{ConfigError, is_here, refuse, secret};

/// How the connection to the mail server is secured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MailTls {
    None,
    Starttls,
    Tls,
}

/// Outgoing mail.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mail {
    pub host: String,
    pub port: u16,
    pub tls: MailTls,
    pub username: Option<String>,
    pub password: Option<SecretString>,
    pub password_file: Option<PathBuf>,
    pub ca_file: Option<PathBuf>,
    pub from: String,
    pub from_name: String,
    pub company: String,
    pub product: String,
    pub pool_size: usize,
    pub timeout: u64,
    #[serde(default)]
    pub dkim: Vec<MailDkim>,
}

impl Mail {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if self.username.is_some() && self.tls == MailTls::None {
            return refuse("mail.username without mail.tls would send the password in clear");
        }
        Ok(())
    }

    /// Whether the mail server is another machine, reached without TLS.
    pub(super) fn is_in_clear(&self) -> bool {
        self.tls == MailTls::None && !is_here(&self.host)
    }

    /// The mail server's password, if it wants one.
    pub fn password(&self) -> Result<Option<SecretString>, ConfigError> {
        secret(self.password.as_ref(), self.password_file.as_deref(), "mail.password")
    }

    pub(super) fn identity(&self) -> MailIdentity {
        MailIdentity { company: self.company.clone(), product: self.product.clone(), from: None }
    }
}

/// A key that signs mails from a domain.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MailDkim {
    pub domain: String,
    pub selector: String,
    pub key_file: PathBuf,
}
