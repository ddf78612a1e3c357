//! OpenID Connect Core 1.0, 3.2 and 3.3, and OAuth 2.0 Multiple Response Types: implicit and hybrid answers.

use std::collections::BTreeMap;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_tests::user_agent::{Answer, UserAgent, once};
use jsonwebtoken::Algorithm;
use serde_json::{Value, json};

use crate::fixture::{ALICE, Ask, Granted, Provider, assert_error, redirect_uri_of};

/// The parameters in the fragment of a redirect to the client.
fn fragment(answer: &Answer) -> BTreeMap<String, String> {
    let location = answer.location();
    assert_eq!(location.query(), None, "{location}");
    once(url::form_urlencoded::parse(location.fragment().unwrap().as_bytes()).into_owned())
}

fn left_half(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(&digest(&SHA256, text.as_bytes()).as_ref()[..16])
}

fn ask(provider: &Provider, kind: &str) -> Ask {
    provider.ask("hybrid").with("response_type", kind).with("scope", "openid email offline_access")
}

fn error_of(answer: &Answer) -> (String, bool) {
    let in_fragment = answer.location().query().is_none();
    let parameters = if in_fragment { fragment(answer) } else { answer.response() };
    (parameters["error"].clone(), in_fragment)
}

#[tokio::test]
async fn tokens_of_the_answer_are_tied_to_the_id_token_and_work() {
    let provider = Provider::start().await;
    let agent = UserAgent::new();
    for kind in ["id_token", "token id_token", "id_token code", "code token", "code id_token token"] {
        let answer = fragment(&provider.answer(&agent, &ask(&provider, kind)).await);
        let words: Vec<&str> = kind.split(' ').collect();
        assert_eq!(answer.contains_key("code"), words.contains(&"code"), "{kind}");
        assert_eq!(answer.contains_key("access_token"), words.contains(&"token"), "{kind}");
        assert_eq!(answer.contains_key("id_token"), words.contains(&"id_token"), "{kind}");
        assert_eq!((answer["state"].as_str(), answer["iss"].as_str()), ("state-1", provider.demo.issuer.as_str()));
        let mut subject = None;
        if let Some(token) = answer.get("id_token") {
            let (_, claims) = provider.verify(token, Algorithm::RS256).await;
            assert_eq!((&claims["aud"], &claims["nonce"]), (&json!("hybrid"), &json!("nonce-1")));
            for (hash, what) in [("at_hash", "access_token"), ("c_hash", "code"), ("s_hash", "state")] {
                let expected = answer.get(what).map_or(Value::Null, |text| json!(left_half(text)));
                assert_eq!(claims[hash], expected, "{kind}: {hash}");
            }
            // 5.4: what the scope stands for is in the ID token only where UserInfo cannot be asked.
            assert_eq!(claims.get("email").is_some(), kind == "id_token", "{kind}");
            subject = Some(claims["sub"].clone());
        }
        if let Some(token) = answer.get("access_token") {
            assert_eq!((answer["token_type"].as_str(), answer["expires_in"].as_str()), ("Bearer", "600"));
            let info = provider.userinfo(token).await.json();
            assert_eq!(info["email"], ALICE.0, "{kind}");
            assert!(subject.is_none_or(|subject| subject == info["sub"]));
        }
    }
}

#[tokio::test]
async fn the_code_of_a_hybrid_answer_is_exchanged_and_its_replay_kills_the_answer_s_token() {
    let provider = Provider::start().await;
    let ask = ask(&provider, "code id_token token");
    let answer = fragment(&provider.answer(&UserAgent::new(), &ask).await);
    let code = answer["code"].clone();
    let granted = Granted { client: "hybrid".to_owned(), code, redirect_uri: redirect_uri_of("hybrid") };
    let tokens = provider.redeem(&granted).await;
    let (_, front) = provider.verify(&answer["id_token"], Algorithm::RS256).await;
    let (_, back) = provider.verify(tokens["id_token"].as_str().unwrap(), Algorithm::RS256).await;
    for name in ["iss", "sub", "aud", "auth_time", "nonce", "sid"] {
        assert_eq!(front[name], back[name], "3.3.3.6: {name}");
    }
    assert!(tokens["refresh_token"].is_string());
    assert_eq!(provider.userinfo(&answer["access_token"]).await.status, 200);
    assert_error(&provider.redeem_with(&granted, &[]).await, 400, "invalid_grant");
    // RFC 6749, 4.1.2: every token of the grant dies, that of the front channel too.
    assert_eq!(provider.userinfo(&answer["access_token"]).await.status, 401);
}

#[tokio::test]
async fn silent_answers_hold_tokens_and_errors_stand_in_the_fragment() {
    let provider = Provider::start().await;
    let agent = UserAgent::new();
    let silent = ask(&provider, "id_token token").with("prompt", "none");
    let refused = agent.get(&silent.url()).await;
    assert_eq!(error_of(&refused), ("login_required".to_owned(), true));
    let first = fragment(&provider.answer(&agent, &ask(&provider, "id_token")).await);
    let again = fragment(&agent.get(&silent.url()).await);
    let (_, before) = provider.verify(&first["id_token"], Algorithm::RS256).await;
    let (_, after) = provider.verify(&again["id_token"], Algorithm::RS256).await;
    assert_eq!((&before["sub"], &before["auth_time"]), (&after["sub"], &after["auth_time"]));
    assert_eq!(provider.userinfo(&again["access_token"]).await.status, 200);
    let cases = [
        ("nonce missing", "invalid_request", ask(&provider, "id_token").without("nonce")),
        ("nonce missing, hybrid", "invalid_request", ask(&provider, "code id_token").without("nonce")),
        ("query", "invalid_request", ask(&provider, "code token").with("response_mode", "query")),
        ("without openid", "invalid_scope", ask(&provider, "code token").with("scope", "email")),
        ("token alone", "unsupported_response_type", ask(&provider, "token")),
        ("not registered", "unauthorized_client", provider.ask("basic").with("response_type", "code id_token")),
    ];
    for (case, error, ask) in cases {
        assert_eq!(error_of(&agent.get(&ask.url()).await), (error.to_owned(), true), "{case}");
    }
}

#[tokio::test]
async fn tokens_are_posted_where_that_is_the_mode() {
    let provider = Provider::start().await;
    let ask = ask(&provider, "code id_token").with("response_mode", "form_post");
    let page = provider.answer(&UserAgent::new(), &ask).await;
    let form = page.form("");
    assert_eq!(form.action.as_str(), redirect_uri_of("hybrid"));
    let fields = once(form.hidden.into_iter());
    let (_, claims) = provider.verify(&fields["id_token"], Algorithm::RS256).await;
    assert_eq!(claims["c_hash"], left_half(&fields["code"]));
}
