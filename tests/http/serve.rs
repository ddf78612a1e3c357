//! A node of `serve` as operators configure it: the three ways to a Redis, and what its health tells of it.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_tests::servers::{DemoOptions, RedisServer, Running, binary, free_port};
use countersign_tests::user_agent::{Answer, UserAgent, http};
use tempfile::TempDir;

use crate::fixture::{ALICE, Provider};

/// A node with a short-lived store as `lines` of its configuration say.
struct Node {
    management: String,
    folder: TempDir,
    _process: Running,
}

impl Node {
    fn start(lines: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        fs::write(folder.path().join("master.key"), STANDARD.encode([7; 32])).unwrap();
        let prefix = folder.path().file_name().unwrap().to_str().unwrap().to_owned();
        let text = format!(
            "[server]\nissuer = \"https://login.example.org\"\nlisten = [\"127.0.0.1:0\"]\n\
             management_listen = \"127.0.0.1:{port}\"\n[secrets]\nmaster_key_file = \"master.key\"\n\
             [database]\nurl = \"sqlite:node.db\"\n\
             [[telephone.carriers]]\nname = \"main\"\nbase_url = \"https://carrier.example.org\"\n\
             account_sid = \"AC0123\"\nauth_token = \"a-token-of-the-tests\"\nfrom = \"+12025550100\"\n\
             [short_lived]\nstore = \"redis\"\nprefix = \"{prefix}:\"\n{lines}\n"
        );
        fs::write(folder.path().join("countersign.toml"), text).unwrap();
        let command = |word: &str| {
            let mut command = Command::new(binary());
            command.current_dir(folder.path()).args([word, "--config", "countersign.toml"]).env("RUST_LOG", "warn");
            command
        };
        let migrated = command("migrate").output().unwrap();
        assert!(migrated.status.success(), "{}", String::from_utf8_lossy(&migrated.stderr));
        let log = fs::File::create(folder.path().join("log")).unwrap();
        let process = Running::start("countersign serve", command("serve").stderr(log));
        Self { management: format!("http://127.0.0.1:{port}"), folder, _process: process }
    }

    /// What it logged up to now.
    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    fn check_policies(&self) -> Output {
        let mut command = Command::new(binary());
        command.current_dir(self.folder.path()).args(["policy", "check", "--config", "countersign.toml"]);
        command.output().unwrap()
    }

    /// Waits until `/readyz` answers `status`; what it says then.
    async fn wait_until_ready_is(&self, status: u16) -> String {
        let mut ticks = tokio::time::interval(Duration::from_millis(100));
        let asking = async {
            loop {
                ticks.tick().await;
                let request = http().get(format!("{}/readyz", self.management));
                if let Ok(answer) = request.send().await
                    && answer.status().as_u16() == status
                {
                    return answer.text().await.unwrap();
                }
            }
        };
        let told = tokio::time::timeout(Duration::from_mins(1), asking).await;
        told.unwrap_or_else(|_| panic!("/readyz never answered {status}"))
    }
}

fn setting(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: ./tests/run sets it"))
}

#[tokio::test]
async fn a_redis_cluster_and_a_sentinel_are_reached_as_the_configuration_says() {
    let cluster = setting("COUNTERSIGN_TEST_REDIS_CLUSTER_URL");
    let urls: Vec<&str> = cluster.split(',').collect();
    let sentinel = setting("COUNTERSIGN_TEST_REDIS_SENTINEL_URL");
    let master = setting("COUNTERSIGN_TEST_REDIS_SENTINEL_MASTER");
    for lines in [
        format!("mode = \"cluster\"\nurls = {urls:?}"),
        format!("mode = \"sentinel\"\nurls = [\"{sentinel}\"]\nsentinel_master = \"{master}\""),
    ] {
        let node = Node::start(&lines);
        assert_eq!(node.wait_until_ready_is(200).await, "ready\n", "{lines}");
    }
}

#[tokio::test]
async fn readiness_follows_redis_and_health_does_not() {
    let redis = RedisServer::start(None).await;
    let node = Node::start(&format!("mode = \"standalone\"\nurls = [\"{}\"]", redis.url));
    node.wait_until_ready_is(200).await;
    redis.process.signal("STOP");
    assert!(node.wait_until_ready_is(503).await.starts_with("a store does not answer"));
    assert_eq!(Answer::to(http().get(format!("{}/healthz", node.management))).await.status, 200);
    redis.process.signal("CONT");
    node.wait_until_ready_is(200).await;
    let _again = redis.start_again().await;
    node.wait_until_ready_is(200).await;
}

/// The shipped policies but one, the waivers among them over since the end of 2020.
fn policies_with_expired_waivers() -> TempDir {
    let (shipped, folder) =
        (Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/policies"), tempfile::tempdir().unwrap());
    for file in fs::read_dir(shipped).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file()) {
        let name = file.file_name().unwrap();
        // There is no corporate provider here.
        if name.to_string_lossy().starts_with("employees") {
            continue;
        }
        let text = fs::read_to_string(&file).unwrap().replace("until = \"2027-06-30\"", "until = \"2020-12-31\"");
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

#[tokio::test]
async fn an_expired_waiver_is_an_error_of_check_and_a_loud_warning_of_serve() {
    let (redis, policies) = (RedisServer::start(None).await, policies_with_expired_waivers());
    let node = Node::start(&format!(
        "mode = \"standalone\"\nurls = [\"{}\"]\n[policies]\ndirectory = \"{}\"",
        redis.url,
        policies.path().display()
    ));
    assert_eq!(node.wait_until_ready_is(200).await, "ready\n");
    let log = node.log();
    let warned =
        |code: &str| log.lines().any(|line| line.contains("WARN") && line.contains(code) && line.contains("W-1"));
    assert!(warned("W41") && warned("E40"), "{log}");
    let checked = node.check_policies();
    let said = String::from_utf8_lossy(&checked.stdout);
    assert_eq!(checked.status.code(), Some(1), "{said}");
    assert!(said.contains("W41") && said.contains("E40"), "{said}");
}

#[tokio::test]
async fn rust_log_is_respected_and_lines_name_request_and_flow() {
    for (level, is_told) in [("error", false), ("warn,countersign_server=debug", true)] {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("log");
        let options = DemoOptions {
            log: Some(fs::File::create(&file).unwrap()),
            env: vec![("RUST_LOG".to_owned(), level.to_owned()), ("NO_COLOR".to_owned(), "1".to_owned())],
            ..DemoOptions::default()
        };
        let provider = Provider::start_with(options).await;
        let agent = UserAgent::new();
        agent.sign_in(&agent.get(&provider.ask("basic").url()).await, ALICE.0, "a wrong password").await;
        assert!(provider.demo.stop().success());
        let log = fs::read_to_string(&file).unwrap();
        let of_flow = log.lines().find(|line| line.contains("request_id") && line.contains("flow="));
        assert_eq!((log.contains("answered"), of_flow.is_some()), (is_told, is_told), "{level}: {log}");
    }
}
