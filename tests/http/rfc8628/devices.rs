//! RFC 8628: a device asks, its person decides elsewhere.

use std::time::Duration;

use countersign_tests::user_agent::{Answer, UserAgent};
use futures_util::future::join_all;
use serde_json::Value;

use crate::fixture::{ALICE, CASES_API, Provider, assert_error, assert_not_cached, basic, peek, secret_of, text};

const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

async fn begin(provider: &Provider, more: &[(&str, &str)]) -> Answer {
    let form = [&[("client_id", "tv")], more].concat();
    Answer::to(provider.http.post(provider.url("/device_authorization")).form(&form)).await
}

async fn codes(provider: &Provider) -> Value {
    let answer = begin(provider, &[("scope", "openid offline_access")]).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()
}

async fn poll(provider: &Provider, codes: &Value) -> Answer {
    provider.token_request(&poll_form("tv", codes)).send_answer().await
}

fn poll_form<'a>(client: &'a str, codes: &'a Value) -> [(&'a str, &'a str); 3] {
    [("grant_type", GRANT), ("device_code", text(codes, "device_code")), ("client_id", client)]
}

trait SendAnswer {
    async fn send_answer(self) -> Answer;
}

impl SendAnswer for reqwest::RequestBuilder {
    async fn send_answer(self) -> Answer {
        Answer::to(self).await
    }
}

/// Types the code and signs in; answers the page that asks.
async fn walk(provider: &Provider, agent: &UserAgent, typed: &str) -> Answer {
    let page = agent.get(&provider.url("/device")).await;
    let login = agent.press(&page, "continue", &[("user_code", typed)]).await;
    agent.sign_in(&agent.follow(login).await, ALICE.0, ALICE.1).await
}

/// Sections 3.1 to 3.5: the whole way, once allowed.
#[tokio::test]
async fn a_person_allows_a_device_and_it_gets_its_tokens_once() {
    let provider = Provider::start_with_clock().await;
    let metadata = Answer::to(provider.http.get(provider.url("/.well-known/openid-configuration"))).await.json();
    assert_eq!(metadata["device_authorization_endpoint"], provider.url("/device_authorization").as_str());
    assert!(metadata["grant_types_supported"].as_array().unwrap().iter().any(|grant| grant == GRANT));

    let begun = begin(&provider, &[("scope", "openid offline_access")]).await;
    assert_not_cached(&begun);
    let codes = begun.json();
    assert_eq!((&codes["expires_in"], &codes["interval"]), (&600.into(), &5.into()));
    assert_eq!(codes["verification_uri"], provider.url("/device").as_str());
    let shown = text(&codes, "user_code");
    assert!(shown.len() == 9 && shown.bytes().all(|byte| b"BCDFGHJKLMNPQRSTVWXZ-".contains(&byte)), "{shown}");
    assert!(text(&codes, "device_code").len() >= 43);

    // 3.5: not yet; too fast; and not for other clients.
    assert_error(&poll(&provider, &codes).await, 400, "authorization_pending");
    assert_error(&poll(&provider, &codes).await, 400, "slow_down");
    provider.demo.move_clock(Duration::from_secs(6));
    assert_error(&poll(&provider, &codes).await, 400, "slow_down");
    provider.demo.move_clock(Duration::from_secs(16));
    assert_error(&poll(&provider, &codes).await, 400, "authorization_pending");
    let foreign = [("grant_type", GRANT), ("device_code", text(&codes, "device_code"))];
    assert_error(&provider.token("spa", &foreign).await, 400, "unauthorized_client");

    let agent = UserAgent::new();
    let question = walk(&provider, &agent, &shown.to_lowercase().replace('-', " ")).await;
    assert_eq!(question.status, 200, "{}", question.body);
    assert!(question.body.contains("Living Room") && question.body.contains(shown), "{}", question.body);
    let done = agent.press(&question, "allow", &[]).await;
    assert!(done.body.contains("DEVICE CONNECTED"), "{}", done.body);
    // What was decided is decided.
    let late = agent.press(&question, "deny", &[]).await;
    assert!(late.body.contains("No device is waiting"), "{}", late.body);

    let answers = join_all((0..100).map(|_| poll(&provider, &codes))).await;
    let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 200);
    assert_eq!(won.len(), 1);
    for loser in &lost {
        assert_error(loser, 400, "invalid_grant");
    }
    let tokens = won[0].json();
    let claims = peek(text(&tokens, "id_token"));
    assert_eq!((&claims["aud"], claims.get("nonce")), (&"tv".into(), None));
    assert!(claims["auth_time"].is_i64() && claims["acr"].is_string());
    assert_eq!(provider.userinfo(text(&tokens, "access_token")).await.status, 200, "the losers did no harm");
    let form =
        [("grant_type", "refresh_token"), ("refresh_token", text(&tokens, "refresh_token")), ("client_id", "tv")];
    assert_eq!(provider.token_request(&form).send_answer().await.status, 200);
}

