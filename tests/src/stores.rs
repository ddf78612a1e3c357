//! Real stores for tests: a database of its own per test, a key prefix of its own per test.
#![allow(clippy::expect_used, clippy::panic, reason = "a fixture that fails is a test that fails")]

use std::env;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Barrier};
use std::time::Duration;

use countersign_model::{Seconds, Timestamp};
use countersign_store::{
    DatabaseSettings, Db, InProcess, InProcessBounds, Redis, RedisMode, RedisSettings, ShortLived, StoreError,
};
use diesel::Connection as _;
use diesel::connection::SimpleConnection as _;
use futures_util::future::join_all;
use tempfile::TempDir;
use tokio::runtime::Builder;

/// The databases the product runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// PostgreSQL of `COUNTERSIGN_TEST_POSTGRES_URL`, a superuser's.
    Postgres,
    /// A file of its own.
    Sqlite,
}

/// A database that is dropped with this.
pub struct TestDatabase {
    /// The product's view of it, migrated.
    pub db: Db,
    /// Which one it is.
    pub backend: Backend,
    /// What the product was told.
    pub url: String,
    /// Removes the file; PostgreSQL's database goes in `drop`.
    _folder: Option<TempDir>,
}

/// The value of an environment variable that `tests/run` sets.
///
/// # Panics
/// When it is missing.
pub fn required(variable: &str) -> String {
    env::var(variable).unwrap_or_else(|_| panic!("{variable} is not set: run ./tests/run"))
}

/// Text that no other test of this or a parallel run uses.
pub fn unique() -> String {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    format!("{:x}_{:x}", std::process::id(), COUNTER.fetch_add(1, Ordering::Relaxed))
}

impl TestDatabase {
    /// A fresh database with the product's schema.
    ///
    /// # Panics
    /// When it cannot be made.
    pub async fn new(backend: Backend) -> Self {
        let database = Self::empty(backend).await;
        database.db.migrate().await.expect("migrate");
        database
    }

    /// A fresh database without tables.
    ///
    /// # Panics
    /// When it cannot be made.
    pub async fn empty(backend: Backend) -> Self {
        let (url, folder) = match backend {
            Backend::Postgres => {
                let name = format!("countersign_test_{}", unique());
                raw_postgres(&admin_url(), &format!("CREATE DATABASE {name}")).await.expect("create database");
                (with_database(&admin_url(), &name), None)
            }
            Backend::Sqlite => {
                let folder = TempDir::new().expect("temporary folder");
                (format!("sqlite:{}", folder.path().join("test.sqlite").display()), Some(folder))
            }
        };
        let db = connect(&url);
        Self { db, backend, url, _folder: folder }
    }

    /// Another node's view of the same database.
    pub fn another_node(&self) -> Db {
        connect(&self.url)
    }

    /// Runs SQL past the product.
    ///
    /// # Errors
    /// The database's text.
    pub async fn raw(&self, sql: &str) -> Result<(), String> {
        match self.backend {
            Backend::Postgres => raw_postgres(&self.url, sql).await,
            Backend::Sqlite => {
                let path = self.url.trim_start_matches("sqlite:").to_owned();
                let mut connection = diesel::SqliteConnection::establish(&path).map_err(|error| error.to_string())?;
                let waiting = format!("PRAGMA busy_timeout = 5000; {sql}");
                connection.batch_execute(&waiting).map_err(|error| error.to_string())
            }
        }
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        if self.backend == Backend::Postgres {
            let name = self.url.rsplit('/').next().unwrap_or_default().to_owned();
            // The test may be on a runtime, which must not be blocked by another one: hence a thread.
            let dropped = std::thread::spawn(move || {
                let runtime = Builder::new_current_thread().enable_all().build().expect("runtime");
                runtime.block_on(raw_postgres(&admin_url(), &format!("DROP DATABASE {name} WITH (FORCE)")))
            });
            let _ = dropped.join();
        }
    }
}

fn connect(url: &str) -> Db {
    let mut settings = DatabaseSettings::new(url.to_owned().into());
    settings.max_connections = 8;
    // The machines that run tests are busy.
    settings.connect_timeout = Duration::from_secs(30);
    settings.statement_timeout = Duration::from_secs(30);
    Db::connect(&settings).expect("connect")
}

fn admin_url() -> String {
    required("COUNTERSIGN_TEST_POSTGRES_URL")
}

/// `url` with another database name.
fn with_database(url: &str, name: &str) -> String {
    let mut url = url::Url::parse(url).expect("COUNTERSIGN_TEST_POSTGRES_URL is a URL");
    url.set_path(name);
    url.set_query(None);
    url.to_string()
}

async fn raw_postgres(url: &str, sql: &str) -> Result<(), String> {
    let (client, connection) =
        tokio_postgres::connect(url, tokio_postgres::NoTls).await.map_err(|error| error.to_string())?;
    let driver = tokio::spawn(connection);
    let done = client.batch_execute(sql).await;
    drop(client);
    let _ = driver.await;
    done.map_err(|error| error.as_db_error().map_or_else(|| error.to_string(), |error| error.message().to_owned()))
}

/// A clock that stands still until it is moved.
#[derive(Clone)]
pub struct TestClock(Arc<AtomicI64>);

impl TestClock {
    /// A clock at some point of 2026.
    pub fn new() -> Self {
        Self(Arc::new(AtomicI64::new(1_790_000_000_000)))
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }

    /// Moves it.
    pub fn pass(&self, span: Seconds) {
        self.0.fetch_add(span.as_millis(), Ordering::SeqCst);
    }

