//! Logins remembered in a browser, one per policy.

use countersign_model::{Authentication, KeyedHash, RememberedLogin, Timestamp, UserId};
use diesel::upsert::excluded;
use diesel::{BoolExpressionMethods, ExpressionMethods, Insertable, QueryDsl, Queryable, Selectable, SelectableHelper};
use diesel_async::RunQueryDsl;

use crate::db::on;
use crate::row::{Row, fact_words, hex, time, to_json};
use crate::schema::remembered_logins;
use crate::{StoreError, Tx};

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = remembered_logins, treat_none_as_default_value = false)]
struct RememberedRow {
    browser: Vec<u8>,
    policy: String,
    user_id: String,
    authentication: String,
    facts: String,
    expires_at: i64,
    device: Option<String>,
    created_at: Option<i64>,
}

const MOST: i64 = 1000;

impl Tx {
    /// Remembers a login in place of what that browser remembered for that policy.
    pub async fn upsert_remembered_login(&mut self, login: &RememberedLogin) -> Result<(), StoreError> {
        use remembered_logins::{authentication, browser, created_at, device, expires_at, facts, policy, user_id};
        let row = RememberedRow::from_noun(login)?;
        let new = (
            user_id.eq(excluded(user_id)),
            authentication.eq(excluded(authentication)),
            facts.eq(excluded(facts)),
            expires_at.eq(excluded(expires_at)),
            device.eq(excluded(device)),
            created_at.eq(excluded(created_at)),
        );
        on!(self, |c| diesel::insert_into(remembered_logins::table)
            .values(&row)
            .on_conflict((browser, policy))
            .do_update()
            .set(new)
            .execute(c)
            .await)
        .map(drop)
    }

    /// What `browser` remembers at `now`, by policy; nothing that has expired.
    pub async fn list_remembered_logins(
        &mut self,
        browser: &KeyedHash,
        now: Timestamp,
    ) -> Result<Vec<RememberedLogin>, StoreError> {
        use remembered_logins::{browser as key, expires_at, policy};
        let live = key.eq(browser.as_slice()).and(expires_at.gt(now.as_millis()));
        let query = remembered_logins::table.filter(live).order(policy);
        let rows: Vec<RememberedRow> = on!(self, |c| query.select(RememberedRow::as_select()).load(c).await)?;
        rows.into_iter().map(RememberedRow::into_noun).collect()
    }

    /// Where `user` is remembered at `now`, newest first; a thousand at most.
    pub async fn list_remembered_of_user(
        &mut self,
        user: &UserId,
        now: Timestamp,
    ) -> Result<Vec<RememberedLogin>, StoreError> {
        use remembered_logins::{browser, expires_at, policy, user_id};
        let live = user_id.eq(user.as_str()).and(expires_at.gt(now.as_millis()));
        let query = remembered_logins::table.filter(live).order((expires_at.desc(), browser, policy)).limit(MOST);
        let rows: Vec<RememberedRow> = on!(self, |c| query.select(RememberedRow::as_select()).load(c).await)?;
        rows.into_iter().map(RememberedRow::into_noun).collect()
    }

    /// Forgets what `browser` remembered for `policy`: false when that was nothing.
    pub async fn delete_remembered_login(&mut self, browser: &KeyedHash, policy: &str) -> Result<bool, StoreError> {
        let query = diesel::delete(remembered_logins::table.find((browser.as_slice(), policy)));
        on!(self, |c| query.execute(c).await).map(|rows| rows == 1)
    }

    /// Forgets `user` in every browser and says how often they were remembered; for resets.
    pub async fn delete_remembered_logins_of_user(&mut self, user: &UserId) -> Result<usize, StoreError> {
        let query = diesel::delete(remembered_logins::table.filter(remembered_logins::user_id.eq(user.as_str())));
        on!(self, |c| query.execute(c).await)
    }
}

impl RememberedRow {
    fn from_noun(login: &RememberedLogin) -> Result<Self, StoreError> {
        Ok(Self {
            browser: login.browser.to_vec(),
            policy: login.policy.clone(),
            user_id: login.user.to_string(),
            authentication: to_json(&login.authentication)?,
            facts: fact_words(login.facts),
            expires_at: login.expires_at.as_millis(),
            device: login.device.clone(),
            created_at: Some(login.created_at.as_millis()),
        })
    }

    fn into_noun(self) -> Result<RememberedLogin, StoreError> {
        let id = format!("{} {}", hex(&self.browser), self.policy);
        let row = Row { table: "remembered_logins", id: &id };
        let authentication: Authentication = row.json("authentication", &self.authentication)?;
        Ok(RememberedLogin {
            browser: row.hash("browser", &self.browser)?,
            user: row.parse("user_id", &self.user_id)?,
            facts: row.facts("facts", &self.facts)?,
            expires_at: time(self.expires_at),
            // Rows of older versions do not tell.
            created_at: self.created_at.map_or(authentication.auth_time, time),
            authentication,
            device: self.device,
            policy: self.policy,
        })
    }
}