/// OpenID Connect Core, 8.1: a device of a sector never learns what others call the person.
#[tokio::test]
async fn a_device_knows_its_person_by_the_name_of_its_sector() {
    let provider = Provider::start().await;
    let own = async |path: &str, form: &[(&str, &str)]| {
        let header = basic("sector-tv", &secret_of("sector-tv"));
        let answer =
            Answer::to(provider.http.post(provider.url(path)).form(form).header("authorization", header)).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json()
    };
    let codes = own("/device_authorization", &[("scope", "openid offline_access")]).await;
    let agent = UserAgent::new();
    let question = walk(&provider, &agent, text(&codes, "user_code")).await;
    agent.press(&question, "allow", &[]).await;
    let tokens = own("/token", &[("grant_type", GRANT), ("device_code", text(&codes, "device_code"))]).await;
    let granted = provider.grant(&agent, &provider.ask("basic")).await;
    let public = peek(text(&provider.redeem(&granted).await, "id_token"))["sub"].clone();
    let subject = peek(text(&tokens, "id_token"))["sub"].clone();
    assert!(subject.is_string() && subject != public, "{subject}");
    assert_eq!(peek(text(&tokens, "access_token"))["sub"], subject);
    for kind in ["access_token", "refresh_token"] {
        let told = own("/introspection", &[("token", text(&tokens, kind))]).await;
        assert_eq!((&told["active"], &told["sub"]), (&true.into(), &subject), "{kind}");
    }
}

