//! Integration tests: a module per feature. They need the servers that `./tests/run` starts.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a step that fails is a test that fails")]

mod architecture;
mod fuzz;
mod protocol_rules;
mod requirements;
mod rustsec_2023_0071 {
    mod signing;
}
mod servers;
mod short_lived;
mod store;
