//! From an empty database under `serve` to the console: `countersign user create-admin`, the link it shows, the first
//! sign-in of the first administrator.

use std::fs;
use std::process::{Command, Output};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_tests::servers::{Demo, Running, binary, free_port};
use countersign_tests::user_agent::{Answer, UserAgent, http};
use tempfile::TempDir;

const EMAIL: &str = "ruth.root@example.com";
const PASSWORD: &str = "seven quiet herons over the weir";

/// A node of `serve` on an empty database; the sandbox of a demo carries its mail.
struct Node {
    issuer: String,
    demo: Demo,
    folder: TempDir,
    _process: Running,
}

impl Node {
    async fn start() -> Self {
        let (demo, folder) = (Demo::start_default().await, tempfile::tempdir().unwrap());
        let (port, management, smtp) = (free_port(), free_port(), demo.smtp_port);
        fs::write(folder.path().join("master.key"), STANDARD.encode([7; 32])).unwrap();
        let text = format!(
            "[server]\nissuer = \"http://localhost:{port}\"\nlisten = [\"127.0.0.1:{port}\"]\nallow_http = true\n\
             management_listen = \"127.0.0.1:{management}\"\n[secrets]\nmaster_key_file = \"master.key\"\n\
             [database]\nurl = \"sqlite:node.db\"\n\
             [mail]\nhost = \"localhost\"\nport = {smtp}\ntls = \"none\"\n\
             [[telephone.carriers]]\nname = \"main\"\nbase_url = \"https://carrier.example.org\"\n\
             account_sid = \"AC0123\"\nauth_token = \"a-token-of-the-tests\"\nfrom = \"+12025550100\"\n"
        );
        fs::write(folder.path().join("countersign.toml"), text).unwrap();
        let mut command = Command::new(binary());
        command.current_dir(folder.path()).args(["migrate", "--config", "countersign.toml"]);
        assert!(command.output().unwrap().status.success());
        let mut command = Command::new(binary());
        command.current_dir(folder.path()).args(["serve", "--config", "countersign.toml"]).env("RUST_LOG", "warn");
        let process = Running::start("countersign serve", &mut command);
        wait_until_ready(management).await;
        Self { issuer: format!("http://localhost:{port}"), demo, folder, _process: process }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.issuer)
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(binary());
        command.current_dir(self.folder.path()).args(arguments).args(["--config", "countersign.toml"]);
        command.env("RUST_LOG", "trace").output().unwrap()
    }
}

async fn wait_until_ready(management: u16) {
    let mut ticks = tokio::time::interval(Duration::from_millis(100));
    let asking = async {
        loop {
            ticks.tick().await;
            let asked = http().get(format!("http://127.0.0.1:{management}/readyz")).send().await;
            if asked.is_ok_and(|answer| answer.status().is_success()) {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_mins(1), asking).await.expect("the node is ready");
}

async fn press(agent: &UserAgent, page: &Answer, control: &str, typed: &[(&str, &str)]) -> Answer {
    let answer = agent.press(page, control, typed).await;
    agent.follow(answer).await
}

/// Registers by the mailed code and a password; where the browser is then.
async fn register(node: &Node, agent: &UserAgent, link: &str) -> Answer {
    let landing = agent.follow(agent.get(link).await).await;
    assert!(landing.body.contains("a code will be sent to your email"), "{}", landing.body);
    let mailbox = press(agent, &landing, "continue", &[]).await;
    assert!(mailbox.body.contains("If the address is not yours"), "the link alone gets nowhere: {}", mailbox.body);
    let inbox = node.demo.inbox();
    let before = inbox.ids(EMAIL).await;
    let sent = press(agent, &mailbox, "send", &[]).await;
    let code = inbox.new_code(EMAIL, &before).await;
    let verified = press(agent, &sent, "verify", &[("code", &code)]).await;
    let method = press(agent, &verified, "continue", &[]).await;
    let password = press(agent, &method, "email", &[]).await;
    let fields = [("new_password", PASSWORD), ("confirm_password", PASSWORD)];
    let terms = press(agent, &password, "set", &fields).await;
    press(agent, &terms, "accept", &[("accept", "on")]).await
}

#[tokio::test]
async fn the_first_administrator_comes_from_an_empty_database_to_the_console() {
    let node = Node::start().await;
    let fresh = UserAgent::new();
    let nobody = fresh.get(&node.url("/setup")).await;
    assert!(nobody.body.contains("LOGIN OPTIONS"), "{}", nobody.body);

    for (arguments, code) in [
        (&["user", "create-admin", "no address", "--name", "Ruth Root"][..], 1),
        (&["user", "create-admin", EMAIL, "--name", "\u{7}"], 1),
        (&["user", "create-admin", EMAIL], 2),
    ] {
        assert_eq!(node.run(arguments).status.code(), Some(code), "{arguments:?}");
    }
    let create = ["user", "create-admin", EMAIL, "--name", "Ruth Root"];
    let made = node.run(&create);
    let (said, log) = (String::from_utf8(made.stdout).unwrap(), String::from_utf8(made.stderr).unwrap());
    assert_eq!(made.status.code(), Some(0), "{said}{log}");
    assert!(said.starts_with("the account was made; this link works once, until "), "bad input left nothing: {said}");
    let link = said.lines().last().unwrap();
    let token = link.strip_prefix(&node.url("/link/")).expect("a link of this issuer");
    assert!(!log.contains(token), "nor is it logged");

    let agent = UserAgent::new();
    let account = register(&node, &agent, link).await;
    assert_eq!(account.url.path(), "/account", "{}", account.body);
    let setup = agent.get(&node.url("/setup")).await;
    assert!(setup.status == 200 && setup.body.contains("/setup/users"), "{} {}", setup.status, setup.body);
    let over = UserAgent::new();
    let over = over.follow(over.get(link).await).await;
    assert!(over.body.contains("THIS LINK IS NO LONGER VALID"), "{}", over.body);

    // And from nothing, another day: password and mailed code.
    let sign_in = press(&fresh, &nobody, "email", &[]).await;
    let unsent = press(&fresh, &sign_in, "login", &[("email", EMAIL), ("password", PASSWORD)]).await;
    let inbox = node.demo.inbox();
    let before = inbox.ids(EMAIL).await;
    let sent = press(&fresh, &unsent, "send", &[]).await;
    let code = inbox.new_code(EMAIL, &before).await;
    let verified = press(&fresh, &sent, "verify", &[("code", &code)]).await;
    let setup = press(&fresh, &verified, "continue", &[]).await;
    assert!(setup.url.path() == "/setup" && setup.status == 200, "{} {}", setup.url, setup.body);

    let other = ["user", "create-admin", "other@example.com", "--name", "Otto Other"];
    let refused = node.run(&other);
    assert_eq!(refused.status.code(), Some(1));
    let why = String::from_utf8(refused.stderr).unwrap();
    assert!(why.contains("there is an administrator already") && why.contains("--another"), "{why}");
    assert_eq!(node.run(&["user", "timeline", "other@example.com"]).status.code(), Some(1), "nobody was made");
    assert_eq!(node.run(&[&other[..], &["--another"]].concat()).status.code(), Some(0));
}
