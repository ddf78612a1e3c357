//! What a charge does to a counter: the twin of `lua/charge.lua`.

use countersign_model::{Seconds, Timestamp};

use crate::short_lived::{Charged, CounterLimit, CounterLock};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counter {
    /// Tries that were looked at.
    pub count: u32,
    /// When they are forgotten.
    pub window_end: Timestamp,
    /// Refused until then.
    pub locked_until: Option<Timestamp>,
    /// `once` of the last one.
    pub once: Vec<u8>,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Decision {
    /// The last counted try again.
    Repeat(Charged),
    /// Not looked at, not counted.
    Refuse(Charged),
    /// Looked at; the counter to store.
    Count(Counter, Charged),
}

impl Counter {
    /// When nothing of it matters any more. A lock never outlasts the window.
    pub fn expires(&self) -> Timestamp {
        self.window_end
    }
}

/// Decides one charge of a counter that has not expired at `now`.
pub fn decide_charge(counter: Option<&Counter>, once: &[u8], limit: &CounterLimit, now: Timestamp) -> Decision {
    if let Some(counter) = counter.filter(|counter| !once.is_empty() && counter.once == once) {
        return Decision::Repeat(Charged::Allowed { count: counter.count });
    }
    if let Some(until) = counter.and_then(|counter| counter.locked_until).filter(|until| now < *until) {
        return Decision::Refuse(refused(until, now));
    }
    let count = counter.map_or(0, |counter| counter.count).saturating_add(1);
    let answer = Charged::Allowed { count };
    let Some(lock) = &limit.lock else {
        let window_end = counter.map_or_else(|| now.plus(limit.window), |counter| counter.window_end);
        if count > limit.allowed {
            return Decision::Refuse(refused(window_end, now));
        }
        return Decision::Count(Counter { count, window_end, locked_until: None, once: once.to_vec() }, answer);
    };
    let locked_until = (count >= limit.allowed).then(|| now.plus(lock_after(lock, count - limit.allowed)));
    let window_end = locked_until.unwrap_or(now).plus(limit.window);
    Decision::Count(Counter { count, window_end, locked_until, once: once.to_vec() }, answer)
}

fn lock_after(lock: &CounterLock, further: u32) -> Seconds {
    let grown = lock.backoff.checked_pow(further).and_then(|factor| lock.r#for.get().checked_mul(factor));
    Seconds::new(grown.unwrap_or(u32::MAX).min(lock.max.get()))
}

fn refused(until: Timestamp, now: Timestamp) -> Charged {
    let seconds = until.millis_since(now).saturating_add(999) / 1000;
    let seconds = u32::try_from(seconds).unwrap_or(u32::MAX).max(1);
    Charged::Refused { retry_after: Seconds::new(seconds) }
}
