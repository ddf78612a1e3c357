//! The use cases, driven in process: a clock that is moved, nodes over one pair of stores, people who walk pages.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that panics is a test that fails")]

/// Runs tests on SQLite with the in-process store and on PostgreSQL with Redis.
macro_rules! on_both_stores {
    ($($name:ident),* $(,)?) => {
        mod embedded {
            $(#[test] fn $name() { countersign_tests::provider::run(countersign_tests::provider::Pair::Embedded, super::$name); })*
        }
        mod servers {
            $(#[test] fn $name() { countersign_tests::provider::run(countersign_tests::provider::Pair::Servers, super::$name); })*
        }
    };
}

mod account;
mod audit;
mod claims;
mod codes;
mod crash;
mod federation;
mod guesses;
mod hashing;
mod journey;
mod keys;
mod links;
mod outbox;
mod passkeys;
mod pinned;
mod races;
mod refusals;
mod remembered;
mod safety;
mod sessions;
mod size;
mod telephone;
mod tokens;
mod webhooks;
