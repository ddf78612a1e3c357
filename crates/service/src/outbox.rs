//! Delivers the outbox: what a transaction wrote is handed to a carrier afterwards, at most once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use countersign_flow::language::Voice;
use countersign_model::{
    AuditEvent, AuditKind, AuditOutcome, FlowId, KeyedHash, OutboxId, OutboxMessage, OutboxState, Seconds, Timestamp,
};
use countersign_outbound::{Call, Carriers, Mail, Mailer, Receipt, SendError, Text};
use countersign_store::Lane;
use futures_util::StreamExt as _;
use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use url::Url;

use crate::ServiceError;
use crate::audit::{self, RequestContext};
use crate::mail_text::{MailTexts, MailValues, lifetime_in_words};
use crate::provider::Provider;
use crate::session_end;
use crate::settings::MailIdentity;
use crate::telephone::{CallTicket, REFUSED, StatusTicket};
use crate::vault::{Purpose, Vault};

/// Messages taken at once.
const BATCH: u32 = 16;
/// The channel of a message that is written only so that nobody sees whether there is somebody to send it to.
pub(crate) const NOWHERE: &str = "none";
/// How long a node may take over a batch; a message whose node died in between is never sent twice.
const LEASE: Seconds = Seconds::minutes(2);
/// A second try is made after this, a third after twice as long, and so on while the message is worth sending.
const BACKOFF: Seconds = Seconds::new(2);
/// The longest pause before another try.
const LONGEST_BACKOFF: Seconds = Seconds::minutes(5);
/// Messages that one node has in its hands at once: a slow carrier must not hold up the others.
const UNDER_WAY: usize = 48;
/// Of these, clients of ended sessions: their addresses are anybody's, and a slow one must not hold up codes.
const TELLING: usize = 8;
/// Without a wake-up, the outbox is looked at this often: messages of nodes that died, and second tries.
const IDLE: Duration = Duration::from_secs(1);

/// A message to a person, a webhook or a client. Sealed as long as it waits. What a message has no use for stays empty.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct Letter {
    /// Address, number, name of the webhook, or id of the client.
    pub(crate) to: String,
    /// Message template.
    pub(crate) template: String,
    /// Language, BCP 47.
    pub(crate) locale: String,
    /// The code; empty when it carries none.
    pub(crate) code: String,
    /// Life of the code or link in seconds.
    pub(crate) lifetime: u32,
    /// Client the person came from.
    pub(crate) application: String,
    /// The whole address of a mailed link.
    pub(crate) link: String,
    /// How to address the person; empty: "User".
    pub(crate) name: String,
    /// Brand of the client; none: the deployment's own.
    pub(crate) brand: Option<String>,
    /// What was replaced, masked.
    pub(crate) old: String,
    /// A new device in words.
    pub(crate) device: String,
    /// Of a call: what answering it proves.
    pub(crate) call: Option<CallPlan>,
    /// Of a webhook: the body, JSON. Of a client: what it is told, JSON.
    pub(crate) payload: String,
}

/// What answering a call proves.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct CallPlan {
    /// The flow that waits.
    pub(crate) flow: FlowId,
    /// Keyed hash of its seed.
    pub(crate) run: KeyedHash,
    /// The challenge to approve.
    pub(crate) challenge: u32,
    /// What proves it.
    pub(crate) voice: Voice,
}

impl Letter {
    pub(crate) fn seal(&self, vault: &Vault, id: &OutboxId) -> Result<Vec<u8>, ServiceError> {
        let plain = postcard::to_stdvec(self).map_err(|_| ServiceError::Internal("a letter did not serialize"))?;
        vault.seal(Purpose::Outbox, id.as_str().as_bytes(), &plain)
    }

    fn open(vault: &Vault, message: &OutboxMessage) -> Option<Self> {
        let plain = vault.open(Purpose::Outbox, message.id.as_str().as_bytes(), message.sealed.as_ref()?)?;
        postcard::from_bytes(&plain).ok()
    }
}

/// Everything a worker hands messages to.
pub struct Couriers {
    /// Mail.
    pub mailer: Mailer,
    /// Texts and calls.
    pub carriers: Arc<Carriers>,
    /// Names and senders of brands, by their ids; others have the deployment's own.
    pub brands: BTreeMap<String, MailIdentity>,
}

/// The worker of one node.
pub struct OutboxWorker {
    provider: Arc<Provider>,
    couriers: Couriers,
    texts: MailTexts,
    telling: Arc<Semaphore>,
}

