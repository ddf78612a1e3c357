//! Modules of the FAPI 2.0 plans, Security Profile and Message Signing, but for those about DPoP and request objects.

use std::time::Duration;

use countersign_tests::user_agent::Answer;
use jsonwebtoken::Algorithm;
use serde_json::{Value, json};

use crate::fapi::{Call, Fapi};
use crate::handshake;
use crate::rp::{Ask, CALLBACK, Landed, random};
use crate::suite::{Binding, Run};

/// An error of a program's endpoint: one of `errors`, by the status that is its own (RFC 6749, 5.2).
pub fn assert_refused(answer: &Answer, errors: &[&str]) {
    let error = answer.json()["error"].as_str().unwrap_or_default().to_owned();
    assert!(errors.contains(&error.as_str()), "{} {}", answer.status, answer.body);
    let allowed: &[u16] = if error == "invalid_client" { &[400, 401] } else { &[400] };
    assert!(allowed.contains(&answer.status), "{} {}", answer.status, answer.body);
    let description = answer.json()["error_description"].as_str().unwrap_or_default().to_owned();
    assert!(description.bytes().all(|byte| matches!(byte, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e)), "{description}");
}

async fn refused(call: Call, errors: &[&str]) {
    assert_refused(&call.send().await, errors);
}

/// Signs in with a changed request; every answer is checked, and the tokens work.
async fn login_with(run: &Run, change: impl FnOnce(Ask) -> Ask) {
    let fapi = Fapi::register(run).await;
    let tokens = fapi.login(&change(fapi.ask())).await;
    fapi.check_use(&tokens).await;
}

/// What the metadata must say (RFC 8414, 2; Security Profile, 5.3.2 and 5.4).
pub async fn discovery_end_point_verification(run: Run) {
    crate::common::discovery_endpoint_verification(run.clone()).await;
    let op = &run.op;
    let strong = ["PS256", "ES256", "EdDSA"];
    let mut lists = vec![
        "id_token_signing_alg_values_supported",
        "token_endpoint_auth_signing_alg_values_supported",
        "userinfo_signing_alg_values_supported",
    ];
    if run.variant.signed {
        lists.extend(["request_object_signing_alg_values_supported", "authorization_signing_alg_values_supported"]);
        assert!(op.supports("response_modes_supported", "jwt"));
    }
    match run.variant.binding {
        Some(Binding::Mtls) => {
            assert_eq!(op.metadata["tls_client_certificate_bound_access_tokens"], true);
            assert!(op.metadata["mtls_endpoint_aliases"]["token_endpoint"].is_string());
        }
        _ => lists.push("dpop_signing_alg_values_supported"),
    }
    for list in lists {
        assert!(strong.iter().any(|algorithm| op.supports(list, algorithm)), "{list}");
    }
    assert!(op.supports("token_endpoint_auth_methods_supported", "private_key_jwt"));
    assert!(op.supports("code_challenge_methods_supported", "S256"));
    assert!(op.supports("grant_types_supported", "authorization_code"));
    assert!(op.endpoint("pushed_authorization_request_endpoint").starts_with("https://"));
    assert_eq!(op.metadata["authorization_response_iss_parameter_supported"], true);
}

/// Two clients, each signs in and uses its token in every way that is allowed.
pub async fn happy_flow(run: Run) {
    let fapi = Fapi::register(&run).await;
    for endpoint in ["token_endpoint", "userinfo_endpoint", "pushed_authorization_request_endpoint"] {
        handshake::check(&fapi.endpoint(endpoint)).await;
    }
    let tokens = fapi.login(&fapi.ask()).await;
    for name in ["name", "email", "phone_number", "address"] {
        assert!(tokens.id_token[name].is_null(), "{name} was not asked for");
    }
    fapi.check_use(&tokens).await;
    // Security Profile, 5.3.4: not in the query.
    let in_query = format!("{}?access_token={}", fapi.endpoint("userinfo_endpoint"), tokens.access);
    let answer = Answer::to(fapi.http.get(in_query)).await;
    assert!((400..500).contains(&answer.status), "{} {}", answer.status, answer.body);
    for accepted in ["application/json; charset=utf-8", "application/json, */*"] {
        let request = fapi.sound_use(fapi.scheme(), &tokens.access).header("accept", accepted);
        assert_eq!(Answer::to(request).await.status, 200, "{accepted}");
    }
    let second = Fapi::register(&run).await;
    let nonce = random(43);
    let mut ask = second.ask().with("nonce", &nonce);
    ask.nonce = Some(nonce);
    if second.is_dpop() {
        // RFC 9449, 10.1: the key by name, without a proof.
        ask = ask.with("dpop_jkt", &second.prover.thumbprint());
    }
    let tokens = second.login(&ask).await;
    second.check_use(&tokens).await;
}

