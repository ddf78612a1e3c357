//! Things kept in memory for a while, bounded.

use chrono::{DateTime, TimeDelta, Utc};
use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

struct Held<T> {
    by_key: HashMap<String, (DateTime<Utc>, T)>,
    /// Keys as they came; may name some that are gone.
    order: VecDeque<String>,
}

/// A map whose entries end after a fixed life; past the capacity the oldest make room.
pub struct Expiring<T> {
    capacity: usize,
    life: TimeDelta,
    held: Mutex<Held<T>>,
}

impl<T: Clone> Expiring<T> {
    pub fn new(capacity: usize, life: TimeDelta) -> Self {
        Self { capacity, life, held: Mutex::new(Held { by_key: HashMap::new(), order: VecDeque::new() }) }
    }

    fn held(&self) -> MutexGuard<'_, Held<T>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keys are random and never used twice.
    pub fn insert(&self, key: String, value: T, now: DateTime<Utc>) {
        let mut held = self.held();
        let Held { by_key, order } = &mut *held;
        order.push_back(key.clone());
        by_key.insert(key, (now + self.life, value));
        while let Some(oldest) = order.front() {
            let ended = by_key.get(oldest).is_none_or(|(end, _)| *end <= now);
            if !ended && by_key.len() <= self.capacity {
                break;
            }
            by_key.remove(oldest);
            order.pop_front();
        }
        // A long-lived oldest entry would let the names of removed ones pile up behind it.
        if order.len() > self.capacity.saturating_mul(2) {
            order.retain(|key| by_key.contains_key(key));
        }
    }

    pub fn find(&self, key: &str, now: DateTime<Utc>) -> Option<T> {
        self.held().by_key.get(key).filter(|(end, _)| *end > now).map(|(_, value)| value.clone())
    }

    /// Gives the entry once, and only to whom `fits` lets have it.
    pub fn consume_if(&self, key: &str, now: DateTime<Utc>, fits: impl FnOnce(&T) -> bool) -> Option<T> {
        let mut held = self.held();
        let (end, value) = held.by_key.get(key)?;
        if *end <= now || !fits(value) {
            return None;
        }
        held.by_key.remove(key).map(|(_, value)| value)
    }

    pub fn revoke(&self, key: &str) {
        self.held().by_key.remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
    }

    #[test]
    fn an_entry_is_consumed_once_and_by_whom_it_fits() {
        let shelf = Expiring::new(10, TimeDelta::seconds(60));
        shelf.insert("k".into(), 7, at(0));
        assert_eq!(shelf.consume_if("k", at(1), |value| *value == 8), None);
        assert_eq!(shelf.consume_if("k", at(1), |value| *value == 7), Some(7));
        assert_eq!(shelf.consume_if("k", at(1), |_| true), None);
    }

    #[test]
    fn an_entry_ends_with_its_life() {
        let shelf = Expiring::new(10, TimeDelta::seconds(60));
        shelf.insert("k".into(), 7, at(0));
        assert_eq!(shelf.find("k", at(59)), Some(7));
        assert_eq!(shelf.find("k", at(60)), None);
        assert_eq!(shelf.consume_if("k", at(60), |_| true), None);
    }

    #[test]
    fn the_oldest_make_room() {
        let shelf = Expiring::new(2, TimeDelta::seconds(60));
        for key in ["a", "b", "c"] {
            shelf.insert(key.into(), (), at(0));
        }
        let left = ["a", "b", "c"].map(|key| shelf.find(key, at(1)).is_some());
        assert_eq!(left, [false, true, true]);
    }

    #[test]
    fn names_of_consumed_entries_do_not_pile_up() {
        let shelf = Expiring::new(10, TimeDelta::seconds(60));
        shelf.insert("stays".into(), (), at(0));
        for number in 0..1_000 {
            shelf.insert(number.to_string(), (), at(0));
            shelf.revoke(&number.to_string());
        }
        assert!(shelf.held().order.len() <= 20);
        assert!(shelf.find("stays", at(1)).is_some());
    }
}
