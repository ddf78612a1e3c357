//! How long and how often is measured.

use std::time::Duration;

/// The sizes of a run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// How often each workload is measured; the median counts.
    pub runs: usize,
    /// How long one measurement shall take.
    pub span: Duration,
    /// How long a workload runs before that.
    pub warm_up: Duration,
    /// Fewest operations of a measurement.
    pub least: usize,
    /// Most of them.
    pub most: usize,
    /// Connections of a workload that no person signs in by.
    pub connections: usize,
    /// Whether server and generator have a core each.
    pub pinned: bool,
    /// How often a raw operation is done before the clock is read.
    pub raw: usize,
}

impl Plan {
    /// For the report.
    pub const fn long() -> Self {
        Self {
            runs: 5,
            span: Duration::from_secs(2),
            warm_up: Duration::from_millis(1500),
            least: 20,
            most: 60_000,
            connections: 16,
            pinned: true,
            raw: 200,
        }
    }

    /// A few dozen operations of each kind: whether every answer is right.
    pub const fn short() -> Self {
        Self {
            runs: 1,
            span: Duration::ZERO,
            warm_up: Duration::ZERO,
            least: 24,
            most: 24,
            connections: 4,
            pinned: false,
            raw: 2,
        }
    }
}
