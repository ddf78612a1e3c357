//! The benchmark suite: the provider, oidc-provider and the machine itself under the same load, in one run, as one report.
//!
//! `countersign-load [--short] [--out FILE]`; `./tests/run --load` builds it, starts the stores and runs it.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a wrong answer ends the run, which talks to whoever started it and takes the time"
)]

mod bench;
mod figures;
mod floor;
mod generator;
mod link;
mod measure;
mod plan;
mod process;
mod provider;
mod report;
mod rival;
mod script;
mod site;
mod stores;
mod target;
mod workload;

use measure::Server;
use plan::Plan;
use process::Cores;
use provider::Provider;
use report::{Report, Side};
use rival::Rival;
use stores::Stores;
use workload::Workload;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [floor::SUBCOMMAND] => floor::serve_empty(),
        [] => println!("{}", report(&Plan::long())),
        ["--out", file] => write(file, &report(&Plan::long())),
        ["--short", "--out", file] => write(file, &report(&Plan::short())),
        _ => {
            eprintln!("usage: countersign-load [[--short] --out FILE]");
            std::process::exit(2);
        }
    }
}

fn write(file: &str, page: &str) {
    std::fs::write(file, page).unwrap_or_else(|error| panic!("{file}: {error}"));
}

fn report(plan: &Plan) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(run(plan)).page()
}

async fn run(plan: &Plan) -> Report {
    let cores = Cores::split(plan.pinned);
    // What is started from here on finds one core, as it would on a machine of one: workers and threads are as many.
    cores.give_others(std::process::id());
    let stores = Stores::open().await;
    for pid in stores.pids() {
        cores.give_others_tree(pid);
    }
    let floors = floor::measure(plan, cores).await;
    let starts = provider::measure_starts(plan.runs, cores).await;
    let shared = {
        let provider = Provider::start(Some(&stores), cores).await;
        measure_side(plan, &Server { site: &provider.site, pid: provider.pid, stores: Some(&stores) }).await
    };
    let embedded = {
        let provider = Provider::start(None, cores).await;
        measure_side(plan, &Server { site: &provider.site, pid: provider.pid, stores: None }).await
    };
    let rival = Rival::start(cores).await;
    let theirs = measure_side(plan, &Server { site: &rival.site, pid: rival.pid, stores: None }).await;
    Report {
        plan: plan.clone(),
        pinned: cores.pinned(),
        versions: format!("{}, {}", stores.versions().await, rival.version),
        floors,
        shared,
        embedded,
        rival: theirs,
        starts,
        counts_statements: stores.counts_statements(),
    }
}

async fn measure_side(plan: &Plan, server: &Server<'_>) -> Side {
    let before = process::resident(server.pid);
    let mut measured = Vec::new();
    for workload in Workload::ALL {
        if server.site.whose == site::Whose::Ours || workload.is_standard() {
            let found = measure::measure(plan, server, workload).await;
            eprintln!("{}: {} \u{b5}s, {}/s", workload.name(), figures::show(found.cpu), figures::show(found.rate));
            measured.push(found);
        }
    }
    Side { measured, resident: (before, process::resident(server.pid)) }
}
