//! What applications read that come from Azure AD B2C: the name of the policy in `p`, `tfp` and `acr`.

use countersign_tests::user_agent::UserAgent;
use jsonwebtoken::Algorithm;
use serde_json::json;

use crate::fixture::{LAB_ACR, Provider, text};

/// docs/MOVING-FROM-B2C.md: `moved` calls the policy `lab` `B2C_1_signin`, and is told `tfp` and `acr`.
#[tokio::test]
async fn an_application_goes_on_with_the_names_of_its_user_flows() {
    let provider = Provider::start().await;
    let agent = UserAgent::new();
    let ask = provider.ask("moved").with("p", "b2c_1_SIGNIN");
    let tokens = provider.redeem(&provider.grant(&agent, &ask).await).await;
    for token in ["id_token", "access_token"] {
        let (_, claims) = provider.verify(text(&tokens, token), Algorithm::RS256).await;
        assert_eq!((&claims["tfp"], &claims["acr"]), (&json!("B2C_1_signin"), &json!("B2C_1_signin")), "{token}");
    }
    let unknown = agent.get(&provider.ask("moved").with("p", "B2C_1_other").url()).await;
    assert_eq!(unknown.response()["error"], "invalid_request");

    // Nobody else is told, and nobody else's names count.
    let tokens = provider.redeem(&provider.grant(&agent, &provider.ask("basic")).await).await;
    for token in ["id_token", "access_token"] {
        let (_, claims) = provider.verify(text(&tokens, token), Algorithm::RS256).await;
        assert_eq!((claims.get("tfp"), &claims["acr"]), (None, &json!(LAB_ACR)), "{token}");
    }
    let foreign = agent.get(&provider.ask("basic").with("p", "B2C_1_signin").url()).await;
    assert_eq!(foreign.response()["error"], "invalid_request");
}
