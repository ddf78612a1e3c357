//! E40: every way to `issue`, for every answer to the questions a policy asks, through switches with what they carry;
//! what every way takes and gives, for the recovery closure; and the shortest way to every step.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use countersign_model::{Fact, FactSet};

use super::closure::{Pass, Rule, Rules};
use super::finding;
use super::held::Held;
use super::unmet::{find_claimable, find_unmet_claim, find_unseen_terms, list_applying, list_unmet};
use super::way::{Move, Resolved, State, View};
use super::world::{MAX_GUARDS, Questions, Traits};
use crate::language::{AccountGuard, EffectWord, Policy, Purpose, Requirement, Step, StepKind};
use crate::{Finding, PolicySet, Position};

/// What an exploration of the whole set hands back.
pub(super) struct Explored<'a> {
    /// What the ways take and give.
    pub(super) rules: Rules,
    /// The shortest way to every step.
    pub(super) ways: Ways<'a>,
}

/// The shortest way to every step that somebody comes to.
#[derive(Default)]
pub(super) struct Ways<'a>(HashMap<&'a str, HashMap<usize, Vec<String>>>);

impl<'a> Ways<'a> {
    /// The steps from an entry to this one; none where nobody comes to it.
    pub(super) fn find(&self, policy: &str, step: usize) -> &[String] {
        self.0.get(policy).and_then(|steps| steps.get(&step)).map_or(&[], Vec::as_slice)
    }

    /// Gives the findings from `first` on, which stand at a step, the way to it.
    pub(super) fn lead(&self, policy: &Policy, step: usize, first: usize, findings: &mut [Finding]) {
        for finding in findings.iter_mut().skip(first).filter(|finding| finding.path.is_empty()) {
            finding.path = self.find(&policy.id, step).to_vec();
        }
    }

    fn note(&mut self, place: &Place<'_, 'a>, visit: &Visit) {
        let length = place.begin.path.len() + visit.depth;
        let steps = self.0.entry(&place.begin.policy.id).or_default();
        if steps.get(&visit.state.step).is_none_or(|known| length < known.len()) {
            steps.insert(visit.state.step, trace(place.begin, place.visits, place.last));
        }
    }
}

/// Explores the whole set; reports E40, W08 and W42.
pub(super) fn check<'a>(set: &'a PolicySet, today: &'a str, findings: &mut Vec<Finding>) -> Explored<'a> {
    let mut work = Work {
        set,
        today,
        holes: Holes::new(),
        slack: Slack::default(),
        cover: Cover::default(),
        rules: Rules::default(),
        ways: Ways::default(),
        waiting: VecDeque::new(),
        seen: HashSet::new(),
    };
    for policy in set.iter() {
        check_claims(set, policy, findings);
        work.add(Begin {
            policy,
            state: State::start(policy.start, Traits::NONE),
            known: Traits::NONE,
            first: Traits::NONE,
            path: Vec::new(),
        });
    }
    while let Some(begin) = work.waiting.pop_front() {
        let questions = Questions::of(set, begin.policy);
        if questions.count() > MAX_GUARDS {
            let message = format!("more than {MAX_GUARDS} guards: too many to prove");
            findings.push(finding(begin.policy, "E00", begin.policy.at, message));
            continue;
        }
        for answers in questions.list_answers(begin.known, begin.state.account.both(begin.known)) {
            let view = View { set, policy: begin.policy, questions: &questions, answers };
            work.explore(&begin, &view);
        }
    }
    findings.extend(work.holes.into_values());
    work.slack.report(findings);
    work.cover.report(set, &work.ways, findings);
    Explored { rules: work.rules, ways: work.ways }
}

fn check_claims(set: &PolicySet, policy: &Policy, findings: &mut Vec<Finding>) {
    for (id, at) in &policy.claims_acr_of {
        if set.get(id).is_none_or(|login| login.acr.is_none()) {
            let message = format!("unknown target `{id}` of `claims_acr_of`: no policy with an acr has this id");
            findings.push(finding(policy, "E04", *at, message));
        }
    }
}

/// A way into a policy that is to be explored.
struct Begin<'a> {
    policy: &'a Policy,
    state: State,
    /// What is known of the account in hand: it went along.
    known: Traits,
    /// What held of it where the way began.
    first: Traits,
    path: Vec<String>,
}

/// The shortest counterexample per policy, place and requirement.
type Holes = BTreeMap<(String, Position, Position), Finding>;

struct Visit {
    state: State,
    from: Option<usize>,
    /// How many steps lead here, this one included.
    depth: usize,
    /// Place of the target that led here.
    at: Position,
}

struct Work<'a> {
    set: &'a PolicySet,
    today: &'a str,
    holes: Holes,
    slack: Slack<'a>,
    cover: Cover<'a>,
    rules: Rules,
    ways: Ways<'a>,
    waiting: VecDeque<Begin<'a>>,
    seen: HashSet<(&'a str, State, Traits, Traits)>,
}