/// What became of a message.
enum Fate {
    /// A courier took it.
    Delivered(Option<Receipt>),
    /// Nobody took it yet; when to try again.
    Later(Timestamp),
    /// It will never be sent, and whoever waits for it may be told so.
    Refused(&'static str),
    /// It will not be sent again; whether it arrived is not known.
    Lost(&'static str),
}

impl OutboxWorker {
    /// A worker that sends by `couriers`.
    pub fn new(provider: Arc<Provider>, couriers: Couriers) -> Result<Self, ServiceError> {
        Ok(Self { provider, couriers, texts: MailTexts::load()?, telling: Arc::new(Semaphore::new(TELLING)) })
    }

    /// Delivers until `stop`; what was taken by then is still delivered.
    pub async fn run(&self, stop: impl Future<Output = ()>) {
        let mut stop = std::pin::pin!(stop);
        let mut under_way = FuturesUnordered::new();
        loop {
            let mut claim = std::pin::pin!(self.claim_due(self.room(under_way.len())));
            // What is under way goes on meanwhile: it may hold the very connection that the claim waits for.
            let claimed = loop {
                tokio::select! {
                    claimed = &mut claim => break claimed,
                    Some(result) = under_way.next(), if !under_way.is_empty() => note_failure(result),
                }
            };
            let claimed = claimed.unwrap_or_else(|error| {
                tracing::warn!(%error, "the outbox could not be read");
                Vec::new()
            });
            let pause = if claimed.is_empty() { IDLE } else { Duration::ZERO };
            under_way.extend(claimed.into_iter().map(|message| self.deliver_in_lane(message)));
            let mut wake = std::pin::pin!(tokio::time::timeout(pause, self.provider.outbox.notified()));
            loop {
                tokio::select! {
                    biased;
                    () = &mut stop => {
                        while let Some(result) = under_way.next().await {
                            note_failure(result);
                        }
                        return;
                    }
                    Some(result) = under_way.next(), if !under_way.is_empty() => note_failure(result),
                    _ = &mut wake => break,
                }
            }
        }
    }

    /// Delivers what is due; tells how many messages were taken.
    pub async fn deliver_due(&self) -> Result<usize, ServiceError> {
        let claimed = self.claim_due(self.room(0)).await?;
        let taken = claimed.len();
        let delivered = join_all(claimed.into_iter().map(|message| self.deliver_in_lane(message))).await;
        delivered.into_iter().collect::<Result<(), _>>()?;
        Ok(taken)
    }

    /// Messages to others than clients that may be taken while `under_way` are: those have a lane of their own.
    fn room(&self, under_way: usize) -> usize {
        let telling = TELLING.saturating_sub(self.telling.available_permits());
        (UNDER_WAY - TELLING).saturating_sub(under_way.saturating_sub(telling))
    }

    /// Delivers a message; one to a client keeps its place in their lane until then, from now on.
    fn deliver_in_lane(&self, message: OutboxMessage) -> impl Future<Output = Result<(), ServiceError>> + '_ {
        let is_told = message.channel == session_end::CHANNEL;
        let place = is_told.then(|| Arc::clone(&self.telling).try_acquire_owned());
        async move {
            let delivered = self.deliver(&message).await;
            drop(place);
            delivered
        }
    }

    /// Takes messages that are due, at most `room` and as many to clients as their lane has places; what is past its end is given up.
    async fn claim_due(&self, room: usize) -> Result<Vec<OutboxMessage>, ServiceError> {
        let now = self.provider.clock.now();
        let limit = |room: usize| BATCH.min(u32::try_from(room).unwrap_or(BATCH));
        let lanes = [
            (Lane::WithoutThatOf(session_end::CHANNEL), limit(room)),
            (Lane::Of(session_end::CHANNEL), limit(self.telling.available_permits())),
        ];
        self.provider
            .db
            .write(async |tx| {
                self.provider.queue_logouts(tx, now).await?;
                tx.requeue_abandoned_messages(session_end::CHANNEL, now).await?;
                let overdue = tx.fail_overdue_messages(now).await?;
                let events = overdue
                    .iter()
                    .map(|message| delivery_event(message, now, &Fate::Lost("overdue")))
                    .collect::<Result<Vec<_>, _>>()?;
                tx.insert_audit_events(&events).await?;
                let mut claimed = Vec::new();
                for (lane, limit) in lanes.into_iter().filter(|(_, limit)| *limit > 0) {
                    claimed.extend(tx.claim_due_messages(now, lane, limit, LEASE).await?);
                }
                Ok::<_, ServiceError>(claimed)
            })
            .await
    }

    async fn deliver(&self, message: &OutboxMessage) -> Result<(), ServiceError> {
        let fate = self.send(message).await;
        let now = self.provider.clock.now();
        let event = delivery_event(message, now, &fate)?;
        self.provider
            .db
            .write(async |tx| {
                match &fate {
                    Fate::Later(due_at) => {
                        tx.requeue_message(&message.id, *due_at).await?;
                    }
                    Fate::Delivered(receipt) => {
                        tx.finish_message(&message.id, OutboxState::Delivered, now).await?;
                        if let Some(receipt) = receipt {
                            let reference = receipt.reference.as_deref();
                            tx.set_outbox_reference(&message.id, &receipt.carrier, reference).await?;
                        }
                    }
                    Fate::Refused(_) => {
                        tx.finish_message(&message.id, OutboxState::Failed, now).await?;
                        tx.set_outbox_status(&message.id, REFUSED).await?;
                    }
                    Fate::Lost(_) => {
                        tx.finish_message(&message.id, OutboxState::Failed, now).await?;
                    }
                }
                if message.channel != NOWHERE {
                    tx.insert_audit_events(std::slice::from_ref(&event)).await?;
                }
                Ok::<_, ServiceError>(())
            })
            .await
    }

    async fn send(&self, message: &OutboxMessage) -> Fate {
        let Some(letter) = Letter::open(&self.provider.vault, message) else { return Fate::Refused("unreadable") };
        let sent = match message.channel.as_str() {
            "email" => self.send_mail(message, &letter).await.map(|()| None),
            "sms" | "voice" if !self.provider.may_reach(&letter.to) => {
                return Fate::Refused("the number's country is not allowed");
            }
            "sms" => self.send_text(message, &letter).await.map(Some),
            "voice" => self.place_call(message, &letter).await.map(Some),
            "webhook" => self.provider.deliver_webhook(&letter.to, &letter.payload, &message.id).await.map(|()| None),
            session_end::CHANNEL => self.provider.deliver_logout(&letter.payload, &message.id).await.map(|()| None),
            // Nobody is there to be sent anything; the row alone was wanted.
            NOWHERE => return Fate::Delivered(None),
            _ => return Fate::Refused("no carrier for this channel"),
        };
        if let Err(error) = &sent {
            tracing::warn!(%error, message = %message.id, channel = message.channel, "a message was not delivered");
        }
        let (fate, outcome) = match sent {
            Ok(receipt) => (Fate::Delivered(receipt), "delivered"),
            Err(SendError::Temporary(_)) => (Fate::Later(self.next_try(message, &letter)), "later"),
            Err(SendError::Permanent(_)) => (Fate::Refused("refused by the carrier"), "failed"),
            // Sent again it could arrive twice.
            Err(SendError::Uncertain(_)) => (Fate::Lost("handed over, its arrival unknown"), "uncertain"),
        };
        metrics::counter!("countersign_sends_total", "channel" => message.channel.clone(), "outcome" => outcome)
            .increment(1);
        fate
    }

    /// When to try again; a client that is left alone is not asked before that ends.
    fn next_try(&self, message: &OutboxMessage, letter: &Letter) -> Timestamp {
        let now = self.provider.clock.now();
        let is_told = message.channel == session_end::CHANNEL;
        let left_alone = self.provider.unreachable.until(&letter.to, now).filter(|_| is_told);
        let next = now.plus(backoff(message.attempts));
        left_alone.map_or(next, |until| next.max(until))
    }

    fn identity(&self, letter: &Letter) -> &MailIdentity {
        let brand = letter.brand.as_ref().and_then(|brand| self.couriers.brands.get(brand));
        brand.unwrap_or(&self.provider.settings.mail)
    }

    async fn send_mail(&self, message: &OutboxMessage, letter: &Letter) -> Result<(), SendError> {
        let identity = self.identity(letter);
        let (lifetime, host) = (lifetime_in_words(letter.lifetime, &letter.locale), self.provider.host());
        let values = values(letter, identity, &lifetime, &host);
        let text = self.texts.render(&letter.template, &letter.locale, &values).map_err(permanent)?;
        let mail = Mail {
            id: message.id.clone(),
            from: identity.from.clone(),
            reply_to: None,
            to: letter.to.clone(),
            subject: text.subject,
            text: text.text,
            html: text.html,
            locale: letter.locale.clone(),
        };
        self.couriers.mailer.send(&mail).await
    }

    async fn send_text(&self, message: &OutboxMessage, letter: &Letter) -> Result<Receipt, SendError> {
        let (lifetime, host) = (lifetime_in_words(letter.lifetime, &letter.locale), self.provider.host());
        let values = values(letter, self.identity(letter), &lifetime, &host);
        let mut body = self.texts.say(&letter.template, &letter.locale, &values).map_err(permanent)?;
        if !letter.code.is_empty() {
            // Origin-bound one-time codes: browsers give the code to pages of this host alone.
            body = format!("{body}\n\n@{host} #{}", letter.code);
        }
        let text = Text {
            id: message.id.clone(),
            to: letter.to.clone(),
            body,
            status_callback: Some(self.status_callback(message)?),
        };
        self.couriers.carriers.send_text(&text, self.provider.clock.now()).await
    }

    async fn place_call(&self, message: &OutboxMessage, letter: &Letter) -> Result<Receipt, SendError> {
        let plan = letter.call.as_ref().ok_or_else(|| SendError::Permanent("a call without a plan".to_owned()))?;
        let ticket = CallTicket {
            message: message.id.clone(),
            flow: plan.flow,
            run: plan.run,
            challenge: plan.challenge,
            voice: plan.voice,
            code: letter.code.clone(),
            locale: letter.locale.clone(),
            company: self.identity(letter).company.clone(),
            expires_at: message.expires_at,
        };
        let ticket = ticket.seal(&self.provider.vault).map_err(permanent)?;
        let call = Call {
            id: message.id.clone(),
            to: letter.to.clone(),
            twiml_url: Url::parse(&self.provider.call_address(&ticket)).map_err(permanent)?,
            status_callback: Some(self.status_callback(message)?),
        };
        self.couriers.carriers.place_call(&call, self.provider.clock.now()).await
    }

    fn status_callback(&self, message: &OutboxMessage) -> Result<Url, SendError> {
        let ticket = StatusTicket { message: message.id.clone() };
        let ticket = ticket.seal(&self.provider.vault).map_err(permanent)?;
        Url::parse(&self.provider.status_address(&ticket)).map_err(permanent)
    }
}

impl Provider {
    /// Host of the issuer, without its port.
    pub(crate) fn host(&self) -> String {
        let issuer = Url::parse(self.settings.issuer.as_str()).ok();
        issuer.and_then(|issuer| issuer.host_str().map(str::to_owned)).unwrap_or_default()
    }
}

fn values<'a>(letter: &'a Letter, identity: &'a MailIdentity, lifetime: &'a str, host: &'a str) -> MailValues<'a> {
    MailValues {
        company: &identity.company,
        product: &identity.product,
        // A link is opened without an application, and one that registered itself names itself as it likes.
        application: if letter.application.is_empty() { &identity.product } else { &letter.application },
        name: &letter.name,
        code: &letter.code,
        lifetime,
        link: &letter.link,
        old: &letter.old,
        device: &letter.device,
        host,
        ..MailValues::default()
    }
}

fn permanent(error: impl std::fmt::Display) -> SendError {
    SendError::Permanent(error.to_string())
}

fn note_failure(result: Result<(), ServiceError>) {
    if let Err(error) = result {
        tracing::warn!(%error, "what became of a message could not be written");
    }
}

/// Twice as long after each try.
fn backoff(attempts: u32) -> Seconds {
    let doubled = BACKOFF.get().saturating_mul(1_u32.checked_shl(attempts.saturating_sub(1)).unwrap_or(u32::MAX));
    Seconds::new(doubled.min(LONGEST_BACKOFF.get()))
}

fn delivery_event(message: &OutboxMessage, now: Timestamp, fate: &Fate) -> Result<AuditEvent, ServiceError> {
    let (kind, outcome, state) = match fate {
        Fate::Delivered(_) => (AuditKind::SendDelivered, AuditOutcome::Success, "handed over"),
        Fate::Later(_) => (AuditKind::SendFailed, AuditOutcome::Failure, "will be tried again"),
        Fate::Refused(why) | Fate::Lost(why) => (AuditKind::SendFailed, AuditOutcome::Failure, *why),
    };
    let mut event = audit::event(&RequestContext::default(), now, kind, outcome)?
        .subject(message.subject.as_ref())
        .detail("channel", message.channel.as_str())
        .detail("message", message.id.as_str())
        .detail("state", state);
    if let Fate::Delivered(Some(receipt)) = fate {
        event = event.detail("carrier", receipt.carrier.as_str());
    }
    let mut event = event.build();
    event.flow.clone_from(&message.flow);
    Ok(event)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_between_tries_double_up_to_five_minutes() {
        let pauses: Vec<u32> = [1, 2, 3, 4, 9, 40].map(|attempts| backoff(attempts).get()).to_vec();
        assert_eq!(pauses, [2, 4, 8, 16, 300, 300]);
    }
}
