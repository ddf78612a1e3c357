//! Other systems are given the log, entry by entry in its order. What a sink was given is written down once it says so:
//! while it is down nothing is lost, and a node that dies in between has given some entries twice.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use countersign_audit::{gone_in_ocsf, to_ocsf, write_entry};
use countersign_model::{AuditEvent, AuditOutcome, Seconds, Timestamp};
use countersign_outbound::{AuditSink, SinkLine};
use countersign_store::LogEntry;
use serde_json::json;

use crate::ServiceError;
use crate::provider::Provider;

/// Entries handed over at once.
const BATCH: u32 = 500;
/// How long a sink may take over them.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a node keeps its turn; longer than a sink may take.
const TURN: Seconds = Seconds::new(60);
/// The longest pause before a sink that took nothing is tried again, by whatever node.
const LONGEST_PAUSE: u32 = 60;

/// How an entry is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EntryForm {
    /// The bytes that are hashed.
    Entry,
    /// An event of the Open Cybersecurity Schema Framework.
    Ocsf,
}

impl EntryForm {
    /// The event at a place of the log, as one line of JSON.
    pub(super) fn write(self, position: u64, event: &AuditEvent) -> String {
        match self {
            Self::Entry => String::from_utf8(write_entry(event)).unwrap_or_default(),
            Self::Ocsf => to_ocsf(position, event).to_string(),
        }
    }
}

/// What became of an attempt to give a sink what it has not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fed {
    /// So many entries more; there may be others.
    Gave(usize),
    /// It has everything.
    Everything,
    /// Another node is at it.
    Elsewhere,
    /// It did not take them.
    Refused {
        /// Why.
        why: String,
        /// Entries that it has not.
        waiting: u64,
    },
    /// The log ends before what it has: the database was restored from an older state.
    Ahead {
        /// Entries it was given.
        given: u64,
        /// Entries there are.
        entries: u64,
    },
}

/// Gives one sink the log.
pub struct AuditFeed {
    provider: Arc<Provider>,
    name: String,
    sink: AuditSink,
    form: EntryForm,
    /// This node, among those that feed the same sink.
    holder: String,
    /// Entries handed over next: fewer where the sink refused as many, until it has everything.
    batch: AtomicU32,
    /// Seconds of rest that this node gave it last: 0 once it took something.
    pause: AtomicU32,
}

impl AuditFeed {
    /// A feed of the sink `name`, under which the database keeps how far it is.
    pub fn new(provider: Arc<Provider>, name: String, sink: AuditSink, form: EntryForm) -> Result<Self, ServiceError> {
        let holder = crate::clock::random::<8>()?.map(|byte| format!("{byte:02x}")).concat();
        Ok(Self { provider, name, sink, form, holder, batch: AtomicU32::new(BATCH), pause: AtomicU32::new(0) })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Hands over the next entries that it has not.
    pub async fn feed(&self) -> Result<Fed, ServiceError> {
        let (given, entries) = self.provider.find_sink_position(&self.name).await?;
        if given > entries {
            return Ok(Fed::Ahead { given, entries });
        }
        if given == entries {
            self.batch.store(BATCH, Ordering::Relaxed);
            return Ok(Fed::Everything);
        }
        let now = self.provider.clock.now();
        let (name, holder) = (self.name.as_str(), self.holder.as_str());
        let claim = self.provider.db.write(async |tx| tx.claim_sink(name, holder, now, now.plus(TURN)).await);
        let Some(first) = claim.await? else { return Ok(Fed::Elsewhere) };
        let batch = self.batch.load(Ordering::Relaxed);
        let list = self.provider.db.read(async |tx| tx.list_log(first, batch).await);
        let lines: Vec<SinkLine> = list.await?.iter().map(|entry| self.line(entry)).collect();
        if let Err(error) = self.sink.take(&lines, now, PATIENCE).await {
            if !error.is_retryable() {
                self.batch.store((batch / 2).max(1), Ordering::Relaxed);
            }
            let pause = (self.pause.load(Ordering::Relaxed) * 2).clamp(1, LONGEST_PAUSE);
            self.pause.store(pause, Ordering::Relaxed);
            let until = self.provider.clock.now().plus(Seconds::new(pause));
            self.provider.db.write(async |tx| tx.rest_sink(name, holder, until).await).await?;
            return Ok(Fed::Refused { why: error.to_string(), waiting: entries - first });
        }
        self.pause.store(0, Ordering::Relaxed);
        let next = first + lines.len() as u64;
        let advance = self.provider.db.write(async |tx| tx.advance_sink(name, holder, first, next).await);
        Ok(if advance.await? { Fed::Gave(lines.len()) } else { Fed::Elsewhere })
    }

    /// An entry whose event is gone or unreadable is told as such: its place stays in the count.
    fn line(&self, entry: &LogEntry) -> SinkLine {
        let (position, event) = (entry.position, entry.event.as_ref());
        let text = match (event, self.form) {
            (Some(event), EntryForm::Ocsf) => EntryForm::Ocsf.write(position, event),
            (Some(event), EntryForm::Entry) => {
                format!(r#"{{"position":{position},"entry":{}}}"#, EntryForm::Entry.write(position, event))
            }
            (None, EntryForm::Ocsf) => gone_in_ocsf(position, &entry.event_id).to_string(),
            (None, EntryForm::Entry) => json!({ "position": position, "gone": entry.event_id }).to_string(),
        };
        SinkLine {
            at: event.map_or(Timestamp::from_millis(0), |event| event.at),
            kind: event.map_or("gone", |event| event.kind.as_str()),
            is_failure: event.is_none_or(|event| event.outcome == AuditOutcome::Failure),
            text,
        }
    }
}

impl Provider {
    /// How many entries the sink `name` was given, and how many there are.
    pub async fn find_sink_position(&self, name: &str) -> Result<(u64, u64), ServiceError> {
        let read = self
            .db
            .read(async |tx| Ok::<_, ServiceError>((tx.find_sink_position(name).await?, tx.find_log_size().await?)));
        read.await
    }
}
