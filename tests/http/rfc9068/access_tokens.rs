//! RFC 9068: access tokens are JWTs that say so.

use countersign_tests::user_agent::UserAgent;
use jsonwebtoken::Algorithm;

use crate::fixture::{LAB_ACR, Provider, text};

#[tokio::test]
async fn access_token_has_type_and_claims_of_section_2() {
    let provider = Provider::start().await;
    let agent = UserAgent::new();
    let mut ids = std::collections::BTreeSet::new();
    for (client, algorithm) in [("basic", Algorithm::RS256), ("es256", Algorithm::ES256), ("basic", Algorithm::RS256)] {
        let granted = provider.grant(&agent, &provider.ask(client).with("scope", "openid email")).await;
        let tokens = provider.redeem(&granted).await;
        let (header, claims) = provider.verify(text(&tokens, "access_token"), algorithm).await;
        let identity = crate::fixture::peek(text(&tokens, "id_token"));
        assert_eq!(header.typ.as_deref(), Some("at+jwt"));
        assert_eq!(claims["iss"], provider.demo.issuer.as_str());
        assert_eq!(claims["aud"], serde_json::json!([provider.demo.issuer]));
        assert_eq!(claims["client_id"], client);
        assert_eq!(claims["scope"], tokens["scope"]);
        for same in ["sub", "auth_time", "acr"] {
            assert_eq!(claims[same], identity[same], "{same}");
        }
        assert_eq!(claims["acr"], LAB_ACR);
        assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 600);
        assert!(ids.insert(text(&claims, "jti").to_owned()), "the same jti twice");
        // Nothing about the person that nobody asked for, nor the nonce of the ID token.
        assert!(claims.get("email").is_none() && claims.get("nonce").is_none());
    }
}
