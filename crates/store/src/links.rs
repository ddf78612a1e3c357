//! Mailed links: made once, used once.

use countersign_model::{KeyedHash, Link, Timestamp, UserId};
use diesel::{BoolExpressionMethods, ExpressionMethods, Insertable, QueryDsl, Queryable, Selectable, SelectableHelper};
use diesel_async::RunQueryDsl;

use crate::db::on;
use crate::row::{Row, hex, millis, time};
use crate::schema::links;
use crate::{StoreError, Tx};

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = links, treat_none_as_default_value = false)]
struct LinkRow {
    hash: Vec<u8>,
    policy: String,
    user_id: String,
    client_id: Option<String>,
    request: Option<Vec<u8>>,
    locale: String,
    created_at: i64,
    expires_at: i64,
    consumed_at: Option<i64>,
    revoked_at: Option<i64>,
}

impl Tx {
    /// Stores a link: false when its hash is there already, so that mailing it again after a crash is harmless.
    pub async fn insert_link(&mut self, link: &Link) -> Result<bool, StoreError> {
        let row = LinkRow::from_noun(link);
        let query = diesel::insert_into(links::table).values(&row).on_conflict_do_nothing();
        on!(self, |c| query.execute(c).await).map(|rows| rows == 1)
    }

    /// The link with `hash`, whatever its state.
    pub async fn find_link(&mut self, hash: &KeyedHash) -> Result<Option<Link>, StoreError> {
        let query = links::table.find(hash.as_slice());
        let mut rows: Vec<LinkRow> = on!(self, |c| query.select(LinkRow::as_select()).load(c).await)?;
        rows.pop().map(LinkRow::into_noun).transpose()
    }

    /// Uses a link up: of any number of callers exactly one gets true, and none past its end or after its revocation.
    pub async fn consume_link(&mut self, hash: &KeyedHash, now: Timestamp) -> Result<bool, StoreError> {
        let live = links::hash
            .eq(hash.as_slice())
            .and(links::consumed_at.is_null())
            .and(links::revoked_at.is_null())
            .and(links::expires_at.gt(now.as_millis()));
        let query = diesel::update(links::table.filter(live)).set(links::consumed_at.eq(now.as_millis()));
        on!(self, |c| query.execute(c).await).map(|rows| rows == 1)
    }

    /// Revokes the unused links of `user` that begin `policy`, but for `keep`, and says how many those were.
    pub async fn revoke_links(
        &mut self,
        user: &UserId,
        policy: &str,
        keep: &KeyedHash,
        now: Timestamp,
    ) -> Result<usize, StoreError> {
        let older = links::user_id
            .eq(user.as_str())
            .and(links::policy.eq(policy))
            .and(links::hash.ne(keep.as_slice()))
            .and(links::consumed_at.is_null())
            .and(links::revoked_at.is_null());
        let query = diesel::update(links::table.filter(older)).set(links::revoked_at.eq(now.as_millis()));
        on!(self, |c| query.execute(c).await)
    }

    /// Revokes every unused link of `user` and says how many those were.
    pub async fn revoke_links_of_user(&mut self, user: &UserId, now: Timestamp) -> Result<usize, StoreError> {
        let unused =
            links::user_id.eq(user.as_str()).and(links::consumed_at.is_null()).and(links::revoked_at.is_null());
        let query = diesel::update(links::table.filter(unused)).set(links::revoked_at.eq(now.as_millis()));
        on!(self, |c| query.execute(c).await)
    }
}

impl LinkRow {
    fn from_noun(link: &Link) -> Self {
        Self {
            hash: link.hash.to_vec(),
            policy: link.policy.clone(),
            user_id: link.user.to_string(),
            client_id: link.client.as_ref().map(ToString::to_string),
            request: link.request.clone(),
            locale: link.locale.clone(),
            created_at: link.created_at.as_millis(),
            expires_at: link.expires_at.as_millis(),
            consumed_at: millis(link.consumed_at),
            revoked_at: millis(link.revoked_at),
        }
    }

    fn into_noun(self) -> Result<Link, StoreError> {
        let row = Row { table: "links", id: &hex(&self.hash) };
        Ok(Link {
            hash: row.hash("hash", &self.hash)?,
            user: row.parse("user_id", &self.user_id)?,
            client: row.parse_some("client_id", self.client_id.as_deref())?,
            created_at: time(self.created_at),
            expires_at: time(self.expires_at),
            consumed_at: self.consumed_at.map(time),
            revoked_at: self.revoked_at.map(time),
            policy: self.policy,
            request: self.request,
            locale: self.locale,
        })
    }
}