/// The accounts a requirement can speak of: all of a policy, or those with a factor.
type Group<'a> = (&'a str, Option<AccountGuard>);

/// W42: what every path of a group proves, and what `require` asks of some account of it all the same.
#[derive(Default)]
struct Slack<'a> {
    groups: BTreeMap<Group<'a>, Proven<'a>>,
}

struct Proven<'a> {
    policy: &'a Policy,
    /// By every path.
    always: FactSet,
    /// Of every account.
    required: FactSet,
}

impl<'a> Slack<'a> {
    fn note(&mut self, place: &Place<'_, 'a>, state: &State) {
        if state.takes.has(Held::BROWSER) || state.takes.has(Held::SESSION) || !place.begin.path.is_empty() {
            return;
        }
        let policy = place.begin.policy;
        let required = place.view.required(policy, state);
        let factors = [AccountGuard::Phone, AccountGuard::Totp, AccountGuard::Passkey];
        let held = factors.into_iter().filter(|guard| state.account.has(*guard)).map(Some);
        for group in held.chain([None]) {
            let first = Proven { policy, always: state.facts, required };
            let known = self.groups.entry((&policy.id, group)).or_insert(first);
            known.always = known.always.intersection(state.facts);
            known.required = known.required.intersection(required);
        }
    }

    fn report(self, findings: &mut Vec<Finding>) {
        let mut told = HashSet::new();
        for ((id, _), Proven { policy, always, required }) in self.groups {
            let beyond: FactSet = always.iter().filter(|fact| !required.contains(*fact)).collect();
            if !beyond.is_empty() && told.insert((id, beyond)) {
                let at = policy.require.first().map_or(policy.at, |entry| entry.at);
                let message = format!("`require` asks less than every path proves: {} too", show(beyond));
                findings.push(finding(policy, "W42", at, message));
            }
        }
    }
}

