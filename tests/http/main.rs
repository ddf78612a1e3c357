//! Black-box tests over HTTP, a module per specification: what a client, a browser and an operator see of the binary.
//! Each test starts a demo of its own, so it tells a whole story.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a step that fails is a test that fails")]

mod admin;
mod authlib;
mod bounds;
mod client_key;
mod command_line;
mod consent;
mod cors;
mod discovery;
mod fixture;
mod from_b2c;
mod indistinguishable;
mod jarm;
mod logs;
mod management;
mod oidc_core;
mod oidc_core_3;
mod oidc_core_5_3;
mod oidc_core_8;
mod openid_client;
mod pages;
mod prompt_create;
mod rfc6749_authorization;
mod rfc6749_token;
mod rfc6750;
mod rfc7009;
mod rfc7516;
mod rfc7523;
mod rfc7591;
mod rfc7636;
mod rfc7662;
mod rfc8628;
mod rfc8693;
mod rfc8705;
mod rfc8707;
mod rfc9068;
mod rfc9101;
mod rfc9126;
mod rfc9207;
mod rfc9449;
mod rfc9700;
mod rp_initiated_logout;
mod session_management;
mod setup;
mod telephone;
