//! Black-box tests over HTTP, a folder per specification: what a client, a browser and an operator see of the binary.
//! Each test starts a demo of its own, so it tells a whole story.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a step that fails is a test that fails")]

mod admin;
mod admin_api;
mod audit;
mod authlib;
mod bounds;
mod brands;
mod client_key;
mod command_line;
mod consent;
mod cors;
mod differential;
mod discovery_truth;
mod first_administrator;
mod fixture;
mod foreign_provider;
mod from_b2c;
mod indistinguishable;
mod key_rotation;
mod load;
mod management;
mod openid_client;
mod openidconnect;
mod pages;
mod serve;
mod setup;
mod telephone;

// A folder per specification.
mod client_id_metadata {
    mod documents;
}
mod jarm {
    mod answers;
}
mod oidc_core {
    mod authentication;
    mod implicit_and_hybrid;
    mod subjects;
    mod unsigned;
    mod userinfo;
}
mod oidc_discovery {
    mod documents;
}
mod rfc6749 {
    mod authorization;
    mod token;
}
mod rfc6750 {
    mod userinfo;
}
mod rfc7009 {
    mod revocation;
}
mod rfc7516 {
    mod encryption;
}
mod rfc7519 {
    mod clocks;
}
mod rfc7523 {
    mod assertions;
}
mod rfc7591 {
    mod registration;
}
mod rfc7636 {
    mod challenges;
}
mod rfc7662 {
    mod introspection;
}
mod rfc8252 {
    mod native_apps;
}
mod rfc8628 {
    mod devices;
}
mod rfc8693 {
    pub mod exchange;
}
mod rfc8705 {
    mod certificates;
}
mod rfc8707 {
    mod resources;
}
mod rfc9068 {
    mod access_tokens;
}
mod rfc9101 {
    mod request_objects;
}
mod rfc9110 {
    mod errors;
}
mod rfc9126 {
    pub mod pushed_requests;
}
mod rfc9207 {
    mod issuer;
}
mod rfc9449 {
    mod proofs;
    mod restart;
}
mod rfc9470 {
    mod step_up;
}
mod rfc9700 {
    mod configuration;
    mod logs;
    mod redirects;
    pub mod secrets;
}
mod rp_initiated_logout {
    mod logout;
}
mod session_management {
    mod session;
}
mod user_registration {
    pub mod prompt_create;
}
