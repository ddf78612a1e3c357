//! What a load costs PostgreSQL and Redis: their CPU time, statements, commands and bytes.

use countersign_tests::stores::{Backend, TestDatabase, raw_redis, redis_url};
use tokio_postgres::{Client, NoTls};

use crate::figures::float_of;
use crate::process;

/// The stores of a provider under load.
pub struct Stores {
    /// Dropped with its value.
    database: TestDatabase,
    postgres: Client,
    statements: bool,
    postmaster: u32,
    redis: redis::aio::MultiplexedConnection,
    redis_pid: u32,
}

/// All of it up to a moment.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reading {
    /// CPU time of PostgreSQL in microseconds.
    pub postgres_cpu: u64,
    /// CPU time of Redis in microseconds.
    pub redis_cpu: u64,
    /// SQL statements, those that begin and end transactions among them; transactions alone without pg_stat_statements.
    pub statements: u64,
    /// Scripts and plain commands of the provider, and what scripts call.
    pub redis_commands: u64,
    /// Scripts of the provider.
    pub redis_scripts: u64,
    /// Bytes of the database with its indexes.
    pub postgres_bytes: u64,
    /// Bytes that Redis uses.
    pub redis_bytes: u64,
}

impl Reading {
    /// What came since `before`, each divided by `operations`.
    pub fn since(&self, before: &Self, operations: f64) -> PerOperation {
        let by = |now: u64, then: u64| float_of(now.saturating_sub(then)) / operations;
        PerOperation {
            postgres_cpu: by(self.postgres_cpu, before.postgres_cpu),
            redis_cpu: by(self.redis_cpu, before.redis_cpu),
            statements: by(self.statements, before.statements),
            redis_commands: by(self.redis_commands, before.redis_commands),
            redis_scripts: by(self.redis_scripts, before.redis_scripts),
            postgres_bytes: by(self.postgres_bytes, before.postgres_bytes),
            redis_bytes: by(self.redis_bytes, before.redis_bytes),
        }
    }
}

/// The same of one operation, on the average.
#[derive(Clone, Copy, Debug, Default)]
pub struct PerOperation {
    /// Microseconds of PostgreSQL.
    pub postgres_cpu: f64,
    /// Microseconds of Redis.
    pub redis_cpu: f64,
    /// SQL statements.
    pub statements: f64,
    /// Redis commands, those within scripts counted too.
    pub redis_commands: f64,
    /// Redis scripts.
    pub redis_scripts: f64,
    /// Bytes that PostgreSQL grew by.
    pub postgres_bytes: f64,
    /// Bytes that Redis grew by.
    pub redis_bytes: f64,
}

impl Stores {
    /// A database of its own in the PostgreSQL of this run, and its Redis.
    pub async fn open() -> Self {
        let database = TestDatabase::empty(Backend::Postgres).await;
        let (postgres, connection) = tokio_postgres::connect(&database.url, NoTls).await.expect("PostgreSQL");
        tokio::spawn(connection);
        let extended = postgres.batch_execute("CREATE EXTENSION pg_stat_statements").await;
        let statements = extended.is_ok() && postgres.query_one(STATEMENTS, &[]).await.is_ok();
        let backend: i32 = postgres.query_one("SELECT pg_backend_pid()", &[]).await.expect("a pid").get(0);
        let backend = u32::try_from(backend).expect("a pid");
        let postmaster = process::parent_of(backend).unwrap_or(backend);
        let mut redis = raw_redis(&redis_url()).await;
        let redis_pid = figure(&info(&mut redis).await, "process_id");
        let redis_pid = u32::try_from(redis_pid).expect("a pid");
        Self { database, postgres, statements, postmaster, redis, redis_pid }
    }

    /// Where the provider finds its database.
    pub fn database_url(&self) -> String {
        self.database.url.clone()
    }

    /// Process ids of PostgreSQL's first process and of Redis.
    pub const fn pids(&self) -> [u32; 2] {
        [self.postmaster, self.redis_pid]
    }

    /// Whether statements are counted, not transactions alone.
    pub const fn counts_statements(&self) -> bool {
        self.statements
    }

    /// `PostgreSQL 15.1, Redis 7.0.1`.
    pub async fn versions(&self) -> String {
        let postgres: String = self.postgres.query_one("SHOW server_version", &[]).await.expect("a version").get(0);
        let postgres = postgres.split(' ').next().unwrap_or_default().to_owned();
        let told = info(&mut self.redis.clone()).await;
        let redis = told.lines().find_map(|line| line.strip_prefix("redis_version:")).unwrap_or_default();
        format!("PostgreSQL {postgres}, Redis {redis}")
    }

    /// Up to now.
    pub async fn read(&self) -> Reading {
        let query = if self.statements { STATEMENTS } else { TRANSACTIONS };
        let statements: i64 = self.postgres.query_one(query, &[]).await.expect("statistics").get(0);
        let size = "SELECT pg_database_size(current_database())";
        let bytes: i64 = self.postgres.query_one(size, &[]).await.expect("a size").get(0);
        let told = info(&mut self.redis.clone()).await;
        Reading {
            postgres_cpu: process::cpu_of_tree(self.postmaster),
            redis_cpu: process::cpu_of_tree(self.redis_pid),
            statements: statements.unsigned_abs(),
            redis_commands: figure(&told, "total_commands_processed"),
            redis_scripts: figure(&told, "cmdstat_evalsha"),
            postgres_bytes: bytes.unsigned_abs(),
            redis_bytes: figure(&told, "used_memory"),
        }
    }
}

const STATEMENTS: &str = "SELECT coalesce(sum(calls), 0)::int8 FROM pg_stat_statements \
     WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())";

const TRANSACTIONS: &str =
    "SELECT (xact_commit + xact_rollback)::int8 FROM pg_stat_database WHERE datname = current_database()";

async fn info(redis: &mut redis::aio::MultiplexedConnection) -> String {
    redis::cmd("INFO").arg("everything").query_async(redis).await.expect("INFO")
}

/// The first number of the line `name:`, such as `name:12` or `name:calls=12,usec=3`.
fn figure(info: &str, name: &str) -> u64 {
    let line = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap_or_default();
    let digits = line.trim_start_matches("calls=");
    digits.split(|c: char| !c.is_ascii_digit()).next().and_then(|digits| digits.parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read_from_what_redis_tells() {
        let told = "# Stats\r\nused_memory:1024\r\nused_memory_human:1K\r\ncmdstat_evalsha:calls=17,usec=30\r\n";
        assert_eq!((figure(told, "used_memory"), figure(told, "cmdstat_evalsha")), (1024, 17));
        assert_eq!(figure(told, "cmdstat_get"), 0);
    }
}
