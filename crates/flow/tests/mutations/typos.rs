//! Slips of the pen, made in the text of a file: a key or word misspelt, a line that must be there left out.
//!
//! A misspelt `limits` or `require` that was passed over in silence would be a hole, so the reader knows every key.

use countersign_flow::parse;
use toml::{Table, Value};

use super::edits::Edit;

/// Where a value stands: keys, and indexes of arrays.
type Place = Vec<String>;

/// Every slip in the text of one policy.
pub fn list_typos(file: &str, text: &str) -> Vec<Edit> {
    let whole: Table = toml::from_str(text).unwrap();
    let mut typos = Typos { file, whole: &whole, made: Vec::new() };
    typos.table(&Vec::new(), &whole);
    typos.made
}

struct Typos<'a> {
    file: &'a str,
    whole: &'a Table,
    made: Vec<Edit>,
}

impl Typos<'_> {
    fn table(&mut self, place: &Place, table: &Table) {
        for (key, value) in table {
            let here: Place = place.iter().chain([key]).cloned().collect();
            // Who is called so is the author's choice; a renamed step is one that others do not find any more.
            if place.as_slice() != ["step"] {
                let code = if is_routes(place) { &["E02"] } else { &["E00"] };
                self.add(format!("{} misspelt", here.join(".")), code, |whole| {
                    let table = find_table(whole, place);
                    let value = table.remove(key).unwrap();
                    table.insert(format!("{key}_"), value);
                });
            }
            if let Some(code) = must_be_there(place, key) {
                self.add(format!("{} left out", here.join(".")), code, |whole| {
                    find_table(whole, place).remove(key);
                });
            }
            self.value(&here, value);
        }
    }

    fn value(&mut self, place: &Place, value: &Value) {
        match value {
            Value::Table(table) => self.table(place, table),
            Value::Array(values) => {
                for (index, value) in values.iter().enumerate() {
                    let here: Place = place.iter().cloned().chain([index.to_string()]).collect();
                    self.value(&here, value);
                }
            }
            Value::String(word) => {
                let Some(code) = code_of_word(place, word) else { return };
                self.add(format!("the word of {} misspelt", place.join(".")), code, |whole| {
                    *find(whole, place) = Value::String(format!("{word}x"));
                });
            }
            _ => {}
        }
    }

    fn add(&mut self, name: String, codes: &'static [&'static str], change: impl FnOnce(&mut Table)) {
        let mut broken = self.whole.clone();
        change(&mut broken);
        let broken = parse(self.file, &toml::to_string(&broken).unwrap());
        self.made.push(Edit { name, broken, codes });
    }
}

fn is_routes(place: &Place) -> bool {
    place.len() == 3 && place[0] == "step" && place[2] == "on"
}

/// The code for a line that is missing, where it must not.
fn must_be_there(place: &Place, key: &str) -> Option<&'static [&'static str]> {
    match (place.len(), key) {
        (0, "format" | "id" | "purpose" | "entry" | "start" | "step") | (2, "kind") => Some(&["E00"]),
        (3, "ok" | "accepted") if is_routes(place) => Some(&["E05"]),
        _ => None,
    }
}

/// The code for a word that no list knows; none for names that an author is free to choose.
fn code_of_word(place: &Place, word: &str) -> Option<&'static [&'static str]> {
    let keys: Vec<&str> = place.iter().map(String::as_str).filter(|key| key.parse::<usize>().is_err()).collect();
    let (before, last) = (keys.iter().rev().nth(1).copied().unwrap_or_default(), *keys.last()?);
    match last {
        // A policy that is not in the set: `optional` makes it a note.
        "to" | "then" | "else" | "ok" | "spent" | "forgot" | "change" | "undeliverable" | "declined" | "accepted"
            if word.starts_with('@') =>
        {
            Some(&["E04", "N05"])
        }
        "to" if word.contains('.') => Some(&["E00"]),
        "to" | "then" | "else" | "start" | "claims_acr_of" => Some(&["E04"]),
        _ if before == "on" => Some(&["E04"]),
        "effect" if word.starts_with("send") => None,
        "kind" | "effect" => Some(&["E01"]),
        "if" => Some(&["E03"]),
        "purpose" | "entry" | "on_edit" | "cookie" | "mailbox" | "login" | "channel" | "voice" | "submit" | "show"
        | "unknown" | "scope" | "error" | "revoke" | "factors" | "carry" | "validator" | "for" | "max" | "per"
        | "ttl" | "resend_after" | "lifetime" | "idle" | "until" => Some(&["E00"]),
        "name" if before == "fields" => Some(&["E00"]),
        _ => None,
    }
}

fn find<'a>(whole: &'a mut Table, place: &Place) -> &'a mut Value {
    let (first, rest) = place.split_first().unwrap();
    rest.iter().fold(whole.get_mut(first).unwrap(), |value, key| match value {
        Value::Table(table) => table.get_mut(key).unwrap(),
        Value::Array(values) => &mut values[key.parse::<usize>().unwrap()],
        _ => unreachable!("a place inside of a word"),
    })
}

fn find_table<'a>(whole: &'a mut Table, place: &Place) -> &'a mut Table {
    if place.is_empty() {
        return whole;
    }
    match find(whole, place) {
        Value::Table(table) => table,
        _ => unreachable!("no table"),
    }
}
