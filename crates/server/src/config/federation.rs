//! Upstream providers that people may sign in at.

use std::collections::BTreeMap;
use std::path::PathBuf;

use secrecy::SecretString;
use serde::Deserialize;

use super::{ConfigError, refuse, secret};

/// What happens when a person comes from upstream for the first time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FederationLink {
    /// An account is made.
    #[default]
    Create,
    /// An account must have been made beforehand.
    Existing,
}

/// An upstream OpenID Provider.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Federation {
    pub id: String,
    pub issuer: String,
    pub client_id: String,
    pub client_secret: Option<SecretString>,
    pub client_secret_file: Option<PathBuf>,
    #[serde(default = "federation_scopes")]
    pub scopes: String,
    pub domains: Vec<String>,
    #[serde(default)]
    pub link: FederationLink,
    #[serde(default)]
    pub claims: BTreeMap<String, String>,
    #[serde(default)]
    pub allow_private: bool,
    pub ca_file: Option<PathBuf>,
}

impl Federation {
    /// Claims that may be named otherwise upstream.
    const CLAIMS: [&str; 3] = ["email", "given_name", "family_name"];

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let refuse = |why: &str| refuse(format!("federation {:?}: {why}", self.id));
        let is_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
        if !(1..=32).contains(&self.id.len()) || !self.id.bytes().all(is_name) {
            return refuse("an id is of 1 to 32 lower-case letters, digits, hyphens and underscores");
        }
        let is_domain = |domain: &String| {
            let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.');
            domain.contains('.') && !domain.starts_with('.') && domain.bytes().all(allowed)
        };
        if self.domains.is_empty() || !self.domains.iter().all(is_domain) {
            return refuse("domains names the mail domains of its people, in lower case; nobody else can be linked");
        }
        if !self.scopes.split(' ').any(|scope| scope == "openid") {
            return refuse("scopes must hold openid");
        }
        if self.client_secret.is_none() && self.client_secret_file.is_none() {
            return refuse("client_secret_file is missing");
        }
        match self.claims.keys().find(|name| !Self::CLAIMS.contains(&name.as_str())) {
            Some(_) => refuse("claims knows email, given_name and family_name"),
            None => Ok(()),
        }
    }

    /// Our client secret there.
    pub fn secret(&self) -> Result<SecretString, ConfigError> {
        let key = format!("federation {:?} client_secret", self.id);
        match secret(self.client_secret.as_ref(), self.client_secret_file.as_deref(), &key)? {
            Some(secret) => Ok(secret),
            None => refuse(format!("{key} (or client_secret_file) is missing")),
        }
    }
}

/// Checks every provider, and that they can be told apart.
pub(super) fn check_all(upstreams: &[Federation]) -> Result<(), ConfigError> {
    let mut ids: Vec<&str> = upstreams.iter().map(|upstream| upstream.id.as_str()).collect();
    ids.sort_unstable();
    if ids.windows(2).any(|pair| pair[0] == pair[1]) {
        return refuse("federation: two providers have the same id");
    }
    upstreams.iter().try_for_each(Federation::check)
}

fn federation_scopes() -> String {
    "openid email profile".to_owned()
}
