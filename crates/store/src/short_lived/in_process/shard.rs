//! One part of the map: entries, their expiry in order, and their size.

use std::collections::{BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use countersign_model::Timestamp;

use super::Instance;
use super::counter::Counter;
use crate::StoreError;

/// Roughly what an entry costs beside its own bytes: two copies of the key, the expiry, the nodes of both maps.
const OVERHEAD: usize = 256;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    Flow([u8; 16]),
    Counter(Arc<str>),
}

pub enum Entry {
    Instance(Instance),
    Counter(Counter),
}

struct Held {
    entry: Entry,
    expires: Timestamp,
    size: usize,
}

pub struct Shard {
    entries: HashMap<Key, Held>,
    expiries: BTreeSet<(Timestamp, Key)>,
    size: usize,
    most: usize,
}

impl Key {
    pub fn shard(&self, shards: usize) -> usize {
        let mut hasher = DefaultHasher::new();
        self.hash(&mut hasher);
        usize::try_from(hasher.finish() % shards as u64).unwrap_or_default()
    }

    fn len(&self) -> usize {
        match self {
            Self::Flow(id) => id.len(),
            Self::Counter(key) => key.len(),
        }
    }
}

impl Entry {
    fn len(&self) -> usize {
        match self {
            Self::Instance(instance) => {
                instance.body.len() + instance.last.as_ref().map_or(0, |(_, result)| result.len())
            }
            Self::Counter(counter) => counter.once.len(),
        }
    }
}

impl Shard {
    pub fn new(most: usize) -> Self {
        Self { entries: HashMap::new(), expiries: BTreeSet::new(), size: 0, most }
    }

    /// Drops what has expired; each entry is dropped once, so the work is paid for by its `put`.
    pub fn expire(&mut self, now: Timestamp) {
        while self.expiries.first().is_some_and(|(expires, _)| *expires <= now) {
            if let Some((_, key)) = self.expiries.pop_first()
                && let Some(held) = self.entries.remove(&key)
            {
                self.size -= held.size;
            }
        }
    }

    pub fn get(&self, key: &Key) -> Option<&Entry> {
        self.entries.get(key).map(|held| &held.entry)
    }

    pub fn instances(&self) -> impl Iterator<Item = ([u8; 16], &Instance)> {
        self.entries.iter().filter_map(|(key, held)| match (key, &held.entry) {
            (Key::Flow(id), Entry::Instance(instance)) => Some((*id, instance)),
            _ => None,
        })
    }

    pub fn instance(&mut self, key: &Key) -> Option<&mut Instance> {
        match self.entries.get_mut(key).map(|held| &mut held.entry) {
            Some(Entry::Instance(instance)) => Some(instance),
            _ => None,
        }
    }

    pub fn counter(&self, key: &Key) -> Option<&Counter> {
        match self.get(key) {
            Some(Entry::Counter(counter)) => Some(counter),
            _ => None,
        }
    }

    /// Stores an entry in place of the one that is there.
    pub fn put(&mut self, key: Key, entry: Entry, expires: Timestamp) -> Result<(), StoreError> {
        let size = OVERHEAD + 2 * key.len() + entry.len();
        let freed = self.entries.get(&key).map_or(0, |held| held.size);
        if self.size - freed + size > self.most {
            return Err(StoreError::Unavailable("the in-process store is full".to_owned()));
        }
        self.remove(&key);
        self.size += size;
        self.expiries.insert((expires, key.clone()));
        self.entries.insert(key, Held { entry, expires, size });
        Ok(())
    }

    pub fn remove(&mut self, key: &Key) {
        if let Some(held) = self.entries.remove(key) {
            self.size -= held.size;
            self.expiries.remove(&(held.expires, key.clone()));
        }
    }
}
