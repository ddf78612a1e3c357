//! Ids and secrets nobody can guess.

use aws_lc_rs::rand;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::fmt::Write as _;

/// 256 bits as 43 characters of base64url.
pub fn secret() -> String {
    URL_SAFE_NO_PAD.encode(bytes::<32>())
}

/// A Twilio-like id: two letters and 32 hexadecimal digits.
pub fn sid(prefix: &str) -> String {
    bytes::<16>().iter().fold(prefix.to_owned(), |mut sid, byte| {
        let _ = write!(sid, "{byte:02x}");
        sid
    })
}

/// The system's source failing leaves nothing sensible to do; the process ends (aws-lc aborts likewise).
fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    if rand::fill(&mut bytes).is_err() {
        std::process::abort();
    }
    bytes
}
