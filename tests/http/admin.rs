//! The admin API over HTTP: RFC 6750 answers, and the timeline as JSON.

use countersign_tests::user_agent::Answer;

use crate::fixture::{Provider, assert_not_cached, text};

async fn token(provider: &Provider, scope: &str) -> String {
    let answer = provider.token("help-desk", &[("grant_type", "client_credentials"), ("scope", scope)]).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    text(&answer.json(), "access_token").to_owned()
}

#[tokio::test]
async fn a_timeline_is_json_for_a_token_with_the_scope_and_a_challenge_for_others() {
    let provider = Provider::start().await;
    let url = |who: &str| provider.url(&format!("/admin/api/v1/users/{who}/timeline"));
    let (right, narrow) = (token(&provider, "users.read").await, token(&provider, "orders.read").await);
    for (who, expected) in [("alice%40example.com", 200), ("alice@example.com", 200), ("nobody", 404)] {
        let answer = Answer::to(provider.http.get(url(who)).bearer_auth(&right)).await;
        assert_eq!(answer.status, expected, "{who}: {}", answer.body);
        assert!(answer.header("content-type").starts_with("application/json"));
        assert_not_cached(&answer);
        if expected == 200 {
            assert_eq!(answer.json()["person"]["email"], "a*****@example.com");
        }
    }
    let alice = url("alice%40example.com");
    let cases = [
        (provider.http.get(&alice), 401, "Bearer"),
        (provider.http.get(&alice).bearer_auth("no.such.token"), 401, "error=\"invalid_token\""),
        (provider.http.get(&alice).bearer_auth(&narrow), 403, "scope=\"users.read\""),
        (provider.http.get(format!("{alice}?access_token={right}")), 400, "error=\"invalid_request\""),
        (provider.http.post(&alice).bearer_auth(&right), 405, ""),
    ];
    for (request, status, challenge) in cases {
        let answer = Answer::to(request).await;
        assert_eq!(answer.status, status, "{}", answer.body);
        assert!(answer.header("www-authenticate").contains(challenge), "{}", answer.header("www-authenticate"));
    }
}
