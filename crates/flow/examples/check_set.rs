//! Checks policy files as one set and tells how long it takes: `cargo run --release --example check_set -- FILE...`.
#![expect(clippy::print_stdout, clippy::expect_used, reason = "an example for the terminal")]

use std::time::Instant;

use countersign_flow::{PolicySet, check, list_least_sets, parse};

fn main() {
    let sets = std::env::args().any(|argument| argument == "--sets");
    let mut policies = Vec::new();
    for file in std::env::args().skip(1).filter(|argument| argument != "--sets") {
        let text = std::fs::read_to_string(&file).expect("a readable file");
        match parse(&file, &text) {
            Ok(policy) => policies.push(policy),
            Err(findings) => findings.iter().for_each(|finding| println!("{finding}")),
        }
    }
    let set = PolicySet::new(policies);
    check(&set, "2026-11-22").iter().for_each(|finding| println!("{finding}"));
    let mut times: Vec<_> = (0..9)
        .map(|_| {
            let start = Instant::now();
            let _ = check(&set, "2026-11-22");
            start.elapsed()
        })
        .collect();
    times.sort();
    println!("median {:?}, longest {:?}", times[4], times[8]);
    if sets {
        for least in list_least_sets(&set, "2026-11-22") {
            let waived = if least.waived { " (waived)" } else { "" };
            println!("{:<16} {:<22} {:?}{waived}", least.policy, format!("{:?}", least.account), least.held);
        }
    }
}
