//! Instances: gone, stale, dup, busy, ok.

use countersign_model::{FlowId, Seconds};
use countersign_store::{Advanced, Claim, CounterLimit, NextInstance, StoreError};
use countersign_tests::stores::{TestShortLived, race};
use std::collections::BTreeSet;

use super::on_each;

on_each!(
    created_instance_is_loaded_and_cannot_be_created_again,
    unknown_instance_is_gone,
    instance_is_gone_after_its_idle_time,
    instance_is_gone_past_its_end_however_busy,
    advance_raises_the_version_and_replaces_the_body,
    advance_to_an_end_that_is_past_ends_the_instance,
    another_version_is_stale,
    repeated_nonce_is_dup_with_the_stored_result,
    nonce_of_zeros_is_no_repetition_at_the_start,
    claimed_version_is_busy_for_everybody,
    lease_that_ended_lets_the_next_claim_through,
    live_lease_of_another_stops_an_advance,
    lease_that_ended_does_not_stop_its_holder,
    released_lease_lets_the_next_claim_through,
    only_its_holder_releases_a_lease,
    approval_raises_no_version_and_survives_an_advance_that_awaits_it_still,
    approval_is_forgotten_by_an_advance_that_awaits_another_or_none,
    late_call_never_takes_a_newer_approval_away,
    of_64_advances_of_one_version_exactly_one_is_ok,
    of_64_advances_with_one_nonce_63_get_the_same_result,
    of_64_claims_of_one_version_exactly_one_goes_on,
    parallel_creates_of_one_id_make_one_instance,
    oversized_instance_is_refused,
    instances_are_listed_by_pages_and_counters_are_not,
    store_answers_a_ping,
);

const IDLE: Seconds = Seconds::minutes(10);
const LEASE: Seconds = Seconds::new(30);
const ID: FlowId = FlowId::new([3; 16]);

fn nonce(number: u8) -> [u8; 16] {
    [number; 16]
}

async fn create(on: &TestShortLived) {
    let end = on.now().await.plus(Seconds::minutes(20));
    assert!(on.store.create(ID, b"first", end, IDLE).await.unwrap());
}

async fn advance(on: &TestShortLived, version: u32, nonce: [u8; 16], result: &[u8]) -> Advanced {
    let end = on.now().await.plus(Seconds::minutes(20));
    let next = NextInstance { result, body: b"next", idle: IDLE, end, awaits: None };
    on.store.advance(ID, version, &nonce, next).await.unwrap()
}

/// Advances to an instance that waits for a call.
async fn advance_awaiting(on: &TestShortLived, version: u32, awaits: Option<u32>) {
    let end = on.now().await.plus(Seconds::minutes(20));
    let next = NextInstance { result: b"", body: b"next", idle: IDLE, end, awaits };
    let nonce = nonce(u8::try_from(version).unwrap());
    assert_eq!(on.store.advance(ID, version, &nonce, next).await.unwrap(), Advanced::Ok { version: version + 1 });
}

async fn claim(on: &TestShortLived, version: u32, nonce: [u8; 16]) -> Claim {
    on.store.claim(ID, version, &nonce, LEASE).await.unwrap()
}

async fn created_instance_is_loaded_and_cannot_be_created_again(on: &TestShortLived) {
    let end = on.now().await.plus(Seconds::minutes(20));
    let body = [0, 255, 10, 13, 0];
    assert!(on.store.create(ID, &body, end, IDLE).await.unwrap());
    assert!(!on.store.create(ID, b"other", end, IDLE).await.unwrap());
    let record = on.store.load(ID).await.unwrap().unwrap();
    assert_eq!((record.version, record.body.as_slice(), record.end), (1, &body[..], end));
    assert_eq!(record.approved, None);
}

async fn unknown_instance_is_gone(on: &TestShortLived) {
    assert_eq!(on.store.load(ID).await.unwrap(), None);
    assert_eq!(claim(on, 1, nonce(1)).await, Claim::Gone);
    assert_eq!(advance(on, 1, nonce(1), b"").await, Advanced::Gone);
    assert!(!on.store.approve(ID, 1).await.unwrap());
    on.store.release(ID, 1, &nonce(1)).await.unwrap();
    assert_eq!(on.store.load(ID).await.unwrap(), None, "nothing of that made one");
}

