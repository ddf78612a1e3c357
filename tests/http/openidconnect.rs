//! A client library that is not ours, in Rust: the crate openidconnect, through login, UserInfo, refresh and logout. (The
//! sample portal of the demo is made with it too.)

use countersign_tests::user_agent::{Answer, UserAgent};
use openidconnect::core::{CoreAuthenticationFlow, CoreClient, CoreUserInfoClaims};
use openidconnect::{
    AuthorizationCode, ClientId, ClientSecret, CsrfToken, HttpRequest, HttpResponse, IssuerUrl, LogoutRequest, Nonce,
    OAuth2TokenResponse as _, PkceCodeChallenge, PostLogoutRedirectUrl, ProviderMetadataWithLogout, RedirectUrl, Scope,
    TokenResponse as _,
};
use serde_json::json;

use crate::fixture::{ALICE, Provider, text};

const CALLBACK: &str = "https://rust.example.com/cb";
const LOGGED_OUT: &str = "https://rust.example.com/logged-out";

/// The bridge from the crate to the tests' client.
async fn send(http: &reqwest::Client, request: HttpRequest) -> Result<HttpResponse, reqwest::Error> {
    let answer = http.execute(request.try_into()?).await?;
    let (status, headers) = (answer.status(), answer.headers().clone());
    let mut response = HttpResponse::new(answer.bytes().await?.to_vec());
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    Ok(response)
}

#[tokio::test]
async fn openidconnect_in_rust_signs_in_refreshes_and_logs_out() {
    let provider = Provider::start().await;
    for method in ["client_secret_basic", "client_secret_post"] {
        sign_in_refresh_and_log_out(&provider, method).await;
    }
}

async fn sign_in_refresh_and_log_out(provider: &Provider, method: &str) {
    let metadata = json!({
        "client_name": "Rust", "redirect_uris": [CALLBACK], "post_logout_redirect_uris": [LOGGED_OUT],
        "grant_types": ["authorization_code", "refresh_token"], "token_endpoint_auth_method": method,
    });
    let registered = Answer::to(provider.http.post(provider.url("/register")).json(&metadata)).await.json();
    let http = |request| send(&provider.http, request);

    let issuer = IssuerUrl::new(provider.demo.issuer.clone()).unwrap();
    let metadata = ProviderMetadataWithLogout::discover_async(issuer, &http).await.unwrap();
    let end_session = metadata.additional_metadata().end_session_endpoint.clone().expect("an end_session_endpoint");
    let id = ClientId::new(text(&registered, "client_id").to_owned());
    let secret = ClientSecret::new(text(&registered, "client_secret").to_owned());
    let mut client = CoreClient::from_provider_metadata(metadata, id.clone(), Some(secret))
        .set_redirect_uri(RedirectUrl::new(CALLBACK.to_owned()).unwrap());
    if method == "client_secret_post" {
        client = client.set_auth_type(openidconnect::AuthType::RequestBody);
    }

    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let (request, state, nonce) = client
        .authorize_url(CoreAuthenticationFlow::AuthorizationCode, CsrfToken::new_random, Nonce::new_random)
        .add_scopes(["email", "offline_access"].map(|scope| Scope::new(scope.to_owned())))
        .set_pkce_challenge(challenge)
        .url();
    let browser = UserAgent::new();
    let page = browser.follow(browser.get(request.as_str()).await).await;
    let mut answer = browser.sign_in(&page, ALICE.0, ALICE.1).await.response();
    assert_eq!(answer.remove("state").as_ref(), Some(state.secret()));
    let code = AuthorizationCode::new(answer.remove("code").expect("a code"));
    let tokens =
        client.exchange_code(code).unwrap().set_pkce_verifier(verifier).request_async(&http).await.expect("tokens");
    let id_token = tokens.id_token().expect("an ID token");
    let claims = id_token.claims(&client.id_token_verifier(), &nonce).expect("a sound ID token");
    let person: CoreUserInfoClaims = client
        .user_info(tokens.access_token().clone(), Some(claims.subject().clone()))
        .unwrap()
        .request_async(&http)
        .await
        .expect("UserInfo");
    assert_eq!(person.email().map(|email| email.as_str()), Some(ALICE.0));

    let refresh_token = tokens.refresh_token().expect("a refresh token");
    let refreshed = client.exchange_refresh_token(refresh_token).unwrap().request_async(&http).await.expect("tokens");
    let again = refreshed.id_token().expect("an ID token");
    // It has no nonce, or the first one's (Core, 12.2).
    let verifier = client.id_token_verifier();
    let again = again.claims(&verifier, |_: Option<&Nonce>| Ok(())).expect("a sound ID token");
    assert_eq!((again.subject(), again.auth_time()), (claims.subject(), claims.auth_time()));
    let access_token = refreshed.access_token().clone();
    let person: CoreUserInfoClaims =
        client.user_info(access_token, None).unwrap().request_async(&http).await.expect("UserInfo");
    assert_eq!(person.subject(), claims.subject());

    let leave = LogoutRequest::from(end_session)
        .set_id_token_hint(id_token)
        .set_client_id(id)
        .set_post_logout_redirect_uri(PostLogoutRedirectUrl::new(LOGGED_OUT.to_owned()).unwrap())
        .set_state(CsrfToken::new("bye".to_owned()));
    let left = browser.get(leave.http_get_url().as_str()).await;
    assert_eq!(left.location().as_str(), format!("{LOGGED_OUT}?state=bye"));
    let silent = browser.get(&format!("{request}&prompt=none")).await;
    assert_eq!(silent.response()["error"], "login_required");
}
