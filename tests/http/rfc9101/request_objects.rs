//! RFC 9101 and OpenID Connect Core 1.0, 6: authorization requests that are objects of their client.

use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_tests::provider::serve_json;
use countersign_tests::user_agent::{Answer, UserAgent};
use serde_json::{Value, json};

use crate::client_key::{SIGNER, STRANGER};
use crate::fixture::{Ask, Provider, assert_error, assert_error_page, redirect_uri_of};
use crate::rfc9126::pushed_requests::{by_name, push, pushed};

const TYPE: &str = "oauth-authz-req+jwt";

#[expect(clippy::disallowed_methods, reason = "what another process checks is held to the real time")]
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// The claims of a request of `client`.
fn claims(provider: &Provider, client: &str) -> Value {
    let mut claims = json!({"iss": client, "aud": provider.demo.issuer, "exp": now() + 300, "nbf": now()});
    for (name, value) in provider.ask(client).params() {
        claims[name] = json!(value);
    }
    claims["state"] = json!("in the object");
    claims
}

fn bare(provider: &Provider, client: &str) -> Ask {
    by_name(provider, client, "").without("request_uri")
}

fn unsigned(claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.", part(&json!({"alg": "none"})), part(claims))
}

#[tokio::test]
async fn a_signed_object_is_the_request() {
    let provider = Provider::start().await;
    let agent = UserAgent::new();
    let object = SIGNER.sign(TYPE, &claims(&provider, "signer"));
    // RFC 9101, 5: nothing beside it counts.
    let ask = bare(&provider, "signer").with("request", &object).with("state", "outside");
    let response = provider.answer(&agent, &ask).await.response();
    assert_eq!(response["state"], "in the object");
    // Core, 6.1: with everything in clear too, what is in the object supersedes it, and the rest counts.
    let mut some = claims(&provider, "signer");
    some.as_object_mut().unwrap().remove("state");
    some["nonce"] = json!("of the object");
    let ask = provider.ask("signer").with("request", SIGNER.sign("JWT", &some)).with("prompt", "none");
    assert_eq!(agent.get(&ask.url()).await.response()["state"], "state-1");
    // The redirect_uri of the object is the one that counts.
    let ask = provider.ask("signer").with("redirect_uri", "https://evil.example.com/cb").with("request", &object);
    let location = agent.get(&ask.url()).await.location();
    assert!(location.as_str().starts_with(&redirect_uri_of("signer")), "{location}");
}

#[tokio::test]
async fn an_object_that_does_not_hold_is_no_request() {
    let provider = Provider::start().await;
    let agent = UserAgent::new();
    let good = claims(&provider, "signer");
    let with = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        SIGNER.sign(TYPE, &claims)
    };
    let cases = [
        ("another key", "invalid_request_object", STRANGER.sign(TYPE, &good)),
        ("unsigned", "invalid_request_object", unsigned(&good)),
        ("no JWT", "invalid_request_object", "nonsense".to_owned()),
        ("another type", "invalid_request_object", SIGNER.sign("dpop+jwt", &good)),
        ("another client", "invalid_request_object", with("client_id", json!("basic"))),
        ("another issuer of it", "invalid_request_object", with("iss", json!("basic"))),
        ("another audience", "invalid_request_object", with("aud", json!("https://other.example.com"))),
        ("expired", "invalid_request_object", with("exp", json!(now() - 60))),
        ("not yet", "invalid_request_object", with("nbf", json!(now() + 300))),
        ("made in the future", "invalid_request_object", with("iat", json!(now() + 300))),
        ("nested (RFC 9101, 4)", "invalid_request_object", with("request", json!("x"))),
        ("nested by name", "invalid_request_object", with("request_uri", json!("urn:x"))),
        ("bad inside", "invalid_request", with("prompt", json!("none login"))),
    ];
    for (case, error, object) in cases {
        let response = agent.get(&provider.ask("signer").with("request", &object).url()).await.response();
        assert_eq!(response["error"], error, "{case}");
        // Pushed, its client hears of it itself (RFC 9126, 3).
        assert_error(&push(&provider, &provider.ask("signer").with("request", &object)).await, 400, error);
    }
    let both = provider.ask("signer").with("request", "x").with("request_uri", "https://signer.example.com/r");
    assert_eq!(agent.get(&both.url()).await.response()["error"], "invalid_request");
    // Nothing proves where to, so nothing is redirected.
    let ask = bare(&provider, "signer").with("request", STRANGER.sign(TYPE, &good));
    assert_error_page(&agent.get(&ask.url()).await, "no redirect_uri in clear");
}

