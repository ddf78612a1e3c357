//! The outbox: at most once.

use std::collections::BTreeSet;

use countersign_model::{OutboxId, OutboxMessage, OutboxState, Seconds, Timestamp};
use countersign_store::{Lane, Tx};
use countersign_tests::stores::{Stored, TestDatabase, race};

use super::fixtures::{NOW, later, message, user_id};
use super::on_both;

on_both!(
    message_is_queued_once_per_idempotency_key,
    due_messages_are_claimed_by_exactly_one_node,
    message_that_is_not_due_or_expired_is_not_claimed,
    finished_message_loses_its_content,
    requeued_message_is_claimed_again,
    message_of_a_dead_node_fails_and_is_never_sent_again,
    expired_message_fails,
    carrier_and_its_word_are_kept,
    last_word_of_a_carrier_stands,
    messages_about_a_person_come_newest_first,
);

const LEASE: Seconds = Seconds::new(30);
const OTHERS: Lane<'_> = Lane::WithoutThatOf("logout");

async fn queue(database: &TestDatabase, messages: &[OutboxMessage]) {
    let stored: Stored<()> = database
        .db
        .write(async |tx: &mut Tx| {
            for message in messages {
                assert!(tx.insert_outbox_message(message).await?);
            }
            Ok(())
        })
        .await;
    stored.unwrap();
}

async fn claim(database: &TestDatabase, now: Timestamp) -> Vec<OutboxMessage> {
    let claimed: Stored<_> =
        database.db.write(async |tx: &mut Tx| tx.claim_due_messages(now, OTHERS, 10, LEASE).await).await;
    claimed.unwrap()
}

async fn find(database: &TestDatabase, id: &OutboxId) -> OutboxMessage {
    let found: Stored<_> = database.db.read(async |tx: &mut Tx| tx.find_outbox_message(id).await).await;
    found.unwrap().unwrap()
}

async fn message_is_queued_once_per_idempotency_key(database: &TestDatabase) {
    let (first, mut second) = (message(1), message(2));
    second.idempotency_key.clone_from(&first.idempotency_key);
    let stored: Stored<_> = database
        .db
        .write(async |tx: &mut Tx| {
            Ok((tx.insert_outbox_message(&first).await?, tx.insert_outbox_message(&second).await?))
        })
        .await;
    assert_eq!(stored.unwrap(), (true, false));
    assert_eq!(find(database, &first.id).await, first);
}

async fn due_messages_are_claimed_by_exactly_one_node(database: &TestDatabase) {
    let messages: Vec<_> = (0..40).map(message).collect();
    queue(database, &messages).await;
    let nodes = [database.another_node(), database.another_node()];
    let claimed = race(16, |caller| {
        let node = nodes[caller % 2].clone();
        async move {
            let mut all = Vec::new();
            loop {
                let claimed: Stored<_> =
                    node.write(async |tx: &mut Tx| tx.claim_due_messages(NOW, OTHERS, 3, LEASE).await).await;
                let claimed = claimed.unwrap();
                if claimed.is_empty() {
                    return all;
                }
                assert!(claimed.len() <= 3);
                assert!(claimed.iter().all(|message| message.attempts == 1 && message.state == OutboxState::Claimed));
                all.extend(claimed.into_iter().map(|message| message.id));
            }
        }
    });
    let claimed: Vec<_> = claimed.into_iter().flatten().collect();
    let distinct: BTreeSet<_> = claimed.iter().collect();
    assert_eq!((claimed.len(), distinct.len()), (40, 40));
}

async fn message_that_is_not_due_or_expired_is_not_claimed(database: &TestDatabase) {
    let (mut early, late) = (message(1), message(2));
    early.due_at = later(10);
    queue(database, &[early.clone(), late.clone()]).await;
    assert_eq!(claim(database, later(9)).await.len(), 1);
    assert_eq!(claim(database, later(300)).await.len(), 0, "not worth sending any more");
    assert_eq!(find(database, &early.id).await.state, OutboxState::Queued);
    assert_eq!(find(database, &late.id).await.state, OutboxState::Claimed);
}

async fn finished_message_loses_its_content(database: &TestDatabase) {
    let one = message(1);
    queue(database, std::slice::from_ref(&one)).await;
    let finish = async |state| -> Stored<bool> {
        database.db.write(async |tx: &mut Tx| tx.finish_message(&one.id, state, later(1)).await).await
    };
    assert!(!finish(OutboxState::Delivered).await.unwrap(), "nobody claimed it");
    claim(database, NOW).await;
    assert!(finish(OutboxState::Claimed).await.is_err(), "that is no end");
    assert!(finish(OutboxState::Delivered).await.unwrap());
    assert!(!finish(OutboxState::Failed).await.unwrap(), "it has ended");
    let ended = find(database, &one.id).await;
    assert_eq!((ended.state, ended.sealed, ended.attempts), (OutboxState::Delivered, None, 1));
}

