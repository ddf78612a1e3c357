//! Which language a page speaks (BCP 47 tags, OpenID Connect Core 3.1.2.1 `ui_locales`, RFC 9110 12.5.4).

use serde::{Serialize, Serializer};

/// The most bytes and items looked at in any list of tags.
const LIST_BYTES: usize = 512;
const LIST_ITEMS: usize = 32;
/// The longest tag looked at (RFC 5646, 4.4.1).
const TAG_BYTES: usize = 35;

/// A language that ships.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Locale {
    /// English.
    #[default]
    En,
    /// Spanish.
    Es,
}

impl Locale {
    /// Every locale that ships, the default first.
    pub const ALL: [Self; 2] = [Self::En, Self::Es];

    /// The language subtag, for `lang` and file names.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Es => "es",
        }
    }

    /// The language's name in itself.
    pub const fn name(self) -> &'static str {
        match self {
            Self::En => "English",
            Self::Es => "Español",
        }
    }

    /// The direction of its script, for `dir`.
    pub const fn dir(self) -> &'static str {
        match self {
            Self::En | Self::Es => "ltr",
        }
    }

    /// The locale of a BCP 47 tag, by its primary subtag: `es-MX` is Spanish.
    pub fn parse(tag: &str) -> Option<Self> {
        let tag = tag.trim();
        if tag.len() > TAG_BYTES || !tag.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
            return None;
        }
        let primary = tag.split('-').next().unwrap_or_default();
        Self::ALL.into_iter().find(|locale| primary.eq_ignore_ascii_case(locale.as_str()))
    }
}

impl Serialize for Locale {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// What a request says about languages, strongest first.
#[derive(Clone, Copy, Debug, Default)]
pub struct LocaleHints<'a> {
    /// The parameter `lang`: the person has just pressed a language link.
    pub lang: Option<&'a str>,
    /// The cookie that remembers an earlier press.
    pub cookie: Option<&'a str>,
    /// The client's `ui_locales`, separated by spaces, preferred first.
    pub ui_locales: Option<&'a str>,
    /// The header `Accept-Language`.
    pub accept_language: Option<&'a str>,
}

/// The language to answer in. What the person chose on these pages beats what the client asks for, which beats the browser.
pub fn choose_locale(hints: LocaleHints<'_>) -> Locale {
    hints
        .lang
        .and_then(Locale::parse)
        .or_else(|| hints.cookie.and_then(Locale::parse))
        .or_else(|| hints.ui_locales.and_then(first_known))
        .or_else(|| hints.accept_language.and_then(most_wanted))
        .unwrap_or_default()
}

fn first_known(tags: &str) -> Option<Locale> {
    bounded(tags).split(' ').take(LIST_ITEMS).find_map(Locale::parse)
}

/// The known locale with the highest weight; the earlier one of equals.
fn most_wanted(header: &str) -> Option<Locale> {
    let mut best: Option<(u16, Locale)> = None;
    for item in bounded(header).split(',').take(LIST_ITEMS) {
        let (tag, weight) = item.split_once(';').map_or((item, Some(1000)), |(tag, rest)| (tag, parse_weight(rest)));
        let locale = if tag.trim() == "*" { Some(Locale::default()) } else { Locale::parse(tag) };
        if let (Some(locale), Some(weight @ 1..)) = (locale, weight)
            && best.is_none_or(|(most, _)| weight > most)
        {
            best = Some((weight, locale));
        }
    }
    best.map(|(_, locale)| locale)
}

/// A quality value in thousandths (RFC 9110, 12.4.2).
fn parse_weight(parameter: &str) -> Option<u16> {
    let value = parameter.trim().strip_prefix(['q', 'Q'])?.trim_start().strip_prefix('=')?.trim();
    let (whole, fraction) = value.split_once('.').unwrap_or((value, ""));
    if fraction.len() > 3 || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let thousandths: u16 = format!("{fraction:0<3}").parse().ok()?;
    match (whole, thousandths) {
        ("0", _) => Some(thousandths),
        ("1", 0) => Some(1000),
        _ => None,
    }
}

/// As much of `text` as is looked at, cut between characters.
fn bounded(text: &str) -> &str {
    &text[..text.floor_char_boundary(LIST_BYTES)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepts(header: &str) -> Locale {
        choose_locale(LocaleHints { accept_language: Some(header), ..LocaleHints::default() })
    }

    #[test]
    fn the_browser_gets_the_language_it_wants_most() {
        for (header, expected) in [
            ("es", Locale::Es),
            ("ES-mx", Locale::Es),
            ("en-US,en;q=0.9,es;q=0.8", Locale::En),
            ("es;q=0.8, en;q=0.3", Locale::Es),
            ("en;q=0.3, es ; q = 0.8", Locale::Es),
            ("fr-CH, fr;q=0.9, es;q=0.5, *;q=0.1", Locale::Es),
            ("es;q=0, en;q=0.1", Locale::En),
            ("es;q=0.000", Locale::En),
            ("es;q=0.5, en;q=0.5", Locale::Es),
            ("*, es;q=0.9", Locale::En),
        ] {
            assert_eq!(accepts(header), expected, "{header}");
        }
    }

    #[test]
    fn nonsense_in_the_header_is_the_default_language() {
        let long = "x-".repeat(100_000);
        let late = format!("{}es", "fr,".repeat(1000));
        for header in
            ["", ",", ";;;", "es;q", "es;q=2", "es;q=0.1234", "es;q=-1", "e", "español", "es_MX", &long, &late]
        {
            assert_eq!(accepts(header), Locale::En, "{header:.40}");
        }
    }

    #[test]
    fn no_bytes_in_the_header_cause_a_panic() {
        let alphabet = ["e", "s", "n", "-", ",", ";", "q", "=", "0", ".", "1", "9", " ", "*", "é", "\u{0}", "日"];
        let mut state = 7_usize;
        for _ in 0..20_000 {
            let mut header = String::new();
            for _ in 0..state % 23 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                header.push_str(alphabet[(state >> 33) % alphabet.len()]);
            }
            state = state.wrapping_add(1);
            let _ = accepts(&header);
            let _ = choose_locale(LocaleHints { ui_locales: Some(&header), ..LocaleHints::default() });
        }
        let cut_inside = format!("{}{}", "a".repeat(511), "é".repeat(10));
        assert_eq!(accepts(&cut_inside), Locale::En);
    }

    #[test]
    fn the_persons_choice_beats_the_client_which_beats_the_browser() {
        let all =
            LocaleHints { lang: Some("es"), cookie: Some("en"), ui_locales: Some("en"), accept_language: Some("en") };
        assert_eq!(choose_locale(all), Locale::Es);
        assert_eq!(choose_locale(LocaleHints { lang: None, ..all }), Locale::En);
        let client =
            LocaleHints { ui_locales: Some("fr-CA es-419 en"), accept_language: Some("en"), ..LocaleHints::default() };
        assert_eq!(choose_locale(client), Locale::Es);
        assert_eq!(choose_locale(LocaleHints { lang: Some("xx"), ..client }), Locale::Es);
        assert_eq!(choose_locale(LocaleHints::default()), Locale::En);
    }
}
