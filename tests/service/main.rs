//! The use cases, driven in process: a clock that is moved, nodes over one pair of stores, people who walk pages.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that panics is a test that fails")]
#![allow(
    clippy::large_futures,
    clippy::unnecessary_wraps,
    clippy::assigning_clones,
    clippy::struct_excessive_bools,
    clippy::format_collect,
    reason = "tests are read more often than they are run"
)]

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
mod approvals;
mod at_rest;
mod audit;
mod audit_log;
mod audit_sinks;
mod claims;
mod codes;
mod crash;
mod documents;
mod features;
mod federation;
mod guesses;
mod hashing;
mod indistinguishable;
mod intruder;
mod journey;
mod keys;
mod legacy;
mod links;
mod locked;
mod logout;
mod once;
mod outbox;
mod passkeys;
mod people;
mod pinned;
mod pushed;
mod questions;
mod races;
mod refusals;
mod registration;
mod remembered;
mod safety;
mod secrets;
mod sessions;
mod setup;
mod size;
mod telephone;
mod tokens;
mod unfinished;
mod webhooks;
