//! The seam itself: what commits, what rolls back, what runs again.

use std::future::poll_fn;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

use countersign_store::{DatabaseSettings, Db, StoreError, Tx};
use countersign_tests::stores::{Backend, Stored, TestDatabase, block_on, race};
use tokio::sync::{Barrier, Notify};

use super::fixtures::{NOW, account};
use super::on_both;

on_both!(
    refused_transaction_leaves_nothing,
    failure_that_is_looked_past_commits_nothing,
    caller_that_goes_away_leaves_nothing_and_no_harm,
    statement_of_a_caller_that_went_away_does_no_harm,
    counter_in_one_row_loses_no_increment,
);

async fn find(database: &TestDatabase, key: &str) -> Option<Vec<u8>> {
    let found: Stored<_> = database.db.read(async |tx: &mut Tx| tx.find_setting(key).await).await;
    found.unwrap()
}

async fn refused_transaction_leaves_nothing(database: &TestDatabase) {
    #[derive(Debug, PartialEq)]
    enum Refusal {
        No,
        Store(String),
    }
    impl From<StoreError> for Refusal {
        fn from(error: StoreError) -> Self {
            Self::Store(error.to_string())
        }
    }
    let refused: Result<(), Refusal> = database
        .db
        .write(async |tx: &mut Tx| {
            tx.insert_setting_if_absent("k", b"v").await?;
            Err(Refusal::No)
        })
        .await;
    assert_eq!(refused, Err(Refusal::No));
    assert_eq!(find(database, "k").await, None);
}

async fn failure_that_is_looked_past_commits_nothing(database: &TestDatabase) {
    let account = account(1);
    let done: Stored<()> = database
        .db
        .write(async |tx: &mut Tx| {
            tx.insert_setting_if_absent("k", b"v").await?;
            tx.insert_user(&account.user).await?;
            let _ = tx.insert_user(&account.user).await;
            Ok(())
        })
        .await;
    assert!(matches!(done, Err(StoreError::Database(_))), "{done:?}");
    assert_eq!(find(database, "k").await, None);
}

async fn caller_that_goes_away_leaves_nothing_and_no_harm(database: &TestDatabase) {
    let written = Notify::new();
    let endless = database.db.write(async |tx: &mut Tx| -> Stored<()> {
        tx.insert_setting_if_absent("k", b"v").await?;
        written.notify_one();
        std::future::pending().await
    });
    tokio::select! {
        _ = endless => panic!("it never ends"),
        () = written.notified() => {}
    }
    assert_eq!(find(database, "k").await, None);
    let next: Stored<_> = database.db.write(async |tx: &mut Tx| tx.insert_setting_if_absent("k", b"next").await).await;
    assert_eq!(next.unwrap(), b"next");
}

/// As an actix worker drops a handler whose client hung up: on a single-threaded runtime, in mid-statement.
async fn statement_of_a_caller_that_went_away_does_no_harm(database: &TestDatabase) {
    race(4, async |_| {
        for polls in 1..12 {
            let mut write = Box::pin(database.db.write(async |tx: &mut Tx| -> Stored<()> {
                tx.insert_effect(&format!("gone {polls}"), NOW).await.map(drop)
            }));
            for _ in 0..polls {
                if poll_fn(|context| Poll::Ready(write.as_mut().poll(context).is_ready())).await {
                    break;
                }
                tokio::task::yield_now().await;
            }
        }
    });
    let next: Stored<bool> = database.db.write(async |tx: &mut Tx| tx.insert_effect("next", NOW).await).await;
    assert!(next.unwrap());
}

/// Sixteen transactions claim numbered effects until each has one: every one waits for or sees the others.
async fn counter_in_one_row_loses_no_increment(database: &TestDatabase) {
    let mut numbers = race(16, async |_| {
        let number: Stored<usize> = database
            .db
            .write(async |tx: &mut Tx| {
                let mut number = 0;
                while !tx.insert_effect(&format!("number {number}"), NOW).await? {
                    number += 1;
                }
                Ok(number)
            })
            .await;
        number.unwrap()
    });
    numbers.sort_unstable();
    assert_eq!(numbers, (0..16).collect::<Vec<_>>());
}

