//! The OpenID Foundation's plans for OpenID Providers, module by module, as black-box tests of the demo over https.
//!
//! Each module is written anew after its description; their names are those of the suite. A plan is
//! one test: its modules run against one provider, and every one must pass. docs/CONFORMANCE.md is what the last run
//! said; `COUNTERSIGN_WRITE_REPORTS=1` writes it anew.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a module that fails is a test that fails, and says why"
)]

mod common;
mod dpop;
mod dynamic;
mod fapi;
mod fapi2;
mod fapi2_dpop;
mod fapi2_objects;
mod fapi2_plans;
mod handshake;
mod keys;
mod logout;
mod op;
mod plans;
mod report;
mod rp;
mod session;
mod suite;