pub async fn user_rejects_authentication(run: Run) {
    let fapi = Fapi::register(&run).await;
    let ask = fapi.ask();
    let name = fapi.pushed(fapi.push(&ask)).await;
    let page = fapi.open(&ask, &fapi.by_name(&name)).await.page();
    let answer = fapi.rp.browser.press(&page, "cancel", &[]).await;
    let response = fapi.unpack(fapi.rp.land(answer, &ask).await.response()).await;
    assert_eq!(
        (response["error"].as_str(), response.get("state").map(String::as_str)),
        ("access_denied", ask.get("state"))
    );
    assert_eq!(response["iss"], run.op.endpoint("issuer"));
}

pub async fn ensure_authorization_request_without_state_success(run: Run) {
    login_with(&run, |ask| ask.without("state")).await;
}

pub async fn ensure_authorization_request_without_nonce_success(run: Run) {
    login_with(&run, |ask| ask.without("nonce")).await;
}

async fn nonce_of(run: &Run, length: usize) {
    let nonce = random(length);
    login_with(run, |ask| Ask { nonce: Some(nonce.clone()), ..ask.with("nonce", &nonce) }).await;
}

pub async fn ensure_authorization_request_with_64_char_nonce_success(run: Run) {
    nonce_of(&run, 64).await;
}

pub async fn ensure_authorization_request_with_long_nonce(run: Run) {
    nonce_of(&run, 384).await;
}

pub async fn ensure_authorization_request_with_long_state(run: Run) {
    login_with(&run, |ask| ask.with("state", &random(1000))).await;
}

pub async fn ensure_other_scope_order_succeeds(run: Run) {
    login_with(&run, |ask| ask.with("scope", "email profile openid")).await;
}

/// Every claim that is advertised, by name, and some that nobody knows.
pub async fn test_claims_parameter_identity_claims(run: Run) {
    assert_eq!(run.op.metadata["claims_parameter_supported"], true);
    let fapi = Fapi::register(&run).await;
    let protocol = ["iss", "sub", "aud", "azp", "exp", "iat", "auth_time", "nonce", "acr", "amr", "sid", "at_hash"];
    let advertised = run.op.metadata["claims_supported"].as_array().expect("claims").iter().filter_map(Value::as_str);
    let names: Vec<&str> = advertised.filter(|name| !protocol.contains(name)).collect();
    let mut asked: Value = names.iter().map(|name| ((*name).to_owned(), json!({"essential": false}))).collect();
    asked["name"] = json!({"essential": true});
    asked[random(12)] = Value::Null;
    let claims = json!({"id_token": asked, "userinfo": asked, "elsewhere": {"name": null}});
    let ask = fapi.ask().with("claims", &claims.to_string());
    let tokens = fapi.login(&ask).await;
    let answer = Answer::to(fapi.sound_use(fapi.scheme(), &tokens.access)).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    for name in names {
        assert!(!answer.json()[name].is_null() && !tokens.id_token[name].is_null(), "{name}");
    }
}

/// RFC 9110, 11.1: the name of a scheme has no case.
pub async fn access_token_type_header_case_sensitivity(run: Run) {
    let fapi = Fapi::register(&run).await;
    let tokens = fapi.login(&fapi.ask()).await;
    let inverted: String = fapi.scheme().chars().map(invert).collect();
    let answer = Answer::to(fapi.sound_use(&inverted, &tokens.access)).await;
    assert_eq!(answer.status, 200, "{inverted}: {}", answer.body);
}

