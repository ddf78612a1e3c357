//! Proofs that somebody checks who does not trust the operator.

use countersign_audit::{
    Checkpoint, Hash, Positions, Proof, Range, hash_entry, list_consistency_ranges, list_inclusion_ranges, write_entry,
};
use countersign_store::{LogEntry, Tx};

use super::feed::EntryForm;
use super::tree::hash_range;
use crate::ServiceError;
use crate::provider::Provider;

/// An entry and the proof that it is in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProvenEntry {
    /// Its place; the first is 0.
    pub position: u64,
    /// The bytes that are hashed: one line of JSON. None when the event was removed: whoever kept the bytes has them.
    pub entry: Option<String>,
    /// The proof (C2SP tlog-proof), its checkpoint within.
    pub proof: String,
}

impl Provider {
    /// The entries about the token `jti`, each with its proof against the newest checkpoint, oldest first. What waits is
    /// placed and signed before.
    pub async fn prove_token(&self, jti: &str) -> Result<Vec<ProvenEntry>, ServiceError> {
        let places = self.db.read(async |tx| tx.list_places_of_token(jti).await).await?;
        self.prove_places(places).await
    }

    /// The entry at `position`, with its proof against the newest checkpoint.
    pub async fn prove_entry(&self, position: u64) -> Result<Option<ProvenEntry>, ServiceError> {
        Ok(self.prove_places(vec![position]).await?.pop())
    }

    async fn prove_places(&self, places: Vec<u64>) -> Result<Vec<ProvenEntry>, ServiceError> {
        let Some(checkpoint) = self.last_checkpoint().await? else { return Ok(Vec::new()) };
        let (size, note) = (checkpoint.size, checkpoint.note);
        let places: Vec<u64> = places.into_iter().filter(|position| *position < size).collect();
        let removed = if places.is_empty() { Positions::default() } else { self.list_removed_places().await? };
        self.db
            .read(async |tx| {
                let mut proven = Vec::new();
                for &position in &places {
                    let entry = find_entry(tx, position, &removed).await?;
                    let path = hash_ranges(tx, list_inclusion_ranges(position, size)).await?;
                    let proof = Proof { index: position, path, checkpoint: note.clone() }.to_string();
                    proven.push(ProvenEntry { position, entry, proof });
                }
                Ok::<_, ServiceError>(proven)
            })
            .await
    }

    /// The hashes that show that the log of `new` entries begins with that of `old` (RFC 9162, 2.1.4.1). None if there
    /// are fewer entries than `new`, or `old` is more than that.
    pub async fn prove_consistency(&self, old: u64, new: u64) -> Result<Option<Vec<Hash>>, ServiceError> {
        self.db
            .read(async |tx| {
                if old > new || new > tx.find_log_size().await? {
                    return Ok(None);
                }
                hash_ranges(tx, list_consistency_ranges(old, new)).await.map(Some)
            })
            .await
    }

    /// The entries from place `first` on; fewer than `limit` when there are no more. One whose event is gone or unreadable
    /// is an empty line.
    pub async fn list_log_entries(
        &self,
        first: u64,
        limit: u32,
        form: EntryForm,
    ) -> Result<Vec<(u64, String)>, ServiceError> {
        let found = self.db.read(async |tx| tx.list_log(first, limit).await).await?;
        let text = |entry: &LogEntry| entry.event.as_ref().map(|event| form.write(entry.position, event));
        Ok(found.iter().map(|entry| (entry.position, text(entry).unwrap_or_default())).collect())
    }

    /// How many entries the log has.
    pub async fn log_size(&self) -> Result<u64, ServiceError> {
        Ok(self.db.read(async |tx| tx.find_log_size().await).await?)
    }

    /// The checkpoint that `note` is, signed by this log's key.
    pub(super) async fn read_checkpoint(&self, note: &str) -> Result<Result<Checkpoint, String>, ServiceError> {
        let key = self.log_key().await?;
        Ok(Checkpoint::verify(note, &key).map_err(|error| error.to_string()))
    }
}

/// The bytes of the entry at `position`; none where the log tells that its event was removed.
async fn find_entry(tx: &mut Tx, position: u64, removed: &Positions) -> Result<Option<String>, ServiceError> {
    let found = tx.list_log(position, 1).await?.pop().filter(|found| found.position == position);
    let not_placed = || {
        let why = format!("entry {position} is not what was placed: run `countersign audit verify`");
        ServiceError::Configuration(why)
    };
    let found = found.ok_or_else(not_placed)?;
    let Some(event) = &found.event else {
        return if removed.contains(position) { Ok(None) } else { Err(not_placed()) };
    };
    let entry = write_entry(event);
    if hash_entry(&entry) != found.hash {
        return Err(not_placed());
    }
    String::from_utf8(entry).map(Some).map_err(|_| not_placed())
}

async fn hash_ranges(tx: &mut Tx, ranges: Vec<Range>) -> Result<Vec<Hash>, ServiceError> {
    let mut hashes = Vec::new();
    for range in ranges {
        hashes.push(hash_range(tx, range).await?);
    }
    Ok(hashes)
}
