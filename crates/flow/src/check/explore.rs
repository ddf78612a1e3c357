//! E40: every way to `issue`, for every valuation of the guards a policy uses, through switches with what they carry.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use countersign_model::{Fact, FactSet};

use super::finding;
use crate::language::{AccountGuard, Destination, Guard, Policy, Requirement, Step, StepKind, Switch, Target};
use crate::{Finding, PolicySet, Position};

/// The most guards a policy may use: 4096 valuations.
const MAX_GUARDS: usize = 12;

pub(super) fn check(set: &PolicySet, today: &str, findings: &mut Vec<Finding>) {
    let mut waiting: VecDeque<Entry> =
        set.iter().map(|policy| Entry { policy, carried: FactSet::EMPTY, path: Vec::new() }).collect();
    let mut seen: BTreeSet<(&str, FactSet)> =
        waiting.iter().map(|entry| (entry.policy.id.as_str(), entry.carried)).collect();
    let mut holes = Holes::new();
    while let Some(entry) = waiting.pop_front() {
        check_claim(set, entry.policy, findings);
        let guards = list_guards(set, entry.policy);
        if guards.len() > MAX_GUARDS {
            let message = format!("more than {MAX_GUARDS} guards: too many to prove");
            findings.push(finding(entry.policy, "E00", entry.policy.at, message));
            continue;
        }
        for bits in 0..1_u32 << guards.len() {
            let valuation = Valuation { guards: &guards, bits };
            if valuation.is_possible() {
                for onward in explore(set, &entry, &valuation, today, &mut holes) {
                    if seen.insert((&onward.policy.id, onward.carried)) {
                        waiting.push_back(onward);
                    }
                }
            }
        }
    }
    findings.extend(holes.into_values());
}

/// A way into a policy that is to be explored.
struct Entry<'a> {
    policy: &'a Policy,
    carried: FactSet,
    path: Vec<String>,
}

/// The shortest counterexample per policy, place and requirement.
type Holes = BTreeMap<(String, Position, Position), Finding>;

/// One answer to every guard of a policy.
struct Valuation<'a> {
    guards: &'a [Guard],
    bits: u32,
}

impl Valuation<'_> {
    fn holds(&self, guard: &Guard) -> bool {
        let index = self.guards.iter().position(|known| known == guard);
        index.is_some_and(|index| self.bits & (1 << index) != 0)
    }

    /// Some answers exclude each other.
    fn is_possible(&self) -> bool {
        let true_ones: Vec<&Guard> = self.guards.iter().filter(|guard| self.holds(guard)).collect();
        let is = |wanted: AccountGuard| true_ones.contains(&&Guard::Account(wanted));
        let asks_existence = self.guards.contains(&Guard::Account(AccountGuard::Exists));
        let any_account = true_ones.iter().any(|guard| matches!(guard, Guard::Account(_)));
        let clients = true_ones.iter().filter(|guard| matches!(guard, Guard::ClientIs(_))).count();
        let mail_only = is(AccountGuard::EmailOnly);
        clients <= 1
            && !(asks_existence && any_account && !is(AccountGuard::Exists))
            && !(mail_only && (is(AccountGuard::Phone) || is(AccountGuard::Totp) || is(AccountGuard::Passkey)))
    }
}

fn list_guards(set: &PolicySet, policy: &Policy) -> Vec<Guard> {
    let mut guards = BTreeSet::new();
    for step in &policy.steps {
        if let StepKind::Branch(branch) = &step.kind {
            guards.extend(branch.when.iter().map(|clause| clause.guard.clone()));
        }
    }
    let claimed = find_claimed(set, policy).into_iter().flat_map(|login| &login.require);
    guards.extend(policy.require.iter().chain(claimed).filter_map(|entry| entry.condition.clone()));
    guards.into_iter().collect()
}

fn find_claimed<'a>(set: &'a PolicySet, policy: &Policy) -> Option<&'a Policy> {
    set.get(&policy.claims_acr_of.as_ref()?.0)
}

fn check_claim(set: &PolicySet, policy: &Policy, findings: &mut Vec<Finding>) {
    let Some((id, at)) = &policy.claims_acr_of else { return };
    if set.get(id).is_none_or(|login| login.acr.is_none()) {
        let message = format!("unknown target `{id}` of `claims_acr_of`: no policy with an acr has this id");
        findings.push(finding(policy, "E04", *at, message));
    }
}

