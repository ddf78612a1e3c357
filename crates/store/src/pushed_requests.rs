//! Pushed authorization requests (RFC 9126): each is answered once.

use countersign_model::{KeyedHash, PushedRequest, Timestamp};
use diesel::{BoolExpressionMethods, ExpressionMethods, Insertable, QueryDsl, Queryable, Selectable, SelectableHelper};
use diesel_async::RunQueryDsl;

use crate::db::on;
use crate::row::{Row, hex, millis, time};
use crate::schema::pushed_requests;
use crate::{StoreError, Tx};

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = pushed_requests, treat_none_as_default_value = false)]
struct PushedRow {
    hash: Vec<u8>,
    client_id: String,
    sealed: Vec<u8>,
    created_at: i64,
    expires_at: i64,
    consumed_at: Option<i64>,
}

impl Tx {
    /// Stores a pushed request.
    pub async fn insert_pushed_request(&mut self, request: &PushedRequest) -> Result<(), StoreError> {
        let row = PushedRow {
            hash: request.hash.to_vec(),
            client_id: request.client.to_string(),
            sealed: request.sealed.clone(),
            created_at: request.created_at.as_millis(),
            expires_at: request.expires_at.as_millis(),
            consumed_at: millis(request.consumed_at),
        };
        let query = diesel::insert_into(pushed_requests::table).values(&row);
        on!(self, |c| query.execute(c).await).map(drop)
    }

    /// The request with `hash`, whatever its state.
    pub async fn find_pushed_request(&mut self, hash: &KeyedHash) -> Result<Option<PushedRequest>, StoreError> {
        let query = pushed_requests::table.find(hash.as_slice());
        let mut rows: Vec<PushedRow> = on!(self, |c| query.select(PushedRow::as_select()).load(c).await)?;
        rows.pop().map(PushedRow::into_noun).transpose()
    }

    /// Uses a request up: of any number of callers exactly one gets true. Its end is when its browser must have come,
    /// not when the person must have answered.
    pub async fn consume_pushed_request(&mut self, hash: &KeyedHash, now: Timestamp) -> Result<bool, StoreError> {
        use pushed_requests::{consumed_at, hash as key};
        let waiting = pushed_requests::table.filter(key.eq(hash.as_slice()).and(consumed_at.is_null()));
        let query = diesel::update(waiting).set(consumed_at.eq(now.as_millis()));
        on!(self, |c| query.execute(c).await).map(|rows| rows == 1)
    }
}

impl PushedRow {
    fn into_noun(self) -> Result<PushedRequest, StoreError> {
        let row = Row { table: "pushed_requests", id: &hex(&self.hash) };
        Ok(PushedRequest {
            hash: row.hash("hash", &self.hash)?,
            client: row.parse("client_id", &self.client_id)?,
            sealed: self.sealed,
            created_at: time(self.created_at),
            expires_at: time(self.expires_at),
            consumed_at: self.consumed_at.map(time),
        })
    }
}
