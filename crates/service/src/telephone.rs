//! Calls: what they say, which keys approve a challenge, and what carriers report.

mod ticket;
mod twiml;

use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_flow::language::Voice;
use countersign_model::{
    AuditEvent, AuditKind, AuditOutcome, KeyedHash, OutboxMessage, OutboxState, Seconds, Timestamp,
};
use countersign_outbound::{Callback, Carriers};
use countersign_store::{Charged, CounterLimit};

use crate::ServiceError;
use crate::audit::{self, RequestContext};
use crate::mail_text::{MailTexts, MailValues};
use crate::provider::Provider;
use crate::vault::Purpose;
pub(crate) use ticket::{CallTicket, StatusTicket};
use twiml::{Keys, Script};

/// Wrong answers after which a call ends.
const TRIES: u32 = 3;
/// Longer than any call: wrong answers of one are counted for so long.
const CALL: Seconds = Seconds::hours(1);

/// The worker's own word for a message that every carrier refused for good.
pub(crate) const REFUSED: &str = "refused";
/// States a carrier reports on the way, and whether the person was reached in those that are final.
const STATES: [(&str, Option<bool>); 14] = [
    ("accepted", None),
    ("queued", None),
    ("initiated", None),
    ("sending", None),
    ("sent", None),
    ("ringing", None),
    ("in-progress", None),
    ("delivered", Some(true)),
    ("completed", Some(true)),
    ("undelivered", Some(false)),
    ("failed", Some(false)),
    ("busy", Some(false)),
    ("no-answer", Some(false)),
    ("canceled", Some(false)),
];

/// A carrier's request, as it came.
pub struct CarrierCall<'a> {
    /// The ticket in its address.
    pub ticket: &'a str,
    /// What it brought, with its signature.
    pub callback: &'a Callback,
    /// Where it came from.
    pub context: &'a RequestContext,
}

