//! JWT Secured Authorization Response Mode for OAuth 2.0 (JARM).

use countersign_tests::user_agent::{UserAgent, once};
use jsonwebtoken::Algorithm;
use serde_json::json;

use crate::fixture::{Granted, Provider, redirect_uri_of};

#[tokio::test]
async fn answers_are_one_signed_jwt_in_every_mode() {
    let provider = Provider::start().await;
    let agent = UserAgent::new();
    let modes = [("jwt", "?"), ("query.jwt", "?"), ("fragment.jwt", "#"), ("form_post.jwt", "")];
    for (mode, start) in modes {
        for (error, ask) in [(false, provider.ask("basic")), (true, provider.ask("basic").with("scope", "nothing"))] {
            let answer = provider.answer(&agent, &ask.with("response_mode", mode)).await;
            let parameters = if start.is_empty() {
                once(answer.form("").hidden.into_iter())
            } else {
                let location = answer.location();
                let text = if start == "?" { location.query() } else { location.fragment() };
                once(url::form_urlencoded::parse(text.unwrap().as_bytes()).into_owned())
            };
            assert_eq!(parameters.keys().collect::<Vec<_>>(), ["response"], "{mode}");
            let (_, claims) = provider.verify(&parameters["response"], Algorithm::RS256).await;
            // 2.1: issuer, audience, end; then what the answer is.
            assert_eq!((&claims["iss"], &claims["aud"]), (&json!(provider.demo.issuer), &json!("basic")), "{mode}");
            assert!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap() <= 600);
            assert_eq!(claims["state"], "state-1");
            if error {
                assert_eq!(claims["error"], "invalid_scope");
                continue;
            }
            let granted = Granted {
                client: "basic".to_owned(),
                code: claims["code"].as_str().unwrap().to_owned(),
                redirect_uri: redirect_uri_of("basic"),
            };
            provider.redeem(&granted).await;
        }
    }
}

#[tokio::test]
async fn the_registered_algorithm_signs_and_no_token_travels_in_a_query() {
    let provider = Provider::start().await;
    let agent = UserAgent::new();
    let answer = provider.answer(&agent, &provider.ask("signer").with("response_mode", "jwt")).await;
    let (_, claims) = provider.verify(&answer.response()["response"], Algorithm::ES256).await;
    assert!(claims["code"].is_string());
    // 2.3.1
    let tokens = provider.ask("hybrid").with("response_type", "code id_token").with("response_mode", "query.jwt");
    let location = agent.get(&tokens.url()).await.location();
    assert!(location.query().is_none() && location.fragment().unwrap().starts_with("response="), "{location}");
}
