//! Clients of the tests, and what they ask the token endpoint for.

use countersign_protocol::{OAuthError, Params};
use countersign_service::{ClientRegistration, Provider, RequestContext, ServiceError, TokenCall};
use serde_json::{Value, json};

/// Secret of the client `case-portal`.
pub const PORTAL_SECRET: &str = "portal-secret-of-the-tests-0123456789abcdef";
/// Where `case-portal` is answered.
pub const PORTAL_URI: &str = "https://portal.example/callback";

pub(super) fn case_portal() -> Value {
    json!({
        "client_id": "case-portal",
        "client_name": "Case Portal",
        "grant_types": ["authorization_code", "refresh_token"],
        "scope": "openid profile email phone offline_access",
        "countersign_policy": "login-options",
        "countersign_policies": ["login-options", "phone", "email", "totp", "lab"],
    })
}

pub(super) fn lab_suite() -> Value {
    json!({
        "client_id": "lab-suite",
        "grant_types": ["authorization_code", "refresh_token"],
        "scope": "openid offline_access",
        "countersign_policy": "lab",
    })
}

/// Registers `client`; what it does not say is as tests mostly want it: confidential, for codes, at [`PORTAL_URI`].
///
/// # Panics
/// When it is refused.
pub async fn register_client(node: &Provider, client: Value) {
    let mut whole = json!({
        "client_secret": PORTAL_SECRET,
        "redirect_uris": [PORTAL_URI],
        "token_endpoint_auth_method": "client_secret_post",
        "grant_types": ["authorization_code"],
        "scope": "openid",
        "countersign_first_party": true,
    });
    let (Value::Object(whole_members), Value::Object(own)) = (&mut whole, client) else { panic!("not an object") };
    whole_members.extend(own);
    let client: ClientRegistration = serde_json::from_value(whole).expect("registration");
    node.register_client(&client).await.expect("client");
}

/// Redeems an authorization code of `case-portal`.
///
/// # Errors
/// Those of the token endpoint.
pub async fn redeem(node: &Provider, code: &str) -> Result<Result<Value, OAuthError>, ServiceError> {
    redeem_as(node, "case-portal", code).await
}

/// Redeems an authorization code of `client`.
///
/// # Errors
/// Those of the token endpoint.
pub async fn redeem_as(node: &Provider, client: &str, code: &str) -> Result<Result<Value, OAuthError>, ServiceError> {
    let grant = format!("grant_type=authorization_code&code={code}&redirect_uri={}", encode(PORTAL_URI));
    token(node, client, &grant).await
}

/// Redeems a refresh token of `case-portal`.
///
/// # Errors
/// Those of the token endpoint.
pub async fn refresh(node: &Provider, token_text: &str) -> Result<Result<Value, OAuthError>, ServiceError> {
    token(node, "case-portal", &format!("grant_type=refresh_token&refresh_token={token_text}")).await
}

/// Asks for a token of `client` for itself.
///
/// # Errors
/// Those of the token endpoint.
pub async fn own_token(node: &Provider, client: &str) -> Result<Result<Value, OAuthError>, ServiceError> {
    token(node, client, "grant_type=client_credentials").await
}

async fn token(node: &Provider, client: &str, grant: &str) -> Result<Result<Value, OAuthError>, ServiceError> {
    let form = format!("{grant}&client_id={client}&client_secret={PORTAL_SECRET}");
    let form = Params::parse_form(form.as_bytes()).expect("form");
    let context = RequestContext::default();
    node.token(TokenCall {
        authorization: None,
        query: &Params::default(),
        form: &form,
        dpop: None,
        certificate: None,
        context: &context,
    })
    .await
}

/// `text` in a query.
pub fn encode(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}