    /// For the product.
    pub fn as_clock(&self) -> countersign_store::Clock {
        let clock = self.clone();
        Arc::new(move || clock.now())
    }
}

impl Default for TestClock {
    fn default() -> Self {
        Self::new()
    }
}

/// A short-lived store and its time.
pub struct TestShortLived {
    /// The store.
    pub store: Arc<dyn ShortLived>,
    time: Time,
}

enum Time {
    Ours(TestClock),
    /// The server's; waiting blocks on a list that nobody fills.
    Server {
        url: String,
    },
}

impl TestShortLived {
    /// In this process.
    pub fn in_process() -> Self {
        let clock = TestClock::new();
        let store = Arc::new(InProcess::new(clock.as_clock(), InProcessBounds::default()));
        Self { store, time: Time::Ours(clock) }
    }

    /// In the Redis of `COUNTERSIGN_TEST_REDIS_URL`.
    ///
    /// # Panics
    /// When it is not given.
    pub fn redis() -> Self {
        let url = redis_url();
        let store = Arc::new(Redis::connect(&redis_settings(&url)).expect("settings"));
        Self { store, time: Time::Server { url } }
    }

    /// In the Redis Cluster of `COUNTERSIGN_TEST_REDIS_CLUSTER_URL`.
    ///
    /// # Panics
    /// When it is not given.
    pub fn redis_cluster() -> Self {
        let urls = required("COUNTERSIGN_TEST_REDIS_CLUSTER_URL");
        Self::redis_by(&urls, RedisMode::Cluster)
    }

    /// In the Redis that the Sentinel of `COUNTERSIGN_TEST_REDIS_SENTINEL_URL` names.
    ///
    /// # Panics
    /// When it is not given.
    pub fn redis_sentinel() -> Self {
        let service = required("COUNTERSIGN_TEST_REDIS_SENTINEL_MASTER");
        Self::redis_by(&required("COUNTERSIGN_TEST_REDIS_SENTINEL_URL"), RedisMode::Sentinel { service })
    }

    /// All servers of a test run share one clock, so that of the standalone one serves.
    fn redis_by(urls: &str, mode: RedisMode) -> Self {
        let mut settings = redis_settings(urls.split(',').next().unwrap_or_default());
        settings.urls = urls.split(',').map(|url| url.to_owned().into()).collect();
        settings.mode = mode;
        let store = Arc::new(Redis::connect(&settings).expect("settings"));
        Self { store, time: Time::Server { url: redis_url() } }
    }

    /// The store's time.
    ///
    /// # Panics
    /// When Redis does not answer.
    pub async fn now(&self) -> Timestamp {
        match &self.time {
            Time::Ours(clock) => clock.now(),
            Time::Server { url } => {
                let (seconds, micros): (i64, i64) =
                    redis::cmd("TIME").query_async(&mut raw_redis(url).await).await.expect("TIME");
                Timestamp::from_millis(seconds * 1000 + micros / 1000)
            }
        }
    }

    /// Lets `span` pass.
    ///
    /// # Panics
    /// When Redis does not answer.
    pub async fn pass(&self, span: Seconds) {
        match &self.time {
            Time::Ours(clock) => clock.pass(span),
            Time::Server { url } => {
                let mut wait = redis::cmd("BLPOP");
                wait.arg(format!("nobody fills {}", unique())).arg(f64::from(span.get()) + 0.05);
                let nothing: Option<Vec<String>> = wait.query_async(&mut raw_redis(url).await).await.expect("BLPOP");
                assert!(nothing.is_none());
            }
        }
    }
}

/// The test's Redis.
pub fn redis_url() -> String {
    required("COUNTERSIGN_TEST_REDIS_URL")
}

/// The product's settings for `url`, with a prefix of their own and patience for a busy machine.
pub fn redis_settings(url: &str) -> RedisSettings {
    let mut settings = RedisSettings::new(url.to_owned().into());
    settings.prefix = format!("test_{}:", unique());
    settings.connect_timeout = Duration::from_secs(10);
    settings.response_timeout = Duration::from_secs(10);
    settings
}

/// A connection to Redis past the product.
///
/// # Panics
/// When there is none.
pub async fn raw_redis(url: &str) -> redis::aio::MultiplexedConnection {
    let patient = redis::AsyncConnectionConfig::new().set_response_timeout(Some(Duration::from_secs(30)));
    let client = redis::Client::open(url).expect("COUNTERSIGN_TEST_REDIS_URL is a URL");
    client.get_multiplexed_async_connection_with_config(&patient).await.expect("redis")
}

/// Runs `work(0..callers)` at once, on four threads with a runtime each as the product's workers are, and answers
/// what each answered.
///
/// # Panics
/// When one panics.
pub fn race<T: Send, F: Future<Output = T>>(callers: usize, work: impl Fn(usize) -> F + Sync) -> Vec<T> {
    const THREADS: usize = 4;
    let start = Barrier::new(THREADS);
    let run = |thread: usize| {
        let runtime = Builder::new_current_thread().enable_all().build().expect("runtime");
        start.wait();
        runtime.block_on(join_all((thread..callers).step_by(THREADS).map(&work)))
    };
    let run = &run;
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|thread| scope.spawn(move || run(thread))).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("a caller panicked")).collect()
    })
}

/// Runs a test on a runtime of its own.
///
/// # Panics
/// When the test does.
pub fn block_on<T>(test: impl Future<Output = T>) -> T {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("runtime").block_on(test)
}

/// What `Db::read` and `Db::write` answer in tests.
pub type Stored<T> = Result<T, StoreError>;
