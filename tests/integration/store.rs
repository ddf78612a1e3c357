//! The durable store: every test runs on PostgreSQL and on SQLite.

mod accounts;
mod audit;
mod codes;
mod fixtures;
mod housekeeping;
mod links;
mod migrations;
mod outbox;
mod recovery;
mod sessions;
mod transactions;
mod users;

/// Runs each test on both databases, as `postgres::<test>` and `sqlite::<test>`.
macro_rules! on_both {
    ($($test:ident),* $(,)?) => {
        mod postgres {
            $(#[test]
            fn $test() {
                use countersign_tests::stores::{Backend, TestDatabase, block_on};
                block_on(async { super::$test(&TestDatabase::new(Backend::Postgres).await).await });
            })*
        }
        mod sqlite {
            $(#[test]
            fn $test() {
                use countersign_tests::stores::{Backend, TestDatabase, block_on};
                block_on(async { super::$test(&TestDatabase::new(Backend::Sqlite).await).await });
            })*
        }
    };
}
pub(crate) use on_both;