#[tokio::test]
async fn unsigned_objects_are_for_who_registered_none() {
    let provider = Provider::start().await;
    let agent = UserAgent::new();
    let ask = provider.ask("unsigned").with("request", unsigned(&claims(&provider, "unsigned")));
    let response = provider.answer(&agent, &ask).await.response();
    assert_eq!(response["state"], "in the object");
    let ask = provider.ask("basic").with("request", unsigned(&claims(&provider, "basic")));
    assert_eq!(agent.get(&ask.url()).await.response()["error"], "invalid_request_object");
}

/// Core, 6.2: at addresses that were registered alone; RFC 9101, 10.4.
#[tokio::test]
async fn an_object_is_fetched_at_a_registered_address_and_its_keys_at_another() {
    let served = Arc::new(Mutex::new((404, String::new())));
    let object = Arc::clone(&served);
    let host = serve_json(move |asked| match asked.path.as_str() {
        "/jwks" => Some((200, SIGNER.jwks.to_string())),
        _ => Some(object.lock().unwrap().clone()),
    })
    .await;
    let provider = Provider::start().await;
    let agent = UserAgent::new();
    let metadata = json!({
        "redirect_uris": ["https://rp.example.com/cb"], "jwks_uri": format!("{host}/jwks"),
        "request_uris": [format!("{host}/object")],
    });
    let registered = Answer::to(provider.http.post(provider.url("/register")).json(&metadata)).await;
    assert_eq!(registered.status, 201, "{}", registered.body);
    let id = registered.json()["client_id"].as_str().unwrap().to_owned();
    let plain = provider.ask(&id).with("redirect_uri", "https://rp.example.com/cb");
    let ask = |path: &str| plain.clone().with("request_uri", format!("{host}{path}"));
    let error = async |ask: Ask| agent.get(&ask.url()).await.response()["error"].clone();

    assert_eq!(error(ask("/object")).await, "invalid_request_uri", "404");
    let mut claims = claims(&provider, &id);
    claims["redirect_uri"] = json!("https://rp.example.com/cb");
    let good = SIGNER.sign(TYPE, &claims);
    *served.lock().unwrap() = (302, good.clone());
    assert_eq!(error(ask("/object")).await, "invalid_request_uri", "a redirect");
    *served.lock().unwrap() = (200, STRANGER.sign(TYPE, &claims));
    assert_eq!(error(ask("/object")).await, "invalid_request_object", "another key");
    *served.lock().unwrap() = (200, good);
    assert_eq!(error(ask("/elsewhere")).await, "invalid_request_uri", "not registered");
    assert_eq!(error(provider.ask("basic").with("request_uri", format!("{host}/object"))).await, "invalid_request_uri");
    let response = provider.answer(&agent, &ask("/object#hash")).await.response();
    assert_eq!(response["state"], "in the object");
}

#[tokio::test]
async fn a_client_may_be_held_to_signing_and_pushes_what_it_signed() {
    let provider = Provider::start().await;
    let agent = UserAgent::new();
    assert_eq!(agent.get(&provider.ask("signing").url()).await.response()["error"], "invalid_request");
    assert_error(&push(&provider, &provider.ask("signing")).await, 400, "invalid_request");
    let object = SIGNER.sign("JWT", &claims(&provider, "signing"));
    let name = pushed(&provider, &bare(&provider, "signing").with("request", object)).await;
    let response = provider.answer(&agent, &by_name(&provider, "signing", &name)).await.response();
    assert_eq!(response["state"], "in the object");
}
