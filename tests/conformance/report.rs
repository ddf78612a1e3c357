//! docs/CONFORMANCE.md: a section a plan, made from a run.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::PathBuf;

use crate::suite::{Ended, Outcome};

const HEAD: &str = "# Conformance\n\n\
Made by `COUNTERSIGN_WRITE_REPORTS=1 ./tests/run -p countersign-tests --test conformance`; every run of the tests holds \
this page to what happened.\nThe modules are those of the OpenID Foundation's conformance suite, written anew as \
black-box tests (`tests/conformance`) against the demo over https; the suite itself was not run.\n\n\
- **passed**: what the module asks for was there, and right.\n\
- **refused by design**: what it asks for is neither advertised nor done, and the test saw it refused, as the section allows; \
the suite itself skips the module then.\n\
- **not applicable**: the suite does not run it in this variant; nothing was tested.\n\n";

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
            Outcome::Passed => PASSED.to_owned(),
            Outcome::Refused(section) => format!("{REFUSED}: {section}"),
            Outcome::NotApplicable(reason) => format!("{NOT_APPLICABLE}: {reason}"),
            Outcome::Failed(_) => FAILED.to_owned(),
        };
        let _ = writeln!(lines, "| {} | {} | {result} |", one.module, one.variant);
    }
    lines
}

const PASSED: &str = "passed";
const REFUSED: &str = "refused by design";
const NOT_APPLICABLE: &str = "not applicable";
const FAILED: &str = "FAILED";

/// How many lines of a section have a result that begins with `word`.
fn count(section: &str, word: &str) -> usize {
    let results = section.lines().filter_map(|line| line.split(" | ").nth(2));
    results.filter(|result| result.starts_with(word)).count()
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
    let words = [PASSED, REFUSED, NOT_APPLICABLE, FAILED];
    let mut page = format!("{HEAD}| plan | {} |\n|---|---|---|---|---|\n", words.join(" | ").to_lowercase());
    for (plan, section) in all {
        let counts = words.map(|word| count(section, word).to_string());
        let _ = writeln!(page, "| {plan} | {} |", counts.join(" | "));
    }
    for (plan, section) in all {
        let _ = write!(page, "\n## {plan}\n\n{section}");
    }
    page
}

fn sections(page: &str) -> BTreeMap<String, String> {
    let parts = page.split("\n## ").skip(1).filter_map(|part| part.split_once("\n\n"));
    parts.map(|(plan, section)| (plan.to_owned(), format!("{}\n", section.trim_end()))).collect()
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
        let counted: usize = [PASSED, REFUSED, NOT_APPLICABLE].iter().map(|word| count(section, word)).sum();
        assert_eq!((counted, count(section, FAILED)), (lines, 0), "{plan}");
    }
}