/// 3.3.1 and 5.4: an address with the code in it still asks, signs in and asks again.
#[tokio::test]
async fn a_complete_address_decides_nothing_and_a_person_may_deny() {
    let provider = Provider::start().await;
    let codes = codes(&provider).await;
    let agent = UserAgent::new();
    let page = agent.get(text(&codes, "verification_uri_complete")).await;
    assert!(page.body.contains(text(&codes, "user_code")), "filled in");
    assert_error(&poll(&provider, &codes).await, 400, "authorization_pending");
    // Nobody is signed in: nothing can be allowed, whoever makes up a form.
    let forged = [("do", "allow"), ("user_code", text(&codes, "user_code")), ("nonce", "AAAA")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert!(agent.post(&provider.url("/device"), &forged).await.body.contains("No device is waiting"));

    let login = agent.press(&page, "continue", &[("user_code", text(&codes, "user_code"))]).await;
    let question = agent.sign_in(&agent.follow(login).await, ALICE.0, ALICE.1).await;
    // Another site's form has no nonce.
    assert!(agent.post(&provider.url("/device"), &forged).await.body.contains("No device is waiting"));
    assert_error(&poll(&provider, &codes).await, 400, "slow_down");
    let denied = agent.press(&question, "deny", &[]).await;
    assert!(denied.body.contains("DEVICE NOT CONNECTED"), "{}", denied.body);
    assert_error(&poll(&provider, &codes).await, 400, "access_denied");
}

/// 5.4 and RFC 8707: the page says what the device will have, APIs too.
#[tokio::test]
async fn the_person_sees_all_that_a_device_asks_for() {
    let provider = Provider::start().await;
    let form = [("client_id", "cases-tv"), ("scope", "openid cases.read"), ("resource", CASES_API)];
    let codes = Answer::to(provider.http.post(provider.url("/device_authorization")).form(&form)).await;
    assert_eq!(codes.status, 200, "{}", codes.body);
    let question = walk(&provider, &UserAgent::new(), text(&codes.json(), "user_code")).await;
    for shown in ["know that it is you", "see your cases", CASES_API] {
        assert!(question.body.contains(&format!("<span>{shown}")), "{shown}: {}", question.body);
    }
}

/// 3.2 and 3.5: codes end.
#[tokio::test]
async fn codes_expire() {
    let provider = Provider::start_with_clock().await;
    let codes = codes(&provider).await;
    provider.demo.move_clock(Duration::from_secs(601));
    assert_error(&poll(&provider, &codes).await, 400, "expired_token");
    let agent = UserAgent::new();
    let page = agent.get(&provider.url("/device")).await;
    let answer = agent.press(&page, "continue", &[("user_code", text(&codes, "user_code"))]).await;
    assert!(answer.body.contains("No device is waiting"));
}

/// 5.1: whoever guesses is stopped, by network.
#[tokio::test]
async fn guesses_of_user_codes_are_bounded() {
    let provider = Provider::start().await;
    let agent = UserAgent::new();
    let page = agent.get(&provider.url("/device")).await;
    let mut statuses = Vec::new();
    for _ in 0..21 {
        statuses.push(agent.press(&page, "continue", &[("user_code", "BBBB-BBBB")]).await.status);
    }
    assert!(statuses[..20].iter().all(|status| *status == 200), "{statuses:?}");
    assert_ne!(statuses[20], 200);
}

/// 3.1: client, scope and method are checked as everywhere.
#[tokio::test]
async fn what_a_device_may_not_ask_is_refused() {
    let provider = Provider::start().await;
    assert_error(&begin(&provider, &[("scope", "cases.write")]).await, 400, "invalid_scope");
    assert_error(&begin(&provider, &[("resource", "https://unknown.example.com")]).await, 400, "invalid_target");
    let spa = Answer::to(provider.http.post(provider.url("/device_authorization")).form(&[("client_id", "spa")])).await;
    assert_error(&spa, 400, "unauthorized_client");
    let nobody = Answer::to(provider.http.post(provider.url("/device_authorization")).form(&[("a", "b")])).await;
    assert_error(&nobody, 401, "invalid_client");
    assert_eq!(Answer::to(provider.http.get(provider.url("/device_authorization"))).await.status, 405);
    let unknown = [("grant_type", GRANT), ("device_code", "unknown"), ("client_id", "tv")];
    assert_error(&provider.token_request(&unknown).send_answer().await, 400, "invalid_grant");
}

/// A form of another site comes without this browser's cookies: it fills the code in, begins nothing, ends nothing.
#[tokio::test]
async fn another_sites_form_begins_nothing() {
    let provider = Provider::start().await;
    let codes = codes(&provider).await;
    let send = async |site: &str| {
        let form = [("user_code", text(&codes, "user_code")), ("do", "continue")];
        let request = provider.http.post(provider.url("/device")).form(&form);
        Answer::to(request.header("sec-fetch-site", site)).await
    };
    for site in ["cross-site", "same-site"] {
        let shown = send(site).await;
        assert_eq!((shown.status, shown.header("set-cookie")), (200, ""), "{site}");
        assert!(shown.body.contains(text(&codes, "user_code")), "{}", shown.body);
    }
    let own = send("same-origin").await;
    assert!(own.status == 303 || own.asks_for_password(), "{} {}", own.status, own.body);
}
