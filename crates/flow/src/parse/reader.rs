//! Tables with spans, read key by key; what nobody asked for is unknown.

use countersign_model::Seconds;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::language::Word;
use crate::{Finding, Position, Severity};

/// The most findings one file gets.
const MAX_FINDINGS: usize = 50;
/// The longest span of time, in seconds: 400 days.
const MAX_DURATION: u32 = 400 * 24 * 3600;

/// Collects the findings of one file.
pub(super) struct Report<'t> {
    file: &'t str,
    text: &'t str,
    pub(super) policy: String,
    findings: Vec<Finding>,
}

impl<'t> Report<'t> {
    pub(super) const fn new(file: &'t str, text: &'t str) -> Self {
        Self { file, text, policy: String::new(), findings: Vec::new() }
    }

    pub(super) const fn file(&self) -> &'t str {
        self.file
    }

    /// Line and column of a byte offset.
    pub(super) fn position(&self, offset: usize) -> Position {
        let before = self.text.as_bytes().get(..offset).unwrap_or(self.text.as_bytes());
        let line_start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let lines = before.split(|byte| *byte == b'\n').count() - 1;
        let characters = before.iter().skip(line_start).filter(|byte| (**byte & 0xC0) != 0x80).count();
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX).saturating_add(1);
        Position { line: count(lines), column: count(characters) }
    }

    pub(super) fn error(&mut self, code: &'static str, offset: usize, message: String) {
        if self.findings.len() >= MAX_FINDINGS {
            return;
        }
        let Position { line, column } = self.position(offset);
        self.findings.push(Finding {
            code,
            severity: Severity::Error,
            policy: self.policy.clone(),
            file: self.file.to_owned(),
            line,
            column,
            message,
            path: Vec::new(),
            waiver_expired: false,
        });
    }

    /// The findings, in the order of the text.
    pub(super) fn finish(mut self) -> Vec<Finding> {
        self.findings.sort_by_key(|finding| (finding.line, finding.column));
        self.findings
    }
}

/// A value and where it stands. Errors are reported where they are found; what is returned then is a default, and the
/// policy is thrown away.
pub(super) type Value<'a, 'i> = &'a Spanned<DeValue<'i>>;

/// A table under reading.
pub(super) struct Table<'a, 'i> {
    map: &'a DeTable<'i>,
    pub(super) at: usize,
    what: &'static str,
    asked: Vec<&'static str>,
}

impl<'a, 'i> Table<'a, 'i> {
    pub(super) const fn new(map: &'a DeTable<'i>, at: usize, what: &'static str) -> Self {
        Self { map, at, what, asked: Vec::new() }
    }

    /// The table behind a value.
    pub(super) fn from_value(report: &mut Report, value: Value<'a, 'i>, what: &'static str) -> Option<Self> {
        match value.get_ref() {
            DeValue::Table(map) => Some(Self::new(map, value.span().start, what)),
            other => {
                report.error("E00", value.span().start, expected(&format!("a table for {what}"), other));
                None
            }
        }
    }

    /// Every key with its value and the key's place, in the order of the file.
    pub(super) fn entries(&self) -> Vec<(&'a str, usize, Value<'a, 'i>)> {
        let mut entries: Vec<_> =
            self.map.iter().map(|(key, value)| (key.get_ref().as_ref(), key.span().start, value)).collect();
        entries.sort_by_key(|(_, at, _)| *at);
        entries
    }

    pub(super) fn find(&mut self, key: &'static str) -> Option<Value<'a, 'i>> {
        if !self.asked.contains(&key) {
            self.asked.push(key);
        }
        self.map.iter().find(|(name, _)| name.get_ref() == key).map(|(_, value)| value)
    }

    fn find_required(&mut self, report: &mut Report, key: &'static str) -> Option<Value<'a, 'i>> {
        let found = self.find(key);
        if found.is_none() {
            report.error("E00", self.at, format!("{} needs the key `{key}`", self.what));
        }
        found
    }

    /// Where a key's value stands, else the table.
    pub(super) fn offset_of(&self, key: &str) -> usize {
        self.map.iter().find(|(name, _)| name.get_ref() == key).map_or(self.at, |(_, value)| value.span().start)
    }

    pub(super) fn text(&mut self, report: &mut Report, key: &'static str) -> Option<(&'a str, usize)> {
        let value = self.find(key)?;
        text_of(report, value, key)
    }

    pub(super) fn required_text(&mut self, report: &mut Report, key: &'static str) -> (&'a str, usize) {
        let value = self.find_required(report, key);
        value.and_then(|value| text_of(report, value, key)).unwrap_or(("", self.at))
    }

    pub(super) fn required(&mut self, report: &mut Report, key: &'static str) -> Option<Value<'a, 'i>> {
        self.find_required(report, key)
    }

    /// A word of a closed choice.
    pub(super) fn word<T: Word>(&mut self, report: &mut Report, key: &'static str) -> Option<T> {
        let (text, at) = self.text(report, key)?;
        read_word(report, key, text, at)
    }

    pub(super) fn required_word<T: Word>(&mut self, report: &mut Report, key: &'static str) -> Option<T> {
        let value = self.find_required(report, key)?;
        let (text, at) = text_of(report, value, key)?;
        read_word(report, key, text, at)
    }

