//! E30, E31: before anything of an account is proven, every account looks the same.
//!
//! Two accounts that differ in what guards ask are led through the policy side by side, with the same inputs, until
//! something is proven. E30: their pages differ. E31: the pages are the same, but one of them costs time the other does
//! not: a message is queued, a webhook or provider is called.

use std::collections::{BTreeSet, HashSet};

use super::finding;
use super::way::{Resolved, Way, find_otp};
use crate::language::{
    Branch, Channel, Destination, EffectWord, Guard, Outcome, Policy, SendTo, Step, StepKind, Target, UnknownRule,
};
use crate::{Finding, PolicySet};

/// The most public questions that are answered both ways; further ones are answered no.
const MAX_PUBLIC: usize = 6;

pub(super) fn check(set: &PolicySet, policy: &Policy, findings: &mut Vec<Finding>) {
    let open = list_unproven(set, policy);
    for (index, path) in &open {
        let Some(step) = policy.steps.get(*index) else { continue };
        let Some(otp) = find_otp(&step.kind) else { continue };
        let says = matches!(step.kind, StepKind::Otp(_)) && otp.unknown == UnknownRule::Say;
        if says && matches!(otp.to, SendTo::InputEmail | SendTo::InputPhone) {
            let message =
                format!("`{}` tells whether an account has the typed address: `unknown = \"say\"`", step.name);
            findings.push(Finding { path: path.clone(), ..finding(policy, "E30", step.at, message) });
        }
        if matches!(otp.to, SendTo::AccountMailbox | SendTo::AccountPhone) {
            let message = format!("`{}` shows where the account is reached before anything of it is proven", step.name);
            findings.push(Finding { path: path.clone(), ..finding(policy, "E30", step.at, message) });
        }
    }
    let asked: BTreeSet<&Guard> = open
        .iter()
        .filter_map(|(index, _)| match &policy.steps.get(*index)?.kind {
            StepKind::Branch(branch) => Some(branch),
            _ => None,
        })
        .flat_map(|branch| branch.when.iter().map(|clause| &clause.guard))
        .collect();
    let (secrets, publics): (Vec<&Guard>, Vec<&Guard>) = asked.into_iter().partition(|guard| guard.is_secret());
    // What takes over a login proves something: that way is another's.
    let publics = publics.into_iter().filter(|guard| !matches!(guard, Guard::SessionRemembered | Guard::SessionFresh));
    let publics: Vec<&Guard> = publics.take(MAX_PUBLIC).collect();
    if secrets.is_empty() || secrets.len() > 6 {
        return;
    }
    let mut reported = HashSet::new();
    for one in 0..1_u32 << secrets.len() {
        for other in 0..one {
            let pair = Pair { set, policy, secrets: &secrets, publics: &publics, bits: (one, other) };
            pair.compare(&mut reported, findings);
        }
    }
}

/// The steps that are reached before anything is proven, each with its shortest path.
fn list_unproven(set: &PolicySet, policy: &Policy) -> Vec<(usize, Vec<String>)> {
    let mut found: Vec<(usize, Vec<String>)> = Vec::new();
    let mut seen = BTreeSet::from([policy.start]);
    let mut waiting = std::collections::VecDeque::from([(policy.start, Vec::new())]);
    while let Some((index, mut path)) = waiting.pop_front() {
        let Some(step) = policy.steps.get(index) else { continue };
        path.push(step.name.clone());
        for target in step.list_targets() {
            if is_proof(step, target) {
                continue;
            }
            if let Resolved::Step(next) = Way::Target(target).resolve(set)
                && seen.insert(next)
            {
                waiting.push_back((next, path.clone()));
            }
        }
        found.push((index, path));
    }
    found
}

