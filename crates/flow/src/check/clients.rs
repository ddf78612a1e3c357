//! E60: no policy that a client may name gives less than the client requires.

use std::collections::BTreeSet;

use countersign_model::FactSet;

use super::explore::{Ways, show};
use super::finding;
use crate::language::{Destination, Policy, Purpose, StepKind, Switch};
use crate::{Finding, PolicySet, Position};

/// What a client may name and what it asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientDemand {
    /// Its id.
    pub client: String,
    /// Policies it may name with `p`.
    pub allowed: Vec<String>,
    /// acr values one of which it requires of every login; empty: any.
    pub required_acr: Vec<String>,
}

pub(super) fn check(set: &PolicySet, clients: &[ClientDemand], ways: &Ways, findings: &mut Vec<Finding>) {
    for demand in clients {
        if demand.required_acr.is_empty() {
            continue;
        }
        let is_standard = |policy: &&Policy| {
            policy.purpose == Purpose::Login && policy.acr.as_ref().is_some_and(|acr| demand.required_acr.contains(acr))
        };
        let standards: Vec<FactSet> = set.iter().filter(is_standard).map(Policy::promised_facts).collect();
        for policy in demand.allowed.iter().filter_map(|id| set.get(id)) {
            if standards.is_empty() {
                let acr = demand.required_acr.join("` or `");
                let message = format!("the client `{}` requires the acr `{acr}`, which no policy has", demand.client);
                findings.push(finding(policy, "E60", policy.at, message));
            } else {
                check_policy(set, demand, policy, &standards, ways, findings);
            }
        }
    }
}

fn check_policy(
    set: &PolicySet,
    demand: &ClientDemand,
    policy: &Policy,
    standards: &[FactSet],
    ways: &Ways,
    findings: &mut Vec<Finding>,
) {
    let reached = list_handed_to(set, policy);
    let issuing: Vec<&&Policy> = reached.iter().filter(|reached| reached.can_issue()).collect();
    let is_enough = |policy: &Policy| standards.iter().any(|facts| policy.promised_facts().is_superset(*facts));
    // A page of buttons proves nothing itself: one of the ways behind them must be enough.
    let best = issuing.iter().find(|reached| is_enough(reached));
    let short = if policy.can_issue() { Some(policy) } else { issuing.first().map(|policy| **policy) };
    let enough = if policy.can_issue() { is_enough(policy) } else { best.is_some() };
    if enough {
        return;
    }
    let gives = short.map_or(FactSet::EMPTY, Policy::promised_facts);
    let message = format!(
        "the client `{}` may name `{}`, which gives {}, and requires {}",
        demand.client,
        policy.id,
        show(gives),
        standards.iter().map(|facts| show(*facts)).collect::<Vec<_>>().join(" or ")
    );
    let at: Position = policy.require.first().map_or(policy.at, |entry| entry.at);
    let path = short.map(|short| list_way(policy, short, ways)).unwrap_or_default();
    findings.push(Finding { path, ..finding(policy, "E60", at, message) });
}

/// The shortest way to the first `issue` of the policy that is named, or of one it hands over to.
fn list_way(named: &Policy, issuing: &Policy, ways: &Ways) -> Vec<String> {
    let issue = issuing.steps.iter().position(|step| matches!(step.kind, StepKind::Issue));
    let way = issue.map_or(&[][..], |index| ways.find(&issuing.id, index)).iter();
    let name = |step: &String| if issuing.id == named.id { step.clone() } else { format!("{}/{step}", issuing.id) };
    way.map(name).collect()
}

/// The policy and those of the same purpose it hands over to.
fn list_handed_to<'a>(set: &'a PolicySet, policy: &'a Policy) -> Vec<&'a Policy> {
    let mut seen = BTreeSet::from([policy.id.as_str()]);
    let mut reached = vec![policy];
    let mut next = 0;
    while let Some(current) = reached.get(next).copied() {
        for target in list_switches(current).into_iter().filter_map(|switch| set.find_switched(switch)) {
            if target.purpose == policy.purpose && seen.insert(&target.id) {
                reached.push(target);
            }
        }
        next += 1;
    }
    reached
}

fn list_switches(policy: &Policy) -> Vec<&Switch> {
    let mut switches = Vec::new();
    for step in &policy.steps {
        switches.extend(step.list_targets().into_iter().filter_map(|target| match &target.to {
            Destination::Switch(switch) => Some(switch),
            Destination::Step(_) => None,
        }));
        if let StepKind::Switch(switch) = &step.kind {
            switches.push(switch);
        }
    }
    switches
}
