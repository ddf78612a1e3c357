//! The Fetch standard's CORS protocol: scripts of a client's own origins read its answers, errors too (RFC 9700, 2.6).

use countersign_tests::servers::DemoOptions;
use countersign_tests::user_agent::{Answer, UserAgent};
use reqwest::Method;

use crate::fixture::{Provider, text};

const OWN: &str = "https://spa.example.com";
const EVIL: &str = "https://evil.example";

#[tokio::test]
async fn preflights_are_answered_where_scripts_call_and_nowhere_else() {
    let provider = Provider::start().await;
    let preflight = async |path: &str, origin: &str| {
        let request = provider.http.request(Method::OPTIONS, provider.url(path)).header("origin", origin);
        Answer::to(request.header("access-control-request-method", "POST")).await
    };
    for path in [
        "/token",
        "/par",
        "/device_authorization",
        "/userinfo",
        "/introspection",
        "/revocation",
        "/register",
        "/register/spa",
    ] {
        let answer = preflight(path, OWN).await;
        assert_eq!((answer.status, answer.header("access-control-allow-origin")), (204, OWN), "{path}");
        assert!(answer.header("access-control-allow-headers").contains("dpop"), "{path}");
        assert!(!answer.header("access-control-allow-methods").is_empty(), "{path}");
        assert_eq!(answer.header("vary"), "Origin", "{path}");
        assert_eq!(answer.header("access-control-allow-credentials"), "", "{path}");
        assert_eq!(preflight(path, "null").await.header("access-control-allow-origin"), "", "{path}");
    }
    assert_eq!(preflight("/authorization", OWN).await.header("access-control-allow-origin"), "");
}

#[tokio::test]
async fn answers_and_errors_are_for_the_clients_own_origins() {
    let provider = Provider::start().await;
    let granted = provider.grant(&UserAgent::new(), &provider.ask("spa")).await;
    let form = |code: &str| {
        [
            ("grant_type", "authorization_code".to_owned()),
            ("client_id", "spa".to_owned()),
            ("code", code.to_owned()),
            ("redirect_uri", granted.redirect_uri.clone()),
            ("code_verifier", crate::fixture::VERIFIER.to_owned()),
        ]
    };
    let token = async |code: &str, origin: &str| {
        Answer::to(provider.http.post(provider.url("/token")).form(&form(code)).header("origin", origin)).await
    };
    for (origin, allowed) in [(OWN, OWN), (EVIL, ""), ("null", "")] {
        let answer = token("abc", origin).await;
        assert_eq!((answer.status, answer.header("access-control-allow-origin")), (400, allowed), "{origin}");
        assert!(answer.header("vary").contains("Origin"));
    }
    let answer = token(&granted.code, OWN).await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, OWN));
    assert_eq!(answer.header("access-control-expose-headers"), "WWW-Authenticate, DPoP-Nonce");

    let tokens = answer.json();
    let userinfo = async |token: &str, origin: &str| {
        let request = provider.http.get(provider.url("/userinfo")).bearer_auth(token);
        Answer::to(request.header("origin", origin)).await
    };
    let access = text(&tokens, "access_token");
    for (token, status) in [(access, 200), (&access[..access.len() - 4], 401)] {
        for (origin, allowed) in [(OWN, OWN), (EVIL, "")] {
            let answer = userinfo(token, origin).await;
            assert_eq!((answer.status, answer.header("access-control-allow-origin")), (status, allowed), "{origin}");
        }
    }
    // Where a client asks for codes: `spa` is no device, and hears so.
    for (path, body, status) in [
        ("/par", provider.ask("spa").params().to_vec(), 201),
        ("/device_authorization", vec![("client_id".to_owned(), "spa".to_owned())], 400),
    ] {
        for (origin, allowed) in [(OWN, OWN), (EVIL, ""), ("null", "")] {
            let request = provider.http.post(provider.url(path)).form(&body).header("origin", origin);
            let answer = Answer::to(request).await;
            assert_eq!(
                (answer.status, answer.header("access-control-allow-origin")),
                (status, allowed),
                "{path} {origin}: {}",
                answer.body
            );
            assert!(answer.header("vary").contains("Origin"), "{path}");
        }
    }
    // Nobody is named, so nothing of anybody is told.
    let nobody = provider.http.post(provider.url("/token")).form(&[("grant_type", "x")]).header("origin", EVIL);
    assert_eq!(Answer::to(nobody).await.header("access-control-allow-origin"), EVIL);
    // Authorization is a place for browsers, not for scripts.
    let page = provider.http.get(provider.ask("spa").url()).header("origin", OWN);
    assert_eq!(Answer::to(page).await.header("access-control-allow-origin"), "");
}

/// Every kind of answer: what is refused is read by the client's own scripts too, also 401 with its challenge, the nonce
/// to use, and 503.
#[tokio::test]
async fn refusals_of_every_endpoint_are_for_the_clients_own_origins() {
    let env = vec![("COUNTERSIGN__LIMITS__CLIENT_FAILURES".to_owned(), "8".to_owned())];
    let provider = Provider::start_with(DemoOptions { env, ..DemoOptions::default() }).await;
    let named = |more: &[(&str, &str)]| -> Vec<(String, String)> {
        let own = [&[("client_id", "spa")], more].concat();
        own.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    };
    for (path, form, status) in [
        ("/token", named(&[("grant_type", "nonsense")]), 400),
        ("/token", named(&[("client_secret", "wrong"), ("grant_type", "authorization_code")]), 401),
        ("/par", named(&[("response_type", "nonsense")]), 400),
        ("/device_authorization", named(&[]), 400),
        ("/revocation", named(&[]), 400),
        ("/revocation", named(&[("token", "unknown")]), 200),
        ("/introspection", named(&[("token", "unknown")]), 401),
    ] {
        for (origin, allowed) in [(OWN, OWN), (EVIL, ""), ("null", "")] {
            let request = provider.http.post(provider.url(path)).form(&form).header("origin", origin);
            let answer = Answer::to(request).await;
            let case = format!("{path} {origin}: {}", answer.body);
            assert_eq!((answer.status, answer.header("access-control-allow-origin")), (status, allowed), "{case}");
            assert!(answer.header("vary").contains("Origin"), "{case}");
            assert_eq!(answer.header("access-control-allow-credentials"), "", "{case}");
            let exposed = if allowed.is_empty() { "" } else { "WWW-Authenticate, DPoP-Nonce" };
            assert_eq!(answer.header("access-control-expose-headers"), exposed, "{case}");
        }
    }
    // Too many failures: the script is told when to come again.
    let wrong = named(&[("client_secret", "wrong"), ("grant_type", "authorization_code")]);
    let mut busy = None;
    for _ in 0..9 {
        let request = provider.http.post(provider.url("/token")).form(&wrong).header("origin", OWN);
        busy = Some(Answer::to(request).await).filter(|answer| answer.status == 503);
        if busy.is_some() {
            break;
        }
    }
    let busy = busy.expect("503");
    assert_eq!(busy.header("access-control-allow-origin"), OWN);
    // What is for everybody is for scripts of everybody.
    for path in ["/jwks", "/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"] {
        let answer = Answer::to(provider.http.get(provider.url(path)).header("origin", EVIL)).await;
        assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, "*"), "{path}");
    }
    for path in ["/authorization", "/account", "/end_session", "/setup", "/device"] {
        let answer = Answer::to(provider.http.get(provider.url(path)).header("origin", OWN)).await;
        assert_eq!(answer.header("access-control-allow-origin"), "", "{path}");
    }
}
