//! The append-only audit. Nothing here changes or deletes, and the database refuses both; what is kept no longer goes by
//! `audit_retention` alone.

use countersign_model::{AuditEvent, AuditId, AuditKind, AuditOutcome, ClientId, Timestamp, UserId};
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::sql_types::{Array, BigInt, Nullable, Text};
use diesel::{
    BoolExpressionMethods, ExpressionMethods, Insertable, QueryDsl, QueryResult, Queryable, Selectable,
    SelectableHelper,
};
use diesel_async::RunQueryDsl;

use crate::db::{Db, Job, Link, Queue, on};
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

#[derive(Clone, Queryable, Selectable, Insertable)]
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
        self.insert_event_rows(EventRow::from_nouns(events)?).await
    }

    async fn insert_event_rows(&mut self, rows: Vec<EventRow>) -> Result<(), StoreError> {
        if let [row] = rows.as_slice() {
            return on!(self, |c| diesel::insert_into(audit_events::table).values(row).execute(c).await).map(drop);
        }
        if rows.is_empty() {
            return Ok(());
        }
        let inserted = match self.link()? {
            Link::Postgres(c) => InsertColumns::of(&rows).execute(&mut ***c).await,
            // diesel-async lacks SQLite's batches; diesel has them.
            Link::Sqlite(c) => {
                let insert = move |c: &mut diesel::SqliteConnection| {
                    diesel::RunQueryDsl::execute(diesel::insert_into(audit_events::table).values(&rows), c)
                };
                c.spawn_blocking(insert).await
            }
        };
        self.check(inserted).map(drop)
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

impl Db {
    /// Appends events that stand for themselves, together with those of others who do so at this moment, in one
    /// statement and so in one transaction. They are committed when this answers; an error means that they are not, or
    /// that nobody knows.
    pub async fn append_audit_events(&self, events: &[AuditEvent]) -> Result<(), StoreError> {
        if events.is_empty() {
            return Ok(());
        }
        self.together(Append(EventRow::from_nouns(events)?)).await
    }
}

/// Events of one caller.
pub struct Append(Vec<EventRow>);

impl Job for Append {
    type Answer = ();
    const MOST: usize = 128;

    fn queue(db: &Db) -> &Queue<Self> {
        db.appends()
    }

    fn size(&self) -> usize {
        self.0.len()
    }

    async fn run(db: &Db, jobs: &[Self]) -> Result<Vec<()>, StoreError> {
        let rows: Vec<EventRow> = jobs.iter().flat_map(|job| job.0.iter().cloned()).collect();
        let rows = &rows;
        db.write_once(async |tx: &mut Tx| tx.insert_event_rows(rows.clone()).await).await?;
        db.count_audit_commit();
        Ok(vec![(); jobs.len()])
    }
}

/// Rows for PostgreSQL as an array a column: the text is the same for any number of them, and so prepared once.
struct InsertColumns<'a> {
    required: [Vec<&'a str>; 4],
    at: Vec<i64>,
    optional: [Vec<Option<&'a str>>; 7],
}

impl<'a> InsertColumns<'a> {
    fn of(rows: &'a [EventRow]) -> Self {
        let required = |column: fn(&EventRow) -> &String| rows.iter().map(|row| column(row).as_str()).collect();
        let optional =
            |column: fn(&EventRow) -> &Option<String>| rows.iter().map(|row| column(row).as_deref()).collect();
        Self {
            required: [
                required(|row| &row.id),
                required(|row| &row.kind),
                required(|row| &row.outcome),
                required(|row| &row.detail),
            ],
            at: rows.iter().map(|row| row.at).collect(),
            optional: [
                optional(|row| &row.subject),
                optional(|row| &row.client_id),
                optional(|row| &row.grant_id),
                optional(|row| &row.jti),
                optional(|row| &row.flow),
                optional(|row| &row.request),
                optional(|row| &row.address),
            ],
        }
    }
}

impl QueryId for InsertColumns<'_> {
    type QueryId = InsertColumns<'static>;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl QueryFragment<Pg> for InsertColumns<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql(
            "INSERT INTO audit_events (id, kind, outcome, detail, at, subject, client_id, grant_id, jti, flow, request, \
             address) SELECT * FROM unnest(",
        );
        for column in &self.required {
            out.push_bind_param::<Array<Text>, _>(column)?;
            out.push_sql(", ");
        }
        out.push_bind_param::<Array<BigInt>, _>(&self.at)?;
        for column in &self.optional {
            out.push_sql(", ");
            out.push_bind_param::<Array<Nullable<Text>>, _>(column)?;
        }
        out.push_sql(")");
        Ok(())
    }
}

impl EventRow {
    fn from_nouns(events: &[AuditEvent]) -> Result<Vec<Self>, StoreError> {
        events.iter().map(Self::from_noun).collect()
    }

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
