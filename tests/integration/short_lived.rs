//! The short-lived store: one contract, run on Redis in each of its forms and in process.

mod counters;
mod failover;
mod instances;
mod only_in_process;
mod only_redis;

/// Runs each test on every store, as `redis::<test>`, `redis_cluster::<test>`, `redis_sentinel::<test>` and
/// `in_process::<test>`.
macro_rules! on_each {
    ($($test:ident),* $(,)?) => {
        on_each!(@store redis: $($test),*);
        on_each!(@store redis_cluster: $($test),*);
        on_each!(@store redis_sentinel: $($test),*);
        on_each!(@store in_process: $($test),*);
    };
    (@store $store:ident: $($test:ident),*) => {
        mod $store {
            $(#[test]
            fn $test() {
                use countersign_tests::stores::{TestShortLived, block_on};
                block_on(super::$test(&TestShortLived::$store()));
            })*
        }
    };
}
pub(crate) use on_each;
