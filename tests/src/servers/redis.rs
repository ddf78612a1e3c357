use std::process::Command;

use super::{FakeClock, Running, free_port};

/// A Redis of one's own, in memory alone: for tests that move its clock or kill it.
pub struct RedisServer {
    /// `redis://127.0.0.1:port`.
    pub url: String,
    /// The process.
    pub process: Running,
}

impl RedisServer {
    /// Starts one, under `clock` if there is one, and waits until it takes connections.
    pub async fn start(clock: Option<&FakeClock>) -> Self {
        Self::start_at(free_port(), clock).await
    }

    /// The same at a given port: for one that comes back.
    pub async fn start_at(port: u16, clock: Option<&FakeClock>) -> Self {
        let mut command = Command::new("redis-server");
        command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
        command.args(["--maxmemory-policy", "noeviction"]);
        if let Some(clock) = clock {
            clock.apply(&mut command);
        }
        let mut process = Running::start("redis-server", &mut command);
        process.wait_for_line(|line| line.contains("Ready to accept connections")).await;
        Self { url: format!("redis://127.0.0.1:{port}"), process }
    }
}
