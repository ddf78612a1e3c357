//! What the provider refuses to take: compressed bodies, long requests, too many sign-ins from one address.

use countersign_tests::servers::DemoOptions;
use countersign_tests::user_agent::{Answer, UserAgent};

use crate::fixture::{ALICE, Provider, assert_error_page};

#[tokio::test]
async fn compressed_and_overlong_requests_are_refused_before_they_are_read() {
    let provider = Provider::start().await;
    for path in ["/token", "/userinfo", "/authorization", "/flow/AAAAAAAAAAAAAAAAAAAAAA"] {
        let request = provider.http.post(provider.url(path)).header("content-encoding", "gzip");
        let form = request.header("content-type", "application/x-www-form-urlencoded").body("a=b");
        assert_eq!(Answer::to(form).await.status, 415, "{path}");
    }
    let agent = UserAgent::new();
    let long = provider.ask("basic").with("padding", "x".repeat(9 * 1024));
    assert_error_page(&agent.get(&long.url()).await, "GET");
    assert_error_page(&agent.post(&provider.url("/authorization"), long.params()).await, "POST");
    let shorter = provider.ask("basic").with("padding", "x".repeat(6 * 1024));
    let page = agent.get(&shorter.url()).await;
    let answer = agent.sign_in(&page, ALICE.0, ALICE.1).await;
    assert!(answer.response().contains_key("code"), "a request that is let in can be finished");
}

#[tokio::test]
async fn a_long_state_comes_back_whole() {
    let provider = Provider::start().await;
    let state = "\u{e9}".repeat(600);
    let response = provider.answer(&UserAgent::new(), &provider.ask("basic").with("state", &state)).await.response();
    assert_eq!(response.get("state"), Some(&state));
    assert!(response.contains_key("code"));
}

#[tokio::test]
async fn an_address_that_begins_too_many_sign_ins_is_told_to_wait() {
    let limit = ("COUNTERSIGN__LIMITS__STARTS".to_owned(), "2".to_owned());
    let provider = Provider::start_with(DemoOptions { env: vec![limit], ..DemoOptions::default() }).await;
    for attempt in 1..=3 {
        let agent = UserAgent::new();
        let page = agent.get(&provider.ask("basic").url()).await;
        let answer = agent.press(&page, "login", &[("email", ALICE.0), ("password", "wrong")]).await;
        let expected = if attempt <= 2 { 303 } else { 503 };
        assert_eq!(answer.status, expected, "sign-in {attempt}");
        assert_eq!(answer.header("retry-after").is_empty(), attempt <= 2, "sign-in {attempt}");
    }
}

#[tokio::test]
async fn consent_that_cannot_be_asked_for_is_an_error() {
    let provider = Provider::start().await;
    let answer = UserAgent::new().get(&provider.ask("basic").with("prompt", "consent").url()).await;
    assert_eq!(answer.response().get("error").map(String::as_str), Some("consent_required"));
}
