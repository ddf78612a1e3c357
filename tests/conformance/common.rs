//! Modules that the Basic, Implicit, Hybrid and Form Post plans share.

use std::time::Duration;

use countersign_tests::user_agent::Answer;
use serde_json::{Value, json};

use crate::keys::{RpKey, Site, unsigned};
use crate::rp::{Ask, CALLBACK, Landed, Login, Rp, random};
use crate::suite::Run;

/// Longer than the second in which times are told.
const MOMENT: Duration = Duration::from_secs(2);

/// Signs in with a changed request and looks at what came.
async fn login_with(run: &Run, change: impl FnOnce(Ask) -> Ask) -> (Rp, Login) {
    let rp = Rp::register(run).await;
    let ask = change(rp.ask());
    let login = rp.login(&ask).await;
    (rp, login)
}

pub async fn server(run: Run) {
    let (rp, login) = login_with(&run, |ask| ask).await;
    rp.claims_of(&login).await;
}

pub async fn server_client_secret_post(run: Run) {
    let run = Run { variant: run.variant.auth("client_secret_post"), ..run };
    server(run).await;
}

pub async fn response_type_missing(run: Run) {
    let rp = Rp::register(&run).await;
    match rp.open(&rp.ask().without("response_type")).await {
        Landed::Response(response) => {
            assert!(["invalid_request", "unsupported_response_type"].contains(&response["error"].as_str()));
        }
        Landed::Page(page) => assert_eq!(page.status, 400),
    }
}

/// The default algorithm is RS256, and every key has a kid.
pub async fn idtoken_signature(run: Run) {
    let (_, login) = login_with(&run, |ask| ask).await;
    let header = jsonwebtoken::decode_header(&login.id_token_text).expect("a header");
    assert_eq!(header.alg, jsonwebtoken::Algorithm::RS256);
    assert!(header.kid.is_some());
}

/// As it is advertised: a client of the code flow that asks for it gets an ID token that nobody signed.
pub async fn idtoken_unsigned(run: Run) {
    assert!(run.op.supports("id_token_signing_alg_values_supported", "none"));
    let rp = Rp::register_with(&run, json!({"id_token_signed_response_alg": "none"})).await;
    assert_eq!(rp.client["id_token_signed_response_alg"], "none");
    let login = rp.login(&rp.ask()).await;
    rp.claims_of(&login).await;
}

pub async fn userinfo_get(run: Run) {
    let (rp, login) = login_with(&run, |ask| ask).await;
    rp.claims_of(&login).await;
}

async fn userinfo_post(run: &Run, in_body: bool) {
    let (rp, login) = login_with(run, |ask| ask).await;
    let token = login.access_token.expect("an access token");
    let request = rp.op.http.post(rp.op.endpoint("userinfo_endpoint"));
    let request = if in_body { request.form(&[("access_token", &token)]) } else { request.bearer_auth(&token) };
    let answer = Answer::to(request).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.json()["sub"], login.id_token["sub"]);
}

pub async fn userinfo_post_header(run: Run) {
    userinfo_post(&run, false).await;
}

pub async fn userinfo_post_body(run: Run) {
    userinfo_post(&run, true).await;
}

pub async fn ensure_request_without_nonce_succeeds_for_code_flow(run: Run) {
    login_with(&run, |ask| ask.without("nonce")).await;
}

pub async fn ensure_request_without_nonce_fails(run: Run) {
    let rp = Rp::register(&run).await;
    assert_eq!(rp.open(&rp.ask().without("nonce")).await.error(), "invalid_request");
}

/// Claims of the scopes are in UserInfo, and in the ID token only when there is no access token (Core, 5.4).
async fn scope_claims(run: &Run, scope: &str, expected: &[&str]) {
    let (rp, login) = login_with(run, |ask| ask.with("scope", scope)).await;
    let claims = rp.claims_of(&login).await;
    for name in expected {
        assert!(!claims[name].is_null(), "no {name} for {scope}: {claims}");
        assert_eq!(login.access_token.is_some(), login.id_token[name].is_null(), "{name} in the ID token");
    }
}

const PROFILE: [&str; 3] = ["name", "given_name", "family_name"];

pub async fn scope_profile(run: Run) {
    scope_claims(&run, "openid profile", &PROFILE).await;
}

pub async fn scope_email(run: Run) {
    scope_claims(&run, "openid email", &["email", "email_verified"]).await;
}

pub async fn scope_address(run: Run) {
    scope_claims(&run, "openid address", &["address"]).await;
}

pub async fn scope_phone(run: Run) {
    scope_claims(&run, "openid phone", &["phone_number", "phone_number_verified"]).await;
}

