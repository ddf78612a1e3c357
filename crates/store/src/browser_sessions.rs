//! Sign-in sessions of browsers.

use countersign_model::{BrowserSession, ClientId, KeyedHash, SessionId, Ticket, Timestamp, UserId};
use diesel::dsl::{exists, not};
use diesel::{
    BoolExpressionMethods, ExpressionMethods, Insertable, NullableExpressionMethods, QueryDsl, Queryable, Selectable,
    SelectableHelper,
};
use diesel_async::RunQueryDsl;

use crate::db::on;
use crate::row::{Row, millis, time, to_json};
use crate::schema::{browser_sessions, remembered_logins};
use crate::{StoreError, Tx};

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = browser_sessions, treat_none_as_default_value = false)]
struct SessionRow {
    id: String,
    token: Vec<u8>,
    user_id: String,
    authentication: String,
    created_at: i64,
    seen_at: i64,
    expires_at: i64,
    ended_at: Option<i64>,
    ticket_client: Option<String>,
    ticket_until: Option<i64>,
    device: Option<String>,
    address: Option<String>,
}

const MOST: i64 = 1000;

impl Tx {
    /// Stores a session; [`StoreError::Conflict`] when its id or token is there already.
    pub async fn insert_session(&mut self, session: &BrowserSession) -> Result<(), StoreError> {
        let row = SessionRow::from_noun(session)?;
        on!(self, |c| diesel::insert_into(browser_sessions::table).values(&row).execute(c).await).map(drop)
    }

    /// The session whose cookie hashes to `token`, ended, expired or neither.
    pub async fn find_session_by_token(&mut self, token: &KeyedHash) -> Result<Option<BrowserSession>, StoreError> {
        let query = browser_sessions::table.filter(browser_sessions::token.eq(token.as_slice()));
        let mut rows: Vec<SessionRow> = on!(self, |c| query.select(SessionRow::as_select()).load(c).await)?;
        rows.pop().map(SessionRow::into_noun).transpose()
    }

    /// The sessions of `user` that are live at `now`, the last used first; a thousand at most.
    pub async fn list_sessions_of_user(
        &mut self,
        user: &UserId,
        now: Timestamp,
    ) -> Result<Vec<BrowserSession>, StoreError> {
        use browser_sessions::{ended_at, expires_at, id, seen_at, user_id};
        let live = user_id.eq(user.as_str()).and(ended_at.is_null()).and(expires_at.gt(now.as_millis()));
        let query = browser_sessions::table.filter(live).order((seen_at.desc(), id.desc())).limit(MOST);
        let rows: Vec<SessionRow> = on!(self, |c| query.select(SessionRow::as_select()).load(c).await)?;
        rows.into_iter().map(SessionRow::into_noun).collect()
    }

    /// Uses a session's ticket up for a request of `client`: of any number of callers exactly one gets true, and none
    /// when the ticket is another client's or past its end, or the session is over.
    pub async fn consume_ticket(
        &mut self,
        session: &SessionId,
        client: &ClientId,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        use browser_sessions::{ended_at, expires_at, id, ticket_client, ticket_until};
        let millis = now.as_millis();
        let live = id.eq(session.as_str()).and(ended_at.is_null()).and(expires_at.gt(millis));
        let valid = ticket_client.eq(client.as_str()).and(ticket_until.gt(millis));
        let target = browser_sessions::table.filter(live).filter(valid.assume_not_null());
        let query = diesel::update(target).set((ticket_client.eq(None::<String>), ticket_until.eq(None::<i64>)));
        on!(self, |c| query.execute(c).await).map(|rows| rows == 1)
    }

    /// Notes that a session was used; an older `now` changes nothing.
    pub async fn touch_session(&mut self, id: &SessionId, now: Timestamp) -> Result<(), StoreError> {
        use browser_sessions::{id as key, seen_at};
        let older = browser_sessions::table.filter(key.eq(id.as_str()).and(seen_at.lt(now.as_millis())));
        let query = diesel::update(older).set(seen_at.eq(now.as_millis()));
        on!(self, |c| query.execute(c).await).map(drop)
    }

    /// Ends a session early: false when it was ended before or never was.
    pub async fn end_session(&mut self, id: &SessionId, now: Timestamp) -> Result<bool, StoreError> {
        use browser_sessions::{ended_at, id as key};
        let live = browser_sessions::table.filter(key.eq(id.as_str()).and(ended_at.is_null()));
        let query = diesel::update(live).set(ended_at.eq(now.as_millis()));
        on!(self, |c| query.execute(c).await).map(|rows| rows == 1)
    }

