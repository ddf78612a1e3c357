//! Two secrets of one client at the same time, while it changes from the one to the other.

use countersign_model::{AuthMethod, ClientId, Seconds};
use countersign_protocol::Params;
use countersign_service::{Provider, RequestContext, TokenCall};
use countersign_tests::provider::{House, encode, register_client};
use jsonwebtoken::{EncodingKey, Header};
use secrecy::ExposeSecret as _;
use serde_json::json;

on_both_stores![two_secrets_live_while_one_replaces_the_other];

const FIRST: &str = "the-first-secret-of-the-tests-0123456789";
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Whether a token request with these credentials succeeds.
async fn passes(node: &Provider, credentials: &str) -> bool {
    let form = Params::parse_form(format!("grant_type=client_credentials&{credentials}").as_bytes()).unwrap();
    let (query, context) = (Params::default(), RequestContext::default());
    let call =
        TokenCall { authorization: None, query: &query, form: &form, dpop: None, certificate: None, context: &context };
    node.token(call).await.unwrap().is_ok()
}

/// Whether `secret` proves the client by each method: shown, and as the key of an assertion.
async fn proves(house: &House, node: &Provider, secret: &str) -> [bool; 2] {
    let now = house.clock.now().as_secs();
    let claims = json!({"iss": "signs", "sub": "signs", "aud": "https://id.example", "exp": now + 60,
        "jti": format!("{secret}-{now}")});
    let assertion = jsonwebtoken::encode(&Header::default(), &claims, &EncodingKey::from_secret(secret.as_bytes()));
    let shown = format!("client_id=shows&client_secret={}", encode(secret));
    let signed = format!("client_assertion_type={}&client_assertion={}", encode(ASSERTION_TYPE), assertion.unwrap());
    [passes(node, &shown).await, passes(node, &signed).await]
}

async fn two_secrets_live_while_one_replaces_the_other(house: House) {
    let node = house.node().await;
    let ids: [ClientId; 2] = ["shows", "signs"].map(|id| id.parse().unwrap());
    for (id, method) in ids.iter().zip([AuthMethod::ClientSecretPost, AuthMethod::ClientSecretJwt]) {
        let client = json!({"client_id": id.as_str(), "client_secret": FIRST, "redirect_uris": [],
            "grant_types": ["client_credentials"], "scope": "jobs.read", "token_endpoint_auth_method": method.as_str()});
        register_client(&node, client).await;
    }
    assert_eq!(proves(&house, &node, FIRST).await, [true; 2]);
    for id in &ids {
        let second = node.rotate_client_secret(id, Seconds::hours(1)).await.unwrap().expect("another secret");
        let (second, own) = (second.expose_secret(), usize::from(id.as_str() == "signs"));
        assert_ne!(second, FIRST);
        for _ in 0..2 {
            house.clock.pass(Seconds::minutes(1));
            assert!(proves(&house, &node, FIRST).await[own] && proves(&house, &node, second).await[own], "{id}");
        }
        house.clock.pass(Seconds::minutes(58));
        assert!(!proves(&house, &node, FIRST).await[own], "{id}: its hour is over");
        assert!(proves(&house, &node, second).await[own], "{id}");
        assert!(!proves(&house, &node, "neither-of-the-two-0123456789").await[own], "{id}");
    }
}
