//! What breaks while tokens are asked for: a node, PostgreSQL. Each test asks for the same at the end: no token
//! without its event, no event twice, and a log that verifies against what was signed before.
//!
//! The servers are the test's own; `./tests/run --long` goes on for longer.
#![allow(clippy::expect_used, clippy::panic, clippy::print_stderr, clippy::unwrap_used, missing_docs)]

mod crashes;
mod house;
mod load;
