//! Values out of their range, in the text of a file: what the reader refuses before there is a machine.

use countersign_flow::parse;
use toml::{Table, Value};

use super::edits::Edit;

/// Every value of one policy that is set out of its range.
pub fn list_ranges(file: &str, text: &str) -> Vec<Edit> {
    let whole: Table = toml::from_str(text).unwrap();
    let mut ranges = Ranges { file, whole: &whole, made: Vec::new() };
    ranges.policy();
    for name in whole["step"].as_table().unwrap().keys() {
        ranges.step(name);
    }
    ranges.made
}

struct Ranges<'a> {
    file: &'a str,
    whole: &'a Table,
    made: Vec<Edit>,
}

impl Ranges<'_> {
    fn add(&mut self, name: String, change: impl FnOnce(&mut Table)) {
        let mut broken = self.whole.clone();
        change(&mut broken);
        if broken != *self.whole {
            let broken = parse(self.file, &toml::to_string(&broken).unwrap());
            self.made.push(Edit { name, broken, codes: &["E00"] });
        }
    }

    fn policy(&mut self) {
        self.add("no advances at all".to_owned(), |whole| set(limits(whole), "advances", 0));
        self.add("a lifetime of nothing".to_owned(), |whole| set(limits(whole), "lifetime", "0s"));
        self.add("idle for longer than it lives".to_owned(), |whole| set(limits(whole), "idle", "2d"));
        self.add("no way in".to_owned(), |whole| set(whole, "entry", Value::Array(Vec::new())));
        self.add("of a format to come".to_owned(), |whole| set(whole, "format", 2));
        self.add("more steps than a policy has".to_owned(), |whole| {
            let steps = whole["step"].as_table_mut().unwrap();
            for number in 0..64 {
                let stop = [("kind", "stop"), ("page", "try_later")].map(|(key, word)| (key.to_owned(), word.into()));
                steps.insert(format!("more_{number}"), Value::Table(stop.into_iter().collect()));
            }
        });
    }

    fn step(&mut self, name: &str) {
        self.add(format!("{name} without a try"), |whole| {
            if let Some(limits) = limits_of(whole, name) {
                replace(limits, "attempts", 0.into());
            }
        });
        self.add(format!("{name} without a send"), |whole| {
            if let Some(limits) = limits_of(whole, name) {
                replace(limits, "sends", 0.into());
            }
        });
        self.add(format!("{name} locks twice by the same"), |whole| {
            if let Some(lock) = limits_of(whole, name).and_then(|limits| limits.get_mut("lock")) {
                let first = lock.as_array().and_then(|locks| locks.first()).unwrap_or(lock).clone();
                *lock = Value::Array(vec![first.clone(), first]);
            }
        });
        self.add(format!("{name} with a code of no digits"), |whole| {
            if let Some(code) = step(whole, name).get_mut("code").and_then(Value::as_table_mut) {
                replace(code, "digits", 0.into());
            }
        });
        for key in ["options", "fields"] {
            self.add(format!("{name} without {key}"), |whole| {
                replace(step(whole, name), key, Value::Array(Vec::new()));
            });
            self.add(format!("{name} with the first of {key} twice"), |whole| {
                if let Some(values) = step(whole, name).get_mut(key).and_then(Value::as_array_mut) {
                    values.push(values[0].clone());
                }
            });
        }
    }
}

fn set(table: &mut Table, key: &str, value: impl Into<Value>) {
    table.insert(key.to_owned(), value.into());
}

/// Sets what is there.
fn replace(table: &mut Table, key: &str, value: Value) {
    if let Some(known) = table.get_mut(key) {
        *known = value;
    }
}

fn limits(whole: &mut Table) -> &mut Table {
    let limits = whole.entry("limits").or_insert_with(|| Value::Table(Table::new()));
    limits.as_table_mut().unwrap()
}

fn step<'a>(whole: &'a mut Table, name: &str) -> &'a mut Table {
    whole["step"][name].as_table_mut().unwrap()
}

fn limits_of<'a>(whole: &'a mut Table, name: &str) -> Option<&'a mut Table> {
    step(whole, name).get_mut("limits").and_then(Value::as_table_mut)
}
