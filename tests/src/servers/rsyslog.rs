use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::{interval, timeout};

use super::{Running, free_port};

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);
const POLL: Duration = Duration::from_millis(20);

/// rsyslog, taking messages over TLS and writing what they say into a file.
pub struct Rsyslog {
    /// Its port at `localhost`.
    pub port: u16,
    process: Option<Running>,
    folder: TempDir,
}

impl Rsyslog {
    /// Starts one with a certificate of its own.
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().expect("temporary folder");
        let certified = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("write");
        write("certificate.pem", &certified.cert.pem());
        write("key.pem", &certified.signing_key.serialize_pem());
        let port = free_port();
        write("rsyslog.conf", &configuration(&folder.path().display().to_string(), port));
        let mut started = Self { port, process: None, folder };
        started.go_on().await;
        started
    }

    /// Starts it again.
    pub async fn go_on(&mut self) {
        let mut command = Command::new("rsyslogd");
        // Where Debian has it, which is not in everybody's path.
        command.env("PATH", format!("{}:/usr/sbin", std::env::var("PATH").unwrap_or_default()));
        command.args(["-n", "-f"]).arg(self.folder.path().join("rsyslog.conf"));
        command.arg("-i").arg(self.folder.path().join("pid"));
        self.process = Some(Running::start("rsyslogd", &mut command));
        let mut ticks = interval(POLL);
        let listening = async {
            while tokio::net::TcpStream::connect(("127.0.0.1", self.port)).await.is_err() {
                ticks.tick().await;
            }
        };
        timeout(PATIENCE, listening).await.expect("rsyslog listens");
    }

    /// Kills it, as a crash does.
    pub fn kill(&mut self) {
        let process = self.process.take().expect("it runs");
        process.signal("KILL");
        process.stop();
    }

    /// The certificate that its clients must trust.
    pub fn ca_file(&self) -> PathBuf {
        self.folder.path().join("certificate.pem")
    }

    /// What it was told, once it has written down `count` messages.
    ///
    /// # Panics
    /// When it does not in time.
    pub async fn wait_for(&self, count: usize) -> Vec<String> {
        let mut ticks = interval(POLL);
        let writing = async {
            while self.messages().len() < count {
                ticks.tick().await;
            }
        };
        timeout(PATIENCE, writing).await.expect("rsyslog writes down what it was told");
        self.messages()
    }

    /// What it was told, message by message.
    pub fn messages(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.folder.path().join("messages")).unwrap_or_default();
        text.lines().map(ToOwned::to_owned).collect()
    }
}

fn configuration(folder: &str, port: u16) -> String {
    format!(
        r#"global(workDirectory="{folder}" maxMessageSize="64k" defaultNetstreamDriver="ossl"
       defaultNetstreamDriverCAFile="{folder}/certificate.pem"
       defaultNetstreamDriverCertFile="{folder}/certificate.pem"
       defaultNetstreamDriverKeyFile="{folder}/key.pem")
module(load="imtcp" StreamDriver.Name="ossl" StreamDriver.Mode="1" StreamDriver.AuthMode="anon")
input(type="imtcp" port="{port}" address="127.0.0.1")
template(name="told" type="string" string="%syslogfacility-text% %syslogseverity-text% %hostname% %app-name% %msgid% %msg%\n")
*.* action(type="omfile" file="{folder}/messages" template="told")
"#
    )
}
