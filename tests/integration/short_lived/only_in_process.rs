//! What needs a clock that jumps hours, and the bounds of the map.

use countersign_model::{FlowId, Seconds};
use countersign_store::{
    Charged, CounterLimit, CounterLock, InProcess, InProcessBounds, NextInstance, ShortLived, StoreError,
};
use countersign_tests::stores::{TestClock, block_on};

const LIMIT: CounterLimit = CounterLimit {
    allowed: 3,
    window: Seconds::hours(1),
    lock: Some(CounterLock { r#for: Seconds::minutes(1), backoff: 2, max: Seconds::hours(5) }),
};

#[test]
fn lock_doubles_up_to_its_longest_and_is_forgotten_an_hour_after_it_ended() {
    block_on(async {
        let clock = TestClock::new();
        let store = InProcess::new(clock.as_clock(), InProcessBounds::default());
        let charge = async || store.charge("pat", b"", &LIMIT).await.unwrap();
        for count in 1..=3 {
            assert_eq!(charge().await, Charged::Allowed { count });
        }
        for (further, minutes) in [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300].into_iter().enumerate() {
            let lock = Seconds::minutes(minutes);
            assert_eq!(charge().await, Charged::Refused { retry_after: lock });
            clock.pass(Seconds::new(lock.get() - 1));
            assert_eq!(charge().await, Charged::Refused { retry_after: Seconds::new(1) });
            clock.pass(Seconds::new(1));
            assert_eq!(charge().await, Charged::Allowed { count: 4 + u32::try_from(further).unwrap() });
        }
        clock.pass(Seconds::minutes(300 + 60));
        assert_eq!(charge().await, Charged::Allowed { count: 1 });
    });
}

#[test]
fn full_store_refuses_new_entries_and_keeps_the_old() {
    block_on(async {
        let clock = TestClock::new();
        let store = InProcess::new(clock.as_clock(), InProcessBounds { bytes: 64 * 4096 });
        let end = clock.now().plus(Seconds::minutes(20));
        let id = |number: u8| FlowId::new([number; 16]);
        let mut made = Vec::new();
        let mut refused = 0;
        for number in 0..=255 {
            match store.create(id(number), &[0; 3000], end, Seconds::minutes(10)).await {
                Ok(true) => made.push(number),
                Err(StoreError::Unavailable(_)) => refused += 1,
                other => panic!("{other:?}"),
            }
        }
        assert!(!made.is_empty() && made.len() <= 64, "{}", made.len());
        assert_eq!(made.len() + refused, 256);
        for number in &made {
            assert!(store.load(id(*number)).await.unwrap().is_some());
        }
        let next = NextInstance { result: b"", body: &[1; 3000], idle: Seconds::minutes(10), end, awaits: None };
        store.advance(id(made[0]), 1, &[1; 16], next).await.unwrap();
        clock.pass(Seconds::minutes(10));
        let end = clock.now().plus(Seconds::minutes(20));
        assert!(store.create(id(255), &[0; 3000], end, Seconds::minutes(10)).await.unwrap(), "expired ones make room");
    });
}
