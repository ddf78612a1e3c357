//! `countersign audit` beside a node that serves, and a verifier that is not ours (docs/AUDIT.md).

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use countersign_model::AuditKind;
use countersign_tests::servers::{Demo, DemoOptions, binary};
use jsonwebtoken::Algorithm;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::fixture::Provider;

const PAGE: &str = include_str!("../../docs/AUDIT.md");

/// The commands of an operator, on the demo's database.
struct Operator {
    folder: TempDir,
    issuer: String,
}

impl Operator {
    fn of(demo: &Demo, folder: TempDir) -> Self {
        Self { folder, issuer: demo.issuer.clone() }
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let database = format!("sqlite:{}", self.folder.path().join("countersign.db").display());
        let mut command = Command::new(binary());
        command.arg("audit").args(arguments).env("RUST_LOG", "off").current_dir(self.folder.path());
        command.env("COUNTERSIGN__SERVER__ISSUER", &self.issuer).env("COUNTERSIGN__DATABASE__URL", database);
        command.env("COUNTERSIGN__SERVER__ALLOW_HTTP", "true");
        command.env("COUNTERSIGN__SECRETS__MASTER_KEY_FILE", self.folder.path().join("master.key"));
        command.output().unwrap()
    }

    /// What a command says that must succeed.
    fn say(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{arguments:?}: {out}{err}");
        out
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// The lines of docs/AUDIT.md, run by Python.
fn verify_elsewhere(script: &Path, entry: &Path, proof: &Path, key: &str) -> Result<String, String> {
    let folder = std::env::var_os("COUNTERSIGN_TEST_PYTHON_DIR").map(PathBuf::from);
    let folder = folder.expect("COUNTERSIGN_TEST_PYTHON_DIR is not set: run ./tests/run");
    let mut python = Command::new(folder.join(".venv/bin/python"));
    let output = python.arg(script).args([entry, proof]).arg(key).output().unwrap();
    if output.status.success() {
        Ok(String::from_utf8(output.stdout).unwrap())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

#[tokio::test]
async fn a_token_is_proven_to_somebody_who_trusts_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let flags = vec!["--data-dir".to_owned(), folder.path().to_str().unwrap().to_owned()];
    let provider = Provider::start_with(DemoOptions { flags, ..DemoOptions::default() }).await;
    let tokens = provider.redeem(&provider.fresh_grant(&provider.ask("basic")).await).await;
    let operator = Operator::of(&provider.demo, folder);
    let access = tokens["access_token"].as_str().unwrap();
    let claims = provider.verify(access, Algorithm::RS256).await.1;
    let jti = claims["jti"].as_str().unwrap();

    let key = operator.say(&["key"]).trim().to_owned();
    let told = operator.say(&["prove", "--jti", jti]);
    let line = told.lines().find(|line| line.contains(r#""kind":"token.issued""#)).unwrap();
    let position = line.split_whitespace().next().unwrap();
    let (entry, proof) = (operator.path(&format!("{position}.entry")), operator.path(&format!("{position}.proof")));
    let script = operator.path("verify.py");
    let (_, python) = PAGE.split_once("```python\n").unwrap();
    std::fs::write(&script, python.split("```").next().unwrap()).unwrap();
    let said = verify_elsewhere(&script, &entry, &proof, &key).unwrap();
    assert!(said.starts_with("in the log of "), "{said}");

    let sound = std::fs::read_to_string(&entry).unwrap();
    std::fs::write(&entry, sound.replace("success", "failure")).unwrap();
    let why = verify_elsewhere(&script, &entry, &proof, &key).unwrap_err();
    assert!(why.contains("the entry is not in the log"), "{why}");
    std::fs::write(&entry, sound).unwrap();
    let text = std::fs::read_to_string(&proof).unwrap();
    std::fs::write(&proof, text.replacen("/audit\n", "/audit\n1", 1)).unwrap();
    let why = verify_elsewhere(&script, &entry, &proof, &key).unwrap_err();
    assert!(why.contains("InvalidSignature"), "{why}");

    // The rest of an operator's day.
    let kept = operator.path("kept.txt");
    std::fs::write(&kept, operator.say(&["checkpoint"])).unwrap();
    let report: Value = serde_json::from_str(&operator.say(&["verify", "--json"])).unwrap();
    assert_eq!(report["fault"], Value::Null, "{report}");
    let said = operator.say(&["verify", "--checkpoint", kept.to_str().unwrap()]);
    assert!(said.contains(" entries are what "), "{said}");
    let exported = operator.say(&["export"]);
    let entries: Vec<Value> = exported.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(entries.len() as u64 >= report["entries"].as_u64().unwrap());
    assert!(entries.iter().all(|entry| entry["v"] == json!(1) && !entry["kind"].is_null()));
    assert_eq!(operator.say(&["tail", "-n", "2"]).lines().count(), 2);
    assert!(!operator.say(&["consistency", "1", "2"]).is_empty());
    for refused in [&["consistency", "2", "1"][..], &["prove", "--jti", "nobodys"], &["consistency", "1", "999999999"]]
    {
        assert_eq!(operator.run(refused).status.code(), Some(1), "{refused:?}");
    }
}

#[test]
fn every_kind_of_event_stands_in_the_documentation() {
    for kind in AuditKind::ALL {
        let line = PAGE.lines().find(|line| line.starts_with(&format!("| `{}` |", kind.as_str())));
        let class = format!("| `{}`", kind.class().as_str());
        assert!(line.is_some_and(|line| line.contains(&class)), "{}: {class}", kind.as_str());
    }
}
