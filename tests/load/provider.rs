//! Our side: the demo's provider, as it is shipped but for the limits per address, which are counted as ever and never reached:
//! all load comes from one address.

use std::fs;
use std::rc::Rc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_tests::servers::{Demo, DemoOptions, Running, binary, free_port};
use countersign_tests::stores::redis_url;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpStream;

use crate::link::{Link, get};
use crate::process::{self, Cores};
use crate::site::{Site, Whose, redirect_uri, secret_of};
use crate::stores::Stores;

/// How long a node may take to be ready on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// A provider that runs.
pub struct Provider {
    /// Where.
    pub site: Rc<Site>,
    /// Its process.
    pub pid: u32,
    /// Stopped with its value.
    _demo: Demo,
    _folder: TempDir,
}

impl Provider {
    /// Starts it over `stores`; without them over a file and its own memory.
    pub async fn start(stores: Option<&Stores>, cores: Cores) -> Self {
        let folder = tempfile::tempdir().expect("temporary folder");
        let file = folder.path().join("clients.json");
        fs::write(&file, clients().to_string()).expect("write");
        let log = fs::File::create(folder.path().join("log")).expect("a file");
        let limits = ["ATTEMPTS", "SENDS", "STARTS", "REFUSALS"];
        let demo = Demo::start(DemoOptions {
            database_url: stores.map(Stores::database_url),
            redis_url: stores.map(|_| redis_url()),
            flags: vec!["--clients".to_owned(), file.display().to_string()],
            env: limits.map(|name| (format!("COUNTERSIGN__LIMITS__{name}"), "1000000000".to_owned())).into(),
            log: Some(log),
            ..DemoOptions::default()
        })
        .await;
        let parts = process::children(demo.process().pid());
        let is_provider = |pid: &u32| process::command_line(*pid).iter().any(|word| word == "provider");
        let pid = parts.into_iter().find(is_provider).expect("the demo's provider");
        cores.give_server(pid);
        let site = Rc::new(Site::open(Whose::Ours, &demo.issuer, Some(demo.inbox())).await);
        Self { site, pid, _demo: demo, _folder: folder }
    }
}

fn clients() -> Value {
    let person = |id: &str, policy: &str| {
        json!({
            "client_id": id, "client_secret": secret_of(id), "redirect_uris": [redirect_uri(id)],
            "countersign_policy": policy, "countersign_policies": ["login-options", "email", "lab"],
            "grant_types": ["authorization_code", "refresh_token"], "scope": "openid email offline_access",
        })
    };
    let machine = |algorithm: &str| {
        let id = format!("machine-{}", algorithm.to_lowercase());
        json!({
            "client_id": id, "client_secret": secret_of(&id), "redirect_uris": [], "response_types": [],
            "grant_types": ["client_credentials"], "scope": "reports.read", "countersign_access_token_alg": algorithm,
        })
    };
    json!([
        person("web", "lab"),
        person("mail", "email"),
        person("options", "login-options"),
        machine("RS256"),
        machine("ES256"),
        machine("EdDSA"),
    ])
}

/// A node of `serve` with a file, started for its time and memory alone.
pub struct Start {
    /// From the start of the process until it says that it is ready.
    pub took: Duration,
    /// Resident memory when nobody asked it for anything yet.
    pub resident: u64,
}

/// Starts a node `times` times on a database that is there already.
pub async fn measure_starts(times: usize, cores: Cores) -> Vec<Start> {
    let folder = tempfile::tempdir().expect("temporary folder");
    let port = free_port();
    fs::write(folder.path().join("master.key"), STANDARD.encode([7; 32])).expect("write");
    fs::write(folder.path().join("countersign.toml"), configuration(port)).expect("write");
    let command = |word: &str| {
        let mut command = cores.server_command(&binary());
        command.current_dir(folder.path()).args([word, "--config", "countersign.toml"]).env("RUST_LOG", "warn");
        command
    };
    let migrated = command("migrate").output().expect("migrate");
    assert!(migrated.status.success(), "{}", String::from_utf8_lossy(&migrated.stderr));
    let mut starts = Vec::new();
    // The first one makes keys.
    for number in 0..=times {
        let begin = Instant::now();
        let process = Running::start("countersign serve", &mut command("serve"));
        wait_until_ready(port).await;
        let took = begin.elapsed();
        tokio::time::sleep(Duration::from_millis(500)).await;
        if number > 0 {
            starts.push(Start { took, resident: process::resident(process.pid()) });
        }
    }
    starts
}

fn configuration(port: u16) -> String {
    format!(
        "[server]\nissuer = \"https://login.example.org\"\nlisten = [\"127.0.0.1:0\"]\n\
         management_listen = \"127.0.0.1:{port}\"\n[secrets]\nmaster_key_file = \"master.key\"\n\
         [database]\nurl = \"sqlite:node.db\"\n\
         [[telephone.carriers]]\nname = \"main\"\nbase_url = \"https://carrier.example.org\"\n\
         account_sid = \"AC0123\"\nauth_token = \"a-token-of-the-tests\"\nfrom = \"+12025550100\"\n"
    )
}

async fn wait_until_ready(port: u16) {
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], port));
    let wait = async {
        loop {
            if TcpStream::connect(address).await.is_ok() {
                let reply = Link::open(address).await.ask(&get("localhost", "/readyz", &[])).await;
                if reply.status == 200 {
                    return;
                }
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.expect("a node is ready within a minute");
}
