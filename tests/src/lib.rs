//! Harness of the tests.

pub mod client_key;
pub mod prover;
pub mod provider;
pub mod servers;
pub mod stores;
pub mod user_agent;
