//! The embedded default for one node: the same semantics in a sharded, bounded map.

mod counter;
mod shard;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use countersign_model::{FlowId, Seconds, Timestamp};

use self::shard::{Entry, Key, Shard};
use super::{
    Advanced, Charged, Claim, CounterLimit, InstancePage, InstanceRecord, NextInstance, ShortLived, check_charge,
    check_sizes,
};
use crate::StoreError;

const SHARDS: usize = 64;

/// The clock of the service.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// How much may be held. Past it new entries are refused, as Redis does under `noeviction`: dropping a counter instead
/// would give an attacker fresh tries.
#[derive(Clone, Copy, Debug)]
pub struct InProcessBounds {
    /// Most bytes, keys and bookkeeping included.
    pub bytes: usize,
}

impl Default for InProcessBounds {
    fn default() -> Self {
        Self { bytes: 256 * 1024 * 1024 }
    }
}

/// Running instances and counters in this process.
pub struct InProcess {
    shards: Vec<Mutex<Shard>>,
    clock: Clock,
}

#[derive(Clone)]
struct Instance {
    version: u32,
    last: Option<([u8; 16], Vec<u8>)>,
    lease: Option<([u8; 16], Timestamp)>,
    end: Timestamp,
    approved: Option<u32>,
    body: Vec<u8>,
}

impl InProcess {
    /// An empty store that tells time by `clock`.
    pub fn new(clock: Clock, bounds: InProcessBounds) -> Self {
        let shards = (0..SHARDS).map(|_| Mutex::new(Shard::new(bounds.bytes / SHARDS))).collect();
        Self { shards, clock }
    }

    /// The shard of `key`, without what has expired, and the time.
    fn lock(&self, key: &Key) -> (MutexGuard<'_, Shard>, Timestamp) {
        let index = key.shard(self.shards.len());
        // A panic between two writes of an operation cannot happen: they end in one `put`.
        let mut shard = self.shards[index].lock().unwrap_or_else(PoisonError::into_inner);
        let now = (self.clock)();
        shard.expire(now);
        (shard, now)
    }
}

/// The earlier of idle and absolute end.
fn expiry(now: Timestamp, idle: Seconds, end: Timestamp) -> Timestamp {
    now.plus(idle).min(end)
}

impl Instance {
    fn record(&self) -> InstanceRecord {
        let Self { version, end, approved, .. } = *self;
        InstanceRecord { version, body: self.body.clone(), end, approved }
    }

    fn has_live_lease(&self, now: Timestamp) -> bool {
        self.lease.as_ref().is_some_and(|(_, until)| *until > now)
    }

    fn result_of(&self, nonce: &[u8; 16]) -> Option<&[u8]> {
        self.last.as_ref().filter(|(last, _)| last == nonce).map(|(_, result)| result.as_slice())
    }

    fn is_leased_to_another(&self, nonce: &[u8; 16], now: Timestamp) -> bool {
        self.has_live_lease(now) && self.lease.as_ref().is_some_and(|(holder, _)| holder != nonce)
    }
}

#[async_trait]
impl ShortLived for InProcess {
    async fn create(&self, id: FlowId, body: &[u8], end: Timestamp, idle: Seconds) -> Result<bool, StoreError> {
        check_sizes(&[], body)?;
        let key = Key::Flow(*id.as_bytes());
        let (mut shard, now) = self.lock(&key);
        let expires = expiry(now, idle, end);
        if expires <= now || shard.get(&key).is_some() {
            return Ok(false);
        }
        let instance = Instance { version: 1, last: None, lease: None, end, approved: None, body: body.to_vec() };
        shard.put(key, Entry::Instance(instance), expires)?;
        Ok(true)
    }

    async fn load(&self, id: FlowId) -> Result<Option<InstanceRecord>, StoreError> {
        let key = Key::Flow(*id.as_bytes());
        let (mut shard, _) = self.lock(&key);
        Ok(shard.instance(&key).map(|instance| instance.record()))
    }

