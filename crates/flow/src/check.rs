//! Proofs before a policy may run (POLICIES.md, section 4). Exact for the model, deterministic, in milliseconds.
//!
//! Beside the codes of that table: `E00` more guards than can be explored, `E09` a kind or guard this version can not
//! run, `E61` an id or acr used twice, `N05` an optional policy that is missing, `W72` a limit above its ceiling.

mod catalogue;
mod clients;
mod closure;
mod explore;
mod held;
mod limits;
mod secrecy;
mod structure;
mod unmet;
mod way;
mod world;

pub use catalogue::{Catalogue, PageParts, Texts};
pub use clients::ClientDemand;
pub use closure::LeastSet;

use crate::language::{Policy, Purpose};
use crate::{Finding, PolicySet, Position, Severity};
use explore::Explored;

/// What a set is proven against.
#[derive(Clone, Copy, Debug, Default)]
pub struct Surroundings<'a> {
    /// The day, `YYYY-MM-DD`, for waivers.
    pub today: &'a str,
    /// Pages and messages; none: E10 and E11 are not looked for.
    pub catalogue: Option<&'a Catalogue>,
    /// Clients, for E60.
    pub clients: &'a [ClientDemand],
}

/// Proves a set by itself as of `today` (`YYYY-MM-DD`, for waivers). Sorted by file and place.
pub fn check(set: &PolicySet, today: &str) -> Vec<Finding> {
    check_within(set, &Surroundings { today, ..Surroundings::default() })
}

/// Proves a set with the pages, messages and clients around it. Sorted by file and place.
pub fn check_within(set: &PolicySet, around: &Surroundings) -> Vec<Finding> {
    let mut findings = Vec::new();
    check_names(set, &mut findings);
    let Explored { rules, ways } = explore::check(set, around.today, &mut findings);
    for policy in set.iter() {
        structure::check(set, policy, &ways, &mut findings);
        limits::check(policy, &ways, &mut findings);
        secrecy::check(set, policy, &mut findings);
        check_waivers(policy, around.today, &mut findings);
        if let Some(catalogue) = around.catalogue {
            catalogue::check(catalogue, policy, &ways, &mut findings);
        }
    }
    structure::check_loops(set, &mut findings);
    closure::check(set, &rules, around.today, &mut findings);
    clients::check(set, around.clients, &ways, &mut findings);
    findings.sort_by(|one, other| place(one).cmp(&place(other)));
    findings.dedup();
    findings
}

/// The least sets of things that pass each login policy, for every kind of finished account.
pub fn list_least_sets(set: &PolicySet, today: &str) -> Vec<LeastSet> {
    let Explored { rules, .. } = explore::check(set, today, &mut Vec::new());
    closure::list_least_sets(set, &rules, today)
}

fn place(finding: &Finding) -> (&str, u32, u32, &str, &str) {
    (&finding.file, finding.line, finding.column, finding.code, &finding.message)
}

fn finding(policy: &Policy, code: &'static str, at: Position, message: String) -> Finding {
    let severity = match code.as_bytes().first() {
        Some(b'E') => Severity::Error,
        Some(b'W') => Severity::Warning,
        _ => Severity::Note,
    };
    Finding {
        code,
        severity,
        policy: policy.id.clone(),
        file: policy.file.clone(),
        line: at.line,
        column: at.column,
        message,
        path: Vec::new(),
        waiver_expired: false,
    }
}

/// Ids are unique, and acr values among login policies (section 7).
fn check_names(set: &PolicySet, findings: &mut Vec<Finding>) {
    let policies: Vec<&Policy> = set.iter().collect();
    for (index, policy) in policies.iter().enumerate() {
        let earlier = policies.get(..index).unwrap_or_default();
        if let Some(first) = earlier.iter().find(|first| first.id == policy.id) {
            let message = format!("the id `{}` is taken by {}", policy.id, first.file);
            findings.push(finding(policy, "E61", policy.at, message));
        }
        let same_acr = |first: &&&Policy| first.purpose == Purpose::Login && first.acr == policy.acr;
        if let (Some(acr), Purpose::Login) = (&policy.acr, policy.purpose)
            && let Some(first) = earlier.iter().find(same_acr)
        {
            let message = format!("the acr `{acr}` is taken by the login policy `{}`", first.id);
            findings.push(finding(policy, "E61", policy.acr_at, message));
        }
    }
}

fn check_waivers(policy: &Policy, today: &str, findings: &mut Vec<Finding>) {
    for waiver in policy.require.iter().filter_map(|entry| entry.waive.as_ref()) {
        let (id, until) = (&waiver.id, &waiver.until);
        let (code, message) = if today <= until.as_str() {
            ("N40", format!("the waiver {id} is in force until {until}: {}", waiver.why))
        } else {
            ("W41", format!("the waiver {id} expired on {until}: {}", waiver.why))
        };
        findings.push(finding(policy, code, waiver.at, message));
    }
}

#[cfg(test)]
mod tests;
