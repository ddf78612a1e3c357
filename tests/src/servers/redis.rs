use std::process::Command;

use tempfile::TempDir;

use super::{FakeClock, Running, free_port};

/// What a Redis knows after it was started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keeps {
    /// Nothing: it is in memory alone, as the product is content with.
    Nothing,
    /// Every write that was answered (`appendfsync always`).
    Everything,
}

/// A Redis of one's own: for tests that move its clock or kill it.
pub struct RedisServer {
    /// `redis://127.0.0.1:port`.
    pub url: String,
    /// The process.
    pub process: Running,
    pub(super) port: u16,
    keeps: Keeps,
    folder: TempDir,
}

impl RedisServer {
    /// Starts one in memory alone, under `clock` if there is one, and waits until it takes connections.
    pub async fn start(clock: Option<&FakeClock>) -> Self {
        let folder = tempfile::tempdir().expect("temporary folder");
        Self::start_at(free_port(), folder, Keeps::Nothing, clock, None).await
    }

    /// One that copies `master`.
    pub async fn start_replica_of(master: &Self) -> Self {
        let folder = tempfile::tempdir().expect("temporary folder");
        Self::start_at(free_port(), folder, Keeps::Nothing, None, Some(master.port)).await
    }

    /// The same by the real clock, in a folder of its own.
    pub async fn start_keeping(keeps: Keeps) -> Self {
        Self::start_at(free_port(), tempfile::tempdir().expect("temporary folder"), keeps, None, None).await
    }

    /// Kills it, as a crash does, and starts it again at the same port and in the same folder.
    pub async fn start_again(self) -> Self {
        let Self { process, port, keeps, folder, .. } = self;
        process.signal("KILL");
        process.stop();
        Self::start_at(port, folder, keeps, None, None).await
    }

    async fn start_at(
        port: u16,
        folder: TempDir,
        keeps: Keeps,
        clock: Option<&FakeClock>,
        master: Option<u16>,
    ) -> Self {
        let mut command = Command::new("redis-server");
        command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""]);
        command.args(["--maxmemory-policy", "noeviction"]).arg("--dir").arg(folder.path());
        // What it copies need not wait for other replicas.
        command.args(["--repl-diskless-sync-delay", "0"]);
        if let Some(master) = master {
            command.args(["--replicaof", "127.0.0.1", &master.to_string()]);
        }
        match keeps {
            Keeps::Nothing => command.args(["--appendonly", "no"]),
            Keeps::Everything => command.args(["--appendonly", "yes", "--appendfsync", "always"]),
        };
        if let Some(clock) = clock {
            clock.apply(&mut command);
        }
        let mut process = Running::start("redis-server", &mut command);
        process.wait_for_line(|line| line.contains("Ready to accept connections")).await;
        Self { url: format!("redis://127.0.0.1:{port}"), process, port, keeps, folder }
    }
}
