//! Running instances and counters (POLICIES, section 5): one trait, in Redis and in process.

pub mod in_process;
pub mod redis;

use async_trait::async_trait;
use countersign_model::{FlowId, Seconds, Timestamp};

use crate::StoreError;

/// Longest accepted body of an instance, in bytes.
pub const MAX_BODY: usize = 64 * 1024;
/// Longest accepted stored result, in bytes.
pub const MAX_RESULT: usize = 16 * 1024;
/// Longest accepted key of a counter, in bytes.
pub const MAX_COUNTER_KEY: usize = 512;
/// Longest accepted `once` of a charge, in bytes.
pub const MAX_ONCE: usize = 64;

/// A running instance as it is stored.
#[derive(Clone, PartialEq, Eq)]
pub struct InstanceRecord {
    /// Counts the advances; 1 after `create`.
    pub version: u32,
    /// Opaque, sealed by the service.
    pub body: Vec<u8>,
    /// Absolute end.
    pub end: Timestamp,
    /// The challenge approved by telephone, if any.
    pub approved: Option<u32>,
}

impl std::fmt::Debug for InstanceRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InstanceRecord").field("version", &self.version).field("end", &self.end).finish_non_exhaustive()
    }
}

/// Whether a caller may work on a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// There is no such instance, or it is past its end.
    Gone,
    /// Another version stands.
    Stale {
        /// That one.
        version: u32,
    },
    /// The nonce is that of the last advance; its stored result.
    Dup(Vec<u8>),
    /// Somebody, perhaps with the same nonce, is working on it.
    Busy,
    /// Go on; nobody else may until the lease ends.
    Claimed,
}

/// What became of an advance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Advanced {
    /// There is no such instance, or it is past its end.
    Gone,
    /// Another version stands, or another's lease is live. Nothing was written.
    Stale,
    /// This nonce has advanced it before; the result stored then.
    Dup(Vec<u8>),
    /// Written.
    Ok {
        /// The version that stands now.
        version: u32,
    },
}

/// How often something may be tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CounterLimit {
    /// Tries that are looked at within the window, or before the first lock.
    pub allowed: u32,
    /// Without lock: counted from the first try. With lock: tries are forgotten this long after the last one's lock.
    pub window: Seconds,
    /// What the last allowed try brings; none: refusal until the window ends.
    pub lock: Option<CounterLock>,
}

/// A lock that grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CounterLock {
    /// First lock.
    pub r#for: Seconds,
    /// Factor of each further one.
    pub backoff: u32,
    /// Longest lock.
    pub max: Seconds,
}

/// Whether a try is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Charged {
    /// It is.
    Allowed {
        /// Tries so far, this one included.
        count: u32,
    },
    /// It is not, and was not counted.
    Refused {
        /// When to come back; at least one second.
        retry_after: Seconds,
    },
}

/// Running instances and counters. Losing all of it costs users a restarted page and attackers nothing: what must happen
/// once is also unique in the database. Every operation is one atomic step; errors are [`StoreError::Unavailable`],
/// [`StoreError::TooLarge`] or [`StoreError::Corrupt`], and whoever asks must then refuse.
#[async_trait]
pub trait ShortLived: Send + Sync {
    /// Makes an instance of version 1: false when the id exists or `end` is past. Lives until `end`, or `idle` after the
    /// last write.
    async fn create(&self, id: FlowId, body: &[u8], end: Timestamp, idle: Seconds) -> Result<bool, StoreError>;

    /// The instance; none when it is gone.
    async fn load(&self, id: FlowId) -> Result<Option<InstanceRecord>, StoreError>;

    /// Asks to work on `version` for the page `nonce`, for as long as `lease`.
    async fn claim(&self, id: FlowId, version: u32, nonce: &[u8; 16], lease: Seconds) -> Result<Claim, StoreError>;

    /// Replaces `version` by the next one, unless another's lease is live; ends the lease. An approval stands only if the
    /// next one still waits for that very challenge.
    async fn advance(
        &self,
        id: FlowId,
        version: u32,
        nonce: &[u8; 16],
        next: NextInstance<'_>,
    ) -> Result<Advanced, StoreError>;

    /// Gives the lease back after a failure before any effect; does nothing when it is not that nonce's.
    async fn release(&self, id: FlowId, version: u32, nonce: &[u8; 16]) -> Result<(), StoreError>;

    /// Notes that a telephone call approved `challenge`, without raising the version: false when the instance is gone.
    /// Challenges of an instance are numbered upwards; a late call never takes the approval of a newer one away.
    async fn approve(&self, id: FlowId, challenge: u32) -> Result<bool, StoreError>;

    /// Counts a try before the secret is looked at. A repetition with the same `once` as the last counted try gets that
    /// try's answer again; an empty `once` never repeats. `key` should hold a hash of personal data, not the data.
    async fn charge(&self, key: &str, once: &[u8], limit: &CounterLimit) -> Result<Charged, StoreError>;

    /// Whether a lock of this counter is in force. Counts nothing.
    async fn is_locked(&self, key: &str) -> Result<bool, StoreError>;

    /// Forgets a counter and its lock.
    async fn reset(&self, key: &str) -> Result<(), StoreError>;

    /// The instances by pages, for whoever counts them: those from `cursor` on, 0 for the first. An instance that is there
    /// from the first page to the last is on one of them, perhaps on two.
    async fn list(&self, cursor: u64) -> Result<InstancePage, StoreError>;

    /// Asks the store for an answer.
    async fn ping(&self) -> Result<(), StoreError>;
}

/// Some of the instances.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstancePage {
    /// Those.
    pub found: Vec<(FlowId, InstanceRecord)>,
    /// The cursor of the next page; 0: there is none.
    pub next: u64,
}

/// What an advance writes.
#[derive(Clone, Copy)]
pub struct NextInstance<'a> {
    /// Answer for repetitions of the nonce, such as the redirect.
    pub result: &'a [u8],
    /// New body.
    pub body: &'a [u8],
    /// Life after this write.
    pub idle: Seconds,
    /// Absolute end.
    pub end: Timestamp,
    /// The challenge it waits for on the telephone; the approval of any other is forgotten.
    pub awaits: Option<u32>,
}

fn check_sizes(result: &[u8], body: &[u8]) -> Result<(), StoreError> {
    if result.len() > MAX_RESULT {
        return Err(StoreError::TooLarge("the result of a step"));
    }
    if body.len() > MAX_BODY {
        return Err(StoreError::TooLarge("an instance"));
    }
    Ok(())
}

fn check_charge(key: &str, once: &[u8]) -> Result<(), StoreError> {
    if key.len() > MAX_COUNTER_KEY || once.len() > MAX_ONCE {
        return Err(StoreError::TooLarge("the key of a counter"));
    }
    Ok(())
}
