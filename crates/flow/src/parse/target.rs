//! Where routes lead, and the names they may use.

use countersign_model::{Fact, FactSet};
use toml::de::DeValue;

use super::reader::{Report, Table, Value, is_name, shorten, text_of};
use crate::language::{Destination, Guard, Switch, Target, Webhook};

/// The names of one file.
pub(super) struct Names<'a> {
    pub(super) steps: Vec<&'a str>,
    pub(super) webhooks: &'a [Webhook],
}

impl Names<'_> {
    /// Index of a step; an unknown one is `E04`.
    pub(super) fn step(&self, report: &mut Report, name: &str, at: usize) -> Option<usize> {
        let found = self.steps.iter().position(|step| *step == name);
        if found.is_none() {
            report.error("E04", at, format!("unknown target `{}`: no such step in this policy", shorten(name)));
        }
        found
    }

    /// A guard; an unknown one, or a webhook that is not declared, is `E03`.
    pub(super) fn guard(&self, report: &mut Report, text: &str, at: usize) -> Option<Guard> {
        let Some(guard) = Guard::from_word(text) else {
            report.error("E03", at, format!("unknown guard `{}`", shorten(text)));
            return None;
        };
        if let Guard::Webhook(name) = &guard
            && !self.webhooks.iter().any(|webhook| webhook.name == *name)
        {
            report.error("E03", at, format!("the webhook `{}` is not declared under [webhook]", shorten(name)));
        }
        Some(guard)
    }

    /// A target: `"step"`, `"@policy"` or `{ to, optional, carry, else }`. `hideable`: a control stands for it, which
    /// can be hidden when an optional policy is missing; without one, `else` must say where to go.
    pub(super) fn target(&self, report: &mut Report, value: Value, hideable: bool) -> Option<Target> {
        let at = value.span().start;
        let to = match value.get_ref() {
            DeValue::String(text) => self.destination(report, text, at)?,
            DeValue::Table(map) => {
                let mut table = Table::new(map, at, "the target");
                let to = self.target_table(report, &mut table, hideable);
                table.finish(report);
                to?
            }
            _ => {
                report.error("E00", at, "expected a step, \"@policy\" or { to = \"@policy\", ... }".to_owned());
                return None;
            }
        };
        Some(Target { to, at: report.position(at) })
    }

    fn destination(&self, report: &mut Report, text: &str, at: usize) -> Option<Destination> {
        let Some(policy) = text.strip_prefix('@') else {
            return self.step(report, text, at).map(Destination::Step);
        };
        if !is_name(policy, b'-') {
            report.error("E04", at, format!("unknown target `{}`: no policy can be named so", shorten(text)));
            return None;
        }
        let (policy, carry) = (policy.to_owned(), FactSet::EMPTY);
        let at = report.position(at);
        Some(Destination::Switch(Switch { policy, optional: false, carry, otherwise: None, at }))
    }

    /// Reads `to`, `optional`, `carry` and `else` of a target table, an option or a `switch` step.
    pub(super) fn target_table(&self, report: &mut Report, table: &mut Table, hideable: bool) -> Option<Destination> {
        let (text, at) = table.required_text(report, "to");
        let optional = table.flag(report, "optional").unwrap_or(false);
        let carry = read_facts(report, table, "carry");
        let otherwise = table.text(report, "else").and_then(|(name, at)| self.step(report, name, at));
        if text.is_empty() {
            return None;
        }
        match self.destination(report, text, at)? {
            Destination::Switch(switch) => {
                if optional && !hideable && otherwise.is_none() {
                    report.error("E05", at, format!("the optional switch to `{text}` needs `else`: no control stands for it that could be hidden"));
                }
                Some(Destination::Switch(Switch { optional, carry, otherwise, ..switch }))
            }
            Destination::Step(_) if optional || otherwise.is_some() || !carry.is_empty() => {
                report.error("E00", at, "only a switch to a policy has `optional`, `carry` and `else`".to_owned());
                None
            }
            step @ Destination::Step(_) => Some(step),
        }
    }
}

/// An array of facts under `key`; missing is empty.
pub(super) fn read_facts(report: &mut Report, table: &mut Table, key: &'static str) -> FactSet {
    let mut facts = FactSet::EMPTY;
    for value in table.array(report, key) {
        let Some((text, at)) = text_of(report, value, key) else { continue };
        let Some(fact) = Fact::from_word(text) else {
            let known: Vec<&str> = Fact::ALL.into_iter().map(Fact::as_str).collect();
            report.error("E00", at, format!("unknown fact `{}`; known: {}", shorten(text), known.join(", ")));
            continue;
        };
        facts = facts.with(fact);
    }
    facts
}
