//! The audit log.

use std::path::PathBuf;

use countersign_model::Seconds;
use countersign_service::AuditLogSettings;
use serde::Deserialize;

use super::ConfigError;

/// The audit log: docs/AUDIT.md.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Audit {
    /// Least seconds between two checkpoints.
    pub checkpoint_every: u32,
    /// Always holds the newest checkpoint, for whoever keeps them elsewhere.
    pub checkpoint_file: Option<PathBuf>,
}

impl Audit {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if (1..=3600).contains(&self.checkpoint_every) {
            return Ok(());
        }
        Err(ConfigError("audit.checkpoint_every: from 1 to 3600 seconds".to_owned()))
    }

    pub(super) fn settings(&self) -> AuditLogSettings {
        AuditLogSettings { checkpoint_every: Seconds::new(self.checkpoint_every) }
    }
}
