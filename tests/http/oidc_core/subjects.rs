//! OpenID Connect Core, 8: identifiers of people that the clients of one sector see alone.

use countersign_tests::provider::serve_json;
use countersign_tests::user_agent::{Answer, UserAgent};
use serde_json::{Value, json};

use crate::fixture::{ALICE, CHALLENGE, Provider, VERIFIER, assert_error, basic, peek, text};

async fn register(provider: &Provider, redirects: &[&str], more: &Value) -> Answer {
    let mut metadata = json!({"redirect_uris": redirects, "subject_type": "pairwise"});
    metadata.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    Answer::to(provider.http.post(provider.url("/register")).json(&metadata)).await
}

fn authorization(provider: &Provider, client: &Value, more: &[(&str, &str)]) -> String {
    let common = [
        ("response_type", "code"),
        ("client_id", text(client, "client_id")),
        ("redirect_uri", client["redirect_uris"][0].as_str().unwrap()),
        ("scope", "openid"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    let params = common.iter().chain(more);
    url::Url::parse_with_params(&provider.url("/authorization"), params).unwrap().to_string()
}

/// Alice signs in; the ID token, and what her tokens and UserInfo call her, which is the same.
async fn sign_in(provider: &Provider, agent: &UserAgent, client: &Value) -> (String, String) {
    let page = agent.get(&authorization(provider, client, &[])).await;
    let answer = if page.asks_for_password() { agent.sign_in(&page, ALICE.0, ALICE.1).await } else { page };
    let code = answer.response()["code"].clone();
    let form = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", client["redirect_uris"][0].as_str().unwrap()),
        ("code_verifier", VERIFIER),
    ];
    let header = basic(text(client, "client_id"), text(client, "client_secret"));
    let tokens = Answer::to(provider.token_request(&form).header("authorization", header)).await.json();
    let (identity, access) = (text(&tokens, "id_token"), text(&tokens, "access_token"));
    let subject = peek(identity)["sub"].as_str().unwrap().to_owned();
    assert_eq!(peek(access)["sub"], subject);
    assert_eq!(provider.userinfo(access).await.json()["sub"], subject);
    (identity.to_owned(), subject)
}

#[tokio::test]
async fn a_sector_has_identifiers_of_its_own() {
    let provider = Provider::start().await;
    let metadata = Answer::to(provider.http.get(provider.url("/.well-known/openid-configuration"))).await.json();
    assert_eq!(metadata["subject_types_supported"], json!(["public", "pairwise"]));
    let agent = UserAgent::new();
    let one = register(&provider, &["https://one.example.com/cb"], &json!({})).await.json();
    let twin = register(&provider, &["https://one.example.com/other"], &json!({})).await.json();
    let two = register(&provider, &["https://two.example.com/cb"], &json!({})).await.json();
    let public = register(&provider, &["https://one.example.com/cb"], &json!({"subject_type": "public"})).await.json();
    let (hint, first) = sign_in(&provider, &agent, &one).await;
    let (_, same) = sign_in(&provider, &agent, &twin).await;
    let (foreign, other) = sign_in(&provider, &agent, &two).await;
    let (_, known) = sign_in(&provider, &agent, &public).await;
    assert_eq!(first, same);
    assert!(first != other && first != known && other != known);

    // A hint speaks of the person by the name its client knows (Core, 3.1.2.1).
    let silent = [("prompt", "none"), ("id_token_hint", hint.as_str())];
    let answer = agent.get(&authorization(&provider, &one, &silent)).await;
    assert!(answer.response().contains_key("code"), "{:?}", answer.response());
    let claims = json!({"id_token": {"sub": {"value": known}}}).to_string();
    let silent = [("prompt", "none"), ("claims", claims.as_str())];
    let answer = agent.get(&authorization(&provider, &one, &silent)).await;
    assert_eq!(answer.response()["error"], "login_required");
    let silent = [("prompt", "none"), ("id_token_hint", foreign.as_str())];
    let answer = agent.get(&authorization(&provider, &one, &silent)).await;
    assert_eq!(answer.response()["error"], "invalid_request");
}

#[tokio::test]
async fn a_sector_of_several_hosts_is_told_by_a_document_that_lists_them() {
    let provider = Provider::start().await;
    let uris = ["https://one.example.com/cb", "https://two.example.com/cb"];
    assert_error(&register(&provider, &uris, &json!({})).await, 400, "invalid_client_metadata");
    let address = serve_json(|asked| match asked.path.as_str() {
        "/both" => Some((200, json!(["https://one.example.com/cb", "https://two.example.com/cb"]).to_string())),
        "/one" => Some((200, json!(["https://one.example.com/cb"]).to_string())),
        "/object" => Some((200, json!({}).to_string())),
        _ => Some((404, "[]".to_owned())),
    })
    .await;
    let sector = |path: &str| json!({"sector_identifier_uri": format!("{address}{path}")});
    for path in ["/one", "/object", "/none"] {
        assert_error(&register(&provider, &uris, &sector(path)).await, 400, "invalid_client_metadata");
    }
    let answer = register(&provider, &uris, &sector("/both")).await;
    assert_eq!((answer.status, answer.json()["subject_type"].clone()), (201, json!("pairwise")), "{}", answer.body);
    let far = json!({"sector_identifier_uri": "http://one.example.com/both"});
    assert_error(&register(&provider, &uris, &far).await, 400, "invalid_client_metadata");
}
