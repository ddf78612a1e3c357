//! The end of sessions: the clients of each hear of it (OpenID Connect Back-Channel Logout), whatever ended it.
//!
//! Whoever ends a session only notes when: a logout, a reset, an account that is disabled or closed, housekeeping. What
//! ended and was told nobody yet is found by the outbox's worker, which writes a message per client. So nothing is
//! forgotten when a node dies in between, and nobody who ends sessions must think of their clients.

use std::collections::BTreeSet;
use std::time::Duration;

use countersign_model::{
    AuditKind, AuditOutcome, BrowserSession, ClientId, Grant, OutboxId, OutboxMessage, OutboxState, Seconds, SessionId,
    Timestamp, UserId,
};
use countersign_outbound::logout::post_logout_token;
use countersign_outbound::{CallError, SendError};
use countersign_protocol::{id_token, logout};
use countersign_store::Tx;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::ServiceError;
use crate::audit::{self, RequestContext};
use crate::clock::random;
use crate::outbox::Letter;
use crate::provider::Provider;

/// The channel of messages that tell clients of a session's end.
pub(crate) const CHANNEL: &str = "logout";
/// A client that is not reached for so long is told no more.
const TOLD_WITHIN: Seconds = Seconds::hours(24);
/// Limit of one delivery.
const DELIVERY: Duration = Duration::from_secs(5);
/// Sessions looked at in one transaction.
const BATCH: u32 = 16;

/// What a client is told: the session as its own ID tokens name it.
#[derive(Serialize, Deserialize)]
struct Told {
    client: ClientId,
    user: UserId,
    session: SessionId,
    /// As its ID tokens name it; none: by its own id.
    #[serde(default)]
    sid: Option<String>,
}

impl Told {
    fn sid(&self) -> &str {
        self.sid.as_deref().unwrap_or_else(|| self.session.as_str())
    }
}

/// Whether a grant outlives the session it was given in (Back-Channel Logout, 2.7).
fn outlives(grant: &Grant) -> bool {
    grant.scope.contains("offline_access")
}

/// Takes back what was given for the time of a session.
pub(crate) async fn revoke_session_grants(tx: &mut Tx, grants: &[Grant], now: Timestamp) -> Result<(), ServiceError> {
    for grant in grants.iter().filter(|grant| !outlives(grant) && grant.revoked_at.is_none()) {
        tx.revoke_grant(&grant.id, now).await?;
    }
    Ok(())
}

impl Provider {
    /// Ends sessions that nobody used or that lasted as long as any may; tells how many, at most `batch`.
    pub(crate) async fn end_overdue_sessions(&self, batch: u32) -> Result<usize, ServiceError> {
        let now = self.clock.now();
        let idle_since = now.minus(self.settings.lifetimes.session_idle);
        self.db
            .write(async |tx| {
                let ended = tx.end_overdue_sessions(now, idle_since, batch).await?;
                let event = |session: &BrowserSession| {
                    let what = if session.expires_at <= now { "its time was over" } else { "it was not used" };
                    let event =
                        audit::event(&RequestContext::default(), now, AuditKind::SessionEnded, AuditOutcome::Success)?;
                    Ok(event.subject(Some(&session.authentication.user)).detail("what", what).build())
                };
                let events = ended.iter().map(event).collect::<Result<Vec<_>, ServiceError>>()?;
                tx.insert_audit_events(&events).await?;
                Ok::<_, ServiceError>(ended.len())
            })
            .await
    }

    /// Writes what the clients of ended sessions are told. Once a session: its key forbids a second message.
    pub(crate) async fn queue_logouts(&self, tx: &mut Tx, now: Timestamp) -> Result<(), ServiceError> {
        for session in tx.claim_untold_sessions(now, BATCH).await? {
            let grants = tx.list_grants_of_session(&session.id, session.ended_at.unwrap_or(now)).await?;
            revoke_session_grants(tx, &grants, now).await?;
            for told in self.list_told(tx, &grants).await? {
                let (message, event) = self.logout_message(&session.id, &told, now)?;
                if tx.insert_outbox_message(&message).await? {
                    tx.insert_audit_events(std::slice::from_ref(&event)).await?;
                }
            }
        }
        Ok(())
    }

