//! RFC 8252: applications on people's own machines.

use countersign_tests::user_agent::UserAgent;

use crate::consent::asks;
use crate::fixture::{Provider, assert_error_page};

/// 7.3: any port of a loopback address, and nothing else of it.
#[tokio::test]
async fn a_loopback_address_may_have_any_port_and_nothing_else_changed() {
    let provider = Provider::start().await;
    let agent = UserAgent::new();
    let to = |uri: &str| provider.ask("native").with("redirect_uri", uri);
    for uri in ["http://127.0.0.1:51004/callback", "http://127.0.0.1/callback", "http://[::1]:4711/callback?a=b"] {
        let answer = provider.answer(&agent, &to(uri)).await;
        assert!(answer.header("location").starts_with(uri), "{}", answer.header("location"));
    }
    // Of a client that is no native application the port is part of it.
    let web = provider.ask("basic").with("redirect_uri", "https://basic.example.com:8443/cb");
    assert_error_page(&agent.get(&web.url()).await, "another port of a web client");
    for uri in
        ["http://127.0.0.1:51004/callback/", "http://127.0.0.1:51004/callback?a=b", "http://[::2]:1/callback?a=b"]
    {
        assert_error_page(&agent.get(&to(uri).url()).await, uri);
    }
}

/// 8.6: whoever can read the redirect can pretend to be it, so its person is asked each time.
#[tokio::test]
async fn a_native_application_is_asked_for_always() {
    let provider = Provider::start().await;
    let agent = UserAgent::new();
    let native = provider.ask("foreign-native");
    provider.allowed(&agent, &native).await;
    assert!(asks(&provider.arrive(&agent, &native).await));
    let silent = agent.get(&native.with("prompt", "none").url()).await.response();
    assert_eq!(silent["error"], "consent_required");
}
