//! What happened to a person's attempts, for the help desk: which flow and step, what was sent and whether it arrived, why
//! it stopped, what to do next. No secret, no code, no whole address or number.

mod access;
mod attempt;
mod render;
mod sending;
mod words;

use std::collections::{BTreeMap, BTreeSet};

use countersign_flow::mask_email;
use countersign_model::{
    Account, AuditEvent, AuditKind, AuditOutcome, FactorKind, OutboxId, OutboxMessage, Timestamp, UserId, UserStatus,
};
use countersign_store::{StoreError, Tx};

use crate::ServiceError;
use crate::audit::{self, EventBuilder, RequestContext};
use crate::effects::mask_phone;
use crate::provider::Provider;

pub use attempt::{Attempt, AttemptResult, Happening};
pub use sending::Sending;
pub use words::moment;

/// The newest events of a person that are looked at.
const EVENTS: u32 = 1000;
/// The newest messages about a person that are looked at.
const MESSAGES: u32 = 300;
/// Attempts that are told of; older ones are left out.
const ATTEMPTS: usize = 50;
/// Messages to nobody in particular that are looked up one by one.
const LOOKED_UP: usize = 100;

/// What happened to a person's attempts, the newest first.
#[derive(Clone, Debug)]
pub struct Timeline {
    /// The person, masked.
    pub person: TimelinePerson,
    /// Their attempts, the newest first.
    pub attempts: Vec<Attempt>,
    /// What happened outside of any attempt: tokens, changes by operators. The newest first.
    pub other: Vec<Happening>,
}

/// How the account stands.
#[derive(Clone, Debug)]
pub struct TimelinePerson {
    /// Its id.
    pub id: UserId,
    /// Mail address on file, masked.
    pub email: Option<String>,
    /// Name in the legacy portal.
    pub username: Option<String>,
    /// Whether they may sign in.
    pub status: UserStatus,
    /// Whether the registration is complete.
    pub registered: bool,
    /// Whether there is a password.
    pub password: bool,
    /// Factors: kind, and what it is, masked, where that can be told.
    pub factors: Vec<(FactorKind, Option<String>)>,
}

/// Everything that is on record of a person.
struct Record {
    /// Theirs, and those of nobody in particular in their flows; oldest first.
    events: Vec<AuditEvent>,
    messages: BTreeMap<OutboxId, OutboxMessage>,
}

impl Provider {
    /// What happened to the attempts of `who`, a mail address or user name; none: nobody has it.
    pub async fn timeline(&self, who: &str) -> Result<Option<Timeline>, ServiceError> {
        match self.find_person(who).await? {
            Some(account) => {
                let context = RequestContext::default();
                let read = self.reading_of(&account, &context)?.detail("by", "operator").build();
                self.write_events(&[read]).await?;
                self.timeline_of(&account).await.map(Some)
            }
            None => Ok(None),
        }
    }

    /// That somebody reads the timeline of `account`: written before anything of it is told.
    pub(crate) fn reading_of(&self, account: &Account, context: &RequestContext) -> Result<EventBuilder, ServiceError> {
        let event = audit::event(context, self.clock.now(), AuditKind::TimelineRead, AuditOutcome::Success)?;
        Ok(event.subject(Some(&account.user.id)))
    }

    /// What happened to the attempts of `account`.
    pub(crate) async fn timeline_of(&self, account: &Account) -> Result<Timeline, ServiceError> {
        let user = &account.user.id;
        let record = self.db.read(async |tx| read_record(tx, user).await).await?;
        let mut flows: BTreeMap<&str, Vec<&AuditEvent>> = BTreeMap::new();
        let (mut other, mut loose) = (Vec::new(), Vec::new());
        for event in &record.events {
            match &event.flow {
                Some(flow) => flows.entry(flow).or_default().push(event),
                None if sending::is_of_a_send(event.kind) => loose.push(event),
                None => other.push(Happening::of(event)),
            }
        }
        let (set, now) = (self.policies.set(), self.clock.now());
        let tell = |(flow, events): (&str, Vec<&AuditEvent>)| Attempt::of(flow, &events, &record.messages, set, now);
        let mut attempts: Vec<Attempt> = flows.into_iter().map(tell).collect();
        attempts.sort_by(|one, two| (two.began_at, &two.flow).cmp(&(one.began_at, &one.flow)));
        // Carriers report later, outside of any flow; of a flow's message its attempt tells.
        let is_loose = |event: &&AuditEvent| {
            let message = sending::message_of(event).and_then(|id| record.messages.get(&id));
            message.is_some_and(|message| message.flow.is_none())
        };
        loose.retain(is_loose);
        other.extend(sending::list_sendings(&loose, &record.messages).into_iter().map(Happening::of_sending));
        other.sort_by_key(|happening: &Happening| std::cmp::Reverse(happening.at));
        Ok(Timeline { person: describe(account), attempts, other })
    }
}

async fn read_record(tx: &mut Tx, user: &UserId) -> Result<Record, StoreError> {
    let own = tx.list_events_of_subject(user, None, EVENTS).await?;
    let about = tx.list_outbox_of_subject(user, MESSAGES).await?;
    let mut newest: Vec<(Timestamp, &String)> = own.iter().filter_map(|e| Some((e.at, e.flow.as_ref()?))).collect();
    newest.extend(about.iter().filter_map(|message| Some((message.created_at, message.flow.as_ref()?))));
    newest.sort_by(|one, two| two.cmp(one));
    let (mut known, mut flows) = (BTreeSet::new(), Vec::new());
    for (_, flow) in newest {
        if flows.len() < ATTEMPTS && known.insert(flow) {
            flows.push(flow.clone());
        }
    }
    let in_flows = tx.list_events_of_flows(&flows).await?;
    // Who read it is for the audit, not for who reads it next.
    let is_reading = |event: &AuditEvent| matches!(event.kind, AuditKind::TimelineRead | AuditKind::AdminRead);
    let told = |event: &AuditEvent| event.flow.is_none() && !is_reading(event);
    let mut events: Vec<AuditEvent> = own.into_iter().filter(told).collect();
    events.reverse();
    // Of a flow in which somebody else signed in after them, what is the other's stays untold.
    events.extend(in_flows.into_iter().filter(|event| event.subject.as_ref().is_none_or(|subject| subject == user)));
    let mut messages: BTreeMap<OutboxId, OutboxMessage> =
        about.into_iter().map(|message| (message.id.clone(), message)).collect();
    let named: BTreeSet<OutboxId> = events.iter().filter_map(sending::message_of).collect();
    let missing: Vec<OutboxId> = named.into_iter().filter(|id| !messages.contains_key(id)).collect();
    for id in missing.into_iter().rev().take(LOOKED_UP) {
        if let Some(message) = tx.find_outbox_message(&id).await? {
            messages.insert(id, message);
        }
    }
    Ok(Record { events, messages })
}

fn describe(account: &Account) -> TimelinePerson {
    let mask = |kind: FactorKind, value: &str| match kind {
        FactorKind::Mailbox => Some(mask_email(value)),
        FactorKind::Phone => Some(mask_phone(value)),
        FactorKind::Totp | FactorKind::Passkey => None,
    };
    let user = &account.user;
    TimelinePerson {
        id: user.id.clone(),
        email: user.email.as_deref().map(mask_email),
        username: user.username.clone(),
        status: user.status,
        registered: user.registered_at.is_some(),
        password: account.password.is_some(),
        factors: account.factors.iter().map(|factor| (factor.kind, mask(factor.kind, &factor.value))).collect(),
    }
}
