//! Reads the whole log and tells the first thing that is wrong with it.

use std::collections::VecDeque;
use std::fmt;

use countersign_audit::{Checkpoint, Frontier, Hash, NoteKey, Positions, hash_entry, write_entry};
use countersign_model::Seconds;
use countersign_store::{LogEntry, StoredCheckpoint};

use super::tree::is_kept;
use crate::ServiceError;
use crate::provider::Provider;

/// Entries and checkpoints read at a time.
const PAGE: u32 = 1000;
/// How long an event may wait for its place before that is a fault: nodes place what waits every second.
const PATIENCE: Seconds = Seconds::minutes(5);

/// What was read, and what is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogReport {
    /// Entries that are sound, from the first on.
    pub entries: u64,
    /// Checkpoints that were compared, those of others included.
    pub checkpoints: u64,
    /// Entries among the sound whose events the log says were removed when their class was kept no longer.
    pub removed: u64,
    /// Root of the tree of the sound entries.
    pub root: Hash,
    /// The first fault, if there is one.
    pub fault: Option<LogFault>,
}

/// Why a log is not what was signed. Places count from 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogFault {
    /// Nothing stands at this place, and something behind it does.
    Missing {
        /// The place.
        position: u64,
    },
    /// The event of this entry is gone, or is none any more, and the log does not tell of its removal.
    Gone {
        /// The place.
        position: u64,
        /// Id of the event.
        event: String,
    },
    /// The event is not what it was when it was placed.
    Changed {
        /// The place.
        position: u64,
        /// Id of the event.
        event: String,
    },
    /// A kept hash of the tree is not that of its entries.
    Tree {
        /// First entry below it.
        first: u64,
        /// First entry behind it.
        end: u64,
    },
    /// Entries between two checkpoints are not those that were signed.
    Rewritten {
        /// Entries that an older checkpoint vouches for.
        sound: u64,
        /// Size of the checkpoint that the log does not fit.
        signed: u64,
    },
    /// There are fewer entries than were signed.
    Truncated {
        /// Entries there are.
        entries: u64,
        /// Size of the checkpoint.
        signed: u64,
    },
    /// A checkpoint is not signed by the log's key, or tells another size than its place.
    Checkpoint {
        /// Its size, as it is stored.
        size: u64,
        /// Why it is not believed.
        why: String,
    },
    /// A checkpoint that was kept elsewhere is not signed by the log's key.
    Elsewhere {
        /// Why it is not believed.
        why: String,
    },
    /// An event is in no place of the log though it is old.
    Unplaced {
        /// Id of the event.
        event: String,
    },
}

impl fmt::Display for LogFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { position } => write!(f, "entry {position} is missing"),
            Self::Gone { position, event } => write!(f, "entry {position}: its event {event} is gone"),
            Self::Changed { position, event } => write!(f, "entry {position}: its event {event} was changed"),
            Self::Tree { first, end } => {
                write!(f, "entries {first} to {}: the stored hash over them is another", end.saturating_sub(1))
            }
            Self::Rewritten { sound, signed } => {
                write!(f, "entries {sound} to {}: one or more is not what was signed", signed.saturating_sub(1))
            }
            Self::Truncated { entries, signed } => {
                write!(f, "entry {entries} and all behind it are missing: {signed} were signed")
            }
            Self::Checkpoint { size, why } => write!(f, "the checkpoint of {size} entries: {why}"),
            Self::Elsewhere { why } => write!(f, "the checkpoint that was kept elsewhere: {why}"),
            Self::Unplaced { event } => write!(f, "event {event} is in no place of the log"),
        }
    }
}

impl Provider {
    /// Reads every entry and compares it with its hash, with the kept hashes above it, with every stored checkpoint and
    /// with the checkpoints `kept` elsewhere. Whoever has the master key can sign another log: that one only differs from
    /// checkpoints that were kept elsewhere.
    pub async fn verify_audit_log(&self, kept: &[String]) -> Result<LogReport, ServiceError> {
        let key = self.log_key().await?;
        let mut walk = Walk::new(key, self.list_removed_places().await?);
        for note in kept {
            match self.read_checkpoint(note).await? {
                Ok(checkpoint) => walk.elsewhere.push(checkpoint),
                Err(why) => return Ok(walk.report(Some(LogFault::Elsewhere { why }))),
            }
        }
        walk.elsewhere.sort_by_key(|checkpoint| checkpoint.size);
        let fault = match walk.compare() {
            None => self.walk_log(&mut walk).await?,
            fault => fault,
        };
        let fault = match fault {
            None => self.find_unplaced().await?,
            fault => fault,
        };
        Ok(walk.report(fault))
    }

    async fn walk_log(&self, walk: &mut Walk) -> Result<Option<LogFault>, ServiceError> {
        let mut ended = None;
        loop {
            let first = walk.tree.size();
            let page = self.db.read(async |tx| tx.list_log(first, PAGE).await).await?;
            let is_last = page.len() < PAGE as usize;
            for entry in &page {
                if let Some(fault) = self.walk_entry(walk, entry).await? {
                    return Ok(Some(fault));
                }
            }
            if is_last {
                self.read_checkpoints(walk).await?;
                let beyond = walk.beyond();
                // A node may have placed and signed more since the page was read: it is looked at once more.
                if beyond.is_none() || ended == Some(walk.tree.size()) {
                    return Ok(beyond);
                }
                ended = Some(walk.tree.size());
            }
        }
    }

