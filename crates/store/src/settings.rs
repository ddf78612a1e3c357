//! Small facts about the deployment, most of them written once.

use diesel::{EscapeExpressionMethods, ExpressionMethods, QueryDsl, TextExpressionMethods};
use diesel_async::RunQueryDsl;

use crate::db::on;
use crate::row::starting;
use crate::schema::settings;
use crate::{StoreError, Tx};

impl Tx {
    /// The value of `key`.
    pub async fn find_setting(&mut self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let query = settings::table.find(key).select(settings::value);
        let mut rows: Vec<Vec<u8>> = on!(self, |c| query.load(c).await)?;
        Ok(rows.pop())
    }

    /// Writes `value` under `key` unless there is one, and answers the one that stands.
    pub async fn insert_setting_if_absent(&mut self, key: &str, value: &[u8]) -> Result<Vec<u8>, StoreError> {
        let row = (settings::key.eq(key), settings::value.eq(value));
        let query = diesel::insert_into(settings::table).values(row).on_conflict_do_nothing();
        on!(self, |c| query.execute(c).await)?;
        let standing = self.find_setting(key).await?;
        standing.ok_or_else(|| StoreError::Database("a setting vanished".to_owned()))
    }

    /// Writes `value` under `key`, whatever stood there.
    pub async fn replace_setting(&mut self, key: &str, value: &[u8]) -> Result<(), StoreError> {
        self.insert_setting_if_absent(key, value).await?;
        let query = diesel::update(settings::table.find(key)).set(settings::value.eq(value));
        on!(self, |c| query.execute(c).await).map(drop)
    }

    /// Waits until every other transaction that took this turn is over, and makes later ones wait for this one: for rules
    /// over several rows, such as "no more than so many", which no constraint states.
    pub async fn take_turn(&mut self, name: &str) -> Result<(), StoreError> {
        let key = format!("turn/{name}");
        self.insert_setting_if_absent(&key, &[]).await?;
        // Writes what is there: the row is locked until the transaction ends.
        let query = diesel::update(settings::table.find(&key)).set(settings::value.eq(settings::value));
        on!(self, |c| query.execute(c).await).map(drop)
    }

    /// Every setting whose key begins with `prefix`, by key.
    pub async fn list_settings(&mut self, prefix: &str) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        let query = settings::table
            .filter(settings::key.like(starting(prefix)).escape('!'))
            .order(settings::key)
            .select((settings::key, settings::value));
        on!(self, |c| query.load(c).await)
    }
}
