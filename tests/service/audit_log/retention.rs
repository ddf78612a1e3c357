//! Events whose class is kept no longer go; the tree, its checkpoints and the proofs stay.

use countersign_audit::Proof;
use countersign_model::{AuditClass, AuditKind, Seconds};
use countersign_service::{AuditLogSettings, EntryForm, LogFault, Provider};
use countersign_tests::provider::{House, NodePlan};

use super::{assert_sound, events, happen, key, tampering};

on_both_stores![
    what_is_over_goes_and_the_log_still_is_what_was_signed,
    what_is_not_signed_or_not_handed_on_stays,
    nothing_else_removes_an_event_and_a_removal_that_is_not_told_is_found,
];

const KEPT: Seconds = Seconds::hours(24 * 90);

/// A node that keeps events of `classes` for ninety days, and gives the log to `sinks`.
fn node(house: &House, classes: &[AuditClass], sinks: &[&str]) -> std::sync::Arc<Provider> {
    let audit_log = AuditLogSettings {
        keep: classes.iter().map(|class| (*class, KEPT)).collect(),
        sinks: sinks.iter().map(|name| (*name).to_owned()).collect(),
        ..AuditLogSettings::default()
    };
    house.idle_node(NodePlan { audit_log, ..house.plan() })
}

/// Events of the house itself, which come first.
const FIRST: u64 = 10;

/// Twenty tokens and a sign-in, and later ten more tokens, when the first are over.
async fn grow(house: &House, node: &Provider) -> String {
    node.place_audit_events().await.unwrap();
    assert_eq!(node.log_size().await.unwrap(), FIRST);
    happen(house, 0, 20).await;
    let mut other = events(house, 20, 21);
    other[0].kind = AuditKind::Login;
    house.database.db.write(async |tx| tx.insert_audit_events(&other).await).await.unwrap();
    node.place_audit_events().await.unwrap();
    let kept = node.sign_checkpoint().await.unwrap().unwrap().note;
    house.clock.pass(KEPT);
    house.clock.pass(Seconds::hours(24));
    happen(house, 21, 31).await;
    node.place_audit_events().await.unwrap();
    kept
}

async fn what_is_over_goes_and_the_log_still_is_what_was_signed(house: House) {
    let node = node(&house, &[AuditClass::Tokens], &[]);
    let kept = grow(&house, &node).await;
    let before = node.list_log_entries(0, 100, EntryForm::Entry).await.unwrap();
    let proven = node.prove_entry(FIRST + 3).await.unwrap().unwrap();
    assert_eq!(node.remove_expired_events().await.unwrap(), 20);
    assert_eq!(node.remove_expired_events().await.unwrap(), 0, "once");
    assert_eq!(house.events(Some(AuditKind::TokenIssued)).await.len(), 10);
    assert_eq!(house.events(Some(AuditKind::Login)).await.len(), 1, "another class");
    let told = house.events(Some(AuditKind::AuditExpired)).await;
    assert_eq!(
        (told.len(), &told[0].detail["positions"], &told[0].detail["of"]),
        (1, &"10-29".into(), &"token.issued".into())
    );

    node.place_audit_events().await.unwrap();
    node.sign_checkpoint().await.unwrap().unwrap();
    assert_eq!(assert_sound(&node, &[kept], "removed").await, FIRST + 32);
    assert_eq!(node.verify_audit_log(&[]).await.unwrap().removed, 20);
    // Whoever kept the bytes proves them still.
    let now = node.prove_entry(FIRST + 3).await.unwrap().unwrap();
    assert_eq!((now.position, &now.entry), (FIRST + 3, &None));
    let (entry, proof) = (proven.entry.unwrap(), Proof::parse(&now.proof).unwrap());
    assert_eq!(proof.verify(entry.as_bytes(), &key(&node).await).unwrap().size, FIRST + 32);
    assert!(proof.verify(entry.replace("success", "failure").as_bytes(), &key(&node).await).is_err());
    let after = node.list_log_entries(0, u32::try_from(before.len()).unwrap(), EntryForm::Entry).await.unwrap();
    assert!(after[10..30].iter().all(|(_, line)| line.is_empty()));
    assert_eq!((&after[..10], &after[30..]), (&before[..10], &before[30..]));
}

