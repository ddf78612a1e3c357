//! Relying parties: the noun as one JSON document, with what is searched for beside it.

use std::collections::BTreeSet;

use countersign_model::{Client, ClientId, Timestamp};
use diesel::{
    BoolExpressionMethods, ExpressionMethods, Insertable, NullableExpressionMethods, QueryDsl, Queryable, Selectable,
    SelectableHelper, TextExpressionMethods,
};
use diesel_async::RunQueryDsl;

use crate::db::{Db, Job, Queue, on};
use crate::row::{Row, to_json};
use crate::schema::{clients, grants};
use crate::{StoreError, Tx};

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = clients, treat_none_as_default_value = false)]
pub struct ClientRow {
    id: String,
    document: String,
    disabled: bool,
    registered_at: Option<i64>,
}

impl Db {
    /// The client of `id`, disabled or not, as it is committed now. Whoever asks at the same moment is answered by the
    /// same statement.
    pub async fn find_client(&self, id: &ClientId) -> Result<Option<Client>, StoreError> {
        self.together(Lookup(id.clone())).await
    }
}

/// A question for a client.
pub struct Lookup(ClientId);

impl Job for Lookup {
    type Answer = Option<Client>;
    const MOST: usize = 64;

    fn queue(db: &Db) -> &Queue<Self> {
        db.lookups()
    }

    async fn run(db: &Db, jobs: &[Self]) -> Result<Vec<Option<Client>>, StoreError> {
        let ids: BTreeSet<&str> = jobs.iter().map(|job| job.0.as_str()).collect();
        let ids = &Vec::from_iter(ids);
        let found = db.read(async |tx: &mut Tx| tx.find_clients(ids).await).await?;
        Ok(jobs.iter().map(|job| found.iter().find(|client| client.id == job.0).cloned()).collect())
    }
}

impl Tx {
    /// Of the clients of `ids` those that are there.
    async fn find_clients(&mut self, ids: &[&str]) -> Result<Vec<Client>, StoreError> {
        let rows: Vec<ClientRow> = if let [id] = ids {
            on!(self, |c| clients::table.find(*id).select(ClientRow::as_select()).load(c).await)?
        } else {
            let query = clients::table.filter(clients::id.eq_any(ids));
            on!(self, |c| query.select(ClientRow::as_select()).load(c).await)?
        };
        rows.into_iter().map(ClientRow::into_noun).collect()
    }

    /// The client of `id`, disabled or not.
    pub async fn find_client(&mut self, id: &ClientId) -> Result<Option<Client>, StoreError> {
        let mut rows: Vec<ClientRow> =
            on!(self, |c| clients::table.find(id.as_str()).select(ClientRow::as_select()).load(c).await)?;
        rows.pop().map(ClientRow::into_noun).transpose()
    }

    /// Registers a client; [`StoreError::Conflict`] when its id is taken.
    pub async fn insert_client(&mut self, client: &Client) -> Result<(), StoreError> {
        let row = ClientRow::from_noun(client)?;
        on!(self, |c| diesel::insert_into(clients::table).values(&row).execute(c).await).map(drop)
    }

    /// Registers a client or replaces what is registered under its id.
    pub async fn upsert_client(&mut self, client: &Client) -> Result<(), StoreError> {
        let row = ClientRow::from_noun(client)?;
        let new = (
            clients::document.eq(&row.document),
            clients::disabled.eq(row.disabled),
            clients::registered_at.eq(row.registered_at),
        );
        on!(self, |c| diesel::insert_into(clients::table)
            .values(&row)
            .on_conflict(clients::id)
            .do_update()
            .set(new)
            .execute(c)
            .await)
        .map(drop)
    }

    /// Replaces what the client `known` registered; false when it was removed, disabled or given another registration
    /// access token meanwhile, or is replaced at the same time.
    pub async fn replace_registered_client(&mut self, known: &Client, new: &Client) -> Result<bool, StoreError> {
        let id = known.id.as_str();
        let mut rows: Vec<ClientRow> =
            on!(self, |c| clients::table.find(id).select(ClientRow::as_select()).load(c).await)?;
        let Some(row) = rows.pop() else { return Ok(false) };
        let document = row.document.clone();
        let now = row.into_noun()?;
        let token = |client: &Client| client.registration.as_ref().map(|own| own.access_token);
        if now.disabled || new.id != known.id || token(&now).is_none() || token(&now) != token(known) {
            return Ok(false);
        }
        let same = clients::document.eq(&document).and(clients::disabled.eq(false));
        let query = diesel::update(clients::table.find(id).filter(same)).set(clients::document.eq(to_json(new)?));
        on!(self, |c| query.execute(c).await).map(|rows| rows == 1)
    }

