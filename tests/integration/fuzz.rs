//! The targets of tests/fuzz without a fuzzer: their seeds, seeds that are damaged, and bytes of no form at all. A
//! panic is found here before cargo-fuzz looks for deeper ones (`./tests/run --long`).

#[path = "../fuzz/src/lib.rs"]
mod targets;

use std::path::{Path, PathBuf};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, TestRunner};

fn folder(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(target)
}

fn seeds(target: &str) -> Vec<Vec<u8>> {
    let files = std::fs::read_dir(folder(target)).unwrap_or_else(|error| panic!("{target} has no seeds: {error}"));
    files.map(|file| std::fs::read(file.unwrap().path()).unwrap()).collect()
}

/// What stands instead of some bytes of a seed.
type Damage = (Index, usize, Vec<u8>);

fn damaged(seed: &[u8], damages: &[Damage]) -> Vec<u8> {
    damages.iter().fold(seed.to_vec(), |mut bytes, (at, length, put)| {
        let from = at.index(bytes.len() + 1);
        let to = bytes.len().min(from + length);
        bytes.splice(from..to, put.iter().copied());
        bytes
    })
}

fn run(target: targets::Target, name: &str) {
    let seeds = seeds(name);
    assert!(!seeds.is_empty(), "{name}");
    for seed in &seeds {
        target(seed);
    }
    target(b"");
    let put = prop_oneof![vec(any::<u8>(), 0..4), "[\"{}:,.=&%a0-]{0,3}".prop_map(String::into_bytes)];
    let near = (any::<Index>(), vec((any::<Index>(), 0..6_usize, put), 1..5))
        .prop_map(move |(seed, damages)| damaged(&seeds[seed.index(seeds.len())], &damages));
    let bytes = prop_oneof![3 => near, 1 => vec(any::<u8>(), 0..200)];
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::default() });
    let outcome = runner.run(&bytes, |bytes| {
        target(&bytes);
        Ok(())
    });
    assert!(outcome.is_ok(), "{name}: {outcome:?}");
}

macro_rules! tests {
    ($($target:ident)+) => {
        $(#[test]
        fn $target() {
            run(targets::$target, stringify!($target));
        })+

        #[test]
        fn every_target_is_run_here_and_by_cargo_fuzz() {
            let names: Vec<&str> = targets::TARGETS.iter().map(|(name, _)| *name).collect();
            assert_eq!(names, [$(stringify!($target)),+]);
            let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/Cargo.toml");
            let manifest: toml::Table = std::fs::read_to_string(manifest).unwrap().parse().unwrap();
            let binaries: Vec<&str> =
                manifest["bin"].as_array().unwrap().iter().map(|binary| binary["name"].as_str().unwrap()).collect();
            assert_eq!(binaries, names);
        }
    };
}

tests! {
    request_object jwt client_assertion id_token_hint dpop redirect basic form policy registration documents certificate
}
