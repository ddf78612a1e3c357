//! Requests of programs that made something: sent again under the same key, they make nothing more.

use countersign_model::{KeyedHash, Timestamp};
use diesel::{ExpressionMethods, QueryDsl};
use diesel_async::RunQueryDsl;

use crate::db::on;
use crate::row::{Row, hex};
use crate::schema::answered_requests;
use crate::{StoreError, Tx};

/// A request that was carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnsweredRequest {
    /// Keyed hash of what it asked for.
    pub fingerprint: KeyedHash,
    /// Id of what it made.
    pub made: String,
}

impl Tx {
    /// Notes that the request `hash` makes `made`: false when it was carried out before. A caller that races another
    /// transaction with the same one waits for its end.
    pub async fn insert_answered(
        &mut self,
        hash: &KeyedHash,
        request: &AnsweredRequest,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let row = (
            answered_requests::hash.eq(hash.as_slice()),
            answered_requests::fingerprint.eq(request.fingerprint.as_slice()),
            answered_requests::made.eq(&request.made),
            answered_requests::at.eq(now.as_millis()),
        );
        let query = diesel::insert_into(answered_requests::table).values(row).on_conflict_do_nothing();
        on!(self, |c| query.execute(c).await).map(|rows| rows == 1)
    }

    /// What the request `hash` asked for and made.
    pub async fn find_answered(&mut self, hash: &KeyedHash) -> Result<Option<AnsweredRequest>, StoreError> {
        let query = answered_requests::table
            .find(hash.as_slice())
            .select((answered_requests::fingerprint, answered_requests::made));
        let mut rows: Vec<(Vec<u8>, String)> = on!(self, |c| query.load(c).await)?;
        let row = Row { table: "answered_requests", id: &hex(hash) };
        let read = |(fingerprint, made): (Vec<u8>, String)| {
            Ok(AnsweredRequest { fingerprint: row.hash("fingerprint", &fingerprint)?, made })
        };
        rows.pop().map(read).transpose()
    }

    /// Forgets the request `hash` if it was carried out before `time`.
    pub async fn forget_answered(&mut self, hash: &KeyedHash, time: Timestamp) -> Result<(), StoreError> {
        let old = answered_requests::table.find(hash.as_slice()).filter(answered_requests::at.lt(time.as_millis()));
        on!(self, |c| diesel::delete(old).execute(c).await).map(drop)
    }

    /// Forgets a request that made nothing after all.
    pub async fn delete_answered(&mut self, hash: &KeyedHash) -> Result<(), StoreError> {
        let query = diesel::delete(answered_requests::table.find(hash.as_slice()));
        on!(self, |c| query.execute(c).await).map(drop)
    }
}
