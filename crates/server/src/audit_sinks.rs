//! Gives the audit log to the systems that the configuration names, while a node serves.

use std::sync::Arc;
use std::time::Duration;

use actix_web::rt::task::JoinHandle;
use countersign_service::{AuditFeed, Fed, Provider};

use crate::config::Config;
use crate::connections;

/// How often a sink that has everything is looked after.
const LOOK: Duration = Duration::from_secs(1);
/// The longest pause before a sink that took nothing is tried again.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// A task for each sink, which runs until it is aborted.
pub fn spawn_all(config: &Config, provider: &Arc<Provider>) -> Result<Vec<JoinHandle<()>>, String> {
    let opened = connections::open_audit_sinks(config)?.into_iter();
    let spawn = |(name, sink, form)| {
        let feed = AuditFeed::new(Arc::clone(provider), name, sink, form).map_err(|error| error.to_string())?;
        Ok(actix_web::rt::spawn(keep(feed)))
    };
    opened.map(spawn).collect()
}

async fn keep(feed: AuditFeed) {
    let mut pause = LOOK;
    loop {
        pause = match feed.feed().await {
            Ok(Fed::Gave(entries)) => {
                metrics::counter!("countersign_audit_sink_entries_total", "sink" => feed.name().to_owned())
                    .increment(entries as u64);
                Duration::ZERO
            }
            Ok(Fed::Everything) => {
                tell_waiting(&feed, 0);
                LOOK
            }
            Ok(Fed::Elsewhere) => LOOK,
            // When it is tried again, by this node or another, stands in the database.
            Ok(Fed::Refused { why, waiting }) => {
                tell_waiting(&feed, waiting);
                complain(&feed, &why, Duration::ZERO)
            }
            Ok(Fed::Ahead { given, entries }) => {
                let why = format!("was given {given} entries and there are {entries}: see docs/AUDIT.md on restoring");
                complain(&feed, &why, pause)
            }
            Err(error) => complain(&feed, &error.to_string(), pause),
        };
        tokio::time::sleep(pause).await;
    }
}

#[allow(clippy::cast_precision_loss)] // Of more than 2^53 entries nobody wants to know the last.
fn tell_waiting(feed: &AuditFeed, entries: u64) {
    metrics::gauge!("countersign_audit_sink_waiting", "sink" => feed.name().to_owned()).set(entries as f64);
}

/// Says that a sink took nothing; answers the next pause.
fn complain(feed: &AuditFeed, why: &str, pause: Duration) -> Duration {
    tracing::warn!(sink = feed.name(), why, "the audit log could not be handed over");
    metrics::counter!("countersign_audit_sink_failures_total", "sink" => feed.name().to_owned()).increment(1);
    (pause * 2).clamp(LOOK, LONGEST_PAUSE)
}
