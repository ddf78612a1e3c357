//! Keys that sign tokens; the private halves arrive and leave sealed.

use countersign_model::{KeyId, SigningAlgorithm, SigningKey, Timestamp};
use diesel::{BoolExpressionMethods, ExpressionMethods, Insertable, QueryDsl, Queryable, Selectable, SelectableHelper};
use diesel_async::RunQueryDsl;

use crate::db::on;
use crate::row::{Row, millis, time, to_json};
use crate::schema::signing_keys;
use crate::{StoreError, Tx};

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = signing_keys, treat_none_as_default_value = false)]
struct KeyRow {
    id: String,
    algorithm: String,
    public_jwk: String,
    sealed_private: Vec<u8>,
    created_at: i64,
    use_from: i64,
    retire_at: Option<i64>,
}

impl Tx {
    /// Stores a key; [`StoreError::Conflict`] when its `kid` is taken.
    pub async fn insert_signing_key(&mut self, key: &SigningKey) -> Result<(), StoreError> {
        let row = KeyRow::from_noun(key)?;
        on!(self, |c| diesel::insert_into(signing_keys::table).values(&row).execute(c).await).map(drop)
    }

    /// Decides when a key leaves the JWKS: false when that was decided before, or there is no such key.
    pub async fn retire_signing_key(&mut self, id: &KeyId, at: Timestamp) -> Result<bool, StoreError> {
        let undecided = signing_keys::id.eq(id.as_str()).and(signing_keys::retire_at.is_null());
        let query =
            diesel::update(signing_keys::table.filter(undecided)).set(signing_keys::retire_at.eq(at.as_millis()));
        on!(self, |c| query.execute(c).await).map(|rows| rows == 1)
    }

    /// Removes a key: false when it was gone.
    pub async fn delete_signing_key(&mut self, id: &KeyId) -> Result<bool, StoreError> {
        let query = diesel::delete(signing_keys::table.find(id.as_str()));
        on!(self, |c| query.execute(c).await).map(|rows| rows == 1)
    }

    /// Every key, oldest first.
    pub async fn list_signing_keys(&mut self) -> Result<Vec<SigningKey>, StoreError> {
        let query = signing_keys::table.order((signing_keys::created_at, signing_keys::id));
        let rows: Vec<KeyRow> = on!(self, |c| query.select(KeyRow::as_select()).load(c).await)?;
        rows.into_iter().map(KeyRow::into_noun).collect()
    }
}

impl KeyRow {
    fn from_noun(key: &SigningKey) -> Result<Self, StoreError> {
        Ok(Self {
            id: key.id.to_string(),
            algorithm: key.algorithm.as_str().to_owned(),
            public_jwk: to_json(&key.public_jwk)?,
            sealed_private: key.sealed_private.clone(),
            created_at: key.created_at.as_millis(),
            use_from: key.use_from.as_millis(),
            retire_at: millis(key.retire_at),
        })
    }

    fn into_noun(self) -> Result<SigningKey, StoreError> {
        let row = Row { table: "signing_keys", id: &self.id };
        Ok(SigningKey {
            id: row.parse("id", &self.id)?,
            algorithm: row.known("algorithm", SigningAlgorithm::from_name(&self.algorithm))?,
            public_jwk: row.json("public_jwk", &self.public_jwk)?,
            created_at: time(self.created_at),
            use_from: time(self.use_from),
            retire_at: self.retire_at.map(time),
            sealed_private: self.sealed_private,
        })
    }
}
