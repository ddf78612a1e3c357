//! Passwords: people's own, and those imported from the legacy portal.

use countersign_model::{LegacyCredential, PasswordCredential, Timestamp, UserId};
use diesel::upsert::excluded;
use diesel::{BoolExpressionMethods, ExpressionMethods, Insertable, QueryDsl, Queryable, Selectable, SelectableHelper};
use diesel_async::RunQueryDsl;

use crate::db::on;
use crate::row::time;
use crate::schema::{legacy_credentials, password_credentials};
use crate::{StoreError, Tx};

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = password_credentials)]
pub struct PasswordRow {
    user_id: String,
    phc: String,
    changed_at: i64,
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = legacy_credentials)]
pub struct LegacyRow {
    user_id: String,
    phc: String,
    imported_at: i64,
}

impl Tx {
    /// Gives `user` their first password.
    pub async fn insert_password(&mut self, user: &UserId, password: &PasswordCredential) -> Result<(), StoreError> {
        let row = PasswordRow::from_noun(user, password);
        on!(self, |c| diesel::insert_into(password_credentials::table).values(&row).execute(c).await).map(drop)
    }

    /// Gives `user` this password, whatever they had.
    pub async fn set_password(&mut self, user: &UserId, password: &PasswordCredential) -> Result<(), StoreError> {
        use password_credentials::{changed_at, phc, user_id};
        let row = PasswordRow::from_noun(user, password);
        let new = (phc.eq(excluded(phc)), changed_at.eq(excluded(changed_at)));
        on!(self, |c| diesel::insert_into(password_credentials::table)
            .values(&row)
            .on_conflict(user_id)
            .do_update()
            .set(new)
            .execute(c)
            .await)
        .map(drop)
    }

    /// Replaces `old` by `new`: false when the password is another one by now. A rehash keeps `changed_at`: pass none.
    pub async fn set_password_phc(
        &mut self,
        user: &UserId,
        old: &str,
        new: &str,
        changed_at: Option<Timestamp>,
    ) -> Result<bool, StoreError> {
        use password_credentials::{changed_at as changed, phc, user_id};
        let changed_at = changed_at.map(|at| changed.eq(at.as_millis()));
        let same = user_id.eq(user.as_str()).and(phc.eq(old));
        let query = diesel::update(password_credentials::table.filter(same)).set((phc.eq(new), changed_at));
        on!(self, |c| query.execute(c).await).map(|rows| rows == 1)
    }

    /// Takes `user`'s password away: false when they had none.
    pub async fn delete_password(&mut self, user: &UserId) -> Result<bool, StoreError> {
        let query = diesel::delete(password_credentials::table.find(user.as_str()));
        on!(self, |c| query.execute(c).await).map(|rows| rows == 1)
    }

    /// The imported password of `user`; an account comes with it too.
    pub async fn find_legacy_credential(&mut self, user: &UserId) -> Result<Option<LegacyCredential>, StoreError> {
        let query = legacy_credentials::table.find(user.as_str());
        let mut rows: Vec<LegacyRow> = on!(self, |c| query.select(LegacyRow::as_select()).load(c).await)?;
        Ok(rows.pop().map(LegacyRow::into_noun))
    }

    /// Gives `user` an imported password; [`StoreError::Conflict`] when they have one.
    pub async fn insert_legacy_credential(
        &mut self,
        user: &UserId,
        legacy: &LegacyCredential,
    ) -> Result<(), StoreError> {
        let row = LegacyRow {
            user_id: user.to_string(),
            phc: legacy.phc.to_string(),
            imported_at: legacy.imported_at.as_millis(),
        };
        on!(self, |c| diesel::insert_into(legacy_credentials::table).values(&row).execute(c).await).map(drop)
    }

    /// Drops the imported password of `user`, who has moved over: false when they had none.
    pub async fn delete_legacy_credential(&mut self, user: &UserId) -> Result<bool, StoreError> {
        let query = diesel::delete(legacy_credentials::table.find(user.as_str()));
        on!(self, |c| query.execute(c).await).map(|rows| rows == 1)
    }
}

impl PasswordRow {
    fn from_noun(user: &UserId, password: &PasswordCredential) -> Self {
        Self { user_id: user.to_string(), phc: password.phc.to_string(), changed_at: password.changed_at.as_millis() }
    }

    pub fn into_noun(self) -> PasswordCredential {
        PasswordCredential { phc: self.phc.into(), changed_at: time(self.changed_at) }
    }
}

impl LegacyRow {
    pub fn into_noun(self) -> LegacyCredential {
        LegacyCredential { phc: self.phc.into(), imported_at: time(self.imported_at) }
    }
}
