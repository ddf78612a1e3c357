//! The short-lived store: one contract, run on Redis and in process.

mod counters;
mod instances;
mod only_in_process;
mod only_redis;

/// Runs each test on both stores, as `redis::<test>` and `in_process::<test>`.
macro_rules! on_both {
    ($($test:ident),* $(,)?) => {
        mod redis {
            $(#[test]
            fn $test() {
                use countersign_tests::stores::{TestShortLived, block_on};
                block_on(super::$test(&TestShortLived::redis()));
            })*
        }
        mod in_process {
            $(#[test]
            fn $test() {
                use countersign_tests::stores::{TestShortLived, block_on};
                block_on(super::$test(&TestShortLived::in_process()));
            })*
        }
    };
}
pub(crate) use on_both;
