//! What the machine asks to be done, as rows: messages, events, what is forgotten, what is spent.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_flow::Effect;
use countersign_flow::language::Channel;
use countersign_model::{
    AuditEvent, AuditKind, AuditOutcome, FactorKind, KeyedHash, OutboxId, OutboxMessage, OutboxState, Timestamp,
};
use countersign_store::Tx;

use crate::ServiceError;
use crate::audit;
use crate::clock::random;
use crate::flow::Visit;
use crate::outbox::Letter;
use crate::provider::Provider;

impl Provider {
    /// The effects of a step that does not end the flow, in one transaction.
    pub(crate) async fn apply(
        &self,
        visit: &Visit<'_>,
        effects: &[Effect],
        now: Timestamp,
    ) -> Result<(), ServiceError> {
        let prepared = self.prepare(visit, effects, now)?;
        if prepared.is_empty() {
            return Ok(());
        }
        let result = self.db.write(async |tx| prepared.write(tx).await).await;
        self.outbox.notify_one();
        result
    }

    /// Turns what the machine asked for into rows.
    pub(crate) fn prepare(
        &self,
        visit: &Visit<'_>,
        effects: &[Effect],
        now: Timestamp,
    ) -> Result<PreparedEffects, ServiceError> {
        let mut prepared = PreparedEffects {
            browser: visit.signed_in.session.as_ref().map(|session| session.token),
            ..Default::default()
        };
        for effect in effects {
            match effect {
                Effect::Send { label, channel, template, to, code, expires_at } => {
                    let letter = Self::letter(visit, template, to, code, *expires_at, now);
                    prepared.sends.push(self.send(visit, label, *channel, &letter, *expires_at, now)?);
                }
                Effect::Audit { kind, outcome, subject, detail } if !is_told_elsewhere(*kind, *outcome) => {
                    let event = audit::event(visit.context, now, *kind, *outcome)?
                        .subject(subject.as_ref())
                        .client(&visit.client.id)
                        .flow(visit.flow)
                        .details(detail.clone());
                    prepared.events.push(event.build());
                }
                Effect::ForgetRemembered { policy } => {
                    let event = audit::event(visit.context, now, AuditKind::LoginForgotten, AuditOutcome::Success)?
                        .client(&visit.client.id)
                        .flow(visit.flow)
                        .detail("policy", policy.as_str())
                        .build();
                    prepared.forgets.push((policy.clone(), event));
                }
                Effect::SpendTotpStep { user, step } => prepared.totp_steps.push((user.clone(), *step)),
                // Short-lived: set back after the transaction.
                Effect::ResetCounter(_) | Effect::Audit { .. } => {}
            }
        }
        Ok(prepared)
    }

    fn letter(
        visit: &Visit<'_>,
        template: &str,
        to: &str,
        code: &str,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Letter {
        Letter {
            to: to.to_owned(),
            template: template.to_owned(),
            locale: visit.locale.to_owned(),
            code: code.to_owned(),
            lifetime: u32::try_from(expires_at.millis_since(now) / 1000).unwrap_or_default(),
            application: visit.client.name.clone(),
        }
    }

    fn send(
        &self,
        visit: &Visit<'_>,
        label: &str,
        channel: Channel,
        letter: &Letter,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Result<(OutboxMessage, AuditEvent), ServiceError> {
        let id = OutboxId::new(now, random()?);
        let channel = match channel {
            Channel::Email => "email",
            Channel::Sms => "sms",
            Channel::Voice => "voice",
        };
        let sealed = letter.seal(&self.vault, &id)?;
        let event = audit::event(visit.context, now, AuditKind::SendQueued, AuditOutcome::Success)?
            .client(&visit.client.id)
            .flow(visit.flow)
            .detail("channel", channel)
            .detail("template", letter.template.as_str())
            .detail("message", id.as_str())
            .build();
        let message = OutboxMessage {
            idempotency_key: format!("{}/{label}", URL_SAFE_NO_PAD.encode(visit.seed)),
            channel: channel.to_owned(),
            sealed: Some(sealed),
            state: OutboxState::Queued,
            attempts: 0,
            created_at: now,
            due_at: now,
            expires_at,
            id,
        };
        Ok((message, event))
    }
}

/// Whether an event is written elsewhere in this crate, with what the machine cannot know: the grant, the message.
fn is_told_elsewhere(kind: AuditKind, outcome: AuditOutcome) -> bool {
    outcome == AuditOutcome::Success
        && matches!(kind, AuditKind::Login | AuditKind::SilentLogin | AuditKind::SendQueued)
}

/// Effects as rows. Writing them twice changes nothing more, but for the audit, which tells of both tries.
#[derive(Default)]
pub(crate) struct PreparedEffects {
    browser: Option<KeyedHash>,
    sends: Vec<(OutboxMessage, AuditEvent)>,
    pub(crate) events: Vec<AuditEvent>,
    forgets: Vec<(String, AuditEvent)>,
    totp_steps: Vec<(countersign_model::UserId, i64)>,
}

impl PreparedEffects {
    fn is_empty(&self) -> bool {
        self.sends.is_empty() && self.events.is_empty() && self.forgets.is_empty() && self.totp_steps.is_empty()
    }

    pub(crate) async fn write(&self, tx: &mut Tx) -> Result<(), ServiceError> {
        let mut events = self.events.clone();
        for (message, event) in &self.sends {
            if tx.insert_outbox_message(message).await? {
                events.push(event.clone());
            }
        }
        for (policy, event) in &self.forgets {
            if let Some(browser) = &self.browser
                && tx.delete_remembered_login(browser, policy).await?
            {
                events.push(event.clone());
            }
        }
        for (user, step) in &self.totp_steps {
            // Another request spent this very code first: nothing of this one may stand.
            let account = tx.find_account(user).await?;
            let factor =
                account.as_ref().and_then(|account| account.factor(FactorKind::Totp)).ok_or(ServiceError::Lost)?;
            if !tx.spend_totp_step(&factor.id, *step).await? {
                return Err(ServiceError::Lost);
            }
        }
        tx.insert_audit_events(&events).await?;
        Ok(())
    }
}
