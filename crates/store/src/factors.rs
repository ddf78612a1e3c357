//! Second factors.

use countersign_model::{Factor, FactorId, FactorKind, Timestamp, UserId};
use diesel::{
    BoolExpressionMethods, ExpressionMethods, Insertable, NullableExpressionMethods, QueryDsl, Queryable, Selectable,
};
use diesel_async::RunQueryDsl;

use crate::db::on;
use crate::row::{Row, millis, time};
use crate::schema::factors;
use crate::{StoreError, Tx};

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = factors, treat_none_as_default_value = false)]
pub struct FactorRow {
    id: String,
    user_id: String,
    kind: String,
    value: String,
    last_step: Option<i64>,
    bound_at: i64,
    name: Option<String>,
    used_at: Option<i64>,
}

impl Tx {
    /// Binds a factor beside those that are there.
    pub async fn insert_factor(&mut self, factor: &Factor) -> Result<(), StoreError> {
        let row = FactorRow::from_noun(factor);
        on!(self, |c| diesel::insert_into(factors::table).values(&row).execute(c).await).map(drop)
    }

    /// Binds a factor in place of all of its kind that the person had, and says how many those were.
    pub async fn replace_factor(&mut self, factor: &Factor) -> Result<usize, StoreError> {
        let gone = self.delete_factors(&factor.user, factor.kind).await?;
        self.insert_factor(factor).await?;
        Ok(gone)
    }

    /// Unbinds all factors of `kind` and says how many those were.
    pub async fn delete_factors(&mut self, user: &UserId, kind: FactorKind) -> Result<usize, StoreError> {
        let of_kind = factors::user_id.eq(user.as_str()).and(factors::kind.eq(kind.as_str()));
        let query = diesel::delete(factors::table.filter(of_kind));
        on!(self, |c| query.execute(c).await)
    }

    /// Unbinds one factor of `user`: false when they have none of this id.
    pub async fn delete_factor(&mut self, user: &UserId, factor: &FactorId) -> Result<bool, StoreError> {
        let own = factors::id.eq(factor.as_str()).and(factors::user_id.eq(user.as_str()));
        let query = diesel::delete(factors::table.filter(own));
        on!(self, |c| query.execute(c).await).map(|rows| rows == 1)
    }

    /// Notes that a factor was used: false when it is gone.
    pub async fn touch_factor(&mut self, factor: &FactorId, now: Timestamp) -> Result<bool, StoreError> {
        let query = diesel::update(factors::table.find(factor.as_str())).set(factors::used_at.eq(now.as_millis()));
        on!(self, |c| query.execute(c).await).map(|rows| rows == 1)
    }

    /// Keeps a passkey's new counter and state: false when the passkey is gone.
    pub async fn update_factor_passkey(
        &mut self,
        factor: &FactorId,
        value: &str,
        used_at: Timestamp,
    ) -> Result<bool, StoreError> {
        let passkey = factors::id.eq(factor.as_str()).and(factors::kind.eq(FactorKind::Passkey.as_str()));
        let new = (factors::value.eq(value), factors::used_at.eq(used_at.as_millis()));
        let query = diesel::update(factors::table.filter(passkey)).set(new);
        on!(self, |c| query.execute(c).await).map(|rows| rows == 1)
    }

    /// Spends a time step of an authenticator app: false when that step or a later one is spent already.
    pub async fn spend_totp_step(&mut self, factor: &FactorId, step: i64) -> Result<bool, StoreError> {
        let unspent = factors::last_step.is_null().or(factors::last_step.lt(step));
        let target = factors::table.filter(factors::id.eq(factor.as_str())).filter(unspent.assume_not_null());
        let query = diesel::update(target).set(factors::last_step.eq(step));
        on!(self, |c| query.execute(c).await).map(|rows| rows == 1)
    }
}

impl FactorRow {
    fn from_noun(factor: &Factor) -> Self {
        Self {
            id: factor.id.to_string(),
            user_id: factor.user.to_string(),
            kind: factor.kind.as_str().to_owned(),
            value: factor.value.clone(),
            last_step: factor.last_step,
            bound_at: factor.bound_at.as_millis(),
            name: factor.name.clone(),
            used_at: millis(factor.used_at),
        }
    }

    pub fn into_noun(self) -> Result<Factor, StoreError> {
        let row = Row { table: "factors", id: &self.id };
        Ok(Factor {
            id: row.parse("id", &self.id)?,
            user: row.parse("user_id", &self.user_id)?,
            kind: row.known("kind", FactorKind::from_word(&self.kind))?,
            bound_at: time(self.bound_at),
            used_at: self.used_at.map(time),
            value: self.value,
            last_step: self.last_step,
            name: self.name,
        })
    }
}