pub async fn scope_all(run: Run) {
    let all = [&PROFILE[..], &["email", "address", "phone_number"]].concat();
    scope_claims(&run, "openid profile email address phone", &all).await;
}

/// Neither the order of scopes nor that of parameters matters.
pub async fn alternate_happy_flow(run: Run) {
    let (rp, login) = login_with(&run, |ask| {
        let mut ask = ask.with("scope", "email openid");
        ask.params.reverse();
        ask
    })
    .await;
    assert!(!rp.claims_of(&login).await["email"].is_null());
}

pub async fn display_page(run: Run) {
    login_with(&run, |ask| ask.with("display", "page")).await;
}

pub async fn display_popup(run: Run) {
    login_with(&run, |ask| ask.with("display", "popup")).await;
}

pub async fn login_hint(run: Run) {
    login_with(&run, |ask| ask.with("login_hint", "buffy@example.com")).await;
}

pub async fn ui_locales(run: Run) {
    login_with(&run, |ask| ask.with("ui_locales", "se")).await;
}

pub async fn claims_locales(run: Run) {
    login_with(&run, |ask| ask.with("claims_locales", "se")).await;
}

pub async fn ensure_request_with_unknown_parameter_succeeds(run: Run) {
    login_with(&run, |ask| ask.with("extra", "foobar")).await;
}

fn auth_time(login: &Login) -> i64 {
    login.id_token["auth_time"].as_i64().expect("an auth_time")
}

pub async fn prompt_login(run: Run) {
    let (rp, first) = login_with(&run, |ask| ask).await;
    run.op.pass(MOMENT);
    let again = rp.ask().with("prompt", "login");
    let page = rp.open(&again).await.page();
    assert!(page.asks_for_password(), "not asked to sign in again");
    let landed = rp.go_on(Landed::Page(Box::new(page)), &again).await;
    let second = rp.finish(&again, landed.response()).await;
    assert_eq!(first.id_token["sub"], second.id_token["sub"]);
    assert!(auth_time(&second) > auth_time(&first));
}

pub async fn prompt_none_not_logged_in(run: Run) {
    let rp = Rp::register(&run).await;
    let error = rp.open(&rp.ask().with("prompt", "none")).await.error();
    let allowed = ["login_required", "interaction_required", "account_selection_required", "consent_required"];
    assert!(allowed.contains(&error.as_str()), "{error}");
}

/// A second request that must be answered without a page, by the same authentication.
async fn silent(run: &Run, change: impl Fn(Ask, &Login) -> Ask) {
    let (rp, first) = login_with(run, |ask| ask).await;
    run.op.pass(MOMENT);
    let again = change(rp.ask(), &first);
    let response = rp.open(&again).await.response();
    let second = rp.finish(&again, response).await;
    assert_eq!((&first.id_token["sub"], auth_time(&first)), (&second.id_token["sub"], auth_time(&second)));
    if first.id_token.get("acr").is_some() {
        assert_eq!(first.id_token["acr"], second.id_token["acr"]);
    }
}

pub async fn prompt_none_logged_in(run: Run) {
    silent(&run, |ask, _| ask.with("prompt", "none")).await;
}

pub async fn max_age_10000(run: Run) {
    silent(&run, |ask, _| ask.with("max_age", "10000")).await;
}

pub async fn id_token_hint(run: Run) {
    silent(&run, |ask, first| ask.with("prompt", "none").with("id_token_hint", &first.id_token_text)).await;
}

pub async fn max_age_1(run: Run) {
    let (rp, first) = login_with(&run, |ask| ask).await;
    run.op.pass(MOMENT);
    let again = rp.ask().with("max_age", "1");
    let page = rp.open(&again).await.page();
    assert!(page.asks_for_password(), "not asked to sign in again");
    let landed = rp.go_on(Landed::Page(Box::new(page)), &again).await;
    let second = rp.finish(&again, landed.response()).await;
    assert_eq!(first.id_token["sub"], second.id_token["sub"]);
    assert!(auth_time(&second) > auth_time(&first));
}

pub async fn ensure_request_with_acr_values_succeeds(run: Run) {
    let acr = run.op.metadata["acr_values_supported"][0].as_str().unwrap_or("1").to_owned();
    let (_, login) =
        login_with(&run, |ask| ask.with("acr_values", &format!("{acr} urn:countersign:acr:password"))).await;
    assert!(login.id_token["acr"].is_string());
}

async fn code_reuse(run: &Run, wait: Option<Duration>) {
    let (rp, login) = login_with(run, |ask| ask).await;
    if let Some(span) = wait {
        run.op.pass(span);
    }
    let again = rp.redeem(&login.response["code"]).await;
    assert_eq!((again.status, &again.json()["error"]), (400, &json!("invalid_grant")));
    let token = login.tokens["access_token"].as_str().expect("an access token");
    assert_eq!(rp.userinfo(token).await.status, 401, "its tokens are dead (RFC 6749, 4.1.2)");
}