/// Where an exploration stands.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct State {
    step: usize,
    facts: FactSet,
    identified: bool,
}

struct Visit {
    state: State,
    from: Option<usize>,
    /// Place of the target that led here.
    at: Position,
}

/// Explores one policy under one valuation; hands back the switches it takes.
fn explore<'a>(
    set: &'a PolicySet,
    entry: &Entry<'a>,
    valuation: &Valuation,
    today: &str,
    holes: &mut Holes,
) -> Vec<Entry<'a>> {
    let policy = entry.policy;
    let start = State { step: policy.start, facts: entry.carried, identified: !entry.carried.is_empty() };
    let mut visits = vec![Visit { state: start, from: None, at: policy.at }];
    let mut seen = BTreeSet::from([start]);
    let mut onward = Vec::new();
    let mut next = 0;
    while let Some(&Visit { state, at, .. }) = visits.get(next) {
        let Some(step) = policy.steps.get(state.step) else { break };
        let path = || trace(entry, &visits, next);
        if matches!(step.kind, StepKind::Issue) {
            check_issue(set, policy, state, valuation, today, at, &path, holes);
        }
        let mut moves = Vec::new();
        for (to, state) in list_moves(entry, step, state, valuation) {
            match to.resolve(set) {
                Resolved::Step(step) => moves.push((State { step, ..state }, to.at())),
                Resolved::Policy(target, switch) => {
                    let carried = state.facts.intersection(switch.carry);
                    onward.push(Entry { policy: target, carried, path: trace_out(entry, &visits, next) });
                }
                Resolved::Nowhere => {}
            }
        }
        for (state, at) in moves {
            if seen.insert(state) {
                visits.push(Visit { state, from: Some(next), at });
            }
        }
        next += 1;
    }
    onward
}

/// A way out of a step.
#[derive(Clone, Copy)]
enum Way<'a> {
    Target(&'a Target),
    Switch(&'a Switch),
}

enum Resolved<'a, 's> {
    Step(usize),
    Policy(&'s Policy, &'a Switch),
    Nowhere,
}

impl<'a> Way<'a> {
    const fn at(self) -> Position {
        match self {
            Self::Target(target) => target.at,
            Self::Switch(switch) => switch.at,
        }
    }

    fn resolve<'s>(self, set: &'s PolicySet) -> Resolved<'a, 's> {
        let switch = match self {
            Self::Target(Target { to: Destination::Step(step), .. }) => return Resolved::Step(*step),
            Self::Target(Target { to: Destination::Switch(switch), .. }) | Self::Switch(switch) => switch,
        };
        match (set.find_switched(switch), switch.otherwise) {
            (Some(target), _) => Resolved::Policy(target, switch),
            (None, Some(step)) => Resolved::Step(step),
            (None, None) => Resolved::Nowhere,
        }
    }
}

fn list_moves<'a>(entry: &Entry<'a>, step: &'a Step, state: State, valuation: &Valuation) -> Vec<(Way<'a>, State)> {
    let policy = entry.policy;
    match &step.kind {
        StepKind::Issue | StepKind::Stop(_) => Vec::new(),
        StepKind::Switch(switch) => vec![(Way::Switch(switch), state)],
        StepKind::Branch(branch) => {
            let answers = |guard: &Guard| valuation.holds(guard) && (state.identified || !guard.is_secret());
            let clause = branch.when.iter().find(|clause| answers(&clause.guard));
            let Some(clause) = clause else { return vec![(Way::Target(&branch.otherwise), state)] };
            // A remembered login was issued by this policy before, so it met the requirements then.
            let state = if clause.guard == Guard::SessionRemembered {
                State { facts: required_facts(policy, valuation), identified: true, ..state }
            } else {
                state
            };
            vec![(Way::Target(&clause.then), state)]
        }
        kind => {
            let proven = kind.proves().map_or(state.facts, |fact| state.facts.with(fact));
            let passed = State { facts: proven, identified: state.identified || kind.identifies(), ..state };
            let carried = matches!(kind, StepKind::Password { .. }) && entry.carried.contains(Fact::Password);
            let mut moves = Vec::new();
            for (outcome, target) in &step.routes {
                let ok = *outcome == crate::language::Outcome::Ok;
                if ok || !carried {
                    moves.push((Way::Target(target), if ok { passed } else { state }));
                }
            }
            if let StepKind::Choice(_) = kind {
                moves.extend(step.list_targets().into_iter().map(|target| (Way::Target(target), state)));
            }
            if kind.has_page() {
                moves.extend(policy.cancel.as_ref().map(|target| (Way::Target(target), state)));
            }
            moves
        }
    }
}

