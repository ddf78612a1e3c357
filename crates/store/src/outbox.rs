//! Messages on their way out, each tried by at most one node at a time and never sent twice.

use countersign_model::{OutboxId, OutboxMessage, OutboxState, Seconds, Timestamp, UserId};
use diesel::{
    BoolExpressionMethods, ExpressionMethods, Insertable, NullableExpressionMethods, QueryDsl, Queryable, Selectable,
    SelectableHelper,
};
use diesel_async::RunQueryDsl;

use crate::db::{Link, on};
use crate::row::{Row, time};
use crate::schema::outbox;
use crate::{StoreError, Tx};

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = outbox, treat_none_as_default_value = false)]
struct OutboxRow {
    id: String,
    idempotency_key: String,
    channel: String,
    sealed: Option<Vec<u8>>,
    state: String,
    attempts: i64,
    created_at: i64,
    due_at: i64,
    expires_at: i64,
    subject: Option<String>,
    flow: Option<String>,
    template: Option<String>,
    carrier: Option<String>,
    reference: Option<String>,
    status: Option<String>,
}

const QUEUED: &str = OutboxState::Queued.as_str();
const CLAIMED: &str = OutboxState::Claimed.as_str();
const FAILED: &str = OutboxState::Failed.as_str();
/// What a carrier says last, of texts and calls (Twilio's words), and ours when no carrier takes it: nothing said later
/// counts.
const FINAL: [&str; 8] =
    ["delivered", "undelivered", "failed", "completed", "busy", "no-answer", "canceled", "refused"];
const MOST: u32 = 1000;

