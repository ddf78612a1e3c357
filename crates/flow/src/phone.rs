//! Phone numbers: a country from a list and what was typed beside it become E.164, or are refused in words.

use phonenumber::Mode;
use phonenumber::country::Id;

use crate::NoticeKey;

/// Longest number as typed, in bytes.
pub const MAX_TYPED: usize = 40;
/// The mask where a policy gives none (R35).
const MASK: &str = "XXX-XXX-####";

/// A number that may be called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PhoneNumber {
    /// E.164: `+` and at most 15 digits.
    pub e164: String,
    /// Country it belongs to, ISO 3166-1 alpha-2.
    pub country: String,
}

/// Why a number was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PhoneError {
    /// Nothing was typed.
    #[error("no number")]
    Missing,
    /// It can not be one.
    #[error("no phone number of that country")]
    Malformed,
    /// A number of country code 1 has ten digits.
    #[error("a number of +1 has ten digits")]
    Digits,
    /// It has an extension, which can not be reached (R12).
    #[error("extensions are not supported")]
    Extension,
}

impl PhoneError {
    /// What the page says.
    pub const fn notice(self) -> NoticeKey {
        match self {
            Self::Missing => NoticeKey::PhoneMissing,
            Self::Malformed => NoticeKey::PhoneMalformed,
            Self::Digits => NoticeKey::PhoneDigits,
            Self::Extension => NoticeKey::PhoneExtension,
        }
    }
}

/// Reads a number typed beside `country`, ISO 3166-1 alpha-2; one with `+` says its country itself.
pub fn read(country: &str, typed: &str) -> Result<PhoneNumber, PhoneError> {
    let typed = typed.trim();
    if typed.is_empty() {
        return Err(PhoneError::Missing);
    }
    if typed.len() > MAX_TYPED {
        return Err(PhoneError::Malformed);
    }
    if has_extension(typed) {
        return Err(PhoneError::Extension);
    }
    let country: Id = country.trim().to_ascii_uppercase().parse().map_err(|_| PhoneError::Malformed)?;
    let digits = strip(typed).ok_or(PhoneError::Malformed)?;
    if let Some(national) = read_nanp(country, &digits) {
        return name_nanp(&national?);
    }
    let number = phonenumber::parse(Some(country), &digits).map_err(|_| PhoneError::Malformed)?;
    if number.extension().is_some() || !phonenumber::is_valid(&number) {
        return Err(PhoneError::Malformed);
    }
    let home = number.country().id().unwrap_or(country);
    checked(number.format().mode(Mode::E164).to_string(), home)
}

/// Whether the number names an extension: `x12`, `ext. 12`, `#12`, `,12`, `;ext=12`.
fn has_extension(typed: &str) -> bool {
    let lower = typed.to_ascii_lowercase();
    let marks = lower.contains("ext") || lower.contains(['x', '#', ',', ';', '*']);
    marks && lower.bytes().any(|byte| byte.is_ascii_digit())
}

/// The digits, with the `+` they began with; none when anything but the usual separators stands between them.
fn strip(typed: &str) -> Option<String> {
    let mut digits = String::new();
    for (at, sign) in typed.chars().enumerate() {
        match sign {
            '0'..='9' => digits.push(sign),
            '+' if at == 0 => digits.push(sign),
            ' ' | '-' | '.' | '(' | ')' | '/' | '\u{a0}' | '\u{2010}'..='\u{2013}' => {}
            _ => return None,
        }
    }
    (1..=17).contains(&digits.len()).then_some(digits)
}

/// The ten digits of a number of the North American plan; none when it is not of that plan.
fn read_nanp(country: Id, digits: &str) -> Option<Result<String, PhoneError>> {
    let national = match digits.strip_prefix('+') {
        Some(international) => international.strip_prefix('1')?,
        None if is_nanp(country) => digits.strip_prefix('1').filter(|rest| rest.len() == 10).unwrap_or(digits),
        None => return None,
    };
    let starts = |at: usize| national.as_bytes().get(at).is_some_and(|digit| (b'2'..=b'9').contains(digit));
    Some(match national.len() {
        10 if starts(0) && starts(3) => Ok(national.to_owned()),
        10 => Err(PhoneError::Malformed),
        _ => Err(PhoneError::Digits),
    })
}

/// The countries of the plan are told apart by their area codes: a toll fraudster's islands are not US, and an area code
/// of no country is none. Nor is a number that costs whoever calls it, or whoever is called: a service number.
fn name_nanp(national: &str) -> Result<PhoneNumber, PhoneError> {
    let e164 = format!("+1{national}");
    let number = phonenumber::parse(None, &e164).map_err(|_| PhoneError::Malformed)?;
    let home = number.country().id().ok_or(PhoneError::Malformed)?;
    if is_service(national) || !phonenumber::is_valid(&number) {
        return Err(PhoneError::Malformed);
    }
    checked(e164, home)
}

/// Premium rate (900, and the exchange 976) and toll-free area codes of the North American plan (NANPA, 2026).
fn is_service(national: &str) -> bool {
    const AREAS: [&str; 11] = ["800", "822", "833", "844", "855", "866", "877", "880", "881", "888", "900"];
    let area = national.get(..3).unwrap_or_default();
    AREAS.contains(&area) || national.get(3..6) == Some("976")
}

fn is_nanp(country: Id) -> bool {
    phonenumber::metadata::DATABASE.by_id(country.as_ref()).is_some_and(|metadata| metadata.country_code() == 1)
}