async fn requeued_message_is_claimed_again(database: &TestDatabase) {
    let one = message(1);
    queue(database, std::slice::from_ref(&one)).await;
    claim(database, NOW).await;
    let requeued: Stored<bool> =
        database.db.write(async |tx: &mut Tx| tx.requeue_message(&one.id, later(20)).await).await;
    assert!(requeued.unwrap());
    assert!(claim(database, later(19)).await.is_empty());
    let again = claim(database, later(20)).await;
    assert_eq!((again[0].attempts, again[0].sealed.as_ref()), (2, one.sealed.as_ref()));
}

async fn message_of_a_dead_node_fails_and_is_never_sent_again(database: &TestDatabase) {
    let one = message(1);
    queue(database, std::slice::from_ref(&one)).await;
    claim(database, NOW).await;
    let fail = async |now| -> Vec<OutboxMessage> {
        let failed: Stored<_> = database.db.write(async |tx: &mut Tx| tx.fail_overdue_messages(now).await).await;
        failed.unwrap()
    };
    assert!(fail(later(29)).await.is_empty(), "the lease is live");
    let failed = fail(later(30)).await;
    assert_eq!((failed.len(), failed[0].state, failed[0].sealed.as_ref()), (1, OutboxState::Failed, None));
    assert!(claim(database, later(31)).await.is_empty());
    let late: Stored<bool> = database
        .db
        .write(async |tx: &mut Tx| tx.finish_message(&one.id, OutboxState::Delivered, later(32)).await)
        .await;
    assert!(!late.unwrap());
}

async fn expired_message_fails(database: &TestDatabase) {
    queue(database, &[message(1)]).await;
    let failed: Stored<_> = database.db.write(async |tx: &mut Tx| tx.fail_overdue_messages(later(300)).await).await;
    let failed = failed.unwrap();
    assert_eq!((failed.len(), failed[0].sealed.as_ref()), (1, None));
}

async fn carrier_and_its_word_are_kept(database: &TestDatabase) {
    queue(database, &[message(1)]).await;
    let mut expected = message(1);
    expected.carrier = Some("primary".to_owned());
    expected.reference = Some("SM1".to_owned());
    expected.status = Some("sent".to_owned());
    let told: Stored<_> = database
        .db
        .write(async |tx: &mut Tx| {
            let noted = tx.set_outbox_reference(&expected.id, "primary", Some("SM1")).await?;
            let unknown = tx.set_outbox_reference(&message(2).id, "primary", None).await?;
            let told = tx.set_outbox_status(&expected.id, "sent").await?;
            let again = tx.set_outbox_status(&expected.id, "sent").await?;
            let by_key = tx.find_outbox_message_by_key(&expected.idempotency_key).await?;
            Ok((noted, unknown, told, again, by_key))
        })
        .await;
    assert_eq!(told.unwrap(), (true, false, Some(expected.clone()), None, Some(expected)));
}

async fn last_word_of_a_carrier_stands(database: &TestDatabase) {
    queue(database, &[message(1)]).await;
    let id = message(1).id;
    let tell = async |status: &str| -> bool {
        let told: Stored<_> = database.db.write(async |tx: &mut Tx| tx.set_outbox_status(&id, status).await).await;
        told.unwrap().is_some()
    };
    assert!(tell("queued").await);
    let last = race(8, |number| tell(if number % 2 == 0 { "delivered" } else { "undelivered" }));
    assert_eq!(last.into_iter().filter(|told| *told).count(), 1);
    assert!(!tell("sent").await && !tell("failed").await);
}

async fn messages_about_a_person_come_newest_first(database: &TestDatabase) {
    let (first, mut second, mut nobodys) = (message(1), message(2), message(3));
    second.created_at = later(5);
    nobodys.subject = None;
    queue(database, &[first.clone(), second.clone(), nobodys]).await;
    let listed: Stored<_> = database
        .db
        .read(async |tx: &mut Tx| {
            let all = tx.list_outbox_of_subject(&user_id(1), 10).await?;
            Ok((all, tx.list_outbox_of_subject(&user_id(1), 1).await?))
        })
        .await;
    assert_eq!(listed.unwrap(), (vec![second.clone(), first], vec![second]));
}
