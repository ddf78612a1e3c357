//! Relying parties: the noun as one JSON document, with what is searched for beside it.

use countersign_model::{Client, ClientId};
use diesel::{ExpressionMethods, Insertable, QueryDsl, Queryable, Selectable, SelectableHelper};
use diesel_async::RunQueryDsl;

use crate::db::on;
use crate::row::{Row, to_json};
use crate::schema::clients;
use crate::{StoreError, Tx};

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = clients)]
struct ClientRow {
    id: String,
    document: String,
    disabled: bool,
}

impl Tx {
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
        let new = (clients::document.eq(&row.document), clients::disabled.eq(row.disabled));
        on!(self, |c| diesel::insert_into(clients::table)
            .values(&row)
            .on_conflict(clients::id)
            .do_update()
            .set(new)
            .execute(c)
            .await)
        .map(drop)
    }

    /// Every client, by id.
    pub async fn list_clients(&mut self) -> Result<Vec<Client>, StoreError> {
        let rows: Vec<ClientRow> =
            on!(self, |c| clients::table.order(clients::id).select(ClientRow::as_select()).load(c).await)?;
        rows.into_iter().map(ClientRow::into_noun).collect()
    }
}

impl ClientRow {
    fn from_noun(client: &Client) -> Result<Self, StoreError> {
        Ok(Self { id: client.id.to_string(), document: to_json(client)?, disabled: client.disabled })
    }

    /// The columns win over the document, so that an operator's UPDATE of `disabled` counts.
    fn into_noun(self) -> Result<Client, StoreError> {
        let row = Row { table: "clients", id: &self.id };
        let mut client: Client = row.json("document", &self.document)?;
        if client.id.as_str() != self.id {
            return Err(row.corrupt("document"));
        }
        client.disabled = self.disabled;
        Ok(client)
    }
}
