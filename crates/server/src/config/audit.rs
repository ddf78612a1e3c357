//! The audit log.

use std::collections::BTreeMap;
use std::path::PathBuf;

use countersign_model::{AuditClass, Seconds};
use countersign_service::{AuditLogSettings, EntryForm};
use serde::Deserialize;

use super::{ConfigError, Webhook, refuse};

/// How many days events may be kept: whoever looks into what happened last month finds it.
const KEPT_DAYS: std::ops::RangeInclusive<u32> = 30..=36_500;

/// The audit log: docs/AUDIT.md.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Audit {
    /// Least seconds between two checkpoints.
    pub checkpoint_every: u32,
    /// Always holds the newest checkpoint, for whoever keeps them elsewhere.
    pub checkpoint_file: Option<PathBuf>,
    /// Days that events are kept, by class; without an entry for ever.
    #[serde(default)]
    pub keep_days: BTreeMap<AuditClass, u32>,
    /// Systems that are given the log, by name: under it the database keeps how far each is.
    #[serde(default)]
    pub sinks: BTreeMap<String, AuditSink>,
}

/// A system that is given the log: a webhook or a receiver of syslog.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditSink {
    /// How an entry is told.
    pub form: EntryForm,
    /// Signed lines of JSON to an address of the operator's own.
    pub webhook: Option<Webhook>,
    /// Syslog over TLS.
    pub syslog: Option<SyslogReceiver>,
}

/// A receiver of syslog over TLS.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SyslogReceiver {
    pub host: String,
    #[serde(default = "syslog_port")]
    pub port: u16,
    pub ca_file: Option<PathBuf>,
    pub certificate_file: Option<PathBuf>,
    pub key_file: Option<PathBuf>,
}

/// The registered one (RFC 5425, 4.1).
const fn syslog_port() -> u16 {
    6514
}

impl Audit {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if !(1..=3600).contains(&self.checkpoint_every) {
            return refuse("audit.checkpoint_every: from 1 to 3600 seconds");
        }
        if !self.keep_days.values().all(|days| KEPT_DAYS.contains(days)) {
            return refuse("audit.keep_days: from 30 to 36500 days");
        }
        self.sinks.iter().try_for_each(|(name, sink)| sink.check(name))
    }

    pub(super) fn settings(&self) -> AuditLogSettings {
        let kept = |(class, days): (&AuditClass, &u32)| (*class, Seconds::hours(24 * days));
        AuditLogSettings {
            checkpoint_every: Seconds::new(self.checkpoint_every),
            keep: self.keep_days.iter().map(kept).collect(),
            sinks: self.sinks.keys().cloned().collect(),
        }
    }
}

impl AuditSink {
    fn check(&self, name: &str) -> Result<(), ConfigError> {
        let is_named = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        if !(1..=32).contains(&name.len()) || !name.bytes().all(is_named) {
            return refuse("audit.sinks: a name is of 1 to 32 letters, digits and hyphens");
        }
        match (&self.webhook, &self.syslog) {
            (Some(webhook), None) => webhook.secret(&format!("audit.sinks.{name}.webhook")).map(drop),
            (None, Some(syslog)) if syslog.certificate_file.is_some() != syslog.key_file.is_some() => {
                refuse(format!("audit.sinks.{name}.syslog: certificate_file and key_file, or neither"))
            }
            (None, Some(_)) => Ok(()),
            _ => refuse(format!("audit.sinks.{name}: either webhook or syslog")),
        }
    }
}
