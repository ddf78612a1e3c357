//! The tools of others that `tests/run` installs.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// A file or folder of `deploy/`.
pub fn deployed(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy").join(path)
}

/// The text of a file of `deploy/`.
pub fn read(path: &str) -> String {
    let path = deployed(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A program of tests/python/requirements.txt.
pub fn python_tool(name: &str) -> Command {
    let folder = std::env::var_os("COUNTERSIGN_TEST_PYTHON_DIR").map(PathBuf::from);
    let folder = folder.expect("COUNTERSIGN_TEST_PYTHON_DIR is not set: run ./tests/run");
    Command::new(folder.join(".venv/bin").join(name))
}

/// Runs `command`, whatever it says.
pub fn run(command: &mut Command) -> Output {
    command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}: run ./tests/run"))
}

/// Runs `command`, which must succeed; its standard output.
pub fn succeed(command: &mut Command) -> String {
    let output = run(command);
    let (said, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}: {}\n{said}{errors}", output.status);
    said.into_owned()
}

/// The documents of a YAML file.
pub fn read_yaml(path: &Path) -> Vec<Value> {
    let script = "import json, sys, yaml; json.dump(list(yaml.safe_load_all(open(sys.argv[1]))), sys.stdout)";
    let json = succeed(python_tool("python").args(["-c", script]).arg(path));
    serde_json::from_str(&json).unwrap()
}
