//! OpenID Connect Core 5.3.2: UserInfo as a signed JWT, for clients that registered so.

use countersign_tests::user_agent::Answer;
use jsonwebtoken::Algorithm;
use serde_json::json;

use crate::fixture::{Provider, assert_not_cached, peek, text};

#[tokio::test]
async fn a_client_that_registered_so_gets_userinfo_signed() {
    let provider = Provider::start().await;
    let metadata = Answer::to(provider.http.get(provider.url("/.well-known/openid-configuration"))).await.json();
    assert_eq!(metadata["userinfo_signing_alg_values_supported"], json!(["RS256", "PS256", "ES256", "EdDSA"]));
    let ask = provider.ask("signed").with("scope", "openid email");
    let tokens = provider.redeem(&provider.fresh_grant(&ask).await).await;
    let answer = provider.userinfo(text(&tokens, "access_token")).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/jwt"), "{}", answer.body);
    assert_not_cached(&answer);
    let (_, claims) = provider.verify(&answer.body, Algorithm::RS256).await;
    assert_eq!((&claims["iss"], &claims["aud"]), (&json!(provider.demo.issuer), &json!("signed")));
    assert_eq!(claims["sub"], peek(text(&tokens, "id_token"))["sub"]);
    assert_eq!(claims["email"], "alice@example.com");
}
