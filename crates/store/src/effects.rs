//! Effects that must happen once: the key is written in the transaction of the effect.

use countersign_model::Timestamp;
use diesel::{ExpressionMethods, QueryDsl};
use diesel_async::RunQueryDsl;

use crate::db::on;
use crate::schema::effects;
use crate::{StoreError, Tx};

impl Tx {
    /// Notes that the effect `key` (instance, step, visit) is being done: false when it has been done before. A caller
    /// that races another transaction with the same key waits for its end.
    pub async fn insert_effect(&mut self, key: &str, now: Timestamp) -> Result<bool, StoreError> {
        let row = (effects::key.eq(key), effects::at.eq(now.as_millis()));
        let query = diesel::insert_into(effects::table).values(row).on_conflict_do_nothing();
        on!(self, |c| query.execute(c).await).map(|rows| rows == 1)
    }

    /// Whether the effect `key` has been done.
    pub async fn has_effect(&mut self, key: &str) -> Result<bool, StoreError> {
        let query = effects::table.find(key).select(effects::key);
        let rows: Vec<String> = on!(self, |c| query.load(c).await)?;
        Ok(!rows.is_empty())
    }
}
