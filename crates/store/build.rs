//! Rebuilds when a migration changes: the macro that embeds them cannot say so.
#![allow(clippy::print_stdout, reason = "a build script speaks to cargo by printing")]

fn main() {
    println!("cargo:rerun-if-changed=../../migrations");
}
