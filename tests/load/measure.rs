//! One workload against one server: warm-up, the measurements, half the load.

use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::bench::Bench;
use crate::figures::{float, float_of, median, micros, whole};
use crate::generator::{Drive, Pace};
use crate::plan::Plan;
use crate::process;
use crate::site::Site;
use crate::stores::{PerOperation, Reading, Stores};
use crate::workload::Workload;

/// A server with its stores.
pub struct Server<'a> {
    /// Where.
    pub site: &'a Rc<Site>,
    /// Its process.
    pub pid: u32,
    /// PostgreSQL and Redis, if it has them.
    pub stores: Option<&'a Stores>,
}

/// What came out; medians over the runs, times in microseconds.
#[derive(Clone, Debug)]
pub struct Measured {
    /// What was done.
    pub workload: Workload,
    /// Requests of one operation.
    pub requests: f64,
    /// CPU time of the server for one operation.
    pub cpu: f64,
    /// The least and the most of the runs.
    pub spread: (f64, f64),
    /// Operations a second.
    pub rate: f64,
    /// Half of the operations took no longer.
    pub p50: f64,
    /// Of a hundred operations 99 took no longer.
    pub p99: f64,
    /// The same at half that rate.
    pub half_load_p99: f64,
    /// The share of its core that the generator used.
    pub generator: f64,
    /// What it cost the stores.
    pub stores: Option<PerOperation>,
}

struct Run {
    drive: Drive,
    cpu: f64,
    generator: f64,
}

/// Measures it.
pub async fn measure(plan: &Plan, server: &Server<'_>, workload: Workload) -> Measured {
    let mut bench = Bench::build(server.site, workload, plan.connections).await;
    let rate = warm_up(plan, &mut bench, workload).await;
    let wanted = whole(rate * plan.span.as_secs_f64()).clamp(plan.least, plan.most);
    let operations = workload.fixed().map_or(wanted, |fixed| fixed.operations);
    let mut runs = Vec::new();
    let mut costs = Vec::new();
    for _ in 0..plan.runs {
        bench.fill(operations).await;
        let before = read(server).await;
        runs.push(run(server, &mut bench, operations).await);
        let after = read(server).await;
        costs.extend(before.zip(after).map(|(before, after)| after.since(&before, float(operations))));
    }
    let rate = median_of(&runs, |run| run.drive.rate());
    let half = workload.fixed().map_or(operations.div_ceil(2), |fixed| fixed.half_load);
    bench.fill(half).await;
    let half_load = bench.run(half, Pace::Open(rate / 2.0)).await;
    let cpu = |run: &Run| run.cpu;
    Measured {
        workload,
        requests: median_of(&runs, |run| float(run.drive.requests)) / float(operations),
        cpu: median_of(&runs, cpu),
        spread: runs.iter().map(cpu).fold((f64::MAX, 0.0), |(least, most), cpu| (least.min(cpu), most.max(cpu))),
        rate,
        p50: median_of(&runs, |run| micros(run.drive.percentile(50))),
        p99: median_of(&runs, |run| micros(run.drive.percentile(99))),
        half_load_p99: micros(half_load.percentile(99)),
        generator: median_of(&runs, |run| run.generator),
        stores: average(&costs),
    }
}

fn median_of(runs: &[Run], figure: impl Fn(&Run) -> f64) -> f64 {
    median(runs.iter().map(figure).collect())
}

/// Runs the workload for a while; operations a second at the end of it.
async fn warm_up(plan: &Plan, bench: &mut Bench, workload: Workload) -> f64 {
    let mut operations = workload.fixed().map_or(plan.least, |fixed| fixed.warm_up);
    let begin = Instant::now();
    loop {
        bench.fill(operations).await;
        let rate = bench.run(operations, Pace::Closed).await.rate();
        if workload.fixed().is_some() || begin.elapsed() >= plan.warm_up {
            return rate;
        }
        operations = whole(rate * Duration::from_millis(300).as_secs_f64()).clamp(plan.least, plan.most);
    }
}

async fn read(server: &Server<'_>) -> Option<Reading> {
    match server.stores {
        Some(stores) => Some(stores.read().await),
        None => None,
    }
}

async fn run(server: &Server<'_>, bench: &mut Bench, operations: usize) -> Run {
    let spent = || (process::cpu(server.pid), process::cpu(std::process::id()));
    let (begin, before) = (Instant::now(), spent());
    let drive = bench.run(operations, Pace::Closed).await;
    let (elapsed, after) = (begin.elapsed(), spent());
    Run {
        drive,
        cpu: float_of(after.0.saturating_sub(before.0)) / float(operations),
        generator: float_of(after.1.saturating_sub(before.1)) / micros(elapsed).max(1.0),
    }
}

/// What runs cost on the average: background work falls into some of them alone.
fn average(costs: &[PerOperation]) -> Option<PerOperation> {
    let mean = |figure: fn(&PerOperation) -> f64| costs.iter().map(figure).sum::<f64>() / float(costs.len());
    (!costs.is_empty()).then(|| PerOperation {
        postgres_cpu: mean(|cost| cost.postgres_cpu),
        redis_cpu: mean(|cost| cost.redis_cpu),
        statements: mean(|cost| cost.statements),
        redis_commands: mean(|cost| cost.redis_commands),
        redis_scripts: mean(|cost| cost.redis_scripts),
        postgres_bytes: mean(|cost| cost.postgres_bytes),
        redis_bytes: mean(|cost| cost.redis_bytes),
    })
}
