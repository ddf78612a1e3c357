//! The other side: oidc-provider on Node, in memory (tests/node/oidc_provider_load.mjs).

use std::path::PathBuf;
use std::process::Command;
use std::rc::Rc;

use countersign_tests::servers::Running;
use countersign_tests::stores::required;
use serde_json::{Value, json};

use crate::process::Cores;
use crate::site::{Site, WEB, Whose, redirect_uri, secret_of};

/// oidc-provider that runs.
pub struct Rival {
    /// Where.
    pub site: Rc<Site>,
    /// Its process.
    pub pid: u32,
    /// Its version and Node's.
    pub version: String,
    _process: Running,
}

impl Rival {
    /// Starts it.
    pub async fn start(cores: Cores) -> Self {
        let folder = PathBuf::from(required("COUNTERSIGN_TEST_NODE_DIR"));
        let mut node = Command::new("node");
        node.arg(folder.join("oidc_provider_load.mjs"))
            .env("NODE_ENV", "production")
            .env("LOAD", json!({"clients": clients()}).to_string());
        let mut process = Running::start("oidc-provider", &mut node);
        let line = process.wait_for_line(|line| line.starts_with("ready ")).await;
        let mut words = line.split_ascii_whitespace().skip(1).map(str::to_owned);
        let issuer = words.next().expect("an issuer");
        let version = words.collect::<Vec<_>>().join(" ");
        let pid = process.pid();
        cores.give_server(pid);
        let site = Rc::new(Site::open(Whose::Theirs, &issuer, None).await);
        Self { site, pid, version, _process: process }
    }
}

fn clients() -> Value {
    json!([
        {
            "client_id": WEB, "client_secret": secret_of(WEB), "redirect_uris": [redirect_uri(WEB)],
            "grant_types": ["authorization_code", "refresh_token"], "response_types": ["code"],
        },
        {
            "client_id": "machine", "client_secret": secret_of("machine"), "redirect_uris": [],
            "grant_types": ["client_credentials"], "response_types": [],
        },
    ])
}
