//! What can go wrong in a use case that is nobody's answer: the rest are outcomes.

use countersign_model::Seconds;
use countersign_store::StoreError;

/// A use case could not be carried out. Nothing was changed, or what was changed is found again by a retry.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// A store did not answer; worth another try.
    #[error("store: {0}")]
    Store(#[from] StoreError),
    /// Too much work is waiting; worth another try after the span.
    #[error("busy, retry after {} s", .0.get())]
    Busy(Seconds),
    /// The configuration contradicts itself or the data.
    #[error("configuration: {0}")]
    Configuration(String),
    /// Another request did it first; nothing of this one was written.
    #[error("another request was first")]
    Lost,
    /// A defect of the product.
    #[error("internal: {0}")]
    Internal(&'static str),
}

impl ServiceError {
    /// Seconds after which another try may go through; none when it will not.
    pub fn retry_after(&self) -> Option<Seconds> {
        match self {
            Self::Busy(span) => Some(*span),
            Self::Store(_) => Some(Seconds::new(1)),
            Self::Configuration(_) | Self::Lost | Self::Internal(_) => None,
        }
    }
}
