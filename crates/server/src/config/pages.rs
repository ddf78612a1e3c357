//! What people are asked and shown: policies, looks and texts.

use std::path::PathBuf;

use serde::Deserialize;

use super::{ConfigError, refuse};

/// User-flow policies.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policies {
    pub directory: Option<PathBuf>,
    pub demo: bool,
}

impl Policies {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if self.demo && self.directory.is_some() {
            return refuse("policies.demo adds to the policies built in; with policies.directory put the file there");
        }
        Ok(())
    }
}

/// Looks and texts.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pages {
    pub brand: String,
    pub messages_dir: Option<PathBuf>,
    pub brand_dir: Option<PathBuf>,
    pub terms_dir: Option<PathBuf>,
}
