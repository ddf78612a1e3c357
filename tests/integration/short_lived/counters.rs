//! Counters and their locks.

use countersign_model::Seconds;
use countersign_store::{Charged, CounterLimit, CounterLock};
use countersign_tests::stores::{TestShortLived, race};

use super::on_each;

on_each!(
    tries_past_the_limit_are_refused,
    of_200_parallel_tries_at_a_limit_of_5_five_are_looked_at,
    of_64_parallel_tries_that_lock_at_the_fifth_five_are_looked_at,
    same_once_is_counted_once,
    refused_try_is_not_counted_whatever_its_once,
    empty_once_is_always_a_new_try,
    window_that_ended_allows_again,
    lock_that_ended_lets_one_more_try_through_and_doubles,
    reset_forgets_count_and_lock,
    a_lock_can_be_seen_without_counting,
    counters_of_other_keys_are_untouched,
);

const PLAIN: CounterLimit = CounterLimit { allowed: 5, window: Seconds::minutes(10), lock: None };
const LOCKING: CounterLimit = CounterLimit {
    allowed: 5,
    window: Seconds::minutes(10),
    lock: Some(CounterLock { r#for: Seconds::minutes(1), backoff: 2, max: Seconds::hours(5) }),
};

async fn charge(on: &TestShortLived, limit: &CounterLimit, once: &[u8]) -> Charged {
    on.store.charge("email/credentials/attempts pat", once, limit).await.unwrap()
}

fn retry_after(charged: Charged) -> u32 {
    match charged {
        Charged::Refused { retry_after } => retry_after.get(),
        Charged::Allowed { count } => panic!("allowed as number {count}"),
    }
}

async fn tries_past_the_limit_are_refused(on: &TestShortLived) {
    for count in 1..=5 {
        assert_eq!(charge(on, &PLAIN, b"").await, Charged::Allowed { count });
    }
    let wait = retry_after(charge(on, &PLAIN, b"").await);
    assert!((590..=600).contains(&wait), "{wait}");
    let none = CounterLimit { allowed: 0, ..PLAIN };
    assert!(matches!(on.store.charge("never", b"", &none).await.unwrap(), Charged::Refused { .. }));
}

async fn of_200_parallel_tries_at_a_limit_of_5_five_are_looked_at(on: &TestShortLived) {
    let answers = race(200, |caller| async move { charge(on, &PLAIN, &caller.to_be_bytes()).await });
    let mut counts: Vec<_> = answers
        .into_iter()
        .filter_map(|answer| match answer {
            Charged::Allowed { count } => Some(count),
            Charged::Refused { .. } => None,
        })
        .collect();
    counts.sort_unstable();
    assert_eq!(counts, [1, 2, 3, 4, 5]);
}

async fn of_64_parallel_tries_that_lock_at_the_fifth_five_are_looked_at(on: &TestShortLived) {
    let answers = race(64, |_| charge(on, &LOCKING, b""));
    assert_eq!(answers.iter().filter(|answer| matches!(answer, Charged::Allowed { .. })).count(), 5);
}

async fn same_once_is_counted_once(on: &TestShortLived) {
    let first = charge(on, &LOCKING, b"page 1").await;
    assert_eq!(charge(on, &LOCKING, b"page 1").await, first);
    for page in ["page 2", "page 3", "page 4", "page 5"] {
        charge(on, &LOCKING, page.as_bytes()).await;
    }
    assert_eq!(charge(on, &LOCKING, b"page 5").await, Charged::Allowed { count: 5 }, "the try that locked, again");
    retry_after(charge(on, &LOCKING, b"page 6").await);
}

async fn refused_try_is_not_counted_whatever_its_once(on: &TestShortLived) {
    for page in 1..=5_u8 {
        charge(on, &PLAIN, &[page]).await;
    }
    retry_after(charge(on, &PLAIN, b"late").await);
    retry_after(charge(on, &PLAIN, b"late").await);
    assert_eq!(charge(on, &PLAIN, &[5]).await, Charged::Allowed { count: 5 });
}

async fn empty_once_is_always_a_new_try(on: &TestShortLived) {
    assert_eq!(charge(on, &PLAIN, b"").await, Charged::Allowed { count: 1 });
    assert_eq!(charge(on, &PLAIN, b"").await, Charged::Allowed { count: 2 });
}

async fn window_that_ended_allows_again(on: &TestShortLived) {
    let limit = CounterLimit { allowed: 1, window: Seconds::new(1), lock: None };
    assert_eq!(charge(on, &limit, b"a").await, Charged::Allowed { count: 1 });
    assert_eq!(retry_after(charge(on, &limit, b"b").await), 1);
    on.pass(Seconds::new(1)).await;
    assert_eq!(charge(on, &limit, b"a").await, Charged::Allowed { count: 1 });
}

async fn lock_that_ended_lets_one_more_try_through_and_doubles(on: &TestShortLived) {
    let lock = CounterLock { r#for: Seconds::new(1), backoff: 30, max: Seconds::new(20) };
    let limit = CounterLimit { allowed: 1, window: Seconds::minutes(10), lock: Some(lock) };
    assert_eq!(charge(on, &limit, b"a").await, Charged::Allowed { count: 1 });
    assert_eq!(retry_after(charge(on, &limit, b"b").await), 1);
    on.pass(Seconds::new(1)).await;
    assert_eq!(charge(on, &limit, b"b").await, Charged::Allowed { count: 2 });
    let wait = retry_after(charge(on, &limit, b"c").await);
    assert!((15..=20).contains(&wait), "thirty seconds, cut to the longest lock: {wait}");
}

async fn a_lock_can_be_seen_without_counting(on: &TestShortLived) {
    const KEY: &str = "email/credentials/attempts pat";
    let lock = CounterLock { r#for: Seconds::new(2), backoff: 1, max: Seconds::new(2) };
    let limit = CounterLimit { allowed: 2, window: Seconds::minutes(10), lock: Some(lock) };
    let is_locked = async || on.store.is_locked(KEY).await.unwrap();
    assert!(!is_locked().await, "there is no such counter");
    charge(on, &limit, b"a").await;
    assert!(!is_locked().await);
    assert_eq!(charge(on, &limit, b"b").await, Charged::Allowed { count: 2 }, "looking counted nothing");
    assert!(is_locked().await);
    on.pass(Seconds::new(2)).await;
    assert!(!is_locked().await, "it ended");
    assert_eq!(charge(on, &limit, b"c").await, Charged::Allowed { count: 3 }, "and what it counted stands");
    assert!(is_locked().await);
    on.store.reset(KEY).await.unwrap();
    assert!(!is_locked().await);
}

async fn reset_forgets_count_and_lock(on: &TestShortLived) {
    for _ in 0..5 {
        charge(on, &LOCKING, b"").await;
    }
    retry_after(charge(on, &LOCKING, b"").await);
    on.store.reset("email/credentials/attempts pat").await.unwrap();
    on.store.reset("never charged").await.unwrap();
    assert_eq!(charge(on, &LOCKING, b"").await, Charged::Allowed { count: 1 });
}

async fn counters_of_other_keys_are_untouched(on: &TestShortLived) {
    let limit = CounterLimit { allowed: 1, ..PLAIN };
    for key in ["a", "b", "{a}", "a}b{", ""] {
        assert_eq!(on.store.charge(key, b"", &limit).await.unwrap(), Charged::Allowed { count: 1 }, "{key:?}");
    }
}