/// Whether this way out means that something was proven, or that whoever goes on was given a link to the account.
fn is_proof(step: &Step, target: &Target) -> bool {
    let passed = step.find_route(Outcome::Ok).is_some_and(|ok| std::ptr::eq(ok, target));
    let adopts = |branch: &Branch| {
        let clause = branch.when.iter().find(|clause| std::ptr::eq(&raw const clause.then, target));
        clause.is_some_and(|clause| matches!(clause.guard, Guard::SessionRemembered | Guard::SessionFresh))
    };
    match &step.kind {
        StepKind::Branch(branch) => adopts(branch),
        kind => passed && (kind.proves().is_some() || matches!(kind, StepKind::Link { .. })),
    }
}

/// Two accounts.
struct Pair<'a> {
    set: &'a PolicySet,
    policy: &'a Policy,
    secrets: &'a [&'a Guard],
    /// What is the same for both.
    publics: &'a [&'a Guard],
    bits: (u32, u32),
}

/// What the guards are answered.
#[derive(Clone, Copy)]
struct Said {
    secrets: u32,
    publics: u32,
}

/// Where an account is led without anybody doing anything.
struct Run<'a> {
    /// Messages queued and calls made on the way.
    costs: Vec<&'static str>,
    /// The first secret that decided something.
    asked: Option<(&'a Guard, &'a Step)>,
    end: End<'a>,
    path: Vec<String>,
}

#[derive(Clone, Copy)]
enum End<'a> {
    Step(usize),
    Away(&'a str),
}

impl<'a> Pair<'a> {
    fn compare(&self, reported: &mut HashSet<(&'static str, String)>, findings: &mut Vec<Finding>) {
        let mut seen = BTreeSet::new();
        let mut waiting = vec![(self.policy.start, self.policy.start, Vec::<String>::new())];
        while let Some((one, other, path)) = waiting.pop() {
            if !seen.insert((one, other)) {
                continue;
            }
            for publics in 0..1_u32 << self.publics.len() {
                waiting.extend(self.look_at(one, other, publics, &path, reported, findings));
            }
        }
    }

    /// Follows both with the same answers to what is public, and reports how they differ; else where the same input
    /// leads. Asked anew at every step: another address may be typed on the way.
    fn look_at(
        &self,
        one: usize,
        other: usize,
        publics: u32,
        path: &[String],
        reported: &mut HashSet<(&'static str, String)>,
        findings: &mut Vec<Finding>,
    ) -> Vec<(usize, usize, Vec<String>)> {
        let left = self.run(one, Said { secrets: self.bits.0, publics });
        let right = self.run(other, Said { secrets: self.bits.1, publics });
        let trail: Vec<String> = path.iter().chain(&left.path).cloned().collect();
        let same = look(self.policy, left.end) == look(self.policy, right.end);
        let code = if !same {
            "E30"
        } else if left.costs != right.costs {
            "E31"
        } else {
            let next = self.list_next(left.end, right.end).into_iter();
            return next.map(|(a, b)| (a, b, trail.clone())).collect();
        };
        if let Some((guard, step)) = left.asked.or(right.asked)
            && reported.insert((code, step.name.clone()))
        {
            let message = tell(code, guard, &left, &right);
            findings.push(Finding { path: trail, ..finding(self.policy, code, step.at, message) });
        }
        Vec::new()
    }

    /// Follows automatic steps.
    fn run(&self, from: usize, said: Said) -> Run<'a> {
        let mut run = Run { costs: Vec::new(), asked: None, end: End::Step(from), path: Vec::new() };
        let mut at = from;
        for _ in 0..crate::language::MAX_STEPS {
            let Some(step) = self.policy.steps.get(at) else { break };
            run.path.push(step.name.clone());
            let way = match &step.kind {
                StepKind::Branch(branch) => Some(self.decide(branch, step, said, &mut run)),
                StepKind::Effect { effects } => {
                    run.costs.extend(effects.iter().filter_map(cost_of));
                    step.find_route(Outcome::Ok).map(Way::Target)
                }
                StepKind::Switch(switch) => Some(Way::Switch(switch)),
                _ => None,
            };
            let Some(way) = way else { break };
            match way.resolve(self.set) {
                Resolved::Step(next) => at = next,
                Resolved::Policy(_, switch) => {
                    run.end = End::Away(&switch.policy);
                    return run;
                }
                Resolved::Nowhere => break,
            }
            run.end = End::Step(at);
        }
        run
    }

    fn decide(&self, branch: &'a Branch, step: &'a Step, said: Said, run: &mut Run<'a>) -> Way<'a> {
        for clause in &branch.when {
            if let Some(index) = self.publics.iter().position(|guard| **guard == clause.guard) {
                if said.publics & (1 << index) != 0 {
                    return Way::Target(&clause.then);
                }
                continue;
            }
            let Some(index) = self.secrets.iter().position(|guard| **guard == clause.guard) else { continue };
            run.asked = run.asked.or(Some((&clause.guard, step)));
            if said.secrets & (1 << index) != 0 {
                return Way::Target(&clause.then);
            }
        }
        Way::Target(&branch.otherwise)
    }

    /// What the same input leads to, while it proves nothing.
    fn list_next(&self, one: End, other: End) -> Vec<(usize, usize)> {
        let (End::Step(one), End::Step(other)) = (one, other) else { return Vec::new() };
        let (Some(left), Some(right)) = (self.policy.steps.get(one), self.policy.steps.get(other)) else {
            return Vec::new();
        };
        let pairs = list_ways(left).into_iter().zip(list_ways(right));
        let steps = pairs.filter_map(|(one, other)| match (one.resolve(self.set), other.resolve(self.set)) {
            (Resolved::Step(one), Resolved::Step(other)) => Some((one, other)),
            _ => None,
        });
        steps.collect()
    }
}

fn list_ways(step: &Step) -> Vec<Way<'_>> {
    step.list_targets().into_iter().filter(|target| !is_proof(step, target)).map(Way::Target).collect()
}

/// What an effect costs that somebody with a watch could tell.
const fn cost_of(effect: &EffectWord) -> Option<&'static str> {
    match effect {
        EffectWord::Send(_) | EffectWord::SendLink { .. } => Some("queues a message"),
        EffectWord::Webhook(_) => Some("calls a webhook"),
        _ => None,
    }
}

