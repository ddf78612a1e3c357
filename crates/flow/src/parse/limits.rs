//! Limits of policies and steps.

use countersign_model::Seconds;
use toml::de::DeValue;

use super::reader::{Report, Table};
use crate::language::{Budget, CountScope, LockRule, PolicyLimits, StepLimits};

/// `limits` of the policy.
pub(super) fn read_policy(report: &mut Report, root: &mut Table) -> PolicyLimits {
    let mut limits = PolicyLimits { lifetime: Seconds::minutes(20), idle: Seconds::minutes(10), advances: 60 };
    let Some(mut table) = root.table(report, "limits", "the policy's limits") else { return limits };
    if let Some((lifetime, _)) = table.duration(report, "lifetime") {
        limits.lifetime = lifetime;
    }
    if let Some((idle, _)) = table.duration(report, "idle") {
        limits.idle = idle;
    }
    if let Some(advances) = table.number(report, "advances", 1, 1000) {
        limits.advances = u16::try_from(advances).unwrap_or(u16::MAX);
    }
    if limits.idle > limits.lifetime {
        report.error("E00", table.offset_of("idle"), "`idle` is longer than `lifetime`".to_owned());
    }
    table.finish(report);
    limits
}

/// `limits` of a step.
pub(super) fn read_step(report: &mut Report, step: &mut Table) -> StepLimits {
    let at = report.position(step.offset_of("limits"));
    let mut limits = StepLimits { at, ..unlimited(report, step.at) };
    let Some(mut table) = step.table(report, "limits", "the step's limits") else { return limits };
    limits.attempts = table.number(report, "attempts", 1, 1000);
    limits.sends = table.number(report, "sends", 1, 100);
    if let Some((pause, _)) = table.duration(report, "resend_after") {
        limits.resend_after = pause;
    }
    limits.locks = read_locks(report, &mut table);
    if let Some(mut budget) = table.table(report, "budget", "the budget") {
        limits.budget.sends = budget.number(report, "sends", 1, 1000).unwrap_or(limits.budget.sends);
        limits.budget.per = budget.duration(report, "per").map_or(limits.budget.per, |(per, _)| per);
        budget.finish(report);
    }
    table.finish(report);
    limits
}

/// What holds where a file says nothing: a pause of 30 s, and 20 sends an hour to one target.
pub(super) fn unlimited(report: &Report, at: usize) -> StepLimits {
    StepLimits {
        attempts: None,
        sends: None,
        resend_after: Seconds::new(30),
        locks: Vec::new(),
        budget: Budget { sends: 20, per: Seconds::hours(1) },
        at: report.position(at),
    }
}

/// `lock`: one table or an array of them.
fn read_locks(report: &mut Report, limits: &mut Table) -> Vec<LockRule> {
    let Some(value) = limits.find("lock") else { return Vec::new() };
    let values = match value.get_ref() {
        DeValue::Array(values) => values.iter().collect(),
        _ => vec![value],
    };
    let mut rules: Vec<LockRule> = Vec::new();
    for value in values {
        let Some(mut table) = Table::from_value(report, value, "the lock") else { continue };
        let rule = read_lock(report, &mut table);
        if rules.iter().any(|known| known.scope == rule.scope) {
            report.error("E00", table.at, format!("two locks count by {}", rule.scope.as_str()));
        }
        table.finish(report);
        rules.push(rule);
    }
    rules
}

fn read_lock(report: &mut Report, table: &mut Table) -> LockRule {
    let scope = table.required_word(report, "scope").unwrap_or(CountScope::Identifier);
    let after = table.required(report, "after").and_then(|_| table.number(report, "after", 1, 100_000));
    let first = table.required(report, "for").and_then(|_| table.duration(report, "for"));
    let backoff = table.number(report, "backoff", 1, 10);
    let max = table.duration(report, "max");
    let first = first.map_or(Seconds::minutes(1), |(first, _)| first);
    let rule = LockRule {
        scope,
        after: after.unwrap_or(1),
        r#for: first,
        backoff: backoff.unwrap_or(1),
        max: max.map_or(first, |(max, _)| max),
    };
    if rule.max < rule.r#for {
        report.error("E00", table.offset_of("max"), "`max` is shorter than `for`".to_owned());
    }
    rule
}
