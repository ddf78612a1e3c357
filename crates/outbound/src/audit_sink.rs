//! Copies of the audit log for other systems. Lines are theirs once they say so; until then they are sent again, so some
//! may come twice: each names its place in the log.

mod syslog;

use std::time::Duration;

use countersign_model::Timestamp;

use crate::{CallError, Webhook};
pub use syslog::{Syslog, SyslogSettings};

/// One entry of the log, for somebody else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SinkLine {
    /// When it happened.
    pub at: Timestamp,
    /// What happened.
    pub kind: &'static str,
    /// Whether it was refused or failed.
    pub is_failure: bool,
    /// One line of JSON.
    pub text: String,
}

/// Somebody who is told of all that is in the log.
#[derive(Clone, Debug)]
pub enum AuditSink {
    /// A signed POST of `application/x-ndjson`; any 2xx says that the lines were taken.
    Webhook(Webhook),
    /// Syslog over TLS (RFC 5425).
    Syslog(Syslog),
}

impl AuditSink {
    /// Hands `lines` over within `timeout`. An error of either kind says that they may or may not have been taken.
    pub async fn take(&self, lines: &[SinkLine], now: Timestamp, timeout: Duration) -> Result<(), CallError> {
        match self {
            Self::Webhook(webhook) => {
                let body = lines.iter().flat_map(|line| [line.text.as_str(), "\n"]).collect();
                webhook.tell_lines(body, now, timeout).await
            }
            Self::Syslog(syslog) => {
                let late = |_| CallError::Temporary("time limit reached".to_owned());
                tokio::time::timeout(timeout, syslog.send(lines)).await.map_err(late)?
            }
        }
    }
}
