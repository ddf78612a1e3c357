//! The audit log: everything that happened has its place, is signed and proven; nothing is changed unseen.

mod retention;
mod tampering;

use std::collections::BTreeSet;

use countersign_audit::{Checkpoint, Hash, NoteKey, Proof, hash_entry, verify_consistency};
use countersign_model::{AuditEvent, AuditId, AuditKind, AuditOutcome, Seconds};
use countersign_service::{EntryForm, LogFault, ProvenEntry, Provider};
use countersign_tests::provider::{ALICE, House, Person, redeem};
use ct_merkle::mem_backed_tree::MemoryBackedTree;
use ct_merkle::{ConsistencyProof, InclusionProof, RootHash};
use futures_util::future::join_all;
use serde_json::{Value, json};
use sha2::Sha256;

on_both_stores![
    a_token_is_proven_to_be_in_the_log,
    two_nodes_make_one_log_of_what_happens_at_both,
    the_tree_is_that_of_another_implementation,
    an_event_of_another_version_waits_and_hinders_nobody,
    a_checkpoint_is_signed_when_it_is_due_and_never_over_a_loss,
    a_log_signed_anew_differs_from_a_checkpoint_kept_elsewhere,
    a_node_sees_that_the_log_grew_anew_behind_its_back,
    what_waits_though_it_is_placed_hinders_nobody,
    an_event_that_neither_waits_nor_stands_is_found_whatever_its_time,
    a_checkpoint_dated_ahead_does_not_put_off_the_next,
    nothing_is_proven_of_an_event_that_was_changed,
];

/// Events `from..to`, each of its own.
fn events(house: &House, from: u16, to: u16) -> Vec<AuditEvent> {
    let event = |number: u16| {
        let mut drawn = [0; 10];
        drawn[..2].copy_from_slice(&number.to_be_bytes());
        let Value::Object(detail) = json!({"number": number, "policy": "email"}) else { unreachable!() };
        AuditEvent {
            id: AuditId::new(house.clock.now(), drawn),
            at: house.clock.now(),
            kind: AuditKind::TokenIssued,
            outcome: AuditOutcome::Success,
            subject: None,
            client: None,
            grant: None,
            jti: Some(format!("jti-{number}")),
            flow: None,
            request: None,
            address: Some("192.0.2.1".to_owned()),
            detail,
        }
    };
    (from..to).map(event).collect()
}

pub(crate) async fn happen(house: &House, from: u16, to: u16) {
    let events = events(house, from, to);
    house.database.db.write(async |tx| tx.insert_audit_events(&events).await).await.unwrap();
}

/// A log of `size` entries, signed.
async fn log_of(house: &House, size: u16) -> std::sync::Arc<Provider> {
    let node = house.idle_node(house.plan());
    node.place_audit_events().await.unwrap();
    let before = u16::try_from(node.log_size().await.unwrap()).unwrap();
    happen(house, before, size).await;
    node.place_audit_events().await.unwrap();
    node.sign_checkpoint().await.unwrap().unwrap();
    node
}

async fn key(node: &Provider) -> NoteKey {
    NoteKey::parse(&node.audit_key().await.unwrap()).unwrap()
}

async fn assert_sound(node: &Provider, kept: &[String], case: &str) -> u64 {
    let report = node.verify_audit_log(kept).await.unwrap();
    assert_eq!(report.fault, None, "{case}");
    report.entries
}