/// W08 by exploration: steps to which no account comes, steps that nobody who comes there can pass, and ends that those
/// for whom the policy is meant never reach.
#[derive(Default)]
struct Cover<'a> {
    reached: HashSet<(&'a str, usize)>,
    passed: HashSet<(&'a str, usize)>,
    issued: HashSet<&'a str>,
}

impl<'a> Cover<'a> {
    fn note(&mut self, policy: &'a Policy, view: &View, step: &Step, state: &State, first: Traits) {
        let place = (policy.id.as_str(), state.step);
        self.reached.insert(place);
        if View::is_reachable(&step.kind, state) {
            self.passed.insert(place);
        }
        let finished = matches!(policy.purpose, Purpose::Login | Purpose::Recover | Purpose::Enrol);
        let asked = view.questions.account.has(AccountGuard::RegistrationIncomplete);
        let meant = !asked || first.has(AccountGuard::RegistrationIncomplete) != finished;
        if matches!(step.kind, StepKind::Issue) && meant && !state.takes.has(Held::BROWSER) {
            self.issued.insert(&policy.id);
        }
    }

    fn report(&self, set: &PolicySet, ways: &Ways, findings: &mut Vec<Finding>) {
        for policy in set.iter() {
            let spare = super::structure::list_spare(set, policy);
            for (index, step) in policy.steps.iter().enumerate() {
                let place = (policy.id.as_str(), index);
                if spare.contains(&index) {
                    continue;
                }
                if !self.reached.contains(&place) {
                    let message = format!("the step `{}` can not be reached", step.name);
                    findings.push(finding(policy, "W08", step.at, message));
                } else if !self.passed.contains(&place) {
                    let message =
                        format!("nobody passes `{}`: no account that comes there has what it asks for", step.name);
                    let path = ways.find(&policy.id, index).to_vec();
                    findings.push(Finding { path, ..finding(policy, "W08", step.at, message) });
                }
            }
            if policy.can_issue() && !self.issued.contains(policy.id.as_str()) {
                let message = "`issue` can not be reached by those for whom the policy is".to_owned();
                findings.push(finding(policy, "W08", policy.at, message));
            }
        }
    }
}

/// Where an exploration of one policy stands.
struct Place<'v, 'a> {
    begin: &'v Begin<'a>,
    view: &'v View<'v>,
    visits: &'v [Visit],
    last: usize,
}

impl<'a> Work<'a> {
    fn add(&mut self, begin: Begin<'a>) {
        if self.seen.insert((&begin.policy.id, begin.state, begin.known, begin.first)) {
            self.waiting.push_back(begin);
        }
    }

    /// Explores one policy under one answer.
    fn explore(&mut self, begin: &Begin<'a>, view: &View<'_>) {
        let start = State { account: view.answers.account, ..begin.state };
        let first = view.answers.account.but(begin.known).either(begin.first.both(begin.known));
        let mut visits = vec![Visit { state: start, from: None, depth: 1, at: begin.policy.at }];
        let mut seen = HashSet::from([start]);
        let mut next = 0;
        while let Some(visit @ &Visit { state, at, depth, .. }) = visits.get(next) {
            let Some(step) = begin.policy.steps.get(state.step) else { break };
            self.ways.note(&Place { begin, view, visits: &visits, last: next }, visit);
            if matches!(step.kind, StepKind::Issue) {
                let place = Place { begin, view, visits: &visits, last: next };
                self.check_issue(&place, state, at);
                self.note(&place, first, state, true);
            }
            self.cover.note(begin.policy, view, step, &state, first);
            self.check_effects(&Place { begin, view, visits: &visits, last: next }, step, state);
            let place = Place { begin, view, visits: &visits, last: next };
            let moves: Vec<(State, Position)> = view
                .list_moves(step, state)
                .iter()
                .filter_map(|onward| self.follow(&place, first, &state, onward))
                .collect();
            for (state, at) in moves {
                if seen.insert(state) {
                    visits.push(Visit { state, from: Some(next), depth: depth + 1, at });
                }
            }
            next += 1;
        }
    }

    /// Where a way out of the step in `state` leads; none where another policy, or another account, begins anew.
    fn follow(
        &mut self,
        place: &Place<'_, 'a>,
        first: Traits,
        state: &State,
        onward: &Move,
    ) -> Option<(State, Position)> {
        let passed = onward.state;
        if passed.gives != state.gives || passed.account != state.account && !onward.is_other {
            self.note(place, first, passed, false);
        }
        let begin = place.begin;
        let path = || trace_out(begin, place.visits, place.last);
        match onward.way.resolve(self.set) {
            Resolved::Step(step) if onward.is_other => {
                let state = State { step, ..passed };
                let (policy, path) = (begin.policy, path());
                self.add(Begin { policy, state, known: Traits::NONE, first: Traits::NONE, path });
                None
            }
            Resolved::Step(step) => Some((State { step, ..passed }, onward.way.at())),
            Resolved::Policy(target, switch) => {
                self.add(enter(target, &passed, switch.carry, place.view, begin, first, onward.is_other, path()));
                None
            }
            Resolved::Nowhere => None,
        }
    }

    fn check_issue(&mut self, place: &Place<'_, 'a>, state: State, at: Position) {
        self.slack.note(place, &state);
        let mut unmet = list_unmet(place.view, &state, "issue", self.today);
        unmet.extend(find_unseen_terms(place.begin.policy, &state));
        unmet.extend(find_unmet_claim(place.view, &state));
        for lack in unmet {
            self.report(place, at, lack.requirement, lack.message, lack.waiver_expired);
        }
    }

    /// Nobody's account is changed before something of it is proven, and none is closed before what `require` asks is.
    fn check_effects(&mut self, place: &Place<'_, 'a>, step: &Step, state: State) {
        if state.own {
            return;
        }
        if let Some(change) = find_change(step).filter(|_| !place.view.may_change(step, &state)) {
            let message = format!("`{change}` reached with [], needs something proven of the account it changes");
            self.report(place, step.at, step.at, message, false);
        }
        let StepKind::Effect { effects } = &step.kind else { return };
        if effects.contains(&EffectWord::CloseAccount) {
            self.slack.note(place, &state);
            for lack in list_unmet(place.view, &state, "`close_account`", self.today) {
                self.report(place, step.at, lack.requirement, lack.message, lack.waiver_expired);
            }
        }
    }

    fn report(&mut self, place: &Place, at: Position, requirement: Position, message: String, waiver_expired: bool) {
        let policy = place.begin.policy;
        let path = trace(place.begin, place.visits, place.last);
        let hole = Finding { path, waiver_expired, ..finding(policy, "E40", at, message) };
        let known = self.holes.entry((policy.id.clone(), at, requirement)).or_insert_with(|| hole.clone());
        if (hole.path.len(), &hole.path) < (known.path.len(), &known.path) {
            *known = hole;
        }
    }

    /// Notes what this way takes of somebody's and what it gives.
    fn note(&mut self, place: &Place, first: Traits, state: State, issues: bool) {
        let known = place.begin.known.either(place.view.questions.account);
        let not_finished =
            [AccountGuard::RegistrationIncomplete, AccountGuard::Legacy].into_iter().any(|no| first.has(no));
        let missing = known.has(AccountGuard::Exists) && !first.has(AccountGuard::Exists);
        if state.own || not_finished || missing || state.takes.has(Held::BROWSER) {
            return;
        }
        let pass = if issues { find_passed(place, &state) } else { None };
        let gives = if issues { state.gives.and(Held::SESSION) } else { state.gives };
        let rule = Rule {
            known: known.both(Rule::FACTORS),
            before: first.both(known).both(Rule::FACTORS),
            after: state.account.both(known.either(state.account)).both(Rule::FACTORS),
            takes: state.takes,
            gives,
            pass,
            waived: is_waived(place.view, &state),
        };
        self.rules.note(rule, || {
            let (begin, visits) = (place.begin, place.visits);
            trace_out(begin, visits, place.last)
        });
    }
}

/// The word for what `step` changes of an account, if it does.
fn find_change(step: &Step) -> Option<String> {
    match &step.kind {
        StepKind::Effect { effects } => effects.iter().find(|effect| effect.changes_account()).map(ToString::to_string),
        StepKind::SetPassword { .. }
        | StepKind::BindPhone(_)
        | StepKind::BindEmail(_)
        | StepKind::BindTotp
        | StepKind::BindPasskey => Some(step.kind.as_str().to_owned()),
        _ => None,
    }
}

/// The policy whose promise is kept, or claimed to be, at an `issue`.
fn find_passed(place: &Place, state: &State) -> Option<Pass> {
    let policy = place.begin.policy;
    let login = if policy.acr.is_some() && policy.purpose == Purpose::Login {
        Some(policy)
    } else {
        find_claimable(place.view, state)
    };
    let index = place.view.set.iter().position(|known| Some(&known.id) == login.map(|login| &login.id))?;
    Some(Pass(index))
}

/// The waiver under which the policy accepts what is proven so far: its end. Nothing else that applies may ask for more.
fn is_waived(view: &View, state: &State) -> Option<String> {
    let applying = list_applying(view, state);
    let waived =
        applying.iter().copied().find(|entry| entry.waive.is_some() && state.facts.is_superset(entry.factors))?;
    let firm: Vec<&Requirement> = applying.into_iter().filter(|entry| entry.waive.is_none()).collect();
    let asked = firm.iter().fold(FactSet::EMPTY, |all, entry| all.union(entry.factors));
    // What asks for as much without a waiver needs none; what asks for more is not excused by it.
    let needs_it = !asked.is_superset(waived.factors) && state.facts.is_superset(asked);
    needs_it.then(|| waived.waive.as_ref().map(|waiver| waiver.until.clone())).flatten()
}

/// The state in which a switch's policy begins.
#[expect(clippy::too_many_arguments, reason = "a switch joins everything both sides know")]
fn enter<'a>(
    target: &'a Policy,
    state: &State,
    carry: FactSet,
    view: &View,
    begin: &Begin,
    first: Traits,
    is_other: bool,
    path: Vec<String>,
) -> Begin<'a> {
    let facts = state.facts.intersection(carry);
    let fresh = State::start(target.start, Traits::NONE);
    // What was set or bound stays so, and the link that was mailed; without an account in hand nothing is known of it.
    if facts.is_empty() {
        let state = State { own: false, ..fresh };
        return Begin { policy: target, state, known: Traits::NONE, first: Traits::NONE, path };
    }
    let known = if is_other { Traits::NONE } else { begin.known.either(view.questions.account) };
    let state = State { facts, carried: facts, in_hand: true, step: target.start, account: state.account, ..*state };
    Begin {
        policy: target,
        state: State { account: state.account.both(known), ..state },
        known,
        first: first.both(known),
        path,
    }
}

