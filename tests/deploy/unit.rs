//! The systemd unit, by systemd's own tool.

use std::process::Command;

use countersign_tests::servers::binary;

use crate::tool::{read, run, succeed};

/// `systemd-analyze security` in tenths: of 100, the less the better.
const EXPOSURE: &str = "11";

fn written(text: &str) -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("countersign.service");
    std::fs::write(&path, text).unwrap();
    (folder, path)
}

#[test]
fn systemd_accepts_the_unit_and_finds_it_closed() {
    let unit = read("systemd/countersign.service");
    // A unit is refused whose program is not there.
    let here = |text: &str| text.replace("/usr/local/bin/countersign", &binary().display().to_string());
    let verify = |path: &std::path::Path| {
        run(Command::new("systemd-analyze").args(["verify", "--man=no", "--recursive-errors=no"]).arg(path))
    };
    let (_folder, path) = written(&here(&unit));
    let output = verify(&path);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && said.is_empty(), "{said}");
    let security = |path: &std::path::Path| {
        let mut command = Command::new("systemd-analyze");
        command.args(["security", "--offline=true", "--no-pager", &format!("--threshold={EXPOSURE}")]).arg(path);
        command
    };
    succeed(&mut security(&path));

    let (_other, worse) = written(&here(&unit).replace("RestrictRealtime", "RestrictRealTime"));
    assert!(!verify(&worse).stderr.is_empty(), "a misspelt key is not found");
    let (_other, open) = written(&here(&unit).replace("CapabilityBoundingSet=\n", ""));
    assert!(!run(&mut security(&open)).status.success(), "a unit with more rights is not found");
}
