use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use redis::cmd;
use tempfile::TempDir;

use super::{RedisServer, Running, free_port};
use crate::stores::raw_redis;

const PATIENCE: Duration = Duration::from_mins(1);
const POLL: Duration = Duration::from_millis(50);

/// A master, its replica and the Sentinel that watches them: for tests that lose the master.
pub struct Watched {
    /// `redis://127.0.0.1:port` of the Sentinel.
    pub url: String,
    /// The master at the start.
    pub master: RedisServer,
    /// Its replica.
    pub replica: RedisServer,
    sentinel: Running,
    _folder: TempDir,
}

impl Watched {
    /// The name that the Sentinel knows the master by.
    pub const SERVICE: &'static str = "main";

    /// Starts the three; the Sentinel knows the replica when this answers. A master without a replica takes no writes,
    /// as docs/OPERATIONS.md asks for.
    pub async fn start() -> Self {
        let master = RedisServer::start(None).await;
        let mut replica = RedisServer::start_replica_of(&master).await;
        replica.process.wait_for_line(|line| line.contains("Finished with success")).await;
        let () = cmd("CONFIG")
            .arg(&["SET", "min-replicas-to-write", "1"])
            .query_async(&mut raw_redis(&master.url).await)
            .await
            .expect("a setting");
        let (folder, port) = (tempfile::tempdir().expect("temporary folder"), free_port());
        let name = Self::SERVICE;
        let lines = [
            format!("port {port}"),
            "bind 127.0.0.1".to_owned(),
            format!("sentinel monitor {name} 127.0.0.1 {} 1", master.port),
            format!("sentinel down-after-milliseconds {name} 800"),
            format!("sentinel failover-timeout {name} 3000"),
        ];
        let file = folder.path().join("sentinel.conf");
        std::fs::write(&file, lines.join("\n")).expect("written");
        let mut sentinel = Running::start("sentinel", Command::new("redis-server").arg(&file).arg("--sentinel"));
        sentinel.wait_for_line(|line| line.contains("+slave ")).await;
        let watched = Self { url: format!("redis://127.0.0.1:{port}"), master, replica, sentinel, _folder: folder };
        let known = tokio::time::timeout(PATIENCE, watched.knows_replica()).await;
        known.expect("a replica that the Sentinel would promote");
        watched
    }

    /// The Sentinel has asked the replica, and heard that it follows: before, it would promote nobody.
    async fn knows_replica(&self) {
        let mut asking = raw_redis(&self.url).await;
        loop {
            let replicas: Vec<BTreeMap<String, String>> =
                cmd("SENTINEL").arg(&["REPLICAS", Self::SERVICE]).query_async(&mut asking).await.expect("replicas");
            let is = |name: &str, value: &str| replicas.iter().any(|one| one.get(name).is_some_and(|is| is == value));
            if is("flags", "slave") && is("master-link-status", "ok") {
                return;
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Makes the replica the master while the old one lives, as an operator does before work on it.
    pub async fn fail_over(&mut self) {
        let () = cmd("SENTINEL")
            .arg(&["FAILOVER", Self::SERVICE])
            .query_async(&mut raw_redis(&self.url).await)
            .await
            .expect("a failover");
        self.switched().await;
    }

    /// Kills the master; the Sentinel notices and makes the replica one.
    pub async fn lose_master(&mut self) {
        self.master.process.signal("KILL");
        self.switched().await;
    }

    async fn switched(&mut self) {
        self.sentinel.wait_for_line(|line| line.contains("+switch-master")).await;
    }
}
