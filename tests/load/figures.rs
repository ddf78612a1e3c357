//! Numbers as they are worked out and written.

use std::time::Duration;

/// A count as a fraction.
pub fn float(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

/// The same of more.
pub fn float_of(number: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "exact below 2^53")]
    let float = number as f64;
    float
}

/// The whole number below.
pub fn whole(number: f64) -> usize {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast from float saturates")]
    let whole = number as usize;
    whole
}

/// Microseconds.
pub fn micros(span: Duration) -> f64 {
    span.as_secs_f64() * 1e6
}

/// The middle one; of two the lower.
pub fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_unstable_by(f64::total_cmp);
    let middle = numbers.len().saturating_sub(1) / 2;
    numbers.get(middle).copied().unwrap_or(f64::NAN)
}

/// With three digits that count, no more.
pub fn show(number: f64) -> String {
    match number.abs() {
        size if size.is_nan() => "?".to_owned(),
        size if size >= 100.0 => format!("{number:.0}"),
        size if size >= 10.0 => format!("{number:.1}"),
        _ => format!("{number:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_nothing_is_no_number_and_says_so() {
        assert_eq!(show(median(Vec::new())), "?");
        assert_eq!(show(median(vec![9.0, 1.0, 5.0])), "5.00");
        assert_eq!(show(median(vec![300.4, 123.4])), "123");
    }
}
