//! A short-lived store whose node dies at a chosen moment.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use countersign_model::{FlowId, Seconds, Timestamp};
use countersign_store::{
    Advanced, Charged, Claim, CounterLimit, InstancePage, InstanceRecord, NextInstance, ShortLived, StoreError,
};
use tokio::sync::Notify;

/// What goes wrong, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The node is killed before it writes the instance.
    DiesAtAdvance,
    /// The store does not answer when the instance is written.
    FailsAtAdvance,
    /// The store writes the instance but its answer is lost.
    LosesAnswerOfAdvance,
    /// The node is killed after it claimed the version.
    DiesAfterClaim,
}

/// A store with a fault. Its leases last a second, so that tests wait less.
pub struct Faulty {
    inner: Arc<dyn ShortLived>,
    fault: Mutex<Option<Fault>>,
    struck: Notify,
}

impl Faulty {
    /// `inner`, without a fault yet.
    pub fn new(inner: &Arc<dyn ShortLived>) -> Arc<Self> {
        Arc::new(Self { inner: Arc::clone(inner), fault: Mutex::new(None), struck: Notify::new() })
    }

    /// Lets `fault` happen at the next opportunity.
    pub fn arm(&self, fault: Fault) {
        *self.fault.lock().unwrap_or_else(PoisonError::into_inner) = Some(fault);
    }

    /// Drives `work` of the node until it dies.
    ///
    /// # Panics
    /// When it ends without dying.
    pub async fn until_death<T>(&self, work: Pin<Box<impl Future<Output = T>>>) {
        tokio::select! {
            biased;
            _ = work => panic!("the node went on"),
            () = self.struck.notified() => {}
        }
    }

    fn strikes(&self, fault: Fault) -> bool {
        self.fault.lock().unwrap_or_else(PoisonError::into_inner).take_if(|armed| *armed == fault).is_some()
    }

    async fn die<T>(&self) -> T {
        self.struck.notify_one();
        std::future::pending().await
    }
}

fn no_answer() -> StoreError {
    StoreError::Unavailable("no answer".to_owned())
}

#[async_trait]
impl ShortLived for Faulty {
    async fn create(&self, id: FlowId, body: &[u8], end: Timestamp, idle: Seconds) -> Result<bool, StoreError> {
        self.inner.create(id, body, end, idle).await
    }

    async fn load(&self, id: FlowId) -> Result<Option<InstanceRecord>, StoreError> {
        self.inner.load(id).await
    }

    async fn claim(&self, id: FlowId, version: u32, nonce: &[u8; 16], _: Seconds) -> Result<Claim, StoreError> {
        let claim = self.inner.claim(id, version, nonce, Seconds::new(1)).await?;
        if claim == Claim::Claimed && self.strikes(Fault::DiesAfterClaim) {
            return self.die().await;
        }
        Ok(claim)
    }

    async fn advance(
        &self,
        id: FlowId,
        version: u32,
        nonce: &[u8; 16],
        next: NextInstance<'_>,
    ) -> Result<Advanced, StoreError> {
        if self.strikes(Fault::DiesAtAdvance) {
            return self.die().await;
        }
        if self.strikes(Fault::FailsAtAdvance) {
            return Err(no_answer());
        }
        let advanced = self.inner.advance(id, version, nonce, next).await?;
        if self.strikes(Fault::LosesAnswerOfAdvance) { Err(no_answer()) } else { Ok(advanced) }
    }

    async fn release(&self, id: FlowId, version: u32, nonce: &[u8; 16]) -> Result<(), StoreError> {
        self.inner.release(id, version, nonce).await
    }

    async fn approve(&self, id: FlowId, challenge: u32) -> Result<bool, StoreError> {
        self.inner.approve(id, challenge).await
    }

    async fn charge(&self, key: &str, once: &[u8], limit: &CounterLimit) -> Result<Charged, StoreError> {
        self.inner.charge(key, once, limit).await
    }

    async fn is_locked(&self, key: &str) -> Result<bool, StoreError> {
        self.inner.is_locked(key).await
    }

    async fn reset(&self, key: &str) -> Result<(), StoreError> {
        self.inner.reset(key).await
    }

    async fn list(&self, cursor: u64) -> Result<InstancePage, StoreError> {
        self.inner.list(cursor).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.inner.ping().await
    }
}
