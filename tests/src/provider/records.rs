//! What a house has written down, as tests look it up.

use countersign_model::{AuditEvent, AuditKind, FlowId, OutboxMessage, UserId, UserStatus};
use countersign_store::{AuditFilter, StoreError};
use diesel::sql_types::Text;
use diesel::{Connection as _, QueryableByName, RunQueryDsl as _};

use super::House;
use crate::stores::{Backend, raw_redis, redis_url};

impl House {
    /// Bytes of the instance `flow` in Redis.
    ///
    /// # Panics
    /// When Redis does not answer.
    pub async fn stored_size(&self, flow: FlowId) -> usize {
        let mut length = redis::cmd("STRLEN");
        length.arg(format!("{}f:{{{flow}}}", self.prefix));
        length.query_async(&mut raw_redis(&redis_url()).await).await.expect("STRLEN")
    }

    /// The only column, text, of a query's rows.
    ///
    /// # Panics
    /// When it fails.
    pub async fn texts(&self, sql: &str) -> Vec<String> {
        match self.database.backend {
            Backend::Sqlite => {
                let path = self.database.url.trim_start_matches("sqlite:");
                let mut connection = diesel::SqliteConnection::establish(path).expect("sqlite");
                let named = format!("SELECT CAST(v AS TEXT) AS text FROM (SELECT ({sql}) AS v)");
                let list = format!("SELECT CAST(text AS TEXT) AS text FROM ({sql})");
                let sql = if sql.contains(" AS text") { list } else { named };
                let rows: Vec<TextRow> = diesel::sql_query(sql).load(&mut connection).expect("query");
                rows.into_iter().map(|row| row.text).collect()
            }
            Backend::Postgres => {
                let connected = tokio_postgres::connect(&self.database.url, tokio_postgres::NoTls).await;
                let (client, connection) = connected.expect("postgres");
                let driver = tokio::spawn(connection);
                let messages = client.simple_query(sql).await.expect("query");
                drop(client);
                let _ = driver.await;
                let row = |message| match message {
                    tokio_postgres::SimpleQueryMessage::Row(row) => Some(row.get(0).unwrap_or_default().to_owned()),
                    _ => None,
                };
                messages.into_iter().filter_map(row).collect()
            }
        }
    }

    /// How many rows of `table` hold `condition`.
    ///
    /// # Panics
    /// When it is not SQL.
    pub async fn count(&self, table: &str, condition: &str) -> usize {
        let counted = self.texts(&format!("SELECT COUNT(*) AS text FROM {table} WHERE {condition}")).await;
        counted.first().and_then(|text| text.parse().ok()).expect("a count")
    }

    /// The audit's events of `kind`, oldest first; all of them without.
    ///
    /// # Panics
    /// When the database does not answer.
    pub async fn events(&self, kind: Option<AuditKind>) -> Vec<AuditEvent> {
        let filter = AuditFilter { kind, ..AuditFilter::default() };
        let mut events: Vec<AuditEvent> = self
            .database
            .db
            .read(async |tx| Ok::<_, StoreError>(tx.list_audit_events(&filter).await?))
            .await
            .expect("audit");
        events.reverse();
        events
    }

    /// Every message of the outbox, oldest first.
    ///
    /// # Panics
    /// When the database does not answer.
    pub async fn outbox(&self) -> Vec<OutboxMessage> {
        let ids = self.texts("SELECT id AS text FROM outbox ORDER BY id").await;
        let mut messages = Vec::new();
        for id in ids {
            let id = id.parse().expect("id");
            let found = self.database.db.read(async |tx| tx.find_outbox_message(&id).await).await;
            messages.push(found.expect("outbox").expect("message"));
        }
        messages
    }

    /// Lets the person with this address sign in no more, or again.
    ///
    /// # Panics
    /// When the database refuses.
    pub async fn set_status(&self, email: &str, status: UserStatus) {
        let word = serde_json::to_value(status).expect("status");
        let word = word.as_str().expect("word");
        self.database
            .raw(&format!("UPDATE users SET status = '{word}' WHERE email = '{email}'"))
            .await
            .expect("status");
    }

    /// Id of the person with this address.
    ///
    /// # Panics
    /// When there is none.
    pub async fn user(&self, email: &str) -> UserId {
        let found = self.database.db.read(async |tx| tx.find_account_by_email(email).await).await;
        found.expect("users").expect("account").user.id
    }
}

#[derive(QueryableByName)]
struct TextRow {
    #[diesel(sql_type = Text)]
    text: String,
}
