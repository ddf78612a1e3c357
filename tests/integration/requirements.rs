//! docs/REQUIREMENTS.md: every promise of the guides has a policy or a page, and tests, all of which are there.

use std::path::Path;

use crate::protocol_rules::{has_function, is_run, read};

/// R1 to R62.
const PROMISES: usize = 62;

struct Promise {
    number: String,
    policies: String,
    pages: String,
    tests: String,
}

fn promises() -> Vec<Promise> {
    let page = read("docs/REQUIREMENTS.md").expect("docs/REQUIREMENTS.md");
    let is_row =
        |line: &&str| line.strip_prefix("| R").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    let promise = |line: &str| {
        let cells: Vec<String> = line.split('|').map(|cell| cell.trim().to_owned()).collect();
        let [_, number, _, policies, pages, tests, _] = &cells[..] else { panic!("not five cells: {line}") };
        let [number, policies, pages, tests] = [number, policies, pages, tests].map(Clone::clone);
        Promise { number, policies, pages, tests }
    };
    page.lines().filter(is_row).map(promise).collect()
}

/// The words of a cell that stand for something.
fn list_quoted(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

fn exists(path: &str) -> bool {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).join(path).exists()
}

/// Every shipped policy's text.
fn policies() -> String {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../config/policies"));
    let files = folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file());
    files.map(|file| std::fs::read_to_string(file).unwrap()).collect()
}

/// `reset-registration` is `ResetRegistration` among the commands.
fn is_command(words: &str) -> bool {
    let last = words.split(' ').next_back().unwrap_or_default();
    let capital =
        |part: &str| part.chars().take(1).map(|c| c.to_ascii_uppercase()).chain(part.chars().skip(1)).collect();
    let name: String = last.split('-').map(capital).collect::<Vec<String>>().concat();
    let commands = read("crates/server/src/cli.rs").unwrap();
    [format!("    {name}("), format!("    {name} {{")].iter().any(|head| commands.contains(head))
}

/// A policy, a command, or a key of the language that some policy has.
fn is_policy(word: &str, texts: &str) -> bool {
    match word.strip_prefix("countersign ") {
        Some(command) => is_command(command),
        None => exists(&format!("config/policies/{word}.toml")) || texts.contains(&format!("{word} = ")),
    }
}

/// A page with its texts in both languages, a mail in both, a file, or a path of the server.
fn is_page(word: &str) -> bool {
    if let Some(path) = word.strip_prefix('/') {
        return read("crates/server/src/endpoint.rs").unwrap().contains(&format!("\"/{path}\""));
    }
    if word.contains('/') {
        return exists(word.split('*').next().unwrap_or_default());
    }
    let pages = read("crates/server/src/page/templates.rs").unwrap();
    let has_texts = |tag: &str| read(&format!("config/messages/{tag}.toml")).unwrap().contains(&format!("\n[{word}"));
    let is_mail = |tag: &str| read(&format!("config/messages/mail/{tag}/{word}.txt")).is_some();
    let is_shown = pages.contains(&format!("(\"{word}\", \"")) && ["en", "es"].into_iter().all(has_texts);
    is_shown || ["en", "es"].into_iter().all(is_mail)
}

/// The files that a test of `place` may stand in (the table at the head of the page).
fn list_files(place: &str) -> Vec<String> {
    if let Some(name) = place.strip_prefix("flow/") {
        return vec![format!("crates/flow/src/machine/tests/{name}.rs")];
    }
    if place != "pages" {
        return vec![format!("tests/{place}.rs")];
    }
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/server/src/page/tests"));
    let named = folder.read_dir().unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let parts = named.filter(|name| Path::new(name).extension().is_some_and(|extension| extension == "rs"));
    let parts = parts.map(|name| format!("crates/server/src/page/tests/{name}"));
    parts.chain(["crates/server/src/page/tests.rs".to_owned()]).collect()
}

fn check_tests(number: &str, cell: &str) {
    assert!(cell.contains('`'), "{number} is shown by no test");
    for part in cell.split("; ") {
        let (place, names) = part.split_once(": ").unwrap_or_else(|| panic!("{number}: no file: {part}"));
        let files = list_files(place);
        let texts: Vec<(String, String)> =
            files.into_iter().filter_map(|file| read(&file).map(|text| (file, text))).collect();
        // What stands in brackets says what a test is for.
        for name in list_quoted(names.split(" (").next().unwrap_or_default()) {
            let found = texts.iter().find(|(_, text)| has_function(text, name));
            let (file, text) = found.unwrap_or_else(|| panic!("{number}: there is no {name} in {place}"));
            assert!(is_run(file, text, name), "{number}: {name} of {file} is no test");
        }
    }
}

#[test]
fn every_promise_of_the_guides_has_a_policy_or_a_page_and_tests_and_all_are_there() {
    let (promises, texts) = (promises(), policies());
    let expected: Vec<String> = (1..=PROMISES).map(|number| format!("R{number}")).collect();
    let numbers: Vec<&str> = promises.iter().map(|promise| promise.number.as_str()).collect();
    assert_eq!(numbers, expected, "a promise without a line, or a line twice");
    for Promise { number, policies, pages, tests } in &promises {
        assert!(!policies.is_empty() || !pages.is_empty(), "{number} has no policy and no page");
        for word in list_quoted(policies) {
            assert!(is_policy(word, &texts), "{number}: there is no policy, key or command {word}");
        }
        for word in list_quoted(pages) {
            assert!(is_page(word), "{number}: there is no page or mail {word}");
        }
        check_tests(number, tests);
    }
}