    /// The clients that have something to be told at, each once for every session they know of.
    async fn list_told(&self, tx: &mut Tx, grants: &[Grant]) -> Result<Vec<Told>, ServiceError> {
        let mut list = Vec::new();
        if !self.settings.features.backchannel_logout {
            return Ok(list);
        }
        let known = |grant: &Grant| {
            let authentication = &grant.authentication;
            (grant.client.clone(), authentication.session.clone(), id_token::told_session(authentication))
        };
        let users = grants.first().map(|grant| grant.authentication.user.clone());
        let told: BTreeSet<(ClientId, SessionId, String)> = grants.iter().map(known).collect();
        for (client, session, sid) in told {
            let found = tx.find_client(&client).await?;
            if found.is_some_and(|client| !client.disabled && client.logout.backchannel_uri.is_some())
                && let Some(user) = users.clone()
            {
                list.push(Told { client, user, session, sid: Some(sid) });
            }
        }
        Ok(list)
    }

    fn logout_message(
        &self,
        ended: &SessionId,
        told: &Told,
        now: Timestamp,
    ) -> Result<(OutboxMessage, countersign_model::AuditEvent), ServiceError> {
        let id = OutboxId::new(now, random()?);
        let payload = serde_json::to_string(told).map_err(|_| ServiceError::Internal("a logout did not serialize"))?;
        let letter = Letter { to: told.client.to_string(), payload, ..Letter::default() };
        let event = audit::event(&RequestContext::default(), now, AuditKind::SendQueued, AuditOutcome::Success)?
            .subject(Some(&told.user))
            .client(&told.client)
            .detail("channel", CHANNEL)
            .detail("message", id.as_str())
            .build();
        let message = OutboxMessage {
            idempotency_key: format!("logout/{ended}/{}/{}", told.sid(), told.client),
            channel: CHANNEL.to_owned(),
            sealed: Some(letter.seal(&self.vault, &id)?),
            state: OutboxState::Queued,
            attempts: 0,
            created_at: now,
            due_at: now,
            expires_at: now.plus(TOLD_WITHIN),
            subject: Some(told.user.clone()),
            flow: None,
            template: None,
            carrier: None,
            reference: None,
            status: None,
            id,
        };
        Ok((message, event))
    }

    /// Posts a logout token, made now: it is good for two minutes. Every try has the same `jti`.
    pub(crate) async fn deliver_logout(&self, payload: &str, id: &OutboxId) -> Result<(), SendError> {
        let refuse = |why: &str| SendError::Permanent(why.to_owned());
        let told: Told = serde_json::from_str(payload).map_err(|_| refuse("not a client's message"))?;
        let failed = |error: ServiceError| SendError::Temporary(error.to_string());
        if self.unreachable.until(told.client.as_str(), self.clock.now()).is_some() {
            return Err(SendError::Temporary("the client is left alone for now".to_owned()));
        }
        let client = self.find_client(&told.client).await.map_err(failed)?;
        let client = client.filter(|client| !client.disabled).ok_or_else(|| refuse("the client is gone"))?;
        let uri = client.logout.backchannel_uri.as_deref().ok_or_else(|| refuse("the client wants to hear nothing"))?;
        let url = Url::parse(uri).map_err(|_| refuse("the client's address is not a URL"))?;
        let http = self.http.as_ref().ok_or_else(|| refuse("nothing of clients is called here"))?;
        let now = self.clock.now();
        let pairwise = self.pairwise_subject(&client, &told.user);
        let (subject, session) = (pairwise.as_deref().unwrap_or(told.user.as_str()), told.sid());
        let claims = logout::token_claims(&self.settings.issuer, &client.id, subject, session, id.as_str(), now);
        let signer = self.keys.current().signer(client.id_token_alg, now).map_err(failed)?;
        let token = signer.sign(logout::TOKEN_TYPE, &claims).map_err(|_| refuse("the token was not signed"))?;
        let posted = post_logout_token(http, &url, &token, DELIVERY).await;
        if matches!(posted, Err(CallError::Temporary(_))) {
            self.unreachable.note_failure(client.id.as_str(), self.clock.now());
        } else {
            self.unreachable.note_answer(client.id.as_str());
        }
        posted.map_err(|error| match error {
            CallError::Temporary(why) => SendError::Temporary(why),
            CallError::Permanent(why) => SendError::Permanent(why),
        })
    }
}
