//! RFC 6750 at UserInfo: where the token may be, and what a refusal says (OpenID Connect Core, 5.3).

use countersign_tests::user_agent::{Answer, UserAgent};

use crate::fixture::{Provider, assert_not_cached, text};

#[tokio::test]
async fn userinfo_takes_one_token_from_header_or_form() {
    let provider = Provider::start().await;
    let agent = UserAgent::new();
    let tokens =
        provider.redeem(&provider.grant(&agent, &provider.ask("basic").with("scope", "openid email")).await).await;
    let token = text(&tokens, "access_token");
    let url = provider.url("/userinfo");
    let (get, post) = (|| provider.http.get(&url), || provider.http.post(&url));
    let form = [("access_token", token)];
    let in_query = || provider.http.get(format!("{url}?access_token={token}"));

    let good = [
        ("GET", get().bearer_auth(token)),
        ("POST, header", post().bearer_auth(token)),
        ("POST, form", post().form(&form)),
        ("scheme in lower case", get().header("authorization", format!("bearer {token}"))),
        ("POST, header and an empty form", post().bearer_auth(token).form::<[(&str, &str); 0]>(&[])),
    ];
    for (case, request) in good {
        let answer = Answer::to(request).await;
        assert_eq!(answer.status, 200, "{case}: {}", answer.body);
        assert!(answer.header("content-type").starts_with("application/json"), "{case}");
        assert_not_cached(&answer);
        assert_eq!(answer.json()["email"], "alice@example.com");
        assert_eq!(answer.json()["sub"], crate::fixture::peek(text(&tokens, "id_token"))["sub"]);
    }
    // Section 3.1: without a token no error code.
    let basic = || crate::fixture::basic("basic", &crate::fixture::secret_of("basic"));
    let missing = [
        ("GET", get()),
        ("POST", post()),
        ("POST with another form", post().form(&[("x", "y")])),
        ("another scheme", get().header("authorization", basic())),
        ("a GET with a form", get().form(&form)),
    ];
    for (case, request) in missing {
        let answer = Answer::to(request).await;
        assert_eq!((answer.status, answer.header("www-authenticate")), (401, "Bearer"), "{case}");
        assert_eq!(answer.body, "", "{case}");
        assert_not_cached(&answer);
    }
    // Section 2: one method a request; RFC 9700, 4.3.2: never the query.
    let malformed = [
        ("header and form", post().bearer_auth(token).form(&form)),
        ("query", in_query()),
        ("query and header", in_query().bearer_auth(token)),
        ("two headers", get().bearer_auth(token).bearer_auth(token)),
        ("JSON", post().json(&serde_json::json!({"access_token": token}))),
        ("no characters of a token", get().header("authorization", "Bearer a b")),
        ("empty", get().header("authorization", "Bearer ")),
        ("twice in the form", post().form(&[("access_token", token), ("access_token", token)])),
    ];
    for (case, request) in malformed {
        assert_challenge(&Answer::to(request).await, 400, "invalid_request", case);
    }
    let put = Answer::to(provider.http.put(&url).bearer_auth(token)).await;
    assert_eq!((put.status, put.header("allow")), (405, "OPTIONS, GET, POST"));
}

#[track_caller]
fn assert_challenge(answer: &Answer, status: u16, error: &str, case: &str) {
    assert_eq!(answer.status, status, "{case}: {}", answer.body);
    let challenge = answer.header("www-authenticate");
    assert!(
        challenge.starts_with("Bearer ") && challenge.contains(&format!(r#"error="{error}""#)),
        "{case}: {challenge}"
    );
    assert_eq!(answer.json()["error"], error, "{case}");
    assert_not_cached(answer);
}

#[tokio::test]
async fn tokens_that_are_none_or_allow_too_little_are_refused() {
    let provider = Provider::start().await;
    let agent = UserAgent::new();
    let ask = provider.ask("spa").with("scope", "openid email offline_access");
    let tokens = provider.redeem(&provider.grant(&agent, &ask).await).await;
    let token = text(&tokens, "access_token");
    let parts: Vec<_> = token.split('.').collect();
    let unsigned = format!("eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0.{}.", parts[1]);
    let flipped = if parts[2].starts_with('A') { "B" } else { "A" };
    let forged = format!("{}.{}.{flipped}{}", parts[0], parts[1], &parts[2][1..]);
    let another = provider.redeem(&provider.grant(&agent, &ask).await).await;
    let swapped = format!("{}.{}.{}", parts[0], text(&another, "access_token").split('.').nth(1).unwrap(), parts[2]);
    for (case, token) in [
        ("nonsense", "abc"),
        ("ID token", text(&tokens, "id_token")),
        ("refresh token", text(&tokens, "refresh_token")),
        ("unsigned", &unsigned),
        ("forged", &forged),
        ("payload swapped", &swapped),
        ("cut", &token[..token.len() - 4]),
    ] {
        assert_challenge(&provider.userinfo(token).await, 401, "invalid_token", case);
    }
    // Without openid: 403, with the scope that would do.
    let narrow = provider.refresh("spa", text(&tokens, "refresh_token"), "email").await.json();
    let answer = provider.userinfo(text(&narrow, "access_token")).await;
    assert_challenge(&answer, 403, "insufficient_scope", "no openid");
    assert!(answer.header("www-authenticate").contains(r#"scope="openid""#));
}
