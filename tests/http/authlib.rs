//! A client library that is not ours, in a third language: Authlib on Python (tests/python).

use std::path::PathBuf;
use std::process::Stdio;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_tests::servers::DemoOptions;
use serde_json::{Value, json};

use crate::fixture::{ALICE, Provider};

const CALLBACK: &str = "https://python.example.com/cb";
const LOGGED_OUT: &str = "https://python.example.com/logged-out";

#[tokio::test]
async fn authlib_on_python_signs_in_refreshes_revokes_and_logs_out() {
    let folder = std::env::var_os("COUNTERSIGN_TEST_PYTHON_DIR").map(PathBuf::from);
    let folder = folder.expect("COUNTERSIGN_TEST_PYTHON_DIR is not set: run ./tests/run");
    let provider = Provider::start_with(DemoOptions::default()).await;
    let (private_key, jwks) = key();
    for (method, more) in [
        ("client_secret_basic", json!({})),
        ("client_secret_post", json!({})),
        ("private_key_jwt", json!({"jwks": jwks, "token_endpoint_auth_signing_alg": "ES256"})),
    ] {
        let client = register(&provider, method, more).await;
        let settings = json!({
            "issuer": provider.demo.issuer,
            "client_id": client["client_id"],
            "client_secret": client["client_secret"],
            "private_key": (method == "private_key_jwt").then_some(&private_key),
            "method": method,
            "redirect_uri": CALLBACK,
            "logged_out": LOGGED_OUT,
            "email": ALICE.0,
            "password": ALICE.1,
        });
        let mut python = tokio::process::Command::new(folder.join(".venv/bin/python"));
        python.arg(folder.join("code_flow.py")).env("AUTHLIB_CHECK", settings.to_string());
        let output = python.stdin(Stdio::null()).kill_on_drop(true).output().await.expect("python");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{method}: {errors}");
        let said: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!((&said["email"], &said["logged_out"]), (&ALICE.0.into(), &true.into()), "{method}: {said}");
    }
}

async fn register(provider: &Provider, method: &str, more: Value) -> Value {
    let mut metadata = json!({
        "client_name": "Authlib",
        "redirect_uris": [CALLBACK],
        "post_logout_redirect_uris": [LOGGED_OUT],
        "grant_types": ["authorization_code", "refresh_token"],
        "token_endpoint_auth_method": method,
    });
    metadata.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let answer = provider.http.post(provider.url("/register")).json(&metadata).send().await.unwrap();
    assert_eq!(answer.status(), 201);
    answer.json().await.unwrap()
}

/// A P-256 key: PEM for Authlib, JWK Set for the registration.
fn key() -> (String, Value) {
    let pair = rcgen::KeyPair::generate().unwrap();
    let point = pair.public_key_raw();
    let jwk = json!({
        "kty": "EC", "crv": "P-256", "kid": "authlib", "use": "sig", "alg": "ES256",
        "x": URL_SAFE_NO_PAD.encode(&point[1..33]), "y": URL_SAFE_NO_PAD.encode(&point[33..]),
    });
    (pair.serialize_pem(), json!({ "keys": [jwk] }))
}
