//! Modules of the Dynamic and the Third-Party-Initiated Login plans.

use std::time::Duration;

use countersign_tests::user_agent::Answer;
use serde_json::{Value, json};

use crate::common;
use crate::keys::{RpKey, Site};
use crate::rp::{CALLBACK, Landed, Rp};
use crate::suite::Run;

fn assert_refused(answer: &Answer, errors: &[&str]) {
    assert_eq!(answer.status, 400, "{}", answer.body);
    let error = answer.json()["error"].as_str().unwrap_or_default().to_owned();
    assert!(errors.contains(&error.as_str()), "{error}");
}

pub async fn idtoken_rs256(run: Run) {
    let rp = Rp::register_with(&run, json!({"id_token_signed_response_alg": "RS256"})).await;
    let login = rp.login(&rp.ask()).await;
    let header = jsonwebtoken::decode_header(&login.id_token_text).expect("a header");
    assert_eq!(header.alg, jsonwebtoken::Algorithm::RS256);
}

pub async fn userinfo_rs256(run: Run) {
    let rp = Rp::register_with(&run, json!({"userinfo_signed_response_alg": "RS256"})).await;
    let login = rp.login(&rp.ask()).await;
    let answer = rp.userinfo(login.access_token.as_deref().expect("an access token")).await;
    assert_eq!(answer.status, 200);
    assert!(answer.header("content-type").starts_with("application/jwt"), "{}", answer.header("content-type"));
    let (header, claims) = rp.op.verify(&answer.body).await;
    assert_eq!(header.alg, jsonwebtoken::Algorithm::RS256);
    assert_eq!((&claims["sub"], &claims["iss"]), (&login.id_token["sub"], &json!(rp.op.endpoint("issuer"))));
    assert!(claims["aud"] == rp.id() || claims["aud"] == json!([rp.id()]));
}

/// Two redirect URIs, and none in the request.
pub async fn ensure_redirect_uri_in_authorization_request(run: Run) {
    let more = json!({"redirect_uris": [CALLBACK, "https://rp.example.com/other"]});
    let rp = Rp::register_with(&run, more).await;
    assert_eq!(rp.open(&rp.ask().without("redirect_uri")).await.page().status, 400);
}

const WITH_QUERY: &str = "https://rp.example.com/cb?foo=bar";

pub async fn redirect_uri_query_ok(run: Run) {
    let rp = Rp::register_with(&run, json!({"redirect_uris": [WITH_QUERY]})).await;
    let ask = rp.ask().with("redirect_uri", WITH_QUERY);
    let answer = rp.browser.get(&rp.url(&ask)).await;
    let landed = rp.land(answer, &ask).await;
    assert!(rp.go_on(landed, &ask).await.response().contains_key("state"));
}

async fn other_query(run: &Run, registered: &str, asked: &str) {
    let rp = Rp::register_with(run, json!({"redirect_uris": [registered]})).await;
    assert_eq!(rp.open(&rp.ask().with("redirect_uri", asked)).await.page().status, 400);
}

pub async fn redirect_uri_query_mismatch(run: Run) {
    other_query(&run, WITH_QUERY, "https://rp.example.com/cb?foo=baz").await;
}

pub async fn redirect_uri_query_added(run: Run) {
    other_query(&run, CALLBACK, WITH_QUERY).await;
}

pub async fn redirect_uri_regfrag(run: Run) {
    let (answer, ..) = Rp::try_register(&run, json!({"redirect_uris": ["https://rp.example.com/cb#foobar"]})).await;
    assert_refused(&answer, &["invalid_redirect_uri", "invalid_client_metadata"]);
}

/// Registered, shown at consent, and a sign-in works.
async fn shown(run: &Run, name: &str) {
    let address = format!("https://rp.example.com/{name}");
    let rp = Rp::register_with(run, json!({name: address})).await;
    assert_eq!(rp.client[name], address.as_str());
    let ask = rp.ask().with("prompt", "consent login");
    let page = rp.open(&ask).await.page();
    let landed = rp.browser.sign_in(&page, "alice@example.com", "meadow-lark-2291-kite").await;
    let consent = rp.land(landed, &ask).await.page();
    assert!(consent.body.contains(&address), "the consent page shows {name}: {}", consent.body);
    let landed = rp.go_on(Landed::Page(Box::new(consent)), &ask).await;
    rp.finish(&ask, landed.response()).await;
}

pub async fn registration_logo_uri(run: Run) {
    shown(&run, "logo_uri").await;
}

pub async fn registration_policy_uri(run: Run) {
    shown(&run, "policy_uri").await;
}

pub async fn registration_tos_uri(run: Run) {
    shown(&run, "tos_uri").await;
}

/// Client authentication by the keys at `jwks_uri`.
pub async fn registration_jwks_uri(run: Run) {
    let rp = Rp::register(&run).await;
    assert_eq!(rp.client["jwks_uri"], format!("{}/jwks", rp.site.origin).as_str());
    rp.login(&rp.ask()).await;
}

