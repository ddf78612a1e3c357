//! What a person sent: one pressed button and some fields, bounded and normalised before anything looks at them.

use std::collections::BTreeMap;

/// Longest mail address, in bytes (RFC 5321, 4.5.3.1.3, less the brackets).
pub const MAX_EMAIL: usize = 254;
/// Longest password, in bytes.
pub const MAX_PASSWORD: usize = 1024;
/// Longest code with its spaces, in bytes.
pub const MAX_CODE: usize = 16;
/// Longest user name, in bytes.
pub const MAX_USERNAME: usize = 100;

/// Longest value that is shown again, in characters.
const MAX_SHOWN: usize = 100;

/// The posted form.
#[derive(Clone, Default)]
pub struct Input {
    /// Value of the pressed button.
    pub control: String,
    /// The fields.
    pub fields: BTreeMap<String, String>,
}

impl std::fmt::Debug for Input {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Input").field("control", &self.control).finish_non_exhaustive()
    }
}

impl Input {
    /// The press of a button without fields.
    pub fn press(control: &str) -> Self {
        Self { control: control.to_owned(), fields: BTreeMap::new() }
    }

    /// This input with one more field.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.fields.insert(name.to_owned(), value.to_owned());
        self
    }

    pub(crate) fn field(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", String::as_str)
    }

    /// The values of some fields, cut to what a page may show again.
    pub(crate) fn keep(&self, names: &[&str]) -> crate::instance::Typed {
        let cut = |text: &str| text.chars().filter(|c| !c.is_control()).take(MAX_SHOWN).collect::<String>();
        let values = names.iter().map(|name| ((*name).to_owned(), cut(self.field(name))));
        let values = values.filter(|(_, value)| !value.is_empty()).collect();
        crate::instance::Typed { values, errors: Vec::new() }
    }

    /// Whether a checkbox is ticked: browsers leave unticked ones out.
    pub(crate) fn is_ticked(&self, name: &str) -> bool {
        !matches!(self.field(name), "" | "0" | "false" | "off")
    }

    pub(crate) fn email(&self) -> Typed {
        parse_email(self.field("email"))
    }

    pub(crate) fn username(&self) -> Typed {
        let text = self.field("username").trim();
        match text.len() {
            0 => Typed::Missing,
            1..=MAX_USERNAME if !text.chars().any(char::is_control) => Typed::Name(text.to_lowercase()),
            _ => Typed::Malformed,
        }
    }

    /// The password's length in bytes; 0 when missing.
    pub(crate) fn password_length(&self) -> usize {
        self.field("password").len()
    }

    pub(crate) fn has_code(&self) -> bool {
        !self.field("code").trim().is_empty()
    }

    /// The code without spaces, if it is exactly `digits` digits.
    pub(crate) fn code(&self, digits: u8) -> Option<String> {
        let text = self.field("code");
        if text.len() > MAX_CODE {
            return None;
        }
        let code: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        let fits = code.len() == usize::from(digits) && code.bytes().all(|b| b.is_ascii_digit());
        fits.then_some(code)
    }
}

/// A typed name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Typed {
    /// Nothing was typed.
    Missing,
    /// It can not be one.
    Malformed,
    /// Trimmed and in lower case.
    Name(String),
}

/// Trims and lowers an address. Only the shape is checked: something, one `@`, something; the rest is the mailbox's.
pub(crate) fn parse_email(text: &str) -> Typed {
    let text = text.trim();
    if text.is_empty() {
        return Typed::Missing;
    }
    let lower = text.to_lowercase();
    let shaped = lower.rsplit_once('@').is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty());
    let clean = !lower.chars().any(|c| c.is_control() || c.is_whitespace());
    if shaped && clean && lower.len() <= MAX_EMAIL { Typed::Name(lower) } else { Typed::Malformed }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_trimmed_lowered_and_bounded() {
        assert_eq!(parse_email("  DDuck@Example.COM "), Typed::Name("dduck@example.com".to_owned()));
        assert_eq!(parse_email(" \t"), Typed::Missing);
        for bad in ["a", "@b", "a@", "a b@c", "a\0@b", &format!("{}@b.c", "x".repeat(251))] {
            assert_eq!(parse_email(bad), Typed::Malformed, "{bad:?}");
        }
    }

    #[test]
    fn codes_lose_their_spaces_and_nothing_else() {
        let code = |text: &str| Input::default().with("code", text).code(6);
        assert_eq!(code(" 123 456 "), Some("123456".to_owned()));
        for bad in ["", "12345", "1234567", "12345a", "１２３４５６", "-12345", "1 2 3 4 5 6 7 8 9 0"] {
            assert_eq!(code(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn debug_never_shows_a_field() {
        let shown = format!("{:?}", Input::press("login").with("password", "pond-lily"));
        assert!(shown.contains("login") && !shown.contains("pond"));
    }
}