pub(super) fn show(facts: FactSet) -> String {
    let words: Vec<String> = facts.iter().map(Fact::as_str).map(|word| format!("'{word}'")).collect();
    format!("[{}]", words.join(","))
}

/// The steps from the entry to a visit.
fn trace(begin: &Begin, visits: &[Visit], last: usize) -> Vec<String> {
    let prefixed = !begin.path.is_empty();
    let name = |step: &Step| if prefixed { format!("{}/{}", begin.policy.id, step.name) } else { step.name.clone() };
    begin.path.iter().cloned().chain(list_steps(begin, visits, last).into_iter().map(name)).collect()
}

/// The steps up to a visit, named with their policy.
fn trace_out(begin: &Begin, visits: &[Visit], last: usize) -> Vec<String> {
    let name = |step: &Step| format!("{}/{}", begin.policy.id, step.name);
    begin.path.iter().cloned().chain(list_steps(begin, visits, last).into_iter().map(name)).collect()
}

fn list_steps<'a>(begin: &Begin<'a>, visits: &[Visit], last: usize) -> Vec<&'a Step> {
    let mut steps = Vec::new();
    let mut at = Some(last);
    while let Some(visit) = at.and_then(|index| visits.get(index)) {
        steps.extend(begin.policy.steps.get(visit.state.step));
        at = visit.from;
    }
    steps.reverse();
    steps
}
