//! Harness of the tests.

pub mod servers;
pub mod stores;
pub mod user_agent;
