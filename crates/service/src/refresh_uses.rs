//! Which refresh tokens are being used at this node at this moment: requests of tabs that come together are told apart
//! from a client that asks again because the answer was lost.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use countersign_model::{KeyedHash, Seconds, Timestamp};

use crate::clock::Clock;

/// For so long after the first use at another node a further one counts as parallel: what is under way there cannot be
/// seen from here.
const ELSEWHERE_MILLIS: i64 = 100;
/// No longer than this are two requests tabs that got into each other's way, whatever is still open.
const COMPANY: Seconds = Seconds::new(30);
/// For so long a finished use is remembered; more than the above.
const REMEMBERED: Seconds = Seconds::new(1);

/// The uses under way, by keyed hash of their token.
pub(crate) struct RefreshUses {
    clock: Clock,
    uses: Mutex<HashMap<KeyedHash, Use>>,
}

#[derive(Default)]
struct Use {
    running: u32,
    /// Whether one of them got the successor.
    won: bool,
    ended_at: Option<Timestamp>,
}

/// A use; it ends when this is dropped.
pub(crate) struct Place<'a> {
    uses: &'a RefreshUses,
    hash: KeyedHash,
    /// Others were under way when it began.
    in_company: bool,
    /// The successor was handed out here, and nothing was under way any more.
    answered_here: bool,
}

impl RefreshUses {
    pub(crate) fn new(clock: Clock) -> Self {
        Self { clock, uses: Mutex::default() }
    }

    /// Begins a use. The table holds what is under way and a second's worth of what was.
    pub(crate) fn enter(&self, hash: KeyedHash, now: Timestamp) -> Place<'_> {
        let mut uses = self.lock();
        uses.retain(|_, known| known.running > 0 || known.ended_at.is_none_or(|end| now < end.plus(REMEMBERED)));
        let known = uses.entry(hash).or_default();
        let in_company = known.running > 0;
        let answered_here = known.won && !in_company;
        known.running += 1;
        Place { uses: self, hash, in_company, answered_here }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<KeyedHash, Use>> {
        self.uses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place<'_> {
    /// Whether this use, begun at `now`, is parallel to the one that spent the token at `consumed_at`.
    pub(crate) fn overlaps(&self, consumed_at: Timestamp, now: Timestamp) -> bool {
        let elsewhere = now.as_millis() < consumed_at.as_millis() + ELSEWHERE_MILLIS;
        let together = self.in_company && now < consumed_at.plus(COMPANY);
        together || (elsewhere && !self.answered_here)
    }

    /// It got the successor.
    pub(crate) fn won(&self) {
        if let Some(known) = self.uses.lock().get_mut(&self.hash) {
            known.won = true;
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if let Some(known) = self.uses.lock().get_mut(&self.hash) {
            known.running = known.running.saturating_sub(1);
            known.ended_at = Some(self.uses.clock.now());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

    fn uses() -> RefreshUses {
        RefreshUses::new(Clock::new(|| NOW))
    }

    fn later(millis: i64) -> Timestamp {
        Timestamp::from_millis(NOW.as_millis() + millis)
    }

    #[test]
    fn what_overlaps_is_parallel_for_half_a_minute() {
        let uses = uses();
        let first = uses.enter([1; 32], NOW);
        let second = uses.enter([1; 32], later(5000));
        first.won();
        drop(first);
        let third = uses.enter([1; 32], later(9000));
        assert!(second.overlaps(NOW, later(5000)) && third.overlaps(NOW, later(9000)));
        let held_open = uses.enter([1; 32], later(30_000));
        assert!(!held_open.overlaps(NOW, later(30_000)), "nobody hides a reuse by requests that he holds open");
        assert!(!uses.enter([2; 32], later(9000)).overlaps(NOW, later(9000)), "another token");
    }

    #[test]
    fn who_asks_again_after_the_answer_is_not_parallel() {
        let uses = uses();
        let first = uses.enter([1; 32], NOW);
        first.won();
        drop(first);
        assert!(!uses.enter([1; 32], later(1)).overlaps(NOW, later(1)));
    }

    #[test]
    fn what_another_node_answered_is_parallel_for_a_moment() {
        let uses = uses();
        assert!(uses.enter([1; 32], later(99)).overlaps(NOW, later(99)));
        // It was refused here, which says nothing of the answer there.
        assert!(uses.enter([1; 32], later(99)).overlaps(NOW, later(99)));
        assert!(!uses.enter([1; 32], later(100)).overlaps(NOW, later(100)));
    }

    #[test]
    fn nothing_is_remembered_for_long() {
        let uses = uses();
        for number in 0..100 {
            drop(uses.enter([number; 32], NOW));
        }
        drop(uses.enter([200; 32], later(1000)));
        assert_eq!(uses.lock().len(), 1);
    }
}
