//! The end of the processes: with their parent, or by a signal.

use crate::support::settings;
use countersign_sandbox::{CarrierSettings, PortalSettings, run_carrier, run_portal};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

const ROLE: &str = "SANDBOX_TEST_ROLE";

/// This test binary again, as carrier or portal.
async fn start(role: &str) -> Child {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "lifetime::child", "--nocapture"])
        .env(ROLE, role)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    while let Some(line) = lines.next_line().await.unwrap() {
        if line.contains("serving") {
            // The pipe must stay open for the harness's last words.
            tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
            return child;
        }
    }
    panic!("the {role} did not start");
}

/// Does nothing unless started by [`start`].
#[tokio::test]
async fn child() {
    match std::env::var(ROLE).as_deref() {
        Ok("carrier") => {
            let settings = CarrierSettings { stop_when_stdin_closes: true, ..settings() };
            run_carrier(settings, |_| println!("serving")).await.unwrap();
        }
        Ok("portal") => {
            let settings = PortalSettings::new("http://localhost:9", "secret".to_owned().into());
            let settings = PortalSettings { port: 0, stop_when_stdin_closes: true, ..settings };
            run_portal(settings, |_| println!("serving")).await.unwrap();
        }
        _ => {}
    }
}

async fn ends_in_time(mut child: Child) {
    let ended = tokio::time::timeout(Duration::from_secs(5), child.wait()).await;
    assert!(ended.expect("still running").unwrap().success());
}

#[tokio::test]
async fn both_end_with_their_parent() {
    for role in ["carrier", "portal"] {
        let mut child = start(role).await;
        drop(child.stdin.take());
        ends_in_time(child).await;
    }
}

#[tokio::test]
async fn both_end_by_a_signal() {
    for (role, signal) in [("carrier", "-TERM"), ("portal", "-INT")] {
        let mut child = start(role).await;
        let stdin = child.stdin.take();
        let pid = child.id().unwrap().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().await.unwrap().success());
        ends_in_time(child).await;
        drop(stdin);
    }
}
