//! Two nodes of `countersign serve` over a PostgreSQL and a Redis of their own.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_tests::servers::{PostgresServer, RedisServer, Running, binary, free_port};
use countersign_tests::user_agent::http;
use serde_json::{Value, json};
use tempfile::TempDir;

/// The client that asks for tokens.
pub const MACHINE: (&str, &str) = ("machine", "machine-secret-0123456789");

/// How long anything may take on a busy machine.
pub const PATIENCE: Duration = Duration::from_mins(1);
const POLL: Duration = Duration::from_millis(50);

pub struct Node {
    /// `http://127.0.0.1:port`, as a proxy reaches it.
    pub origin: String,
    management: String,
    config: PathBuf,
    process: Option<Running>,
}

/// Dropped from top to bottom: the nodes first, PostgreSQL last, which waits for its clients.
pub struct House {
    pub nodes: [Node; 2],
    _redis: RedisServer,
    postgres: Option<PostgresServer>,
    folder: TempDir,
}

impl House {
    pub async fn start() -> Self {
        let (postgres, redis) = tokio::join!(PostgresServer::start(), RedisServer::start(None));
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("master.key"), STANDARD.encode([7; 32])).unwrap();
        let nodes = [1, 2].map(|number| configure(&folder, number, &postgres.url, &redis.url));
        let mut house = Self { nodes, _redis: redis, postgres: Some(postgres), folder };
        house.operate(&["migrate"]);
        for number in [0, 1] {
            house.start_node(number).await;
        }
        house.register_machine();
        house
    }

    fn register_machine(&self) {
        let clients = json!([{"client_id": MACHINE.0, "client_secret": MACHINE.1, "redirect_uris": [],
                              "grant_types": ["client_credentials"], "scope": "jobs.read"}]);
        let file = self.folder.path().join("clients.json");
        fs::write(&file, clients.to_string()).unwrap();
        self.operate(&["client", "add", file.to_str().unwrap()]);
    }

    /// Starts node `number` and waits until it is ready.
    pub async fn start_node(&mut self, number: usize) {
        let node = &mut self.nodes[number];
        let log = fs::File::options().create(true).append(true).open(node.config.with_extension("log")).unwrap();
        let mut serve = Command::new(binary());
        serve.arg("serve").arg("--config").arg(&node.config).env("RUST_LOG", "warn").stderr(log);
        node.process = Some(Running::start("countersign serve", &mut serve));
        self.wait_until_ready(number).await;
    }

    /// Waits until node `number` says that its stores answer.
    pub async fn wait_until_ready(&self, number: usize) {
        let readiness = format!("{}/readyz", self.nodes[number].management);
        let mut ticks = tokio::time::interval(POLL);
        let asking = async {
            while !http().get(&readiness).send().await.is_ok_and(|answer| answer.status().is_success()) {
                ticks.tick().await;
            }
        };
        tokio::time::timeout(PATIENCE, asking).await.unwrap_or_else(|_| panic!("node {number} is not ready"));
    }

    /// Sends node `number` a signal.
    pub fn signal(&self, number: usize, signal: &str) {
        self.nodes[number].process.as_ref().expect("running").signal(signal);
    }

    /// Node `number` is gone from one line to the next.
    pub fn kill_node(&mut self, number: usize) {
        self.signal(number, "KILL");
        self.nodes[number].process = None;
    }

    /// Node `number` is asked to end, and does.
    pub fn stop_node(&mut self, number: usize) {
        let process = self.nodes[number].process.take().expect("running");
        assert!(process.stop().success(), "a node that is asked to end ends well");
    }

    pub async fn crash_postgresql(&mut self) {
        let postgres = self.postgres.take().expect("running");
        self.postgres = Some(postgres.start_again().await);
    }

    fn run(&self, words: &[&str]) -> Output {
        let mut command = Command::new(binary());
        command.args(words).arg("--config").arg(&self.nodes[0].config).env("RUST_LOG", "off");
        command.output().unwrap()
    }

    /// What a command of the operator says, which must succeed.
    pub fn operate(&self, words: &[&str]) -> String {
        let output = self.run(words);
        let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{words:?}: {out}{err}");
        out
    }

    /// Signs what the log has now, and keeps it elsewhere.
    pub fn keep_checkpoint(&self) -> PathBuf {
        let file = self.folder.path().join("kept.checkpoint");
        fs::write(&file, self.operate(&["audit", "checkpoint"])).unwrap();
        file
    }

    /// How often the log tells of the issue of each token, by its id.
    pub fn count_issues(&self) -> BTreeMap<String, usize> {
        // Signs, and so places, whatever still waits.
        self.operate(&["audit", "checkpoint"]);
        let mut issues = BTreeMap::new();
        for line in self.operate(&["audit", "export"]).lines() {
            let entry: Value = serde_json::from_str(line).unwrap();
            if entry["kind"] == "token.issued" {
                *issues.entry(entry["jti"].as_str().unwrap().to_owned()).or_default() += 1;
            }
        }
        issues
    }
}

fn configure(folder: &TempDir, number: usize, postgres: &str, redis: &str) -> Node {
    let (port, management) = (free_port(), free_port());
    let config = folder.path().join(format!("node-{number}.toml"));
    let text = format!(
        "[server]\nissuer = \"https://login.example.org\"\nlisten = [\"127.0.0.1:{port}\"]\n\
         management_listen = \"127.0.0.1:{management}\"\nbehind_proxy = true\n\
         [secrets]\nmaster_key_file = \"{}/master.key\"\n\
         [database]\nurl = \"{postgres}\"\npool_size = 8\n\
         [short_lived]\nstore = \"redis\"\nurls = [\"{redis}\"]\n\
         [[telephone.carriers]]\nname = \"main\"\nbase_url = \"https://carrier.example.org\"\n\
         account_sid = \"AC0123\"\nauth_token = \"a-token-of-the-tests\"\nfrom = \"+12025550100\"\n",
        folder.path().display()
    );
    fs::write(&config, text).unwrap();
    Node {
        origin: format!("http://127.0.0.1:{port}"),
        management: format!("http://127.0.0.1:{management}"),
        config,
        process: None,
    }
}
