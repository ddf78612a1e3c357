//! The one seam to the database: `read` and `write` run a closure over a [`Tx`].

mod migrations;
mod postgres;
mod sqlite;
mod together;
mod tx;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use diesel_async::pooled_connection::deadpool::{Pool, PoolError};
use secrecy::{ExposeSecret, SecretString};
use tokio::runtime::Handle;

use crate::StoreError;
use crate::audit_events::Append;
use crate::clients::Lookup;
use crate::error::Fate;
use crate::io::IoRuntime;

pub(crate) use together::{Job, Queue};
pub use tx::{Link, Tx};
pub(crate) use tx::{insert_all, on};

/// How often a transaction that collides with another one is run.
const ATTEMPTS: u32 = 5;
/// How long it waits before the second run; longer each time.
const FIRST_WAIT: Duration = Duration::from_millis(5);

/// Where the database is and how long to wait for it.
#[derive(Clone, Debug)]
pub struct DatabaseSettings {
    /// `postgres://...`, `sqlite:path`, or `sqlite::memory:` for a private database that goes with its [`Db`].
    pub url: SecretString,
    /// Most connections to PostgreSQL; SQLite has one writer and four readers.
    pub max_connections: usize,
    /// Longest wait for a new connection, and for a free one.
    pub connect_timeout: Duration,
    /// Longest run of one statement; on SQLite, longest wait for another process's transaction.
    pub statement_timeout: Duration,
    /// PEM file of the authorities that PostgreSQL's certificate may come from; none: the system's.
    pub root_certificates: Option<PathBuf>,
}

impl DatabaseSettings {
    /// The defaults: 16 connections, three seconds to connect, five for a statement.
    pub fn new(url: SecretString) -> Self {
        Self {
            url,
            max_connections: 16,
            connect_timeout: Duration::from_secs(3),
            statement_timeout: Duration::from_secs(5),
            root_certificates: None,
        }
    }
}

/// A closure whose future can be named, and so be required to be `Send`: `AsyncFnMut` alone cannot say it. Written
/// `async |tx: &mut Tx| ...`; it may borrow from its surroundings, but neither own nor change anything of them.
pub trait Work<T, R>: AsyncFnMut(T) -> R + FnMut(T) -> <Self as Work<T, R>>::Fut {
    /// What it runs.
    type Fut: Future<Output = R>;
}

impl<F, T, Fut, R> Work<T, R> for F
where
    F: AsyncFnMut(T) -> R + FnMut(T) -> Fut,
    Fut: Future<Output = R>,
{
    type Fut = Fut;
}

/// A pool of connections to PostgreSQL or SQLite. Cheap to clone.
#[derive(Clone)]
pub struct Db(Arc<Inner>);

struct Inner {
    pools: Pools,
    connect_timeout: Duration,
    appends: Queue<Append>,
    lookups: Queue<Lookup>,
    audit_commits: AtomicU64,
    io: IoRuntime,
}

enum Pools {
    Postgres { pool: Pool<postgres::Connection>, connector: Arc<postgres::Connector> },
    Sqlite { writer: Pool<sqlite::Connection>, readers: Pool<sqlite::Connection>, file: Arc<sqlite::File> },
}

impl std::fmt::Debug for Db {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Db").field("backend", &self.backend()).finish_non_exhaustive()
    }
}