pub async fn codereuse(run: Run) {
    code_reuse(&run, None).await;
}

pub async fn codereuse_30seconds(run: Run) {
    code_reuse(&run, Some(Duration::from_secs(30))).await;
}

pub async fn ensure_registered_redirect_uri(run: Run) {
    let rp = Rp::register(&run).await;
    let ask = rp.ask().with("redirect_uri", &format!("{CALLBACK}/{}", random(10)));
    assert_eq!(rp.open(&ask).await.page().status, 400);
}

pub async fn ensure_post_request_succeeds(run: Run) {
    let rp = Rp::register(&run).await;
    let ask = rp.ask();
    let answer = rp.browser.post(rp.op.endpoint("authorization_endpoint"), &ask.params).await;
    let landed = rp.land(answer, &ask).await;
    let landed = rp.go_on(landed, &ask).await;
    rp.finish(&ask, landed.response()).await;
}

/// The parameters that stay outside a request object (Core, 6.1).
fn outside(ask: &Ask) -> Ask {
    let kept = ["client_id", "response_type", "scope"];
    let params = ask.params.iter().filter(|(name, _)| kept.contains(&name.as_str())).cloned().collect();
    Ask { params, nonce: ask.nonce.clone() }
}

fn request_object(rp: &Rp, ask: &Ask) -> Value {
    let mut claims = ask.claims();
    claims["iss"] = json!(rp.id());
    claims["aud"] = json!(rp.op.endpoint("issuer"));
    claims
}

/// A client whose request objects are unsigned, as it is advertised.
async fn register_unsigned(run: &Run, site: Site, more: Value) -> Rp {
    let mut metadata = json!({"request_object_signing_alg": "none"});
    metadata.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
    assert!(run.op.supports("request_object_signing_alg_values_supported", "none"));
    let (answer, key, site) = Rp::try_register_at(run, site, metadata).await;
    assert_eq!(answer.status, 201, "advertised, so it must work: {}", answer.body);
    let browser = run.op.browser();
    Rp { op: run.op.clone(), variant: run.variant, client: answer.json(), browser, key, site }
}

/// Honoured, as it is advertised.
pub async fn request_uri_unsigned_supported_correctly_or_rejected_as_unsupported(run: Run) {
    let site = Site::open().await;
    let address = format!("{}/request", site.origin);
    let rp = register_unsigned(&run, site, json!({ "request_uris": [address] })).await;
    let ask = rp.ask();
    rp.site.publish("/request", &unsigned(&request_object(&rp, &ask)));
    finish_with(&rp, &ask, &outside(&ask).with("request_uri", &address)).await;
}

/// The same by value.
pub async fn unsigned_request_object_supported_correctly_or_rejected_as_unsupported(run: Run) {
    let rp = register_unsigned(&run, Site::open().await, json!({})).await;
    let ask = rp.ask();
    let object = unsigned(&request_object(&rp, &ask));
    finish_with(&rp, &ask, &outside(&ask).with("request", &object)).await;
}

/// Sends `sent`, which stands for `ask`; the answer must be to `ask`.
async fn finish_with(rp: &Rp, ask: &Ask, sent: &Ask) {
    let answer = rp.browser.get(&rp.url(sent)).await;
    let landed = rp.land(answer, ask).await;
    let landed = rp.go_on(landed, ask).await;
    rp.finish(ask, landed.response()).await;
}

/// The object's redirect_uri counts, not the unregistered one beside it.
pub async fn ensure_request_object_with_redirect_uri(run: Run) {
    let site = Site::open().await;
    let key = RpKey::new("rp-1");
    let jwks = site.publish("/request-jwks", &key.jwks());
    let more = json!({"request_object_signing_alg": "RS256", "jwks_uri": jwks});
    let (answer, _, site) = Rp::try_register_at(&run, site, more).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    let browser = run.op.browser();
    let rp = Rp { op: run.op.clone(), variant: run.variant, client: answer.json(), browser, key, site };
    let ask = rp.ask();
    let object = rp.key.sign("JWT", &request_object(&rp, &ask));
    finish_with(
        &rp,
        &ask,
        &outside(&ask).with("request", &object).with("redirect_uri", "https://rp.example.com/wrong"),
    )
    .await;
}

