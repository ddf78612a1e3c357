//! Signs what the tree is.

use countersign_audit::{Checkpoint, Range};
use countersign_model::{Seconds, Timestamp};
use countersign_store::{StoredCheckpoint, Tx};

use super::TURN;
use super::tree::hash_range;
use crate::ServiceError;
use crate::provider::Provider;

/// A signed checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedCheckpoint {
    /// How many entries the tree had.
    pub size: u64,
    /// When it was signed.
    pub at: Timestamp,
    /// The note (C2SP tlog-checkpoint), as it is handed on.
    pub note: String,
}

impl Provider {
    /// Signs the tree if it has grown since the last checkpoint and that one is old enough; answers the newest if it is of
    /// now. [`ServiceError::Configuration`] if entries that were signed are gone: nothing is signed over that.
    pub async fn sign_due_checkpoint(&self) -> Result<Option<SignedCheckpoint>, ServiceError> {
        self.sign_checkpoint_after(self.settings.audit_log.checkpoint_every).await
    }

    /// Signs the tree if it has grown since the last checkpoint; answers the newest, none of an empty log.
    pub async fn sign_checkpoint(&self) -> Result<Option<SignedCheckpoint>, ServiceError> {
        let signed = self.sign_checkpoint_after(Seconds::new(0)).await?;
        match signed {
            Some(signed) => Ok(Some(signed)),
            None => self.last_checkpoint().await,
        }
    }

    /// The newest checkpoint.
    pub async fn last_checkpoint(&self) -> Result<Option<SignedCheckpoint>, ServiceError> {
        let last = self.db.read(async |tx| tx.find_last_checkpoint().await).await?;
        Ok(last.map(SignedCheckpoint::from))
    }

    /// Whether the log begins with the tree of this checkpoint, which its key signed.
    pub async fn continues(&self, note: &str) -> Result<bool, ServiceError> {
        let Ok(checkpoint) = self.read_checkpoint(note).await? else { return Ok(false) };
        self.db
            .read(async |tx| {
                if tx.find_log_size().await? < checkpoint.size {
                    return Ok(false);
                }
                let root = hash_range(tx, Range { start: 0, end: checkpoint.size }).await?;
                Ok::<_, ServiceError>(root == checkpoint.root)
            })
            .await
    }

    async fn sign_checkpoint_after(&self, pause: Seconds) -> Result<Option<SignedCheckpoint>, ServiceError> {
        let now = self.clock.now();
        if !self.db.read(async |tx| is_due(tx, now, pause).await).await? {
            return Ok(None);
        }
        let (key, origin) = (self.log_key_pair().await?, self.log_origin().await?);
        self.db
            .write(async |tx| {
                tx.take_turn(TURN).await?;
                // Another node may have signed meanwhile.
                if !is_due(tx, now, pause).await? {
                    return Ok(None);
                }
                let tree = self.seen_tree.load(tx).await?;
                let checkpoint = Checkpoint { origin: origin.clone(), size: tree.size(), root: tree.root() };
                let note = checkpoint.sign(&key).ok_or(ServiceError::Internal("the audit log has no name"))?;
                let checkpoint = StoredCheckpoint { size: tree.size(), at: now, note: note.as_str().to_owned() };
                tx.insert_checkpoint(&checkpoint).await?;
                Ok::<_, ServiceError>(Some(checkpoint.into()))
            })
            .await
    }
}

/// Whether there is something new to sign. Nothing is signed over entries that were signed and are gone.
async fn is_due(tx: &mut Tx, now: Timestamp, pause: Seconds) -> Result<bool, ServiceError> {
    let (size, last) = (tx.find_log_size().await?, tx.find_last_checkpoint().await?);
    let signed = last.as_ref().map_or(0, |last| last.size);
    if size < signed {
        return Err(ServiceError::Configuration(format!(
            "the audit log has {size} entries and a checkpoint of {signed}: run `countersign audit verify`"
        )));
    }
    // One that is dated ahead, by a node whose clock was wrong, must not put off the next.
    Ok(size > signed && last.is_none_or(|last| last.at > now || now >= last.at.plus(pause)))
}

impl From<StoredCheckpoint> for SignedCheckpoint {
    fn from(stored: StoredCheckpoint) -> Self {
        Self { size: stored.size, at: stored.at, note: stored.note }
    }
}