fn checked(e164: String, country: Id) -> Result<PhoneNumber, PhoneError> {
    let digits = e164.strip_prefix('+').unwrap_or_default();
    let fits = (6..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    if fits { Ok(PhoneNumber { e164, country: country.as_ref().to_owned() }) } else { Err(PhoneError::Malformed) }
}

/// A number by its mask: each `#` shows one of its last digits (R35: `XXX-XXX-3661`).
pub fn mask(number: &str, mask: Option<&str>) -> String {
    let mask = mask.unwrap_or(MASK);
    let digits: Vec<char> = number.chars().filter(char::is_ascii_digit).collect();
    // However many signs a mask shows, four digits of a number stay hidden.
    let shown = mask.chars().filter(|sign| *sign == '#').count().min(digits.len().saturating_sub(4));
    let mut last = digits.iter().skip(digits.len() - shown);
    let hidden = mask.chars().filter(|sign| *sign == '#').count() - shown;
    let mut passed = 0;
    let draw = |sign: char| match sign {
        '#' if passed < hidden => {
            passed += 1;
            'X'
        }
        '#' => last.next().copied().unwrap_or('X'),
        other => other,
    };
    mask.chars().map(draw).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn e164(country: &str, typed: &str) -> String {
        read(country, typed).map(|number| number.e164).unwrap_or_default()
    }

    #[test]
    fn national_numbers_become_e164() {
        for typed in
            ["2025553661", "202-555-3661", "(202) 555-3661", "1 202 555 3661", "+1 202.555.3661", " 202/5553661 "]
        {
            assert_eq!(e164("US", typed), "+12025553661", "{typed}");
        }
        assert_eq!(e164("GB", "020 7946 0958"), "+442079460958");
        assert_eq!(e164("us", "+44 20 7946 0958"), "+442079460958");
        assert_eq!(read("US", "+44 20 7946 0958").map(|number| number.country), Ok("GB".to_owned()));
    }

    #[test]
    fn extensions_are_refused_in_words() {
        for typed in [
            "202-555-3661 x12",
            "202-555-3661 ext. 12",
            "202-555-3661 EXT 12",
            "2025553661#12",
            "2025553661,12",
            "2025553661;ext=12",
        ] {
            assert_eq!(read("US", typed), Err(PhoneError::Extension), "{typed}");
        }
    }

    #[test]
    fn a_number_of_country_code_one_has_ten_digits() {
        for typed in ["555-3661", "20255536611", "120255536611", "+1 202 555 366", "+1202555366100"] {
            assert_eq!(read("US", typed), Err(PhoneError::Digits), "{typed}");
        }
        for typed in ["1025553661", "2021553661"] {
            assert_eq!(read("US", typed), Err(PhoneError::Malformed), "{typed}");
        }
    }

    #[test]
    fn islands_of_the_american_plan_are_countries_of_their_own() {
        assert_eq!(read("US", "876 555 0123").map(|number| number.country), Ok("JM".to_owned()));
        assert_eq!(read("US", "416 555 0123").map(|number| number.country), Ok("CA".to_owned()));
        assert_eq!(read("CA", "202 555 0123").map(|number| number.country), Ok("US".to_owned()));
    }

    #[test]
    fn numbers_that_cost_somebody_and_area_codes_of_nobody_are_refused() {
        for typed in [
            "900 555 0123",
            "800 555 0123",
            "888 555 0123",
            "877 234 5678",
            "202 976 1234",
            "999 234 5678",
            "211 234 5678",
        ] {
            for typed in [typed.to_owned(), format!("+1 {typed}")] {
                assert_eq!(read("US", &typed), Err(PhoneError::Malformed), "{typed}");
            }
        }
    }

    #[test]
    fn what_is_no_number_is_refused() {
        assert_eq!(read("US", "  "), Err(PhoneError::Missing));
        let long = "2".repeat(41);
        for (country, typed) in
            [("US", "call me"), ("ZZ", "2025553661"), ("", "2025553661"), ("US", &long), ("GB", "1"), ("GB", "++44")]
        {
            assert!(
                matches!(read(country, typed), Err(PhoneError::Malformed | PhoneError::Extension)),
                "{country} {typed}"
            );
        }
    }

    #[test]
    fn masks_show_the_last_digits_and_hide_four_at_least() {
        assert_eq!(mask("+12025553661", None), "XXX-XXX-3661");
        assert_eq!(mask("+12025553661", Some("(###) ##")), "(536) 61");
        assert_eq!(mask("+12025553661", Some("###########")), "XXXX5553661");
        assert_eq!(mask("", Some("####")), "XXXX");
        assert_eq!(mask("+1", Some("X")), "X");
    }

    proptest! {
        #[test]
        fn no_text_makes_reading_or_masking_panic(country in any::<String>(), typed in any::<String>(), pattern in any::<String>()) {
            let _ = read(&country, &typed);
            let _ = mask(&typed, Some(&pattern));
        }

        #[test]
        fn what_is_read_is_e164(
            country in prop::sample::select(vec!["US", "CA", "GB", "DE", "MX", "IN", "IT", "JM"]),
            typed in r"[+]?[-0-9 ().x#]{0,24}"
        ) {
            if let Ok(number) = read(country, &typed) {
                prop_assert!(number.e164.starts_with('+') && number.e164.len() <= 16);
                prop_assert_eq!(read(&number.country, &number.e164), Ok(number.clone()));
            }
        }
    }
}
