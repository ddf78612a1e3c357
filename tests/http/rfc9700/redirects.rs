//! RFC 9700: best current practice for OAuth 2.0 security, as far as no other module's specification says it.

use countersign_tests::user_agent::{Answer, UserAgent};

use crate::fixture::{ALICE, Provider};

/// 4.1.3: a fragment of our own, lest the browser carry an old one along; 4.2.4: no referrer; 4.12: 303.
#[tokio::test]
async fn redirects_repeat_no_password_and_carry_no_fragment_along() {
    let provider = Provider::start().await;
    let agent = UserAgent::new();
    let page = agent.get(&provider.ask("basic").url()).await;
    let posted = agent.press(&page, "login", &[("email", ALICE.0), ("password", ALICE.1)]).await;
    assert_eq!(posted.status, 303);
    let answer = agent.follow(posted).await;
    let refused = agent.get(&provider.ask("basic").with("prompt", "dance").url()).await;
    for answer in [&answer, &refused] {
        assert_eq!(answer.status, 303);
        assert_eq!(answer.location().fragment(), Some("_"));
        assert_eq!(answer.header("referrer-policy"), "no-referrer");
        assert_eq!(answer.header("cache-control"), "no-store");
    }
    assert_eq!(page.header("referrer-policy"), "no-referrer");
}

/// 2.6: no page of another origin reads the authorization endpoint's answers.
#[tokio::test]
async fn authorization_endpoint_allows_no_cross_origin_reads() {
    let provider = Provider::start().await;
    let url = provider.ask("basic").url();
    for request in [provider.http.get(&url), provider.http.request(reqwest::Method::OPTIONS, &url)] {
        let answer = Answer::to(request.header("origin", "https://basic.example.com")).await;
        assert_eq!(answer.header("access-control-allow-origin"), "");
    }
}
