//! A client library that is not ours, in another language: openid-client on Node (tests/node).

use std::path::{Path, PathBuf};
use std::process::Stdio;

use aws_lc_rs::encoding::{AsBigEndian as _, EcPrivateKeyBin};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_tests::user_agent::Answer;
use serde_json::{Value, json};

use crate::fixture::{ALICE, Provider};

#[tokio::test]
async fn openid_client_on_node_signs_in_refreshes_and_logs_out() {
    let folder = std::env::var_os("COUNTERSIGN_TEST_NODE_DIR").map(PathBuf::from);
    let folder = folder.expect("COUNTERSIGN_TEST_NODE_DIR is not set: run ./tests/run");
    let provider = Provider::start().await;
    for (method, algorithm) in [
        ("client_secret_basic", "RS256"),
        ("client_secret_post", "PS256"),
        ("none", "RS256"),
        ("client_secret_basic", "ES256"),
        ("client_secret_basic", "EdDSA"),
    ] {
        let metadata = json!({
            "client_name": "Node",
            "redirect_uris": [NODE_CALLBACK],
            "post_logout_redirect_uris": [LOGGED_OUT],
            "grant_types": ["authorization_code", "refresh_token"],
            "token_endpoint_auth_method": method,
            "id_token_signed_response_alg": algorithm,
        });
        let answer = Answer::to(provider.http.post(provider.url("/register")).json(&metadata)).await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        let client = answer.json();
        let settings = json!({
            "issuer": provider.demo.issuer,
            "client_id": client["client_id"],
            "client_secret": client["client_secret"],
            "method": method,
            "id_token_signed_response_alg": algorithm,
            "redirect_uri": NODE_CALLBACK,
            "logged_out": LOGGED_OUT,
            "email": ALICE.0,
            "password": ALICE.1,
        });
        let said = run_node(&folder, "code_flow.mjs", &settings).await;
        let done = [&said["refreshed"], &said["logged_out"]];
        assert_eq!((&said["email"], done), (&ALICE.0.into(), [&true.into(); 2]), "{method} {algorithm}: {said}");
    }
}

const NODE_CALLBACK: &str = "https://node.example.com/cb";
const LOGGED_OUT: &str = "https://node.example.com/logged-out";
const CALLBACK: &str = "https://fapi.example.com/cb";

/// FAPI 2.0 Security Profile: private_key_jwt, PAR, DPoP, none of it by our own code.
#[tokio::test]
async fn openid_client_on_node_keeps_to_the_fapi_2_profile() {
    let folder = std::env::var_os("COUNTERSIGN_TEST_NODE_DIR").map(PathBuf::from);
    let folder = folder.expect("COUNTERSIGN_TEST_NODE_DIR is not set: run ./tests/run");
    let provider = Provider::start().await;
    let (private, public) = key();
    let metadata = json!({
        "client_name": "FAPI",
        "redirect_uris": [CALLBACK],
        "grant_types": ["authorization_code", "refresh_token"],
        "token_endpoint_auth_method": "private_key_jwt",
        "token_endpoint_auth_signing_alg": "ES256",
        "id_token_signed_response_alg": "ES256",
        "dpop_bound_access_tokens": true,
        "require_pushed_authorization_requests": true,
        "jwks": {"keys": [public]},
    });
    let answer = Answer::to(provider.http.post(provider.url("/register")).json(&metadata)).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    let settings = json!({
        "issuer": provider.demo.issuer,
        "client_id": answer.json()["client_id"],
        "private_key": private,
        "redirect_uri": CALLBACK,
        "email": ALICE.0,
        "password": ALICE.1,
    });
    let said = run_node(&folder, "fapi.mjs", &settings).await;
    assert_eq!((&said["email"], &said["token_type"]), (&ALICE.0.into(), &"dpop".into()), "{said}");
}

/// A P-256 key as private and public JWK.
fn key() -> (Value, Value) {
    let der = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let point = der.public_key().as_ref();
    let private: EcPrivateKeyBin<'static> = der.private_key().as_be_bytes().unwrap();
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let public = json!({
        "kty": "EC", "crv": "P-256", "kid": "fapi", "x": encode(&point[1..33]), "y": encode(&point[33..]),
    });
    let mut secret = public.clone();
    secret["d"] = json!(encode(private.as_ref()));
    (secret, public)
}

/// What the script prints; it must end well.
async fn run_node(folder: &Path, script: &str, settings: &Value) -> Value {
    let mut node = tokio::process::Command::new("node");
    node.arg(folder.join(script)).env("OPENID_CLIENT_CHECK", settings.to_string());
    let output = node.stdin(Stdio::null()).kill_on_drop(true).output().await.expect("node");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script}: {errors}");
    serde_json::from_slice(&output.stdout).unwrap()
}
