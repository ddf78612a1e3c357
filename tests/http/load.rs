//! The benchmark suite of tests/load in its short form: every answer is right, and the report has a line for everything.
//! No time is looked at.

use std::path::PathBuf;
use std::process::Command;

use countersign_tests::servers::binary;

/// The lines of a page's tables: the section, the first cell and how many there are.
fn rows(page: &str) -> Vec<(String, String, usize)> {
    let mut section = String::new();
    let mut rows = Vec::new();
    for line in page.lines() {
        if let Some(title) = line.strip_prefix("## ") {
            title.clone_into(&mut section);
        } else if let Some(cells) = line.strip_prefix("| ") {
            rows.push((section.clone(), cells.split(" | ").next().unwrap().to_owned(), line.matches('|').count()));
        }
    }
    rows
}

fn committed(path: &str) -> String {
    std::fs::read_to_string(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

#[test]
fn every_workload_of_the_load_is_answered_right_and_the_report_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("report.md");
    let mut command = Command::new(env!("CARGO_BIN_EXE_countersign-load"));
    command.args(["--short", "--out"]).arg(&file).env("COUNTERSIGN_BIN", binary());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let short = rows(&std::fs::read_to_string(&file).unwrap());
    for workload in
        ["discovery", "JWKS", "client_credentials EdDSA", "refresh", "login with mailed code", "flow page POST"]
    {
        let of_workload = short.iter().filter(|(_, name, _)| name == workload);
        assert!(of_workload.count() >= 4, "targets, two speeds and stores of {workload}: {short:#?}");
    }
    assert_eq!(rows(&committed("../docs/PERFORMANCE.md")), short, "docs/PERFORMANCE.md: ./tests/run --load");
}

#[test]
fn the_report_ends_with_the_notes() {
    let notes = committed("load/NOTES.md");
    assert!(committed("../docs/PERFORMANCE.md").ends_with(&notes), "docs/PERFORMANCE.md has other notes");
}
