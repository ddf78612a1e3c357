//! Processes for tests: the demo, a Redis of one's own, a browser. Each is stopped when its value is dropped.
#![allow(clippy::expect_used, clippy::panic, clippy::missing_panics_doc, clippy::print_stderr)]

mod browser;
mod clock;
mod demo;
mod inbox;
mod port;
mod postgres;
mod process;
mod redis;
mod rsyslog;
mod sentinel;
mod site;

pub use browser::{Browser, BrowserOptions};
pub use clock::FakeClock;
pub use demo::{Demo, DemoOptions, binary};
pub use inbox::{Inbox, InboxMessage};
pub use port::free_port;
pub use postgres::PostgresServer;
pub use process::Running;
pub use redis::{Keeps, RedisServer};
pub use rsyslog::Rsyslog;
pub use sentinel::Watched;
pub use site::{Page, Site, Visit};
