//! Proofs before a policy may run (POLICIES.md, section 4). Exact for the model, deterministic, in milliseconds.
//!
//! Beside the codes of that table: `E00` more guards than can be explored, `E09` a kind or guard this version can not
//! run, `E61` an id or acr used twice, `N05` an optional policy that is missing, `W70` pages without a cancel.

mod explore;
mod limits;
mod structure;

use crate::language::{Policy, Purpose};
use crate::{Finding, PolicySet, Position, Severity};

/// Proves a set as of `today` (`YYYY-MM-DD`, for waivers). Sorted by file and place.
pub fn check(set: &PolicySet, today: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    check_names(set, &mut findings);
    for policy in set.iter() {
        structure::check(set, policy, &mut findings);
        limits::check(policy, &mut findings);
        check_waivers(policy, today, &mut findings);
    }
    structure::check_loops(set, &mut findings);
    explore::check(set, today, &mut findings);
    findings.sort_by(|one, other| place(one).cmp(&place(other)));
    findings.dedup();
    findings
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
