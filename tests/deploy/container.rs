//! The container's file, and the file system it makes: a shell-less root in which the binary runs as nobody in particular.

use std::path::Path;
use std::process::Command;

use countersign_tests::servers::binary;

use crate::tool::{deployed, python_tool, read, run, succeed};

#[test]
fn hadolint_finds_nothing_in_the_container_file() {
    succeed(python_tool("hadolint").arg(deployed("container/Containerfile")));
    let folder = tempfile::tempdir().unwrap();
    let worse = read("container/Containerfile").replace("WORKDIR /source", "WORKDIR source");
    std::fs::write(folder.path().join("Containerfile"), worse).unwrap();
    let found = run(python_tool("hadolint").arg(folder.path().join("Containerfile")));
    assert!(!found.status.success() && String::from_utf8_lossy(&found.stdout).contains("DL3000"));
}

/// The same script as in the build. No container engine: a root of its own, and a user who owns nothing in it.
#[test]
fn the_binary_runs_in_the_root_file_system_that_is_made_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("root");
    succeed(Command::new("sh").arg(deployed("container/root-fs.sh")).arg(binary()).arg(&root));
    for missing in ["bin/sh", "usr/bin/env", "etc/shadow"] {
        assert!(!root.join(missing).exists(), "{missing}");
    }
    let config = "[server]\nissuer = \"https://login.example.com\"\n[policies]\ndirectory = \"/etc/countersign\"\n\
                  [database]\nurl = \"sqlite:/var/lib/countersign/countersign.db\"\n";
    std::fs::write(root.join("etc/countersign/countersign.toml"), config).unwrap();
    let inside = |words: &[&str]| {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "chroot"]).arg(&root).arg("/usr/local/bin/countersign");
        run(command.args(words).env_clear().env("PATH", std::env::var_os("PATH").unwrap()))
    };
    let version = inside(&["--version"]);
    assert!(version.status.success(), "{}", String::from_utf8_lossy(&version.stderr));
    // It reads its configuration there, and asks a node that is not there.
    let health = inside(&["health", "--config", "/etc/countersign/countersign.toml"]);
    let why = String::from_utf8_lossy(&health.stderr).into_owned();
    assert_eq!((health.status.code(), why.contains("127.0.0.1:8081")), (Some(1), true), "{why}");
}

/// What the build reads is let through by `.dockerignore`, which begins by shutting everything out.
#[test]
fn the_context_of_the_build_has_what_the_workspace_needs() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let ignored = std::fs::read_to_string(root.join(".dockerignore")).unwrap();
    let lines: Vec<&str> = ignored.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(lines.first(), Some(&"*"));
    for needed in ["Cargo.toml", "Cargo.lock", "config", "crates", "migrations", "tests", "deploy/container"] {
        assert!(root.join(needed).exists() && lines.contains(&format!("!{needed}").as_str()), "{needed}");
    }
}
