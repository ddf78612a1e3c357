//! docs/PERFORMANCE.md.

use std::fmt::Write as _;
use std::fs;

use crate::figures::{float_of, median, micros, show};
use crate::floor::Floors;
use crate::measure::Measured;
use crate::plan::Plan;
use crate::provider::Start;
use crate::target::{self, Target};

/// Everything that was measured.
pub struct Report {
    /// The sizes of the run.
    pub plan: Plan,
    /// Whether server and generator had a core each.
    pub pinned: bool,
    /// Versions of what ran beside the server.
    pub versions: String,
    /// What the machine can do.
    pub floors: Floors,
    /// Over PostgreSQL and Redis.
    pub shared: Side,
    /// Over a file and its own memory.
    pub embedded: Side,
    /// oidc-provider.
    pub rival: Side,
    /// Starts of a node.
    pub starts: Vec<Start>,
    /// Whether SQL statements were counted, or transactions alone.
    pub counts_statements: bool,
}

/// One server.
#[derive(Default)]
pub struct Side {
    /// Its workloads.
    pub measured: Vec<Measured>,
    /// Resident memory before and after all of them.
    pub resident: (u64, u64),
}

/// Written by hand, about what was seen.
const NOTES: &str = include_str!("NOTES.md");

const HEAD: &str = "# Performance\n\n\
Made by `./tests/run --load` (also a part of `./tests/run --long`) with `COUNTERSIGN_WRITE_REPORTS=1`, but for the last \
section, which is `tests/load/NOTES.md`. Every figure is of one run on one machine, all sides beside each other; the \
ratios hold elsewhere, the times do not.\n";

impl Report {
    /// The page.
    pub fn page(&self) -> String {
        let mut page = HEAD.to_owned();
        page += &self.machine();
        page += &self.targets();
        page += &self.rivals();
        for (title, side) in [
            ("PostgreSQL and Redis", &self.shared),
            ("SQLite and in process", &self.embedded),
            ("oidc-provider", &self.rival),
        ] {
            page += &speeds(title, side);
        }
        page += &self.stores();
        page += &self.memory();
        page += NOTES;
        page
    }

    fn machine(&self) -> String {
        let Floors { empty, empty_rate, rs256, es256, eddsa, rs256_reading_key, .. } = self.floors;
        let Floors { verification, argon2id, redis, fsync, .. } = self.floors;
        let profile = if cfg!(debug_assertions) { "unoptimized" } else { "release" };
        let cores = if self.pinned {
            "the server on one core, the generator, PostgreSQL and Redis on the other"
        } else {
            "nobody on a core of its own"
        };
        let mut text = format!(
            "\n## Machine and floors\n\n{}; {cores}. Countersign {} ({profile}), {}. {} runs of {} ms each after {} ms \
             of warm-up, medians; {} connections.\n\n| floor | \u{b5}s | a second |\n|---|---|---|\n",
            machine(),
            env!("CARGO_PKG_VERSION"),
            self.versions,
            self.plan.runs,
            self.plan.span.as_millis(),
            self.plan.warm_up.as_millis(),
            self.plan.connections,
        );
        let _ = writeln!(
            text,
            "| E: CPU time of an empty handler of actix-web, on the same connections | {} | {} |",
            show(empty),
            show(empty_rate)
        );
        for (name, floor) in [
            ("signature RS256 (aws-lc, 2048 bits, key at hand)", rs256),
            ("signature ES256", es256),
            ("signature EdDSA", eddsa),
            ("signature RS256 by jsonwebtoken, which reads the key each time", rs256_reading_key),
            ("verification RS256", verification),
            ("argon2id (19456 KiB, 2 passes, 1 lane)", argon2id),
            ("round trip to Redis, one after the other", redis),
            ("write of 4 KiB with fdatasync", fsync),
        ] {
            let _ = writeln!(text, "| {name} | {} | {} |", show(floor), show(1e6 / floor));
        }
        text
    }

    fn targets(&self) -> String {
        let mut text = "\n## Targets\n\nCPU time of the server's process for one operation, in \u{b5}s, with the durable audit on. \
             The range is that of the runs.\n\n\
             | workload | target | comes to | PostgreSQL and Redis | of the target | | SQLite | of the target | |\n\
             |---|---|---|---|---|---|---|---|---|\n"
            .to_owned();
        for (shared, embedded) in self.shared.measured.iter().zip(&self.embedded.measured) {
            let target = target::of(shared.workload, &self.floors);
            let (formula, limit) = target.as_ref().map_or(("none", "-".to_owned()), |it| (it.formula, show(it.limit)));
            let _ = writeln!(
                text,
                "| {} | {formula} | {limit} | {} | {} |",
                shared.workload.name(),
                against(shared, target.as_ref()),
                against(embedded, target.as_ref()),
            );
        }
        text
    }

    fn rivals(&self) -> String {
        let mut text = "\n## Beside oidc-provider\n\nIn memory, without any audit, with `NODE_ENV=production`, on the same core. CPU time \
             in \u{b5}s; at most half of its is the target. Its access tokens of a code are opaque: it signs one token \
             there, ours two.\n\n\
             | workload | oidc-provider | PostgreSQL and Redis | ratio | | SQLite | ratio | |\n|---|---|---|---|---|---|---|---|\n"
            .to_owned();
        for theirs in &self.rival.measured {
            let ours = |side: &Side| {
                let found = side.measured.iter().find(|ours| ours.workload == theirs.workload);
                let ratio = found.map_or(f64::NAN, |ours| ours.cpu / theirs.cpu);
                format!(
                    "{} | {} | {}",
                    show(found.map_or(f64::NAN, |ours| ours.cpu)),
                    show(ratio),
                    met(ratio, target::OF_RIVAL)
                )
            };
            let _ = writeln!(
                text,
                "| {} | {} | {} | {} |",
                theirs.workload.name(),
                show(theirs.cpu),
                ours(&self.shared),
                ours(&self.embedded)
            );
        }
        text
    }

