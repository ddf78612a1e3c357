//! The append-only audit. Nothing here changes or deletes, and the database refuses both; what is kept no longer goes by
//! `audit_retention` alone.

use countersign_model::{AuditEvent, AuditId, AuditKind, AuditOutcome, ClientId, Timestamp, UserId};
use diesel::{BoolExpressionMethods, ExpressionMethods, Insertable, QueryDsl, Queryable, Selectable, SelectableHelper};
use diesel_async::RunQueryDsl;

use crate::db::{insert_all, on};
use crate::row::{Row, time, to_json};
use crate::schema::audit_events;
use crate::{StoreError, Tx};

/// Which events to list; none of a field: any.
#[derive(Clone, Debug, Default)]
pub struct AuditFilter {
    /// Of this kind.
    pub kind: Option<AuditKind>,
    /// Concerning this person.
    pub subject: Option<UserId>,
    /// Concerning this client.
    pub client: Option<ClientId>,
    /// About this token.
    pub jti: Option<String>,
    /// Not before this.
    pub since: Option<Timestamp>,
    /// Before this.
    pub until: Option<Timestamp>,
    /// Before this one: the last of the page before.
    pub before: Option<(Timestamp, AuditId)>,
    /// At most so many, the newest; 0: a thousand, which is also the most.
    pub limit: u32,
}

const MOST: u32 = 1000;

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = audit_events, treat_none_as_default_value = false)]
pub(crate) struct EventRow {
    id: String,
    at: i64,
    kind: String,
    outcome: String,
    subject: Option<String>,
    client_id: Option<String>,
    grant_id: Option<String>,
    jti: Option<String>,
    flow: Option<String>,
    request: Option<String>,
    address: Option<String>,
    detail: String,
}

impl Tx {
    /// Appends events, in one statement.
    pub async fn insert_audit_events(&mut self, events: &[AuditEvent]) -> Result<(), StoreError> {
        let rows = events.iter().map(EventRow::from_noun).collect::<Result<Vec<_>, _>>()?;
        match rows.as_slice() {
            [] => Ok(()),
            // The text of a batch depends on its length and is prepared anew each time; that of one row is kept.
            [row] => on!(self, |c| diesel::insert_into(audit_events::table).values(row).execute(c).await).map(drop),
            _ => insert_all!(self, audit_events::table, rows).map(drop),
        }
    }

    /// The events that `filter` asks for, newest first.
    pub async fn list_audit_events(&mut self, filter: &AuditFilter) -> Result<Vec<AuditEvent>, StoreError> {
        let limit = if filter.limit == 0 { MOST } else { filter.limit.min(MOST) };
        let rows: Vec<EventRow> = on!(self, |c| {
            let mut query = audit_events::table.select(EventRow::as_select()).into_boxed();
            if let Some(kind) = filter.kind {
                query = query.filter(audit_events::kind.eq(kind.as_str()));
            }
            if let Some(subject) = &filter.subject {
                query = query.filter(audit_events::subject.eq(subject.as_str()));
            }
            if let Some(client) = &filter.client {
                query = query.filter(audit_events::client_id.eq(client.as_str()));
            }
            if let Some(jti) = &filter.jti {
                query = query.filter(audit_events::jti.eq(jti));
            }
            if let Some(until) = filter.until {
                query = query.filter(audit_events::at.lt(until.as_millis()));
            }
            if let Some(since) = filter.since {
                query = query.filter(audit_events::at.ge(since.as_millis()));
            }
            if let Some((at, id)) = &filter.before {
                let at = at.as_millis();
                let same = audit_events::at.eq(at).and(audit_events::id.lt(id.as_str()));
                query = query.filter(audit_events::at.lt(at).or(same));
            }
            query.order((audit_events::at.desc(), audit_events::id.desc())).limit(i64::from(limit)).load(c).await
        })?;
        rows.into_iter().map(EventRow::into_noun).collect()
    }

    /// What is on record of `user`, newest first; `before` is the last of the page before, `limit` as in a filter.
    pub async fn list_events_of_subject(
        &mut self,
        user: &UserId,
        before: Option<(Timestamp, AuditId)>,
        limit: u32,
    ) -> Result<Vec<AuditEvent>, StoreError> {
        self.list_audit_events(&AuditFilter { subject: Some(user.clone()), before, limit, ..AuditFilter::default() })
            .await
    }

    /// Everything that happened in `flows`, oldest first; ten thousand events at most.
    pub async fn list_events_of_flows(&mut self, flows: &[String]) -> Result<Vec<AuditEvent>, StoreError> {
        let query = audit_events::table
            .filter(audit_events::flow.eq_any(flows))
            .order((audit_events::at, audit_events::id))
            .limit(i64::from(MOST) * 10);
        let rows: Vec<EventRow> = on!(self, |c| query.select(EventRow::as_select()).load(c).await)?;
        rows.into_iter().map(EventRow::into_noun).collect()
    }
}

impl EventRow {
    fn from_noun(event: &AuditEvent) -> Result<Self, StoreError> {
        Ok(Self {
            id: event.id.to_string(),
            at: event.at.as_millis(),
            kind: event.kind.as_str().to_owned(),
            outcome: event.outcome.as_str().to_owned(),
            subject: event.subject.as_ref().map(ToString::to_string),
            client_id: event.client.as_ref().map(ToString::to_string),
            grant_id: event.grant.as_ref().map(ToString::to_string),
            jti: event.jti.clone(),
            flow: event.flow.clone(),
            request: event.request.clone(),
            address: event.address.clone(),
            detail: to_json(&event.detail)?,
        })
    }

    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    pub(crate) fn into_noun(self) -> Result<AuditEvent, StoreError> {
        let row = Row { table: "audit_events", id: &self.id };
        Ok(AuditEvent {
            id: row.parse("id", &self.id)?,
            at: time(self.at),
            kind: row.known("kind", AuditKind::from_word(&self.kind))?,
            outcome: row.known("outcome", AuditOutcome::from_word(&self.outcome))?,
            subject: row.parse_some("subject", self.subject.as_deref())?,
            client: row.parse_some("client_id", self.client_id.as_deref())?,
            grant: row.parse_some("grant_id", self.grant_id.as_deref())?,
            detail: row.json("detail", &self.detail)?,
            jti: self.jti,
            flow: self.flow,
            request: self.request,
            address: self.address,
        })
    }
}