impl CarrierCall<'_> {
    fn parameter(&self, name: &str) -> Option<&str> {
        self.callback.params.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// Answers the carriers' requests of one node.
pub struct Switchboard {
    provider: Arc<Provider>,
    carriers: Arc<Carriers>,
    texts: MailTexts,
}

impl Switchboard {
    /// Heeds `carriers` alone.
    pub fn new(provider: Arc<Provider>, carriers: Arc<Carriers>) -> Result<Self, ServiceError> {
        Ok(Self { provider, carriers, texts: MailTexts::load()? })
    }

    /// What somebody who took a call hears first; none when no carrier of ours asks.
    pub async fn begin_call(&self, call: CarrierCall<'_>) -> Result<Option<String>, ServiceError> {
        let Some(ticket) = self.open_call(&call) else { return Ok(None) };
        let speech = Speech { texts: &self.texts, ticket: &ticket };
        if self.provider.is_outdated(&ticket).await? {
            return speech.last("out_of_date").map(Some);
        }
        speech.ask(None, &self.provider.answer_address(call.ticket)).map(Some)
    }

    /// What follows the keys that were pressed; none when no carrier of ours asks.
    pub async fn answer_call(&self, call: CarrierCall<'_>) -> Result<Option<String>, ServiceError> {
        let Some(ticket) = self.open_call(&call) else { return Ok(None) };
        let speech = Speech { texts: &self.texts, ticket: &ticket };
        if self.provider.is_outdated(&ticket).await? {
            return speech.last("out_of_date").map(Some);
        }
        let Charged::Allowed { count } = self.provider.charge_answer(&ticket).await? else {
            return speech.last("too_many").map(Some);
        };
        let right = is_right(&ticket, call.parameter("Digits").unwrap_or_default());
        if right && !self.provider.short_lived.approve(ticket.flow, ticket.challenge).await? {
            return speech.last("out_of_date").map(Some);
        }
        self.provider.note_answer(&call, &ticket, right).await?;
        let wrong = if ticket.voice == Voice::PressHash { "wrong_key" } else { "wrong_digits" };
        let script = if right {
            speech.last("approved")
        } else if count >= TRIES {
            speech.last("too_many")
        } else {
            speech.ask(Some(wrong), &self.provider.answer_address(call.ticket))
        };
        script.map(Some)
    }

    /// Takes a carrier's word on what became of a text or call: false when no carrier of ours speaks.
    pub async fn note_delivery(&self, call: CarrierCall<'_>) -> Result<bool, ServiceError> {
        let now = self.provider.clock.now();
        let ticket = StatusTicket::open(&self.provider.vault, call.ticket);
        let Some(ticket) = ticket.filter(|_| self.carriers.is_genuine(call.callback, now)) else { return Ok(false) };
        let word = call.parameter("MessageStatus").or_else(|| call.parameter("CallStatus")).unwrap_or_default();
        let Some((status, reached)) = STATES.into_iter().find(|(state, _)| *state == word) else { return Ok(true) };
        self.provider
            .db
            .write(async |tx| {
                let changed = tx.set_outbox_status(&ticket.message, status).await?;
                if let Some((message, reached)) = changed.as_ref().zip(reached) {
                    let event = reported(message, status, reached, call.context, now)?;
                    tx.insert_audit_events(&[event]).await?;
                }
                Ok::<_, ServiceError>(())
            })
            .await?;
        Ok(true)
    }

    /// A ticket of ours, in a request that a carrier of ours signed.
    fn open_call(&self, call: &CarrierCall<'_>) -> Option<CallTicket> {
        let ticket = CallTicket::open(&self.provider.vault, call.ticket)?;
        self.carriers.is_genuine(call.callback, self.provider.clock.now()).then_some(ticket)
    }
}

/// What a carrier reported, for the audit.
fn reported(
    message: &OutboxMessage,
    status: &str,
    reached: bool,
    context: &RequestContext,
    now: Timestamp,
) -> Result<AuditEvent, ServiceError> {
    let kind = if reached { AuditKind::SendDelivered } else { AuditKind::SendFailed };
    let outcome = if reached { AuditOutcome::Success } else { AuditOutcome::Failure };
    Ok(audit::event(context, now, kind, outcome)?
        .subject(message.subject.as_ref())
        .detail("channel", message.channel.as_str())
        .detail("message", message.id.as_str())
        .detail("state", status)
        .build())
}

impl Provider {
    /// Whether the message that the effect `label` of a flow queued will never arrive.
    pub(crate) async fn is_undeliverable(&self, seed: &[u8; 16], label: &str) -> Result<bool, ServiceError> {
        let key = format!("{}/{label}", URL_SAFE_NO_PAD.encode(seed));
        let found = self.db.read(async |tx| tx.find_outbox_message_by_key(&key).await).await?;
        Ok(found.is_some_and(|message| {
            let refused = message.state == OutboxState::Failed && message.status.as_deref() == Some(REFUSED);
            refused || matches!(message.status.as_deref(), Some("failed" | "undelivered"))
        }))
    }

    /// Whether the code is past its life, or the page waits for another call by now.
    async fn is_outdated(&self, ticket: &CallTicket) -> Result<bool, ServiceError> {
        if self.clock.now() >= ticket.expires_at {
            return Ok(true);
        }
        let waiting =
            self.find_waiting(ticket.flow).await?.filter(|waiting| self.hash_run(&waiting.seed) == ticket.run);
        Ok(match ticket.voice {
            // A code that is read out is typed on the page: reading it approves nothing.
            Voice::ReadCode => waiting.is_none(),
            _ => waiting.and_then(|waiting| waiting.call) != Some(ticket.challenge),
        })
    }

    /// A run of a flow, as tickets name it.
    pub(crate) fn hash_run(&self, seed: &[u8; 16]) -> KeyedHash {
        self.vault.hash(Purpose::Telephone, seed)
    }

    /// Counts an answer of a call, over all nodes and whatever the carrier repeats.
    async fn charge_answer(&self, ticket: &CallTicket) -> Result<Charged, ServiceError> {
        let key = self.counter_name("call", "answers", ticket.message.as_str());
        let limit = CounterLimit { allowed: TRIES, window: CALL, lock: None };
        Ok(self.short_lived.charge(&key, &[], &limit).await?)
    }

    async fn note_answer(&self, call: &CarrierCall<'_>, ticket: &CallTicket, right: bool) -> Result<(), ServiceError> {
        let outcome = if right { AuditOutcome::Success } else { AuditOutcome::Failure };
        let event = audit::event(call.context, self.clock.now(), AuditKind::CallAnswered, outcome)?
            .flow(ticket.flow)
            .detail("message", ticket.message.as_str())
            .detail("voice", ticket.voice.as_str())
            .build();
        self.write_events(&[event]).await
    }

    fn answer_address(&self, ticket: &str) -> String {
        format!("{}/answer", self.call_address(ticket))
    }

    /// Where a carrier asks what to say in a call.
    pub(crate) fn call_address(&self, ticket: &str) -> String {
        format!("{}/telephone/voice/{ticket}", self.settings.issuer.as_str().trim_end_matches('/'))
    }

    /// Where a carrier reports what became of a text or call.
    pub(crate) fn status_address(&self, ticket: &str) -> String {
        format!("{}/telephone/status/{ticket}", self.settings.issuer.as_str().trim_end_matches('/'))
    }
}

/// Whether the keys are what the call asked for. Takes the same time whatever digits are wrong.
fn is_right(ticket: &CallTicket, keys: &str) -> bool {
    match ticket.voice {
        Voice::PressHash => keys == "#",
        Voice::KeypadMatch => {
            !ticket.code.is_empty() && verify_slices_are_equal(keys.as_bytes(), ticket.code.as_bytes()).is_ok()
        }
        // Nothing that is pressed proves it: the code is typed on the page.
        Voice::ReadCode => false,
    }
}

/// The words of one call.
struct Speech<'a> {
    texts: &'a MailTexts,
    ticket: &'a CallTicket,
}

impl Speech<'_> {
    fn text(&self, key: &str) -> Result<String, ServiceError> {
        // One digit after the other, with a stop between them: spoken slowly.
        let code: Vec<String> = self.ticket.code.chars().map(String::from).collect();
        let values = MailValues {
            company: &self.ticket.company,
            code: &code.join(". "),
            digits: self.ticket.code.len(),
            ..MailValues::default()
        };
        self.texts.say(key, &self.ticket.locale, &values)
    }

    fn script(&self) -> Script {
        Script::new(&self.ticket.locale)
    }

    /// One sentence and the end.
    fn last(&self, key: &str) -> Result<String, ServiceError> {
        Ok(self.script().say(&self.text(key)?).end())
    }

    /// The question, twice, after what was wrong with the last answer.
    fn ask(&self, wrong: Option<&str>, action: &str) -> Result<String, ServiceError> {
        let (keys, question) = match self.ticket.voice {
            Voice::PressHash => (Keys::One, "press_hash"),
            Voice::KeypadMatch => (Keys::Digits(self.ticket.code.len()), "keypad_match"),
            Voice::ReadCode => return self.read_code(),
        };
        let mut script = self.script();
        if let Some(wrong) = wrong {
            script = script.say(&self.text(wrong)?);
        }
        let question = self.text(question)?;
        script = script.gather(keys, action, &question).gather(keys, action, &question);
        Ok(script.say(&self.text("no_answer")?).end())
    }

    fn read_code(&self) -> Result<String, ServiceError> {
        Ok(self.script().say(&self.text("read_code")?).pause().say(&self.text("repeat_code")?).end())
    }
}