async fn sector(run: &Run, listed: &Value) -> Answer {
    let site = Site::open().await;
    let address = site.publish("/redirect_uris.json", listed);
    let more = json!({"subject_type": "pairwise", "sector_identifier_uri": address});
    Rp::try_register_at(run, site, more).await.0
}

pub async fn registration_sector_uri(run: Run) {
    assert!(run.op.supports("subject_types_supported", "pairwise"));
    let answer = sector(&run, &json!([CALLBACK])).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
}

pub async fn registration_sector_bad(run: Run) {
    assert_refused(&sector(&run, &json!(["https://elsewhere.example.com/cb"])).await, &["invalid_client_metadata"]);
}

/// After a rotation a new key is published beside the old ones.
pub async fn server_rotate_keys(run: Run) {
    let op = &run.op;
    let kids = |jwks: jsonwebtoken::jwk::JwkSet| -> Vec<String> {
        jwks.keys.into_iter().filter_map(|key| key.common.key_id).collect()
    };
    let before = kids(op.jwks().await);
    op.rotate_keys();
    // Another process rotated; this node looks for that every ten seconds.
    for _ in 0..120 {
        let after = kids(op.jwks().await);
        if after.len() > before.len() {
            assert!(before.iter().all(|kid| after.contains(kid)), "the old keys are still there");
            return;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    panic!("no new key was published");
}

/// A client whose key changed is authenticated by the new one.
pub async fn refresh_token_rp_key_rotation(run: Run) {
    let more = json!({"grant_types": ["authorization_code", "refresh_token"]});
    let mut rp = Rp::register_with(&run, more).await;
    let ask = rp.ask().with("scope", "openid offline_access").with("prompt", "consent");
    let first = rp.login(&ask).await;
    let token = first.tokens["refresh_token"].as_str().expect("a refresh token").to_owned();
    rp.key = RpKey::new("rp-2");
    // The suite waits a minute, since providers bound how often they fetch; ours does by ten seconds.
    run.op.pass(Duration::from_secs(11));
    rp.site.publish("/jwks", &rp.key.jwks());
    let answer = rp.token(&[("grant_type", "refresh_token"), ("refresh_token", &token)]).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
}

/// An unsigned object by reference.
pub async fn request_uri_unsigned(run: Run) {
    common::request_uri_unsigned_supported_correctly_or_rejected_as_unsupported(run).await;
}

/// A signed object by reference at a registered address.
pub async fn request_uri_signed_rs256(run: Run) {
    let site = Site::open().await;
    let address = format!("{}/request.jwt", site.origin);
    let more = json!({"request_uris": [address], "request_object_signing_alg": "RS256"});
    let (answer, key, site) = Rp::try_register_at(&run, site, more).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    let browser = run.op.browser();
    let rp = Rp { op: run.op.clone(), variant: run.variant, client: answer.json(), browser, key, site };
    let ask = rp.ask();
    let mut claims = ask.claims();
    claims["iss"] = json!(rp.id());
    claims["aud"] = json!(rp.op.endpoint("issuer"));
    rp.site.publish("/request.jwt", &rp.key.sign("JWT", &claims));
    let outside = ["client_id", "response_type", "scope"];
    let mut sent = ask.clone();
    sent.params.retain(|(name, _)| outside.contains(&name.as_str()));
    let answer = rp.browser.get(&rp.url(&sent.with("request_uri", &address))).await;
    let landed = rp.land(answer, &ask).await;
    let landed = rp.go_on(landed, &ask).await;
    rp.finish(&ask, landed.response()).await;
}

/// The issuer is an audience of client assertions.
pub async fn ensure_client_assertion_with_iss_aud_succeeds(run: Run) {
    let rp = Rp::register(&run).await;
    let response = rp.response(&rp.ask()).await;
    let form = [("grant_type", "authorization_code"), ("code", response["code"].as_str()), ("redirect_uri", CALLBACK)];
    let answer = rp.token_with_audience(&form, rp.op.endpoint("issuer")).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
}

/// The registered address starts a login.
pub async fn third_party_init_login(run: Run) {
    let address = "https://rp.example.com/initiate";
    let rp = Rp::register_with(&run, json!({"initiate_login_uri": address})).await;
    assert_eq!(rp.client["initiate_login_uri"], address);
    let own = rp.client["registration_client_uri"].as_str().expect("a registration_client_uri");
    let token = rp.client["registration_access_token"].as_str().expect("a token");
    let read = Answer::to(rp.op.http.get(own).bearer_auth(token)).await.json();
    assert_eq!(read["initiate_login_uri"], address);
    rp.login(&rp.ask()).await;
}

pub async fn third_party_init_login_nohttps(run: Run) {
    let (answer, ..) = Rp::try_register(&run, json!({"initiate_login_uri": "http://rp.example.com/initiate"})).await;
    assert_refused(&answer, &["invalid_client_metadata", "invalid_redirect_uri"]);
}
