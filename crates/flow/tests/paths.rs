//! Every path that `policy paths` lists of every shipped policy, walked through the real machine: it passes the pages the
//! path names, in that order, and ends where the path says.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that panics is a test that fails")]

#[path = "paths/drive.rs"]
mod drive;

use std::collections::BTreeSet;
use std::path::Path as File;

use countersign_flow::dry_run::{DryRun, PHONE, World};
use countersign_flow::language::{AccountGuard, Guard, Outcome, SendTo, Step, StepKind};
use countersign_flow::paths::{End, Leg, Path, list_paths};
use countersign_flow::{Effect, Next, PageView, Policy, PolicySet, RememberedFacts, fact_set, parse};
use countersign_model::{Fact, FactSet, ProvenFact, Timestamp};
use drive::leave;

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

fn shipped() -> PolicySet {
    let folder = File::new(env!("CARGO_MANIFEST_DIR")).join("../../config/policies");
    let mut files: Vec<_> = [folder.clone(), folder.join("demo")]
        .iter()
        .flat_map(|folder| std::fs::read_dir(folder).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|file| file.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    files.sort();
    let read = |file: &std::path::PathBuf| {
        let text = std::fs::read_to_string(file).unwrap();
        parse(&file.display().to_string(), &text).unwrap_or_else(|findings| panic!("{findings:#?}"))
    };
    PolicySet::new(files.iter().map(read).collect())
}

#[test]
fn every_path_of_every_shipped_policy_ends_where_it_says() {
    let set = shipped();
    let mut walked = 0;
    let mut wrong = Vec::new();
    for policy in set.iter() {
        let paths = list_paths(&set, policy);
        assert!(!paths.is_empty(), "{} has no paths", policy.id);
        for path in &paths {
            if let Err(why) = walk(&set, policy, path) {
                wrong.push(format!("{}: {path}\n    {why}", policy.id));
            }
        }
        walked += paths.len();
        check_coverage(&set, policy, &paths);
    }
    assert!(wrong.is_empty(), "{} of {walked} paths went elsewhere:\n{}", wrong.len(), wrong.join("\n"));
    assert!(walked > 300, "only {walked} paths");
}

/// The paths together take every way out of every step, but for what nobody can reach.
fn check_coverage(set: &PolicySet, policy: &Policy, paths: &[Path]) {
    let mut taken: BTreeSet<(&str, &str)> = BTreeSet::new();
    let mut ends: BTreeSet<&str> = BTreeSet::new();
    for path in paths {
        taken.extend(path.legs.iter().map(|leg| (leg.step.as_str(), leg.by.as_str())));
        if let End::Issue { step } | End::Stop { step } = &path.end {
            ends.insert(step);
        }
    }
    for step in &policy.steps {
        match &step.kind {
            StepKind::Issue | StepKind::Stop(_) => {
                let spare = is_spare(set, policy, &step.name);
                assert!(ends.contains(step.name.as_str()) || spare, "{}/{} ends no path", policy.id, step.name);
            }
            _ => {
                for (outcome, target) in &step.routes {
                    // Back to the same step is no path.
                    let back = matches!(&target.to, countersign_flow::language::Destination::Step(to)
                        if policy.steps.get(*to).is_some_and(|to| to.name == step.name));
                    let named = (step.name.as_str(), outcome.as_str());
                    assert!(back || taken.contains(&named), "{}/{} is never left by {}", policy.id, named.0, named.1);
                }
            }
        }
    }
}

/// Where only a switch without its policy leads.
fn is_spare(set: &PolicySet, policy: &Policy, name: &str) -> bool {
    policy.steps.iter().any(|step| match &step.kind {
        StepKind::Switch(switch) => {
            let otherwise = switch.otherwise.and_then(|index| policy.steps.get(index));
            otherwise.is_some_and(|step| step.name == name) && set.get(&switch.policy).is_some()
        }
        _ => false,
    })
}

#[test]
fn a_path_that_says_something_else_is_found_out() {
    let set = shipped();
    let phone = set.get("phone").unwrap();
    for path in list_paths(&set, phone) {
        let other = match &path.end {
            End::Stop { step } if step == "wait" => End::Stop { step: "cancelled".to_owned() },
            _ => End::Stop { step: "wait".to_owned() },
        };
        assert!(walk(&set, phone, &Path { end: other, ..path.clone() }).is_err(), "{path}");
    }
}

/// Walks one path.
fn walk(set: &PolicySet, policy: &Policy, path: &Path) -> Result<(), String> {
    let world = imagine(set, policy, path);
    let (mut run, mut next) =
        DryRun::begin(set.clone(), &policy.id, world, NOW).map_err(|error| format!("does not begin: {error}"))?;
    let mut audited = audit(&run);
    for leg in &path.legs {
        let step = find(policy, &leg.step);
        if is_passed_by(step, leg, &run) {
            continue;
        }
        let page = expect_page(&run, policy, &leg.step, &next)?;
        next = leave(&mut run, step, &leg.by, &page).map_err(|why| format!("at {} by {}: {why}", leg.step, leg.by))?;
        audited = audit(&run);
    }
    check_end(&run, policy, path, &next, &audited)
}

fn find<'a>(policy: &'a Policy, name: &str) -> &'a Step {
    policy.steps.iter().find(|step| step.name == name).unwrap()
}

/// Whether the machine went on from this step by itself.
fn is_passed_by(step: &Step, leg: &Leg, run: &DryRun) -> bool {
    let unreachable = match &step.kind {
        StepKind::Otp(otp) if leg.by == Outcome::Undeliverable.as_str() => {
            let person = &run.world.accounts[0];
            match otp.to {
                SendTo::AccountMailbox => person.mailbox.is_none(),
                SendTo::AccountPhone => person.phone.is_none(),
                _ => false,
            }
        }
        _ => false,
    };
    step.kind.is_automatic() || unreachable
}

