//! The shape of the machine: targets that exist, ends that can be reached, no loop that nobody stops.

use std::collections::BTreeSet;

use super::explore::Ways;
use super::finding;
use crate::language::{CookieLife, Destination, EffectWord, Entry, Outcome, Policy, Step, StepKind, Switch, Target};
use crate::{Finding, PolicySet, Position, machine};

pub(super) fn check(set: &PolicySet, policy: &Policy, ways: &Ways, findings: &mut Vec<Finding>) {
    for (index, step) in policy.steps.iter().enumerate() {
        let first = findings.len();
        if !machine::is_runnable(&step.kind) {
            let kind = step.kind.as_str();
            let message = format!(
                "kind `{kind}` is declared in the language but this version can not run it{}",
                detail(&step.kind)
            );
            findings.push(finding(policy, "E09", step.at, message));
        }
        for switch in list_switches(step) {
            check_switch(set, policy, switch, findings);
        }
        check_spent(set, policy, index, step, findings);
        check_upstream(set, policy, step, findings);
        check_sent_links(set, policy, step, findings);
        ways.lead(policy, index, first, findings);
    }
    if let Some(remember) = policy.remember.filter(|remember| remember.cookie == CookieLife::Persistent) {
        let message = "`cookie = \"persistent\"` is declared in the language but this version can not run it: \
                       a remembered login ends with the browser";
        findings.push(finding(policy, "E09", remember.at, message.to_owned()));
    }
    if let Some(Target { to: Destination::Switch(switch), .. }) = &policy.cancel {
        check_switch(set, policy, switch, findings);
    }
    let reached = list_reached(set, policy);
    check_ends(set, policy, &reached, ways, findings);
    let pages = policy.steps.iter().any(|step| step.kind.has_page() && !matches!(step.kind, StepKind::Stop(_)));
    if pages && policy.cancel.is_none() {
        findings.push(finding(policy, "W70", policy.at, "no `cancel`: its pages have no way back".to_owned()));
    }
    check_links(policy, findings);
}

/// The outcomes that are no passing.
const NOT_PASSED: [Outcome; 6] =
    [Outcome::Spent, Outcome::Undeliverable, Outcome::Forgot, Outcome::Change, Outcome::Declined, Outcome::Upstream];

/// E04: whose address belongs to an upstream provider is led to one.
fn check_upstream(set: &PolicySet, policy: &Policy, step: &Step, findings: &mut Vec<Finding>) {
    let route = step.find_route(Outcome::Upstream).filter(|target| machine::is_open(set, target));
    if let Some(target) = route.filter(|target| machine::list_providers(set, policy, target).is_empty()) {
        let message = format!("`upstream` of `{}` leads to no `federate` step", step.name);
        findings.push(finding(policy, "E04", target.at, message));
    }
}

/// W70: who used up a step's limit must be told what to do next, and must not be sent back into it.
fn check_spent(set: &PolicySet, policy: &Policy, index: usize, step: &Step, findings: &mut Vec<Finding>) {
    for outcome in NOT_PASSED {
        let Some(Target { to: Destination::Step(to), at }) = step.find_route(outcome) else { continue };
        let Some(next) = policy.steps.get(*to) else { continue };
        let word = outcome.as_str();
        let failed = !matches!(outcome, Outcome::Forgot | Outcome::Upstream);
        if failed && leads_to_issue(policy, *to, &mut BTreeSet::new()) {
            let message = format!("`{word}` of `{}` leads to `issue`: who failed is signed in", step.name);
            let path = trace(set, policy, index, &next.name);
            findings.push(Finding { path, ..finding(policy, "E40", *at, message) });
        }
        if *to == index && outcome != Outcome::Change {
            let message = format!("`{word}` of `{}` leads back to it: no way on", step.name);
            findings.push(finding(policy, "W70", *at, message));
        } else if matches!(&next.kind, StepKind::Stop(stop) if !stop.shows_page) {
            let message = format!("`{word}` of `{}` ends without a word: no page says what to do next", step.name);
            findings.push(finding(policy, "W70", *at, message));
        }
    }
}

