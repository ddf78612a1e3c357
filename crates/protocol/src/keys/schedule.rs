//! When signing keys come and go: announced before they sign, kept until the last token they signed has died.

use countersign_model::{KeyId, Seconds, SigningAlgorithm, SigningKey, Timestamp};

/// What an operator decided about keys.
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    /// How long a key signs before its successor does; none: until somebody says so.
    pub rotation: Option<Seconds>,
    /// How long a key is published before it signs: at least the max-age of the JWKS.
    pub announcement: Seconds,
    /// How long a key is published after it signed last: at least the life of the longest token.
    pub retention: Seconds,
}

/// What is to be done about the keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Algorithms that get a new key, each with the key it follows.
    pub create: Vec<(SigningAlgorithm, KeyId)>,
    /// Keys whose end is known now.
    pub retire: Vec<(KeyId, Timestamp)>,
    /// Keys that are published no more.
    pub remove: Vec<KeyId>,
}

/// What is due at `now`. An algorithm without a key is no business of the schedule.
pub fn plan(keys: &[SigningKey], schedule: &Schedule, now: Timestamp) -> Plan {
    let mut plan = Plan::default();
    for algorithm in SigningAlgorithm::ALL {
        let line = line(keys, algorithm);
        if let (Some(newest), Some(rotation)) = (line.last(), schedule.rotation)
            && newest.use_from.plus(rotation) <= now.plus(schedule.announcement)
        {
            plan.create.push((algorithm, newest.id.clone()));
        }
        for pair in line.windows(2).filter(|pair| pair[0].retire_at.is_none()) {
            plan.retire.push((pair[0].id.clone(), pair[1].use_from.plus(schedule.retention)));
        }
    }
    plan.remove =
        keys.iter().filter(|key| key.retire_at.is_some_and(|end| end <= now)).map(|key| key.id.clone()).collect();
    plan
}

/// The key of `algorithm` that will sign last.
pub fn newest(keys: &[SigningKey], algorithm: SigningAlgorithm) -> Option<&SigningKey> {
    line(keys, algorithm).pop()
}

/// The keys of `algorithm` in the order in which they sign.
fn line(keys: &[SigningKey], algorithm: SigningAlgorithm) -> Vec<&SigningKey> {
    let mut line: Vec<&SigningKey> = keys.iter().filter(|key| key.algorithm == algorithm).collect();
    line.sort_by_key(|key| (key.use_from, key.created_at));
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::choose_signing_key;
    use crate::testing::{key, later};

    const SCHEDULE: Schedule =
        Schedule { rotation: Some(Seconds::new(1000)), announcement: Seconds::new(100), retention: Seconds::new(50) };

    fn es256(id: &str, use_from: i64) -> SigningKey {
        let (_, stored) = key(SigningAlgorithm::ES256, id);
        SigningKey { use_from: later(use_from), created_at: later(use_from - 100), ..stored }
    }

    fn id(text: &str) -> KeyId {
        text.parse().unwrap()
    }

    #[test]
    fn a_successor_is_made_an_announcement_before_it_is_due() {
        let keys = [es256("a", 0)];
        assert_eq!(plan(&keys, &SCHEDULE, later(899)), Plan::default());
        assert_eq!(plan(&keys, &SCHEDULE, later(900)).create, [(SigningAlgorithm::ES256, id("a"))]);
        let never = Schedule { rotation: None, ..SCHEDULE };
        assert_eq!(plan(&keys, &never, later(1_000_000)), Plan::default());
        let followed = [es256("a", 0), es256("b", 1000)];
        assert_eq!(plan(&followed, &SCHEDULE, later(1000)).create, []);
    }

    #[test]
    fn a_key_ends_when_the_last_token_it_signed_is_dead_and_then_it_goes() {
        let mut keys = [es256("a", 0), es256("b", 1000)];
        assert_eq!(plan(&keys, &SCHEDULE, later(900)).retire, [(id("a"), later(1050))]);
        keys[0].retire_at = Some(later(1050));
        assert_eq!(plan(&keys, &SCHEDULE, later(1049)), Plan::default());
        assert_eq!(plan(&keys, &SCHEDULE, later(1050)).remove, [id("a")]);
    }

    #[test]
    fn whatever_the_pace_there_is_a_key_that_signs_and_it_was_announced() {
        let mut keys = vec![es256("0", 0)];
        for second in (0..20_000).step_by(37) {
            let now = later(second);
            let plan = plan(&keys, &SCHEDULE, now);
            for (_, followed) in plan.create {
                let mut next = es256(&format!("{followed}x"), second + 100);
                next.public_jwk = keys[0].public_jwk.clone();
                keys.push(next);
            }
            for (id, end) in plan.retire {
                keys.iter_mut().find(|key| key.id == id).unwrap().retire_at = Some(end);
            }
            keys.retain(|key| !plan.remove.contains(&key.id));
            let signs = choose_signing_key(&keys, SigningAlgorithm::ES256, now).unwrap();
            assert!(signs.id.as_str() == "0" || signs.created_at.plus(SCHEDULE.announcement) <= now);
            assert!(keys.len() <= 3, "old ones go");
        }
        assert!(keys[0].id.as_str().len() > 15, "many have come and gone");
    }
}