fn invert(letter: char) -> char {
    if letter.is_ascii_lowercase() { letter.to_ascii_uppercase() } else { letter.to_ascii_lowercase() }
}

/// What stands in the browser's request beside the pushed one counts for nothing (RFC 9126, 4; RFC 9101, 5).
async fn beside(run: &Run, pushed: impl FnOnce(Ask) -> Ask, name: &str, value: &str) {
    let fapi = Fapi::register(run).await;
    let ask = pushed(fapi.ask());
    let uri = fapi.pushed(fapi.push(&ask)).await;
    let response = fapi.answer(&ask, &fapi.by_name(&uri).with(name, value)).await;
    fapi.finish(&ask, &response).await;
}

pub async fn ensure_different_nonce_inside_and_outside_request_object(run: Run) {
    beside(&run, |ask| ask, "nonce", "outside").await;
}

pub async fn ensure_different_state_inside_and_outside_request_object(run: Run) {
    beside(&run, |ask| ask, "state", "outside").await;
}

pub async fn state_only_outside_request_object_not_used(run: Run) {
    beside(&run, |ask| ask.without("state"), "state", "outside").await;
}

/// Nothing but `client_id` and `request_uri` goes through the browser.
pub async fn par_without_duplicate_parameters(run: Run) {
    login_with(&run, |ask| ask).await;
}

/// A request that is not accepted when it is pushed.
async fn push_refused(run: &Run, change: impl FnOnce(Ask) -> Ask, errors: &[&str]) {
    let fapi = Fapi::register(run).await;
    refused(fapi.push(&change(fapi.ask())), errors).await;
}

const OF_THE_REQUEST: [&str; 2] = ["invalid_request", "invalid_request_object"];

pub async fn ensure_request_object_without_redirect_uri_fails(run: Run) {
    push_refused(&run, |ask| ask.without("redirect_uri"), &OF_THE_REQUEST).await;
}

pub async fn ensure_redirect_uri_in_authorization_request(run: Run) {
    push_refused(&run, |ask| ask.without("redirect_uri"), &OF_THE_REQUEST).await;
}

/// RFC 9126, 2.4 would allow it; here it is refused.
pub async fn plain_fapi_tolerate_unregistered_redirect_uri(run: Run) {
    push_refused(&run, |ask| ask.with("redirect_uri", &format!("{CALLBACK}/{}", random(10))), &OF_THE_REQUEST).await;
}

const OF_THE_TYPE: [&str; 3] = ["unsupported_response_type", "invalid_request", "unauthorized_client"];

pub async fn ensure_response_type_code_idtoken_fails(run: Run) {
    push_refused(&run, |ask| ask.with("response_type", "code id_token"), &OF_THE_TYPE).await;
}

pub async fn ensure_response_type_token_fails(run: Run) {
    push_refused(&run, |ask| ask.with("response_type", "token"), &OF_THE_TYPE).await;
}

pub async fn par_ensure_pkce_required(run: Run) {
    let bare = |ask: Ask| ask.without("code_challenge").without("code_challenge_method");
    push_refused(&run, bare, &["invalid_request"]).await;
}

pub async fn par_plain_pkce_rejected(run: Run) {
    let plain = |ask: Ask| ask.with("code_challenge", &random(64)).with("code_challenge_method", "plain");
    push_refused(&run, plain, &["invalid_request"]).await;
}

pub async fn ensure_unsigned_authorization_request_without_using_par_fails(run: Run) {
    let fapi = Fapi::register(&run).await;
    let ask = fapi.ask();
    let response = fapi.unpack(fapi.open(&ask, &ask).await.response()).await;
    assert_eq!(
        (response["error"].as_str(), response.get("state").map(String::as_str)),
        ("invalid_request", ask.get("state"))
    );
}

/// An assertion of another client, under this one's key, for this one's code.
pub async fn ensure_client_id_in_token_endpoint(run: Run) {
    let (fapi, other) = (Fapi::register(&run).await, Fapi::register(&run).await);
    let call = fapi.redeem(&fapi.code().await).with("client_id", other.rp.id());
    let call = call.asserting(&fapi.assertion(&other.assertion_claims()));
    refused(call, &["invalid_client", "invalid_grant"]).await;
}

