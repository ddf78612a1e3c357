//! Journeys of people in Chromium, from the portal and back, each on a demo of its own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod account;
mod codes;
mod cross_site;
mod employees;
mod invitation;
mod journey;
mod language;
mod links;
mod pages;
mod phone;
mod plain;
mod questions;
mod recovery;
mod refusals;
mod registration;
mod relying_party;
mod remember;
mod setup;
mod sign_in;
mod sign_out;
mod steps;
mod tabs;

/// Where the server's samples of pages find their types.
pub(crate) use countersign_server::page;
