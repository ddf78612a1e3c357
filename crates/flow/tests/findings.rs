//! Every code that `policy check` knows, provoked by a small set: its place, what it says, and the path it shows, which
//! the real machine is led through. A finding without a path says in its row why there is none.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that panics is a test that fails")]

#[path = "paths/drive.rs"]
mod drive;
#[path = "findings/replay.rs"]
mod replay;
#[path = "findings/rows.rs"]
mod rows;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use countersign_flow::dry_run::{DryRun, World};
use countersign_flow::{
    Catalogue, ClientDemand, Finding, Next, PageParts, Policy, PolicySet, Severity, Surroundings, Texts, check_within,
    parse,
};
use countersign_model::Timestamp;
use replay::{Replayed, repeat, replay};
use rows::{DOOR, LOST, RESET, ROWS, Row, STAFF, Shows, Trait};

const TODAY: &str = "2026-11-22";

/// The texts of a row's files, by the names of their policies.
fn write_files(row: &Row) -> BTreeMap<&'static str, String> {
    let change = |text: &str, changes: &[(&str, &str)]| {
        changes.iter().fold(text.to_owned(), |text, (from, to)| {
            assert!(text.contains(from), "{}: no {from}", row.code);
            text.replacen(from, to, 1)
        })
    };
    let text = |name: &str| match name {
        "staff" => STAFF,
        "door" => DOOR,
        "lost" => LOST,
        _ => RESET,
    };
    row.files.iter().map(|(name, changes)| (*name, change(text(name), changes))).collect()
}

/// Everything the small policies show, and nothing else.
fn catalogue() -> Catalogue {
    let pages = ["sign_in", "totp", "email_verify", "new_password", "reset_username", "reset_sent", "try_later"];
    let controls = ["login", "return", "cancel", "forgot", "verify", "resend", "send", "continue", "next", "set"];
    let whole = PageParts {
        any_field: true,
        controls: controls.into_iter().map(str::to_owned).collect(),
        ..PageParts::default()
    };
    let mails = ["verification_code", "password_changed", "registration_reset", "already_registered"];
    let texts = Texts {
        keys: BTreeSet::from(["common.title".to_owned()]),
        mails: mails.into_iter().map(str::to_owned).collect(),
        ..Texts::default()
    };
    Catalogue {
        pages: pages
            .into_iter()
            .chain(["here", "there", "island"])
            .map(|page| (page.to_owned(), whole.clone()))
            .collect(),
        locales: ["en", "es"].into_iter().map(|tag| (tag.to_owned(), texts.clone())).collect(),
    }
}

/// What is found in a row's files, and the set where there is one.
fn find(files: &BTreeMap<&'static str, String>) -> (Option<PolicySet>, Vec<Finding>) {
    let mut policies: Vec<Policy> = Vec::new();
    // `staff` first: whose acr is taken is found in the later one.
    for (name, text) in files.iter().rev() {
        match parse(name, text) {
            Ok(policy) => policies.push(policy),
            Err(findings) => return (None, findings),
        }
    }
    let demand = ClientDemand {
        client: "portal".to_owned(),
        allowed: vec!["staff".to_owned(), "door".to_owned()],
        required_acr: vec!["urn:example:acr:staff".to_owned()],
    };
    let both = files.len() == 2 && files.contains_key("staff");
    let clients = [demand];
    let clients = if both { &clients[..] } else { &[] };
    let set = PolicySet::new(policies);
    let findings = check_within(&set, &Surroundings { today: TODAY, catalogue: Some(&catalogue()), clients });
    (Some(set), findings)
}

/// What stands at a finding's place.
fn text_at<'t>(text: &'t str, finding: &Finding) -> &'t str {
    let start: usize = text.split_inclusive('\n').take(finding.line as usize - 1).map(str::len).sum();
    let column = text[start..].char_indices().nth(finding.column as usize - 1).map_or(0, |(at, _)| at);
    &text[start + column..]
}

fn judge(row: &Row) -> Result<(), String> {
    let files = write_files(row);
    let (set, findings) = find(&files);
    let found = findings.iter().find(|finding| finding.code == row.code && finding.message.contains(row.says));
    let found = found.ok_or_else(|| format!("not found among {findings:#?}"))?;
    let text = files.get(found.file.as_str()).ok_or_else(|| format!("of no file: {found}"))?;
    if found.policy != row.policy || !text_at(text, found).starts_with(row.at) {
        let here = text_at(text, found).lines().next().unwrap_or_default();
        return Err(format!("found in `{}` at `{here}`: {found}", found.policy));
    }
    let shown: Vec<&str> = found.path.iter().map(String::as_str).collect();
    let wanted = match row.shows {
        Shows::Path(path) | Shows::Loop(path) | Shows::Apart(path, _) => path,
        Shows::Place("") => return Err("no path, and no reason why".to_owned()),
        Shows::Place(_) => &[],
    };
    if shown != wanted {
        return Err(format!("shows {shown:?}: {found}"));
    }
    let set = set.filter(|_| !wanted.is_empty());
    set.map_or(Ok(()), |set| prove(&set, row, found))
}

