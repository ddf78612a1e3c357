//! Notices that belong to no flow: to a person whose account was changed on the account page or by an administrator.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_model::{
    Account, AuditEvent, AuditKind, AuditOutcome, OutboxId, OutboxMessage, OutboxState, Timestamp,
};

use crate::ServiceError;
use crate::audit::{self, RequestContext};
use crate::clock::random;
use crate::messages::NOTICE_LIFE;
use crate::outbox::Letter;
use crate::provider::Provider;

/// What is told, and by which way.
pub(crate) struct Notice<'a> {
    /// Message template.
    pub(crate) template: &'a str,
    /// `email` or `sms`.
    pub(crate) channel: &'static str,
    /// Address or number.
    pub(crate) to: &'a str,
    /// Language to tell it in.
    pub(crate) locale: &'a str,
}

impl Provider {
    /// A row of the outbox that tells the person of `account`, and the event that goes with it.
    pub(crate) fn notice(
        &self,
        account: &Account,
        notice: &Notice<'_>,
        context: &RequestContext,
        now: Timestamp,
    ) -> Result<(OutboxMessage, AuditEvent), ServiceError> {
        let (id, user) = (OutboxId::new(now, random()?), Some(&account.user.id));
        let letter = Letter {
            to: notice.to.to_owned(),
            template: notice.template.to_owned(),
            locale: notice.locale.to_owned(),
            ..Letter::default()
        };
        let event = audit::event(context, now, AuditKind::SendQueued, AuditOutcome::Success)?
            .subject(user)
            .detail("channel", notice.channel)
            .detail("template", notice.template)
            .detail("message", id.as_str())
            .build();
        let message = OutboxMessage {
            idempotency_key: format!("notice/{}", URL_SAFE_NO_PAD.encode(random::<16>()?)),
            channel: notice.channel.to_owned(),
            sealed: Some(letter.seal(&self.vault, &id)?),
            state: OutboxState::Queued,
            attempts: 0,
            created_at: now,
            due_at: now,
            expires_at: now.plus(NOTICE_LIFE),
            subject: user.cloned(),
            flow: None,
            template: Some(notice.template.to_owned()),
            carrier: None,
            reference: None,
            status: None,
            id,
        };
        Ok((message, event))
    }
}