    /// Ends every session of `user` but `keep` and says how many.
    pub async fn end_other_sessions(
        &mut self,
        user: &UserId,
        keep: &SessionId,
        now: Timestamp,
    ) -> Result<usize, StoreError> {
        use browser_sessions::{ended_at, id, user_id};
        let others = user_id.eq(user.as_str()).and(id.ne(keep.as_str())).and(ended_at.is_null());
        let query = diesel::update(browser_sessions::table.filter(others)).set(ended_at.eq(now.as_millis()));
        on!(self, |c| query.execute(c).await)
    }

    /// Ends every session of `user` and says how many; for resets.
    pub async fn end_sessions_of_user(&mut self, user: &UserId, now: Timestamp) -> Result<usize, StoreError> {
        use browser_sessions::{ended_at, user_id};
        let live = browser_sessions::table.filter(user_id.eq(user.as_str()).and(ended_at.is_null()));
        let query = diesel::update(live).set(ended_at.eq(now.as_millis()));
        on!(self, |c| query.execute(c).await)
    }

    /// Ends up to `limit` sessions whose time is over at `now`, and those not used since `idle_since` of browsers that
    /// remember no login, and answers them. Their clients are to be told.
    pub async fn end_overdue_sessions(
        &mut self,
        now: Timestamp,
        idle_since: Timestamp,
        limit: u32,
    ) -> Result<Vec<BrowserSession>, StoreError> {
        use browser_sessions::{ended_at, expires_at, id, seen_at, token};
        let millis = now.as_millis();
        let remembers = remembered_logins::table
            .filter(remembered_logins::browser.eq(token).and(remembered_logins::expires_at.gt(millis)));
        let idle = seen_at.le(idle_since.as_millis()).and(not(exists(remembers)));
        let over = ended_at.is_null().and(expires_at.le(millis).or(idle));
        let query = browser_sessions::table.filter(over).select(id).limit(i64::from(limit));
        let ids: Vec<String> = on!(self, |c| query.load(c).await)?;
        let still_open = browser_sessions::table.filter(id.eq_any(ids).and(ended_at.is_null()));
        let query = diesel::update(still_open).set(ended_at.eq(millis));
        let rows: Vec<SessionRow> = on!(self, |c| query.returning(SessionRow::as_returning()).get_results(c).await)?;
        rows.into_iter().map(SessionRow::into_noun).collect()
    }

    /// Takes up to `limit` sessions that ended and whose clients nobody has told yet: each is answered once.
    pub async fn claim_untold_sessions(
        &mut self,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<BrowserSession>, StoreError> {
        use browser_sessions::{ended_at, id, told_at};
        let untold = ended_at.is_not_null().and(told_at.is_null());
        let query = browser_sessions::table.filter(untold).order(ended_at).select(id).limit(i64::from(limit));
        let ids: Vec<String> = on!(self, |c| query.load(c).await)?;
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let still_untold = browser_sessions::table.filter(id.eq_any(ids).and(told_at.is_null()));
        let query = diesel::update(still_untold).set(told_at.eq(now.as_millis()));
        let rows: Vec<SessionRow> = on!(self, |c| query.returning(SessionRow::as_returning()).get_results(c).await)?;
        rows.into_iter().map(SessionRow::into_noun).collect()
    }
}

impl SessionRow {
    fn from_noun(session: &BrowserSession) -> Result<Self, StoreError> {
        Ok(Self {
            id: session.id.to_string(),
            token: session.token.to_vec(),
            user_id: session.authentication.user.to_string(),
            authentication: to_json(&session.authentication)?,
            created_at: session.created_at.as_millis(),
            seen_at: session.seen_at.as_millis(),
            expires_at: session.expires_at.as_millis(),
            ended_at: millis(session.ended_at),
            ticket_client: session.ticket.as_ref().map(|ticket| ticket.client.to_string()),
            ticket_until: session.ticket.as_ref().map(|ticket| ticket.until.as_millis()),
            device: session.device.clone(),
            address: session.address.clone(),
        })
    }

    fn into_noun(self) -> Result<BrowserSession, StoreError> {
        let row = Row { table: "browser_sessions", id: &self.id };
        let client = row.parse_some("ticket_client", self.ticket_client.as_deref())?;
        Ok(BrowserSession {
            id: row.parse("id", &self.id)?,
            token: row.hash("token", &self.token)?,
            authentication: row.json("authentication", &self.authentication)?,
            created_at: time(self.created_at),
            seen_at: time(self.seen_at),
            expires_at: time(self.expires_at),
            ended_at: self.ended_at.map(time),
            ticket: client.zip(self.ticket_until.map(time)).map(|(client, until)| Ticket { client, until }),
            device: self.device,
            address: self.address,
        })
    }
}
