//! OpenID Connect Session Management 1.0: `session_state` (2), the browser's state (3.2), the page that is framed (3.3).

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_tests::user_agent::{Answer, UserAgent};

use crate::fixture::{Provider, text};

/// What the script of the page computes.
fn expected(client: &str, browser: &str, salt: &str) -> String {
    let text = format!("{client} https://{client}.example.com {browser} {salt}");
    format!("{}.{salt}", URL_SAFE_NO_PAD.encode(digest(&SHA256, text.as_bytes())))
}

#[tokio::test]
async fn an_answer_holds_what_tells_the_session_from_any_other() {
    let provider = Provider::start().await;
    let agent = UserAgent::new();
    let first = provider.answer(&agent, &provider.ask("basic")).await;
    let cookies: Vec<_> =
        first.headers.get_all("set-cookie").iter().filter_map(|cookie| cookie.to_str().ok()).collect();
    let cookie = cookies.iter().find(|cookie| cookie.starts_with("cs_state=")).expect("a cookie");
    assert!(!cookie.contains("HttpOnly"), "the page reads it: {cookie}");
    let browser = agent.cookie("cs_state").unwrap();
    let check = |answer: &Answer, client: &str| {
        let state = answer.response()["session_state"].clone();
        let salt = state.split_once('.').unwrap().1.to_owned();
        assert_eq!(state, expected(client, &browser, &salt));
        salt
    };
    let salt = check(&first, "basic");
    for client in ["basic", "leaving"] {
        let silent = agent.get(&provider.ask(client).with("prompt", "none").url()).await;
        assert_ne!(check(&silent, client), salt, "{client}");
    }
    // A browser that lost it gets it again.
    agent.set_cookie("cs_state", "");
    agent.get(&provider.ask("basic").with("prompt", "none").url()).await;
    assert_eq!(agent.cookie("cs_state").as_deref(), Some(browser.as_str()));
    // Another sign-in, and a logout, change it.
    let granted = provider.grant(&agent, &provider.ask("basic").with("prompt", "login")).await;
    assert_ne!(agent.cookie("cs_state").as_deref(), Some(browser.as_str()));
    let tokens = provider.redeem(&granted).await;
    agent.get(&format!("{}?id_token_hint={}", provider.url("/end_session"), text(&tokens, "id_token"))).await;
    assert_eq!(agent.cookie("cs_state").as_deref(), Some(""));
}

#[tokio::test]
async fn the_page_may_be_framed_by_anybody_and_runs_its_own_script_alone() {
    let provider = Provider::start().await;
    let metadata = Answer::to(provider.http.get(provider.url("/.well-known/openid-configuration"))).await.json();
    let page = Answer::to(provider.http.get(text(&metadata, "check_session_iframe"))).await;
    assert_eq!(page.status, 200);
    assert_eq!(page.header("content-security-policy"), "default-src 'none'; script-src 'self'; base-uri 'none'");
    assert_eq!(page.header("x-frame-options"), "");
    let script = page.body.split(r#"src=""#).nth(1).unwrap().split('"').next().unwrap();
    let script = Answer::to(provider.http.get(provider.url(script))).await;
    assert!(script.status == 200 && script.body.contains("addEventListener(\"message\""));
    assert!(page.body.contains(r#"data-cookie="cs_state""#));
}
