//! The outbox: at most once, and nothing kept.

use countersign_model::{AuditKind, OutboxState, Seconds};
use countersign_store::Lane;
use countersign_tests::provider::{HOSPITAL, House, Person, Temper};

on_both_stores![
    a_message_is_sealed_while_it_waits_and_dropped_when_it_is_delivered,
    a_message_claimed_by_a_dead_node_is_never_sent,
    a_message_refused_for_now_is_tried_again_and_delivered_once,
    a_message_refused_for_good_is_given_up,
    an_expired_message_is_not_sent,
    two_workers_send_a_message_once,
];

async fn send(house: &House, person: &mut Person) {
    let node = house.node().await;
    let page = person.walk_to_mailbox(&node, HOSPITAL, false).await;
    person.press(&node, &page, "send", &[]).await.page();
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

async fn a_message_is_sealed_while_it_waits_and_dropped_when_it_is_delivered(house: House) {
    send(&house, &mut Person::new()).await;
    let waiting = house.outbox().await.remove(0);
    assert_eq!(waiting.state, OutboxState::Queued);
    let sealed = waiting.sealed.unwrap();
    let code = house.mailed_code(&house.node().await, HOSPITAL.0).await;
    assert!(!holds(&sealed, &code) && !holds(&sealed, HOSPITAL.0) && !holds(&sealed, "Case Portal"));
    let delivered = house.outbox().await.remove(0);
    assert_eq!((delivered.state, delivered.sealed, delivered.attempts), (OutboxState::Delivered, None, 1));
    assert_eq!(house.events(Some(AuditKind::SendDelivered)).await.len(), 1);
}

async fn a_message_claimed_by_a_dead_node_is_never_sent(house: House) {
    send(&house, &mut Person::new()).await;
    let now = house.clock.now();
    let claimed = house
        .database
        .db
        .write(async |tx| tx.claim_due_messages(now, Lane::WithoutThatOf("logout"), 16, Seconds::new(20)).await)
        .await;
    assert_eq!(claimed.unwrap().len(), 1);
    let other = house.node().await;
    assert_eq!(house.deliver(&other).await, 0, "it is in another's hands");
    house.clock.pass(Seconds::new(20));
    assert_eq!(house.deliver(&other).await, 0);
    let message = house.outbox().await.remove(0);
    assert_eq!((message.state, message.sealed), (OutboxState::Failed, None));
    assert_eq!(house.relay.tries(), 0);
    assert_eq!(house.events(Some(AuditKind::SendFailed)).await.len(), 1);
}

async fn a_message_refused_for_now_is_tried_again_and_delivered_once(house: House) {
    send(&house, &mut Person::new()).await;
    let node = house.node().await;
    house.relay.set_temper(Temper::RefusesForNow);
    assert_eq!(house.deliver(&node).await, 1);
    let message = house.outbox().await.remove(0);
    assert_eq!((message.state, message.sealed.is_some()), (OutboxState::Queued, true));
    house.relay.set_temper(Temper::Takes);
    assert_eq!(house.deliver(&node).await, 0, "not at once");
    house.clock.pass(Seconds::new(2));
    assert_eq!(house.deliver(&node).await, 1);
    assert_eq!(house.deliver(&node).await, 0);
    let message = house.outbox().await.remove(0);
    assert_eq!((message.state, message.sealed, message.attempts), (OutboxState::Delivered, None, 2));
    assert_eq!((house.relay.tries(), house.relay.letters().len()), (2, 1));
    assert_eq!(house.events(Some(AuditKind::SendFailed)).await.len(), 1);
    assert_eq!(house.events(Some(AuditKind::SendDelivered)).await.len(), 1);
}

async fn a_message_refused_for_good_is_given_up(house: House) {
    send(&house, &mut Person::new()).await;
    let node = house.node().await;
    house.relay.set_temper(Temper::RefusesForGood);
    house.deliver(&node).await;
    house.relay.set_temper(Temper::Takes);
    house.clock.pass(Seconds::new(10));
    assert_eq!(house.deliver(&node).await, 0);
    let message = house.outbox().await.remove(0);
    assert_eq!((message.state, message.sealed), (OutboxState::Failed, None));
    assert_eq!(house.relay.tries(), 1);
}

async fn an_expired_message_is_not_sent(house: House) {
    send(&house, &mut Person::new()).await;
    house.clock.pass(Seconds::new(30));
    house.deliver(&house.node().await).await;
    let message = house.outbox().await.remove(0);
    assert_eq!((message.state, message.sealed), (OutboxState::Failed, None));
    assert_eq!(house.relay.tries(), 0);
}

async fn two_workers_send_a_message_once(house: House) {
    let (a, b) = (house.node().await, house.node().await);
    for _ in 0..3 {
        send(&house, &mut Person::new()).await;
    }
    let (left, right) = (house.worker(&a), house.worker(&b));
    let (left, right) = tokio::join!(left.deliver_due(), right.deliver_due());
    assert_eq!(left.unwrap() + right.unwrap(), 3);
    assert_eq!((house.relay.tries(), house.relay.letters().len()), (3, 3));
}