/// The shortest way from the start over a step to the one named last.
fn trace(set: &PolicySet, policy: &Policy, over: usize, last: &str) -> Vec<String> {
    let mut from: Vec<(usize, Option<usize>)> = vec![(policy.start, None)];
    let mut next = 0;
    while let Some((index, _)) = from.get(next).copied() {
        if index == over {
            break;
        }
        for to in policy.steps.get(index).map(|step| list_next(set, step)).unwrap_or_default() {
            if !from.iter().any(|(known, _)| *known == to) {
                from.push((to, Some(next)));
            }
        }
        next += 1;
    }
    let mut path = vec![last.to_owned()];
    let mut at = from.get(next);
    while let Some((index, before)) = at {
        path.extend(policy.steps.get(*index).map(|step| step.name.clone()));
        at = before.and_then(|before| from.get(before));
    }
    path.reverse();
    path
}

/// Whether `issue` is reached from a step without anybody doing anything.
fn leads_to_issue(policy: &Policy, index: usize, seen: &mut BTreeSet<usize>) -> bool {
    let Some(step) = policy.steps.get(index).filter(|_| seen.insert(index)) else { return false };
    let mut on = |target: &Target| match target.to {
        Destination::Step(next) => leads_to_issue(policy, next, seen),
        Destination::Switch(_) => false,
    };
    match &step.kind {
        StepKind::Issue => true,
        kind if kind.is_automatic() => step.list_targets().into_iter().any(&mut on),
        _ => false,
    }
}

/// A mailed link begins a policy that is there and lets itself be begun so.
fn check_sent_links(set: &PolicySet, policy: &Policy, step: &Step, findings: &mut Vec<Finding>) {
    let StepKind::Effect { effects } = &step.kind else { return };
    for effect in effects {
        let EffectWord::SendLink { policy: to, at, .. } = effect else { continue };
        let target = set.get(to).filter(|target| target.allows_entry(Entry::Link));
        let message = match target {
            None => format!("unknown target `{to}` of a link: no policy whose `entry` names `link`"),
            Some(target) if begins_with_shown_link(target) => {
                format!("`{to}` begins with a link that is shown: none is mailed for it")
            }
            Some(_) => continue,
        };
        findings.push(finding(policy, "E04", *at, message));
    }
}

/// What waits for a link says so. What an administrator sends is a link, too.
fn check_links(policy: &Policy, findings: &mut Vec<Finding>) {
    let first = policy.steps.get(policy.start);
    let waits = first.is_some_and(|step| matches!(step.kind, StepKind::Link { .. }));
    if policy.allows_entry(Entry::Link) != waits {
        let message = "`entry` names `link` when, and only when, the first step is a `link`".to_owned();
        findings.push(finding(policy, "E04", policy.at, message));
    }
    if policy.allows_entry(Entry::Admin) && !policy.allows_entry(Entry::Link) {
        let message = "`entry` names `admin` without `link`: a link is what an administrator sends".to_owned();
        findings.push(finding(policy, "E04", policy.at, message));
    }
    if policy.allows_entry(Entry::Admin) && begins_with_shown_link(policy) {
        let message = "`entry` names `admin`, whose links are mailed, and the first step is a link that is shown";
        findings.push(finding(policy, "E04", policy.at, message.to_owned()));
    }
}

fn begins_with_shown_link(policy: &Policy) -> bool {
    policy.steps.get(policy.start).is_some_and(|step| matches!(step.kind, StepKind::Link { shown: true, .. }))
}

/// Why a kind that runs in general does not run as declared.
fn detail(kind: &StepKind) -> &'static str {
    match kind {
        StepKind::Password { .. } => " with login = \"legacy\"",
        StepKind::Otp(_) => " otherwise than by email to account.mailbox",
        _ => "",
    }
}

