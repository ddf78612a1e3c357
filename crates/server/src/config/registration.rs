//! Clients that register themselves (RFC 7591).

use std::path::PathBuf;

use countersign_model::{Scope, Seconds};
use countersign_service::{RegistrationAccess, RegistrationSettings};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::{ConfigError, refuse, secret};

/// Who may register a client (RFC 7591).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RegistrationBy {
    /// Nobody.
    Nobody,
    /// Who holds an initial access token.
    Token,
    /// Everybody.
    Everybody,
}

/// Clients that register themselves.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Registration {
    /// Who may.
    pub by: RegistrationBy,
    /// An initial access token.
    pub initial_access_token: Option<SecretString>,
    /// File that holds it.
    pub initial_access_token_file: Option<PathBuf>,
    /// How many such clients there may be.
    pub most_clients: u32,
    /// Days without use after which one is removed; 0: never.
    pub unused_days: u32,
    /// Policies they may name, the first by default; empty: any.
    pub policies: Vec<String>,
    /// Scope values of resource servers that they may have, each an item.
    pub scopes: Vec<String>,
    /// Whether they are taken for the operator's own, which skip consent.
    pub first_party: bool,
}

impl Registration {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let token = self.token()?;
        if self.by == RegistrationBy::Token && token.is_none() {
            return refuse("registration.by is token, and there is no initial_access_token");
        }
        if token.as_ref().is_some_and(|token| token.expose_secret().len() < 16) {
            return refuse("registration.initial_access_token is shorter than 16 characters");
        }
        self.own_scopes().map(drop)
    }

    fn own_scopes(&self) -> Result<Scope, ConfigError> {
        let scopes = self.scopes.join(" ").parse();
        scopes.or_else(|_| refuse("registration.scopes has characters that no scope value may have"))
    }

    fn token(&self) -> Result<Option<SecretString>, ConfigError> {
        let inline = self.initial_access_token.as_ref();
        secret(inline, self.initial_access_token_file.as_deref(), "registration.initial_access_token")
    }

    pub(super) fn settings(&self) -> Result<RegistrationSettings, ConfigError> {
        Ok(RegistrationSettings {
            access: match self.by {
                RegistrationBy::Nobody => RegistrationAccess::Closed,
                RegistrationBy::Token => RegistrationAccess::WithToken,
                RegistrationBy::Everybody => RegistrationAccess::Open,
            },
            initial_access_tokens: self.token()?.into_iter().collect(),
            most_clients: self.most_clients,
            unused: Seconds::hours(self.unused_days.saturating_mul(24)),
            policies: self.policies.clone(),
            scopes: self.own_scopes()?,
            first_party: self.first_party,
        })
    }
}
