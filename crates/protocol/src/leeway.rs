//! How far the clock of whoever wrote a JWT may be from ours. One span for all of them: no section wants another.

use countersign_model::{Seconds, Timestamp};

/// Either way. FAPI 2.0 Security Profile, 5.3.2.1: an `iat` or `nbf` up to 10 s ahead is accepted, one over 60 s ahead
/// is refused. Elsewhere a small leeway is the server's to choose: RFC 7519, 4.1.4 and 4.1.5 (assertions by RFC 7523, 3;
/// request objects by RFC 9101, 4; ID tokens of others by OpenID Connect Core, 3.1.3.7); RFC 9449, 11.1 (proofs).
pub const LEEWAY: Seconds = Seconds::new(30);
/// How old a proof may be by its `iat`, for it has no `exp`: seconds or minutes (RFC 9449, 11.1), the leeway among them.
pub const PROOF_AGE: Seconds = Seconds::minutes(1);

/// Whether what ends at `end`, in seconds, has ended: from there on it does, the leeway later.
pub(crate) fn has_ended(end: i64, now: Timestamp) -> bool {
    now.as_secs() >= last(end)
}

/// Whether `time`, in seconds, is still to come, whatever the difference of the clocks.
pub(crate) fn is_ahead(time: i64, now: Timestamp) -> bool {
    time > last(now.as_secs())
}

/// `time`, in seconds, by the clock that is furthest behind.
pub(crate) fn last(time: i64) -> i64 {
    time.saturating_add(i64::from(LEEWAY.get()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::NOW;

    #[test]
    fn the_leeway_is_within_what_fapi2_5_3_2_1_wants() {
        let ahead = |seconds: i64| is_ahead(NOW.as_secs() + seconds, NOW);
        assert!(!ahead(0) && !ahead(10) && ahead(61));
        assert!(!ahead(30) && ahead(31));
    }

    #[test]
    fn what_ends_is_good_for_the_leeway_longer() {
        let ended = |seconds: i64| has_ended(NOW.as_secs() + seconds, NOW);
        assert!(!ended(1) && !ended(0) && !ended(-29) && ended(-30));
        assert!(has_ended(i64::MIN, NOW) && !has_ended(i64::MAX, NOW) && is_ahead(i64::MAX, NOW));
    }
}