/// Without a proof or certificate there is no token, and no endpoint speaks old TLS.
pub async fn ensure_holder_of_key_required(run: Run) {
    let fapi = Fapi::register(&run).await;
    for endpoint in ["authorization_endpoint", "userinfo_endpoint", "token_endpoint", "registration_endpoint"] {
        handshake::check(&fapi.endpoint(endpoint)).await;
    }
    let call = fapi.redeem(&fapi.code().await);
    let bare = Call { proof: None, http: run.op.http.clone(), ..call };
    refused(bare, &["invalid_request", "invalid_grant", "invalid_dpop_proof"]).await;
}

pub async fn ensure_authorization_code_is_bound_to_client(run: Run) {
    let (fapi, other) = (Fapi::register(&run).await, Fapi::register(&run).await);
    refused(other.redeem(&fapi.code().await), &["invalid_grant"]).await;
}

pub async fn attempt_reuse_authorization_code_after_one_second(run: Run) {
    let fapi = Fapi::register(&run).await;
    let ask = fapi.ask();
    let response = fapi.authorize(&ask).await;
    let tokens = fapi.finish(&ask, &response).await;
    run.op.pass(Duration::from_secs(1));
    refused(fapi.redeem(&response["code"]), &["invalid_grant"]).await;
    let answer = Answer::to(fapi.sound_use(fapi.scheme(), &tokens.access)).await;
    assert_eq!(answer.status, 401, "its tokens are dead (RFC 6749, 4.1.2)");
}

/// Security Profile, 5.3.2.1: a code lives a minute at most.
pub async fn ensure_token_endpoint_fails_with_expired_auth_code(run: Run) {
    let fapi = Fapi::register(&run).await;
    let code = fapi.code().await;
    run.op.pass(Duration::from_secs(61));
    refused(fapi.redeem(&code), &["invalid_grant"]).await;
}

/// A code whose client proves itself by a changed assertion.
async fn assertion_refused(run: &Run, assertion: impl FnOnce(&Fapi, Value) -> String, errors: &[&str]) {
    let fapi = Fapi::register(run).await;
    let code = fapi.code().await;
    let assertion = assertion(&fapi, fapi.assertion_claims());
    refused(fapi.redeem(&code).asserting(&assertion), errors).await;
    // It was refused for that alone: a sound one redeems the code.
    assert_eq!(fapi.redeem(&code).send().await.status, 200);
}

const OF_THE_CLIENT: [&str; 2] = ["invalid_client", "invalid_request"];

fn changed(mut claims: Value, name: &str, value: Value) -> Value {
    claims[name] = value;
    claims
}

pub async fn ensure_signed_client_assertion_with_rs256_fails(run: Run) {
    let weak = |fapi: &Fapi, claims: Value| fapi.rp.key.sign_with(Algorithm::RS256, "JWT", &claims);
    assertion_refused(&run, weak, &["invalid_client"]).await;
}

pub async fn ensure_client_assertion_in_token_endpoint(run: Run) {
    let fapi = Fapi::register(&run).await;
    let call = fapi.redeem(&fapi.code().await).without("client_assertion").without("client_assertion_type");
    refused(call.with("client_id", fapi.rp.id()), &OF_THE_CLIENT).await;
}

pub async fn ensure_client_assertion_with_exp_is_5_minutes_in_past_fails(run: Run) {
    let old = |fapi: &Fapi, claims: Value| fapi.assertion(&changed(claims, "exp", json!(fapi.now() - 300)));
    assertion_refused(&run, old, &OF_THE_CLIENT).await;
}

pub async fn ensure_client_assertion_with_wrong_aud_fails(run: Run) {
    let elsewhere =
        |fapi: &Fapi, claims: Value| fapi.assertion(&changed(claims, "aud", json!("https://other.example.com")));
    assertion_refused(&run, elsewhere, &OF_THE_CLIENT).await;
}

