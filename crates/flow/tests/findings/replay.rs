//! A path that a finding shows, walked through the real machine by whoever it is a way for.

use countersign_flow::dry_run::{DryRun, PHONE, World};
use countersign_flow::language::{Destination, Policy, Step, StepKind, Switch};
use countersign_flow::{Next, PolicySet, RememberedFacts};
use countersign_model::{Fact, FactSet, ProvenFact, Timestamp};

use super::drive::leave;

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

/// What was done in which world, and where the machine stands then.
pub struct Replayed {
    pub world: World,
    pub done: Vec<Deed>,
    pub run: DryRun,
    pub next: Next,
}

/// One thing that somebody does.
#[derive(Clone, Debug)]
pub enum Deed {
    /// Begins a flow of a policy.
    Begin(String),
    /// Leaves a page by an outcome, an option, `cancel`.
    Leave(String),
}

/// One step of a path.
type Leg<'a> = (&'a Policy, &'a Step);

/// Whether some account can take the path: the machine shows its pages in this order, and comes to its `issue`.
pub fn replay(set: &PolicySet, home: &str, path: &[String]) -> Result<Replayed, String> {
    let legs: Vec<Leg> = path.iter().map(|name| find(set, home, name)).collect();
    for pair in legs.windows(2) {
        let [from, to] = pair else { continue };
        let joined = leads(set, *from, *to) || is_start(*to);
        assert!(joined, "{} does not lead to {}", from.1.name, to.1.name);
    }
    let walks = list_worlds(set, home).into_iter();
    let taken = walks.filter_map(|world| {
        let begun = begin(set, legs.first()?.0, &world)?;
        let done = vec![Deed::Begin(legs.first()?.0.id.clone())];
        go(set, &legs, 0, begun, &done).map(|(run, next, done)| Replayed { world, done, run, next })
    });
    taken.min_by_key(|replayed| replayed.done.len()).ok_or_else(|| format!("nobody comes this way: {path:?}"))
}

/// The same deeds in another world.
pub fn repeat(set: &PolicySet, world: &World, done: &[Deed]) -> Result<(DryRun, Next), String> {
    let mut at: Option<(DryRun, Next)> = None;
    for deed in done {
        at = match (deed, at) {
            (Deed::Begin(id), None) => begin(set, set.get(id).unwrap(), world),
            (Deed::Begin(id), Some((run, _))) => begin(set, set.get(id).unwrap(), &run.world),
            (Deed::Leave(by), Some((mut run, _))) => {
                let page = run.page().map_err(|error| error.to_string())?;
                let step = find(set, &page.policy, &page.step).1;
                leave(&mut run, step, by, &page).ok().map(|next| (run, next))
            }
            (Deed::Leave(_), None) => None,
        };
    }
    at.ok_or_else(|| "the other account can not do the same".to_owned())
}

fn find<'a>(set: &'a PolicySet, home: &str, name: &str) -> Leg<'a> {
    let (id, step) = name.split_once('/').unwrap_or((home, name));
    let policy = set.get(id).unwrap_or_else(|| panic!("no policy {id}"));
    let step = policy.steps.iter().find(|known| known.name == step);
    (policy, step.unwrap_or_else(|| panic!("no step {name}")))
}

fn is_start((policy, step): Leg) -> bool {
    policy.steps[policy.start].name == step.name
}

/// Whether a step has a way to another: by a target, or by `cancel`.
fn leads(set: &PolicySet, (policy, from): Leg, (target, to): Leg) -> bool {
    let is_switched = |switch: &Switch| match (set.get(&switch.policy), switch.otherwise) {
        (Some(other), _) => other.id == target.id && is_start((target, to)),
        (None, Some(index)) => policy.id == target.id && policy.steps[index].name == to.name,
        (None, None) => false,
    };
    let is_it = |destination: &Destination| match destination {
        Destination::Step(index) => policy.id == target.id && policy.steps[*index].name == to.name,
        Destination::Switch(switch) => is_switched(switch),
    };
    let own = matches!(&from.kind, StepKind::Switch(switch) if is_switched(switch));
    let mut targets = from.list_targets().into_iter().chain(&policy.cancel);
    own || targets.any(|target| is_it(&target.to))
}

fn begin(set: &PolicySet, policy: &Policy, world: &World) -> Option<(DryRun, Next)> {
    DryRun::begin(set.clone(), &policy.id, world.clone(), NOW).ok()
}

