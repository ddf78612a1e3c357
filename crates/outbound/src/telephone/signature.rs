//! Proof that a callback comes from the carrier: `X-Twilio-Signature`, an HMAC-SHA1 under the auth token.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret as _, SecretString};

/// The length of the header in a genuine request.
const LENGTH: usize = 28;

/// Whether `header` signs `url` (as the carrier called it, with its query) and the POST's `params`, in any order.
/// Takes the same time whatever is wrong in a signature of the right length.
pub fn check(auth_token: &SecretString, url: &str, params: &[(String, String)], header: &str) -> bool {
    if header.len() != LENGTH {
        return false;
    }
    let Ok(given) = STANDARD.decode(header) else { return false };
    hmac::verify(&key(auth_token), signed_text(url, params).as_bytes(), &given).is_ok()
}

/// The header for a request, as the carrier makes it.
pub fn sign(auth_token: &SecretString, url: &str, params: &[(String, String)]) -> String {
    STANDARD.encode(hmac::sign(&key(auth_token), signed_text(url, params).as_bytes()))
}

fn key(auth_token: &SecretString) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, auth_token.expose_secret().as_bytes())
}

/// The URL, then each distinct name and value, sorted, without anything between.
fn signed_text(url: &str, params: &[(String, String)]) -> String {
    let mut sorted: Vec<_> = params.iter().collect();
    sorted.sort();
    sorted.dedup();
    sorted.iter().fold(url.to_owned(), |text, (name, value)| text + name + value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "https://mycompany.com/myapp.php?foo=1&bar=2";

    fn token() -> SecretString {
        "12345".into()
    }

    fn params() -> Vec<(String, String)> {
        [
            ("Digits", "1234"),
            ("CallSid", "CA1234567890ABCDE"),
            ("To", "+18005551212"),
            ("Caller", "+14158675309"),
            ("From", "+14158675309"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec()
    }

    #[test]
    fn the_documented_example_is_genuine() {
        assert_eq!(sign(&token(), URL, &params()), "RSOYDt4T1cUTdK1PDd93/VVr8B8=");
        assert!(check(&token(), URL, &params(), "RSOYDt4T1cUTdK1PDd93/VVr8B8="));
    }

    #[test]
    fn any_change_makes_it_false() {
        let header = sign(&token(), URL, &params());
        assert!(!check(&"12346".into(), URL, &params(), &header));
        assert!(!check(&token(), "https://mycompany.com/myapp.php?foo=1&bar=3", &params(), &header));
        for index in 0..params().len() {
            let mut changed = params();
            changed[index].1.push('0');
            assert!(!check(&token(), URL, &changed, &header));
            changed.remove(index);
            assert!(!check(&token(), URL, &changed, &header));
        }
        for header in
            ["", "RSOYDt4T1cUTdK1PDd93/VVr8B8", "RSOYDt4T1cUTdK1PDd93/VVr8B9=", "!!!!Dt4T1cUTdK1PDd93/VVr8B8="]
        {
            assert!(!check(&token(), URL, &params(), header), "{header:?}");
        }
    }

    #[test]
    fn order_and_repetition_do_not_matter() {
        let mut shuffled = params();
        shuffled.reverse();
        shuffled.push(shuffled[0].clone());
        assert!(check(&token(), URL, &shuffled, &sign(&token(), URL, &params())));
    }
}