pub async fn ensure_client_assertion_with_no_sub_fails(run: Run) {
    let nobody = |fapi: &Fapi, mut claims: Value| {
        claims.as_object_mut().expect("claims").remove("sub");
        fapi.assertion(&claims)
    };
    assertion_refused(&run, nobody, &["invalid_client"]).await;
}

/// A push whose client proves itself by a changed assertion.
async fn pushed_by(run: &Run, name: &str, value: impl FnOnce(&Fapi) -> Value) -> (Fapi, Answer) {
    let fapi = Fapi::register(run).await;
    let assertion = fapi.assertion(&changed(fapi.assertion_claims(), name, value(&fapi)));
    let answer = fapi.push(&fapi.ask()).asserting(&assertion).send().await;
    (fapi, answer)
}

/// Security Profile, 5.3.2.1: a clock 8 seconds ahead is borne with.
pub async fn par_ensure_jwt_client_assertions_nbf_8_seconds_in_the_future_is_accepted(run: Run) {
    let fapi = Fapi::register(&run).await;
    let ahead = json!(fapi.now() + 8);
    let claims = changed(changed(fapi.assertion_claims(), "iat", ahead.clone()), "nbf", ahead);
    let ask = fapi.ask();
    let name = fapi.pushed(fapi.push(&ask).asserting(&fapi.assertion(&claims))).await;
    let response = fapi.answer(&ask, &fapi.by_name(&name)).await;
    fapi.finish(&ask, &response).await;
}

pub async fn par_ensure_jwt_client_assertions_nbf_over_60_seconds_in_the_future_fails(run: Run) {
    for name in ["nbf", "iat"] {
        let (_, answer) = pushed_by(&run, name, |fapi| json!(fapi.now() + 65)).await;
        assert_refused(&answer, &OF_THE_CLIENT);
    }
}

pub async fn par_test_array_as_audience_fails(run: Run) {
    let (_, answer) = pushed_by(&run, "aud", |fapi| json!([fapi.rp.op.endpoint("issuer")])).await;
    assert_refused(&answer, &OF_THE_CLIENT);
}

async fn endpoint_as_audience(run: &Run, endpoint: &str) {
    let own = |fapi: &Fapi| json!(fapi.endpoint(endpoint));
    let common = |fapi: &Fapi| json!(fapi.rp.op.endpoint(endpoint));
    assert_refused(&pushed_by(run, "aud", own).await.1, &OF_THE_CLIENT);
    assert_refused(&pushed_by(run, "aud", common).await.1, &OF_THE_CLIENT);
}

pub async fn par_test_par_endpoint_url_as_audience_fails(run: Run) {
    endpoint_as_audience(&run, "pushed_authorization_request_endpoint").await;
}

pub async fn par_test_token_endpoint_url_as_audience_fails(run: Run) {
    endpoint_as_audience(&run, "token_endpoint").await;
}

pub async fn ensure_pkce_code_verifier_required(run: Run) {
    let fapi = Fapi::register(&run).await;
    refused(fapi.redeem(&fapi.code().await).without("code_verifier"), &["invalid_grant"]).await;
}

pub async fn incorrect_pkce_code_verifier_rejected(run: Run) {
    let fapi = Fapi::register(&run).await;
    refused(fapi.redeem(&fapi.code().await).with("code_verifier", &random(64)), &["invalid_grant"]).await;
}

