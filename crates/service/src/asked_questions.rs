//! Which questions clients asked about tokens a while ago: what is on record already is not told again and again.

use std::collections::HashSet;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

use countersign_model::{Seconds, Timestamp};

/// A question is remembered for as long as this at least, twice as long at most, unless more are asked than fit.
const HALF: Seconds = Seconds::minutes(30);
/// So many are remembered in each half, of eight bytes each.
const MOST: usize = 32_768;

/// The questions of this node, by a hash whose key nobody knows.
#[derive(Default)]
pub(crate) struct AskedQuestions {
    key: RandomState,
    halves: Mutex<Halves>,
}

#[derive(Default)]
struct Halves {
    /// When the new half began.
    begun: Option<Timestamp>,
    new: HashSet<u64>,
    old: HashSet<u64>,
}

impl AskedQuestions {
    /// What a question is known by.
    pub(crate) fn of(&self, question: impl Hash) -> u64 {
        self.key.hash_one(question)
    }

    /// Whether it was noted a while ago.
    pub(crate) fn knows(&self, question: u64, now: Timestamp) -> bool {
        let halves = self.at(now);
        halves.new.contains(&question) || halves.old.contains(&question)
    }

    /// Notes it; what was asked longest ago is forgotten for it.
    pub(crate) fn note(&self, question: u64, now: Timestamp) {
        let mut halves = self.at(now);
        if halves.new.len() >= MOST {
            halves.old = std::mem::take(&mut halves.new);
        }
        halves.new.insert(question);
    }

    fn at(&self, now: Timestamp) -> MutexGuard<'_, Halves> {
        let mut halves = self.halves.lock().unwrap_or_else(PoisonError::into_inner);
        let begun = *halves.begun.get_or_insert(now);
        // A clock that was set back begins anew, too.
        if now < begun || now >= begun.plus(HALF).plus(HALF) {
            *halves = Halves { begun: Some(now), ..Halves::default() };
        } else if now >= begun.plus(HALF) {
            *halves = Halves { begun: Some(now), new: HashSet::new(), old: std::mem::take(&mut halves.new) };
        }
        halves
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

    #[test]
    fn a_question_is_known_for_half_an_hour_and_forgotten_after_an_hour() {
        let asked = AskedQuestions::default();
        let (one, other) = (asked.of(("portal", "a")), asked.of(("portal", "b")));
        assert!(!asked.knows(one, NOW));
        asked.note(one, NOW);
        assert!(asked.knows(one, NOW) && !asked.knows(other, NOW));
        assert!(asked.knows(one, NOW.plus(Seconds::minutes(31))), "the older half");
        assert!(!asked.knows(one, NOW.plus(Seconds::minutes(62))));
        asked.note(one, NOW.plus(Seconds::minutes(62)));
        assert!(!asked.knows(one, NOW), "the clock was set back");
    }

    #[test]
    fn a_long_pause_forgets_everything() {
        let asked = AskedQuestions::default();
        asked.note(1, NOW);
        assert!(!asked.knows(1, NOW.plus(Seconds::hours(1))));
    }

    #[test]
    fn no_more_are_remembered_than_fit() {
        let asked = AskedQuestions::default();
        for question in 0..200_000 {
            asked.note(question, NOW);
        }
        let halves = asked.at(NOW);
        assert!(halves.new.len() + halves.old.len() <= 2 * MOST);
        drop(halves);
        assert!(asked.knows(199_999, NOW) && !asked.knows(0, NOW));
    }
}
