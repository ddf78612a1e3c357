//! Modules of the logout plans: RP-Initiated, Back-Channel and Front-Channel.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_tests::user_agent::Answer;
use serde_json::{Value, json};
use url::Url;

use crate::keys::RpKey;
use crate::rp::{Login, Rp, random};
use crate::suite::Run;

const AFTER: &str = "https://rp.example.com/logged-out";

pub async fn rp_initiated_logout_discovery_endpoint_verification(run: Run) {
    assert!(run.op.endpoint("end_session_endpoint").starts_with("https://"));
}

pub async fn backchannel_logout_discovery_endpoint_verification(run: Run) {
    rp_initiated_logout_discovery_endpoint_verification(run.clone()).await;
    assert_eq!(run.op.metadata["backchannel_logout_supported"], true);
    assert_eq!(run.op.metadata["backchannel_logout_session_supported"], true);
}

pub async fn frontchannel_logout_discovery_endpoint_verification(run: Run) {
    rp_initiated_logout_discovery_endpoint_verification(run.clone()).await;
    assert_eq!(run.op.metadata["frontchannel_logout_supported"], true);
    assert_eq!(run.op.metadata["frontchannel_logout_session_supported"], true);
}

/// A client that may send people to [`AFTER`], and somebody signed in.
async fn signed_in(run: &Run, mut more: Value) -> (Rp, Login) {
    more["post_logout_redirect_uris"] = json!([AFTER]);
    let rp = Rp::register_with(run, more).await;
    let login = rp.login(&rp.ask()).await;
    (rp, login)
}

/// Opens the logout endpoint and confirms where a page asks; answers what comes last, nothing outside followed.
async fn log_out(rp: &Rp, params: &[(&str, &str)]) -> Answer {
    let url = Url::parse_with_params(rp.op.endpoint("end_session_endpoint"), params).expect("a URL");
    let mut answer = rp.browser.follow(rp.browser.get(url.as_str()).await).await;
    if answer.status == 200 && answer.body.contains(r#"value="logout""#) {
        let next = rp.browser.press(&answer, "logout", &[]).await;
        answer = rp.browser.follow(next).await;
    }
    answer
}

async fn assert_logged_out(rp: &Rp) {
    assert_eq!(rp.open(&rp.ask().with("prompt", "none")).await.error(), "login_required");
}

fn assert_redirected(answer: &Answer, state: Option<&str>) {
    let location = answer.location();
    assert!(location.as_str().starts_with(AFTER), "{location}");
    let given: Vec<(String, String)> = location.query_pairs().into_owned().collect();
    let expected: Vec<(String, String)> =
        state.map(|state| ("state".to_owned(), state.to_owned())).into_iter().collect();
    assert_eq!(given, expected);
}

/// A page of the provider, and no way to the client.
fn assert_page(answer: &Answer) {
    assert!(answer.status == 200 || answer.status == 400, "{} {}", answer.status, answer.body);
    assert!(answer.header("content-type").starts_with("text/html"));
}

pub async fn rp_initiated_logout(run: Run) {
    let (rp, login) = signed_in(&run, json!({})).await;
    let state = random(20);
    let params =
        [("id_token_hint", login.id_token_text.as_str()), ("post_logout_redirect_uri", AFTER), ("state", &state)];
    assert_redirected(&log_out(&rp, &params).await, Some(&state));
    assert_logged_out(&rp).await;
}

pub async fn rp_initiated_logout_no_state(run: Run) {
    let (rp, login) = signed_in(&run, json!({})).await;
    let params = [("id_token_hint", login.id_token_text.as_str()), ("post_logout_redirect_uri", AFTER)];
    assert_redirected(&log_out(&rp, &params).await, None);
    assert_logged_out(&rp).await;
}