fn tell(code: &str, guard: &Guard, left: &Run, right: &Run) -> String {
    let name = |run: &Run| run.path.last().cloned().unwrap_or_default();
    let cost = |run: &Run| run.costs.first().copied().unwrap_or("does nothing");
    if code == "E30" {
        let (one, other) = (name(left), name(right));
        format!("`{guard}` shows before anything of the account is proven: `{one}` or `{other}`")
    } else {
        let (one, other) = (cost(left), cost(right));
        format!(
            "`{guard}` can be told by a watch before anything of the account is proven: one way {one}, the other {other}"
        )
    }
}

/// What a person sees at an end: everything but which step it is.
fn look(policy: &Policy, end: End) -> String {
    let index = match end {
        End::Away(policy) => return format!("@{policy}"),
        End::Step(index) => index,
    };
    let Some(step) = policy.steps.get(index) else { return String::new() };
    let targets = |step: &Step| step.routes.iter().map(|(outcome, _)| outcome.as_str()).collect::<Vec<_>>().join(",");
    let mut seen = format!("{} {} {}", step.kind.as_str(), step.page, targets(step));
    match &step.kind {
        StepKind::Stop(stop) => seen.push_str(stop.error),
        StepKind::Form { fields } => fields.iter().for_each(|field| seen.push_str(field.name.as_str())),
        StepKind::Choice(choice) => {
            choice.options.iter().chain(&choice.links).for_each(|option| seen.push_str(&option.id));
        }
        StepKind::Password { login } => seen.push_str(login.as_str()),
        kind => {
            if let Some(otp) = find_otp(kind) {
                otp.channels.iter().copied().map(Channel::as_str).for_each(|channel| seen.push_str(channel));
                seen.push_str(&otp.code.digits.to_string());
            }
        }
    }
    let ways = step.list_targets().into_iter().filter_map(|target| match &target.to {
        Destination::Switch(switch) => Some(switch.policy.as_str()),
        Destination::Step(_) => None,
    });
    ways.for_each(|id| seen.push_str(id));
    seen
}
