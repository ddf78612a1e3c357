//! RFC 9126: authorization requests that are pushed by their client.

use std::time::Duration;

use countersign_tests::user_agent::{Answer, UserAgent};
use serde_json::Value;

use crate::fixture::{
    Ask, Granted, Provider, assert_error, assert_error_page, assert_not_cached, basic, redirect_uri_of, secret_of,
};

/// What a client pushes of `ask`.
pub async fn push(provider: &Provider, ask: &Ask) -> Answer {
    let client = &ask.client;
    let request = provider.http.post(provider.url("/par")).form(ask.params());
    let request =
        if client == "spa" { request } else { request.header("authorization", basic(client, &secret_of(client))) };
    Answer::to(request).await
}

/// The name of a request that was accepted.
pub async fn pushed(provider: &Provider, ask: &Ask) -> String {
    let answer = push(provider, ask).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    answer.json()["request_uri"].as_str().unwrap().to_owned()
}

/// The request by which a browser asks for what was pushed.
pub fn by_name(provider: &Provider, client: &str, name: &str) -> Ask {
    let plain = provider.ask(client);
    let names: Vec<String> = plain.params().iter().map(|(name, _)| name.clone()).collect();
    let bare = names.iter().fold(plain, |ask, name| ask.without(name));
    bare.with("client_id", client).with("request_uri", name)
}

#[tokio::test]
async fn a_pushed_request_is_answered_once_and_its_page_may_be_loaded_again() {
    let provider = Provider::start().await;
    let metadata = Answer::to(provider.http.get(provider.url("/.well-known/openid-configuration"))).await.json();
    assert_eq!(metadata["pushed_authorization_request_endpoint"], provider.url("/par"));
    assert_eq!(metadata["require_pushed_authorization_requests"], false);

    let answer = push(&provider, &provider.ask("basic").with("state", "pushed")).await;
    assert_eq!(answer.status, 201);
    assert_not_cached(&answer);
    let body: Value = answer.json();
    let name = body["request_uri"].as_str().unwrap();
    // 2.2: 128 bits or more of the name cannot be guessed.
    let secret = name.strip_prefix("urn:ietf:params:oauth:request_uri:").unwrap();
    assert!(secret.len() >= 43, "{name}");
    assert_eq!(body["expires_in"], 60);

    // What else is in the browser's request counts for nothing.
    let ask = by_name(&provider, "basic", name).with("state", "browser").with("redirect_uri", "https://evil.example/");
    let (agent, other) = (UserAgent::new(), UserAgent::new());
    let page = agent.get(&ask.url()).await;
    assert!(page.asks_for_password() && agent.get(&ask.url()).await.asks_for_password(), "loaded again");
    let elsewhere = other.get(&ask.url()).await;
    let response = provider.answer(&agent, &ask).await.response();
    assert_eq!(response["state"], "pushed");
    let granted =
        Granted { client: "basic".to_owned(), code: response["code"].clone(), redirect_uri: redirect_uri_of("basic") };
    provider.redeem(&granted).await;
    // 4: used up, for the same browser and for one that had its page already.
    assert_error_page(&agent.get(&by_name(&provider, "basic", name).url()).await, "used up");
    let late = other.sign_in(&elsewhere, crate::fixture::ALICE.0, crate::fixture::ALICE.1).await.response();
    assert_eq!((late["error"].as_str(), late["state"].as_str()), ("invalid_request_uri", "pushed"));
}

#[tokio::test]
async fn what_is_pushed_is_bound_to_its_client_and_ends() {
    let provider = Provider::start_with_clock().await;
    let agent = UserAgent::new();
    let name = pushed(&provider, &provider.ask("basic")).await;
    assert_error_page(&agent.get(&by_name(&provider, "post", &name).url()).await, "another client");
    assert_error_page(&agent.get(&by_name(&provider, "basic", &format!("{name}x")).url()).await, "unknown");
    provider.demo.move_clock(Duration::from_secs(61));
    assert_error_page(&agent.get(&by_name(&provider, "basic", &name).url()).await, "ended");
    // A public client pushes too, with its id alone.
    let name = pushed(&provider, &provider.ask("spa")).await;
    assert!(provider.answer(&agent, &by_name(&provider, "spa", &name)).await.response().contains_key("code"));
}

