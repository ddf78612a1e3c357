//! RFC 7523, 2.2 and 3, OpenID Connect Core, 9: clients that prove themselves by a JWT.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use countersign_tests::provider::serve_json;
use countersign_tests::user_agent::Answer;
use futures_util::future::join_all;
use jsonwebtoken::{EncodingKey, Header};
use serde_json::{Value, json};

use crate::client_key::{SIGNER, STRANGER};
use crate::fixture::{Provider, assert_error, text};

const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// A client on its own behalf.
async fn register(provider: &Provider, more: Value) -> Value {
    let mut metadata = json!({"grant_types": ["client_credentials"], "response_types": [], "scope": "cases.read"});
    metadata.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let answer = Answer::to(provider.http.post(provider.url("/register")).json(&metadata)).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    answer.json()
}

#[expect(clippy::disallowed_methods, reason = "what another process checks is held to the real time")]
fn claims(provider: &Provider, client: &Value, jti: &str) -> Value {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let id = text(client, "client_id");
    json!({"iss": id, "sub": id, "aud": provider.url("/token"), "jti": jti, "iat": now, "exp": now + 60})
}

async fn ask(provider: &Provider, assertion: &str) -> Answer {
    ask_with(provider, assertion, &[]).await
}

async fn ask_with(provider: &Provider, assertion: &str, more: &[(&str, &str)]) -> Answer {
    let form = [("grant_type", "client_credentials"), ("client_assertion_type", TYPE), ("client_assertion", assertion)];
    Answer::to(provider.token_request(&[&form, more].concat())).await
}

#[tokio::test]
async fn a_client_proves_itself_by_its_key_once_an_assertion() {
    let provider = Provider::start().await;
    let metadata = Answer::to(provider.http.get(provider.url("/.well-known/openid-configuration"))).await.json();
    let methods = metadata["token_endpoint_auth_methods_supported"].as_array().unwrap();
    assert!(methods.contains(&json!("private_key_jwt")) && methods.contains(&json!("client_secret_jwt")));
    let algorithms = metadata["token_endpoint_auth_signing_alg_values_supported"].as_array().unwrap();
    assert!(algorithms.contains(&json!("ES256")) && !algorithms.contains(&json!("none")));

    let client =
        register(&provider, json!({"token_endpoint_auth_method": "private_key_jwt", "jwks": SIGNER.jwks})).await;
    assert!(client.get("client_secret").is_none());
    let first = SIGNER.sign("JWT", &claims(&provider, &client, "one"));
    assert_eq!(ask(&provider, &first).await.status, 200);
    assert_error(&ask(&provider, &first).await, 401, "invalid_client");
    // The same id in another assertion is the same id.
    let again = SIGNER.sign("client-authentication+jwt", &claims(&provider, &client, "one"));
    assert_error(&ask(&provider, &again).await, 401, "invalid_client");
    let id = text(&client, "client_id");
    let two = SIGNER.sign("JWT", &claims(&provider, &client, "two"));
    assert_error(&ask_with(&provider, &two, &[("client_id", "another")]).await, 401, "invalid_client");
    assert_error(&ask_with(&provider, &two, &[("client_secret", "secret")]).await, 400, "invalid_request");
    assert_eq!(ask_with(&provider, &two, &[("client_id", id)]).await.status, 200);

    for (name, value) in [("aud", json!("https://elsewhere.example")), ("iss", json!("another")), ("exp", json!(1))] {
        let mut odd = claims(&provider, &client, name);
        odd[name] = value;
        assert_error(&ask(&provider, &SIGNER.sign("JWT", &odd)).await, 401, "invalid_client");
    }
    let forged = STRANGER.sign("JWT", &claims(&provider, &client, "three"));
    assert_error(&ask(&provider, &forged).await, 401, "invalid_client");
    // By no other method than the registered one.
    let alone = [("grant_type", "client_credentials"), ("client_id", id)];
    assert_error(&Answer::to(provider.token_request(&alone)).await, 401, "invalid_client");

    // Of many with one assertion exactly one wins.
    let last = SIGNER.sign("JWT", &claims(&provider, &client, "last"));
    let answers = join_all((0..20).map(|_| ask(&provider, &last))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    assert!(answers.iter().all(|answer| [200, 401].contains(&answer.status)));
}

#[tokio::test]
async fn a_client_proves_itself_by_its_secret_without_sending_it() {
    let provider = Provider::start().await;
    let client = register(&provider, json!({"token_endpoint_auth_method": "client_secret_jwt"})).await;
    let sign = |secret: &str, jti: &str| {
        let key = EncodingKey::from_secret(secret.as_bytes());
        jsonwebtoken::encode(&Header::default(), &claims(&provider, &client, jti), &key).unwrap()
    };
    let secret = text(&client, "client_secret");
    let assertion = sign(secret, "one");
    assert_eq!(ask(&provider, &assertion).await.status, 200);
    assert_error(&ask(&provider, &assertion).await, 401, "invalid_client");
    assert_error(&ask(&provider, &sign("another-secret-of-some-length", "two")).await, 401, "invalid_client");
    // The secret itself is no way in.
    let form =
        [("grant_type", "client_credentials"), ("client_id", text(&client, "client_id")), ("client_secret", secret)];
    assert_error(&Answer::to(provider.token_request(&form)).await, 401, "invalid_client");
}

#[tokio::test]
async fn keys_behind_an_address_are_fetched_again_for_an_unknown_one_and_seldom() {
    let provider = Provider::start().await;
    let published = Arc::new(Mutex::new(json!({"keys": []})));
    let asked = Arc::new(AtomicUsize::new(0));
    let (served, count) = (Arc::clone(&published), Arc::clone(&asked));
    let address = serve_json(move |_| {
        count.fetch_add(1, Ordering::SeqCst);
        Some((200, served.lock().unwrap().to_string()))
    })
    .await;
    let jwks_uri = format!("{address}/jwks");
    let client =
        register(&provider, json!({"token_endpoint_auth_method": "private_key_jwt", "jwks_uri": jwks_uri})).await;
    let assertion = SIGNER.sign("JWT", &claims(&provider, &client, "one"));
    assert_error(&ask(&provider, &assertion).await, 401, "invalid_client");
    *published.lock().unwrap() = SIGNER.jwks.clone();
    // Asked just now: whoever presents unknown keys does not make us ask again.
    for _ in 0..3 {
        assert_error(&ask(&provider, &assertion).await, 401, "invalid_client");
    }
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    tokio::time::sleep(std::time::Duration::from_secs(11)).await;
    assert_eq!(ask(&provider, &assertion).await.status, 200);
    assert_eq!(asked.load(Ordering::SeqCst), 2);
    let next = SIGNER.sign("JWT", &claims(&provider, &client, "two"));
    assert_eq!(ask(&provider, &next).await.status, 200);
    assert_eq!(asked.load(Ordering::SeqCst), 2, "kept");
}
