//! The schema, embedded for both databases.

use diesel::{ConnectionError, SqliteConnection};
use diesel_async::{AsyncMigrationHarness, SimpleAsyncConnection};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::{Db, Pools, postgres};
use crate::StoreError;

const POSTGRES: EmbeddedMigrations = embed_migrations!("../../migrations/postgres");
const SQLITE: EmbeddedMigrations = embed_migrations!("../../migrations/sqlite");

/// Any number, the same in every node: the key of the advisory lock that lets one node migrate at a time.
const LOCK: i64 = 0x636f_756e_7465;

type Failure = Box<dyn std::error::Error + Send + Sync>;

impl Db {
    /// Applies every migration that is missing and names them. Several nodes may do so at once.
    pub async fn migrate(&self) -> Result<Vec<String>, StoreError> {
        self.migration_work(
            |harness| Ok(harness.run_pending_migrations(POSTGRES)?.iter().map(ToString::to_string).collect()),
            |harness| Ok(harness.run_pending_migrations(SQLITE)?.iter().map(ToString::to_string).collect()),
        )
        .await
    }

    /// How many migrations are missing; `serve` starts with none only.
    pub async fn pending_migrations(&self) -> Result<usize, StoreError> {
        self.migration_work(
            |harness| Ok(harness.pending_migrations(POSTGRES)?.len()),
            |harness| Ok(harness.pending_migrations(SQLITE)?.len()),
        )
        .await
    }

    async fn migration_work<T: Send + 'static>(
        &self,
        on_postgres: fn(&mut AsyncMigrationHarness<postgres::Connection>) -> Result<T, Failure>,
        on_sqlite: fn(&mut SqliteConnection) -> Result<T, Failure>,
    ) -> Result<T, StoreError> {
        let handle = self.handle()?;
        let work: Box<dyn FnOnce() -> Result<T, Failure> + Send> = match &self.0.pools {
            Pools::Postgres { connector, .. } => {
                let (connector, handle) = (std::sync::Arc::clone(connector), handle.clone());
                Box::new(move || {
                    let connection = handle.block_on(lock_postgres(&connector))?;
                    on_postgres(&mut AsyncMigrationHarness::new(connection))
                })
            }
            Pools::Sqlite { file, .. } => {
                let file = std::sync::Arc::clone(file);
                Box::new(move || {
                    let mut connection = file.establish()?;
                    connection
                        .immediate_transaction(|connection| on_sqlite(connection).map_err(InTransaction))
                        .map_err(|error| error.0)
                })
            }
        };
        let done = handle.spawn_blocking(work).await.map_err(|error| StoreError::Unavailable(error.to_string()))?;
        done.map_err(|error| match error.downcast_ref::<ConnectionError>() {
            Some(error) => StoreError::Unavailable(error.to_string()),
            None => StoreError::Migration(error.to_string()),
        })
    }
}

/// A connection of its own: closing it gives the lock back. Migrating may take longer than a statement should.
async fn lock_postgres(connector: &postgres::Connector) -> Result<postgres::Connection, Failure> {
    let mut connection = connector.establish().await?;
    let lock = format!("SET statement_timeout = 0; SELECT pg_advisory_lock({LOCK})");
    connection.batch_execute(&lock).await?;
    Ok(connection)
}

struct InTransaction(Failure);

impl From<diesel::result::Error> for InTransaction {
    fn from(error: diesel::result::Error) -> Self {
        Self(Box::new(error))
    }
}
