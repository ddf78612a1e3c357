//! Which passwords may be set (NIST 800-63B-4, 3.1.1): long enough, not easily guessed, not one's own name. No rules
//! about letters, digits and signs.

use crate::facts::AccountFacts;
use crate::{MAX_PASSWORD, NoticeKey};

/// Fewest characters.
pub(crate) const MIN_LENGTH: usize = 8;
/// Fewest characters where nothing else guards the account.
pub(crate) const MIN_LENGTH_ALONE: usize = 15;
/// What the estimate of guesses must reach, of 0 to 4.
const MIN_SCORE: zxcvbn::Score = zxcvbn::Score::Two;

/// Whether a password is long enough; `alone`: nothing else guards the account.
pub(crate) fn check_length(password: &str, alone: bool) -> Result<(), NoticeKey> {
    if password.len() > MAX_PASSWORD {
        return Err(NoticeKey::PasswordLong);
    }
    let length = password.chars().count();
    if length < MIN_LENGTH {
        return Err(NoticeKey::PasswordShort);
    }
    if alone && length < MIN_LENGTH_ALONE { Err(NoticeKey::PasswordShortAlone) } else { Ok(()) }
}

/// Whether a password may be set by somebody with these words of their own.
pub(crate) fn check(password: &str, personal: &[String], alone: bool) -> Result<(), NoticeKey> {
    check_length(password, alone)?;
    let plain = simplify(password);
    if !plain.is_empty() && personal.iter().any(|word| simplify(word) == plain) {
        return Err(NoticeKey::PasswordPersonal);
    }
    let words: Vec<&str> = personal.iter().map(String::as_str).collect();
    let estimate = zxcvbn::zxcvbn(password, &words);
    if estimate.score() < MIN_SCORE { Err(NoticeKey::PasswordWeak) } else { Ok(()) }
}

/// Letters alone, in lower case: `Daisy.Duck7` is `daisyduck`.
fn simplify(text: &str) -> String {
    text.chars().filter(|c| c.is_alphabetic()).flat_map(char::to_lowercase).collect()
}

/// A person's own words: names, user name, address and what stands before its `@`.
pub(crate) fn list_personal(account: &AccountFacts) -> Vec<String> {
    let mut words: Vec<String> = account.names.clone();
    words.push(account.names.concat());
    words.extend(account.username.clone());
    for address in [&account.email, &account.mailbox].into_iter().flatten() {
        words.extend(address.rsplit_once('@').map(|(local, _)| local.to_owned()));
        words.push(address.clone());
    }
    words.retain(|word| word.chars().count() >= 3);
    words
}

#[cfg(test)]
mod tests {
    use countersign_model::{Timestamp, UserId};
    use proptest::prelude::*;

    use super::*;

    fn daisy() -> Vec<String> {
        let user = UserId::new(Timestamp::from_millis(0), [1; 10]);
        list_personal(&AccountFacts {
            names: vec!["Daisy".to_owned(), "Duckworth".to_owned()],
            username: Some("dduck".to_owned()),
            email: Some("daisy.duckworth@example.com".to_owned()),
            ..AccountFacts::new(user)
        })
    }

    #[test]
    fn length_is_counted_in_characters_and_bounded_in_bytes() {
        assert_eq!(check("pond-li", &[], false), Err(NoticeKey::PasswordShort));
        assert_eq!(check("pönd-lü!", &[], false), Ok(()));
        assert_eq!(check("pond-lily-4471", &[], true), Err(NoticeKey::PasswordShortAlone));
        assert_eq!(check("pond-lily-4471-", &[], true), Ok(()));
        assert_eq!(check(&"ü".repeat(513), &[], false), Err(NoticeKey::PasswordLong));
        assert!(check_length(&"ü".repeat(512), true).is_ok());
    }

    #[test]
    fn what_is_easily_guessed_is_refused() {
        for password in ["password", "Password1!", "12345678", "qwertyuiop", "aaaaaaaaaaaaaaaaaaaa", "        "] {
            assert_eq!(check(password, &[], false), Err(NoticeKey::PasswordWeak), "{password}");
        }
    }

    #[test]
    fn no_composition_is_asked_for() {
        for password in ["correct horse battery", "velvet tuba lagoon", "4471-0918-2236-1187"] {
            assert_eq!(check(password, &[], false), Ok(()), "{password}");
        }
    }

    #[test]
    fn ones_own_name_and_address_are_refused() {
        for password in ["duckworth99", "Daisy.Duckworth", "daisy.duckworth@example.com", "DaisyDuckworth7"] {
            assert_eq!(check(password, &daisy(), false), Err(NoticeKey::PasswordPersonal), "{password}");
        }
        assert_eq!(check("velvet tuba lagoon", &daisy(), false), Ok(()));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn no_text_makes_the_check_panic(password in any::<String>(), own in any::<String>(), alone in any::<bool>()) {
            let _ = check(&password, &[own], alone);
        }
    }
}
