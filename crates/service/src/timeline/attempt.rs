//! One attempt of a person: a flow, from its first event to its last.

use std::collections::BTreeMap;

use countersign_flow::PolicySet;
use countersign_model::{AuditEvent, AuditKind, AuditOutcome, OutboxId, OutboxMessage, Timestamp};
use serde_json::Value;

use super::sending::{Sending, is_of_a_send, list_sendings};
use super::words::{self, Advice};

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttemptResult {
    /// They signed in, or were done.
    SignedIn,
    /// It stopped, and said so.
    Stopped,
    /// It waits for them.
    Waiting,
    /// They did not go on, and its time is over.
    Abandoned,
    /// A link was mailed; whoever opens it begins an attempt of its own.
    Mailed,
}

impl AttemptResult {
    /// The word in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SignedIn => "signed_in",
            Self::Stopped => "stopped",
            Self::Waiting => "waiting",
            Self::Abandoned => "abandoned",
            Self::Mailed => "mailed",
        }
    }
}

/// Something that happened.
#[derive(Clone, Debug)]
pub struct Happening {
    /// When.
    pub at: Timestamp,
    /// What, as in the audit.
    pub kind: AuditKind,
    /// How it ended.
    pub outcome: AuditOutcome,
    /// Policy it happened in.
    pub policy: Option<String>,
    /// Step it happened at.
    pub step: Option<String>,
    /// Where it came from.
    pub address: Option<String>,
    /// All that in a sentence.
    pub line: String,
}

/// One attempt.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// Flow, as in audit and log.
    pub flow: String,
    /// Client they came from.
    pub client: Option<String>,
    /// Policies it went through, in order.
    pub policies: Vec<String>,
    /// Its first event.
    pub began_at: Timestamp,
    /// Its last event.
    pub last_at: Timestamp,
    /// How it ended.
    pub result: AttemptResult,
    /// Why, in a sentence.
    pub why: String,
    /// What to do next, in a sentence.
    pub next: String,
    /// What happened, oldest first.
    pub steps: Vec<Happening>,
    /// What was sent, oldest first.
    pub sends: Vec<Sending>,
}

impl Happening {
    pub(super) fn of(event: &AuditEvent) -> Self {
        Self {
            at: event.at,
            kind: event.kind,
            outcome: event.outcome,
            policy: text(event, "policy").map(str::to_owned),
            step: text(event, "step").map(str::to_owned),
            address: event.address.clone(),
            line: words::tell(event),
        }
    }

    /// A message that no attempt caused.
    pub(super) fn of_sending(sending: Sending) -> Self {
        let outcome = if sending.lost { AuditOutcome::Failure } else { AuditOutcome::Success };
        Self {
            at: sending.at,
            kind: AuditKind::SendQueued,
            outcome,
            policy: None,
            step: None,
            address: None,
            line: sending.line,
        }
    }
}

impl Attempt {
    pub(super) fn of(
        flow: &str,
        events: &[&AuditEvent],
        messages: &BTreeMap<OutboxId, OutboxMessage>,
        set: &PolicySet,
        now: Timestamp,
    ) -> Self {
        let sends = list_sendings(events, messages);
        let mut steps: Vec<&AuditEvent> = events.iter().copied().filter(|event| !is_of_a_send(event.kind)).collect();
        put_in_order(&mut steps);
        let mut policies: Vec<String> = Vec::new();
        // A mailed link is named after the policy it begins, not after the one it was mailed in.
        for policy in steps.iter().filter(|e| e.kind != AuditKind::LinkSent).filter_map(|e| text(e, "policy")) {
            if policies.last().is_none_or(|last| last != policy) {
                policies.push(policy.to_owned());
            }
        }
        let began_at = events.first().map_or(now, |event| event.at);
        let result = decide_result(&steps, set, &policies, began_at, now);
        let Advice { why, next } = words::advise(result, &steps, &sends, set);
        Self {
            flow: flow.to_owned(),
            client: events.iter().find_map(|event| event.client.as_ref().map(ToString::to_string)),
            policies,
            began_at,
            last_at: events.last().map_or(now, |event| event.at),
            result,
            why,
            next,
            steps: steps.into_iter().map(Happening::of).collect(),
            sends,
        }
    }
}

/// What one answer led to bears one time, and ids of one time are random: such events are put in the order a flow goes,
/// those of the policy it came from first.
fn put_in_order(steps: &mut [&AuditEvent]) {
    let mut before: Option<String> = None;
    for group in steps.chunk_by_mut(|one, two| one.at == two.at) {
        before = before.or_else(|| find_first_policy(group));
        let elsewhere = |event: &AuditEvent| {
            let policy = text(event, "policy").filter(|_| event.kind != AuditKind::LinkSent);
            before.is_some() && policy.is_some_and(|policy| before.as_deref() != Some(policy))
        };
        group.sort_by_key(|event| (elsewhere(event), rank(event)));
        let last = group.iter().rev().find_map(|event| text(event, "policy"));
        before = last.map(str::to_owned).or(before);
    }
}

/// The policy that no other of `group` went over to, if any went over.
fn find_first_policy(group: &[&AuditEvent]) -> Option<String> {
    let mut left = group.iter().filter(|event| text(event, "switch").is_some());
    let is_target = |policy: &str| group.iter().any(|event| text(event, "switch") == Some(policy));
    left.find_map(|event| text(event, "policy").filter(|policy| !is_target(policy))).map(str::to_owned)
}

fn rank(event: &AuditEvent) -> u8 {
    use AuditKind as Kind;
    match event.kind {
        Kind::FlowStarted => 0,
        Kind::LinkUsed => 1,
        Kind::Login if event.outcome == AuditOutcome::Failure => 2,
        Kind::LimitReached => 3,
        Kind::FlowStep if text(event, "switch").is_some() => 5,
        Kind::Login | Kind::SilentLogin => 7,
        Kind::CodeIssued | Kind::LoginRemembered => 8,
        Kind::FlowStopped => 9,
        _ => 4,
    }
}

fn decide_result(
    steps: &[&AuditEvent],
    set: &PolicySet,
    policies: &[String],
    began_at: Timestamp,
    now: Timestamp,
) -> AttemptResult {
    use AuditKind as Kind;
    let signed_in =
        |e: &&AuditEvent| matches!(e.kind, Kind::Login | Kind::SilentLogin) && e.outcome == AuditOutcome::Success;
    if steps.iter().any(signed_in) {
        return AttemptResult::SignedIn;
    }
    let is_walked = |e: &&AuditEvent| !matches!(e.kind, Kind::LinkSent | Kind::UserChanged | Kind::AccountCreated);
    if !steps.iter().any(is_walked) {
        return AttemptResult::Mailed;
    }
    let cancelled = |e: &AuditEvent| e.kind == Kind::FlowStep && text(e, "outcome") == Some("cancel");
    if steps.last().is_some_and(|last| last.kind == Kind::FlowStopped || cancelled(last)) {
        return AttemptResult::Stopped;
    }
    let lifetime = policies.last().and_then(|id| set.get(id)).map(|policy| policy.limits.lifetime);
    let over = lifetime.is_some_and(|lifetime| now >= began_at.plus(lifetime));
    if over { AttemptResult::Abandoned } else { AttemptResult::Waiting }
}

/// A word of an event's detail.
pub(super) fn text<'a>(event: &'a AuditEvent, name: &str) -> Option<&'a str> {
    event.detail.get(name).and_then(Value::as_str)
}
