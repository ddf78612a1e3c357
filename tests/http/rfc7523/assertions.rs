//! RFC 7523, OpenID Connect Core, 9: clients that prove themselves by a JWT (2.2), and JWTs that vouch for people (2.1).

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use countersign_tests::provider::serve_json;
use countersign_tests::servers::DemoOptions;
use countersign_tests::user_agent::Answer;
use futures_util::future::join_all;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

use crate::client_key::{SIGNER, STRANGER};
use crate::fixture::{Provider, assert_error, assert_not_cached, peek, text};

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
fn real_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn claims(provider: &Provider, client: &Value, jti: &str) -> Value {
    let now = real_now();
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
    let provider = Provider::start_with_clock().await;
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
    provider.demo.move_clock(Duration::from_secs(11));
    assert_eq!(ask(&provider, &assertion).await.status, 200);
    assert_eq!(asked.load(Ordering::SeqCst), 2);
    let next = SIGNER.sign("JWT", &claims(&provider, &client, "two"));
    assert_eq!(ask(&provider, &next).await.status, 200);
    assert_eq!(asked.load(Ordering::SeqCst), 2, "kept");
}

const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
/// Who vouches for people.
const PARTNER: &str = "https://partner.example.com";

/// A provider that hears [`PARTNER`], whose `keys` are said, when `gateway` shows what it wrote.
async fn hearing_provider(keys: &str) -> Provider {
    let issuers = format!(
        r#"[{{issuer="{PARTNER}", {keys}, clients=["gateway"], scopes=["cases.read"], subject="email", domains=["example.com"]}}]"#
    );
    let env = vec![("COUNTERSIGN__ASSERTION_ISSUERS".to_owned(), issuers)];
    Provider::start_with(DemoOptions { env, ..DemoOptions::default() }).await
}

fn vouch(provider: &Provider, jti: &str, change: &Value) -> String {
    let now = real_now();
    let mut claims = json!({
        "iss": PARTNER, "sub": "alice@example.com", "aud": provider.demo.issuer, "jti": jti, "iat": now,
        "exp": now + 60,
    });
    let members = claims.as_object_mut().unwrap();
    members.extend(change.as_object().unwrap().clone());
    members.retain(|_, value| !value.is_null());
    SIGNER.sign("JWT", &claims)
}

async fn show(provider: &Provider, client: &str, assertion: &str, more: &[(&str, &str)]) -> Answer {
    let form = [("grant_type", JWT_BEARER), ("assertion", assertion)];
    provider.token(client, &[&form, more].concat()).await
}

/// Section 2.1: an assertion of somebody declared gives an access token of the person it speaks for, once.
#[tokio::test]
async fn who_is_declared_vouches_for_a_person_once() {
    let address = serve_json(|_| Some((200, SIGNER.jwks.to_string()))).await;
    let provider = hearing_provider(&format!(r#"jwks_uri="{address}/jwks""#)).await;
    let metadata = Answer::to(provider.http.get(provider.url("/.well-known/openid-configuration"))).await.json();
    assert!(metadata["grant_types_supported"].as_array().unwrap().contains(&json!(JWT_BEARER)));

    let assertion = vouch(&provider, "one", &json!({}));
    let answer = show(&provider, "gateway", &assertion, &[]).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_not_cached(&answer);
    let tokens = answer.json();
    assert!(tokens.get("refresh_token").is_none() && tokens.get("id_token").is_none());
    let (_, issued) = provider.verify(text(&tokens, "access_token"), Algorithm::RS256).await;
    assert_eq!((&issued["client_id"], &issued["scope"]), (&json!("gateway"), &json!("cases.read")));
    assert_eq!(issued["aud"], json!(["https://cases.example.com/api"]));
    // The same person as one who signs in; and nothing is said of a login that was none.
    let signed_in = provider.redeem(&provider.fresh_grant(&provider.ask("basic")).await).await;
    assert_eq!(issued["sub"], peek(text(&signed_in, "id_token"))["sub"]);
    for name in ["acr", "amr", "auth_time"] {
        assert!(issued.get(name).is_none(), "{name}");
    }
    assert_eq!(provider.introspect("gateway", text(&tokens, "access_token")).await["active"], true);

    assert_error(&show(&provider, "gateway", &assertion, &[]).await, 400, "invalid_grant");
    let again = vouch(&provider, "one", &json!({"sub": "dduck@example.com"}));
    assert_error(&show(&provider, "gateway", &again, &[]).await, 400, "invalid_grant");
    // Of many at the same moment exactly one.
    let last = vouch(&provider, "last", &json!({}));
    let answers = join_all((0..20).map(|_| show(&provider, "gateway", &last, &[]))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    for answer in answers.iter().filter(|answer| answer.status != 200) {
        assert_error(answer, 400, "invalid_grant");
    }
}

/// Section 3 and 3.1: whatever is wrong is `invalid_grant`, and spends nothing.
#[tokio::test]
async fn an_assertion_that_does_not_hold_gives_nothing() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), SIGNER.jwks.to_string()).unwrap();
    let provider = hearing_provider(&format!(r#"jwks_file="{}""#, file.path().display())).await;
    let now = real_now();
    for change in [
        json!({"iss": "https://stranger.example.com"}),
        json!({"sub": "nobody@example.com"}),
        json!({"sub": "alice@elsewhere.example.com"}),
        json!({"sub": null}),
        json!({"aud": "https://elsewhere.example.com"}),
        json!({"aud": [provider.demo.issuer, "https://elsewhere.example.com"]}),
        json!({"exp": null}),
        json!({"exp": now - 60}),
        json!({"exp": now + 7200}),
        json!({"nbf": now + 120}),
        json!({"jti": null}),
    ] {
        let assertion = vouch(&provider, "kept", &change);
        assert_error(&show(&provider, "gateway", &assertion, &[]).await, 400, "invalid_grant");
    }
    let claims = json!({"iss": PARTNER, "sub": "alice@example.com", "aud": provider.demo.issuer, "jti": "x",
        "iat": now, "exp": now + 60});
    for wrong in [STRANGER.sign("JWT", &claims), SIGNER.sign("at+jwt", &claims), "abc".to_owned()] {
        assert_error(&show(&provider, "gateway", &wrong, &[]).await, 400, "invalid_grant");
    }
    let sound = vouch(&provider, "kept", &json!({}));
    // `deputy-gateway` may use the grant, and shows an assertion of nobody who lets it.
    assert_error(&show(&provider, "deputy-gateway", &sound, &[]).await, 400, "invalid_grant");
    assert_error(&show(&provider, "basic", &sound, &[]).await, 400, "unauthorized_client");
    for wider in ["cases.write", "openid", "cases.read offline_access"] {
        assert_error(&show(&provider, "gateway", &sound, &[("scope", wider)]).await, 400, "invalid_scope");
    }
    for elsewhere in [provider.demo.issuer.as_str(), "https://unknown.example.com"] {
        assert_error(&show(&provider, "gateway", &sound, &[("resource", elsewhere)]).await, 400, "invalid_target");
    }
    assert_error(&provider.token("gateway", &[("grant_type", JWT_BEARER)]).await, 400, "invalid_request");
    assert_eq!(show(&provider, "gateway", &sound, &[]).await.status, 200, "nothing of this spent it");
}
