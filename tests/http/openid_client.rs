//! A client library that is not ours, in another language: openid-client on Node (tests/node).

use std::path::PathBuf;
use std::process::Stdio;

use crate::fixture::{ALICE, Provider, redirect_uri_of, secret_of};

#[tokio::test]
async fn openid_client_on_node_completes_a_code_flow() {
    let folder = std::env::var_os("COUNTERSIGN_TEST_NODE_DIR").map(PathBuf::from);
    let folder = folder.expect("COUNTERSIGN_TEST_NODE_DIR is not set: run ./tests/run");
    let provider = Provider::start().await;
    for (client, method) in [
        ("basic", "client_secret_basic"),
        ("post", "client_secret_post"),
        ("spa", "none"),
        ("es256", "client_secret_basic"),
        ("eddsa", "client_secret_basic"),
    ] {
        let settings = serde_json::json!({
            "issuer": provider.demo.issuer,
            "client_id": client,
            "client_secret": (method != "none").then(|| secret_of(client)),
            "method": method,
            "id_token_signed_response_alg": match client { "es256" => "ES256", "eddsa" => "EdDSA", _ => "RS256" },
            "redirect_uri": redirect_uri_of(client),
            "email": ALICE.0,
            "password": ALICE.1,
        });
        let mut node = tokio::process::Command::new("node");
        node.arg(folder.join("code_flow.mjs")).env("OPENID_CLIENT_CHECK", settings.to_string());
        let output = node.stdin(Stdio::null()).kill_on_drop(true).output().await.expect("node");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{client}: {errors}");
        let said: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!((&said["email"], &said["refreshed"]), (&ALICE.0.into(), &true.into()), "{client}: {said}");
    }
}
