//! Time-based codes of authenticator apps (RFC 6238): SHA-1, 6 digits, 30 s, one step of drift either way.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use countersign_model::Timestamp;
use totp_rs::{Algorithm, Builder, Secret};

/// Length of a time step, in seconds.
pub const STEP_SECONDS: i64 = 30;
/// Digits of a code.
pub const DIGITS: u8 = 6;

/// The time step whose code was given, if it lies within the drift and after `last_step`: a step counts once
/// (RFC 6238, 5.2). Every candidate is compared, in constant time.
pub fn find_step(seed: &[u8], code: &str, now: Timestamp, last_step: Option<i64>) -> Option<i64> {
    let current = now.as_secs().div_euclid(STEP_SECONDS);
    let mut found = None;
    for step in [current - 1, current, current + 1] {
        let right = code_at(seed, step).is_some_and(|right| is_equal(&right, code));
        if right && last_step.is_none_or(|last| step > last) {
            found = Some(step);
        }
    }
    found
}

/// The code of a time step; none for steps before the epoch.
pub fn code_at(seed: &[u8], step: i64) -> Option<String> {
    let time = u64::try_from(step.checked_mul(STEP_SECONDS)?).ok()?;
    let totp = Builder::new()
        .with_algorithm(Algorithm::SHA1)
        .with_digits(DIGITS)
        .with_step_duration(STEP_SECONDS.unsigned_abs())
        .with_secret(Secret::new(seed.into()))
        .build_noncompliant();
    Some(totp.generate(time).to_string())
}

/// The seed behind its base32 text, with or without spaces.
pub fn parse_seed(base32: &str) -> Option<Vec<u8>> {
    let text: String = base32.chars().filter(|c| !c.is_whitespace()).collect();
    let seed = Secret::try_from_base32(text.to_uppercase()).ok()?;
    (16..=64).contains(&seed.as_bytes().len()).then(|| seed.as_bytes().to_vec())
}

fn is_equal(one: &str, other: &str) -> bool {
    verify_slices_are_equal(one.as_bytes(), other.as_bytes()).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEED: &[u8] = b"12345678901234567890";

    #[test]
    fn codes_are_those_of_rfc_6238_appendix_b() {
        for (time, code) in [(59, "287082"), (1_111_111_109, "081804"), (1_234_567_890, "005924")] {
            assert_eq!(code_at(SEED, time / STEP_SECONDS).as_deref(), Some(code));
        }
    }

    #[test]
    fn one_step_of_drift_is_allowed_and_two_are_not() {
        let now = Timestamp::from_secs(1_111_111_109);
        let current = 1_111_111_109 / STEP_SECONDS;
        for (drift, found) in [(-2, None), (-1, Some(-1)), (0, Some(0)), (1, Some(1)), (2, None)] {
            let code = code_at(SEED, current + drift).unwrap();
            assert_eq!(find_step(SEED, &code, now, None), found.map(|drift| current + drift), "drift {drift}");
        }
    }

    #[test]
    fn a_step_counts_once_and_never_backwards() {
        let now = Timestamp::from_secs(1_111_111_109);
        let current = 1_111_111_109 / STEP_SECONDS;
        let code = code_at(SEED, current).unwrap();
        assert_eq!(find_step(SEED, &code, now, Some(current)), None);
        assert_eq!(find_step(SEED, &code, now, Some(current - 1)), Some(current));
        assert_eq!(find_step(SEED, "", now, None), None);
    }

    #[test]
    fn seeds_read_as_base32() {
        assert_eq!(parse_seed("GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ").as_deref(), Some(SEED));
        assert_eq!(parse_seed("short"), None);
        assert_eq!(parse_seed("!"), None);
    }
}
