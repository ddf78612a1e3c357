//! Journeys of people in Chromium, from the portal and back, each on a demo of its own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod codes;
mod journey;
mod language;
mod pages;
mod refusals;
mod remember;
mod sign_in;
mod tabs;