fn expect_page(run: &DryRun, policy: &Policy, step: &str, next: &Next) -> Result<PageView, String> {
    if !matches!(next, Next::Page | Next::Federate { .. } | Next::Stop { .. }) {
        return Err(format!("no page for {step}: {next:?}"));
    }
    let page = run.page().map_err(|error| format!("no page for {step}: {error}"))?;
    let here = (page.policy.as_str(), page.step.as_str());
    if here == (policy.id.as_str(), step) { Ok(page) } else { Err(format!("{here:?} where {step} should be")) }
}

/// `key = value` of the audit events of the last decision.
fn audit(run: &DryRun) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for effect in run.effects() {
        if let Effect::Audit { detail, .. } = effect {
            all.extend(detail.iter().map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned())));
        }
    }
    all
}

fn check_end(
    run: &DryRun,
    policy: &Policy,
    path: &Path,
    next: &Next,
    audited: &[(String, String)],
) -> Result<(), String> {
    let told = |key: &str, value: &str| audited.iter().any(|(k, v)| k == key && v == value);
    let fine = match (&path.end, next) {
        (End::Issue { .. }, Next::Issue(issued)) => {
            let proven = fact_set(&issued.facts);
            let needed = least(policy);
            if !proven.is_superset(needed) {
                return Err(format!("issued with {proven:?}, needs {needed:?}"));
            }
            issued.policy == policy.id && issued.user == run.world.accounts[0].user
        }
        (End::Stop { step }, Next::Stop { page, .. }) => {
            let StepKind::Stop(stop) = &find(policy, step).kind else { return Err("no stop".to_owned()) };
            stop.shows_page && run.page().is_ok_and(|shown| shown.step == *step && shown.page == *page)
        }
        (End::Stop { step }, Next::Return { error }) => {
            let StepKind::Stop(stop) = &find(policy, step).kind else { return Err("no stop".to_owned()) };
            !stop.shows_page && stop.error == *error && told("step", step)
        }
        (End::Switch { policy: to }, _) => told("switch", to),
        _ => false,
    };
    if fine { Ok(()) } else { Err(format!("ended {next:?} with {audited:?}")) }
}

/// What everybody must have proven.
fn least(policy: &Policy) -> FactSet {
    let without = policy.require.iter().filter(|entry| entry.is_for_all());
    without.fold(FactSet::EMPTY, |all, entry| all.union(entry.factors))
}

/// The world a path supposes.
fn imagine(set: &PolicySet, policy: &Policy, path: &Path) -> World {
    let mut world = World::new(NOW);
    let user = world.accounts[0].user.clone();
    let person = &mut world.accounts[0];
    (person.legacy, person.passkey) = (true, true);
    let proves = |fact: Fact| ProvenFact { fact, at: NOW };
    for (guard, holds) in &path.given {
        match guard {
            Guard::Account(AccountGuard::EmailOnly) if *holds => (person.passkey, person.phone) = (false, None),
            Guard::Account(AccountGuard::EmailOnly) => person.passkey = true,
            Guard::Account(guard) => suppose(person, *guard, *holds),
            Guard::SessionRemembered if *holds => {
                let facts = policy.require.iter().fold(FactSet::EMPTY, |all, entry| all.union(entry.factors));
                let facts = facts.iter().map(proves).collect();
                world.facts.remembered.push(RememberedFacts { policy: policy.id.clone(), user: user.clone(), facts });
            }
            // A session that proved something else, so that every page is still asked.
            Guard::SessionFresh if *holds => {
                let facts = vec![proves(Fact::Federated)];
                world.facts.session =
                    Some(RememberedFacts { policy: "employees".to_owned(), user: user.clone(), facts });
            }
            Guard::ClientIs(id) if *holds => world.facts.client.clone_from(id),
            Guard::RequestAcr(value) if *holds => world.facts.requested_acr.push(value.clone()),
            Guard::Locale(tag) if *holds => world.facts.locale.clone_from(tag),
            Guard::Webhook(name) => {
                world.facts.webhooks.insert(name.clone(), *holds);
            }
            _ => {}
        }
    }
    for leg in &path.legs {
        if let StepKind::Otp(otp) = &find(policy, &leg.step).kind
            && leg.by == Outcome::Undeliverable.as_str()
            && otp.to == SendTo::AccountMailbox
        {
            world.accounts[0].mailbox = None;
            // Whom a provider vouched for has the address on file for a mailbox.
            let is_vouched = |leg: &Leg| matches!(find(policy, &leg.step).kind, StepKind::Federate { .. });
            if path.legs.iter().any(is_vouched) {
                world.accounts[0].email = None;
            }
        }
    }
    assert!(set.get(&policy.id).is_some());
    world
}

fn suppose(person: &mut countersign_flow::AccountFacts, guard: AccountGuard, holds: bool) {
    match guard {
        AccountGuard::Phone => person.phone = holds.then(|| PHONE.to_owned()),
        AccountGuard::TermsDue => person.terms_due = holds,
        AccountGuard::Locked => person.locked = holds,
        AccountGuard::Legacy => person.legacy = holds,
        AccountGuard::Totp => person.totp = holds,
        AccountGuard::Passkey => person.passkey = holds,
        AccountGuard::RegistrationIncomplete => person.registration_incomplete = holds,
        AccountGuard::Exists | AccountGuard::EmailOnly | AccountGuard::OrgCodeValid => {}
    }
}