/// Whatever is wrong, nobody is sent anywhere.
async fn not_redirected(run: &Run, params: impl FnOnce(&Login) -> Vec<(&'static str, String)>) {
    let (rp, login) = signed_in(run, json!({})).await;
    let params = params(&login);
    let params: Vec<(&str, &str)> = params.iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert_page(&log_out(&rp, &params).await);
}

pub async fn rp_initiated_logout_bad_post_logout_redirect_uri(run: Run) {
    not_redirected(&run, |login| {
        vec![
            ("id_token_hint", login.id_token_text.clone()),
            ("post_logout_redirect_uri", format!("https://rp.example.com/{}", random(8))),
            ("state", random(20)),
        ]
    })
    .await;
}

pub async fn rp_initiated_logout_query_added_to_post_logout_redirect_uri(run: Run) {
    not_redirected(&run, |login| {
        vec![
            ("id_token_hint", login.id_token_text.clone()),
            ("post_logout_redirect_uri", format!("{AFTER}?foo=bar")),
            ("state", random(20)),
        ]
    })
    .await;
}

/// The same claims, nobody's signature.
pub async fn rp_initiated_logout_modified_id_token_hint(run: Run) {
    not_redirected(&run, |login| {
        let payload = login.id_token_text.split('.').nth(1).expect("a payload");
        let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#);
        let hint = format!("{header}.{payload}.");
        vec![("id_token_hint", hint), ("post_logout_redirect_uri", AFTER.to_owned()), ("state", random(20))]
    })
    .await;
}

/// The same claims under a stranger's key.
pub async fn rp_initiated_logout_bad_id_token_hint(run: Run) {
    not_redirected(&run, |login| {
        let hint = RpKey::new("stranger").sign("JWT", &login.id_token);
        vec![("id_token_hint", hint), ("post_logout_redirect_uri", AFTER.to_owned()), ("state", random(20))]
    })
    .await;
}

pub async fn rp_initiated_logout_no_id_token_hint(run: Run) {
    not_redirected(&run, |_| vec![("post_logout_redirect_uri", AFTER.to_owned()), ("state", random(20))]).await;
}

/// The person is asked, logged out, and told so.
async fn logged_out_page(run: &Run, params: impl FnOnce(&Login) -> Vec<(&'static str, String)>) {
    let (rp, login) = signed_in(run, json!({})).await;
    let params = params(&login);
    let params: Vec<(&str, &str)> = params.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let answer = log_out(&rp, &params).await;
    assert_page(&answer);
    assert_eq!(answer.status, 200);
    assert_logged_out(&rp).await;
}

pub async fn rp_initiated_logout_no_params(run: Run) {
    logged_out_page(&run, |_| Vec::new()).await;
}

pub async fn rp_initiated_logout_no_post_logout_redirect_uri(run: Run) {
    logged_out_page(&run, |login| vec![("id_token_hint", login.id_token_text.clone()), ("state", random(20))]).await;
}

pub async fn rp_initiated_logout_only_state(run: Run) {
    logged_out_page(&run, |_| vec![("state", random(20))]).await;
}

/// The logout token and nothing else arrives; then the browser is sent on.
pub async fn backchannel_rp_initiated_logout(run: Run) {
    let site = crate::keys::Site::open().await;
    let more = json!({
        "post_logout_redirect_uris": [AFTER],
        "backchannel_logout_uri": site.publish("/backchannel", ""),
        "backchannel_logout_session_required": true,
    });
    let (answer, key, site) = Rp::try_register_at(&run, site, more).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    let browser = run.op.browser();
    let rp = Rp { op: run.op.clone(), variant: run.variant, client: answer.json(), browser, key, site };
    let login = rp.login(&rp.ask()).await;
    let state = random(20);
    let params =
        [("id_token_hint", login.id_token_text.as_str()), ("post_logout_redirect_uri", AFTER), ("state", &state)];
    assert_redirected(&log_out(&rp, &params).await, Some(&state));
    let mut posted = Vec::new();
    for _ in 0..100 {
        posted = rp.site.asked("/backchannel");
        if !posted.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert_eq!(posted.len(), 1, "one logout token");
    let form: Vec<(String, String)> = url::form_urlencoded::parse(posted[0].body.as_bytes()).into_owned().collect();
    assert_eq!(form.len(), 1, "no other fields");
    assert_eq!(form[0].0, "logout_token");
    let (header, claims) = rp.op.verify(&form[0].1).await;
    assert_eq!(header.typ.as_deref(), Some("logout+jwt"));
    assert_eq!(claims["iss"], rp.op.endpoint("issuer"));
    assert!(claims["aud"] == rp.id() || claims["aud"] == json!([rp.id()]));
    let issued = claims["iat"].as_i64().expect("iat");
    let now = rp.op.now();
    assert!((now - 60..=now + 5).contains(&issued));
    assert!(claims["jti"].as_str().is_some_and(|id| id.len() >= 16));
    assert_eq!(claims["events"], json!({"http://schemas.openid.net/event/backchannel-logout": {}}));
    assert_eq!(claims["sid"], login.id_token["sid"]);
    assert!(claims.get("sub").is_none_or(|sub| *sub == login.id_token["sub"]));
    assert!(claims.get("nonce").is_none());
    assert_logged_out(&rp).await;
}

/// The page of the logout loads the client's address with issuer and session, then goes on.
pub async fn frontchannel_rp_initiated_logout(run: Run) {
    let more = json!({
        "frontchannel_logout_uri": "https://rp.example.com/frontchannel",
        "frontchannel_logout_session_required": true,
    });
    let (rp, login) = signed_in(&run, more).await;
    let state = random(20);
    let params =
        [("id_token_hint", login.id_token_text.as_str()), ("post_logout_redirect_uri", AFTER), ("state", &state)];
    let page = log_out(&rp, &params).await;
    assert_eq!(page.status, 200, "a page that loads the frames: {}", page.body);
    let frame = page.body.split("<iframe").nth(1).and_then(|rest| rest.split(r#"src=""#).nth(1));
    let frame = frame.and_then(|rest| rest.split('"').next()).expect("a frame").replace("&amp;", "&");
    let frame = Url::parse(&frame).expect("a URL");
    assert!(frame.as_str().starts_with("https://rp.example.com/frontchannel?"), "{frame}");
    let value = |name: &str| frame.query_pairs().find(|(known, _)| known == name).map(|(_, value)| value.into_owned());
    assert_eq!(value("iss").as_deref(), Some(rp.op.endpoint("issuer")));
    assert_eq!(value("sid").as_deref(), login.id_token["sid"].as_str());
    let onward = Url::parse_with_params(AFTER, [("state", &state)]).expect("a URL");
    assert!(page.body.replace("&amp;", "&").contains(onward.as_str()), "the way on: {}", page.body);
    assert_logged_out(&rp).await;
}