async fn a_token_is_proven_to_be_in_the_log(house: House) {
    let node = house.node().await;
    let mut person = Person::new();
    let page = person.arrive(&node, "p=lab").await.page();
    let code = person.give_password(&node, &page, ALICE).await.code();
    redeem(&node, &code).await.unwrap().unwrap();
    let jti = house.events(Some(AuditKind::TokenIssued)).await[0].jti.clone().unwrap();
    assert_eq!(node.prove_token(&jti).await.unwrap(), [], "nothing is signed yet");
    node.place_audit_events().await.unwrap();
    node.sign_checkpoint().await.unwrap().unwrap();

    let proven = node.prove_token(&jti).await.unwrap();
    let line = |found: &ProvenEntry| found.entry.clone().unwrap();
    let found = proven.iter().find(|found| line(found).contains(r#""kind":"token.issued""#)).unwrap();
    let entry: Value = serde_json::from_str(&line(found)).unwrap();
    assert_eq!((&entry["jti"], &entry["outcome"], &entry["v"]), (&json!(jti), &json!("success"), &json!(1)));
    let proof = Proof::parse(&found.proof).unwrap();
    assert_eq!(proof.index, found.position);
    let checkpoint = proof.verify(line(found).as_bytes(), &key(&node).await).unwrap();
    assert_eq!((checkpoint.origin.as_str(), checkpoint.size), ("id.example/audit", node.log_size().await.unwrap()));
    let other = line(found).replace("success", "failure");
    assert!(proof.verify(other.as_bytes(), &key(&node).await).is_err());
    assert_eq!(node.prove_token("another").await.unwrap(), []);
    assert_eq!(node.prove_entry(checkpoint.size).await.unwrap(), None);
    assert_sound(&node, &[], "a login").await;
}

async fn two_nodes_make_one_log_of_what_happens_at_both(house: House) {
    let (one, other) = (house.idle_node(house.plan()), house.idle_node(house.plan()));
    let place = async |node: &Provider| {
        for _ in 0..8 {
            node.place_audit_events().await.unwrap();
            node.sign_checkpoint().await.unwrap();
        }
    };
    let write = async || {
        for part in 0..40 {
            happen(&house, part * 10, part * 10 + 10).await;
        }
    };
    tokio::join!(place(&one), place(&other), write(), place(&one), place(&other));
    one.place_audit_events().await.unwrap();
    other.sign_checkpoint().await.unwrap().unwrap();
    let entries = assert_sound(&one, &[], "two nodes").await;
    assert_eq!(usize::try_from(entries).unwrap(), house.count("audit_events", "1 = 1").await);
    assert!(entries >= 400 && house.count("audit_unplaced", "1 = 1").await == 0);
    let lines = other.list_log_entries(0, 1000, EntryForm::Entry).await.unwrap();
    let once: BTreeSet<&str> = lines.iter().map(|(_, line)| line.as_str()).collect();
    assert_eq!(once.len(), lines.len());
}

/// RFC 6962's tree as the crate ct-merkle makes it: roots, inclusion and consistency.
async fn the_tree_is_that_of_another_implementation(house: House) {
    let node = log_of(&house, 300).await;
    let lines = node.list_log_entries(0, 1000, EntryForm::Entry).await.unwrap();
    assert_eq!(lines.len(), 300);
    let mut theirs = MemoryBackedTree::<Sha256, Vec<u8>>::new();
    let mut roots = vec![theirs.root()];
    for (_, line) in &lines {
        theirs.push(line.clone().into_bytes());
        roots.push(theirs.root());
    }
    let checkpoint = Checkpoint::verify(&node.last_checkpoint().await.unwrap().unwrap().note, &key(&node).await);
    let ours = checkpoint.unwrap();
    assert_eq!((ours.size, ours.root.as_slice()), (300, roots[300].as_bytes().as_slice()));

    let concat = |hashes: &[Hash]| hashes.concat();
    for position in [0_u64, 1, 128, 255, 256, 257, 299] {
        let found = node.prove_entry(position).await.unwrap().unwrap();
        let path = Proof::parse(&found.proof).unwrap().path;
        let proof = InclusionProof::<Sha256>::try_from_bytes(concat(&path)).unwrap();
        roots[300].verify_inclusion(&found.entry.unwrap().into_bytes(), position, &proof).unwrap();
        assert_eq!(concat(&path), theirs.prove_inclusion(usize::try_from(position).unwrap()).as_bytes());
    }
    for (old, new) in [(1_u64, 300_u64), (128, 300), (255, 256), (256, 300), (257, 299), (300, 300)] {
        let hashes = node.prove_consistency(old, new).await.unwrap().unwrap();
        let root = |size: u64| -> &RootHash<Sha256> { &roots[usize::try_from(size).unwrap()] };
        let bytes = |size: u64| -> Hash { root(size).as_bytes().as_slice().try_into().unwrap() };
        assert!(verify_consistency((old, &bytes(old)), (new, &bytes(new)), &hashes), "{old} {new}");
        if old < new {
            let proof = ConsistencyProof::<Sha256>::try_from_bytes(concat(&hashes)).unwrap();
            root(new).verify_consistency(root(old), &proof).unwrap();
        }
    }
    assert_eq!(node.prove_consistency(1, 301).await.unwrap(), None);
    assert_eq!(node.prove_consistency(2, 1).await.unwrap(), None);
}

async fn an_event_of_another_version_waits_and_hinders_nobody(house: House) {
    let node = log_of(&house, 30).await;
    let row = "INSERT INTO audit_events (id, at, kind, outcome, detail) SELECT '1' || substr(id, 2), at, 'of.later', \
               outcome, detail FROM audit_events ORDER BY id LIMIT 1";
    house.database.raw(row).await.unwrap();
    happen(&house, 100, 101).await;
    assert_eq!(node.place_audit_events().await.unwrap(), 1);
    assert_eq!(node.place_audit_events().await.unwrap(), 0);
    assert_sound(&node, &[], "it may be new").await;
    house.clock.pass(Seconds::minutes(6));
    let report = node.verify_audit_log(&[]).await.unwrap();
    assert!(matches!(report.fault, Some(LogFault::Unplaced { .. })), "{:?}", report.fault);
}

async fn a_checkpoint_is_signed_when_it_is_due_and_never_over_a_loss(house: House) {
    let node = house.idle_node(house.plan());
    node.place_audit_events().await.unwrap();
    let first = node.sign_due_checkpoint().await.unwrap().unwrap();
    assert_eq!(node.sign_due_checkpoint().await.unwrap(), None, "nothing new");
    happen(&house, 0, 3).await;
    node.place_audit_events().await.unwrap();
    assert_eq!(node.sign_due_checkpoint().await.unwrap(), None, "not yet");
    house.clock.pass(Seconds::new(10));
    let signed = join_all((0..8).map(|_| node.sign_due_checkpoint())).await;
    let signed: Vec<_> = signed.into_iter().filter_map(Result::unwrap).collect();
    assert_eq!(signed.len(), 1, "one of those who are due at once");
    assert_eq!(signed[0].size, first.size + 3);
    assert_eq!(node.last_checkpoint().await.unwrap(), Some(signed[0].clone()));

    tampering::open(&house).await;
    let sql = format!("DELETE FROM audit_entries WHERE position >= {}", first.size);
    house.database.raw(&sql).await.unwrap();
    house.clock.pass(Seconds::new(10));
    let refused = house.idle_node(house.plan()).sign_due_checkpoint().await.unwrap_err();
    assert!(refused.to_string().contains("audit verify"), "{refused}");
}

/// Who has database and master key writes a log that is sound by itself: hence the checkpoints kept elsewhere.
async fn a_log_signed_anew_differs_from_a_checkpoint_kept_elsewhere(house: House) {
    let node = log_of(&house, 40).await;
    let kept = node.last_checkpoint().await.unwrap().unwrap().note;
    assert_sound(&node, std::slice::from_ref(&kept), "before").await;
    tampering::open(&house).await;
    for sql in [
        "DELETE FROM audit_checkpoints",
        "DELETE FROM audit_entries",
        "DELETE FROM audit_unplaced",
        "DELETE FROM audit_events WHERE jti = 'jti-35'",
        "INSERT INTO audit_unplaced (event_id) SELECT id FROM audit_events",
    ] {
        house.database.raw(sql).await.unwrap();
    }
    let forger = house.idle_node(house.plan());
    forger.place_audit_events().await.unwrap();
    forger.sign_checkpoint().await.unwrap().unwrap();
    assert_eq!(assert_sound(&forger, &[], "by itself").await, 39);
    let report = forger.verify_audit_log(std::slice::from_ref(&kept)).await.unwrap();
    assert_eq!(report.fault, Some(LogFault::Truncated { entries: 39, signed: 40 }));
    happen(&house, 500, 505).await;
    let waiting = "INSERT INTO audit_unplaced (event_id) SELECT id FROM audit_events WHERE jti LIKE 'jti-50%'";
    house.database.raw(waiting).await.unwrap();
    forger.place_audit_events().await.unwrap();
    let report = forger.verify_audit_log(std::slice::from_ref(&kept)).await.unwrap();
    assert_eq!(report.fault, Some(LogFault::Rewritten { sound: 0, signed: 40 }));
    let foreign = kept.replace("id.example", "id.elsewhere");
    let report = forger.verify_audit_log(&[foreign]).await.unwrap();
    assert!(matches!(report.fault, Some(LogFault::Elsewhere { .. })));
}

/// As after a restore under a running node: the same size, another end.
async fn a_node_sees_that_the_log_grew_anew_behind_its_back(house: House) {
    let (stale, other) = (log_of(&house, 259).await, house.idle_node(house.plan()));
    tampering::open(&house).await;
    for sql in [
        "DELETE FROM audit_checkpoints",
        "DELETE FROM audit_events WHERE id IN (SELECT event_id FROM audit_entries WHERE position >= 257)",
        "DELETE FROM audit_entries WHERE position >= 257",
    ] {
        house.database.raw(sql).await.unwrap();
    }
    let refused = stale.place_audit_events().await;
    happen_by_hand(&house, 600, 601).await;
    assert!(refused.is_ok(), "nothing waited: {refused:?}");
    let refused = stale.place_audit_events().await.unwrap_err();
    assert!(refused.to_string().contains("audit verify"), "{refused}");
    happen_by_hand(&house, 601, 602).await;
    assert_eq!(other.place_audit_events().await.unwrap(), 2);
    happen_by_hand(&house, 602, 610).await;
    assert_eq!(stale.place_audit_events().await.unwrap(), 8);
    stale.sign_checkpoint().await.unwrap().unwrap();
    assert_eq!(assert_sound(&other, &[], "grown anew").await, 267);
}

/// Events `from..to`, queued as the trigger does that is no more.
async fn happen_by_hand(house: &House, from: u16, to: u16) {
    happen(house, from, to).await;
    for number in from..to {
        let sql =
            format!("INSERT INTO audit_unplaced (event_id) SELECT id FROM audit_events WHERE jti = 'jti-{number}'");
        house.database.raw(&sql).await.unwrap();
    }
}

async fn what_waits_though_it_is_placed_hinders_nobody(house: House) {
    let node = log_of(&house, 20).await;
    let again = "INSERT INTO audit_unplaced (event_id) SELECT event_id FROM audit_entries WHERE position < 5";
    house.database.raw(again).await.unwrap();
    happen(&house, 700, 702).await;
    assert_eq!(node.place_audit_events().await.unwrap(), 2);
    assert_eq!(house.count("audit_unplaced", "1 = 1").await, 0);
    assert_eq!(assert_sound(&node, &[], "queued twice").await, 22);
}

async fn an_event_that_neither_waits_nor_stands_is_found_whatever_its_time(house: House) {
    let node = log_of(&house, 20).await;
    happen(&house, 800, 801).await;
    assert_sound(&node, &[], "it waits").await;
    house.database.raw("DELETE FROM audit_unplaced").await.unwrap();
    let report = node.verify_audit_log(&[]).await.unwrap();
    assert!(matches!(report.fault, Some(LogFault::Unplaced { .. })), "{:?}", report.fault);
}

async fn a_checkpoint_dated_ahead_does_not_put_off_the_next(house: House) {
    let node = log_of(&house, 20).await;
    tampering::open(&house).await;
    house.database.raw("UPDATE audit_checkpoints SET at = at + 86400000").await.unwrap();
    happen_by_hand(&house, 900, 901).await;
    node.place_audit_events().await.unwrap();
    assert!(node.sign_due_checkpoint().await.unwrap().is_some());
}

async fn nothing_is_proven_of_an_event_that_was_changed(house: House) {
    let node = log_of(&house, 20).await;
    assert!(node.prove_entry(3).await.unwrap().is_some());
    let (kept, elsewhere) = (node.last_checkpoint().await.unwrap().unwrap().note, "another log's");
    assert!(node.continues(&kept).await.unwrap() && !node.continues(elsewhere).await.unwrap());
    tampering::open(&house).await;
    let change = "UPDATE audit_events SET outcome = CASE outcome WHEN 'success' THEN 'failure' ELSE 'success' END \
                  WHERE id = (SELECT event_id FROM audit_entries WHERE position = 3)";
    house.database.raw(change).await.unwrap();
    assert!(node.prove_entry(3).await.unwrap_err().to_string().contains("entry 3 is not what was placed"));
    assert!(node.prove_entry(4).await.unwrap().is_some());
    house.database.raw("DELETE FROM audit_entries WHERE position > 10").await.unwrap();
    assert!(!node.continues(&kept).await.unwrap());
}

/// The hash of an entry's line.
fn leaf(line: &str) -> Hash {
    hash_entry(line.as_bytes())
}
