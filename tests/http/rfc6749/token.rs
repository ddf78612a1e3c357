//! RFC 6749: the token endpoint (3.2, 4.1.3, 4.4, 5, 6) and client authentication (2.3).

use std::collections::BTreeSet;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_tests::user_agent::{Answer, UserAgent};
use futures_util::future::join_all;

use crate::fixture::{
    EVERYTHING, Granted, Provider, assert_error, assert_not_cached, basic, odd_client, peek, secret_of, text,
};

const ANY_CODE: [(&str, &str); 3] =
    [("grant_type", "authorization_code"), ("code", "abc"), ("redirect_uri", "https://basic.example.com/cb")];

/// 3.2: POST alone, form-encoded alone; 2.3.1: no credentials in the query.
#[tokio::test]
async fn requests_in_the_wrong_form_are_refused() {
    let provider = Provider::start().await;
    let url = provider.url("/token");
    let header = basic("basic", &secret_of("basic"));
    for method in ["GET", "PUT", "DELETE", "PATCH", "HEAD"] {
        let request = provider.http.request(method.parse().unwrap(), &url);
        let answer = Answer::to(request).await;
        assert_eq!((answer.status, answer.header("allow")), (405, "OPTIONS, POST"), "{method}");
        assert_not_cached(&answer);
    }
    let form = "grant_type=authorization_code&code=abc&redirect_uri=https://basic.example.com/cb";
    for (media_type, body) in [
        ("application/json", r#"{"grant_type":"authorization_code"}"#),
        ("text/plain", form),
        ("multipart/form-data; boundary=x", form),
        ("application/x-www-form-urlencoded2", form),
        ("", form),
        ("application/x-www-form-urlencoded", "grant_type=a&grant_type=b"),
        ("application/x-www-form-urlencoded", "grant_type=%zz"),
        ("application/x-www-form-urlencoded", "grant_type=%c3%28"),
        ("application/x-www-form-urlencoded", ""),
    ] {
        let mut request = provider.http.post(&url).header("authorization", &header).body(body);
        if !media_type.is_empty() {
            request = request.header("content-type", media_type);
        }
        assert_error(&Answer::to(request).await, 400, "invalid_request");
    }
    let charset = provider.http.post(&url).header("authorization", &header).body(form);
    let charset = charset.header("content-type", "application/x-www-form-urlencoded; charset=UTF-8");
    assert_error(&Answer::to(charset).await, 400, "invalid_grant");
    for query in ["client_secret=basic-secret-0123456789&client_id=basic", "client_assertion=x", "a=1&a=2"] {
        let request = provider.http.post(format!("{url}?{query}")).form(&ANY_CODE);
        assert_error(&Answer::to(request).await, 400, "invalid_request");
    }
    for missing in ["grant_type", "code", "redirect_uri"] {
        let form: Vec<_> = ANY_CODE.into_iter().filter(|(name, _)| *name != missing).collect();
        assert_error(&provider.token("basic", &form).await, 400, "invalid_request");
    }
    assert_error(&provider.token("basic", &[("grant_type", "refresh_token")]).await, 400, "invalid_request");
}

/// 2.3 and 5.2: one mechanism, one face for every failure, a challenge where the header was used.
#[tokio::test]
async fn client_authentication_fails_the_same_way_whatever_is_wrong() {
    let provider = Provider::start().await;
    let secret = secret_of("basic");
    let form = |more: &[(&'static str, &str)]| {
        let mut form: Vec<(String, String)> = ANY_CODE.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        form.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        provider.http.post(provider.url("/token")).form(&form)
    };
    let with_header = |value: &str| form(&[]).header("authorization", value);
    let encoded = |text: &str| format!("Basic {}", STANDARD.encode(text));
    let mut bodies = BTreeSet::new();
    for (case, header) in [
        ("unknown client", basic("nobody", &secret)),
        ("impossible client", basic("no\u{e9}body \n", &secret)),
        ("wrong secret", basic("basic", "basic-secret-0123456780")),
        ("empty secret", basic("basic", "")),
        ("prefix of the secret", basic("basic", &secret[..secret.len() - 1])),
        ("another client's secret", basic("basic", &secret_of("pkce"))),
        ("method not registered", basic("post", &secret_of("post"))),
        ("public client with a secret", basic("spa", "x")),
        ("broken base64", "Basic !!!".to_owned()),
        ("unpadded base64", format!("Basic {}", STANDARD.encode("basic:xx").trim_end_matches('='))),
        ("base64url", "Basic _-_-".to_owned()),
        ("no colon", encoded("basic")),
        ("broken escape", encoded("basic:%zz")),
        ("nothing", "Basic".to_owned()),
        ("another scheme", "Digest abc".to_owned()),
        ("a bearer token", "Bearer abc".to_owned()),
    ] {
        let answer = Answer::to(with_header(&header)).await;
        assert_error(&answer, 401, "invalid_client");
        assert_eq!(answer.header("www-authenticate"), r#"Basic realm="countersign""#, "{case}");
        bodies.insert(answer.body);
    }
    for (case, more) in [
        ("no credentials", vec![]),
        ("unknown client", vec![("client_id", "nobody"), ("client_secret", "x")]),
        ("unknown public client", vec![("client_id", "nobody")]),
        ("wrong secret", vec![("client_id", "post"), ("client_secret", "x")]),
        ("method not registered", vec![("client_id", "basic"), ("client_secret", secret.as_str())]),
        ("confidential client without secret", vec![("client_id", "basic")]),
        ("public client with a secret", vec![("client_id", "spa"), ("client_secret", "x")]),
        ("secret alone", vec![("client_secret", secret.as_str())]),
        ("assertion", vec![("client_id", "basic"), ("client_assertion_type", "x"), ("client_assertion", "y")]),
    ] {
        let answer = Answer::to(form(&more)).await;
        assert_error(&answer, 401, "invalid_client");
        assert_eq!(answer.header("www-authenticate"), "", "{case}");
        bodies.insert(answer.body);
    }
    assert_eq!(bodies.len(), 1, "{bodies:?}");

    let good = basic("basic", &secret);
    let both = form(&[("client_id", "basic"), ("client_secret", &secret)]).header("authorization", &good);
    assert_error(&Answer::to(both).await, 400, "invalid_request");
    let assertion = form(&[("client_assertion", "x"), ("client_assertion_type", "y")]).header("authorization", &good);
    assert_error(&Answer::to(assertion).await, 400, "invalid_request");
    let twice = form(&[]).header("authorization", &good).header("authorization", &good);
    assert_error(&Answer::to(twice).await, 400, "invalid_request");
    let other = form(&[("client_id", "post")]).header("authorization", &good);
    assert_error(&Answer::to(other).await, 400, "invalid_request");

    // What succeeds, short of a code: the scheme in any case, the same client_id besides, odd characters.
    for scheme in ["basic", "BASIC", "Basic"] {
        let answer = Answer::to(with_header(&good.replace("Basic", scheme))).await;
        assert_error(&answer, 400, "invalid_grant");
    }
    let same = form(&[("client_id", "basic")]).header("authorization", &good);
    assert_error(&Answer::to(same).await, 400, "invalid_grant");
    assert_error(&provider.token("post", &ANY_CODE).await, 400, "invalid_grant");
    assert_error(&provider.token(odd_client(), &ANY_CODE).await, 400, "invalid_grant");
    // 2.3.1 and appendix B: without form-encoding it is another secret.
    let raw = encoded(&format!("{}:{}", odd_client(), secret_of(odd_client())));
    assert_error(&Answer::to(with_header(&raw)).await, 401, "invalid_client");
}

/// 4.1.2: "The client MUST NOT use the authorization code more than once"; what came of it dies.
#[tokio::test]
async fn code_that_comes_twice_takes_its_tokens_along() {
    let provider = Provider::start().await;
    let agent = UserAgent::new();
    let ask = provider.ask("spa").with("scope", EVERYTHING);
    let thief = |granted: &Granted| Granted { client: "basic".to_owned(), ..granted.clone() };
    for by_another_client in [false, true] {
        let granted = provider.grant(&agent, &ask).await;
        let tokens = provider.redeem(&granted).await;
        let refreshed = provider.refresh("spa", text(&tokens, "refresh_token"), "").await.json();
        let bystander = provider.redeem(&provider.grant(&agent, &ask).await).await;
        for token in [&tokens, &refreshed] {
            assert_eq!(provider.userinfo(text(token, "access_token")).await.status, 200);
        }
        let replay = if by_another_client { thief(&granted) } else { granted.clone() };
        assert_error(&provider.redeem_with(&replay, &[]).await, 400, "invalid_grant");
        for token in [&tokens, &refreshed] {
            assert_eq!(provider.userinfo(text(token, "access_token")).await.status, 401);
            assert_error(&provider.refresh("spa", text(token, "refresh_token"), "").await, 400, "invalid_grant");
        }
        // The family alone: another login of the same person at the same client lives on.
        assert_eq!(provider.userinfo(text(&bystander, "access_token")).await.status, 200);
        assert_eq!(provider.refresh("spa", text(&bystander, "refresh_token"), "").await.status, 200);
    }
}

/// 4.1.3: bound to client and redirect URI. A refused exchange spends nothing, neither another client's code nor one's
/// own.
#[tokio::test]
async fn code_is_bound_to_client_and_redirect_uri_and_outlives_a_refusal() {
    let provider = Provider::start().await;
    let granted = provider.fresh_grant(&provider.ask("two")).await;
    let by = |client: &str| Granted { client: client.to_owned(), ..granted.clone() };
    for other in ["basic", "spa", "post"] {
        assert_error(&provider.redeem_with(&by(other), &[]).await, 400, "invalid_grant");
    }
    for uri in ["https://two.example.com/other", "https://two.example.com/cb/", "https://evil.example.com/"] {
        assert_error(&provider.redeem_with(&granted, &[("redirect_uri", uri)]).await, 400, "invalid_grant");
    }
    assert_error(&provider.redeem_with(&granted, &[("redirect_uri", "")]).await, 400, "invalid_request");
    let unknown = ["abc".to_owned(), format!("{}x", granted.code), "A".repeat(granted.code.len()), "c".repeat(9000)];
    for code in &unknown {
        assert_error(&provider.redeem_with(&granted, &[("code", code)]).await, 400, "invalid_grant");
    }
    assert!(granted.code.len() >= 22, "128 bits or more: {}", granted.code.len());
    let answer = provider.redeem_with(&granted, &[]).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_not_cached(&answer);
    assert_eq!(answer.header("pragma"), "no-cache");
    let body = answer.json();
    let names: Vec<_> = body.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names, ["access_token", "expires_in", "id_token", "scope", "token_type"]);
    assert_eq!((&body["token_type"], &body["scope"]), (&"Bearer".into(), &"openid".into()));
    assert_eq!(body["expires_in"], 600);
}

/// Concurrent redemption has exactly one winner.
#[tokio::test]
async fn of_thirty_two_redemptions_of_one_code_one_succeeds() {
    let provider = Provider::start().await;
    let granted = provider.fresh_grant(&provider.ask("spa").with("scope", "openid offline_access")).await;
    let answers = join_all((0..32).map(|_| provider.redeem_with(&granted, &[]))).await;
    let winners: Vec<_> = answers.iter().filter(|answer| answer.status == 200).collect();
    assert_eq!(winners.len(), 1, "{:?}", answers.iter().map(|answer| answer.status).collect::<Vec<_>>());
    for loser in answers.iter().filter(|answer| answer.status != 200) {
        assert_error(loser, 400, "invalid_grant");
    }
    // The losers are replays: nothing of it is left.
    let tokens = winners[0].json();
    assert_eq!(provider.userinfo(text(&tokens, "access_token")).await.status, 401);

    let granted = provider.fresh_grant(&provider.ask("spa").with("scope", "openid offline_access")).await;
    let tokens = provider.redeem(&granted).await;
    let token = text(&tokens, "refresh_token");
    let answers = join_all((0..32).map(|_| provider.refresh("spa", token, ""))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    for loser in answers.iter().filter(|answer| answer.status != 200) {
        assert_error(loser, 400, "invalid_grant");
    }
}

/// 6; RFC 9700, 4.14.2: two tabs of one application share a refresh token and are never logged out by it.
#[tokio::test]
async fn two_tabs_that_refresh_at_once_stay_signed_in() {
    let provider = Provider::start_with_clock().await;
    let granted = provider.fresh_grant(&provider.ask("spa").with("scope", "openid offline_access")).await;
    let mut shared = text(&provider.redeem(&granted).await, "refresh_token").to_owned();
    for round in 0..3 {
        provider.demo.move_clock(Duration::from_mins(9));
        let tabs = join_all((0..2).map(|_| provider.refresh("spa", &shared, ""))).await;
        let (served, refused): (Vec<_>, Vec<_>) = tabs.iter().partition(|answer| answer.status == 200);
        for answer in refused {
            assert_error(answer, 400, "invalid_grant");
        }
        // A busy machine may answer one after the other: then the later one's tokens are those that work.
        let mut live = Vec::new();
        for tokens in served.iter().map(|answer| answer.json()) {
            if provider.userinfo(text(&tokens, "access_token")).await.status == 200 {
                live.push(tokens);
            }
        }
        // The tab that lost reads what the other one wrote down, and both go on.
        assert_eq!(live.len(), 1, "{round}: {} were served", served.len());
        let tokens = live.remove(0);
        // A third tab wakes up with the old one.
        assert_error(&provider.refresh("spa", &shared, "").await, 400, "invalid_grant");
        text(&tokens, "refresh_token").clone_into(&mut shared);
    }
    assert_eq!(provider.refresh("spa", &shared, "").await.status, 200);
}

/// 4.1.2: short-lived. Access tokens, refresh tokens and sessions end too.
#[tokio::test]
async fn what_is_expired_is_refused() {
    let provider = Provider::start_with_clock().await;
    let agent = UserAgent::new();
    let ask = provider.ask("spa").with("scope", "openid offline_access");
    let (in_time, late) = (provider.grant(&agent, &ask).await, provider.grant(&agent, &ask).await);
    provider.demo.move_clock(Duration::from_secs(30));
    let tokens = provider.redeem(&in_time).await;
    provider.demo.move_clock(Duration::from_secs(31));
    assert_error(&provider.redeem_with(&late, &[]).await, 400, "invalid_grant");
    assert_eq!(provider.userinfo(text(&tokens, "access_token")).await.status, 200);
    provider.demo.move_clock(Duration::from_mins(10));
    let dead = provider.userinfo(text(&tokens, "access_token")).await;
    assert_eq!(dead.status, 401);
    assert!(dead.header("www-authenticate").contains(r#"error="invalid_token""#));
    // The session has been idle for less than an hour, the refresh token is good for 30 days.
    let silent = agent.get(&ask.clone().with("prompt", "none").url()).await.response();
    assert!(silent.contains_key("code"), "{silent:?}");
    let tokens = provider.refresh("spa", text(&tokens, "refresh_token"), "").await.json();
    provider.demo.move_clock(Duration::from_mins(61));
    let idle = agent.get(&ask.with("prompt", "none").url()).await.response();
    assert_eq!(idle["error"], "login_required");
    provider.demo.move_clock(Duration::from_hours(29 * 24));
    let tokens = provider.refresh("spa", text(&tokens, "refresh_token"), "").await.json();
    // The end of the family is its first token's.
    provider.demo.move_clock(Duration::from_hours(24));
    assert_error(&provider.refresh("spa", text(&tokens, "refresh_token"), "").await, 400, "invalid_grant");
}

/// Section 6 and RFC 9700, 4.14.2; Core 12.
#[tokio::test]
async fn refresh_tokens_rotate_and_scope_only_narrows() {
    let provider = Provider::start().await;
    let agent = UserAgent::new();
    for client in ["basic", "spa"] {
        let ask = provider.ask(client).with("scope", "openid email profile offline_access");
        let first = provider.redeem(&provider.grant(&agent, &ask).await).await;
        let other = if client == "basic" { "post" } else { "native" };
        let token = text(&first, "refresh_token").to_owned();
        assert_error(&provider.refresh(other, &token, "").await, 400, "invalid_grant");
        // Widening is refused and spends nothing.
        for wider in ["openid phone", "openid email profile offline_access address", "nothing"] {
            assert_error(&provider.refresh(client, &token, wider).await, 400, "invalid_scope");
        }
        let second = provider.refresh(client, &token, "openid email").await;
        assert_eq!(second.status, 200, "{}", second.body);
        assert_not_cached(&second);
        let second = second.json();
        assert_eq!(second["scope"], "email openid", "{second}");
        let (old, new) = (peek(text(&first, "id_token")), peek(text(&second, "id_token")));
        for claim in ["iss", "sub", "aud", "azp", "auth_time", "acr", "sid"] {
            assert_eq!(old[claim], new[claim], "{claim}");
        }
        assert!(new.get("nonce").is_none() && new["iat"].as_i64() >= old["iat"].as_i64());
        assert_ne!(second["refresh_token"], first["refresh_token"]);
        // Narrowing did not shrink the refresh token; without openid there is no ID token.
        let third = provider.refresh(client, text(&second, "refresh_token"), "profile").await.json();
        assert_eq!(third["scope"], "profile");
        assert!(third.get("id_token").is_none());
        let fourth = provider.refresh(client, text(&third, "refresh_token"), "").await.json();
        assert_eq!(fourth["scope"], first["scope"]);
        // Reuse kills the family.
        assert_error(&provider.refresh(client, text(&second, "refresh_token"), "").await, 400, "invalid_grant");
        assert_error(&provider.refresh(client, text(&fourth, "refresh_token"), "").await, 400, "invalid_grant");
        assert_eq!(provider.userinfo(text(&fourth, "access_token")).await.status, 401);
    }
    // No refresh token unless it was asked for and the client may have one.
    let online = provider.redeem(&provider.grant(&agent, &provider.ask("basic")).await).await;
    let ask = provider.ask("codeonly").with("scope", "openid offline_access");
    let code_only = provider.redeem(&provider.grant(&agent, &ask).await).await;
    for body in [online, code_only] {
        assert!(body.get("refresh_token").is_none());
        assert_eq!(body["scope"], "openid");
    }
    assert_error(&provider.refresh("basic", "never-issued", "").await, 400, "invalid_grant");
}

/// 4.4 and 5.2.
#[tokio::test]
async fn grant_types_are_those_registered() {
    let provider = Provider::start().await;
    for unknown in ["password", "implicit", "urn:ietf:params:oauth:grant-type:saml2-bearer", "AUTHORIZATION_CODE"] {
        let form = [("grant_type", unknown), ("username", "alice@example.com"), ("password", "x")];
        assert_error(&provider.token("basic", &form).await, 400, "unsupported_grant_type");
    }
    let own = |scope| [("grant_type", "client_credentials"), ("scope", scope)];
    assert_error(&provider.token("basic", &own("")).await, 400, "unauthorized_client");
    assert_error(&provider.token("spa", &own("")).await, 400, "unauthorized_client");
    assert_error(&provider.token("machine", &ANY_CODE).await, 400, "unauthorized_client");
    assert_error(&provider.refresh("codeonly", "x", "").await, 400, "unauthorized_client");

    for scope in ["openid", "jobs.read openid", "jobs.delete", "offline_access", "\"quoted\""] {
        assert_error(&provider.token("machine", &own(scope)).await, 400, "invalid_scope");
    }
    for (asked, given) in [("", "jobs.read jobs.write"), ("jobs.write", "jobs.write")] {
        let body = provider.token("machine", &own(asked)).await.json();
        assert_eq!(body["scope"], given);
        // 4.4.3: "A refresh token SHOULD NOT be included."
        assert!(body.get("refresh_token").is_none() && body.get("id_token").is_none());
        let claims = peek(text(&body, "access_token"));
        assert_eq!((&claims["sub"], &claims["client_id"]), (&"machine".into(), &"machine".into()));
        // It speaks of nobody, so UserInfo has nothing to say.
        assert_ne!(provider.userinfo(text(&body, "access_token")).await.status, 200);
    }
    let reporting = basic("reporting-service", "reporting-service-demo-secret");
    let request = provider.token_request(&own("")).header("authorization", reporting);
    assert_eq!(Answer::to(request).await.json()["scope"], "cases.read");
}

/// Sections 4.1.2.1 and 5.2: `state` is of authorization answers; an error in JSON has none, whatever was sent.
#[tokio::test]
async fn errors_in_json_never_hold_the_state() {
    const STATE: &str = "a-state-that-nobody-echoes";
    let provider = Provider::start().await;
    for path in ["/token", "/par", "/device_authorization", "/introspection", "/revocation", "/userinfo"] {
        for client in ["basic", "tv", "nobody"] {
            let form = [
                ("client_id", client),
                ("state", STATE),
                ("grant_type", "authorization_code"),
                ("response_type", "nonsense"),
                ("redirect_uri", "https://basic.example.com/cb"),
                ("scope", "nonsense"),
                ("access_token", "a.b.c"),
            ];
            let request = provider.http.post(provider.url(path)).form(&form);
            let request = if client == "basic" && path != "/userinfo" {
                request.header("authorization", basic(client, &secret_of(client)))
            } else {
                request
            };
            let answer = Answer::to(request).await;
            let case = format!("{path} {client}: {} {}", answer.status, answer.body);
            assert!((400..500).contains(&answer.status) && answer.json()["error"].is_string(), "{case}");
            assert!(answer.json().get("state").is_none() && !answer.body.contains(STATE), "{case}");
            assert!(answer.headers.values().all(|value| !value.to_str().unwrap().contains(STATE)), "{case}");
        }
    }
}