async fn instance_is_gone_after_its_idle_time(on: &TestShortLived) {
    let end = on.now().await.plus(Seconds::minutes(20));
    on.store.create(ID, b"first", end, Seconds::new(1)).await.unwrap();
    on.pass(Seconds::new(1)).await;
    assert_eq!(on.store.load(ID).await.unwrap(), None);
    assert_eq!(claim(on, 1, nonce(1)).await, Claim::Gone);
}

async fn instance_is_gone_past_its_end_however_busy(on: &TestShortLived) {
    let now = on.now().await;
    assert!(!on.store.create(ID, b"late", now, IDLE).await.unwrap());
    assert_eq!(on.store.load(ID).await.unwrap(), None);
    on.store.create(ID, b"first", now.plus(Seconds::new(2)), IDLE).await.unwrap();
    on.pass(Seconds::new(2)).await;
    assert_eq!(on.store.load(ID).await.unwrap(), None);
    assert_eq!(advance(on, 1, nonce(1), b"").await, Advanced::Gone);
}

async fn advance_raises_the_version_and_replaces_the_body(on: &TestShortLived) {
    create(on).await;
    assert_eq!(claim(on, 1, nonce(1)).await, Claim::Claimed);
    assert_eq!(advance(on, 1, nonce(1), b"/flow/x").await, Advanced::Ok { version: 2 });
    let record = on.store.load(ID).await.unwrap().unwrap();
    assert_eq!((record.version, record.body.as_slice()), (2, &b"next"[..]));
    assert_eq!(claim(on, 2, nonce(2)).await, Claim::Claimed, "the lease went with the version");
    assert_eq!(advance(on, 2, nonce(2), b"").await, Advanced::Ok { version: 3 });
}

async fn advance_to_an_end_that_is_past_ends_the_instance(on: &TestShortLived) {
    create(on).await;
    let next = NextInstance { result: b"", body: b"", idle: IDLE, end: on.now().await, awaits: None };
    assert_eq!(on.store.advance(ID, 1, &nonce(1), next).await.unwrap(), Advanced::Gone);
    assert_eq!(on.store.load(ID).await.unwrap(), None);
}

async fn another_version_is_stale(on: &TestShortLived) {
    create(on).await;
    advance(on, 1, nonce(1), b"").await;
    for version in [0, 1, 3, u32::MAX] {
        assert_eq!(claim(on, version, nonce(2)).await, Claim::Stale { version: 2 });
        assert_eq!(advance(on, version, nonce(2), b"").await, Advanced::Stale);
    }
}

async fn repeated_nonce_is_dup_with_the_stored_result(on: &TestShortLived) {
    create(on).await;
    let result = [0, 1, 255, b'/'];
    advance(on, 1, nonce(1), &result).await;
    assert_eq!(claim(on, 1, nonce(1)).await, Claim::Dup(result.to_vec()));
    assert_eq!(advance(on, 1, nonce(1), b"other").await, Advanced::Dup(result.to_vec()));
    advance(on, 2, nonce(2), b"second").await;
    assert_eq!(claim(on, 1, nonce(1)).await, Claim::Stale { version: 3 }, "only the last nonce is kept");
    assert_eq!(claim(on, 2, nonce(2)).await, Claim::Dup(b"second".to_vec()));
}

async fn nonce_of_zeros_is_no_repetition_at_the_start(on: &TestShortLived) {
    create(on).await;
    assert_eq!(claim(on, 1, nonce(0)).await, Claim::Claimed);
    assert_eq!(advance(on, 1, nonce(0), b"zeros").await, Advanced::Ok { version: 2 });
    assert_eq!(claim(on, 1, nonce(0)).await, Claim::Dup(b"zeros".to_vec()));
}

async fn claimed_version_is_busy_for_everybody(on: &TestShortLived) {
    create(on).await;
    assert_eq!(claim(on, 1, nonce(1)).await, Claim::Claimed);
    assert_eq!(claim(on, 1, nonce(2)).await, Claim::Busy);
    assert_eq!(claim(on, 1, nonce(1)).await, Claim::Busy, "a double submit, while the first is under way");
}