    async fn claim(&self, id: FlowId, version: u32, nonce: &[u8; 16], lease: Seconds) -> Result<Claim, StoreError> {
        let key = Key::Flow(*id.as_bytes());
        let (mut shard, now) = self.lock(&key);
        let Some(instance) = shard.instance(&key) else {
            return Ok(Claim::Gone);
        };
        if let Some(result) = instance.result_of(nonce) {
            return Ok(Claim::Dup(result.to_vec()));
        }
        if instance.version != version {
            return Ok(Claim::Stale { version: instance.version });
        }
        if instance.has_live_lease(now) {
            return Ok(Claim::Busy);
        }
        instance.lease = Some((*nonce, now.plus(lease)));
        Ok(Claim::Claimed)
    }

    async fn advance(
        &self,
        id: FlowId,
        version: u32,
        nonce: &[u8; 16],
        next: NextInstance<'_>,
    ) -> Result<Advanced, StoreError> {
        check_sizes(next.result, next.body)?;
        let key = Key::Flow(*id.as_bytes());
        let (mut shard, now) = self.lock(&key);
        let Some(instance) = shard.instance(&key) else {
            return Ok(Advanced::Gone);
        };
        if let Some(result) = instance.result_of(nonce) {
            return Ok(Advanced::Dup(result.to_vec()));
        }
        if instance.version != version || instance.is_leased_to_another(nonce, now) {
            return Ok(Advanced::Stale);
        }
        let successor = Instance {
            version: version.saturating_add(1),
            last: Some((*nonce, next.result.to_vec())),
            lease: None,
            end: next.end,
            approved: instance.approved.filter(|approved| next.awaits == Some(*approved)),
            body: next.body.to_vec(),
        };
        let version = successor.version;
        let expires = expiry(now, next.idle, next.end);
        if expires <= now {
            shard.remove(&key);
            return Ok(Advanced::Gone);
        }
        shard.put(key, Entry::Instance(successor), expires)?;
        Ok(Advanced::Ok { version })
    }

    async fn release(&self, id: FlowId, version: u32, nonce: &[u8; 16]) -> Result<(), StoreError> {
        let key = Key::Flow(*id.as_bytes());
        let (mut shard, _) = self.lock(&key);
        if let Some(instance) = shard.instance(&key)
            && instance.version == version
            && instance.lease.as_ref().is_some_and(|(holder, _)| holder == nonce)
        {
            instance.lease = None;
        }
        Ok(())
    }

    async fn approve(&self, id: FlowId, challenge: u32) -> Result<bool, StoreError> {
        let key = Key::Flow(*id.as_bytes());
        let (mut shard, _) = self.lock(&key);
        Ok(shard.instance(&key).map(|instance| instance.approved = instance.approved.max(Some(challenge))).is_some())
    }

    async fn charge(&self, key: &str, once: &[u8], limit: &CounterLimit) -> Result<Charged, StoreError> {
        check_charge(key, once)?;
        let key = Key::Counter(key.into());
        let (mut shard, now) = self.lock(&key);
        let counter = shard.counter(&key);
        match counter::decide_charge(counter, once, limit, now) {
            counter::Decision::Repeat(answer) | counter::Decision::Refuse(answer) => Ok(answer),
            counter::Decision::Count(counter, answer) => {
                let expires = counter.expires();
                shard.put(key, Entry::Counter(counter), expires)?;
                Ok(answer)
            }
        }
    }

    async fn is_locked(&self, key: &str) -> Result<bool, StoreError> {
        check_charge(key, &[])?;
        let key = Key::Counter(key.into());
        let (shard, now) = self.lock(&key);
        Ok(shard.counter(&key).and_then(|counter| counter.locked_until).is_some_and(|until| now < until))
    }

    async fn reset(&self, key: &str) -> Result<(), StoreError> {
        let key = Key::Counter(key.into());
        self.lock(&key).0.remove(&key);
        Ok(())
    }

    async fn list(&self, cursor: u64) -> Result<InstancePage, StoreError> {
        let Some(shard) = usize::try_from(cursor).ok().and_then(|index| self.shards.get(index)) else {
            return Ok(InstancePage { found: Vec::new(), next: 0 });
        };
        let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        shard.expire((self.clock)());
        let found = shard.instances().map(|(id, instance)| (FlowId::new(id), instance.record())).collect();
        let is_last = cursor + 1 == self.shards.len() as u64;
        Ok(InstancePage { found, next: if is_last { 0 } else { cursor + 1 } })
    }

    async fn ping(&self) -> Result<(), StoreError> {
        Ok(())
    }
}
