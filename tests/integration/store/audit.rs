//! The append-only audit.

use countersign_model::AuditKind;
use countersign_store::{AuditFilter, StoreError, Tx};
use countersign_tests::stores::{Backend, Stored, TestDatabase};

use futures_util::future::join_all;

use super::fixtures::{client, event, later, user_id};
use super::on_both;

on_both!(
    events_are_listed_newest_first_by_any_filter,
    one_event_and_none_are_stored_too,
    audit_refuses_update_and_delete,
    events_of_a_hundred_callers_share_transactions,
    one_bad_event_fails_nobody_else,
    whoever_waits_is_told_that_nothing_was_written,
    a_client_asked_for_by_many_is_the_one_that_is_committed,
);

async fn events_are_listed_newest_first_by_any_filter(database: &TestDatabase) {
    let mut events: Vec<_> = (0..6).map(|number| event(number, AuditKind::FlowStep)).collect();
    events[4].kind = AuditKind::Login;
    let stored: Stored<()> = database.db.write(async |tx: &mut Tx| tx.insert_audit_events(&events).await).await;
    stored.unwrap();
    let portal = "portal".parse().unwrap();
    let any = AuditFilter::default();
    let cases = [
        (any.clone(), vec![5, 4, 3, 2, 1, 0]),
        (AuditFilter { kind: Some(AuditKind::Login), ..any.clone() }, vec![4]),
        (AuditFilter { subject: Some(user_id(1)), ..any.clone() }, vec![5, 3, 1]),
        (AuditFilter { client: Some(portal), ..any.clone() }, vec![3, 0]),
        (AuditFilter { since: Some(later(4)), ..any.clone() }, vec![5, 4]),
        (AuditFilter { subject: Some(user_id(0)), limit: 2, ..any }, vec![4, 2]),
    ];
    for (filter, expected) in cases {
        let listed: Stored<_> = database.db.read(async |tx: &mut Tx| tx.list_audit_events(&filter).await).await;
        let expected: Vec<_> = expected.into_iter().map(|index: usize| events[index].clone()).collect();
        assert_eq!(listed.unwrap(), expected, "{filter:?}");
    }
}

async fn one_event_and_none_are_stored_too(database: &TestDatabase) {
    let one = [event(1, AuditKind::Login)];
    let listed: Stored<_> = database
        .db
        .write(async |tx: &mut Tx| {
            tx.insert_audit_events(&[]).await?;
            tx.insert_audit_events(&one).await?;
            tx.list_audit_events(&AuditFilter::default()).await
        })
        .await;
    assert_eq!(listed.unwrap(), one);
}

async fn audit_refuses_update_and_delete(database: &TestDatabase) {
    let one = [event(1, AuditKind::Login)];
    let stored: Stored<()> = database.db.write(async |tx: &mut Tx| tx.insert_audit_events(&one).await).await;
    stored.unwrap();
    let mut attempts = vec!["UPDATE audit_events SET outcome = 'failure'", "DELETE FROM audit_events"];
    if database.backend == Backend::Postgres {
        attempts.push("TRUNCATE audit_events");
    }
    for attempt in attempts {
        let refused = database.raw(attempt).await.unwrap_err();
        assert!(refused.contains("append only"), "{attempt}: {refused}");
    }
    let listed: Stored<_> =
        database.db.read(async |tx: &mut Tx| tx.list_audit_events(&AuditFilter::default()).await).await;
    assert_eq!(listed.unwrap(), one);
}

async fn count(database: &TestDatabase) -> usize {
    let listed: Stored<Vec<_>> =
        database.db.read(async |tx: &mut Tx| tx.list_audit_events(&AuditFilter::default()).await).await;
    listed.unwrap().len()
}

async fn events_of_a_hundred_callers_share_transactions(database: &TestDatabase) {
    database.db.append_audit_events(&[]).await.unwrap();
    assert_eq!(database.db.audit_commits(), 0, "nothing is no transaction");
    let events: Vec<_> = (0..200).map(|number| event(number, AuditKind::TokenIssued)).collect();
    let appended = join_all(events.chunks(2).map(|two| database.db.append_audit_events(two))).await;
    assert!(appended.iter().all(Result::is_ok), "{appended:?}");
    assert_eq!(count(database).await, 200);
    let commits = database.db.audit_commits();
    assert!((1..50).contains(&commits), "a hundred callers in {commits} transactions");
}

async fn one_bad_event_fails_nobody_else(database: &TestDatabase) {
    let events: Vec<_> = (0..40).map(|number| event(number, AuditKind::TokenIssued)).collect();
    database.db.append_audit_events(&events[7..8]).await.unwrap();
    let appended = join_all(events.chunks(1).map(|one| database.db.append_audit_events(one))).await;
    for (number, appended) in appended.into_iter().enumerate() {
        if number == 7 {
            assert!(matches!(appended, Err(StoreError::Conflict(_))), "{appended:?}");
        } else {
            appended.unwrap();
        }
    }
    assert_eq!(count(database).await, 40);
}

async fn whoever_waits_is_told_that_nothing_was_written(database: &TestDatabase) {
    let events: Vec<_> = (0..40).map(|number| event(number, AuditKind::TokenIssued)).collect();
    database.raw("ALTER TABLE audit_events RENAME TO hidden").await.unwrap();
    let appended = join_all(events.chunks(1).map(|one| database.db.append_audit_events(one))).await;
    assert!(appended.iter().all(Result::is_err), "{appended:?}");
    database.raw("ALTER TABLE hidden RENAME TO audit_events").await.unwrap();
    assert_eq!((count(database).await, database.db.audit_commits()), (0, 0));
    database.db.append_audit_events(&events).await.unwrap();
    assert_eq!(count(database).await, 40, "and the next one is served");
}

async fn a_client_asked_for_by_many_is_the_one_that_is_committed(database: &TestDatabase) {
    let mut known = client("portal");
    let (id, stranger) = (known.id.clone(), "stranger".parse().unwrap());
    for disabled in [false, true, false] {
        known.disabled = disabled;
        let stored: Stored<()> = database.db.write(async |tx: &mut Tx| tx.upsert_client(&known).await).await;
        stored.unwrap();
        let found = join_all((0..50).map(|number| database.db.find_client([&id, &stranger][number % 2]))).await;
        for (number, found) in found.into_iter().enumerate() {
            let expected = (number % 2 == 0).then(|| known.clone());
            assert_eq!(found.unwrap(), expected);
        }
    }
}
