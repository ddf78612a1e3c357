//! Requests of programs that make something: sent again under their key, they make nothing more.

use countersign_model::{KeyedHash, Seconds, Timestamp};
use countersign_store::{AnsweredRequest, Tx};

use crate::ServiceError;

/// How long a request may be sent again under its key.
const REMEMBERED: Seconds = Seconds::hours(24);

/// A request under a key, and what it would make.
pub(crate) struct Once {
    key: KeyedHash,
    request: AnsweredRequest,
}

/// Whether a request was made before.
pub(crate) enum Before {
    /// It was not.
    Never,
    /// It was, and made this.
    Made(String),
    /// Another one was, under this key.
    Other,
}

impl Once {
    /// Hashes of the request's key and of what it asks for, and the id of what it would make.
    pub(crate) fn new((key, fingerprint): (KeyedHash, KeyedHash), made: String) -> Self {
        Self { key, request: AnsweredRequest { fingerprint, made } }
    }

    /// Looks in the transaction that makes it; one that races another with the same key waits for its end.
    pub(crate) async fn begin(&self, tx: &mut Tx, now: Timestamp) -> Result<Before, ServiceError> {
        tx.forget_answered(&self.key, now.minus(REMEMBERED)).await?;
        if tx.insert_answered(&self.key, &self.request, now).await? {
            return Ok(Before::Never);
        }
        let before = tx.find_answered(&self.key).await?;
        let same = before.filter(|before| before.fingerprint == self.request.fingerprint);
        Ok(same.map_or(Before::Other, |before| Before::Made(before.made)))
    }

    /// It made nothing after all.
    pub(crate) async fn forget(&self, tx: &mut Tx) -> Result<(), ServiceError> {
        Ok(tx.delete_answered(&self.key).await?)
    }
}
