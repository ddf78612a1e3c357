//! Mutation proof: every shipped policy is broken in every way the generator knows, one edit at a time, and `check` must
//! find each with a code that fits. An edit that breaks nothing is excused by a stated reason, and the reasons are
//! counted, so that nobody can excuse more of them unseen.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that panics is a test that fails")]

#[path = "mutations/edits.rs"]
mod edits;
#[path = "mutations/excuses.rs"]
mod excuses;
#[path = "mutations/ranges.rs"]
mod ranges;
#[path = "mutations/typos.rs"]
mod typos;

use std::collections::{BTreeMap, BTreeSet};

use countersign_flow::language::StepKind;
use countersign_flow::{
    Catalogue, Finding, PageParts, Policy, PolicySet, Severity, Surroundings, Texts, check_within, parse,
};
use edits::{Edit, list_edits};
use ranges::list_ranges;
use typos::list_typos;

const TODAY: &str = "2026-11-22";

/// The shipped files by name, and what they say.
fn read_shipped() -> Vec<(String, String)> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/policies");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "toml"));
    files.sort();
    let name = |file: &std::path::Path| file.file_name().unwrap().to_str().unwrap().to_owned();
    files.iter().map(|file| (name(file), std::fs::read_to_string(file).unwrap())).collect()
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

/// The fewest broken machines of each policy that must be found, slips of the pen left aside.
const FEWEST: usize = 60;

/// The findings of the whole set, by their keys.
type Known = BTreeSet<(&'static str, String, String)>;

/// What of a finding an edit somewhere else does not change.
fn key(finding: &Finding) -> (&'static str, String, String) {
    (finding.code, finding.policy.clone(), finding.message.clone())
}

/// What became of the edits of one policy.
#[derive(Default)]
struct Outcome {
    machines: usize,
    slips: usize,
    missed: Vec<String>,
    excused: Vec<&'static str>,
}

struct Proof {
    files: Vec<(String, String)>,
    policies: Vec<Policy>,
    catalogue: Catalogue,
    known: Known,
}

impl Proof {
    fn prepare() -> Self {
        let files = read_shipped();
        let read =
            |(name, text): &(String, String)| parse(name, text).unwrap_or_else(|findings| panic!("{findings:#?}"));
        let policies: Vec<Policy> = files.iter().map(read).collect();
        let catalogue = catalogue(&policies);
        let known = find(policies.clone(), &catalogue).iter().map(key).collect();
        Self { files, policies, catalogue, known }
    }

    /// Makes every edit of one policy.
    fn break_policy(&self, index: usize) -> Outcome {
        let (policy, (file, text)) = (&self.policies[index], &self.files[index]);
        let mut outcome = Outcome::default();
        let mut machines = list_edits(policy, &self.policies);
        machines.extend(list_ranges(file, text));
        let slips = list_typos(file, text);
        drop_twins(&mut machines);
        for (is_slip, edit) in machines.iter().map(|edit| (false, edit)).chain(slips.iter().map(|edit| (true, edit))) {
            let fresh = self.find_fresh(edit, index);
            if fresh.iter().any(|finding| is_fitting(finding, edit)) {
                outcome.machines += usize::from(!is_slip);
                outcome.slips += usize::from(is_slip);
            } else if let Some(reason) = excuses::find_excuse(policy, &edit.name, &fresh) {
                outcome.excused.push(reason);
            } else {
                let got: BTreeSet<&str> = fresh.iter().map(|finding| finding.code).collect();
                outcome
                    .missed
                    .push(format!("{}: {}: wanted one of {:?}, got {got:?}", policy.id, edit.name, edit.codes));
            }
        }
        outcome
    }

    /// The broken set's findings that the whole set has not.
    fn find_fresh(&self, edit: &Edit, index: usize) -> Vec<Finding> {
        let findings = match &edit.broken {
            Err(findings) => findings.clone(),
            Ok(broken) => {
                let mut set = self.policies.clone();
                set[index] = broken.clone();
                find(set, &self.catalogue)
            }
        };
        findings.into_iter().filter(|finding| !self.known.contains(&key(finding))).collect()
    }

    /// All of them, on as many threads as there are processors.
    fn break_all(&self) -> BTreeMap<usize, Outcome> {
        let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let next = std::sync::atomic::AtomicUsize::new(0);
        let take = || Some(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed)).filter(|at| *at < self.files.len());
        let work = || std::iter::from_fn(take).map(|at| (at, self.break_policy(at))).collect::<Vec<_>>();
        std::thread::scope(|scope| {
            let running: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
            running.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        })
    }
}

/// What comes out as the same machine counts once.
fn drop_twins(edits: &mut Vec<Edit>) {
    let mut known: Vec<Policy> = Vec::new();
    edits.retain(|edit| match &edit.broken {
        Ok(broken) if known.contains(broken) => false,
        Ok(broken) => {
            known.push(broken.clone());
            true
        }
        Err(_) => true,
    });
}

fn is_fitting(finding: &Finding, edit: &Edit) -> bool {
    let weighs = finding.severity != Severity::Note || finding.code.starts_with('N');
    weighs && edit.codes.contains(&finding.code)
}

#[test]
fn every_breaking_edit_of_every_shipped_policy_is_found_with_a_fitting_code() {
    let proof = Proof::prepare();
    let (mut missed, mut few) = (Vec::new(), Vec::new());
    let mut excused: BTreeMap<&str, usize> = BTreeMap::new();
    for (index, outcome) in proof.break_all() {
        let id = &proof.policies[index].id;
        let (machines, slips) = (outcome.machines, outcome.slips);
        println!("{id}: {machines} broken machines and {slips} slips of the pen found");
        if machines < FEWEST {
            few.push(format!("{id}: {machines}"));
        }
        missed.extend(outcome.missed);
        outcome.excused.into_iter().for_each(|reason| *excused.entry(reason).or_default() += 1);
    }
    println!("excused: {excused:#?}");
    assert!(few.is_empty(), "too few: {few:#?}");
    assert!(missed.is_empty(), "{} missed:\n{}", missed.len(), missed.join("\n"));
    for (reason, count) in excused {
        let looked_at = excuses::REASONS.iter().find(|(known, _)| *known == reason).unwrap().1;
        assert_eq!(count, looked_at, "{reason}");
    }
}
