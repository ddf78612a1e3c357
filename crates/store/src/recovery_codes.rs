//! Recovery codes: each spent once; spent ones stay until all are replaced.

use countersign_model::{KeyedHash, RecoveryCode, Timestamp, UserId};
use diesel::{BoolExpressionMethods, ExpressionMethods, Insertable, QueryDsl, Queryable, Selectable, SelectableHelper};
use diesel_async::RunQueryDsl;

use crate::db::on;
use crate::row::{Row, hex, millis, time};
use crate::schema::recovery_codes;
use crate::{StoreError, Tx};

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = recovery_codes, treat_none_as_default_value = false)]
struct RecoveryRow {
    hash: Vec<u8>,
    user_id: String,
    created_at: i64,
    used_at: Option<i64>,
}

impl Tx {
    /// Adds recovery codes beside those that are there.
    pub async fn insert_recovery_codes(&mut self, codes: &[RecoveryCode]) -> Result<(), StoreError> {
        for code in codes {
            let row = RecoveryRow::from_noun(code);
            on!(self, |c| diesel::insert_into(recovery_codes::table).values(&row).execute(c).await)?;
        }
        Ok(())
    }

    /// Puts `codes` in place of all that `user` had, spent or not, and says how many those were.
    pub async fn replace_recovery_codes(&mut self, user: &UserId, codes: &[RecoveryCode]) -> Result<usize, StoreError> {
        let query = diesel::delete(recovery_codes::table.filter(recovery_codes::user_id.eq(user.as_str())));
        let gone = on!(self, |c| query.execute(c).await)?;
        self.insert_recovery_codes(codes).await?;
        Ok(gone)
    }

    /// The recovery codes of `user`, spent or not.
    pub async fn list_recovery_codes(&mut self, user: &UserId) -> Result<Vec<RecoveryCode>, StoreError> {
        let query = recovery_codes::table.filter(recovery_codes::user_id.eq(user.as_str())).order(recovery_codes::hash);
        let rows: Vec<RecoveryRow> = on!(self, |c| query.select(RecoveryRow::as_select()).load(c).await)?;
        rows.into_iter().map(RecoveryRow::into_noun).collect()
    }

    /// The code of `user` with `hash`, if it is not spent.
    pub async fn find_unspent_recovery_code(
        &mut self,
        user: &UserId,
        hash: &KeyedHash,
    ) -> Result<Option<RecoveryCode>, StoreError> {
        use recovery_codes::{hash as key, used_at, user_id};
        let unspent = key.eq(hash.as_slice()).and(user_id.eq(user.as_str())).and(used_at.is_null());
        let query = recovery_codes::table.filter(unspent);
        let mut rows: Vec<RecoveryRow> = on!(self, |c| query.select(RecoveryRow::as_select()).load(c).await)?;
        rows.pop().map(RecoveryRow::into_noun).transpose()
    }

    /// Spends a code of `user`: of any number of callers exactly one gets true.
    pub async fn consume_recovery_code(
        &mut self,
        user: &UserId,
        hash: &KeyedHash,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        use recovery_codes::{hash as key, used_at, user_id};
        let unspent = key.eq(hash.as_slice()).and(user_id.eq(user.as_str())).and(used_at.is_null());
        let query = diesel::update(recovery_codes::table.filter(unspent)).set(used_at.eq(now.as_millis()));
        on!(self, |c| query.execute(c).await).map(|rows| rows == 1)
    }
}

impl RecoveryRow {
    fn from_noun(code: &RecoveryCode) -> Self {
        Self {
            hash: code.hash.to_vec(),
            user_id: code.user.to_string(),
            created_at: code.created_at.as_millis(),
            used_at: millis(code.used_at),
        }
    }

    fn into_noun(self) -> Result<RecoveryCode, StoreError> {
        let row = Row { table: "recovery_codes", id: &hex(&self.hash) };
        Ok(RecoveryCode {
            hash: row.hash("hash", &self.hash)?,
            user: row.parse("user_id", &self.user_id)?,
            created_at: time(self.created_at),
            used_at: self.used_at.map(time),
        })
    }
}
