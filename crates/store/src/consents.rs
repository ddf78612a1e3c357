//! What people allowed clients, one row per person and client.

use countersign_model::{ClientId, Consent, UserId};
use diesel::upsert::excluded;
use diesel::{ExpressionMethods, Insertable, QueryDsl, Queryable, Selectable, SelectableHelper};
use diesel_async::RunQueryDsl;

use crate::db::on;
use crate::row::{Row, time, to_json};
use crate::schema::consents;
use crate::{StoreError, Tx};

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = consents, treat_none_as_default_value = false)]
struct ConsentRow {
    user_id: String,
    client_id: String,
    scope: String,
    claims: String,
    resources: String,
    given_at: i64,
}

const MOST: i64 = 1000;

impl Tx {
    /// Remembers a consent in place of what the person allowed that client before.
    pub async fn upsert_consent(&mut self, consent: &Consent) -> Result<(), StoreError> {
        use consents::{claims, client_id, given_at, resources, scope, user_id};
        let row = ConsentRow::from_noun(consent)?;
        let new = (
            scope.eq(excluded(scope)),
            claims.eq(excluded(claims)),
            resources.eq(excluded(resources)),
            given_at.eq(excluded(given_at)),
        );
        on!(self, |c| diesel::insert_into(consents::table)
            .values(&row)
            .on_conflict((user_id, client_id))
            .do_update()
            .set(new)
            .execute(c)
            .await)
        .map(drop)
    }

    /// What `user` allowed `client`.
    pub async fn find_consent(&mut self, user: &UserId, client: &ClientId) -> Result<Option<Consent>, StoreError> {
        let query = consents::table.find((user.as_str(), client.as_str()));
        let mut rows: Vec<ConsentRow> = on!(self, |c| query.select(ConsentRow::as_select()).load(c).await)?;
        rows.pop().map(ConsentRow::into_noun).transpose()
    }

    /// What `user` allowed clients, the last first; a thousand at most.
    pub async fn list_consents_of_user(&mut self, user: &UserId) -> Result<Vec<Consent>, StoreError> {
        let own = consents::table.filter(consents::user_id.eq(user.as_str()));
        let query = own.order((consents::given_at.desc(), consents::client_id)).limit(MOST);
        let rows: Vec<ConsentRow> = on!(self, |c| query.select(ConsentRow::as_select()).load(c).await)?;
        rows.into_iter().map(ConsentRow::into_noun).collect()
    }

    /// Forgets what `user` allowed `client`: false when that was nothing.
    pub async fn delete_consent(&mut self, user: &UserId, client: &ClientId) -> Result<bool, StoreError> {
        let query = diesel::delete(consents::table.find((user.as_str(), client.as_str())));
        on!(self, |c| query.execute(c).await).map(|rows| rows == 1)
    }

    /// Forgets everything that `user` allowed; for accounts that are closed.
    pub async fn delete_consents_of_user(&mut self, user: &UserId) -> Result<usize, StoreError> {
        let query = diesel::delete(consents::table.filter(consents::user_id.eq(user.as_str())));
        on!(self, |c| query.execute(c).await)
    }
}

impl ConsentRow {
    fn from_noun(consent: &Consent) -> Result<Self, StoreError> {
        Ok(Self {
            user_id: consent.user.to_string(),
            client_id: consent.client.to_string(),
            scope: consent.scope.to_string(),
            claims: to_json(&consent.claims)?,
            resources: to_json(&consent.resources)?,
            given_at: consent.given_at.as_millis(),
        })
    }

    fn into_noun(self) -> Result<Consent, StoreError> {
        let id = format!("{} {}", self.user_id, self.client_id);
        let row = Row { table: "consents", id: &id };
        Ok(Consent {
            user: row.parse("user_id", &self.user_id)?,
            client: row.parse("client_id", &self.client_id)?,
            scope: row.parse("scope", &self.scope)?,
            claims: row.json("claims", &self.claims)?,
            resources: row.json("resources", &self.resources)?,
            given_at: time(self.given_at),
        })
    }
}
