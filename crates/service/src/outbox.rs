//! Delivers the outbox: what a transaction wrote is handed to a carrier afterwards, at most once.

use std::sync::Arc;
use std::time::Duration;

use countersign_model::{AuditKind, AuditOutcome, OutboxId, OutboxMessage, OutboxState, Seconds, Timestamp};
use countersign_outbound::{Mail, Mailer, SendError};
use serde::{Deserialize, Serialize};

use crate::ServiceError;
use crate::audit::{self, RequestContext};
use crate::mail_text::{MailTexts, MailValues, lifetime_in_words};
use crate::provider::Provider;
use crate::vault::{Purpose, Vault};

/// Messages taken at once.
const BATCH: u32 = 16;
/// How long a node may take over a batch; a message whose node died in between is never sent twice.
const LEASE: Seconds = Seconds::minutes(2);
/// A second try is made after this, a third after twice as long, and so on while the message is worth sending.
const BACKOFF: Seconds = Seconds::new(2);
/// Without a wake-up, the outbox is looked at this often: messages of nodes that died, and second tries.
const IDLE: Duration = Duration::from_secs(1);

/// A message to a person. Sealed as long as it waits.
#[derive(Serialize, Deserialize)]
pub(crate) struct Letter {
    pub(crate) to: String,
    pub(crate) template: String,
    pub(crate) locale: String,
    pub(crate) code: String,
    /// Life of the code in seconds.
    pub(crate) lifetime: u32,
    /// Client the person came from.
    pub(crate) application: String,
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

/// The worker of one node.
pub struct OutboxWorker {
    provider: Arc<Provider>,
    mailer: Mailer,
    texts: MailTexts,
}

/// What became of a message.
enum Fate {
    Delivered,
    Later,
    Failed(&'static str),
}

impl OutboxWorker {
    /// A worker that sends by `mailer`.
    pub fn new(provider: Arc<Provider>, mailer: Mailer) -> Result<Self, ServiceError> {
        Ok(Self { provider, mailer, texts: MailTexts::load()? })
    }

    /// Delivers until `stop`; what was taken by then is still delivered.
    pub async fn run(&self, stop: impl Future<Output = ()>) {
        let mut stop = std::pin::pin!(stop);
        loop {
            let pause = match self.deliver_due().await {
                Ok(0) => IDLE,
                Ok(_) => Duration::ZERO,
                Err(error) => {
                    tracing::warn!(%error, "the outbox could not be read");
                    IDLE
                }
            };
            tokio::select! {
                biased;
                () = &mut stop => return,
                _ = tokio::time::timeout(pause, self.provider.outbox.notified()) => {}
            }
        }
    }

    /// Delivers what is due; tells how many messages were taken.
    pub async fn deliver_due(&self) -> Result<usize, ServiceError> {
        let now = self.provider.clock.now();
        let claimed = self
            .provider
            .db
            .write(async |tx| {
                let overdue = tx.fail_overdue_messages(now).await?;
                let events = overdue
                    .iter()
                    .map(|message| delivery_event(message, now, &Fate::Failed("overdue")))
                    .collect::<Result<Vec<_>, _>>()?;
                tx.insert_audit_events(&events).await?;
                Ok::<_, ServiceError>(tx.claim_due_messages(now, BATCH, LEASE).await?)
            })
            .await?;
        let deliveries = claimed.iter().map(|message| self.deliver(message));
        for result in futures_util::future::join_all(deliveries).await {
            result?;
        }
        Ok(claimed.len())
    }

    async fn deliver(&self, message: &OutboxMessage) -> Result<(), ServiceError> {
        let fate = self.send(message).await;
        let now = self.provider.clock.now();
        let event = delivery_event(message, now, &fate)?;
        self.provider
            .db
            .write(async |tx| {
                match &fate {
                    Fate::Later => {
                        let wait = BACKOFF.get().saturating_mul(message.attempts.max(1));
                        tx.requeue_message(&message.id, now.plus(Seconds::new(wait))).await?;
                    }
                    Fate::Delivered => {
                        tx.finish_message(&message.id, OutboxState::Delivered, now).await?;
                    }
                    Fate::Failed(_) => {
                        tx.finish_message(&message.id, OutboxState::Failed, now).await?;
                    }
                }
                tx.insert_audit_events(std::slice::from_ref(&event)).await?;
                Ok::<_, ServiceError>(())
            })
            .await
    }

    async fn send(&self, message: &OutboxMessage) -> Fate {
        let Some(letter) = Letter::open(&self.provider.vault, message) else { return Fate::Failed("unreadable") };
        let sent = match message.channel.as_str() {
            "email" => self.send_mail(message, &letter).await,
            _ => return Fate::Failed("no carrier for this channel"),
        };
        if let Err(error) = &sent {
            tracing::warn!(%error, message = %message.id, "a message was not delivered");
        }
        let (fate, outcome) = match sent {
            Ok(()) => (Fate::Delivered, "delivered"),
            Err(SendError::Temporary(_)) => (Fate::Later, "later"),
            Err(SendError::Permanent(_)) => (Fate::Failed("refused by the carrier"), "failed"),
            // Sent again it could arrive twice.
            Err(SendError::Uncertain(_)) => (Fate::Failed("handed over, its arrival unknown"), "uncertain"),
        };
        metrics::counter!("countersign_sends_total", "channel" => message.channel.clone(), "outcome" => outcome)
            .increment(1);
        fate
    }

    async fn send_mail(&self, message: &OutboxMessage, letter: &Letter) -> Result<(), SendError> {
        let identity = &self.provider.settings.mail;
        let values = MailValues {
            company: &identity.company,
            product: &identity.product,
            application: &letter.application,
            code: &letter.code,
            lifetime: &lifetime_in_words(letter.lifetime, &letter.locale),
        };
        let text = self
            .texts
            .render(&letter.template, &letter.locale, &values)
            .map_err(|error| SendError::Permanent(error.to_string()))?;
        let mail = Mail {
            id: message.id.clone(),
            from: None,
            to: letter.to.clone(),
            subject: text.subject,
            text: text.text,
            html: text.html,
            locale: letter.locale.clone(),
        };
        self.mailer.send(&mail).await
    }
}

fn delivery_event(
    message: &OutboxMessage,
    now: Timestamp,
    fate: &Fate,
) -> Result<countersign_model::AuditEvent, ServiceError> {
    let (kind, outcome, state) = match fate {
        Fate::Delivered => (AuditKind::SendDelivered, AuditOutcome::Success, "delivered"),
        Fate::Later => (AuditKind::SendFailed, AuditOutcome::Failure, "will be tried again"),
        Fate::Failed(why) => (AuditKind::SendFailed, AuditOutcome::Failure, *why),
    };
    Ok(audit::event(&RequestContext::default(), now, kind, outcome)?
        .detail("channel", message.channel.as_str())
        .detail("message", message.id.as_str())
        .detail("state", state)
        .build())
}
