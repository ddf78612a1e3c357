//! Texts and calls.

use std::path::PathBuf;

use countersign_service::Telephone as TelephoneSettings;
use secrecy::SecretString;
use serde::Deserialize;

use super::{ConfigError, refuse, secret};

/// Texts and calls.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Telephone {
    pub countries: Vec<String>,
    pub prefix_sends: u32,
    pub timeout: u64,
    pub ca_file: Option<PathBuf>,
    #[serde(default)]
    pub carriers: Vec<TelephoneCarrier>,
}

impl Telephone {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let is_code = |code: &String| code.len() == 2 && code.bytes().all(|byte| byte.is_ascii_uppercase());
        if self.countries.is_empty() || !self.countries.iter().all(is_code) {
            return refuse("telephone.countries is a list of ISO 3166-1 codes such as \"US\"");
        }
        if self.prefix_sends == 0 {
            return refuse("telephone.prefix_sends is 0: nobody could be sent a code");
        }
        // A message must be done with, one way or the other, before another node may give it up.
        let longest = self.timeout.saturating_mul(self.carriers.len().max(1) as u64);
        if self.timeout == 0 || longest > 60 {
            return refuse("telephone.timeout times the number of carriers is from 1 to 60 seconds");
        }
        self.check_carriers()
    }

    fn check_carriers(&self) -> Result<(), ConfigError> {
        let mut names: Vec<&str> = self.carriers.iter().map(|carrier| carrier.name.as_str()).collect();
        if !names.iter().all(|name| is_carrier_name(name)) {
            return refuse("telephone.carriers: a name is of 1 to 32 letters, digits and hyphens");
        }
        names.sort_unstable();
        if names.windows(2).any(|pair| pair[0] == pair[1]) {
            return refuse("telephone.carriers: two carriers have the same name");
        }
        if self.carriers.iter().any(|carrier| carrier.auth_token.is_none() && carrier.auth_token_file.is_none()) {
            return refuse(
                "telephone.carriers: auth_token_file is missing: nobody could tell its callbacks from others",
            );
        }
        Ok(())
    }

    pub(super) fn settings(&self) -> TelephoneSettings {
        TelephoneSettings { countries: self.countries.clone(), prefix_sends: self.prefix_sends }
    }
}

fn is_carrier_name(name: &str) -> bool {
    (1..=32).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// How a carrier is spoken to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CarrierKind {
    /// The REST API of Twilio and those who copied it.
    #[default]
    Twilio,
    /// Signed JSON to an address of the operator's own.
    Webhook,
}

/// A carrier and our account with it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TelephoneCarrier {
    pub name: String,
    #[serde(default)]
    pub kind: CarrierKind,
    pub base_url: String,
    #[serde(default)]
    pub account_sid: String,
    pub auth_token: Option<SecretString>,
    pub auth_token_file: Option<PathBuf>,
    #[serde(default)]
    pub from: String,
}

impl TelephoneCarrier {
    /// The password of our account with it.
    pub fn token(&self) -> Result<SecretString, ConfigError> {
        let key = format!("telephone.carriers {:?} auth_token", self.name);
        match secret(self.auth_token.as_ref(), self.auth_token_file.as_deref(), &key)? {
            Some(token) => Ok(token),
            None => refuse(format!("{key} (or auth_token_file) is missing")),
        }
    }
}