fn required_facts(policy: &Policy, valuation: &Valuation) -> FactSet {
    let applying = policy.require.iter().filter(|entry| applies(entry, valuation));
    applying.fold(FactSet::EMPTY, |all, entry| all.union(entry.factors))
}

fn applies(entry: &Requirement, valuation: &Valuation) -> bool {
    entry.condition.as_ref().is_none_or(|guard| valuation.holds(guard))
}

#[expect(clippy::too_many_arguments, reason = "one judgement over everything an exploration knows")]
fn check_issue(
    set: &PolicySet,
    policy: &Policy,
    state: State,
    valuation: &Valuation,
    today: &str,
    at: Position,
    path: &dyn Fn() -> Vec<String>,
    holes: &mut Holes,
) {
    let mut report = |requirement: Position, message: String, waiver_expired: bool| {
        let hole = Finding { path: path(), waiver_expired, ..finding(policy, "E40", at, message) };
        let known = holes.entry((policy.id.clone(), at, requirement)).or_insert_with(|| hole.clone());
        if (hole.path.len(), &hole.path) < (known.path.len(), &known.path) {
            *known = hole;
        }
    };
    let held = show(state.facts);
    let applying: Vec<&Requirement> = policy.require.iter().filter(|entry| applies(entry, valuation)).collect();
    if applying.is_empty() {
        report(policy.at, format!("issue reached with {held}, and `require` asks nothing of this account"), false);
    }
    for entry in &applying {
        if !state.facts.is_superset(entry.factors) {
            report(entry.at, format!("issue reached with {held}, needs {}", show(entry.factors)), false);
        } else if let Some(waiver) = entry.waive.as_ref().filter(|waiver| waiver.until.as_str() < today) {
            let is_live = |other: &&&Requirement| {
                let expired = other.waive.as_ref().is_some_and(|waiver| waiver.until.as_str() < today);
                !expired && other.factors.is_superset(entry.factors)
            };
            if !applying.iter().any(|other| is_live(&other)) {
                let message = format!("issue reached with {held}, which only the expired waiver {} allowed", waiver.id);
                report(entry.at, message, true);
            }
        }
    }
    if let Some(login) = find_claimed(set, policy) {
        let needed = required_facts(login, valuation);
        if !state.facts.is_superset(needed) {
            let message =
                format!("issue reached with {held}, needs {} to claim the acr of `{}`", show(needed), login.id);
            report(login.at, message, false);
        }
    }
}

fn show(facts: FactSet) -> String {
    let words: Vec<String> = facts.iter().map(|fact| format!("'{}'", fact.as_str())).collect();
    format!("[{}]", words.join(","))
}

/// The steps from the entry to a visit.
fn trace(entry: &Entry, visits: &[Visit], last: usize) -> Vec<String> {
    let mut names = Vec::new();
    let mut at = Some(last);
    while let Some(visit) = at.and_then(|index| visits.get(index)) {
        names.push(entry.policy.steps.get(visit.state.step).map_or_else(String::new, |step| step.name.clone()));
        at = visit.from;
    }
    names.reverse();
    let prefixed = !entry.path.is_empty();
    let own = names.into_iter().map(|name| if prefixed { format!("{}/{name}", entry.policy.id) } else { name });
    entry.path.iter().cloned().chain(own).collect()
}

/// The steps up to a switch, named with their policy.
fn trace_out(entry: &Entry, visits: &[Visit], last: usize) -> Vec<String> {
    let names = trace(entry, visits, last);
    if entry.path.is_empty() {
        names.into_iter().map(|name| format!("{}/{name}", entry.policy.id)).collect()
    } else {
        names
    }
}