/// A node dies between its effects and its write.
async fn lease_that_ended_lets_the_next_claim_through(on: &TestShortLived) {
    create(on).await;
    let lease = Seconds::new(1);
    assert_eq!(on.store.claim(ID, 1, &nonce(1), lease).await.unwrap(), Claim::Claimed);
    assert_eq!(claim(on, 1, nonce(1)).await, Claim::Busy);
    on.pass(lease).await;
    assert_eq!(claim(on, 1, nonce(1)).await, Claim::Claimed, "the same page again finds the effects done");
    assert_eq!(advance(on, 1, nonce(1), b"").await, Advanced::Ok { version: 2 });
}

async fn live_lease_of_another_stops_an_advance(on: &TestShortLived) {
    create(on).await;
    assert_eq!(claim(on, 1, nonce(1)).await, Claim::Claimed);
    assert_eq!(advance(on, 1, nonce(2), b"").await, Advanced::Stale);
    assert_eq!(advance(on, 1, nonce(1), b"").await, Advanced::Ok { version: 2 });
}

async fn lease_that_ended_does_not_stop_its_holder(on: &TestShortLived) {
    create(on).await;
    assert_eq!(on.store.claim(ID, 1, &nonce(1), Seconds::new(0)).await.unwrap(), Claim::Claimed);
    assert_eq!(advance(on, 1, nonce(1), b"").await, Advanced::Ok { version: 2 });
}

async fn released_lease_lets_the_next_claim_through(on: &TestShortLived) {
    create(on).await;
    assert_eq!(claim(on, 1, nonce(1)).await, Claim::Claimed);
    on.store.release(ID, 1, &nonce(1)).await.unwrap();
    assert_eq!(claim(on, 1, nonce(2)).await, Claim::Claimed);
    let record = on.store.load(ID).await.unwrap().unwrap();
    assert_eq!((record.version, record.body.as_slice()), (1, &b"first"[..]));
}

async fn only_its_holder_releases_a_lease(on: &TestShortLived) {
    create(on).await;
    assert_eq!(claim(on, 1, nonce(1)).await, Claim::Claimed);
    on.store.release(ID, 1, &nonce(2)).await.unwrap();
    on.store.release(ID, 2, &nonce(1)).await.unwrap();
    assert_eq!(claim(on, 1, nonce(2)).await, Claim::Busy);
}

async fn approval_raises_no_version_and_survives_an_advance_that_awaits_it_still(on: &TestShortLived) {
    create(on).await;
    assert!(on.store.approve(ID, 0).await.unwrap());
    let record = on.store.load(ID).await.unwrap().unwrap();
    assert_eq!((record.version, record.approved, record.body.as_slice()), (1, Some(0), &b"first"[..]));
    advance_awaiting(on, 1, Some(0)).await;
    assert_eq!(on.store.load(ID).await.unwrap().unwrap().approved, Some(0));
    assert!(on.store.approve(ID, u32::MAX).await.unwrap());
    advance_awaiting(on, 2, Some(u32::MAX)).await;
    assert_eq!(on.store.load(ID).await.unwrap().unwrap().approved, Some(u32::MAX));
}

async fn approval_is_forgotten_by_an_advance_that_awaits_another_or_none(on: &TestShortLived) {
    create(on).await;
    for (version, approved, awaits) in [(1, 7, None), (2, 7, Some(8)), (3, 7, Some(6)), (4, 0, None)] {
        assert!(on.store.approve(ID, approved).await.unwrap());
        assert_eq!(on.store.load(ID).await.unwrap().unwrap().approved, Some(approved));
        advance_awaiting(on, version, awaits).await;
        assert_eq!(on.store.load(ID).await.unwrap().unwrap().approved, None, "{awaits:?}");
    }
}

async fn late_call_never_takes_a_newer_approval_away(on: &TestShortLived) {
    create(on).await;
    on.store.approve(ID, 2).await.unwrap();
    assert!(on.store.approve(ID, 1).await.unwrap());
    assert_eq!(on.store.load(ID).await.unwrap().unwrap().approved, Some(2));
}