fn list_switches(step: &Step) -> Vec<&Switch> {
    let mut switches: Vec<&Switch> = step
        .list_targets()
        .into_iter()
        .filter_map(|target| match &target.to {
            Destination::Switch(switch) => Some(switch),
            Destination::Step(_) => None,
        })
        .collect();
    if let StepKind::Switch(switch) = &step.kind {
        switches.push(switch);
    }
    switches
}

fn check_switch(set: &PolicySet, policy: &Policy, switch: &Switch, findings: &mut Vec<Finding>) {
    let id = &switch.policy;
    let (code, message) = match set.get(id) {
        Some(target) if target.allows_entry(Entry::Switch) => return,
        Some(_) => ("E04", format!("unknown target `@{id}`: its `entry` does not name `switch`")),
        None if switch.optional => {
            ("N05", format!("the optional policy `{id}` is not in the set: its control is hidden"))
        }
        None => ("E04", format!("unknown target `@{id}`: no such policy in the set")),
    };
    findings.push(finding(policy, code, switch.at, message));
}

/// Where a target leads in the same policy: none when it leaves the policy.
fn step_of(set: &PolicySet, to: &Destination) -> Option<usize> {
    match to {
        Destination::Step(step) => Some(*step),
        Destination::Switch(switch) if set.find_switched(switch).is_none() => switch.otherwise,
        Destination::Switch(_) => None,
    }
}

fn list_next(set: &PolicySet, step: &Step) -> Vec<usize> {
    let mut next: Vec<usize> = step.list_targets().iter().filter_map(|target| step_of(set, &target.to)).collect();
    if let StepKind::Switch(switch) = &step.kind {
        next.extend(switch.otherwise);
    }
    next
}

fn list_reached(set: &PolicySet, policy: &Policy) -> BTreeSet<usize> {
    let mut reached = BTreeSet::new();
    let mut waiting = vec![policy.start];
    waiting.extend(policy.cancel.as_ref().and_then(|target| step_of(set, &target.to)));
    while let Some(index) = waiting.pop() {
        let Some(step) = policy.steps.get(index) else { continue };
        if reached.insert(index) {
            waiting.extend(list_next(set, step));
            // What an optional switch falls back to counts as reached while its policy is there, too.
            waiting.extend(list_switches(step).iter().filter_map(|switch| switch.otherwise));
        }
    }
    reached
}

/// The steps taken while an optional policy is missing, and what follows from them.
pub(super) fn list_spare(set: &PolicySet, policy: &Policy) -> BTreeSet<usize> {
    let switches = policy.steps.iter().flat_map(list_switches);
    let mut waiting: Vec<usize> = switches.filter(|switch| switch.optional).filter_map(|s| s.otherwise).collect();
    let mut spare = BTreeSet::new();
    while let Some(index) = waiting.pop() {
        let Some(step) = policy.steps.get(index).filter(|_| spare.insert(index)) else { continue };
        waiting.extend(list_next(set, step));
    }
    spare
}

/// Where passing a step leads: not what failing it does.
fn list_passed(set: &PolicySet, step: &Step) -> Vec<usize> {
    let failed = |outcome: &Outcome| NOT_PASSED.contains(outcome) && *outcome != Outcome::Declined;
    let failing = step.routes.iter().filter(|(outcome, _)| failed(outcome)).count();
    if failing == 0 || failing == step.routes.len() {
        return list_next(set, step);
    }
    let passing = step.routes.iter().filter(|(outcome, _)| !failed(outcome));
    passing.filter_map(|(_, target)| step_of(set, &target.to)).collect()
}