/// Goes on from leg `at`, which the machine has not shown yet.
fn go(
    set: &PolicySet,
    legs: &[Leg],
    at: usize,
    (run, next): (DryRun, Next),
    done: &[Deed],
) -> Option<(DryRun, Next, Vec<Deed>)> {
    let Some(&(policy, step)) = legs.get(at) else { return Some((run, next, done.to_vec())) };
    let is_last = at + 1 == legs.len();
    match &step.kind {
        StepKind::Branch(_) | StepKind::Effect { .. } | StepKind::Switch(_) => {
            return go(set, legs, at + 1, (run, next), done);
        }
        StepKind::Issue => {
            let came = match &next {
                Next::Issue(issued) => issued.policy == policy.id,
                Next::Return { error } => *error == "unmet_authentication_requirements",
                _ => false,
            };
            return came.then(|| go_anew(set, legs, at + 1, run, next, done)).flatten();
        }
        StepKind::Stop(stop) if !stop.shows_page => {
            let came = matches!(&next, Next::Return { error } if *error == stop.error);
            return (came && is_last).then(|| (run, next, done.to_vec()));
        }
        _ => {}
    }
    let page = run.page().ok().filter(|_| matches!(next, Next::Page | Next::Federate { .. } | Next::Stop { .. }));
    let Some(page) = page.filter(|page| page.policy == policy.id && page.step == step.name) else {
        // What was proven before is not asked for again.
        let came_along = at > 0 && matches!(step.kind, StepKind::Password { .. });
        return came_along.then(|| go(set, legs, at + 1, (run, next), done)).flatten();
    };
    if is_last {
        return Some((run, next, done.to_vec()));
    }
    let routed = step.routes.iter().map(|(outcome, _)| outcome.as_str().to_owned());
    let shown = page.options.iter().chain(&page.links).map(|option| option.id.clone());
    let ways = routed.chain(shown).chain(["cancel".to_owned()]);
    let taken = ways.filter_map(|by| {
        let mut run = run.clone();
        let next = leave(&mut run, step, &by, &page).ok()?;
        let done: Vec<Deed> = done.iter().cloned().chain([Deed::Leave(by)]).collect();
        let straight = go(set, legs, at + 1, (run.clone(), next.clone()), &done);
        straight.or_else(|| go_anew(set, legs, at + 1, run, next, &done))
    });
    taken.min_by_key(|(_, _, done)| done.len())
}

/// Goes on in the same flow's world with a flow of another policy, where the path begins one.
fn go_anew(
    set: &PolicySet,
    legs: &[Leg],
    at: usize,
    run: DryRun,
    next: Next,
    done: &[Deed],
) -> Option<(DryRun, Next, Vec<Deed>)> {
    let Some(leg) = legs.get(at) else { return Some((run, next, done.to_vec())) };
    if !is_start(*leg) {
        return None;
    }
    let world = World { facts: session_of(set, leg.0, &run), ..run.world.clone() };
    let begun = begin(set, leg.0, &world)?;
    let done: Vec<Deed> = done.iter().cloned().chain([Deed::Begin(leg.0.id.clone())]).collect();
    go(set, legs, at, begun, &done)
}

/// Whoever signed in has a session.
fn session_of(set: &PolicySet, onward: &Policy, run: &DryRun) -> countersign_flow::Facts {
    let proven = |fact| ProvenFact { fact, at: NOW };
    let user = run.world.accounts[0].user.clone();
    let policy = run.policy().and_then(|id| set.get(id)).unwrap_or(onward);
    let facts = list_required(policy).iter().map(proven).collect();
    let session = Some(RememberedFacts { policy: policy.id.clone(), user, facts });
    countersign_flow::Facts { session, ..run.world.facts.clone() }
}

fn list_required(policy: &Policy) -> FactSet {
    policy.require.iter().fold(FactSet::EMPTY, |all, entry| all.union(entry.factors))
}

/// Every kind of person and browser.
fn list_worlds(set: &PolicySet, home: &str) -> Vec<World> {
    let remembered = set.get(home).map(list_required).unwrap_or_default();
    (0..1_u32 << 8).map(|bits| imagine(home, remembered, bits)).collect()
}

fn imagine(home: &str, remembered: FactSet, bits: u32) -> World {
    let has = |bit: u32| bits & (1 << bit) != 0;
    let mut world = World::new(NOW);
    let person = &mut world.accounts[0];
    person.phone = has(0).then(|| PHONE.to_owned());
    (person.totp, person.passkey, person.legacy) = (has(1), has(2), has(3));
    (person.registration_incomplete, person.terms_due) = (has(4), has(5));
    if has(6) {
        (person.email, person.username) = (None, None);
    }
    let user = person.user.clone();
    if has(7) {
        let facts = remembered.iter().map(|fact: Fact| ProvenFact { fact, at: NOW }).collect();
        world.facts.remembered.push(RememberedFacts { policy: home.to_owned(), user, facts });
    }
    world
}