async fn of_64_advances_of_one_version_exactly_one_is_ok(on: &TestShortLived) {
    create(on).await;
    let end = on.now().await.plus(Seconds::minutes(20));
    let results = race(64, |caller| async move {
        let number = u8::try_from(caller).unwrap();
        let body = [number];
        let next = NextInstance { result: &body, body: &body, idle: IDLE, end, awaits: None };
        (number, on.store.advance(ID, 1, &nonce(number), next).await.unwrap())
    });
    let winners: Vec<_> = results.iter().filter(|(_, result)| *result == Advanced::Ok { version: 2 }).collect();
    assert_eq!(winners.len(), 1);
    assert_eq!(results.iter().filter(|(_, result)| *result == Advanced::Stale).count(), 63);
    assert_eq!(on.store.load(ID).await.unwrap().unwrap().body, [winners[0].0], "the winner's body stands");
}

async fn of_64_advances_with_one_nonce_63_get_the_same_result(on: &TestShortLived) {
    create(on).await;
    let end = on.now().await.plus(Seconds::minutes(20));
    let results = race(64, |caller| async move {
        let result = [u8::try_from(caller).unwrap()];
        let next = NextInstance { result: &result, body: b"next", idle: IDLE, end, awaits: None };
        (result.to_vec(), on.store.advance(ID, 1, &nonce(1), next).await.unwrap())
    });
    let winners: Vec<_> = results.iter().filter(|(_, answer)| *answer == Advanced::Ok { version: 2 }).collect();
    assert_eq!(winners.len(), 1);
    let dup = Advanced::Dup(winners[0].0.clone());
    assert_eq!(results.iter().filter(|(_, answer)| *answer == dup).count(), 63);
}

async fn of_64_claims_of_one_version_exactly_one_goes_on(on: &TestShortLived) {
    create(on).await;
    let results = race(64, |caller| claim(on, 1, nonce(u8::try_from(caller).unwrap() + 1)));
    assert_eq!(results.iter().filter(|result| **result == Claim::Claimed).count(), 1);
    assert_eq!(results.iter().filter(|result| **result == Claim::Busy).count(), 63);
}

async fn parallel_creates_of_one_id_make_one_instance(on: &TestShortLived) {
    let end = on.now().await.plus(Seconds::minutes(20));
    let made = race(16, |_| async move { on.store.create(ID, b"first", end, IDLE).await.unwrap() });
    assert_eq!(made.into_iter().filter(|made| *made).count(), 1);
}

async fn oversized_instance_is_refused(on: &TestShortLived) {
    let end = on.now().await.plus(Seconds::minutes(20));
    let refused = on.store.create(ID, &vec![0; 65 * 1024], end, IDLE).await;
    assert!(matches!(refused, Err(StoreError::TooLarge(_))), "{refused:?}");
    create(on).await;
    let result = vec![0; 17 * 1024];
    let next = NextInstance { result: &result, body: b"", idle: IDLE, end, awaits: None };
    let refused = on.store.advance(ID, 1, &nonce(1), next).await;
    assert!(matches!(refused, Err(StoreError::TooLarge(_))), "{refused:?}");
}

async fn instances_are_listed_by_pages_and_counters_are_not(on: &TestShortLived) {
    let end = on.now().await.plus(Seconds::minutes(20));
    let ids: BTreeSet<[u8; 16]> = (0..40).map(|number| [number; 16]).collect();
    for id in &ids {
        assert!(on.store.create(FlowId::new(*id), id, end, IDLE).await.unwrap());
    }
    let limit = CounterLimit { allowed: 3, window: Seconds::minutes(1), lock: None };
    on.store.charge("f:of somebody", b"", &limit).await.unwrap();
    if let Err(StoreError::Unavailable(why)) = on.store.list(0).await {
        assert_eq!(why, "redis: a cluster does not list its keys");
        return;
    }
    let (mut found, mut cursor) = (BTreeSet::new(), 0);
    for _ in 0..100_000 {
        let page = on.store.list(cursor).await.unwrap();
        assert!(page.found.iter().all(|(id, record)| record.body == id.as_bytes() && record.version == 1));
        found.extend(page.found.iter().map(|(id, _)| *id.as_bytes()));
        cursor = page.next;
        if cursor == 0 {
            break;
        }
    }
    assert_eq!((found, cursor), (ids, 0));
}

async fn store_answers_a_ping(on: &TestShortLived) {
    on.store.ping().await.unwrap();
}