/// E06: a step from which neither an end nor another policy can be reached by passing steps; failing and cancelling are
/// no ways on.
fn check_ends(set: &PolicySet, policy: &Policy, reached: &BTreeSet<usize>, ways: &Ways, findings: &mut Vec<Finding>) {
    let leaves = |step: &Step| {
        let passed = step.find_route(Outcome::Ok);
        let by_pass = passed
            .is_some_and(|target| matches!(&target.to, Destination::Switch(to) if set.find_switched(to).is_some()));
        let free = matches!(step.kind, StepKind::Switch(_) | StepKind::Branch(_) | StepKind::Choice(_));
        let away = by_pass || free && list_switches(step).iter().any(|switch| set.find_switched(switch).is_some());
        matches!(step.kind, StepKind::Issue | StepKind::Stop(_)) || away
    };
    let mut ending: BTreeSet<usize> =
        policy.steps.iter().enumerate().filter(|(_, step)| leaves(step)).map(|(index, _)| index).collect();
    loop {
        let before = ending.len();
        for (index, step) in policy.steps.iter().enumerate() {
            if list_passed(set, step).iter().any(|next| ending.contains(next)) {
                ending.insert(index);
            }
        }
        if ending.len() == before {
            break;
        }
    }
    for (index, step) in policy.steps.iter().enumerate() {
        if reached.contains(&index) && !ending.contains(&index) {
            let message = format!("dead end: no `issue`, `stop` or `switch` can be reached from `{}`", step.name);
            let path = ways.find(&policy.id, index).to_vec();
            findings.push(Finding { path, ..finding(policy, "E06", step.at, message) });
        }
    }
}

/// A step of a set: its policy and its index.
type Node<'a> = (&'a str, usize);

/// E07: loops of automatic steps alone, through other policies too.
pub(super) fn check_loops(set: &PolicySet, findings: &mut Vec<Finding>) {
    let mut done = BTreeSet::new();
    for policy in set.iter() {
        for index in 0..policy.steps.len() {
            walk(set, (&policy.id, index), &mut Vec::new(), &mut done, findings);
        }
    }
}

fn walk<'a>(
    set: &'a PolicySet,
    node: Node<'a>,
    trail: &mut Vec<(Node<'a>, Position)>,
    done: &mut BTreeSet<Node<'a>>,
    findings: &mut Vec<Finding>,
) {
    let Some((policy, step)) = set.get(node.0).and_then(|policy| Some((policy, policy.steps.get(node.1)?))) else {
        return;
    };
    if !step.kind.is_automatic() || done.contains(&node) {
        return;
    }
    for (next, at) in list_hops(set, policy, step) {
        trail.push((node, at));
        if let Some(from) = trail.iter().position(|(known, _)| *known == next) {
            let mut path: Vec<String> =
                trail.iter().skip(from).map(|(known, _)| name_of(set, *known, policy)).collect();
            path.push(name_of(set, next, policy));
            let message = "a loop of automatic steps alone: nobody could stop it".to_owned();
            findings.push(Finding { path, ..finding(policy, "E07", at, message) });
        } else {
            walk(set, next, trail, done, findings);
        }
        trail.pop();
    }
    done.insert(node);
}

fn list_hops<'a>(set: &'a PolicySet, policy: &'a Policy, step: &'a Step) -> Vec<(Node<'a>, Position)> {
    let through = |switch: &'a Switch| match set.find_switched(switch) {
        Some(target) => Some((target.id.as_str(), target.start)),
        None => switch.otherwise.map(|index| (policy.id.as_str(), index)),
    };
    let mut hops: Vec<(Node, Position)> = step
        .list_targets()
        .into_iter()
        .filter_map(|target| match &target.to {
            Destination::Step(index) => Some(((policy.id.as_str(), *index), target.at)),
            Destination::Switch(switch) => through(switch).map(|node| (node, target.at)),
        })
        .collect();
    if let StepKind::Switch(switch) = &step.kind {
        hops.extend(through(switch).map(|node| (node, switch.at)));
    }
    hops
}

fn name_of(set: &PolicySet, (id, index): Node, home: &Policy) -> String {
    let name = set.get(id).and_then(|policy| policy.steps.get(index)).map_or("?", |step| &step.name);
    if id == home.id { name.to_owned() } else { format!("{id}/{name}") }
}
