//! Mutation proof: every shipped policy is broken in every way the generator knows, one edit at a time, and `check` must
//! find each with a code that fits. An edit that breaks nothing is excused by a stated reason, and the reasons are
//! counted, so that nobody can excuse more of them unseen.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that panics is a test that fails")]

#[path = "mutations/edits.rs"]
mod edits;
#[path = "mutations/excuses.rs"]
mod excuses;

use std::collections::{BTreeMap, BTreeSet};

use countersign_flow::language::StepKind;
use countersign_flow::{
    Catalogue, Finding, PageParts, Policy, PolicySet, Severity, Surroundings, Texts, check_within, parse,
};
use edits::{Edit, list_edits};

const TODAY: &str = "2026-11-22";

fn shipped() -> Vec<Policy> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/policies");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "toml"));
    files.sort();
    let read = |file: &std::path::PathBuf| {
        let name = file.file_name().unwrap().to_str().unwrap().to_owned();
        parse(&name, &std::fs::read_to_string(file).unwrap()).unwrap_or_else(|findings| panic!("{findings:#?}"))
    };
    files.iter().map(read).collect()
}

/// Pages and messages that have everything the shipped policies name, and nothing else.
fn catalogue(policies: &[Policy]) -> Catalogue {
    let steps = || policies.iter().flat_map(|policy| &policy.steps);
    let whole = |page: &str| {
        let controls = [
            "login", "return", "cancel", "forgot", "verify", "resend", "send", "call", "continue", "change", "next",
            "set", "accept", "decline",
        ];
        let parts = PageParts { any_field: true, any_option: true, ..PageParts::default() };
        (page.to_owned(), PageParts { controls: controls.into_iter().map(str::to_owned).collect(), ..parts })
    };
    let pages = steps().filter(|step| !step.page.is_empty()).map(|step| whole(&step.page)).collect();
    let mut texts = Texts { keys: BTreeSet::from(["common.title".to_owned()]), ..Texts::default() };
    for step in steps() {
        match &step.kind {
            StepKind::Otp(otp) | StepKind::BindEmail(otp) | StepKind::BindPhone(otp) => {
                texts.mails.insert(otp.template.clone());
                texts.calls.insert(otp.template.clone());
            }
            StepKind::SetPassword { notify, .. } => texts.mails.extend(notify.clone()),
            StepKind::Terms { document } => {
                texts.documents.insert(document.clone());
            }
            StepKind::Effect { effects } => {
                let words = effects.iter().map(ToString::to_string);
                let names = words.filter_map(|word| Some(word.split_once(':')?.1.rsplit('/').next()?.to_owned()));
                texts.mails.extend(names);
            }
            _ => {}
        }
    }
    let locales = ["en", "es"].into_iter().map(|tag| (tag.to_owned(), texts.clone())).collect();
    Catalogue { pages, locales }
}

fn find(policies: Vec<Policy>, catalogue: &Catalogue) -> Vec<Finding> {
    let around = Surroundings { today: TODAY, catalogue: Some(catalogue), clients: &[] };
    check_within(&PolicySet::new(policies), &around)
}

/// What of a finding an edit somewhere else does not change.
fn key(finding: &Finding) -> (&'static str, String, String) {
    (finding.code, finding.policy.clone(), finding.message.clone())
}

#[test]
fn every_breaking_edit_of_every_shipped_policy_is_found_with_a_fitting_code() {
    let policies = shipped();
    let catalogue = catalogue(&policies);
    let known: BTreeSet<_> = find(policies.clone(), &catalogue).iter().map(key).collect();
    let mut missed = Vec::new();
    let mut excused: BTreeMap<&str, usize> = BTreeMap::new();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for (index, policy) in policies.iter().enumerate() {
        for Edit { name, broken, codes } in list_edits(policy, &policies) {
            let mut set = policies.clone();
            set[index] = broken.clone();
            let findings = find(set, &catalogue);
            let fresh: Vec<&Finding> = findings.iter().filter(|finding| !known.contains(&key(finding))).collect();
            let fits = |finding: &&&Finding| {
                codes.contains(&finding.code) && finding.severity != Severity::Note
                    || codes.contains(&finding.code) && finding.code.starts_with('N')
            };
            if fresh.iter().any(|finding| fits(&finding)) {
                *counts.entry(&policy.id).or_default() += 1;
            } else if let Some(reason) = excuses::find_excuse(policy, &name) {
                *excused.entry(reason).or_default() += 1;
            } else {
                let got: BTreeSet<&str> = fresh.iter().map(|finding| finding.code).collect();
                missed.push(format!("{}: {name}: wanted one of {codes:?}, got {got:?}", policy.id));
            }
        }
    }
    println!("found per policy: {counts:#?}\nexcused: {excused:#?}");
    assert!(missed.is_empty(), "{} missed:\n{}", missed.len(), missed.join("\n"));
    for policy in &policies {
        let found = counts.get(policy.id.as_str()).copied().unwrap_or_default();
        assert!(found >= fewest(&policy.id), "{}: only {found} edits", policy.id);
    }
    for (reason, count) in excused {
        let most = excuses::REASONS.iter().find(|(known, _)| *known == reason).unwrap().1;
        assert!(count <= most, "{reason}: {count} edits, of which {most} were looked at");
    }
}

/// Sixty; policies of few steps have fewer places to break.
fn fewest(policy: &str) -> usize {
    match policy {
        "employees" => 25,
        "login-options" => 20,
        "registration-reset" | "new-provider" => 40,
        _ => 60,
    }
}
