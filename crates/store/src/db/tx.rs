//! A connection in use, of either database.

use diesel::QueryResult;
use diesel_async::pooled_connection::deadpool::Object;
use diesel_async::{AsyncConnection, RunQueryDsl, TransactionManager};

use super::{postgres, sqlite};
use crate::StoreError;
use crate::error::Fate;

/// What `read` and `write` hand to their closure; the functions of the nouns are on it.
pub struct Tx {
    link: Option<Link>,
    in_transaction: bool,
    pub(crate) fate: Fate,
}

pub enum Link {
    Postgres(Box<Object<postgres::Connection>>),
    Sqlite(Object<sqlite::Connection>),
}

/// Compiles one query text for both databases: `on!(tx, |c| query.execute(c).await)` is a `Result<_, StoreError>`.
macro_rules! on {
    ($tx:expr, |$c:ident| $query:expr) => {{
        let result = match $tx.link()? {
            $crate::db::Link::Postgres(object) => {
                let $c = &mut ***object;
                $query
            }
            $crate::db::Link::Sqlite(object) => {
                let $c = &mut **object;
                $query
            }
        };
        $tx.check(result)
    }};
}
pub(crate) use on;

/// Inserts a list of rows in one statement. diesel-async lacks SQLite's batches; diesel has them.
macro_rules! insert_all {
    ($tx:expr, $table:expr, $rows:ident) => {{
        let inserted = match $tx.link()? {
            $crate::db::Link::Postgres(c) => {
                diesel_async::RunQueryDsl::execute(diesel::insert_into($table).values(&$rows), &mut ***c).await
            }
            $crate::db::Link::Sqlite(c) => {
                let insert = move |c: &mut diesel::SqliteConnection| {
                    diesel::RunQueryDsl::execute(diesel::insert_into($table).values(&$rows), c)
                };
                c.spawn_blocking(insert).await
            }
        };
        $tx.check(inserted)
    }};
}
pub(crate) use insert_all;

impl Tx {
    pub(super) fn new(link: Link) -> Self {
        Self { link: Some(link), in_transaction: false, fate: Fate::Clean }
    }

    pub(crate) fn link(&mut self) -> Result<&mut Link, StoreError> {
        self.link.as_mut().ok_or_else(|| StoreError::Unavailable("connection given back".to_owned()))
    }

    pub(crate) fn check<T>(&mut self, result: QueryResult<T>) -> Result<T, StoreError> {
        result.map_err(|error| {
            let (error, fate) = StoreError::from_diesel(error);
            self.fate = fate;
            error
        })
    }

    pub(super) async fn ping(&mut self) -> Result<(), StoreError> {
        on!(self, |c| diesel::sql_query("SELECT 1").execute(c).await).map(drop)
    }

    /// SQLite takes the write lock at once: a lock upgraded later fails when another process writes in between.
    pub(super) async fn begin(&mut self) -> Result<(), StoreError> {
        self.in_transaction = true;
        let result = match self.link()? {
            Link::Postgres(object) => Manager::<postgres::Connection>::begin_transaction(&mut ***object).await,
            Link::Sqlite(object) => sqlite::begin_immediate(object).await,
        };
        self.check(result)
    }

    pub(super) async fn commit(&mut self) -> Result<(), StoreError> {
        let result = match self.link()? {
            Link::Postgres(object) => Manager::<postgres::Connection>::commit_transaction(&mut ***object).await,
            Link::Sqlite(object) => Manager::<sqlite::Connection>::commit_transaction(&mut **object).await,
        };
        self.in_transaction = result.is_err();
        self.check(result)
    }

    /// A connection that cannot roll back is not given back to the pool.
    pub(super) async fn rollback(&mut self) {
        let result = match &mut self.link {
            Some(Link::Postgres(object)) => Manager::<postgres::Connection>::rollback_transaction(&mut ***object).await,
            Some(Link::Sqlite(object)) => Manager::<sqlite::Connection>::rollback_transaction(&mut **object).await,
            None => Ok(()),
        };
        self.in_transaction = result.is_err();
    }

    /// PostgreSQL answers COMMIT of a failed transaction with a silent rollback: it must not look like success.
    pub(super) async fn rollback_after_hidden_failure(&mut self) -> StoreError {
        self.rollback().await;
        StoreError::Database("a statement of the transaction failed and its error was dropped".to_owned())
    }

    /// Gives the connection back, or closes it when it is closed already or still in a transaction.
    pub(super) fn finish(mut self) {
        if self.in_transaction || self.fate == Fate::Closed {
            return;
        }
        drop(self.link.take());
    }
}

type Manager<C> = <C as AsyncConnection>::TransactionManager;

/// Without `finish` the caller went away in the middle, or the connection is no good: whatever is open goes with it.
/// Only PostgreSQL may keep one that was reading, since its driver throws late answers away.
impl Drop for Tx {
    fn drop(&mut self) {
        let idle = !self.in_transaction && self.fate != Fate::Closed;
        match self.link.take() {
            Some(Link::Postgres(object)) if idle => drop(object),
            Some(Link::Postgres(object)) => drop(Object::take(*object)),
            Some(Link::Sqlite(object)) => drop(Object::take(object)),
            None => {}
        }
    }
}
