//! Proof of who sent a body and when: `t=<seconds>,v1=<hex>`, an HMAC-SHA-256 of `<seconds>.<body>`.

use std::fmt::Write as _;

use aws_lc_rs::hmac;
use countersign_model::{Seconds, Timestamp};
use secrecy::{ExposeSecret as _, SecretString};

/// How far the clocks of both sides may be apart, and how long a call can be repeated.
pub const TOLERANCE: Seconds = Seconds::minutes(5);

/// The longest header that is looked at, in bytes.
const MAX_HEADER: usize = 256;

/// The header for `body`.
pub fn sign(secret: &SecretString, body: &[u8], at: Timestamp) -> String {
    let tag = hmac::sign(&key(secret), &signed_bytes(at.as_secs(), body));
    let mut header = format!("t={},v1=", at.as_secs());
    for byte in tag.as_ref() {
        // Writing to a String cannot fail.
        let _ = write!(header, "{byte:02x}");
    }
    header
}

/// Whether `header` signs `body`, at most [`TOLERANCE`] ago or ahead. Takes the same time whatever is wrong in the tag.
pub fn check(secret: &SecretString, body: &[u8], header: &str, now: Timestamp) -> bool {
    let Some((at, tag)) = parse(header) else { return false };
    let distance = now.as_secs().abs_diff(at);
    let is_recent = distance <= u64::from(TOLERANCE.get());
    hmac::verify(&key(secret), &signed_bytes(at, body), &tag).is_ok() && is_recent
}

fn key(secret: &SecretString) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, secret.expose_secret().as_bytes())
}

fn signed_bytes(seconds: i64, body: &[u8]) -> Vec<u8> {
    [seconds.to_string().as_bytes(), b".", body].concat()
}

fn parse(header: &str) -> Option<(i64, Vec<u8>)> {
    if header.len() > MAX_HEADER {
        return None;
    }
    let (time, tag) = header.strip_prefix("t=")?.split_once(",v1=")?;
    let is_canonical = !time.is_empty() && time.bytes().all(|byte| byte.is_ascii_digit());
    let time = time.parse().ok().filter(|_| is_canonical)?;
    Some((time, decode_hex(tag)?))
}

fn decode_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> =
        text.chars().map(|digit| digit.to_digit(16).and_then(|digit| u8::try_from(digit).ok())).collect();
    let digits = digits.filter(|digits| digits.len().is_multiple_of(2))?;
    Some(digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] = br#"{"event":"registered"}"#;
    const NOW: Timestamp = Timestamp::from_secs(1_795_312_800);

    fn secret() -> SecretString {
        "heron-and-kingfisher".into()
    }

    fn later(seconds: i64) -> Timestamp {
        Timestamp::from_secs(NOW.as_secs() + seconds)
    }

    /// `printf '1795312800.{"event":"registered"}' | openssl dgst -sha256 -hmac heron-and-kingfisher`
    #[test]
    fn the_header_is_what_openssl_computes() {
        let header = "t=1795312800,v1=2841c1edbda5e45a57fff46568dfbd37a127f522935fe94d1f132624b74f3808";
        assert_eq!(sign(&secret(), BODY, NOW), header);
        assert!(check(&secret(), BODY, header, NOW));
    }

    #[test]
    fn a_signature_holds_for_five_minutes_either_way() {
        let header = sign(&secret(), BODY, NOW);
        for (seconds, holds) in [(0, true), (300, true), (-300, true), (301, false), (-301, false)] {
            assert_eq!(check(&secret(), BODY, &header, later(seconds)), holds, "{seconds}");
        }
        assert!(!check(&secret(), BODY, &header, Timestamp::from_secs(i64::MIN / 1000)));
    }

    #[test]
    fn any_change_makes_it_false() {
        let header = sign(&secret(), BODY, NOW);
        assert!(!check(&"heron-and-kingfishes".into(), BODY, &header, NOW));
        assert!(!check(&secret(), b"{}", &header, NOW));
        let moved = header.replacen("t=1795312800", "t=1795312801", 1);
        let long = format!("{header}{}", "0".repeat(300));
        let short = &header[..header.len() - 2];
        let nonsense =
            ["", "t=,v1=", "t=1795312800", "v1=00", "t=-1,v1=00", "t=+1795312800,v1=00", "t=1795312800,v1=ü0"];
        for header in [moved.as_str(), &long, short, &header[1..]].into_iter().chain(nonsense) {
            assert!(!check(&secret(), BODY, header, NOW), "{header:?}");
        }
    }
}
