//! RFC 9700, 2.5: the secrets of a client. Two live at once while one replaces the other, and no file has either.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_tests::servers::{FakeClock, Running, binary, free_port};
use countersign_tests::user_agent::{Answer, http};
use reqwest::RequestBuilder;
use tempfile::TempDir;

use crate::fixture::{assert_error, basic};

/// A node of `serve` on its defaults, whose command line and files the test has.
pub struct Node {
    /// Its issuer.
    pub issuer: String,
    folder: TempDir,
    clock: FakeClock,
}

impl Node {
    /// With further `lines` of configuration.
    pub fn new(lines: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (port, management) = (free_port(), free_port());
        let issuer = format!("http://localhost:{port}");
        std::fs::write(folder.path().join("master.key"), STANDARD.encode([7; 32])).unwrap();
        let text = format!(
            "[server]\nissuer = \"{issuer}\"\nlisten = [\"127.0.0.1:{port}\"]\n\
             management_listen = \"127.0.0.1:{management}\"\nallow_http = true\n\
             [secrets]\nmaster_key_file = \"master.key\"\n[database]\nurl = \"sqlite:node.db\"\n\
             [[telephone.carriers]]\nname = \"main\"\nbase_url = \"https://carrier.example.org\"\n\
             account_sid = \"AC0123\"\nauth_token = \"a-token-of-the-tests\"\nfrom = \"+12025550100\"\n{lines}\n"
        );
        std::fs::write(folder.path().join("countersign.toml"), text).unwrap();
        Self { issuer, folder, clock: FakeClock::new() }
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command.current_dir(self.folder.path()).args(words).args(["--config", "countersign.toml"]);
        self.clock.apply(command.env("RUST_LOG", "warn"));
        command
    }

    /// What a command says that succeeds.
    pub fn run(&self, words: &[&str]) -> String {
        let output = self.command(words).output().unwrap();
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Serves; the schema is there.
    pub async fn serve(&self) -> Running {
        let process = Running::start("countersign serve", &mut self.command(&["serve"]));
        let mut ticks = tokio::time::interval(Duration::from_millis(50));
        let up = async {
            while http().get(format!("{}/jwks", self.issuer)).send().await.is_err() {
                ticks.tick().await;
            }
        };
        tokio::time::timeout(Duration::from_mins(1), up).await.expect("a node");
        process
    }

    /// Registers the client `worker`, which speaks for itself; its secret.
    pub fn add_worker(&self) -> String {
        let worker = r#"[{"client_id": "worker", "redirect_uris": [], "response_types": [],
            "grant_types": ["client_credentials"], "scope": "jobs.read"}]"#;
        std::fs::write(self.folder.path().join("new.json"), worker).unwrap();
        self.run(&["migrate"]);
        self.run(&["client", "add", "new.json"]).strip_prefix("worker  ").expect("a secret").to_owned()
    }

    /// A token request of `worker`.
    pub fn request(&self, secret: &str) -> RequestBuilder {
        let form = [("grant_type", "client_credentials"), ("scope", "jobs.read")];
        let request = http().post(format!("{}/token", self.issuer)).form(&form);
        request.header("authorization", basic("worker", secret))
    }

    async fn ask(&self, secret: &str) -> Answer {
        Answer::to(self.request(secret)).await
    }
}

/// Whether any file below `folder` has `text`.
fn is_kept(folder: &Path, text: &str) -> bool {
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file());
    files.into_iter().any(|file| {
        let bytes = std::fs::read(file).unwrap();
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    })
}

#[tokio::test]
async fn two_secrets_live_at_once_the_older_for_a_while_and_none_is_kept_in_clear() {
    let node = Node::new("");
    let first = node.add_worker();
    let _process = node.serve().await;
    assert_eq!(node.ask(&first).await.status, 200);

    let second = node.run(&["client", "rotate-secret", "worker", "--keep-hours", "2"]);
    for secret in [&second, &first] {
        assert_eq!(node.ask(secret).await.status, 200, "both work");
    }
    assert_error(&node.ask("neither-of-the-two-secrets").await, 401, "invalid_client");
    node.clock.pass(Duration::from_hours(2));
    assert_error(&node.ask(&first).await, 401, "invalid_client");
    assert_eq!(node.ask(&second).await.status, 200, "the newer goes on");
    for secret in [&first, &second] {
        assert!(!is_kept(node.folder.path(), secret), "in clear on the disk");
    }
    assert!(is_kept(node.folder.path(), "worker"), "the search finds what is there");
}