/// Which messages are taken.
#[derive(Clone, Copy, Debug)]
pub enum Lane<'a> {
    /// Those of this channel.
    Of(&'a str),
    /// All others.
    WithoutThatOf(&'a str),
}

impl Tx {
    /// Queues a message: false when its idempotency key is there already, so the effect has been done.
    pub async fn insert_outbox_message(&mut self, message: &OutboxMessage) -> Result<bool, StoreError> {
        let row = OutboxRow::from_noun(message);
        let query = diesel::insert_into(outbox::table).values(&row).on_conflict_do_nothing();
        on!(self, |c| query.execute(c).await).map(|rows| rows == 1)
    }

    /// Takes up to `limit` due messages for `lease`; no other node gets them. Whoever takes one must `finish` or
    /// `requeue` it within the lease; otherwise [`Tx::fail_overdue_messages`] gives it up.
    pub async fn claim_due_messages(
        &mut self,
        now: Timestamp,
        lane: Lane<'_>,
        limit: u32,
        lease: Seconds,
    ) -> Result<Vec<OutboxMessage>, StoreError> {
        let ids = self.list_due_ids(now, lane, limit).await?;
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let still_queued = outbox::table.filter(outbox::id.eq_any(ids).and(outbox::state.eq(QUEUED)));
        let claim = diesel::update(still_queued).set((
            outbox::state.eq(CLAIMED),
            outbox::attempts.eq(outbox::attempts + 1),
            outbox::claimed_until.eq(now.plus(lease).as_millis()),
        ));
        let rows: Vec<OutboxRow> = on!(self, |c| claim.returning(OutboxRow::as_returning()).get_results(c).await)?;
        rows.into_iter().map(OutboxRow::into_noun).collect()
    }

    /// PostgreSQL passes over rows that another node is claiming right now; SQLite has one writer.
    async fn list_due_ids(&mut self, now: Timestamp, lane: Lane<'_>, limit: u32) -> Result<Vec<String>, StoreError> {
        let now = now.as_millis();
        let (channel, is_own) = match lane {
            Lane::Of(channel) => (channel, true),
            Lane::WithoutThatOf(channel) => (channel, false),
        };
        let due = outbox::state.eq(QUEUED).and(outbox::due_at.le(now)).and(outbox::expires_at.gt(now));
        let due = due.and(outbox::channel.eq(channel).eq(is_own));
        let due =
            outbox::table.filter(due).order((outbox::due_at, outbox::id)).limit(i64::from(limit)).select(outbox::id);
        let ids = match self.link()? {
            Link::Postgres(c) => due.for_update().skip_locked().load(&mut ***c).await,
            Link::Sqlite(c) => due.load(&mut **c).await,
        };
        self.check(ids)
    }

    /// Ends a claimed message as `Delivered` or `Failed` and drops its content: false when it is not claimed any more.
    pub async fn finish_message(
        &mut self,
        id: &OutboxId,
        state: OutboxState,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        if !matches!(state, OutboxState::Delivered | OutboxState::Failed) {
            return Err(StoreError::Database("a message ends delivered or failed".to_owned()));
        }
        let claimed = outbox::table.filter(outbox::id.eq(id.as_str()).and(outbox::state.eq(CLAIMED)));
        let query = diesel::update(claimed).set((
            outbox::state.eq(state.as_str()),
            outbox::sealed.eq(None::<Vec<u8>>),
            outbox::claimed_until.eq(None::<i64>),
            outbox::finished_at.eq(now.as_millis()),
        ));
        on!(self, |c| query.execute(c).await).map(|rows| rows == 1)
    }

    /// Gives a claimed message back for another try at `due_at`: only when the carrier said that it was not taken.
    pub async fn requeue_message(&mut self, id: &OutboxId, due_at: Timestamp) -> Result<bool, StoreError> {
        let claimed = outbox::table.filter(outbox::id.eq(id.as_str()).and(outbox::state.eq(CLAIMED)));
        let query = diesel::update(claimed).set((
            outbox::state.eq(QUEUED),
            outbox::due_at.eq(due_at.as_millis()),
            outbox::claimed_until.eq(None::<i64>),
        ));
        on!(self, |c| query.execute(c).await).map(|rows| rows == 1)
    }

    /// Gives up, and answers, what is not worth sending any more and what was claimed by a node that did not come back:
    /// it may have been sent, so it never is again. The caller audits each in the same transaction.
    pub async fn fail_overdue_messages(&mut self, now: Timestamp) -> Result<Vec<OutboxMessage>, StoreError> {
        let millis = now.as_millis();
        let expired = outbox::state.eq(QUEUED).and(outbox::expires_at.le(millis));
        let abandoned = outbox::state.eq(CLAIMED).and(outbox::claimed_until.le(millis));
        let overdue = outbox::table.filter(expired).or_filter(abandoned);
        let query = diesel::update(overdue).set((
            outbox::state.eq(FAILED),
            outbox::sealed.eq(None::<Vec<u8>>),
            outbox::claimed_until.eq(None::<i64>),
            outbox::finished_at.eq(millis),
        ));
        let rows: Vec<OutboxRow> = on!(self, |c| query.returning(OutboxRow::as_returning()).get_results(c).await)?;
        rows.into_iter().map(OutboxRow::into_noun).collect()
    }

    /// Gives messages of `channel` back whose node did not come back: for receivers whom a second one does no harm.
    pub async fn requeue_abandoned_messages(&mut self, channel: &str, now: Timestamp) -> Result<usize, StoreError> {
        let millis = now.as_millis();
        let abandoned = outbox::state.eq(CLAIMED).and(outbox::channel.eq(channel)).and(outbox::expires_at.gt(millis));
        let abandoned = outbox::table.filter(abandoned).filter(outbox::claimed_until.le(millis).assume_not_null());
        let query = diesel::update(abandoned).set((
            outbox::state.eq(QUEUED),
            outbox::due_at.eq(millis),
            outbox::claimed_until.eq(None::<i64>),
        ));
        on!(self, |c| query.execute(c).await)
    }

    /// Notes who took a message and under what name: false when there is no such message.
    pub async fn set_outbox_reference(
        &mut self,
        id: &OutboxId,
        carrier: &str,
        reference: Option<&str>,
    ) -> Result<bool, StoreError> {
        let new = (outbox::carrier.eq(carrier), outbox::reference.eq(reference));
        let query = diesel::update(outbox::table.find(id.as_str())).set(new);
        on!(self, |c| query.execute(c).await).map(|rows| rows == 1)
    }

    /// Notes what the carrier told of a delivery and answers the message as it is then; none when nothing changed:
    /// the carrier repeats itself or had its last word before, or there is no such message.
    pub async fn set_outbox_status(
        &mut self,
        id: &OutboxId,
        status: &str,
    ) -> Result<Option<OutboxMessage>, StoreError> {
        let open = outbox::status.ne(status).and(outbox::status.ne_all(FINAL)).assume_not_null();
        let target = outbox::table.filter(outbox::id.eq(id.as_str())).filter(outbox::status.is_null().or(open));
        let query = diesel::update(target).set(outbox::status.eq(status));
        let mut rows: Vec<OutboxRow> = on!(self, |c| query.returning(OutboxRow::as_returning()).get_results(c).await)?;
        rows.pop().map(OutboxRow::into_noun).transpose()
    }

    /// The message of this effect, in whatever state.
    pub async fn find_outbox_message_by_key(&mut self, key: &str) -> Result<Option<OutboxMessage>, StoreError> {
        let query = outbox::table.filter(outbox::idempotency_key.eq(key));
        let mut rows: Vec<OutboxRow> = on!(self, |c| query.select(OutboxRow::as_select()).load(c).await)?;
        rows.pop().map(OutboxRow::into_noun).transpose()
    }

    /// The messages about `user`, newest first; at most `limit`, and a thousand.
    pub async fn list_outbox_of_subject(
        &mut self,
        user: &UserId,
        limit: u32,
    ) -> Result<Vec<OutboxMessage>, StoreError> {
        let query = outbox::table
            .filter(outbox::subject.eq(user.as_str()))
            .order((outbox::created_at.desc(), outbox::id.desc()))
            .limit(i64::from(limit.min(MOST)));
        let rows: Vec<OutboxRow> = on!(self, |c| query.select(OutboxRow::as_select()).load(c).await)?;
        rows.into_iter().map(OutboxRow::into_noun).collect()
    }

    /// The message of `id`, in whatever state.
    pub async fn find_outbox_message(&mut self, id: &OutboxId) -> Result<Option<OutboxMessage>, StoreError> {
        let query = outbox::table.find(id.as_str());
        let mut rows: Vec<OutboxRow> = on!(self, |c| query.select(OutboxRow::as_select()).load(c).await)?;
        rows.pop().map(OutboxRow::into_noun).transpose()
    }
}

impl OutboxRow {
    fn from_noun(message: &OutboxMessage) -> Self {
        Self {
            id: message.id.to_string(),
            idempotency_key: message.idempotency_key.clone(),
            channel: message.channel.clone(),
            sealed: message.sealed.clone(),
            state: message.state.as_str().to_owned(),
            attempts: i64::from(message.attempts),
            created_at: message.created_at.as_millis(),
            due_at: message.due_at.as_millis(),
            expires_at: message.expires_at.as_millis(),
            subject: message.subject.as_ref().map(ToString::to_string),
            flow: message.flow.clone(),
            template: message.template.clone(),
            carrier: message.carrier.clone(),
            reference: message.reference.clone(),
            status: message.status.clone(),
        }
    }

    fn into_noun(self) -> Result<OutboxMessage, StoreError> {
        let row = Row { table: "outbox", id: &self.id };
        Ok(OutboxMessage {
            id: row.parse("id", &self.id)?,
            state: row.known("state", OutboxState::from_word(&self.state))?,
            subject: row.parse_some("subject", self.subject.as_deref())?,
            attempts: row.known("attempts", u32::try_from(self.attempts).ok())?,
            created_at: time(self.created_at),
            due_at: time(self.due_at),
            expires_at: time(self.expires_at),
            idempotency_key: self.idempotency_key,
            channel: self.channel,
            sealed: self.sealed,
            flow: self.flow,
            template: self.template,
            carrier: self.carrier,
            reference: self.reference,
            status: self.status,
        })
    }
}
