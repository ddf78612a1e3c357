use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use super::{Running, free_port};

const PASSWORD: &str = "of-the-tests-alone";

/// A PostgreSQL of one's own: for tests that restart it. It loses nothing that it answered when its processes are
/// killed; what a machine without power loses is not tried here (`fsync = off`).
pub struct PostgresServer {
    /// `postgres://user:password@127.0.0.1:port/postgres`.
    pub url: String,
    port: u16,
    process: Running,
    folder: TempDir,
}

impl PostgresServer {
    /// Makes an empty cluster and waits until it takes connections.
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().expect("temporary folder");
        std::fs::write(folder.path().join("password"), PASSWORD).expect("password file");
        if is_root() {
            run(Command::new("chown").args(["-R", "postgres:"]).arg(folder.path()));
        }
        let mut make = by_its_user("initdb");
        make.args(["-U", "countersign", "--auth=scram-sha-256", "--no-sync", "--no-locale", "-E", "UTF8"]);
        make.arg("-D").arg(folder.path().join("data"));
        make.arg(format!("--pwfile={}", folder.path().join("password").display()));
        run(make.current_dir(folder.path()));
        Self::start_at(free_port(), folder).await
    }

    /// Ends it as its crash would, without a checkpoint, and starts it again at the same port with what it has.
    pub async fn start_again(self) -> Self {
        let Self { process, port, folder, .. } = self;
        // Immediate shutdown: every connection is dropped and the log is read again at the start.
        process.signal("QUIT");
        process.stop();
        Self::start_at(port, folder).await
    }

    async fn start_at(port: u16, folder: TempDir) -> Self {
        let mut serve = by_its_user("postgres");
        serve.arg("-D").arg(folder.path().join("data")).arg("-k").arg(folder.path());
        serve.args(["-p", &port.to_string(), "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"]);
        let log = std::fs::File::create(folder.path().join("log")).expect("log file");
        let process = Running::start("postgres", serve.stderr(log).current_dir(folder.path()));
        let url = format!("postgres://countersign:{PASSWORD}@127.0.0.1:{port}/postgres");
        let mut ticks = tokio::time::interval(std::time::Duration::from_millis(50));
        let until_it_answers = async {
            while tokio_postgres::connect(&url, tokio_postgres::NoTls).await.is_err() {
                ticks.tick().await;
            }
        };
        let answered = tokio::time::timeout(std::time::Duration::from_mins(1), until_it_answers).await;
        answered.expect("PostgreSQL takes no connections");
        Self { url, port, process, folder }
    }
}

/// A program of PostgreSQL, by the user `postgres` where we are root, whom it refuses.
fn by_its_user(name: &str) -> Command {
    let installed = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let programs = installed.map(|version| version.path().join("bin").join(name)).filter(|program| program.is_file());
    let program = programs.max().unwrap_or_else(|| PathBuf::from(name));
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--init-groups"]).arg(program);
    command
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
