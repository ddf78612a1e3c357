//! docs/PROTOCOL-RULES.md and docs/POLICY-DECISIONS.md: no rule without a test, no test that is not there.

use std::path::Path;

/// The pages, and how many rules each section of theirs has.
const PROTOCOL: (&str, &[(&str, usize)]) = ("docs/PROTOCOL-RULES.md", &[("2.1", 29), ("2.2", 23), ("2.3", 20)]);
const DECISIONS: (&str, &[(&str, usize)]) = ("docs/POLICY-DECISIONS.md", &[("7", 27)]);

/// A file of the repository.
pub fn read(path: &str) -> Option<String> {
    std::fs::read_to_string(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).join(path)).ok()
}

struct Rule {
    number: String,
    /// Of a specification, or a module.
    source: String,
    /// File and name of each.
    tests: Vec<(String, String)>,
}

fn rules((page, sections): (&str, &[(&str, usize)])) -> Vec<Rule> {
    let page = read(page).unwrap_or_else(|| panic!("{page}"));
    let is_rule = |line: &&str| sections.iter().any(|(section, _)| line.starts_with(&format!("| {section}-")));
    page.lines().filter(is_rule).map(read_rule).collect()
}

fn read_rule(line: &str) -> Rule {
    let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
    let [number, _, source, tests] = cells[..] else { panic!("not four cells: {line}") };
    let test = |text: &str| {
        let (file, name) = text.split_once(": ").unwrap_or_else(|| panic!("{number}: {text} names no file"));
        let file = match file.split_once('/') {
            Some((name @ ("protocol" | "flow"), rest)) => format!("crates/{name}/src/{rest}"),
            _ => format!("tests/{file}"),
        };
        (file, name.to_owned())
    };
    let tests = tests.split('`').skip(1).step_by(2).map(test).collect();
    Rule { number: number.to_owned(), source: source.to_owned(), tests }
}

#[test]
fn every_rule_of_the_protocol_has_a_test_and_every_test_is_there() {
    assert_each_has_tests(PROTOCOL);
}

/// Such as `tests/http/rfc6749/token.rs`: its folder is named by what it is a test of.
fn is_of_specification(file: &str) -> bool {
    let below = |suite: &str| file.strip_prefix(suite).is_some_and(|rest| rest.matches('/').count() == 1);
    file.starts_with("tests/conformance/") || below("tests/http/") || file.starts_with("tests/integration/rustsec_")
}

#[test]
fn every_rule_of_the_protocol_has_a_test_in_a_folder_named_by_a_specification() {
    for Rule { number, tests, .. } in rules(PROTOCOL) {
        assert!(tests.iter().any(|(file, _)| is_of_specification(file)), "{number}: {tests:?}");
    }
}

#[test]
fn every_decision_on_policies_has_a_module_and_a_test_and_each_is_there() {
    assert_each_has_tests(DECISIONS);
    for Rule { number, source, .. } in rules(DECISIONS) {
        let (folder, file) = source.trim_matches('`').split_once('/').unwrap_or_else(|| panic!("{number}: {source}"));
        assert!(read(&format!("crates/{folder}/src/{file}")).is_some(), "{number}: there is no {source}");
    }
}

fn assert_each_has_tests(page: (&str, &[(&str, usize)])) {
    let rules = rules(page);
    let expected: Vec<String> =
        page.1.iter().flat_map(|(section, count)| (1..=*count).map(move |n| format!("{section}-{n}"))).collect();
    let numbers: Vec<&str> = rules.iter().map(|rule| rule.number.as_str()).collect();
    assert_eq!(numbers, expected, "a rule without a line, or a line twice");
    for Rule { number, source, tests } in &rules {
        assert!(!source.is_empty() && !tests.is_empty(), "{number} has no source or no test");
        for (file, name) in tests {
            let text = read(file).unwrap_or_else(|| panic!("{number}: there is no {file}"));
            assert!(has_function(&text, name), "{number}: there is no {name} in {file}");
            assert!(is_run(file, &text, name), "{number}: {name} of {file} is no test");
        }
    }
}

/// Whether a file has a function of this name.
pub fn has_function(text: &str, name: &str) -> bool {
    [format!("fn {name}("), format!("fn {name}<")].iter().any(|head| text.contains(head))
}

/// A test of its own, one of both stores, or a module of a conformance plan.
pub fn is_run(file: &str, text: &str, name: &str) -> bool {
    let head = text.split(&format!("fn {name}(")).next().unwrap_or_default();
    let attributes: Vec<&str> = head.lines().rev().take(6).collect();
    let marked = attributes.iter().take_while(|line| !line.trim().is_empty()).any(|line| line.contains("test]"));
    let in_property = text.contains("proptest! {") && attributes.iter().any(|line| line.contains("test]"));
    let listed = text.contains("on_both_stores!") && text.contains(&format!("    {name},"));
    let plans = || ["plans.rs", "fapi2_plans.rs"].map(|plan| read(&format!("tests/conformance/{plan}")));
    let module = file.starts_with("tests/conformance/")
        && plans()
            .into_iter()
            .flatten()
            .any(|plan| plan.contains(&format!("::{name},")) || plan.contains(&format!("::{name}\n")));
    marked || in_property || listed || module
}