/// It is bound to its client and key, needs both, and is as good after its use as before (Security Profile, 5.3.2.1).
pub async fn refresh_token(run: Run) {
    let fapi = Fapi::register(&run).await;
    let ask = fapi.ask().with("scope", "openid offline_access").with("prompt", "consent");
    let first = fapi.login(&ask).await;
    let token = first.refresh.clone().expect("a refresh token");
    assert!(token.len() >= 22 && token.bytes().all(|byte| (0x20..=0x7e).contains(&byte)));
    let later = Ask { nonce: None, ..ask };
    for _ in 0..2 {
        let tokens = fapi.check_tokens(&later, &fapi.refresh(&token).send().await).await;
        assert_ne!(tokens.access, first.access);
        assert!(tokens.refresh.is_none_or(|given| given == token), "not rotated (5.3.2.1)");
        for name in ["iss", "sub", "aud", "auth_time"] {
            assert_eq!(tokens.id_token[name], first.id_token[name], "{name}");
        }
    }
    let nobody = fapi.refresh(&token).without("client_assertion").without("client_assertion_type");
    refused(nobody.with("client_id", fapi.rp.id()), &["invalid_client", "invalid_grant", "invalid_request"]).await;
    let bare = Call { proof: None, http: run.op.http.clone(), ..fapi.refresh(&token) };
    refused(bare, &["invalid_request", "invalid_grant", "invalid_dpop_proof"]).await;
    let other = Fapi::register(&run).await;
    refused(other.refresh(&token), &["invalid_grant"]).await;
    let tokens = fapi.check_tokens(&later, &fapi.refresh(&token).send().await).await;
    fapi.check_use(&tokens).await;
}

/// Its page may be loaded again until the person has signed in (Security Profile, 5.3.2.2, note 3).
pub async fn par_ensure_reused_request_uri_prior_to_auth_completion_succeeds(run: Run) {
    let fapi = Fapi::register(&run).await;
    let ask = fapi.ask();
    let sent = fapi.by_name(&fapi.pushed(fapi.push(&ask)).await);
    assert!(fapi.open(&ask, &sent).await.page().asks_for_password());
    let response = fapi.answer(&ask, &sent).await;
    fapi.finish(&ask, &response).await;
}

/// Refused on a page, or by `error` to the client.
async fn not_opened(fapi: &Fapi, ask: &Ask, sent: &Ask, errors: &[&str]) {
    match fapi.open(ask, sent).await {
        Landed::Page(page) => assert_eq!(page.status, 400, "{}", page.body),
        Landed::Response(response) => {
            let response = fapi.unpack(response).await;
            assert!(response.get("error").is_some_and(|error| errors.contains(&error.as_str())), "{response:?}");
        }
    }
}

pub async fn par_attempt_reuse_request_uri(run: Run) {
    let fapi = Fapi::register(&run).await;
    let ask = fapi.ask();
    let sent = fapi.by_name(&fapi.pushed(fapi.push(&ask)).await);
    let response = fapi.answer(&ask, &sent).await;
    fapi.finish(&ask, &response).await;
    not_opened(&fapi, &ask, &sent, &["invalid_request_uri"]).await;
}

pub async fn par_attempt_to_use_expired_request_uri(run: Run) {
    let fapi = Fapi::register(&run).await;
    let ask = fapi.ask();
    let answer = fapi.push(&ask).send().await.json();
    let sent = fapi.by_name(answer["request_uri"].as_str().expect("a request_uri"));
    run.op.pass(Duration::from_secs(answer["expires_in"].as_u64().expect("expires_in") + 1));
    not_opened(&fapi, &ask, &sent, &["invalid_request_uri"]).await;
}

pub async fn par_attempt_to_use_request_uri_for_different_client(run: Run) {
    let (fapi, other) = (Fapi::register(&run).await, Fapi::register(&run).await);
    let ask = fapi.ask();
    let sent = other.by_name(&fapi.pushed(fapi.push(&ask)).await);
    let errors = ["invalid_request", "invalid_request_object", "invalid_request_uri"];
    not_opened(&other, &ask, &sent, &errors).await;
}

pub async fn par_authorization_request_containing_request_uri_form_param(run: Run) {
    let fapi = Fapi::register(&run).await;
    let name = format!("urn:ietf:params:oauth:request_uri:{}", random(22));
    let errors = ["invalid_request", "invalid_request_object", "request_uri_not_supported"];
    refused(fapi.push(&fapi.ask()).with("request_uri", &name), &errors).await;
}

/// RFC 9126, 2.3: POST alone.
pub async fn par_attempt_invalid_http_method(run: Run) {
    let fapi = Fapi::register(&run).await;
    let call = fapi.push(&fapi.ask());
    let answer = Answer::to(call.http.put(&call.url).form(&call.form)).await;
    assert_eq!(answer.status, 405, "{}", answer.body);
}
