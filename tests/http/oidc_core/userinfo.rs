//! OpenID Connect Core 5.3.2: UserInfo as a signed JWT, for clients that registered so; 5.5: `acr` by name.

use countersign_tests::user_agent::Answer;
use jsonwebtoken::Algorithm;
use serde_json::{Value, json};

use crate::fixture::{EVERYTHING, LAB_ACR, Provider, assert_not_cached, peek, text};

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

/// 5.5: UserInfo says how the person signed in to who asked for it there, and to nobody else.
#[tokio::test]
async fn acr_is_told_where_it_was_asked_for_by_name() {
    let provider = Provider::start().await;
    let told = async |claims: &str| {
        let ask = provider.ask("basic").with("scope", EVERYTHING).with("claims", claims);
        let tokens = provider.redeem(&provider.fresh_grant(&ask).await).await;
        assert_eq!(peek(text(&tokens, "id_token"))["acr"], LAB_ACR, "{claims}");
        provider.userinfo(text(&tokens, "access_token")).await.json()["acr"].clone()
    };
    assert_eq!(told(r#"{"userinfo":{"acr":null}}"#).await, LAB_ACR);
    assert_eq!(told(r#"{"userinfo":{"acr":{"essential":true,"values":["urn:another"]}}}"#).await, LAB_ACR);
    assert_eq!(told(r#"{"userinfo":{"email":null},"id_token":{"acr":null}}"#).await, Value::Null);
}
