//! Clients that do not answer: after a few failures in a row nothing is posted to them for a while.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use countersign_model::{Seconds, Timestamp};

/// Failures in a row after which a client is left alone.
const FAILURES: u32 = 3;
/// For this long; then one more failure is enough.
const PAUSE: Seconds = Seconds::hours(1);
/// Failures that nobody repeats are forgotten after this.
const FORGOTTEN: Seconds = Seconds::hours(24);

/// What this node knows of clients that failed, by their ids.
#[derive(Default)]
pub(crate) struct Unreachable(Mutex<HashMap<String, Failures>>);

struct Failures {
    in_a_row: u32,
    last: Timestamp,
}

impl Unreachable {
    /// Until when `client` is left alone; none: it may be tried.
    pub(crate) fn until(&self, client: &str, now: Timestamp) -> Option<Timestamp> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let failures = known.get(client).filter(|failures| failures.in_a_row >= FAILURES)?;
        Some(failures.last.plus(PAUSE)).filter(|until| now < *until)
    }

    /// Notes that `client` answered, whatever it said.
    pub(crate) fn note_answer(&self, client: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(client);
    }

    /// Notes that `client` was not reached.
    pub(crate) fn note_failure(&self, client: &str, now: Timestamp) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, failures| now < failures.last.plus(FORGOTTEN));
        let failures = known.entry(client.to_owned()).or_insert(Failures { in_a_row: 0, last: now });
        failures.in_a_row = failures.in_a_row.saturating_add(1);
        failures.last = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

    #[test]
    fn after_three_failures_in_a_row_a_client_is_left_alone_for_an_hour() {
        let all = Unreachable::default();
        for _ in 0..2 {
            all.note_failure("slow", NOW);
        }
        assert_eq!(all.until("slow", NOW), None);
        all.note_answer("slow");
        for _ in 0..FAILURES {
            assert_eq!(all.until("slow", NOW), None, "an answer ends the row");
            all.note_failure("slow", NOW);
        }
        assert_eq!(all.until("slow", NOW), Some(NOW.plus(PAUSE)));
        assert_eq!(all.until("other", NOW), None);
        let later = NOW.plus(PAUSE);
        assert_eq!(all.until("slow", later), None);
        all.note_failure("slow", later);
        assert_eq!(all.until("slow", later), Some(later.plus(PAUSE)), "one more is enough then");
        all.note_failure("other", later.plus(FORGOTTEN));
        assert_eq!(all.0.lock().unwrap().len(), 1);
    }
}
