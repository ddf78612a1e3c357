//! RFC 8707: tokens for the resource server that is named, with what means something there.

use countersign_tests::user_agent::{Answer, UserAgent};
use jsonwebtoken::Algorithm;
use serde_json::json;

use crate::fixture::{Provider, assert_error, basic, text};

/// The resource server of CONTRACT.md.
const CASES: &str = "https://cases.example.com/api";

async fn on_own_behalf(provider: &Provider, more: &[(&str, &str)]) -> Answer {
    let form = [&[("grant_type", "client_credentials")], more].concat();
    let header = basic("reporting-service", "reporting-service-demo-secret");
    Answer::to(provider.token_request(&form).header("authorization", header)).await
}

/// Section 2.2: the audience is the resource, the scope what it knows; RFC 9068, 3 where none is named.
#[tokio::test]
async fn a_service_gets_tokens_for_the_resource_it_names() {
    let provider = Provider::start().await;
    for more in [&[][..], &[("resource", CASES)], &[("resource", CASES), ("resource", CASES), ("scope", "cases.read")]]
    {
        let answer = on_own_behalf(&provider, more).await;
        assert_eq!(answer.status, 200, "{more:?}: {}", answer.body);
        assert_eq!(answer.json()["scope"], "cases.read");
        let (_, claims) = provider.verify(text(&answer.json(), "access_token"), Algorithm::RS256).await;
        assert_eq!((&claims["aud"], &claims["scope"]), (&json!([CASES]), &json!("cases.read")));
        assert_ne!(provider.userinfo(text(&answer.json(), "access_token")).await.status, 200);
    }
    for wrong in ["https://unknown.example.com", "cases", "/api", &format!("{CASES}#part"), &format!("{CASES}/")] {
        assert_error(&on_own_behalf(&provider, &[("resource", wrong)]).await, 400, "invalid_target");
    }
}

/// A token for an API is not one for UserInfo, and the provider itself is a resource like any other.
#[tokio::test]
async fn one_grant_gives_tokens_for_one_resource_at_a_time() {
    let provider = Provider::start().await;
    let agent = UserAgent::new();
    let ask = provider.ask("cases").with("scope", "openid email offline_access cases.read");
    let granted = provider.grant(&agent, &ask).await;
    assert_error(
        &provider.redeem_with(&granted, &[("resource", "https://unknown.example.com")]).await,
        400,
        "invalid_target",
    );
    let answer = provider.redeem_with(&granted, &[("resource", CASES)]).await;
    assert_eq!(answer.status, 200, "the refusal spent nothing: {}", answer.body);
    let tokens = answer.json();
    assert_eq!(tokens["scope"], "cases.read");
    assert!(tokens["id_token"].is_string(), "the ID token is for the client");
    let (_, claims) = provider.verify(text(&tokens, "access_token"), Algorithm::RS256).await;
    assert_eq!(claims["aud"], json!([CASES]));
    assert_eq!(provider.userinfo(text(&tokens, "access_token")).await.status, 401);

    let form = |token| [("grant_type", "refresh_token"), ("refresh_token", token), ("resource", &provider.demo.issuer)];
    let own = provider.token("cases", &form(text(&tokens, "refresh_token"))).await.json();
    assert_eq!(own["scope"], "email openid");
    assert_eq!(provider.userinfo(text(&own, "access_token")).await.status, 200);

    // Nothing named: for both, since the scope speaks of both.
    let both = provider.refresh("cases", text(&own, "refresh_token"), "").await.json();
    let (_, claims) = provider.verify(text(&both, "access_token"), Algorithm::RS256).await;
    assert_eq!(claims["aud"], json!([provider.demo.issuer, CASES]));
    assert_eq!(provider.userinfo(text(&both, "access_token")).await.status, 200);
}
