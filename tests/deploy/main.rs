//! What operators are handed in `deploy/`: each file is accepted by its own tool, holds what the process really does, and
//! what the compose file describes runs, without containers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a step that fails is a test that fails")]

mod alerts;
mod compose;
mod container;
mod kubernetes;
mod process_set;
mod tool;
mod unit;
