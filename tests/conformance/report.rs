//! docs/CONFORMANCE.md: a section a plan, made from a run.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::PathBuf;

use crate::fapi2_plans::left_out;
use crate::suite::Ended;

const HEAD: &str = "# Conformance\n\n\
Made by `COUNTERSIGN_WRITE_REPORTS=1 ./tests/run -p countersign-tests --test conformance`; every run of the tests holds \
this page to what happened.\nThe modules are those of the OpenID Foundation's conformance suite, written anew as \
black-box tests (`tests/conformance`) against the demo over https; the suite itself was not run. \
Of what a plan lists it runs what the suite runs in \
that variant; what the suite leaves out of one stands at the end, with the reason.\n\n";

fn path() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/CONFORMANCE.md"))
}

/// Holds the section of `plan` to `ended`, or writes it when asked to.
pub fn check(plan: &str, ended: &[Ended]) {
    let section = section(ended);
    if std::env::var_os("COUNTERSIGN_WRITE_REPORTS").is_some() {
        return write(plan, section);
    }
    let page = fs::read_to_string(path()).unwrap_or_default();
    let known = sections(&page);
    assert_eq!(known.get(plan).map_or("", String::as_str), section, "{plan}: {STALE}");
    assert_eq!(page, render(&known), "head and counts: {STALE}");
}

const STALE: &str = "docs/CONFORMANCE.md is not what this run says: write it anew (COUNTERSIGN_WRITE_REPORTS=1)";

/// A line a module: each variant and how it ended.
fn section(ended: &[Ended]) -> String {
    let mut lines = "| module | variant | result |\n|---|---|---|\n".to_owned();
    for one in ended {
        let result = match &one.outcome {
            Ok(()) => PASSED,
            Err(_) => FAILED,
        };
        let _ = writeln!(lines, "| {} | {} | {result} |", one.module, one.variant);
    }
    lines
}

const PASSED: &str = "passed";
const FAILED: &str = "FAILED";

/// How many lines of a section have the result `word`.
fn count(section: &str, word: &str) -> usize {
    let results = section.lines().filter_map(|line| line.strip_suffix(" |")?.split(" | ").nth(2));
    results.filter(|result| *result == word).count()
}

/// Plans run in processes of their own: one writes at a time.
fn write(plan: &str, section: String) {
    let lock = File::create(path().with_extension("md.lock")).expect("lock file");
    lock.lock().expect("lock");
    let mut all = sections(&fs::read_to_string(path()).unwrap_or_default());
    all.insert(plan.to_owned(), section);
    fs::write(path(), render(&all)).expect("docs/CONFORMANCE.md");
    let _ = fs::remove_file(path().with_extension("md.lock"));
}

/// The whole page: what it is, counts of each plan, the plans.
fn render(all: &BTreeMap<String, String>) -> String {
    let words = [PASSED, FAILED];
    let mut page = format!("{HEAD}| plan | {} |\n|---|---|---|\n", words.join(" | ").to_lowercase());
    for (plan, section) in all {
        let counts = words.map(|word| count(section, word).to_string());
        let _ = writeln!(page, "| {plan} | {} |", counts.join(" | "));
    }
    for (plan, section) in all {
        let _ = write!(page, "\n## {plan}\n\n{section}");
    }
    let _ = write!(page, "\n## {LEFT_OUT_TITLE}\n\n| module | left out | why |\n|---|---|---|\n");
    for (module, variants, why) in left_out() {
        let _ = writeln!(page, "| {module} | {variants} | {why} |");
    }
    page
}

const LEFT_OUT_TITLE: &str = "Modules that the suite leaves out of a variant";

fn sections(page: &str) -> BTreeMap<String, String> {
    let parts = page.split("\n## ").skip(1).filter_map(|part| part.split_once("\n\n"));
    let plans = parts.filter(|(title, _)| *title != LEFT_OUT_TITLE);
    plans.map(|(plan, section)| (plan.to_owned(), format!("{}\n", section.trim_end()))).collect()
}

/// Each plan's own test holds its section to what happened; this one everything else: head, counts, and that there is a
/// section of each plan and of nothing else.
#[test]
fn the_page_is_its_sections_and_has_one_of_each_plan() {
    let page = fs::read_to_string(path()).expect("docs/CONFORMANCE.md");
    let sections = sections(&page);
    assert_eq!(page, render(&sections), "{STALE}");
    let sources = [include_str!("plans.rs"), include_str!("fapi2_plans.rs")];
    let run = sources.iter().flat_map(|text| text.split("run_plan(\"").skip(1));
    let mut plans: Vec<&str> = run.filter_map(|rest| rest.split('"').next()).collect();
    plans.sort_unstable();
    assert_eq!(sections.keys().map(String::as_str).collect::<Vec<_>>(), plans, "{STALE}");
    for (plan, section) in &sections {
        let lines = section.lines().count() - 2;
        assert_eq!(count(section, PASSED), lines, "{plan}");
    }
}
