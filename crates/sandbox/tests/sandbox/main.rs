//! The carrier and the portal on real sockets.

mod api;
mod calls;
mod inbox_page;
mod lifetime;
mod portal;
mod provider;
mod recorder;
mod smtp;
mod support;
mod tls;
mod twilio;
