//! RFC 9110, 15.5.6, and what an error looks like: JSON for programs, without what came as `state`; a page for people.

use countersign_tests::user_agent::Answer;
use serde_json::Value;

use crate::fixture::{Provider, assert_not_cached};

/// Each endpoint, and what its `Allow` says.
const METHODS: [(&str, &str); 15] = [
    ("/authorization", "GET, POST"),
    ("/token", "OPTIONS, POST"),
    ("/par", "OPTIONS, POST"),
    ("/userinfo", "OPTIONS, GET, POST"),
    ("/introspection", "OPTIONS, POST"),
    ("/revocation", "OPTIONS, POST"),
    ("/device_authorization", "OPTIONS, POST"),
    ("/device", "GET, POST"),
    ("/end_session", "GET, POST"),
    ("/check_session", "GET"),
    ("/register", "OPTIONS, POST"),
    ("/register/somebody", "OPTIONS, GET, PUT, DELETE"),
    ("/jwks", "GET, HEAD, OPTIONS"),
    ("/.well-known/openid-configuration", "GET, HEAD, OPTIONS"),
    ("/.well-known/oauth-authorization-server", "GET, HEAD, OPTIONS"),
];

const STATE: &str = "st4te-of-the-client";
/// What may stand in an error for programs (RFC 6749, 5.2; RFC 7591, 3.2.2).
const MEMBERS: [&str; 2] = ["error", "error_description"];

#[tokio::test]
async fn every_endpoint_refuses_every_other_method_and_says_which_it_takes() {
    let provider = Provider::start().await;
    let metadata = Answer::to(provider.http.get(provider.url("/.well-known/openid-configuration"))).await.json();
    let endpoints = metadata.as_object().unwrap().iter().filter(|(name, _)| {
        name.ends_with("_endpoint") || ["jwks_uri", "check_session_iframe"].contains(&name.as_str())
    });
    for (name, address) in endpoints {
        let path = address.as_str().unwrap().strip_prefix(&provider.demo.issuer).unwrap();
        assert!(METHODS.iter().any(|(known, _)| *known == path), "{name} has no line");
    }
    for (path, allowed) in METHODS {
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
            if allowed.split(", ").any(|known| known == method) {
                continue;
            }
            let answer = Answer::to(provider.http.request(method.parse().unwrap(), provider.url(path))).await;
            assert_eq!((answer.status, answer.header("allow")), (405, allowed), "{method} {path}");
            assert_not_cached(&answer);
        }
    }
}

#[tokio::test]
async fn programs_hear_of_errors_in_json_without_state_and_people_on_a_page() {
    let provider = Provider::start().await;
    let form = [("grant_type", "bogus"), ("client_id", "nobody"), ("token", "a"), ("state", STATE)];
    for accept in ["text/html", "application/json", "*/*"] {
        for path in ["/token", "/par", "/introspection", "/revocation", "/device_authorization"] {
            let answer = Answer::to(provider.http.post(provider.url(path)).header("accept", accept).form(&form)).await;
            assert!((400..500).contains(&answer.status), "{path}: {}", answer.status);
            assert_is_json(&answer, path);
        }
        let metadata = serde_json::json!({"redirect_uris": ["not a URI"], "state": STATE});
        let request = provider.http.post(provider.url("/register")).header("accept", accept).json(&metadata);
        assert_is_json(&Answer::to(request).await, "/register");
        let request = provider.http.post(provider.url("/userinfo")).header("accept", accept);
        let request = request.form(&[("access_token", "wrong"), ("state", STATE)]);
        assert_is_json(&Answer::to(request).await, "/userinfo");

        for path in ["/authorization?client_id=nobody&", "/end_session?client_id=nobody&", "/link/unknown?"] {
            let request = provider.http.get(provider.url(&format!("{path}state={STATE}"))).header("accept", accept);
            let answer = Answer::to(request).await;
            let leads = answer.headers.get("location");
            assert!((400..500).contains(&answer.status) && leads.is_none(), "{path}: {} {leads:?}", answer.status);
            assert!(answer.header("content-type").starts_with("text/html"), "{path} {accept}");
        }
    }
    // What is no endpoint at all is a page for whoever asks for one.
    for (accept, is_page) in [("text/html,*/*;q=0.8", true), ("application/json", false), ("*/*", false)] {
        let answer = Answer::to(provider.http.get(provider.url("/nothing")).header("accept", accept)).await;
        assert_eq!((answer.status, answer.body.contains("<html")), (404, is_page), "{accept}");
    }
}

#[track_caller]
fn assert_is_json(answer: &Answer, path: &str) {
    assert!(answer.header("content-type").starts_with("application/json"), "{path}: {:?}", answer.headers);
    assert!(!answer.body.contains(STATE), "{path}: {}", answer.body);
    let Value::Object(members) = answer.json() else { panic!("{path}: {}", answer.body) };
    assert!(members.keys().all(|name| MEMBERS.contains(&name.as_str())), "{path}: {}", answer.body);
    assert!(members["error"].is_string(), "{path}");
}
