//! The one place of this crate that reads the wall clock.

use chrono::{DateTime, SecondsFormat, Utc};

/// Now. The sandbox stands outside the product, whose rules take time as a parameter.
#[expect(clippy::disallowed_methods, reason = "a separate process for development, with no Clock to ask")]
pub fn now() -> DateTime<Utc> {
    Utc::now()
}

/// RFC 3339 in UTC with milliseconds.
pub fn iso(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}
