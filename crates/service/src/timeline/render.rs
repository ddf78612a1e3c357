//! A timeline as JSON for programs and as lines for people.

use countersign_model::Timestamp;
use serde_json::{Value, json};

use super::words::moment;
use super::{Attempt, Happening, Sending, Timeline};

impl Timeline {
    /// As a document; times are seconds since the epoch.
    pub fn to_json(&self) -> Value {
        let person = &self.person;
        json!({
            "person": {
                "id": person.id.as_str(),
                "email": person.email,
                "username": person.username,
                "status": person.status.as_str(),
                "registered": person.registered,
                "password": person.password,
                "factors": person.factors.iter().map(|(kind, value)| json!({
                    "kind": kind.as_str(), "value": value,
                })).collect::<Vec<_>>(),
            },
            "attempts": self.attempts.iter().map(attempt).collect::<Vec<_>>(),
            "other": self.other.iter().map(happening).collect::<Vec<_>>(),
        })
    }

    /// As lines.
    pub fn to_lines(&self) -> Vec<String> {
        let person = &self.person;
        let name = [person.username.as_deref(), person.email.as_deref()].into_iter().flatten().collect::<Vec<_>>();
        let state = if person.registered { "registered" } else { "registration incomplete" };
        let factor = |(kind, value): &(countersign_model::FactorKind, Option<String>)| match value {
            Some(value) => format!("{} {value}", kind.as_str()),
            None => kind.as_str().to_owned(),
        };
        let mut held: Vec<String> = person.password.then(|| "password".to_owned()).into_iter().collect();
        held.extend(person.factors.iter().map(factor));
        let held = if held.is_empty() { "nothing to sign in with".to_owned() } else { held.join(", ") };
        let mut lines = vec![format!("{}: {}, {state}; {held}", name.join(", "), person.status.as_str())];
        if self.attempts.is_empty() {
            lines.push("no attempts on record".to_owned());
        }
        for attempt in &self.attempts {
            lines.push(String::new());
            lines.extend(attempt_lines(attempt));
        }
        if !self.other.is_empty() {
            lines.extend([String::new(), "outside of attempts".to_owned()]);
            lines.extend(self.other.iter().map(happening_line));
        }
        lines
    }
}

fn attempt(attempt: &Attempt) -> Value {
    json!({
        "flow": attempt.flow,
        "client": attempt.client,
        "policies": attempt.policies,
        "began_at": attempt.began_at.as_secs(),
        "last_at": attempt.last_at.as_secs(),
        "result": attempt.result.as_str(),
        "why": attempt.why,
        "next": attempt.next,
        "steps": attempt.steps.iter().map(happening).collect::<Vec<_>>(),
        "sends": attempt.sends.iter().map(|send| json!({
            "at": send.at.as_secs(), "channel": send.channel, "template": send.template, "state": send.state,
            "status": send.status, "carrier": send.carrier, "attempts": send.attempts, "lost": send.lost,
            "line": send.line,
        })).collect::<Vec<_>>(),
    })
}

fn happening(happening: &Happening) -> Value {
    json!({
        "at": happening.at.as_secs(), "kind": happening.kind.as_str(), "outcome": happening.outcome.as_str(),
        "policy": happening.policy, "step": happening.step, "address": happening.address, "line": happening.line,
    })
}

fn attempt_lines(attempt: &Attempt) -> Vec<String> {
    let policies = if attempt.policies.is_empty() { "-".to_owned() } else { attempt.policies.join(" > ") };
    let client = attempt.client.as_deref().unwrap_or("-");
    let mut lines = vec![
        format!("{}  {policies}  from {client}  flow {}", moment(attempt.began_at), attempt.flow),
        format!("  {}: {}", attempt.result.as_str().replace('_', " "), attempt.why),
        format!("  next: {}", attempt.next),
    ];
    let mut told: Vec<(Timestamp, String)> = attempt.steps.iter().map(|step| (step.at, happening_line(step))).collect();
    told.extend(attempt.sends.iter().map(|send: &Sending| (send.at, format!("  {}  {}", moment(send.at), send.line))));
    told.sort_by_key(|(at, _)| *at);
    lines.extend(told.into_iter().map(|(_, line)| line));
    lines
}

fn happening_line(happening: &Happening) -> String {
    format!("  {}  {}", moment(happening.at), happening.line)
}
