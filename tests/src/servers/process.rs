use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// How long a process has to come up or to go down on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// A process that is stopped, by SIGTERM and in the end by SIGKILL, when this is dropped.
pub struct Running {
    name: String,
    child: Option<Child>,
    lines: UnboundedReceiver<String>,
    log: Arc<Mutex<Vec<String>>>,
}

impl Running {
    /// Starts `command`; its standard output is kept, its standard error is the test's.
    pub fn start(name: &str, command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{name}: {error}: {command:?}"));
        let output = BufReader::new(child.stdout.take().expect("piped"));
        let (sender, lines) = unbounded_channel();
        let log = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&log);
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                kept.lock().expect("log").push(line.clone());
                let _ = sender.send(line);
            }
        });
        Self { name: name.to_owned(), child: Some(child), lines, log }
    }

    /// Waits for a line of output that `is_it` accepts. Fails when the process ends or takes a minute.
    pub async fn wait_for_line(&mut self, is_it: impl Fn(&str) -> bool) -> String {
        let wait = async {
            while let Some(line) = self.lines.recv().await {
                if is_it(&line) {
                    return Some(line);
                }
            }
            None
        };
        let outcome = tokio::time::timeout(PATIENCE, wait).await;
        let how = if outcome.is_ok() { "ended before it was ready" } else { "was not ready in a minute" };
        let line = outcome.ok().flatten();
        line.unwrap_or_else(|| panic!("{} {how}:\n{}", self.name, self.output().join("\n")))
    }

    /// Every line of output so far.
    pub fn output(&self) -> Vec<String> {
        self.log.lock().expect("log").clone()
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("running").id()
    }

    /// Sends it `signal`, such as `STOP` or `KILL`.
    pub fn signal(&self, signal: &str) {
        send(signal, self.pid());
    }

    /// Asks it to end and answers how it did.
    pub fn stop(mut self) -> ExitStatus {
        self.end().expect("running")
    }

    fn end(&mut self) -> Option<ExitStatus> {
        let mut child = self.child.take()?;
        let pid = child.id();
        let (sender, ended) = mpsc::channel();
        std::thread::spawn(move || sender.send(child.wait()));
        // Until it has been waited for, its id is nobody else's.
        send("TERM", pid);
        let status = ended.recv_timeout(PATIENCE / 3).or_else(|_| {
            eprintln!("{} did not end when asked", self.name);
            send("KILL", pid);
            ended.recv_timeout(PATIENCE)
        });
        status.ok()?.ok()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.end();
    }
}

fn send(signal: &str, pid: u32) {
    // An error means that it is gone.
    let _ = Command::new("kill").args(["-s", signal, &pid.to_string()]).stderr(Stdio::null()).status();
}
