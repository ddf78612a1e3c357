//! The list of differences, and the page made from it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use serde::Deserialize;

use super::file;

/// A difference that somebody judged.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Difference {
    /// The request.
    request: String,
    /// What we answer.
    ours: String,
    /// What oidc-provider answers.
    theirs: String,
    /// Who is right.
    right: Right,
    /// By which section.
    section: String,
    /// In a sentence.
    why: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Right {
    Ours,
    Theirs,
    Both,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Differences {
    difference: Vec<Difference>,
}

const HEAD: &str = "# Differences from oidc-provider\n\n\
Made by `COUNTERSIGN_WRITE_REPORTS=1 ./tests/run -p countersign-tests -E 'test(/differential/)'` from \
`tests/differential/differences.toml`; every run of the tests holds both sides to it. The requests are those of \
`tests/differential/requests.toml`; what is not here is answered alike. oidc-provider is the version that \
`tests/node/package.json` pins.\n";

/// Holds what differs, by request, ours first, to the list; and the page to the list.
pub fn check(differing: &BTreeMap<String, [String; 2]>) {
    let text = fs::read_to_string(file("differences.toml")).unwrap();
    let listed = toml::from_str::<Differences>(&text).unwrap().difference;
    let mut wrong = String::new();
    for (request, [ours, theirs]) in differing {
        let known = listed.iter().find(|difference| difference.request == *request);
        if known.is_none_or(|known| known.ours != *ours || known.theirs != *theirs) {
            let _ = write!(wrong, "\n[[difference]]\nrequest = {request:?}\nours = {ours:?}\ntheirs = {theirs:?}\n");
        }
    }
    for difference in listed.iter().filter(|difference| !differing.contains_key(&difference.request)) {
        let _ = write!(wrong, "\nno difference any more: {:?}\n", difference.request);
    }
    assert!(wrong.is_empty(), "not as differences.toml lists it: {wrong}");
    let unjudged = listed.iter().find(|it| it.section.is_empty() || it.why.is_empty());
    assert!(unjudged.is_none(), "by which section, and why? {unjudged:?}");
    // Where they are right we are changed.
    let theirs = listed.iter().find(|difference| difference.right == Right::Theirs);
    assert!(theirs.is_none(), "they are right: {theirs:?}");
    check_page(&page(&listed));
}

fn check_page(page: &str) {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/DIFFERENCES.md"));
    if std::env::var_os("COUNTERSIGN_WRITE_REPORTS").is_some() {
        return fs::write(path, page).unwrap();
    }
    let known = fs::read_to_string(path).unwrap_or_default();
    assert_eq!(known, page, "docs/DIFFERENCES.md is not made from the list: COUNTERSIGN_WRITE_REPORTS=1");
}

fn page(listed: &[Difference]) -> String {
    let mut page = HEAD.to_owned();
    for (right, title) in
        [(Right::Ours, "Countersign keeps closer to the specification"), (Right::Both, "Both are allowed")]
    {
        let _ = write!(page, "\n## {title}\n\n| request | ours | oidc-provider | by | |\n|---|---|---|---|---|\n");
        for it in listed.iter().filter(|difference| difference.right == right) {
            let _ = writeln!(page, "| {} | {} | {} | {} | {} |", it.request, it.ours, it.theirs, it.section, it.why);
        }
    }
    page
}
