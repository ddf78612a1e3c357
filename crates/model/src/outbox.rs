//! Mails, texts and calls on their way out: written with what caused them, delivered at most once.

use crate::{OutboxId, Timestamp, UserId};

/// Where a message stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutboxState {
    /// Written, not yet taken.
    Queued,
    /// A node is handing it to the carrier; if the node dies here it is never sent again.
    Claimed,
    /// The carrier took it.
    Delivered,
    /// It will not be delivered.
    Failed,
}

impl OutboxState {
    /// The word in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Claimed => "claimed",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
        }
    }

    /// The state meant by `word`.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Queued, Self::Claimed, Self::Delivered, Self::Failed].into_iter().find(|state| state.as_str() == word)
    }
}

/// A row of the outbox.
#[derive(Clone, PartialEq, Eq)]
pub struct OutboxMessage {
    /// Its id.
    pub id: OutboxId,
    /// Unique: the effect (instance, step, visit, send) that caused it.
    pub idempotency_key: String,
    /// `email`, `sms`, `voice`, `webhook` or `logout`; `none` leaves nothing but its row.
    pub channel: String,
    /// Whom it is about.
    pub subject: Option<UserId>,
    /// Flow that caused it, as in the audit.
    pub flow: Option<String>,
    /// Message template.
    pub template: Option<String>,
    /// Recipient, template, locale and values, sealed under the master key; dropped when it is done.
    pub sealed: Option<Vec<u8>>,
    /// Where it stands.
    pub state: OutboxState,
    /// How often a carrier was tried.
    pub attempts: u32,
    /// When it was written.
    pub created_at: Timestamp,
    /// Not to be tried before this.
    pub due_at: Timestamp,
    /// Not worth sending after this.
    pub expires_at: Timestamp,
    /// Carrier that took it.
    pub carrier: Option<String>,
    /// The carrier's name for it.
    pub reference: Option<String>,
    /// What the carrier told of its delivery, in the carrier's word.
    pub status: Option<String>,
}

impl std::fmt::Debug for OutboxMessage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OutboxMessage")
            .field("id", &self.id)
            .field("channel", &self.channel)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}
