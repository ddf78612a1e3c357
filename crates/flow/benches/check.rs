//! How long the proofs of the whole shipped set take: `cargo bench -p countersign-flow`.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a program that prints what it measured")]

use std::time::{Duration, Instant};

use countersign_flow::{PolicySet, check, parse};

const ROUNDS: usize = 100;

/// The shipped files, by name.
fn read_files() -> Vec<(String, String)> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/policies");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let shipped = files.filter(|file| file.extension().is_some_and(|extension| extension == "toml"));
    shipped.map(|file| (file.display().to_string(), std::fs::read_to_string(&file).unwrap())).collect()
}

#[expect(clippy::disallowed_methods, reason = "a bench reads the clock")]
fn time<T>(name: &str, mut work: impl FnMut() -> T) {
    let mut taken: Vec<Duration> = (0..ROUNDS)
        .map(|_| {
            let begin = Instant::now();
            std::hint::black_box(work());
            begin.elapsed()
        })
        .collect();
    taken.sort_unstable();
    println!("{name}: median {:.1?}, fastest {:.1?}, slowest {:.1?}", taken[ROUNDS / 2], taken[0], taken[ROUNDS - 1]);
}

fn main() {
    let files = read_files();
    let read = || PolicySet::new(files.iter().map(|(name, text)| parse(name, text).unwrap()).collect());
    let set = read();
    println!("{} policies, {ROUNDS} rounds", files.len());
    time("parse", read);
    time("check", || check(&set, "2026-11-22"));
}