/// Leads the machine along the path.
fn prove(set: &PolicySet, row: &Row, found: &Finding) -> Result<(), String> {
    match row.shows {
        Shows::Loop(_) => {
            let begun =
                DryRun::begin(set.clone(), row.policy, World::new(Timestamp::from_secs(0)), Timestamp::from_secs(0));
            begun.is_err().then_some(()).ok_or_else(|| "the machine ends the loop".to_owned())
        }
        Shows::Apart(_, what) => tell_apart(set, row, &replay(set, row.policy, &found.path)?, what),
        _ => replay(set, row.policy, &found.path).map(drop),
    }
}

/// The same deeds show another page (E30), or send what the first ones did not (E31).
fn tell_apart(set: &PolicySet, row: &Row, one: &Replayed, what: Trait) -> Result<(), String> {
    let mut other = one.world.clone();
    let person = &mut other.accounts[0];
    match what {
        Trait::Incomplete => person.registration_incomplete = !person.registration_incomplete,
    }
    let (run, next) = repeat(set, &other, &one.done)?;
    let page = |next: &Next| match next {
        Next::Stop { page, .. } => page.clone(),
        other => format!("{other:?}"),
    };
    let same = page(&one.next) == page(&next);
    let costs = (one.run.messages().len(), run.messages().len());
    match row.code {
        "E30" if same => Err("both see the same page".to_owned()),
        "E31" if !same || costs.0 == costs.1 => Err(format!("pages alike: {same}, messages {costs:?}")),
        _ => Ok(()),
    }
}

#[test]
fn every_code_is_found_at_its_place_with_a_path_that_the_machine_takes() {
    let wrong: Vec<String> = ROWS
        .iter()
        .filter_map(|row| judge(row).err().map(|why| format!("{} ({}): {why}", row.code, row.says)))
        .collect();
    assert!(wrong.is_empty(), "{} of {} rows:\n{}", wrong.len(), ROWS.len(), wrong.join("\n"));
}

#[test]
fn the_small_policies_are_sound_by_themselves() {
    for files in [&["staff"][..], &["door", "lost"], &["reset"]] {
        let row = Row { code: "", files: &[], policy: "", at: "", says: "", shows: Shows::Place("") };
        let names = [("staff", STAFF), ("door", DOOR), ("lost", LOST), ("reset", RESET)];
        assert!(write_files(&row).is_empty());
        let texts = names.into_iter().filter(|(name, _)| files.contains(name));
        let (_, findings) = find(&texts.map(|(name, text)| (name, text.to_owned())).collect());
        let weighty: Vec<&Finding> = findings.iter().filter(|finding| finding.severity != Severity::Note).collect();
        assert!(weighty.is_empty(), "{files:?}: {weighty:#?}");
    }
}

#[test]
fn a_path_that_nobody_can_take_is_found_out() {
    let set = PolicySet::new(vec![parse("staff", STAFF).unwrap()]);
    let names = |path: &[&str]| path.iter().map(|&step| step.to_owned()).collect::<Vec<_>>();
    assert!(replay(&set, "staff", &names(&["credentials", "code", "issue"])).is_ok());
    assert!(replay(&set, "staff", &names(&["credentials", "wait"])).is_ok(), "who used up the tries");
    let open = STAFF.replace("ok = \"code\"", "ok = \"ask\"").replace(
        "issue     =",
        "ask = { kind = \"branch\", when = [{ if = \"client.is:other\", then = \"issue\" }], else = \"code\" }\nissue =",
    );
    let set = PolicySet::new(vec![parse("staff", &open).unwrap()]);
    assert!(replay(&set, "staff", &names(&["credentials", "ask", "issue"])).is_err(), "another client's way");
}

/// Every code in the sources of the reader and the checker, their tests left aside.
fn list_codes(folder: &Path, codes: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        let is_test = path.file_stem().is_some_and(|stem| stem == "tests");
        if path.is_dir() && !is_test {
            list_codes(&path, codes);
        } else if path.extension().is_some_and(|extension| extension == "rs") && !is_test {
            let text = std::fs::read_to_string(&path).unwrap();
            codes.extend(text.split('"').filter(|word| is_code(word)).map(str::to_owned));
        }
    }
}

fn is_code(word: &str) -> bool {
    let mut letters = word.chars();
    matches!(letters.next(), Some('E' | 'N' | 'W')) && word.len() == 3 && letters.all(|digit| digit.is_ascii_digit())
}

#[test]
fn every_code_has_a_row_here_and_a_line_in_the_documentation() {
    let crate_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut codes = BTreeSet::new();
    list_codes(&crate_folder.join("src"), &mut codes);
    let rows: BTreeSet<String> = ROWS.iter().map(|row| row.code.to_owned()).collect();
    assert_eq!(codes, rows, "left: what the checker can say; right: what has a row");
    let page = std::fs::read_to_string(crate_folder.join("../../docs/POLICIES.md")).unwrap();
    let lines = page.lines().filter(|line| line.starts_with('|'));
    let told: BTreeSet<String> = lines
        .filter_map(|line| line.split('|').nth(1))
        .flat_map(|codes| codes.split(','))
        .map(|code| code.trim().trim_matches('*').to_owned())
        .filter(|code| is_code(code))
        .collect();
    assert_eq!(codes, told, "left: what the checker can say; right: what docs/POLICIES.md tells");
}