impl Db {
    /// Opens the pool. SQLite's file is made when missing; PostgreSQL is first reached by the first use.
    pub fn connect(settings: &DatabaseSettings) -> Result<Self, StoreError> {
        let io = IoRuntime::start("store-io", 2)?;
        let handle = io.handle().ok_or_else(|| StoreError::Settings("no runtime".to_owned()))?;
        let url = settings.url.expose_secret();
        let pools = if let Some(path) = url.strip_prefix("sqlite:") {
            let (writer, readers, file) = sqlite::open(path, settings, &handle)?;
            Pools::Sqlite { writer, readers, file }
        } else if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            let connector = Arc::new(postgres::Connector::new(url, settings)?);
            Pools::Postgres { pool: postgres::open(&connector, settings, handle)?, connector }
        } else {
            return Err(StoreError::Settings("the URL must begin with postgres: or sqlite:".to_owned()));
        };
        Ok(Self(Arc::new(Inner {
            pools,
            connect_timeout: settings.connect_timeout,
            appends: Queue::default(),
            lookups: Queue::default(),
            audit_commits: AtomicU64::new(0),
            io,
        })))
    }

    /// `postgres` or `sqlite`, for logs.
    pub fn backend(&self) -> &'static str {
        match self.0.pools {
            Pools::Postgres { .. } => "postgres",
            Pools::Sqlite { .. } => "sqlite",
        }
    }

    /// Asks the database for an answer.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.read(async |tx: &mut Tx| tx.ping().await).await
    }

    /// Runs `work` on a connection without a transaction: each query sees what is committed then, as it would in a
    /// `READ COMMITTED` transaction, and saves two round trips. Runs again once when the connection was found closed.
    pub async fn read<T, E, F>(&self, mut work: F) -> Result<T, E>
    where
        for<'r> F: AsyncFnMut(&'r mut Tx) -> Result<T, E> + Work<&'r mut Tx, Result<T, E>, Fut: Send>,
        E: From<StoreError>,
    {
        let mut retried = false;
        loop {
            let mut tx = self.checkout(Purpose::Read).await?;
            let result = work(&mut tx).await;
            let closed = tx.fate == Fate::Closed;
            tx.finish();
            if result.is_ok() || !closed || retried {
                return result;
            }
            retried = true;
        }
    }

    /// Runs `work` in one transaction: committed when it answers `Ok`, rolled back otherwise.
    ///
    /// A collision with another transaction runs it again, up to five times, so it must change nothing outside the database.
    /// A failed statement dooms the transaction, even if `work` looks past the error.
    pub async fn write<T, E, F>(&self, mut work: F) -> Result<T, E>
    where
        for<'r> F: AsyncFnMut(&'r mut Tx) -> Result<T, E> + Work<&'r mut Tx, Result<T, E>, Fut: Send>,
        E: From<StoreError>,
    {
        let mut attempt = 1;
        loop {
            let mut tx = self.begin().await?;
            let result = match work(&mut tx).await {
                Ok(value) if tx.fate == Fate::Clean => tx.commit().await.map(|()| value).map_err(E::from),
                Ok(_) => Err(tx.rollback_after_hidden_failure().await.into()),
                Err(error) => {
                    tx.rollback().await;
                    Err(error)
                }
            };
            let again = tx.fate == Fate::Contended && attempt < ATTEMPTS;
            tx.finish();
            if result.is_ok() || !again {
                return result;
            }
            // The other one, which is just waking up, goes first.
            tokio::time::sleep(FIRST_WAIT * attempt).await;
            attempt += 1;
        }
    }

    /// Runs `work`, which is one statement that writes: by itself a transaction, committed when it answers, and without
    /// the round trips of one. A collision runs it again as in `write`, and so does a connection that was found closed.
    pub(crate) async fn write_once<T, E, F>(&self, mut work: F) -> Result<T, E>
    where
        for<'r> F: AsyncFnMut(&'r mut Tx) -> Result<T, E> + Work<&'r mut Tx, Result<T, E>, Fut: Send>,
        E: From<StoreError>,
    {
        let (mut attempt, mut replaced) = (1, false);
        loop {
            let mut tx = self.checkout(Purpose::Write).await?;
            let result = work(&mut tx).await;
            let fate = tx.fate;
            tx.finish();
            match fate {
                Fate::Contended if result.is_err() && attempt < ATTEMPTS => {
                    tokio::time::sleep(FIRST_WAIT * attempt).await;
                    attempt += 1;
                }
                Fate::Closed if result.is_err() && !replaced => replaced = true,
                _ => return result,
            }
        }
    }

    /// Where events wait to be written.
    pub(crate) fn appends(&self) -> &Queue<Append> {
        &self.0.appends
    }

    /// Where questions for clients wait.
    pub(crate) fn lookups(&self) -> &Queue<Lookup> {
        &self.0.lookups
    }

    /// How many transactions of events alone this node committed.
    pub fn audit_commits(&self) -> u64 {
        self.0.audit_commits.load(Ordering::Relaxed)
    }

    pub(crate) fn count_audit_commit(&self) {
        self.0.audit_commits.fetch_add(1, Ordering::Relaxed);
    }

    /// Begins a transaction; a connection found closed at this point is replaced once, since nothing has happened yet.
    async fn begin(&self) -> Result<Tx, StoreError> {
        let mut tx = self.checkout(Purpose::Write).await?;
        match tx.begin().await {
            Err(_) if tx.fate == Fate::Closed => {
                tx.finish();
                let mut tx = self.checkout(Purpose::Write).await?;
                tx.begin().await?;
                Ok(tx)
            }
            begun => begun.map(|()| tx),
        }
    }

    async fn checkout(&self, purpose: Purpose) -> Result<Tx, StoreError> {
        let wait = self.0.connect_timeout;
        let link = match (&self.0.pools, purpose) {
            (Pools::Postgres { pool, .. }, _) => Link::Postgres(Box::new(within(wait, pool.get()).await?)),
            (Pools::Sqlite { writer, .. }, Purpose::Write) => Link::Sqlite(within(wait, writer.get()).await?),
            (Pools::Sqlite { readers, .. }, Purpose::Read) => Link::Sqlite(within(wait, readers.get()).await?),
        };
        Ok(Tx::new(link))
    }

    fn handle(&self) -> Result<Handle, StoreError> {
        self.0.io.handle().ok_or_else(|| StoreError::Unavailable("shutting down".to_owned()))
    }
}

#[derive(Clone, Copy)]
enum Purpose {
    Read,
    Write,
}

async fn within<T>(wait: Duration, checkout: impl Future<Output = Result<T, PoolError>>) -> Result<T, StoreError> {
    match tokio::time::timeout(wait, checkout).await {
        Ok(Ok(connection)) => Ok(connection),
        Ok(Err(error)) => Err(StoreError::Unavailable(error.to_string())),
        Err(_) => Err(StoreError::Unavailable("no free connection in time".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_send<T: Send>(future: T) -> T {
        future
    }

    #[tokio::test]
    async fn futures_of_read_and_write_are_send() {
        let db = Db::connect(&DatabaseSettings::new("sqlite::memory:".to_owned().into())).unwrap();
        let key = String::from("k");
        db.migrate().await.unwrap();
        let done = db.clone();
        let task = is_send(async move {
            let key = &key;
            done.write(async |tx: &mut Tx| tx.insert_setting_if_absent(key, b"v").await).await?;
            done.read(async |tx: &mut Tx| tx.find_setting(key).await).await
        });
        let found: Result<_, StoreError> = tokio::spawn(task).await.unwrap();
        assert_eq!(found.unwrap(), Some(b"v".to_vec()));
    }
}
