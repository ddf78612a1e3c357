//! The append-only audit.

use countersign_model::AuditKind;
use countersign_store::{AuditFilter, Tx};
use countersign_tests::stores::{Backend, Stored, TestDatabase};

use super::fixtures::{event, later, user_id};
use super::on_both;

on_both!(
    events_are_listed_newest_first_by_any_filter,
    one_event_and_none_are_stored_too,
    audit_refuses_update_and_delete
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
