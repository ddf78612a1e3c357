//! From columns to nouns: a value that cannot be is [`StoreError::Corrupt`], with its place.

use std::fmt::Write as _;
use std::str::FromStr;

use countersign_model::{FactSet, KeyedHash, Timestamp, fact::Fact};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::StoreError;

/// A row that is being read.
pub struct Row<'a> {
    pub table: &'static str,
    pub id: &'a str,
}

impl Row<'_> {
    pub fn corrupt(&self, column: &'static str) -> StoreError {
        StoreError::Corrupt { table: self.table, column, row: self.id.to_owned() }
    }

    pub fn parse<T: FromStr>(&self, column: &'static str, text: &str) -> Result<T, StoreError> {
        text.parse().map_err(|_| self.corrupt(column))
    }

    pub fn parse_some<T: FromStr>(&self, column: &'static str, text: Option<&str>) -> Result<Option<T>, StoreError> {
        text.map(|text| self.parse(column, text)).transpose()
    }

    pub fn json<T: DeserializeOwned>(&self, column: &'static str, text: &str) -> Result<T, StoreError> {
        serde_json::from_str(text).map_err(|_| self.corrupt(column))
    }

    pub fn known<T>(&self, column: &'static str, value: Option<T>) -> Result<T, StoreError> {
        value.ok_or_else(|| self.corrupt(column))
    }

    pub fn hash(&self, column: &'static str, bytes: &[u8]) -> Result<KeyedHash, StoreError> {
        bytes.try_into().map_err(|_| self.corrupt(column))
    }

    pub fn facts(&self, column: &'static str, words: &str) -> Result<FactSet, StoreError> {
        words.split_whitespace().map(|word| self.known(column, Fact::from_word(word))).collect()
    }
}

/// The id of a row whose primary key is a hash.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// JSON for a column.
pub fn to_json(value: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Database(error.to_string()))
}

/// Words for a column, as [`Row::facts`] reads them.
pub fn fact_words(facts: FactSet) -> String {
    facts.iter().map(Fact::as_str).collect::<Vec<_>>().join(" ")
}

pub fn time(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

pub fn millis(time: Option<Timestamp>) -> Option<i64> {
    time.map(Timestamp::as_millis)
}

/// A pattern of LIKE, with `!` as its escape, for what begins with `text`.
pub fn starting(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len() + 1);
    for letter in text.chars() {
        if matches!(letter, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(letter);
    }
    pattern.push('%');
    pattern
}