    pub(super) fn flag(&mut self, report: &mut Report, key: &'static str) -> Option<bool> {
        let value = self.find(key)?;
        if let DeValue::Boolean(flag) = value.get_ref() {
            return Some(*flag);
        }
        report.error("E00", value.span().start, expected(&format!("true or false for `{key}`"), value.get_ref()));
        None
    }

    /// A whole number within bounds.
    pub(super) fn number(&mut self, report: &mut Report, key: &'static str, min: u32, max: u32) -> Option<u32> {
        let value = self.find(key)?;
        let number = match value.get_ref() {
            DeValue::Integer(digits) => u32::from_str_radix(digits.as_str(), digits.radix()).ok(),
            _ => None,
        };
        let within = number.filter(|number| (min..=max).contains(number));
        if within.is_none() {
            report.error("E00", value.span().start, format!("`{key}` is a whole number from {min} to {max}"));
        }
        within
    }

    /// A span of time such as `30s`, `20m`, `4h` or `2d`.
    pub(super) fn duration(&mut self, report: &mut Report, key: &'static str) -> Option<(Seconds, usize)> {
        let (text, at) = self.text(report, key)?;
        let seconds = parse_duration(text);
        if seconds.is_none() {
            let message = format!("`{key}` is a span of time such as \"30s\", \"20m\", \"4h\" or \"2d\", at least 1s");
            report.error("E00", at, message);
        }
        seconds.map(|seconds| (seconds, at))
    }

    pub(super) fn table(&mut self, report: &mut Report, key: &'static str, what: &'static str) -> Option<Self> {
        let value = self.find(key)?;
        Self::from_value(report, value, what)
    }

    /// The elements of an array; a missing key is an empty one.
    pub(super) fn array(&mut self, report: &mut Report, key: &'static str) -> Vec<Value<'a, 'i>> {
        let Some(value) = self.find(key) else { return Vec::new() };
        if let DeValue::Array(values) = value.get_ref() {
            return values.iter().collect();
        }
        report.error("E00", value.span().start, expected(&format!("an array for `{key}`"), value.get_ref()));
        Vec::new()
    }

    /// The elements of an array, or one value alone; a missing key is an empty array.
    pub(super) fn one_or_more(&mut self, key: &'static str) -> Vec<Value<'a, 'i>> {
        match self.find(key) {
            None => Vec::new(),
            Some(value) => match value.get_ref() {
                DeValue::Array(values) => values.iter().collect(),
                _ => vec![value],
            },
        }
    }

    /// An array of words of a closed choice, without repetition.
    pub(super) fn words<T: Word + PartialEq>(&mut self, report: &mut Report, key: &'static str) -> Vec<T> {
        let mut words = Vec::new();
        for value in self.array(report, key) {
            let Some((text, at)) = text_of(report, value, key) else { continue };
            let Some(word) = read_word(report, key, text, at) else { continue };
            if words.contains(&word) {
                report.error("E00", at, format!("`{text}` stands in `{key}` twice"));
            } else {
                words.push(word);
            }
        }
        words
    }

    /// Reports every key that was not asked for.
    pub(super) fn finish(self, report: &mut Report) {
        for (key, at, _) in self.entries() {
            if !self.asked.contains(&key) {
                let key = key.chars().take(60).collect::<String>();
                report.error(
                    "E00",
                    at,
                    format!("unknown key `{key}` in {}; known: {}", self.what, self.asked.join(", ")),
                );
            }
        }
    }
}

pub(super) fn text_of<'a>(report: &mut Report, value: Value<'a, '_>, key: &str) -> Option<(&'a str, usize)> {
    let at = value.span().start;
    match value.get_ref() {
        DeValue::String(text) => Some((text.as_ref(), at)),
        other => {
            report.error("E00", at, expected(&format!("a text for `{key}`"), other));
            None
        }
    }
}

fn read_word<T: Word>(report: &mut Report, key: &str, text: &str, at: usize) -> Option<T> {
    let found = T::list_all().iter().copied().find(|value| value.word() == text);
    if found.is_none() {
        let known: Vec<&str> = T::list_all().iter().map(|value| value.word()).collect();
        report.error("E00", at, format!("unknown {key} `{}`; known: {}", shorten(text), known.join(", ")));
    }
    found
}

/// A span of whole seconds from its text.
pub(crate) fn parse_duration(text: &str) -> Option<Seconds> {
    let unit = text.chars().last()?;
    let digits = text.strip_suffix(unit)?;
    let factor = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 24 * 3600,
        _ => return None,
    };
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let seconds = digits.parse::<u32>().ok()?.checked_mul(factor)?;
    (1..=MAX_DURATION).contains(&seconds).then(|| Seconds::new(seconds))
}

/// The beginning of a text, for messages.
pub(super) fn shorten(text: &str) -> String {
    text.chars().take(60).flat_map(char::escape_debug).collect()
}

/// Whether `text` is a name: lower-case letters, digits and one separator, at most 40 of them, a letter first.
pub(super) fn is_name(text: &str, separator: u8) -> bool {
    let first = text.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase());
    let rest = text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == separator);
    first && rest && text.len() <= 40
}

fn expected(wanted: &str, found: &DeValue) -> String {
    format!("expected {wanted}, found a value of type {}", found.type_str())
}
