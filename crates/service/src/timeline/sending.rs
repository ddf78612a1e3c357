//! A mail, text or call of an attempt: how far it came.

use std::collections::BTreeMap;

use countersign_model::{AuditEvent, AuditKind, OutboxId, OutboxMessage, OutboxState, Timestamp};

use super::attempt::text;
use crate::telephone::REFUSED;

/// A mail, text or call.
#[derive(Clone, Debug)]
pub struct Sending {
    /// When it was written.
    pub at: Timestamp,
    /// `email`, `sms`, `voice` or `webhook`; `none`: only pretended.
    pub channel: String,
    /// Message template.
    pub template: Option<String>,
    /// `queued`, `claimed`, `delivered` or `failed`; none: its row is gone.
    pub state: Option<&'static str>,
    /// What the carrier reported, in its own word.
    pub status: Option<String>,
    /// Carrier that took it.
    pub carrier: Option<String>,
    /// How often a carrier was tried.
    pub attempts: u32,
    /// Whether it is known not to arrive.
    pub lost: bool,
    /// All that in a sentence.
    pub line: String,
}

/// The message an event speaks of.
pub(super) fn message_of(event: &AuditEvent) -> Option<OutboxId> {
    text(event, "message")?.parse().ok()
}

/// The messages of some events, oldest first.
pub(super) fn list_sendings(events: &[&AuditEvent], messages: &BTreeMap<OutboxId, OutboxMessage>) -> Vec<Sending> {
    let mut told: BTreeMap<OutboxId, Vec<&AuditEvent>> = BTreeMap::new();
    for event in events.iter().filter(|event| is_of_a_send(event.kind)) {
        if let Some(id) = message_of(event) {
            told.entry(id).or_default().push(event);
        }
    }
    // Ids are ordered by time.
    told.into_iter().filter_map(|(id, events)| Sending::of(&events, messages.get(&id))).collect()
}

pub(super) const fn is_of_a_send(kind: AuditKind) -> bool {
    use AuditKind as Kind;
    matches!(kind, Kind::SendQueued | Kind::SendDelivered | Kind::SendFailed | Kind::DeliveryStatus)
}

impl Sending {
    fn of(events: &[&AuditEvent], message: Option<&OutboxMessage>) -> Option<Self> {
        let (first, last) = (events.first()?, events.last()?);
        let word = |name: &str| events.iter().rev().find_map(|event| text(event, name)).map(str::to_owned);
        let said = last.detail.get("state").and_then(serde_json::Value::as_str).unwrap_or_default();
        let mut sending = Self {
            at: first.at,
            channel: word("channel").unwrap_or_default(),
            template: word("template"),
            state: None,
            status: None,
            carrier: word("carrier"),
            attempts: 0,
            lost: false,
            line: String::new(),
        };
        if let Some(message) = message {
            sending.at = message.created_at;
            sending.state = Some(message.state.as_str());
            sending.status.clone_from(&message.status);
            sending.attempts = message.attempts;
        }
        let fate = sending.tell_fate(message.map(|message| message.state), said);
        sending.line = format!("{}: {fate}", sending.name());
        Some(sending)
    }

    fn name(&self) -> String {
        let kind = match self.channel.as_str() {
            "email" => "Mail",
            "sms" => "Text message",
            "voice" => "Call",
            "webhook" => "Webhook",
            "logout" => "Logout told to the application",
            _ => return "Nothing was sent".to_owned(),
        };
        match &self.template {
            Some(template) => format!("{kind} `{template}`"),
            None => kind.to_owned(),
        }
    }

    fn tell_fate(&mut self, state: Option<OutboxState>, said: &str) -> String {
        if self.channel == "none" {
            return "what was typed is not on file of any account that may have it; the page says the same either way"
                .to_owned();
        }
        let carrier = self.carrier.clone().unwrap_or_else(|| "the mail server".to_owned());
        match (state, self.status.as_deref()) {
            (Some(OutboxState::Queued), _) if self.attempts > 0 => {
                format!("not taken yet after {} tries; it is tried again by itself", self.attempts)
            }
            (Some(OutboxState::Queued), _) => "waits to be handed over; does `serve` run?".to_owned(),
            (Some(OutboxState::Claimed), _) => "is being handed over".to_owned(),
            (_, Some(REFUSED)) => self.mark_lost(if said.is_empty() { "refused by the carrier" } else { said }),
            (_, Some(status @ ("failed" | "undelivered" | "canceled"))) => {
                self.mark_lost(&format!("{carrier} took it, then reported `{status}`: it did not arrive"))
            }
            (_, Some(status @ ("busy" | "no-answer"))) => self.mark_lost(&format!("{carrier} reported `{status}`")),
            (_, Some(status)) => format!("{carrier} took it and reported `{status}`"),
            (Some(OutboxState::Delivered), None) => format!("{carrier} took it; nothing more is known"),
            (Some(OutboxState::Failed), None) => {
                self.mark_lost(if said.is_empty() { "it was not delivered" } else { said })
            }
            (None, None) if said.is_empty() => "it was queued; its row is gone by now".to_owned(),
            (None, None) => said.to_owned(),
        }
    }

    fn mark_lost(&mut self, why: &str) -> String {
        self.lost = true;
        why.to_owned()
    }
}