    async fn walk_entry(&self, walk: &mut Walk, entry: &LogEntry) -> Result<Option<LogFault>, ServiceError> {
        let position = walk.tree.size();
        if entry.position != position {
            return Ok(Some(LogFault::Missing { position }));
        }
        let event = entry.event_id.clone();
        match &entry.event {
            Some(found) if hash_entry(&write_entry(found)) != entry.hash => {
                return Ok(Some(LogFault::Changed { position, event }));
            }
            None if !self.was_removed(walk, position).await? => return Ok(Some(LogFault::Gone { position, event })),
            None => walk.removed += 1,
            Some(_) => {}
        }
        // Of an event that was removed the hash alone is left: the checkpoints tell whether it is the one that was signed.
        let perfect = walk.tree.push(entry.hash);
        for (subtree, hash) in perfect.into_iter().filter(|(subtree, _)| is_kept(*subtree)) {
            let (level, at) = (subtree.level, subtree.position);
            let stored = self.db.read(async |tx| tx.find_subtree(level, at).await).await?;
            if stored != Some(hash) {
                let first = at << level;
                return Ok(Some(LogFault::Tree { first, end: first + (1 << level) }));
            }
        }
        self.read_checkpoints(walk).await?;
        Ok(walk.compare())
    }

    /// Whether the log tells that the event at `position` was removed; it may have been a moment ago.
    async fn was_removed(&self, walk: &mut Walk, position: u64) -> Result<bool, ServiceError> {
        if !walk.told.contains(position) {
            walk.told = self.list_removed_places().await?;
        }
        Ok(walk.told.contains(position))
    }

    /// Has the next stored checkpoints at hand.
    async fn read_checkpoints(&self, walk: &mut Walk) -> Result<(), ServiceError> {
        if walk.stored.is_empty() && !walk.all_read {
            let last = walk.last_read;
            let page = self.db.read(async |tx| tx.list_checkpoints_after(last, PAGE).await).await?;
            walk.all_read = page.len() < PAGE as usize;
            walk.last_read = page.last().map_or(last, |last| last.size);
            walk.stored = page.into();
        }
        Ok(())
    }

    /// An event that neither has a place nor waits for one, or waits for long.
    async fn find_unplaced(&self) -> Result<Option<LogFault>, ServiceError> {
        let before = self.clock.now().minus(PATIENCE);
        let mut after = String::new();
        loop {
            let from = after.clone();
            let (out, last) = self.db.read(async |tx| tx.list_events_out_of_log(&from, PAGE).await).await?;
            let lost = out.into_iter().find(|event| !event.waits || event.at < before);
            if let Some(event) = lost {
                return Ok(Some(LogFault::Unplaced { event: event.event_id }));
            }
            let Some(last) = last else { return Ok(None) };
            after = last;
        }
    }
}

/// How far the log was read.
struct Walk {
    key: NoteKey,
    tree: Frontier,
    /// Places whose events the log says were removed.
    told: Positions,
    /// How many of these were passed.
    removed: u64,
    /// Stored checkpoints that come next, by size.
    stored: VecDeque<StoredCheckpoint>,
    last_read: u64,
    all_read: bool,
    /// Checkpoints that were kept elsewhere, by size.
    elsewhere: Vec<Checkpoint>,
    compared: u64,
    /// Size of the last stored checkpoint that fitted.
    sound: u64,
    /// Size of the last checkpoint kept elsewhere that fitted: whoever has the master key signs what is stored.
    vouched: u64,
}

impl Walk {
    fn new(key: NoteKey, told: Positions) -> Self {
        Self {
            key,
            tree: Frontier::default(),
            told,
            removed: 0,
            stored: VecDeque::new(),
            last_read: 0,
            all_read: false,
            elsewhere: Vec::new(),
            compared: 0,
            sound: 0,
            vouched: 0,
        }
    }

    /// Compares the tree with the checkpoints of its size.
    fn compare(&mut self) -> Option<LogFault> {
        let size = self.tree.size();
        while self.stored.front().is_some_and(|next| next.size <= size) {
            let stored = self.stored.pop_front()?;
            if let Err(fault) = self.check_stored(&stored) {
                return Some(fault);
            }
        }
        let due = self.elsewhere.partition_point(|checkpoint| checkpoint.size <= size);
        let due: Vec<Checkpoint> = self.elsewhere.drain(..due).collect();
        for checkpoint in due {
            if !self.fits(&checkpoint) {
                return Some(LogFault::Rewritten { sound: self.vouched, signed: checkpoint.size });
            }
            self.vouched = checkpoint.size;
        }
        None
    }

    fn check_stored(&mut self, stored: &StoredCheckpoint) -> Result<(), LogFault> {
        let refused = |why: String| LogFault::Checkpoint { size: stored.size, why };
        let checkpoint = Checkpoint::verify(&stored.note, &self.key).map_err(|error| refused(error.to_string()))?;
        if checkpoint.size != stored.size {
            return Err(refused("it tells another size".to_owned()));
        }
        if !self.fits(&checkpoint) {
            return Err(LogFault::Rewritten { sound: self.sound, signed: checkpoint.size });
        }
        self.sound = checkpoint.size;
        Ok(())
    }

    fn fits(&mut self, checkpoint: &Checkpoint) -> bool {
        self.compared += 1;
        checkpoint.root == self.tree.root()
    }

    /// A checkpoint of more entries than there are.
    fn beyond(&self) -> Option<LogFault> {
        let next = self.stored.front().map(|stored| stored.size);
        let elsewhere = self.elsewhere.first().map(|checkpoint| checkpoint.size);
        let signed = next.into_iter().chain(elsewhere).min()?;
        Some(LogFault::Truncated { entries: self.tree.size(), signed })
    }

    fn report(&self, fault: Option<LogFault>) -> LogReport {
        let (entries, root) = (self.tree.size(), self.tree.root());
        LogReport { entries, checkpoints: self.compared, removed: self.removed, root, fault }
    }
}