async fn what_is_not_signed_or_not_handed_on_stays(house: House) {
    let node = node(&house, &[AuditClass::Tokens], &["siem"]);
    grow(&house, &node).await;
    assert_eq!(node.remove_expired_events().await.unwrap(), 0, "the sink has nothing yet");
    let now = house.clock.now();
    let feed = async |tx: &mut countersign_store::Tx| {
        tx.claim_sink("siem", "me", now, now.plus(Seconds::new(9))).await?;
        tx.advance_sink("siem", "me", 0, FIRST + 5).await
    };
    assert!(house.database.db.write(feed).await.unwrap());
    assert_eq!(node.remove_expired_events().await.unwrap(), 5);

    let other = self::node(&house, &[AuditClass::Tokens], &[]);
    house.clock.pass(KEPT);
    house.clock.pass(Seconds::hours(24));
    happen(&house, 40, 42).await;
    other.place_audit_events().await.unwrap();
    assert_eq!(other.remove_expired_events().await.unwrap(), 15, "what was placed and not signed stays");
    other.sign_checkpoint().await.unwrap().unwrap();
    assert_eq!(other.remove_expired_events().await.unwrap(), 10);
}

async fn nothing_else_removes_an_event_and_a_removal_that_is_not_told_is_found(house: House) {
    let node = node(&house, AuditClass::ALL, &[]);
    let kept = grow(&house, &node).await;
    let delete = "DELETE FROM audit_events WHERE jti = 'jti-25'";
    assert!(house.database.raw(delete).await.is_err(), "the database refuses");
    node.remove_expired_events().await.unwrap();
    node.place_audit_events().await.unwrap();
    assert_sound(&node, std::slice::from_ref(&kept), "removed").await;
    assert_eq!(house.count("audit_expiring", "1 = 1").await, 0);
    // What tells of a removal stays, whatever is kept how long.
    house.clock.pass(KEPT);
    house.clock.pass(Seconds::hours(48));
    node.sign_checkpoint().await.unwrap().unwrap();
    node.remove_expired_events().await.unwrap();
    assert!(!house.events(Some(AuditKind::AuditExpired)).await.is_empty());
    node.place_audit_events().await.unwrap();
    assert_sound(&node, &[], "removed again").await;

    // Somebody with the database says that everything was removed, as the house would, but for the key.
    happen(&house, 50, 52).await;
    let mut forged = house.events(Some(AuditKind::AuditExpired)).await.remove(0);
    forged.id = events(&house, 60, 61)[0].id.clone();
    forged.detail.insert("positions".to_owned(), "0-18446744073709551615".into());
    house.database.db.write(async |tx| tx.insert_audit_events(&[forged.clone()]).await).await.unwrap();
    node.place_audit_events().await.unwrap();
    let place = node.log_size().await.unwrap() - 3;
    tampering::open(&house).await;
    house.database.raw("DELETE FROM audit_events WHERE jti = 'jti-50'").await.unwrap();
    let report = node.verify_audit_log(&[]).await.unwrap();
    assert!(matches!(report.fault, Some(LogFault::Gone { position, .. }) if position == place), "{:?}", report.fault);
    // The hash of what was removed cannot be replaced either.
    let hash = match house.pair {
        countersign_tests::provider::Pair::Embedded => "zeroblob(32)",
        countersign_tests::provider::Pair::Servers => "decode(repeat('00', 32), 'hex')",
    };
    house.database.raw(&format!("UPDATE audit_entries SET hash = {hash} WHERE position = 13")).await.unwrap();
    let report = node.verify_audit_log(&[kept]).await.unwrap();
    assert!(matches!(report.fault, Some(LogFault::Rewritten { .. } | LogFault::Tree { .. })), "{:?}", report.fault);
}
