//! SQLite: one writer, four readers, WAL.

use std::error::Error;
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use diesel::connection::{AnsiTransactionManager, SimpleConnection};
use diesel::{Connection as _, ConnectionError, ConnectionResult, QueryResult, SqliteConnection};
use diesel_async::pooled_connection::deadpool::Pool;
use diesel_async::pooled_connection::{AsyncDieselConnectionManager, ManagerConfig, RecyclingMethod};
use diesel_async::sync_connection_wrapper::{SpawnBlocking, SyncConnectionWrapper};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::runtime::Handle;

use super::DatabaseSettings;
use crate::StoreError;

const READERS: usize = 4;

pub type Connection = SyncConnectionWrapper<SqliteConnection, Blocking>;

/// Runs statements on the store's own threads.
///
/// diesel-async's own runner blocks the thread of a cancelled caller until the statement ends, and panics when that is
/// an actix worker. Here the statement just ends by itself; `Tx` closes the connection it ran on.
pub struct Blocking(Option<Handle>);

impl SpawnBlocking for Blocking {
    fn spawn_blocking<'a, R>(
        &mut self,
        task: impl FnOnce() -> R + Send + 'static,
    ) -> BoxFuture<'a, Result<R, Box<dyn Error + Send + Sync + 'static>>>
    where
        R: Send + 'static,
    {
        let running = self.0.as_ref().map(|handle| handle.spawn_blocking(task));
        async move {
            match running {
                Some(running) => running.await.map_err(Box::from),
                None => Err("no runtime to run on".into()),
            }
        }
        .boxed()
    }

    fn get_runtime() -> Self {
        Self(Handle::try_current().ok())
    }
}

/// The database file; a private one is removed with its last user.
#[derive(Debug)]
pub struct File {
    path: PathBuf,
    private: bool,
    wait: Duration,
}

impl File {
    /// A connection outside the pools, for the migrations.
    pub fn establish(&self) -> ConnectionResult<SqliteConnection> {
        establish(&self.path, &pragmas(self.wait, Role::Writer))
    }
}

impl Drop for File {
    fn drop(&mut self) {
        if self.private {
            for suffix in ["", "-wal", "-shm"] {
                let mut name = self.path.clone().into_os_string();
                name.push(suffix);
                let _ = std::fs::remove_file(name);
            }
        }
    }
}

#[derive(Clone, Copy)]
enum Role {
    Writer,
    Reader,
}

type Pools = (Pool<Connection>, Pool<Connection>, Arc<File>);

pub fn open(path: &str, settings: &DatabaseSettings, handle: &Handle) -> Result<Pools, StoreError> {
    let file = Arc::new(make_file(path, settings.statement_timeout)?);
    let writer = pool(&file, Role::Writer, handle)?;
    let readers = pool(&file, Role::Reader, handle)?;
    Ok((writer, readers, file))
}

pub async fn begin_immediate(connection: &mut Connection) -> QueryResult<()> {
    connection.spawn_blocking(|inner| AnsiTransactionManager::begin_transaction_sql(inner, "BEGIN IMMEDIATE")).await
}

fn pool(file: &Arc<File>, role: Role, handle: &Handle) -> Result<Pool<Connection>, StoreError> {
    let (path, pragmas) = (file.path.clone(), pragmas(file.wait, role));
    let handle = handle.clone();
    let mut config = ManagerConfig::default();
    config.recycling_method = RecyclingMethod::Fast;
    config.custom_setup = Box::new(move |_| {
        let (path, pragmas, runner) = (path.clone(), pragmas.clone(), Blocking(Some(handle.clone())));
        let opened = handle.spawn_blocking(move || establish(&path, &pragmas));
        async move {
            let connection = opened.await.map_err(|error| ConnectionError::BadConnection(error.to_string()))??;
            Ok(Connection::with_runtime(connection, runner))
        }
        .boxed()
    });
    let size = match role {
        Role::Writer => 1,
        Role::Reader => READERS,
    };
    let manager = AsyncDieselConnectionManager::new_with_config("", config);
    Pool::builder(manager).max_size(size).build().map_err(|error| StoreError::Settings(error.to_string()))
}

fn establish(path: &Path, pragmas: &str) -> ConnectionResult<SqliteConnection> {
    let mut connection = SqliteConnection::establish(&path.to_string_lossy())?;
    connection.batch_execute(pragmas).map_err(ConnectionError::CouldntSetupConfiguration)?;
    Ok(connection)
}

/// A reader cannot write by mistake; the writer alone turns WAL on, which the file then keeps.
fn pragmas(wait: Duration, role: Role) -> String {
    let wait = wait.as_millis();
    let role = match role {
        Role::Writer => "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;",
        Role::Reader => "PRAGMA query_only = ON;",
    };
    format!("PRAGMA busy_timeout = {wait}; {role} PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF;")
}

/// Readable by its owner alone, as its WAL will be.
fn make_file(path: &str, wait: Duration) -> Result<File, StoreError> {
    static COUNTER: AtomicU32 = AtomicU32::new(0);
    let mut options = OpenOptions::new();
    options.append(true).mode(0o600);
    let refused = |error: std::io::Error| StoreError::Settings(format!("cannot open the SQLite file: {error}"));
    if path != ":memory:" {
        options.create(true).open(path).map_err(refused)?;
        return Ok(File { path: PathBuf::from(path), private: false, wait });
    }
    loop {
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let name = format!("countersign-{}-{number}.sqlite", std::process::id());
        let path = std::env::temp_dir().join(name);
        match options.create_new(true).open(&path) {
            Ok(_) => return Ok(File { path, private: true, wait }),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(refused(error)),
        }
    }
}