    /// Every client, by id.
    pub async fn list_clients(&mut self) -> Result<Vec<Client>, StoreError> {
        let rows: Vec<ClientRow> =
            on!(self, |c| clients::table.order(clients::id).select(ClientRow::as_select()).load(c).await)?;
        rows.into_iter().map(ClientRow::into_noun).collect()
    }

    /// How many clients registered themselves.
    pub async fn count_registered_clients(&mut self) -> Result<u32, StoreError> {
        let query = clients::table.filter(clients::registered_at.is_not_null()).count();
        let count: i64 = on!(self, |c| query.get_result(c).await)?;
        Ok(u32::try_from(count).unwrap_or(u32::MAX))
    }

    /// Notes that a client that registered itself was used at `now`; writes nothing when it was since `noted`.
    pub async fn touch_client(&mut self, id: &ClientId, noted: Timestamp, now: Timestamp) -> Result<(), StoreError> {
        let stale = clients::used_at.is_null().or(clients::used_at.lt(noted.as_millis())).assume_not_null();
        let own = clients::id.eq(id.as_str()).and(clients::registered_at.is_not_null());
        let query = diesel::update(clients::table.filter(own).filter(stale)).set(clients::used_at.eq(now.as_millis()));
        on!(self, |c| query.execute(c).await).map(drop)
    }

    /// Removes a client and ends its grants; false when there is none.
    pub async fn delete_client(&mut self, id: &ClientId, now: Timestamp) -> Result<bool, StoreError> {
        let live = grants::client_id.eq(id.as_str()).and(grants::revoked_at.is_null());
        let revoke = diesel::update(grants::table.filter(live)).set(grants::revoked_at.eq(now.as_millis()));
        on!(self, |c| revoke.execute(c).await)?;
        let query = diesel::delete(clients::table.find(id.as_str()));
        on!(self, |c| query.execute(c).await).map(|rows| rows == 1)
    }

    /// The client described by a document that was met first, before `before`, and never used.
    pub async fn find_idle_document(&mut self, before: Timestamp) -> Result<Option<ClientId>, StoreError> {
        // Ids that registration draws are no addresses.
        let described = clients::id.like("https://%").or(clients::id.like("http://%"));
        let query = clients::table
            .filter(clients::registered_at.lt(before.as_millis()).assume_not_null())
            .filter(clients::used_at.is_null())
            .filter(described)
            .order(clients::registered_at)
            .select(clients::id)
            .limit(1);
        let ids: Vec<String> = on!(self, |c| query.load(c).await)?;
        ids.iter().map(|id| Row { table: "clients", id }.parse("id", id)).next().transpose()
    }

    /// Up to `batch` clients that registered themselves and were not used since `before`.
    pub async fn list_unused_clients(&mut self, before: Timestamp, batch: u32) -> Result<Vec<ClientId>, StoreError> {
        let before = before.as_millis();
        let never = clients::used_at.is_null().and(clients::registered_at.lt(before));
        let unused = never.or(clients::used_at.lt(before)).assume_not_null();
        let query = clients::table
            .filter(clients::registered_at.is_not_null())
            .filter(unused)
            .order(clients::registered_at)
            .select(clients::id)
            .limit(i64::from(batch));
        let ids: Vec<String> = on!(self, |c| query.load(c).await)?;
        ids.iter().map(|id| Row { table: "clients", id }.parse("id", id)).collect()
    }
}

impl ClientRow {
    fn from_noun(client: &Client) -> Result<Self, StoreError> {
        let registered_at = client.registration.as_ref().map(|_| client.created_at.as_millis());
        Ok(Self { id: client.id.to_string(), document: to_json(client)?, disabled: client.disabled, registered_at })
    }

    /// The columns win over the document, so that an operator's UPDATE of `disabled` counts.
    pub fn into_noun(self) -> Result<Client, StoreError> {
        let row = Row { table: "clients", id: &self.id };
        let mut client: Client = row.json("document", &self.document)?;
        if client.id.as_str() != self.id {
            return Err(row.corrupt("document"));
        }
        client.disabled = self.disabled;
        Ok(client)
    }
}
