//! What is sent, as rows of the outbox: codes, notices, links, and what only pretends to be sent.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_flow::language::Channel;
use countersign_flow::{Call, Effect};
use countersign_model::{
    AuditEvent, AuditKind, AuditOutcome, Link, OutboxId, OutboxMessage, OutboxState, Seconds, Timestamp, UserId,
};
use secrecy::ExposeSecret as _;

use crate::ServiceError;
use crate::audit;
use crate::clock::random;
use crate::effects::{Preparation, Row, mailbox_of};
use crate::flow::Visit;
use crate::outbox::{CallPlan, Letter};
use crate::provider::Provider;

/// How long a notice is worth sending.
pub(crate) const NOTICE_LIFE: Seconds = Seconds::hours(24);
/// The notice that the number before gets as well: by the mailbox alone, who took it over would hear of it alone.
const PHONE_CHANGED: &str = "phone_changed";

impl Provider {
    /// Turns what is to be sent into a row of the outbox.
    pub(crate) fn prepare_message(
        &self,
        preparation: &mut Preparation<'_>,
        effect: &Effect,
    ) -> Result<(), ServiceError> {
        match effect {
            Effect::Send { label, channel, template, to, code, call, expires_at } => {
                let visit = preparation.visit;
                let letter = Letter {
                    to: to.clone(),
                    code: code.clone().unwrap_or_default(),
                    call: call.as_ref().map(|call| self.call_plan(visit, *call)),
                    ..preparation.letter(template, None, *expires_at)
                };
                self.push_message(preparation, label, channel_word(*channel), &letter, None, *expires_at)
            }
            Effect::Pretend { label, channel, expires_at } => {
                let template = channel_word(*channel);
                let letter = preparation.letter(template, None, *expires_at);
                self.push_message(preparation, label, "none", &letter, None, *expires_at)
            }
            Effect::Notify { user, label, template } => self.prepare_notice(preparation, user, label, template),
            Effect::Warn { label, template, to } => {
                let until = preparation.now.plus(NOTICE_LIFE);
                let letter = Letter { to: to.clone(), ..preparation.letter(template, None, until) };
                let (message, event) =
                    self.message(preparation.visit, label, "email", &letter, None, until, preparation.now)?;
                // Of nobody: who typed the address must not find it in what is held on them.
                let message = OutboxMessage { subject: None, ..message };
                preparation.rows.push(Row::Send(message, AuditEvent { subject: None, ..event }));
                Ok(())
            }
            Effect::SendLink { user, label, policy, template, ttl } => {
                self.prepare_link(preparation, user, label, (policy, template), *ttl)
            }
            _ => Ok(()),
        }
    }

    /// A notice to the mailbox a person had before, and to the phone that another one takes the place of; whom no mail
    /// reaches gets a row that goes nowhere.
    fn prepare_notice(
        &self,
        preparation: &mut Preparation<'_>,
        user: &UserId,
        label: &str,
        template: &str,
    ) -> Result<(), ServiceError> {
        let until = preparation.now.plus(NOTICE_LIFE);
        let own = preparation.people.get(user).and_then(mailbox_of);
        let channel = if own.is_some() { "email" } else { "none" };
        let letter = Letter { to: own.unwrap_or_default(), ..preparation.letter(template, Some(user), until) };
        self.push_message(preparation, label, channel, &letter, Some(user), until)?;
        let Some(phone) = preparation.old_phone.clone().filter(|_| template == PHONE_CHANGED) else { return Ok(()) };
        let letter = Letter { to: phone, ..letter };
        self.push_message(preparation, &format!("{label}/phone"), "sms", &letter, Some(user), until)
    }

