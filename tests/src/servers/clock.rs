use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tempfile::TempDir;

/// The wall clock of the processes that run under it: libfaketime's. Timers go by the monotonic clock, which is real.
#[derive(Clone)]
pub struct FakeClock(Arc<State>);

struct State {
    folder: TempDir,
    ahead: Mutex<Duration>,
}

impl FakeClock {
    /// A clock that shows the real time until it is moved.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("temporary folder");
        open_to_all(folder.path());
        let clock = Self(Arc::new(State { folder, ahead: Mutex::new(Duration::ZERO) }));
        clock.pass(Duration::ZERO);
        clock
    }

    /// Moves it ahead.
    pub fn pass(&self, span: Duration) {
        let mut ahead = self.0.ahead.lock().expect("clock");
        *ahead += span;
        let (new, file) = (self.0.folder.path().join("new"), self.file());
        std::fs::write(&new, format!("+{}\n", ahead.as_secs())).expect("write");
        std::fs::rename(new, file).expect("rename");
    }

    /// How far it is ahead of the real time.
    pub fn ahead(&self) -> Duration {
        *self.0.ahead.lock().expect("clock")
    }

    /// Lets `command` run under it.
    pub fn apply(&self, command: &mut Command) {
        command
            // libc first: jemalloc, which Redis is linked to, asks for the time before the library can answer.
            .env("LD_PRELOAD", format!("{}:libc.so.6", library().display()))
            .env("FAKETIME_TIMESTAMP_FILE", self.file())
            .env("FAKETIME_NO_CACHE", "1")
            .env("DONT_FAKE_MONOTONIC", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    }

    fn file(&self) -> PathBuf {
        self.0.folder.path().join("time")
    }
}

impl Default for FakeClock {
    fn default() -> Self {
        Self::new()
    }
}

/// Servers may run as users of their own.
fn open_to_all(folder: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755)).expect("permissions");
}

/// Where Debian keeps the library: a folder per machine type. The one for threads: with the other, a thread that asks while
/// another reads the file sees the real time for once, a few times in a hundred thousand.
fn library() -> PathBuf {
    let folders = std::fs::read_dir("/usr/lib").expect("/usr/lib").flatten();
    folders
        .map(|entry| entry.path().join("faketime/libfaketimeMT.so.1"))
        .find(|path| path.exists())
        .expect("libfaketimeMT.so.1: run ./tests/run, which installs it")
}
