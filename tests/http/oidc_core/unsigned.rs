//! OpenID Connect Core, 2, and Registration, 2: ID tokens of the algorithm `none`, for clients of the code flow alone.

use countersign_tests::servers::Demo;
use countersign_tests::user_agent::{Answer, UserAgent, http};
use serde_json::{Value, json};

use crate::fixture::{AFTER_LOGOUT, Provider, assert_error, read_unsigned, text};
use crate::rfc9700::secrets::Node;

const CALLBACK: &str = "https://rp.example.com/cb";

async fn register(issuer: &str, more: &Value) -> Answer {
    let mut metadata = json!({"redirect_uris": [CALLBACK], "id_token_signed_response_alg": "none"});
    metadata.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    Answer::to(http().post(format!("{issuer}/register")).json(&metadata)).await
}

#[tokio::test]
async fn an_unsigned_token_comes_by_the_token_endpoint_alone_and_proves_nothing_here() {
    let provider = Provider::start().await;
    let agent = UserAgent::new();
    let ask = provider.ask("trusting").with("scope", "openid email offline_access");
    let tokens = provider.redeem(&provider.grant(&agent, &ask).await).await;
    let token = text(&tokens, "id_token");
    let claims = read_unsigned(token);
    assert_eq!((&claims["iss"], &claims["aud"]), (&json!(provider.demo.issuer), &json!("trusting")));
    assert_eq!((&claims["nonce"], claims.get("at_hash")), (&json!("nonce-1"), None));
    let access = provider.userinfo(text(&tokens, "access_token")).await.json();
    assert_eq!(access["sub"], claims["sub"], "all else is as for others");
    let refreshed = provider.refresh("trusting", text(&tokens, "refresh_token"), "").await.json();
    assert_eq!(read_unsigned(text(&refreshed, "id_token"))["sub"], claims["sub"]);

    // Never as a hint, and never from the authorization endpoint.
    let silent = provider.ask("trusting").with("prompt", "none").with("id_token_hint", token);
    assert_eq!(agent.get(&silent.url()).await.response()["error"], "invalid_request");
    let parameters = [("id_token_hint", token), ("post_logout_redirect_uri", AFTER_LOGOUT)];
    let logout = url::Url::parse_with_params(&provider.url("/end_session"), parameters).unwrap();
    let refused = agent.get(logout.as_str()).await;
    assert!(refused.status == 400 && refused.headers.get("location").is_none(), "{}", refused.body);
    let still = agent.get(&provider.ask("trusting").with("prompt", "none").url()).await.response();
    assert!(still.contains_key("code"), "nobody was logged out: {still:?}");
    for kind in ["id_token", "code id_token", "id_token token"] {
        let answer = agent.get(&provider.ask("trusting").with("response_type", kind).url()).await;
        let location = answer.location();
        let said = format!("{}{}", location.query().unwrap_or_default(), location.fragment().unwrap_or_default());
        assert!(said.contains("error=unauthorized_client") && !said.contains("id_token="), "{kind}: {location}");
    }
}

#[tokio::test]
async fn who_may_register_it_and_who_may_not() {
    let demo = Demo::start_default().await;
    let taken = register(&demo.issuer, &json!({})).await;
    assert_eq!((taken.status, &taken.json()["id_token_signed_response_alg"]), (201, &json!("none")));
    let device = "urn:ietf:params:oauth:grant-type:device_code";
    for more in [
        json!({"response_types": ["code id_token"], "grant_types": ["authorization_code", "implicit"]}),
        json!({"response_types": ["id_token"], "grant_types": ["implicit"]}),
        json!({"response_types": ["code", "id_token token"], "grant_types": ["authorization_code", "implicit"]}),
        json!({"grant_types": ["authorization_code", device]}),
        json!({"jwks_uri": "https://rp.example.com/jwks", "id_token_encrypted_response_alg": "ECDH-ES"}),
        json!({"countersign_off": ["unsigned_id_tokens"]}),
        json!({"authorization_signed_response_alg": "none"}),
        json!({"introspection_signed_response_alg": "none"}),
        json!({
            "countersign_profile": "fapi2_security", "dpop_bound_access_tokens": true,
            "token_endpoint_auth_method": "private_key_jwt", "jwks_uri": "https://rp.example.com/jwks",
        }),
    ] {
        let answer = register(&demo.issuer, &more).await;
        assert_error(&answer, 400, "invalid_client_metadata");
    }
}

#[tokio::test]
async fn it_is_off_unless_configured() {
    for (lines, status) in [("", 400), ("[protocol]\nunsigned_id_tokens = true", 201)] {
        let node = Node::new(&format!("{lines}\n[registration]\nby = \"everybody\""));
        node.run(&["migrate"]);
        let _process = node.serve().await;
        let discovery = format!("{}/.well-known/openid-configuration", node.issuer);
        let algorithms =
            Answer::to(http().get(discovery)).await.json()["id_token_signing_alg_values_supported"].clone();
        assert_eq!(algorithms.as_array().unwrap().contains(&json!("none")), status == 201);
        let answer = register(&node.issuer, &json!({})).await;
        assert_eq!(answer.status, status, "{}", answer.body);
        if status == 400 {
            assert_error(&answer, 400, "invalid_client_metadata");
        }
        assert_eq!(register(&node.issuer, &json!({"id_token_signed_response_alg": "ES256"})).await.status, 201);
    }
}
