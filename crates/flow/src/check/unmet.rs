//! What an `issue` lacks: requirements, terms, and the acr it claims.

use super::explore::show;
use super::held::Held;
use super::way::{State, View};
use super::world::list_claimed;
use crate::Position;
use crate::language::{AccountGuard, Policy, Requirement, StepKind};

/// What an `issue` lacks.
pub(super) struct Unmet {
    /// Where it is asked for.
    pub(super) requirement: Position,
    pub(super) message: String,
    pub(super) waiver_expired: bool,
}

/// The requirements of the policy that are not met where `what` is reached, or met by an expired waiver alone.
pub(super) fn list_unmet(view: &View, state: &State, what: &str, today: &str) -> Vec<Unmet> {
    let held = show(state.facts);
    let applying = list_applying(view, state);
    if applying.is_empty() {
        let message = format!("{what} reached with {held}, and `require` asks nothing of this account");
        return vec![Unmet { requirement: view.policy.at, message, waiver_expired: false }];
    }
    let is_over = |entry: &Requirement| entry.waive.as_ref().is_some_and(|waiver| waiver.until.as_str() < today);
    let mut unmet = Vec::new();
    for entry in &applying {
        if !state.facts.is_superset(entry.factors) {
            let message = format!("{what} reached with {held}, needs {}", show(entry.factors));
            unmet.push(Unmet { requirement: entry.at, message, waiver_expired: false });
        } else if let Some(waiver) = entry.waive.as_ref().filter(|_| is_over(entry)) {
            let is_live = |other: &&&Requirement| !is_over(other) && other.factors.is_superset(entry.factors);
            if !applying.iter().any(|other| is_live(&other)) {
                let message =
                    format!("{what} reached with {held}, which only the expired waiver {} allowed", waiver.id);
                unmet.push(Unmet { requirement: entry.at, message, waiver_expired: true });
            }
        }
    }
    unmet
}

/// Who was remembered agreed when it was issued; everybody else sees the terms of a policy that has them.
pub(super) fn find_unseen_terms(policy: &Policy, state: &State) -> Option<Unmet> {
    let terms = policy.steps.iter().find(|step| matches!(step.kind, StepKind::Terms { .. }))?;
    let is_due = state.account.has(AccountGuard::TermsDue) && !state.takes.has(Held::BROWSER);
    let message = format!("issue reached with terms to accept, past `{}`", terms.name);
    is_due.then_some(Unmet { requirement: terms.at, message, waiver_expired: false })
}

/// A policy that claims the acr of others meets what one of them requires.
pub(super) fn find_unmet_claim(view: &View, state: &State) -> Option<Unmet> {
    let claimed = list_claimed(view.set, view.policy);
    let first = claimed.first()?;
    if find_claimable(view, state).is_some() {
        return None;
    }
    let need = |login: &&Policy| format!("{} to claim the acr of `{}`", show(view.required(login, state)), login.id);
    let needed: Vec<String> = claimed.iter().map(need).collect();
    let message = format!("issue reached with {}, needs {}", show(state.facts), needed.join(" or "));
    Some(Unmet { requirement: first.at, message, waiver_expired: false })
}

/// The first claimed login policy whose requirements are met.
pub(super) fn find_claimable<'a>(view: &View<'a>, state: &State) -> Option<&'a Policy> {
    let met = |login: &&Policy| state.facts.is_superset(view.required(login, state));
    list_claimed(view.set, view.policy).into_iter().find(met)
}

pub(super) fn list_applying<'a>(view: &View<'a>, state: &State) -> Vec<&'a Requirement> {
    let applies = |entry: &&Requirement| entry.applies(|guard| view.holds(&State { in_hand: true, ..*state }, guard));
    view.policy.require.iter().filter(applies).collect()
}