#[test]
fn deadlocked_transaction_runs_again() {
    block_on(async {
        let database = TestDatabase::new(Backend::Postgres).await;
        let (both_hold_one, runs) = (Barrier::new(2), AtomicUsize::new(0));
        let lock_both = async |first: &str, second: &str| -> Stored<()> {
            let waited = AtomicUsize::new(0);
            database
                .db
                .write(async |tx: &mut Tx| {
                    runs.fetch_add(1, Ordering::SeqCst);
                    tx.insert_effect(first, NOW).await?;
                    if waited.fetch_add(1, Ordering::SeqCst) == 0 {
                        both_hold_one.wait().await;
                    }
                    tx.insert_effect(second, NOW).await.map(drop)
                })
                .await
        };
        let (one, other) = tokio::join!(lock_both("a", "b"), lock_both("b", "a"));
        one.unwrap();
        other.unwrap();
        assert!(runs.load(Ordering::SeqCst) >= 3, "the victim ran again, and once more when it was too quick");
    });
}

/// Ends every connection to the database but the one that says so.
const CUT: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                   WHERE datname = current_database() AND pid <> pg_backend_pid()";

#[test]
fn read_whose_connection_is_lost_runs_again_once() {
    block_on(async {
        let database = TestDatabase::new(Backend::Postgres).await;
        for (cuts, survives) in [(1, true), (2, false)] {
            let runs = AtomicUsize::new(0);
            let read: Stored<_> = database
                .db
                .read(async |tx: &mut Tx| {
                    if runs.fetch_add(1, Ordering::SeqCst) < cuts {
                        database.raw(CUT).await.map_err(StoreError::Database)?;
                    }
                    tx.find_setting("k").await
                })
                .await;
            assert_eq!((runs.load(Ordering::SeqCst), read.is_ok()), (2, survives), "{cuts} cuts: {read:?}");
        }
    });
}

#[test]
fn write_whose_connection_is_lost_is_unavailable_and_not_repeated() {
    block_on(async {
        let database = TestDatabase::new(Backend::Postgres).await;
        let runs = AtomicUsize::new(0);
        let written: Stored<bool> = database
            .db
            .write(async |tx: &mut Tx| {
                runs.fetch_add(1, Ordering::SeqCst);
                database.raw(CUT).await.map_err(StoreError::Database)?;
                tx.insert_effect("k", NOW).await
            })
            .await;
        assert!(matches!(written, Err(StoreError::Unavailable(_))), "{written:?}");
        assert_eq!(runs.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn lost_connections_are_replaced_unseen() {
    block_on(async {
        let database = TestDatabase::new(Backend::Postgres).await;
        database.db.ping().await.unwrap();
        database.raw(CUT).await.unwrap();
        database.db.ping().await.unwrap();
        database.raw(CUT).await.unwrap();
        let written: Stored<bool> = database.db.write(async |tx: &mut Tx| tx.insert_effect("k", NOW).await).await;
        assert!(written.unwrap());
    });
}

#[test]
fn unreachable_database_is_unavailable() {
    block_on(async {
        // Port 9 is discard, where nothing listens.
        let settings = DatabaseSettings::new("postgres://nobody:secret@127.0.0.1:9/none".to_owned().into());
        let error = Db::connect(&settings).unwrap().ping().await.unwrap_err();
        assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
        assert!(!format!("{error} {error:?} {settings:?}").contains("secret"));
    });
}

#[test]
fn private_sqlite_database_is_its_own_and_goes_with_its_last_user() {
    block_on(async {
        let settings = DatabaseSettings::new("sqlite::memory:".to_owned().into());
        let (one, other) = (Db::connect(&settings).unwrap(), Db::connect(&settings).unwrap());
        one.migrate().await.unwrap();
        other.migrate().await.unwrap();
        let written: Stored<bool> = one.write(async |tx: &mut Tx| tx.insert_effect("k", NOW).await).await;
        let elsewhere: Stored<bool> = other.write(async |tx: &mut Tx| tx.insert_effect("k", NOW).await).await;
        assert!(written.unwrap() && elsewhere.unwrap());
    });
}

#[test]
fn unknown_kind_of_database_is_refused() {
    let refused = Db::connect(&DatabaseSettings::new("mysql://root:secret@localhost/x".to_owned().into()));
    let error = refused.unwrap_err();
    assert!(matches!(error, StoreError::Settings(_)) && !error.to_string().contains("secret"));
}
