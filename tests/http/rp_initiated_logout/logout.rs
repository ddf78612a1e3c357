//! OpenID Connect RP-Initiated Logout 1.0, and what it says in the browser: Front-Channel Logout 1.0.

use std::time::Duration;

use countersign_tests::user_agent::{Answer, UserAgent};
use serde_json::json;
use url::Url;

use crate::fixture::{AFTER_LOGOUT, Provider, peek, text};

impl Provider {
    /// Alice signs in; her browser, and the ID token the client got.
    async fn signed_in(&self, client: &str) -> (UserAgent, String) {
        let agent = UserAgent::new();
        let tokens = self.redeem(&self.grant(&agent, &self.ask(client)).await).await;
        (agent, text(&tokens, "id_token").to_owned())
    }

    fn end_session(&self, parameters: &[(&str, &str)]) -> String {
        Url::parse_with_params(&self.url("/end_session"), parameters).unwrap().into()
    }

    async fn is_signed_in(&self, agent: &UserAgent) -> bool {
        let response = agent.get(&self.ask("basic").with("prompt", "none").url()).await.response();
        assert!(response.contains_key("code") || response["error"] == "login_required", "{response:?}");
        response.contains_key("code")
    }
}

fn is_question(answer: &Answer) -> bool {
    answer.status == 200 && answer.body.contains(r#"name="do" value="logout""#)
}

fn says_logged_out(answer: &Answer) -> bool {
    answer.status == 200 && answer.body.contains("You are logged out")
}

/// 2.1: the endpoint is in the metadata; 2: GET and POST.
#[tokio::test]
async fn the_endpoint_is_advertised_and_takes_get_and_post() {
    let provider = Provider::start().await;
    let metadata = Answer::to(provider.http.get(provider.url("/.well-known/openid-configuration"))).await.json();
    assert_eq!(metadata["end_session_endpoint"], provider.url("/end_session"));
    let (agent, token) = provider.signed_in("leaving").await;
    let fields = [("id_token_hint", token.as_str()), ("post_logout_redirect_uri", AFTER_LOGOUT), ("state", "a b")];
    // Another site's POST comes without cookies: it is a GET before anything is looked at.
    let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let first = UserAgent::new().post(&provider.url("/end_session"), &fields).await;
    assert!(provider.is_signed_in(&agent).await);
    let answer = agent.get(first.location().as_str()).await;
    assert_eq!(answer.location().as_str(), "https://leaving.example.com/after?state=a+b");
    assert!(!provider.is_signed_in(&agent).await);
    let put = Answer::to(provider.http.put(provider.url("/end_session"))).await;
    assert_eq!((put.status, put.header("allow")), (405, "GET, POST"));
}

/// 2 and 3: with a hint nobody is asked; the browser goes where the client registered, with `state` if there was one.
#[tokio::test]
async fn a_hint_ends_the_session_and_leads_back_to_the_client_even_after_its_end() {
    let provider = Provider::start_with_clock().await;
    for (state, target) in [(None, AFTER_LOGOUT.to_owned()), (Some("s-1"), format!("{AFTER_LOGOUT}?state=s-1"))] {
        let (agent, token) = provider.signed_in("leaving").await;
        provider.demo.move_clock(Duration::from_mins(20));
        let expired = peek(&token)["exp"].as_i64().unwrap();
        let mut parameters = vec![("id_token_hint", token.as_str()), ("post_logout_redirect_uri", AFTER_LOGOUT)];
        parameters.extend(state.map(|state| ("state", state)));
        let answer = agent.get(&provider.end_session(&parameters)).await;
        assert_eq!(answer.location().as_str(), target, "expired {expired}");
        assert_eq!(answer.header("cache-control"), "no-store");
        assert!(!provider.is_signed_in(&agent).await);
        // Logged out already: the browser is sent on all the same.
        assert_eq!(agent.get(&provider.end_session(&parameters)).await.location().as_str(), target);
    }
}

/// 2, 3 and 4: whatever is wrong, nobody is redirected and nobody is logged out.
#[tokio::test]
async fn a_request_that_is_not_sound_redirects_nobody_and_ends_nothing() {
    let provider = Provider::start().await;
    let other = Provider::start().await;
    let (agent, token) = provider.signed_in("leaving").await;
    let (_, foreign) = other.signed_in("leaving").await;
    let unsigned = format!("eyJhbGciOiJub25lIn0.{}.", token.split('.').nth(1).unwrap());
    let added = format!("{AFTER_LOGOUT}?foo=bar");
    let cases: [(&str, Vec<(&str, &str)>); 8] = [
        ("bad uri", vec![("id_token_hint", &token), ("post_logout_redirect_uri", "https://evil.example.com/")]),
        ("query added", vec![("id_token_hint", &token), ("post_logout_redirect_uri", &added)]),
        ("alg none", vec![("id_token_hint", &unsigned), ("post_logout_redirect_uri", AFTER_LOGOUT)]),
        ("foreign key", vec![("id_token_hint", &foreign), ("post_logout_redirect_uri", AFTER_LOGOUT)]),
        ("no hint", vec![("post_logout_redirect_uri", AFTER_LOGOUT), ("state", "x")]),
        ("another client", vec![("id_token_hint", &token), ("client_id", "basic")]),
        ("no such client", vec![("client_id", "nobody")]),
        ("another's uri", vec![("client_id", "basic"), ("post_logout_redirect_uri", AFTER_LOGOUT)]),
    ];
    for (case, parameters) in cases {
        let answer = agent.get(&provider.end_session(&parameters)).await;
        assert_eq!(answer.status, 400, "{case}");
        assert!(answer.headers.get("location").is_none() && !answer.body.contains("href=\"https://evil"), "{case}");
        assert!(provider.is_signed_in(&agent).await, "{case}");
    }
    let twice = format!("{}?state=a&state=b", provider.url("/end_session"));
    assert_eq!(agent.get(&twice).await.status, 400);
}

/// 2: without a hint, and with that of another session, the person is asked, and only their own answer counts.
#[tokio::test]
async fn without_a_hint_the_person_is_asked() {
    let provider = Provider::start().await;
    let (_, elsewhere) = provider.signed_in("leaving").await;
    let named = [("client_id", "leaving"), ("post_logout_redirect_uri", AFTER_LOGOUT), ("state", "s")];
    let hinted = [("id_token_hint", elsewhere.as_str())];
    for (case, parameters) in
        [("no parameters", &[][..]), ("only state", &[("state", "s")]), ("another session", &hinted), ("named", &named)]
    {
        let (agent, _) = provider.signed_in("basic").await;
        let question = agent.get(&provider.end_session(parameters)).await;
        assert!(is_question(&question), "{case}: {}", question.status);
        assert!(provider.is_signed_in(&agent).await, "{case}: asking ends nothing");
        let stays = agent.press(&question, "stay", &[]).await;
        assert_eq!(stays.location().path(), "/account", "{case}");
        assert!(provider.is_signed_in(&agent).await, "{case}");
        // A page of another browser, and a form of another site, which cannot know what is sealed.
        let (victim, _) = provider.signed_in("basic").await;
        for form in [question.form("logout").hidden, Vec::new()] {
            let mut form = form;
            form.push(("do".to_owned(), "logout".to_owned()));
            let forged = victim.post(&provider.url("/end_session/confirm"), &form).await;
            assert_eq!(forged.location().path(), "/end_session", "{case}");
            assert!(provider.is_signed_in(&victim).await, "{case}");
        }
        let answer = agent.press(&question, "logout", &[]).await;
        if case == "named" {
            assert_eq!(answer.location().as_str(), format!("{AFTER_LOGOUT}?state=s"));
        } else {
            assert!(says_logged_out(&answer), "{case}: {}", answer.body);
        }
        assert!(!provider.is_signed_in(&agent).await, "{case}");
        assert_eq!(agent.cookie("cs_session").as_deref(), Some(""), "{case}");
    }
    let nobody = UserAgent::new().get(&provider.end_session(&[])).await;
    assert!(says_logged_out(&nobody));
}

/// The account is not to be had with the session's end, but what was granted for good stays (Back-Channel Logout, 2.7).
#[tokio::test]
async fn grants_of_the_session_end_with_it() {
    let provider = Provider::start().await;
    let agent = UserAgent::new();
    let short = provider.redeem(&provider.grant(&agent, &provider.ask("basic")).await).await;
    let lasting = provider.ask("basic").with("scope", "openid offline_access");
    let lasting = provider.redeem(&provider.grant(&agent, &lasting).await).await;
    let hint = [("id_token_hint", text(&short, "id_token"))];
    assert!(says_logged_out(&agent.get(&provider.end_session(&hint)).await));
    assert_eq!(provider.userinfo(text(&short, "access_token")).await.status, 401);
    let refreshed = provider.refresh("basic", text(&lasting, "refresh_token"), "").await;
    assert_eq!(refreshed.status, 200, "{}", refreshed.body);
}

/// Front-Channel Logout, 2 and 3: a frame of each client, with `iss` and `sid`, allowed by its origin alone.
#[tokio::test]
async fn clients_are_told_in_frames_of_the_logged_out_page() {
    let provider = Provider::start().await;
    let agent = UserAgent::new();
    let ask = provider.ask("framed");
    let tokens = provider.redeem(&provider.grant(&agent, &ask).await).await;
    let sid = peek(text(&tokens, "id_token"))["sid"].as_str().unwrap().to_owned();
    provider.grant(&agent, &ask).await;
    let leaving = provider.redeem(&provider.grant(&agent, &provider.ask("leaving")).await).await;
    let parameters = [("id_token_hint", text(&leaving, "id_token")), ("post_logout_redirect_uri", AFTER_LOGOUT)];
    let page = agent.get(&provider.end_session(&parameters)).await;
    assert!(says_logged_out(&page));
    let frames: Vec<&str> = page.body.split("<iframe src=\"").skip(1).collect();
    assert_eq!(frames.len(), 1, "two grants, one session");
    let address = frames[0].split('"').next().unwrap().replace("&amp;", "&");
    let address = Url::parse(&address).unwrap();
    assert_eq!(address.origin().ascii_serialization(), "https://framed.example.com");
    let pairs: Vec<_> = address.query_pairs().into_owned().collect();
    let expected = [("x", "1"), ("iss", &provider.demo.issuer), ("sid", &sid)];
    assert_eq!(pairs, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    // A stranger's page may not ask, download or lead away.
    let tag = frames[0].split('>').next().unwrap();
    assert!(tag.contains(r#" sandbox="allow-scripts allow-same-origin""#), "{tag}");
    let policy = page.header("content-security-policy");
    assert!(policy.contains("; frame-src https://framed.example.com;"), "{policy}");
    assert!(page.body.contains(&format!(r#"href="{AFTER_LOGOUT}" data-after-frames"#)), "{}", page.body);
    assert!(!provider.is_signed_in(&agent).await);
    assert_eq!(json!(agent.cookie("cs_session")), json!(""));
}
