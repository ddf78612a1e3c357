//! The carrier and the portal on real sockets.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "tests")]

mod api;
mod calls;
mod corporate;
mod inbox_page;
mod lifetime;
mod portal;
mod provider;
mod recorder;
mod smtp;
mod support;
mod tls;
mod twilio;
