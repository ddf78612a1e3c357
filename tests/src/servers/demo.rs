use std::path::PathBuf;
use std::process::{Command, ExitStatus};
use std::time::Duration;

use tempfile::TempDir;

use super::{FakeClock, Inbox, Running, free_port};

/// How the demo is started.
#[derive(Default)]
pub struct DemoOptions {
    /// PostgreSQL or SQLite; none: the demo's own SQLite file.
    pub database_url: Option<String>,
    /// Redis; none: in process.
    pub redis_url: Option<String>,
    /// Its wall clock; none: the real one.
    pub clock: Option<FakeClock>,
    /// Further flags of `countersign demo`.
    pub flags: Vec<String>,
    /// Further environment.
    pub env: Vec<(String, String)>,
    /// Where its log goes; none: to the test's standard error.
    pub log: Option<std::fs::File>,
}

/// A running `countersign demo` (CONTRACT.md), on ports of its own.
pub struct Demo {
    /// The provider's issuer.
    pub issuer: String,
    /// The sample portal.
    pub portal: String,
    /// The sandbox.
    pub sandbox: String,
    /// Health and metrics of the provider.
    pub management: String,
    /// Where the sandbox takes mail.
    pub smtp_port: u16,
    /// The secret of the client `case-portal`.
    pub portal_secret: String,
    /// With `--tls`, the file of the CA to trust.
    pub ca_file: Option<PathBuf>,
    clock: Option<FakeClock>,
    process: Running,
    _folder: TempDir,
}

impl Demo {
    /// Starts the demo on its defaults.
    pub async fn start_default() -> Self {
        Self::start(DemoOptions::default()).await
    }

    /// Starts the demo and waits until it says `ready`.
    pub async fn start(options: DemoOptions) -> Self {
        let folder = tempfile::tempdir().expect("temporary folder");
        let (management_port, smtp_port) = (free_port(), free_port());
        let mut command = Command::new(binary());
        command.arg("demo").env("TMPDIR", folder.path());
        let ports = [
            ("--idp-port", free_port()),
            ("--portal-port", free_port()),
            ("--sandbox-port", free_port()),
            ("--mtls-port", free_port()),
            ("--management-port", management_port),
            ("--smtp-port", smtp_port),
        ];
        for (flag, port) in ports {
            command.arg(flag).arg(port.to_string());
        }
        for (flag, url) in [("--database-url", &options.database_url), ("--redis-url", &options.redis_url)] {
            command.args(url.iter().flat_map(|url| [flag, url]));
        }
        if let Some(clock) = &options.clock {
            clock.apply(&mut command);
        }
        command.args(&options.flags).envs(options.env);
        if let Some(log) = options.log {
            command.stderr(log);
        }
        let mut process = Running::start("countersign demo", &mut command);
        process.wait_for_line(|line| line == "ready").await;
        let output = process.output();
        Self {
            issuer: word_after(&output, "provider"),
            portal: word_after(&output, "portal"),
            sandbox: word_after(&output, "sandbox"),
            management: format!("http://localhost:{management_port}"),
            smtp_port,
            portal_secret: portal_secret(&output),
            ca_file: find_word_after(&output, "CA").map(PathBuf::from),
            clock: options.clock,
            process,
            _folder: folder,
        }
    }

    /// Moves the clock that it was started with.
    pub fn move_clock(&self, span: Duration) {
        self.clock.as_ref().expect("the demo was started with a clock").pass(span);
    }

    /// The sandbox's inbox.
    pub fn inbox(&self) -> Inbox {
        Inbox::new(&self.sandbox, self.ca_file.as_deref())
    }

    /// What it has printed so far.
    pub fn output(&self) -> Vec<String> {
        self.process.output()
    }

    /// The process.
    pub fn process(&self) -> &Running {
        &self.process
    }

    /// Ends it by SIGTERM and answers how it ended.
    pub fn stop(self) -> ExitStatus {
        self.process.stop()
    }
}

/// The binary that `tests/run` built, else the one beside this test's own.
pub fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os("COUNTERSIGN_BIN") {
        return path.into();
    }
    let test = std::env::current_exe().expect("own path");
    let path = test.ancestors().nth(2).expect("target folder").join("countersign");
    assert!(path.exists(), "no {}: run ./tests/run, or cargo build --bin countersign", path.display());
    path
}

/// The second word of the line that begins with `first`.
fn find_word_after(output: &[String], first: &str) -> Option<String> {
    output.iter().find_map(|line| {
        let mut words = line.split_ascii_whitespace();
        (words.next() == Some(first)).then(|| words.next())?.map(str::to_owned)
    })
}

fn word_after(output: &[String], first: &str) -> String {
    find_word_after(output, first).unwrap_or_else(|| panic!("no line for {first:?} in {output:#?}"))
}

/// `  case-portal / <secret>`.
fn portal_secret(output: &[String]) -> String {
    let line = output.iter().find(|line| line.trim_start().starts_with("case-portal"));
    let line = line.unwrap_or_else(|| panic!("no secret of case-portal in {output:#?}"));
    line.split_ascii_whitespace().last().expect("a word").to_owned()
}