pub async fn claims_essential(run: Run) {
    let place = if run.variant.response_type == "id_token" { "id_token" } else { "userinfo" };
    let claims = json!({place: {"name": {"essential": true}}}).to_string();
    let (rp, login) = login_with(&run, |ask| ask.with("claims", &claims)).await;
    assert!(rp.claims_of(&login).await["name"].is_string());
    if place == "userinfo" {
        assert!(login.id_token["name"].is_null(), "asked of UserInfo, not of the ID token");
    }
}

/// Refresh tokens work, for their client alone, and the new ID token is of the same person and sign-in.
pub async fn refresh_token(run: Run) {
    let mut grants = vec!["authorization_code", "refresh_token"];
    if run.variant.response_type != "code" {
        grants.push("implicit");
    }
    let more = json!({ "grant_types": grants });
    let rp = Rp::register_with(&run, more.clone()).await;
    let offline = |ask: Ask| ask.with("scope", "openid offline_access").with("prompt", "consent");
    let first = rp.login(&offline(rp.ask())).await;
    let token = first.tokens["refresh_token"].as_str().expect("a refresh token").to_owned();
    assert!(token.len() >= 22 && token.bytes().all(|byte| (0x20..=0x7e).contains(&byte)));
    let form = [("grant_type", "refresh_token"), ("refresh_token", token.as_str())];
    let answer = rp.token(&form).await;
    assert_eq!((answer.status, answer.header("cache-control")), (200, "no-store"), "{}", answer.body);
    let tokens = answer.json();
    assert_ne!(tokens["access_token"], first.tokens["access_token"]);
    if let Some(text) = tokens["id_token"].as_str() {
        let (_, claims) = rp.op.verify(text).await;
        for name in ["iss", "sub", "aud", "azp", "auth_time"] {
            assert_eq!(claims[name], first.id_token[name], "{name}");
        }
        assert!(claims["iat"].as_i64() >= first.id_token["iat"].as_i64());
    }
    assert_eq!(rp.userinfo(tokens["access_token"].as_str().expect("a token")).await.status, 200);
    // Another client's refresh token is nobody else's.
    let other = Rp::register_with(&run, more).await;
    let theirs = other.login(&offline(other.ask())).await;
    let theirs = theirs.tokens["refresh_token"].as_str().expect("a refresh token").to_owned();
    let stolen = rp.token(&[("grant_type", "refresh_token"), ("refresh_token", &theirs)]).await;
    assert_eq!((stolen.status, &stolen.json()["error"]), (400, &json!("invalid_grant")));
}

/// The example of RFC 7636, appendix B.
pub async fn ensure_request_with_valid_pkce_succeeds(run: Run) {
    let rp = Rp::register(&run).await;
    let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
    let ask = rp.ask().with("code_challenge", challenge).with("code_challenge_method", "S256");
    let response = rp.response(&ask).await;
    let form = [
        ("grant_type", "authorization_code"),
        ("code", response["code"].as_str()),
        ("redirect_uri", CALLBACK),
        ("code_verifier", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
    ];
    let answer = rp.token(&form).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
}

/// Whether the discovery document holds together (Discovery, 3; RFC 8414, 2).
pub async fn discovery_endpoint_verification(run: Run) {
    let op = &run.op;
    let metadata = &op.metadata;
    let url = format!("{}/.well-known/openid-configuration", op.demo.issuer);
    let answer = Answer::to(op.http.get(&url)).await;
    assert_eq!(answer.status, 200);
    assert!(answer.header("content-type").starts_with("application/json"));
    assert_eq!(metadata["issuer"], op.demo.issuer);
    assert!(op.demo.issuer.starts_with("https://"));
    for (name, value) in metadata.as_object().expect("an object") {
        if name.ends_with("_endpoint") || name == "jwks_uri" {
            assert!(value.as_str().is_some_and(|text| text.starts_with("https://")), "{name} {value}");
        }
    }
    assert!(op.supports("id_token_signing_alg_values_supported", "RS256"));
    assert!(op.supports("scopes_supported", "openid"));
    assert!(op.supports("subject_types_supported", "public"));
    assert!(metadata["grant_types_supported"].as_array().is_some_and(|types| !types.is_empty()));
    assert!(metadata["code_challenge_methods_supported"].is_array());
    for name in ["request_parameter_supported", "request_uri_parameter_supported", "claims_parameter_supported"] {
        assert!(metadata[name].is_boolean(), "{name}");
    }
    let jwks = Answer::to(op.http.get(op.endpoint("jwks_uri"))).await.json();
    let keys = jwks["keys"].as_array().expect("keys");
    let mut ids: Vec<&str> = keys.iter().map(|key| key["kid"].as_str().expect("a kid")).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), keys.len(), "kid values differ");
    let private = ["d", "p", "q", "dp", "dq", "qi", "k"];
    assert!(keys.iter().all(|key| private.iter().all(|name| key.get(name).is_none())));
}
