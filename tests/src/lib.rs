//! Harness of the tests.

pub mod provider;
pub mod servers;
pub mod stores;
pub mod user_agent;