    fn stores(&self) -> String {
        let counted = if self.counts_statements { "SQL statements" } else { "transactions" };
        let mut text = format!(
            "\n## Stores\n\nWhat one operation costs PostgreSQL and Redis, background work included: their CPU time in \u{b5}s, \
             round trips, and what stays behind in bytes (with indexes; Redis keeps it until it expires).\n\n\
             | workload | PostgreSQL \u{b5}s | Redis \u{b5}s | {counted} | Redis scripts | commands, those of scripts \
             too | PostgreSQL bytes | Redis bytes |\n|---|---|---|---|---|---|---|---|\n"
        );
        for measured in &self.shared.measured {
            let cost = measured.stores.unwrap_or_default();
            let figures = [
                cost.postgres_cpu,
                cost.redis_cpu,
                cost.statements,
                cost.redis_scripts,
                cost.redis_commands,
                cost.postgres_bytes,
                cost.redis_bytes,
            ];
            let figures = figures.map(show).join(" | ");
            let _ = writeln!(text, "| {} | {figures} |", measured.workload.name());
        }
        text
    }

    fn memory(&self) -> String {
        let took = median(self.starts.iter().map(|start| micros(start.took)).collect());
        let idle = self.starts.iter().map(|start| start.resident).max().unwrap_or_default();
        let loaded = self.shared.resident.1.max(self.embedded.resident.1);
        let mut text = "\n## Memory and start\n\n| | target | measured | |\n|---|---|---|---|\n".to_owned();
        for (name, target, measured, ratio) in [
            (
                "start of `serve` until `readyz` answers 200",
                "200 ms".to_owned(),
                format!("{} ms", show(took / 1e3)),
                took / target::START,
            ),
            (
                "resident, `serve` idle",
                mebibytes(target::IDLE_BYTES),
                mebibytes(idle),
                float_of(idle) / float_of(target::IDLE_BYTES),
            ),
            (
                "resident after all of the above",
                mebibytes(target::LOADED_BYTES),
                mebibytes(loaded),
                float_of(loaded) / float_of(target::LOADED_BYTES),
            ),
        ] {
            let _ = writeln!(text, "| {name} | {target} | {measured} | {} |", met(ratio, 1.0));
        }
        let _ = writeln!(
            text,
            "| resident of oidc-provider, before and after | none | {}, {} | |\n",
            mebibytes(self.rival.resident.0),
            mebibytes(self.rival.resident.1)
        );
        text
    }
}

/// Figure, ratio and verdict of a workload.
fn against(measured: &Measured, target: Option<&Target>) -> String {
    let (least, most) = measured.spread;
    let figure = format!("{} ({} to {})", show(measured.cpu), show(least), show(most));
    match target.map(|target| measured.cpu / target.limit) {
        Some(ratio) => format!("{figure} | {} | {}", show(ratio), met(ratio, 1.0)),
        None => format!("{figure} | - | -"),
    }
}

fn met(ratio: f64, limit: f64) -> &'static str {
    if ratio <= limit { "met" } else { "**not met**" }
}

fn speeds(title: &str, side: &Side) -> String {
    let mut text = format!(
        "\n## Speed: {title}\n\nA closed loop, then an open one at half its rate. Times in ms; the generator's CPU is of its core.\n\n\
         | workload | requests | operations/s | p50 | p99 | p99 at half load | under 50 ms | generator |\n\
         |---|---|---|---|---|---|---|---|\n"
    );
    for measured in &side.measured {
        let millis = |micros: f64| show(micros / 1e3);
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} | {} | {:.0} % |",
            measured.workload.name(),
            show(measured.requests),
            show(measured.rate),
            millis(measured.p50),
            millis(measured.p99),
            millis(measured.half_load_p99),
            met(measured.half_load_p99, target::HALF_LOAD_P99),
            measured.generator * 100.0,
        );
    }
    text
}

fn mebibytes(bytes: u64) -> String {
    format!("{} MiB", show(float_of(bytes) / float_of(1 << 20)))
}

/// Cores, memory and kernel: nothing that tells whose machine it is.
fn machine() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let (cpu, memory) = (read("/proc/cpuinfo"), read("/proc/meminfo"));
    let named =
        |line: &str| line.starts_with("model name").then(|| line.split_once(": ").map(|(_, name)| name.to_owned()))?;
    let models: Vec<String> = cpu.lines().filter_map(named).collect();
    let kib = memory.lines().find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix(" kB")?.parse().ok());
    let kernel = read("/proc/sys/kernel/osrelease");
    let kernel = kernel.trim().split('-').next().unwrap_or_default();
    format!(
        "{} cores ({}), {} GiB of memory, Linux {kernel}",
        models.len(),
        models.first().map_or("unknown", String::as_str),
        show(float_of(kib.unwrap_or(0_u64)) / float_of(1 << 20)),
    )
}