    fn prepare_link(
        &self,
        preparation: &mut Preparation<'_>,
        user: &UserId,
        label: &str,
        (policy, template): (&str, &str),
        ttl: Seconds,
    ) -> Result<(), ServiceError> {
        let (visit, now) = (preparation.visit, preparation.now);
        let expires_at = now.plus(ttl);
        let Some(to) = preparation.people.get(user).and_then(mailbox_of) else {
            let letter = preparation.letter(template, None, expires_at);
            return self.push_message(preparation, label, "none", &letter, Some(user), expires_at);
        };
        let token = self.derive_link_token(&visit.seed, label);
        let hash = self.hash_link_token(&token);
        let link = Link {
            hash,
            policy: policy.to_owned(),
            user: user.clone(),
            client: visit.client.map(|client| client.id.clone()),
            request: self.seal_request(&hash, visit)?,
            locale: visit.locale.to_owned(),
            created_at: now,
            expires_at,
            consumed_at: None,
            revoked_at: None,
        };
        let address = self.absolute(&format!("/link/{}", token.expose_secret()));
        let letter = Letter { to, link: address, ..preparation.letter(template, Some(user), expires_at) };
        let (message, queued) = self.message(visit, label, "email", &letter, Some(user), expires_at, now)?;
        let sent = preparation.event(AuditKind::LinkSent, Some(user))?.detail("policy", policy).build();
        preparation.rows.push(Row::Link(Box::new(link), message, queued));
        preparation.rows.push(Row::Event(sent));
        Ok(())
    }

    fn call_plan(&self, visit: &Visit<'_>, call: Call) -> CallPlan {
        CallPlan { flow: visit.flow, run: self.hash_run(&visit.seed), challenge: call.challenge, voice: call.voice }
    }

    pub(crate) fn push_message(
        &self,
        preparation: &mut Preparation<'_>,
        label: &str,
        channel: &'static str,
        letter: &Letter,
        subject: Option<&UserId>,
        expires_at: Timestamp,
    ) -> Result<(), ServiceError> {
        let (visit, now) = (preparation.visit, preparation.now);
        let (message, event) = self.message(visit, label, channel, letter, subject, expires_at, now)?;
        preparation.rows.push(Row::Send(message, event));
        Ok(())
    }

    /// A row of the outbox and the event that tells of it.
    #[expect(clippy::too_many_arguments, reason = "a message is that much")]
    pub(crate) fn message(
        &self,
        visit: &Visit<'_>,
        label: &str,
        channel: &'static str,
        letter: &Letter,
        subject: Option<&UserId>,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Result<(OutboxMessage, AuditEvent), ServiceError> {
        let id = OutboxId::new(now, random()?);
        let subject = subject.or(visit.subject);
        let sealed = letter.seal(&self.vault, &id)?;
        let event = visit
            .describe(audit::event(visit.context, now, AuditKind::SendQueued, AuditOutcome::Success)?)
            .subject(subject)
            .detail("channel", channel)
            .detail("template", letter.template.as_str())
            .detail("message", id.as_str())
            .build();
        let message = OutboxMessage {
            idempotency_key: visit.message_key(label),
            channel: channel.to_owned(),
            sealed: Some(sealed),
            state: OutboxState::Queued,
            attempts: 0,
            created_at: now,
            due_at: now,
            expires_at,
            subject: subject.cloned(),
            flow: event.flow.clone(),
            template: Some(letter.template.clone()),
            carrier: None,
            reference: None,
            status: None,
            id,
        };
        Ok((message, event))
    }
}

impl Preparation<'_> {
    /// A letter but for its recipient.
    pub(crate) fn letter(&self, template: &str, user: Option<&UserId>, expires_at: Timestamp) -> Letter {
        let profile = user.and_then(|user| self.people.get(user)).map(|account| &account.user.profile);
        Letter {
            template: template.to_owned(),
            locale: self.visit.locale.to_owned(),
            lifetime: u32::try_from(expires_at.millis_since(self.now) / 1000).unwrap_or_default(),
            application: self.visit.application().to_owned(),
            brand: self.visit.client.and_then(|client| client.brand.clone()),
            name: profile.and_then(|profile| profile.given_name.clone().or(profile.name.clone())).unwrap_or_default(),
            old: self.old.clone(),
            ..Letter::default()
        }
    }
}

impl Visit<'_> {
    /// The idempotency key of the message `label`.
    pub(crate) fn message_key(&self, label: &str) -> String {
        format!("{}/{label}", URL_SAFE_NO_PAD.encode(self.seed))
    }
}

const fn channel_word(channel: Channel) -> &'static str {
    match channel {
        Channel::Email => "email",
        Channel::Sms => "sms",
        Channel::Voice => "voice",
    }
}