#[tokio::test]
async fn what_is_wrong_is_told_to_whoever_pushes() {
    let provider = Provider::start().await;
    let ask = || provider.ask("basic");
    let refused = async |ask: Ask, status: u16, error: &str| assert_error(&push(&provider, &ask).await, status, error);
    refused(ask().with("request_uri", "urn:ietf:params:oauth:request_uri:abc"), 400, "invalid_request").await;
    refused(ask().with("request_uri", "https://rp.example.com/r"), 400, "invalid_request").await;
    refused(ask().with("redirect_uri", "https://evil.example.com/cb"), 400, "invalid_request").await;
    refused(ask().with("client_id", "post"), 400, "invalid_request").await;
    refused(ask().with("scope", "nothing"), 400, "invalid_scope").await;
    refused(ask().with("resource", "https://nobody.example.com"), 400, "invalid_target").await;
    refused(ask().twice("scope", "openid"), 400, "invalid_request").await;
    refused(ask().with("prompt", "none login"), 400, "invalid_request").await;
    let wrong = provider.http.post(provider.url("/par")).form(ask().params());
    assert_error(&Answer::to(wrong.header("authorization", basic("basic", "wrong"))).await, 401, "invalid_client");
    let nobody = provider.http.post(provider.url("/par")).form(ask().params());
    assert_error(&Answer::to(nobody).await, 401, "invalid_client");
    for method in [reqwest::Method::GET, reqwest::Method::PUT, reqwest::Method::DELETE] {
        let answer = Answer::to(provider.http.request(method.clone(), provider.url("/par"))).await;
        assert_eq!((answer.status, answer.header("allow")), (405, "OPTIONS, POST"), "{method}");
    }
}

/// OpenID Connect Core, 3.1.2.1, `ui_locales`: nothing of it is in the browser's own request.
#[tokio::test]
async fn pages_speak_the_language_that_was_pushed() {
    let provider = Provider::start().await;
    for (client, consents) in [("basic", false), ("foreign", true)] {
        let ask = provider.ask(client).with("ui_locales", "fr es-MX en");
        let name = pushed(&provider, &ask).await;
        let agent = UserAgent::new();
        let came = by_name(&provider, client, &name);
        let page = agent.get(&came.url()).await;
        assert!(page.body.contains(r#"<html lang="es""#), "{}", page.body);
        // What the person chose on these pages counts more.
        let chosen = UserAgent::new().get(&format!("{}&lang=en", came.url())).await;
        assert!(chosen.body.contains(r#"<html lang="en""#), "{}", chosen.body);
        let next = agent.sign_in(&page, crate::fixture::ALICE.0, crate::fixture::ALICE.1).await;
        if consents {
            assert!(next.body.contains("solicita su permiso"), "{}", next.body);
        } else {
            assert!(next.response().contains_key("code"));
            let name = pushed(&provider, &ask.with("prompt", "select_account")).await;
            let choice = agent.follow(agent.get(&by_name(&provider, client, &name).url()).await).await;
            assert!(choice.body.contains(r#"<html lang="es""#), "{}", choice.body);
            let other = agent.press(&choice, "other", &[]).await;
            assert!(other.body.contains(r#"<html lang="es""#), "{}", other.body);
        }
    }
}

#[tokio::test]
async fn a_client_may_be_held_to_pushing() {
    let provider = Provider::start().await;
    let agent = UserAgent::new();
    let direct = agent.get(&provider.ask("pusher").url()).await.response();
    assert_eq!(direct["error"], "invalid_request");
    let name = pushed(&provider, &provider.ask("pusher")).await;
    assert!(provider.answer(&agent, &by_name(&provider, "pusher", &name)).await.response().contains_key("code"));
}
