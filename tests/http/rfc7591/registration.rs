//! RFC 7591 and 7592, OpenID Connect Registration: clients that register themselves.

use countersign_tests::servers::DemoOptions;
use countersign_tests::user_agent::{Answer, UserAgent};
use serde_json::{Value, json};

use crate::fixture::{ALICE, CHALLENGE, Provider, VERIFIER, assert_error, basic, text};

const INITIAL: &str = "demo-initial-access-token";
const REDIRECT: &str = "https://rp.example.com/cb";

async fn register(provider: &Provider, metadata: &Value) -> Answer {
    Answer::to(provider.http.post(provider.url("/register")).json(metadata)).await
}

async fn registered(provider: &Provider, metadata: &Value) -> Value {
    let answer = register(provider, metadata).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    assert_eq!(answer.header("cache-control"), "no-store");
    answer.json()
}

fn metadata() -> Value {
    json!({"redirect_uris": [REDIRECT], "client_name": "Suite", "grant_types": ["authorization_code", "refresh_token"]})
}

fn with(members: &Value) -> Value {
    let mut metadata = metadata();
    metadata.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    metadata
}

/// Alice signs in for a client that registered itself; its tokens.
async fn sign_in(provider: &Provider, client: &Value) -> Value {
    let id = text(client, "client_id");
    let params = [
        ("response_type", "code"),
        ("client_id", id),
        ("redirect_uri", REDIRECT),
        ("scope", "openid"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    let url = url::Url::parse_with_params(&provider.url("/authorization"), params).unwrap();
    let agent = UserAgent::new();
    let page = agent.get(url.as_str()).await;
    let code = agent.sign_in(&page, ALICE.0, ALICE.1).await.response()["code"].clone();
    let form = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", REDIRECT),
        ("code_verifier", VERIFIER),
    ];
    let request = provider.token_request(&form).header("authorization", basic(id, text(client, "client_secret")));
    let answer = Answer::to(request).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()
}

#[tokio::test]
async fn a_client_registers_itself_signs_people_in_and_goes_again() {
    let provider = Provider::start().await;
    let discovery = Answer::to(provider.http.get(provider.url("/.well-known/openid-configuration"))).await.json();
    assert_eq!(discovery["registration_endpoint"], provider.url("/register"));
    let client = registered(&provider, &metadata()).await;
    // RFC 7591, 3.2.1: everything that was registered, defaults too.
    for (name, value) in [
        ("token_endpoint_auth_method", json!("client_secret_basic")),
        ("response_types", json!(["code"])),
        ("application_type", json!("web")),
        ("client_name", json!("Suite")),
        ("redirect_uris", json!([REDIRECT])),
        ("client_secret_expires_at", json!(0)),
        ("countersign_policy", json!("lab")),
    ] {
        assert_eq!(client[name], value, "{name}");
    }
    let tokens = sign_in(&provider, &client).await;
    let access = text(&tokens, "access_token");
    assert_eq!(provider.userinfo(access).await.status, 200);

    let (own, token) = (text(&client, "registration_client_uri"), text(&client, "registration_access_token"));
    let read = Answer::to(provider.http.get(own).bearer_auth(token)).await;
    assert_eq!((read.status, read.json()["client_name"].clone()), (200, json!("Suite")));
    assert!(read.json().get("client_secret").is_none());
    // Without the token, or with another's, nobody learns anything.
    let other = registered(&provider, &metadata()).await;
    for wrong in ["wrong", text(&other, "registration_access_token"), INITIAL] {
        let answer = Answer::to(provider.http.get(own).bearer_auth(wrong)).await;
        assert_error(&answer, 401, "invalid_token");
    }
    assert_eq!(Answer::to(provider.http.get(own)).await.status, 401);

    // RFC 7592, 2.2: what is left out is gone; the secret stays.
    let replaced = json!({"client_id": client["client_id"], "redirect_uris": [REDIRECT], "scope": "openid"});
    let answer = Answer::to(provider.http.put(own).bearer_auth(token).json(&replaced)).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert!(answer.json().get("client_name").is_none());
    sign_in(&provider, &client).await;
    for foreign in [json!({"redirect_uris": [REDIRECT]}), json!({"client_id": "other", "redirect_uris": [REDIRECT]})] {
        let answer = Answer::to(provider.http.put(own).bearer_auth(token).json(&foreign)).await;
        assert_error(&answer, 400, "invalid_client_metadata");
    }

    // RFC 7592, 2.3: its tokens end with it.
    assert_eq!(Answer::to(provider.http.delete(own).bearer_auth(token)).await.status, 204);
    assert_error(&Answer::to(provider.http.get(own).bearer_auth(token)).await, 401, "invalid_token");
    assert_eq!(provider.userinfo(access).await.status, 401);
}

#[tokio::test]
async fn unsound_metadata_is_refused_with_its_registered_error() {
    let provider = Provider::start().await;
    for (metadata, error) in [
        (json!({}), "invalid_redirect_uri"),
        (with(&json!({"redirect_uris": ["https://rp.example.com/cb#part"]})), "invalid_redirect_uri"),
        (with(&json!({"redirect_uris": ["http://rp.example.com/cb"]})), "invalid_redirect_uri"),
        (with(&json!({"redirect_uris": ["javascript:alert(1)"]})), "invalid_redirect_uri"),
        (with(&json!({"redirect_uris": "https://rp.example.com/cb"})), "invalid_client_metadata"),
        (with(&json!({"response_types": ["id_token"]})), "invalid_client_metadata"),
        (with(&json!({"grant_types": ["password"]})), "invalid_client_metadata"),
        (with(&json!({"token_endpoint_auth_method": "magic"})), "invalid_client_metadata"),
        (with(&json!({"id_token_encrypted_response_alg": "RSA-OAEP"})), "invalid_client_metadata"),
        (with(&json!({"logo_uri": "javascript:alert(1)"})), "invalid_client_metadata"),
        (with(&json!({"contacts": "a@b"})), "invalid_client_metadata"),
        (with(&json!({"client_name": "x".repeat(1001)})), "invalid_client_metadata"),
        (with(&json!({"initiate_login_uri": "http://rp.example.com/login"})), "invalid_client_metadata"),
        (with(&json!({"countersign_policy": "no-such"})), "invalid_client_metadata"),
        (with(&json!({"scope": "openid users.read"})), "invalid_client_metadata"),
        (with(&json!({"client_id": "chosen"})), "invalid_client_metadata"),
        (with(&json!({"client_secret": "chosen-by-the-client"})), "invalid_client_metadata"),
        (with(&json!({"software_statement": "eyJ"})), "invalid_software_statement"),
        (json!(["no", "object"]), "invalid_client_metadata"),
    ] {
        assert_error(&register(&provider, &metadata).await, 400, error);
    }
    let broken = provider.http.post(provider.url("/register")).header("content-type", "application/json").body("{");
    assert_error(&Answer::to(broken).await, 400, "invalid_client_metadata");
    // What only an operator decides is not taken from the client.
    let client = registered(&provider, &with(&json!({"countersign_required_acr": ["x"], "unknown": 1}))).await;
    assert!(client.get("countersign_required_acr").is_none() && client.get("unknown").is_none());
}

#[tokio::test]
async fn public_clients_get_no_secret() {
    let provider = Provider::start().await;
    let client = registered(&provider, &with(&json!({"token_endpoint_auth_method": "none"}))).await;
    assert!(client.get("client_secret").is_none());
    let (own, token) = (text(&client, "registration_client_uri"), text(&client, "registration_access_token"));
    let grown = with(&json!({"client_id": client["client_id"], "token_endpoint_auth_method": "client_secret_basic"}));
    let answer = Answer::to(provider.http.put(own).bearer_auth(token).json(&grown)).await;
    assert_error(&answer, 400, "invalid_client_metadata");
}

#[tokio::test]
async fn an_initial_access_token_is_looked_at_where_it_is_presented() {
    let open = Provider::start().await;
    let post = |provider: &Provider| provider.http.post(provider.url("/register")).json(&metadata());
    assert_eq!(Answer::to(post(&open).bearer_auth(INITIAL)).await.status, 201);
    assert_error(&Answer::to(post(&open).bearer_auth("wrong")).await, 401, "invalid_token");
    assert_error(
        &Answer::to(open.http.post(open.url("/register?access_token=x")).json(&metadata())).await,
        400,
        "invalid_request",
    );
}

#[tokio::test]
async fn the_number_of_clients_is_bounded() {
    let env = vec![("COUNTERSIGN__REGISTRATION__MOST_CLIENTS".to_owned(), "2".to_owned())];
    let provider = Provider::start_with(DemoOptions { env, ..DemoOptions::default() }).await;
    for status in [201, 201, 503] {
        assert_eq!(register(&provider, &metadata()).await.status, status);
    }
}

/// OpenID Connect Registration, 2 (`require_auth_time`); Core, 2: whoever asks for it has `auth_time` in every ID token,
/// and so has everybody else.
#[tokio::test]
async fn auth_time_is_there_for_who_requires_it_and_who_does_not() {
    let provider = Provider::start().await;
    for required in [true, false] {
        let client = registered(&provider, &with(&json!({"require_auth_time": required}))).await;
        assert_eq!(client["require_auth_time"], required);
        let tokens = sign_in(&provider, &client).await;
        let claims = crate::fixture::peek(text(&tokens, "id_token"));
        let (at, issued) = (claims["auth_time"].as_i64().unwrap(), claims["iat"].as_i64().unwrap());
        assert!((issued - 60..=issued).contains(&at), "{claims}");
    }
    assert_error(
        &register(&provider, &with(&json!({"require_auth_time": "yes"}))).await,
        400,
        "invalid_client_metadata",
    );
}
