//! docs/CONFORMANCE.md: a section a plan, made from a run.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::PathBuf;

use crate::suite::Ended;

const HEAD: &str = "# Conformance\n\n\
Made by `COUNTERSIGN_WRITE_REPORTS=1 ./tests/run -p countersign-tests --test conformance`; every run of the tests holds \
this page to what happened.\nThe modules are those of the OpenID Foundation's conformance suite, written anew as \
black-box tests (`tests/conformance`) against the demo over https; the suite itself was not run.\nUnsigned ID tokens and request objects are not supported: where a module asks for one, `passed` means that it was refused as unsupported, which the suite itself calls skipped.\n\n";

fn path() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/CONFORMANCE.md"))
}

/// Holds the section of `plan` to `ended`, or writes it when asked to.
pub fn check(plan: &str, ended: &[Ended]) {
    let section = section(ended);
    if std::env::var_os("COUNTERSIGN_WRITE_REPORTS").is_some() {
        return write(plan, section);
    }
    let known = sections(&fs::read_to_string(path()).unwrap_or_default());
    let stale = "docs/CONFORMANCE.md is not what this run says: write it anew (COUNTERSIGN_WRITE_REPORTS=1)";
    assert_eq!(known.get(plan).map_or("", String::as_str), section, "{plan}: {stale}");
}

/// A line a module: each variant and how it ended.
fn section(ended: &[Ended]) -> String {
    let mut lines = "| module | variant | result |\n|---|---|---|\n".to_owned();
    for one in ended {
        let result = if one.failure.is_none() { "passed" } else { "FAILED" };
        let _ = writeln!(lines, "| {} | {} | {result} |", one.module, one.variant);
    }
    lines
}

/// Plans run in processes of their own: one writes at a time.
fn write(plan: &str, section: String) {
    let lock = File::create(path().with_extension("md.lock")).expect("lock file");
    lock.lock().expect("lock");
    let mut all = sections(&fs::read_to_string(path()).unwrap_or_default());
    all.insert(plan.to_owned(), section);
    let count = |section: &str, word: &str| section.lines().filter(|line| line.ends_with(word)).count();
    let mut page = format!("{HEAD}| plan | passed | failed |\n|---|---|---|\n");
    for (plan, section) in &all {
        let (passed, failed) = (count(section, "| passed |"), count(section, "| FAILED |"));
        let _ = writeln!(page, "| {plan} | {passed} | {failed} |");
    }
    for (plan, section) in &all {
        let _ = write!(page, "\n## {plan}\n\n{section}");
    }
    fs::write(path(), page).expect("docs/CONFORMANCE.md");
    let _ = fs::remove_file(path().with_extension("md.lock"));
}

fn sections(page: &str) -> BTreeMap<String, String> {
    let parts = page.split("\n## ").skip(1).filter_map(|part| part.split_once("\n\n"));
    parts.map(|(plan, section)| (plan.to_owned(), format!("{}\n", section.trim_end()))).collect()
}
