//! What somebody does to the deployment: to clients, organizations and keys, which are nobody's account.

use countersign_model::{AuditEvent, AuditKind, AuditOutcome, ClientId, Timestamp};
use countersign_store::Tx;

use crate::ServiceError;
use crate::audit::{self, EventBuilder, RequestContext};
use crate::people::{Actor, check_reason};

/// Why nothing was done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordRefusal {
    /// There is none.
    #[error("there is no such thing")]
    Unknown,
    /// It is not what the request took it for.
    #[error("it has changed since")]
    Changed,
    /// Role or session went meanwhile.
    #[error("the caller may do this no more")]
    Withdrawn,
    /// It is not for who asks.
    #[error("{0}")]
    Forbidden(&'static str),
    /// What it is to be, it cannot be.
    #[error("{0}")]
    Invalid(String),
    /// As things stand it cannot be done.
    #[error("{0}")]
    Conflict(&'static str),
    /// Another request was carried out under this key.
    #[error("another request was made under this key")]
    KeyReused,
}

/// Who does it, why, and by which request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deed<'a> {
    actor: Actor<'a>,
    reason: Option<&'a str>,
    context: &'a RequestContext,
}

impl<'a> Deed<'a> {
    /// Of who may run the command line.
    pub(crate) const fn of_operator(context: &'a RequestContext) -> Self {
        Self { actor: Actor::Operator, reason: None, context }
    }

    /// Of somebody who says why.
    pub(crate) fn new(actor: Actor<'a>, reason: &'a str, context: &'a RequestContext) -> Result<Self, RecordRefusal> {
        let reason = check_reason(reason).map_err(|refusal| RecordRefusal::Invalid(refusal.to_string()))?;
        Ok(Self { actor, reason: Some(reason), context })
    }

    /// What the audit tells of it.
    pub(crate) fn event(&self, kind: AuditKind, now: Timestamp) -> Result<EventBuilder, ServiceError> {
        let event = self.actor.describe(audit::event(self.context, now, kind, AuditOutcome::Success)?);
        Ok(match self.reason {
            Some(reason) => event.detail("reason", reason),
            None => event,
        })
    }

    /// The same of a client, which is the event's; the one by which it is done stands beside it.
    pub(crate) fn client_event(
        &self,
        client: &ClientId,
        change: &str,
        now: Timestamp,
    ) -> Result<EventBuilder, ServiceError> {
        let event = self.event(AuditKind::ClientChanged, now)?.detail("change", change);
        let event = match self.actor.through() {
            Some(through) => event.detail("through", through.as_str()),
            None => event,
        };
        Ok(event.client(client))
    }

    /// Asks in the transaction that does it whether they still may.
    pub(crate) async fn check(&self, tx: &mut Tx, now: Timestamp) -> Result<Result<(), RecordRefusal>, ServiceError> {
        let may = self.actor.may_still_act(tx, now).await?;
        Ok(if may { Ok(()) } else { Err(RecordRefusal::Withdrawn) })
    }
}

/// Writes `event` beside what it reports.
pub(crate) async fn tell(tx: &mut Tx, event: &AuditEvent) -> Result<(), ServiceError> {
    Ok(tx.insert_audit_events(std::slice::from_ref(event)).await?)
}
