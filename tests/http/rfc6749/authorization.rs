//! RFC 6749: the authorization endpoint (3.1, 4.1.1, 4.1.2). `Core` is OpenID Connect Core 1.0.

use countersign_tests::user_agent::{Answer, UserAgent, once};
use url::Url;

use crate::fixture::{Ask, Provider, assert_error_page, is_error_character, redirect_uri_of};

/// Checks that the client is told `error`, and only in the way RFC 6749, 4.1.2.1 and RFC 9207 allow.
#[track_caller]
fn assert_refused(provider: &Provider, answer: &Answer, error: &str, case: &str) {
    assert_eq!(answer.status, 303, "{case}: {}", answer.body);
    let response = answer.response();
    assert_eq!(response.get("error").map(String::as_str), Some(error), "{case}: {response:?}");
    assert_eq!(response.get("state").map(String::as_str), Some("state-1"), "{case}");
    assert_eq!(response.get("iss"), Some(&provider.demo.issuer), "{case}");
    assert!(!response.contains_key("code"), "{case}");
    let description = response.get("error_description").map(String::as_str).unwrap_or_default();
    assert!(description.bytes().all(is_error_character), "{case}: {description}");
}

/// 4.1.2.1: "MUST NOT automatically redirect the user-agent to the invalid redirection URI".
#[tokio::test]
async fn unproven_client_or_redirect_uri_is_a_page_and_never_a_redirect() {
    let provider = Provider::start().await;
    let agent = UserAgent::new();
    let ask = |client: &str| provider.ask(client);
    let to = |uri: &str| ask("basic").with("redirect_uri", uri);
    let cases: Vec<(&str, Ask)> = vec![
        ("unknown client", ask("nobody")),
        ("no client", ask("basic").without("client_id")),
        ("empty client", ask("basic").with("client_id", "")),
        ("impossible client", ask("basic").with("client_id", "a\u{e9}\n b")),
        ("other client", ask("post").with("redirect_uri", redirect_uri_of("basic"))),
        ("client without redirect URI", ask("machine")),
        ("none", ask("basic").without("redirect_uri")),
        ("none of two", ask("two").without("redirect_uri")),
        ("empty", to("")),
        ("foreign", to("https://evil.example.com/cb")),
        ("prefix", to("https://basic.example.com/cb/more")),
        ("shorter", to("https://basic.example.com/c")),
        ("case of the path", to("https://basic.example.com/CB")),
        ("case of the host", to("https://BASIC.example.com/cb")),
        ("trailing slash", to("https://basic.example.com/cb/")),
        ("extra query", to("https://basic.example.com/cb?x=1")),
        ("empty query", to("https://basic.example.com/cb?")),
        ("fragment", to("https://basic.example.com/cb#x")),
        ("port", to("https://basic.example.com:443/cb")),
        ("http", to("http://basic.example.com/cb")),
        ("user information", to("https://basic.example.com@evil.example.com/cb")),
        ("path traversal", to("https://basic.example.com/x/../cb")),
        ("escaped", to("https://basic.example.com/%63b")),
        ("line break", to("https://basic.example.com/cb\r\nx: y")),
        ("script", to("javascript:alert(1)")),
        ("two of them", ask("basic").twice("redirect_uri", "https://evil.example.com/cb")),
        (
            "registered query changed",
            ask("query").with("redirect_uri", "https://query.example.com/cb?x=%2F&tenant=a%20b"),
        ),
        ("registered query left out", ask("query").with("redirect_uri", "https://query.example.com/cb")),
        ("loopback port of a web client", to("http://127.0.0.1:9999/cb")),
        ("another loopback path", ask("native").with("redirect_uri", "http://127.0.0.1:4711/other")),
        ("loopback by name", ask("native").with("redirect_uri", "http://localhost:4711/callback")),
        ("loopback by https", ask("native").with("redirect_uri", "https://127.0.0.1:4711/callback")),
        ("another loopback address", ask("native").with("redirect_uri", "http://127.0.0.2:4711/callback")),
        ("loopback suffix", ask("native").with("redirect_uri", "http://127.0.0.1.evil.example/callback")),
        ("impossible port", ask("native").with("redirect_uri", "http://127.0.0.1:99999/callback")),
        ("another loopback query", ask("native").with("redirect_uri", "http://[::1]:4711/callback?a=c")),
    ];
    for (case, ask) in cases {
        assert_error_page(&agent.get(&ask.url()).await, case);
        // The same as a POST, which goes on as a GET.
        let posted = agent.post(&provider.url("/authorization"), ask.params()).await;
        assert_error_page(&agent.follow(posted).await, &format!("{case}, posted"));
    }
    // What is wrong besides is not said either: no redirect before client and URI are proven.
    let hopeless = ask("basic").with("redirect_uri", "https://evil.example.com/cb").with("prompt", "none");
    assert_error_page(&agent.get(&hopeless.url()).await, "prompt=none");
}

#[tokio::test]
async fn what_is_wrong_with_a_request_is_told_to_its_client() {
    let provider = Provider::start().await;
    let agent = UserAgent::new();
    let ask = || provider.ask("basic");
    let cases: Vec<(&str, &str, Ask)> = vec![
        ("invalid_request", "response_type missing", ask().without("response_type")),
        ("invalid_request", "response_type empty", ask().with("response_type", "")),
        ("unsupported_response_type", "response_type unknown", ask().with("response_type", "magic")),
        (
            "unsupported_response_type",
            "code twice",
            ask().with("response_type", "code code").with("response_mode", "query"),
        ),
        ("invalid_request", "response_mode unknown", ask().with("response_mode", "pigeon")),
        ("invalid_request_object", "request", ask().with("request", "eyJhbGciOiJub25lIn0.e30.")),
        ("invalid_request_uri", "request_uri", ask().with("request_uri", "https://basic.example.com/request")),
        ("invalid_request", "request and request_uri", ask().with("request", "a.b.c").with("request_uri", "urn:x")),
        ("registration_not_supported", "registration", ask().with("registration", "{}")),
        ("invalid_scope", "scope missing", ask().without("scope")),
        ("invalid_scope", "scope unknown", ask().with("scope", "openid everything")),
        ("invalid_scope", "scope malformed", ask().with("scope", "openid \"x\\")),
        ("invalid_scope", "scope not registered", provider.ask("codeonly").with("scope", "openid phone")),
        ("invalid_request", "prompt none with another", ask().with("prompt", "none login")),
        ("invalid_request", "prompt unknown", ask().with("prompt", "dance")),
        ("invalid_request", "prompt by substring", ask().with("prompt", "nonee")),
        ("login_required", "prompt none without session", ask().with("prompt", "none")),
        ("invalid_request", "max_age negative", ask().with("max_age", "-1")),
        ("invalid_request", "max_age no number", ask().with("max_age", "NaN")),
        ("invalid_request", "max_age fraction", ask().with("max_age", "1.5")),
        ("invalid_request", "claims no JSON", ask().with("claims", "{\"userinfo\":")),
        ("invalid_request", "claims no object", ask().with("claims", "[]")),
        ("invalid_request", "claims of the wrong form", ask().with("claims", r#"{"userinfo":{"email":"yes"}}"#)),
        ("invalid_request", "id_token_hint no token", ask().with("id_token_hint", "never.a.token")),
        (
            "invalid_request",
            "id_token_hint unsigned",
            ask().with("id_token_hint", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0."),
        ),
        ("invalid_request", "nonce too long", ask().with("nonce", "n".repeat(2000))),
    ];
    for (error, case, ask) in cases {
        let answer = agent.get(&ask.url()).await;
        assert_refused(&provider, &answer, error, case);
        let uri = redirect_uri_of(&ask.client);
        assert!(answer.location().as_str().starts_with(&format!("{uri}?")), "{case}: {}", answer.location());
    }
    // 3.1: "Request and response parameters MUST NOT be included more than once."
    for name in ["scope", "state", "nonce", "prompt", "client_id", "redirect_uri", "unknown", "p"] {
        let twice = ask().with("unknown", "1").with("p", "lab").with("prompt", "login").twice(name, "other");
        let answers =
            [agent.get(&twice.url()).await, agent.post(&provider.url("/authorization"), twice.params()).await];
        for answer in answers {
            if ["client_id", "redirect_uri"].contains(&name) {
                assert_error_page(&answer, name);
                continue;
            }
            // 4.1.2.1: the client is proven, so it hears of it; a state that came twice is none.
            let response = answer.response();
            assert_eq!(response["error"], "invalid_request", "{name}");
            assert_eq!(response.contains_key("state"), name != "state", "{name}");
        }
    }
    // A broken escape and too many parameters are no request at all.
    let many = (0..80).map(|i| format!("x{i}=1")).collect::<Vec<_>>().join("&");
    for tail in ["&x=%zz", "&x=%ff", &format!("&{many}")] {
        assert_error_page(&agent.get(&format!("{}{tail}", ask().url())).await, tail);
    }
    // Nothing was begun for any of them.
    assert!(agent.cookies().is_empty(), "{:?}", agent.cookies());
}

/// Core 3.1.2.1: GET and POST; 3.1 of RFC 6749: unknown parameters are ignored, empty ones are absent.
#[tokio::test]
async fn requests_that_are_unusual_but_right_succeed() {
    let provider = Provider::start().await;
    let agent = UserAgent::new();
    let long = "s".repeat(3000);
    let nonce = "n".repeat(384);
    let odd = "a b&c=d+e%20\u{e9}\"<>'";
    let ask = || provider.ask("basic");
    let cases: Vec<(&str, Ask)> = vec![
        ("unknown parameter", ask().with("surprise", "1")),
        ("empty parameters", ask().with("prompt", "").with("claims", "").with("max_age", "").with("request", "")),
        ("reversed", ask().with("scope", "email openid profile").reversed()),
        ("no state", ask().without("state")),
        ("no nonce", ask().without("nonce")),
        ("long state", ask().with("state", &long)),
        ("odd state", ask().with("state", odd)),
        ("long nonce", ask().with("nonce", &nonce)),
        (
            "hints",
            ask()
                .with("display", "popup")
                .with("login_hint", "x".repeat(900))
                .with("ui_locales", "xx de-CH !!")
                .with("claims_locales", "?"),
        ),
        ("second redirect URI", provider.ask("two").with("redirect_uri", "https://two.example.com/other")),
        ("query mode", ask().with("response_mode", "query")),
    ];
    for (case, ask) in cases {
        let answer = provider.answer(&agent, &ask).await;
        let response = answer.response();
        assert!(response.contains_key("code"), "{case}: {response:?}");
        let sent = ask.params().iter().find(|(name, _)| name == "state").map(|(_, value)| value);
        assert_eq!(response.get("state"), sent, "{case}");
        // Posted from elsewhere: the browser comes back by a GET that has its cookies.
        let posted = UserAgent::new().post(&provider.url("/authorization"), ask.params()).await;
        assert_eq!(posted.location().origin(), posted.url.origin(), "{case}");
        let answer = agent.get(posted.location().as_str()).await;
        assert!(answer.response().contains_key("code"), "{case}, posted");
    }
    let granted = provider.grant(&agent, &ask().with("nonce", &nonce)).await;
    let tokens = provider.redeem(&granted).await;
    assert_eq!(crate::fixture::peek(crate::fixture::text(&tokens, "id_token"))["nonce"], nonce);

    let wrong = provider.http.post(provider.url("/authorization")).json(&serde_json::json!({"client_id": "basic"}));
    assert_error_page(&Answer::to(wrong).await, "a POST that is no form");
    // Raw characters in a form, which no Location may have.
    let raw = provider.http.post(provider.url("/authorization"));
    let raw =
        raw.header("content-type", "application/x-www-form-urlencoded").body("client_id=basic&state=a\nb c\u{e9}\0");
    let raw = Answer::to(raw).await;
    assert_eq!(raw.header("location"), "/authorization?client_id=basic&state=a%0Ab+c%C3%A9%00");
    let put = Answer::to(provider.http.put(provider.url("/authorization"))).await;
    assert_eq!((put.status, put.header("allow")), (405, "GET, POST"));
}

/// 3.1.2.3 and 4.1.2: the URI is kept as registered, and the answer goes where and how it was asked for.
#[tokio::test]
async fn answers_arrive_at_the_registered_uri_in_the_mode_asked_for() {
    let provider = Provider::start().await;
    let agent = UserAgent::new();
    let answer = provider.answer(&agent, &provider.ask("query")).await;
    let raw = answer.header("location").to_owned();
    assert!(raw.starts_with("https://query.example.com/cb?tenant=a%20b&x=%2F&code="), "{raw}");

    // RFC 8252, 7.3: any port of a loopback address.
    for uri in ["http://127.0.0.1:51004/callback", "http://127.0.0.1/callback", "http://[::1]:4711/callback?a=b"] {
        let answer = provider.answer(&agent, &provider.ask("native").with("redirect_uri", uri)).await;
        assert!(answer.header("location").starts_with(uri), "{}", answer.header("location"));
    }
    let answer =
        provider.answer(&agent, &provider.ask("native").with("redirect_uri", "com.example.native:/callback")).await;
    assert!(answer.header("location").starts_with("com.example.native:/callback?code="));

    let fragment = provider.ask("basic").with("response_mode", "fragment");
    let location = provider.answer(&agent, &fragment).await.location();
    assert_eq!(location.query(), None);
    let response = once(url::form_urlencoded::parse(location.fragment().unwrap().as_bytes()).into_owned());
    assert!(response.contains_key("code") && response["state"] == "state-1" && response["iss"] == provider.demo.issuer);

    // Form Post Response Mode 1.0: a page that posts itself, with nothing that could be taken for markup.
    let odd = "\"><script>alert(1)</script>&amp;'";
    let ask = provider.ask("basic").with("response_mode", "form_post").with("state", odd);
    for (ask, member) in [(ask.clone(), "code"), (ask.with("prompt", "dance"), "error")] {
        let page = provider.answer(&agent, &ask).await;
        assert_eq!(page.status, 200);
        assert!(!page.body.contains("<script>alert"));
        let form = page.form("");
        assert_eq!(form.action, Url::parse(&redirect_uri_of("basic")).unwrap());
        let response = once(form.hidden.into_iter());
        assert!(response.contains_key(member), "{response:?}");
        assert_eq!((response["state"].as_str(), &response["iss"]), (odd, &provider.demo.issuer));
        assert_eq!(page.header("referrer-policy"), "no-referrer");
        crate::fixture::assert_not_cached(&page);
        assert!(page.header("content-security-policy").contains("form-action 'self' https://basic.example.com"));
    }
}

/// 4.1.2.1: the person may refuse.
#[tokio::test]
async fn cancel_is_access_denied() {
    let provider = Provider::start().await;
    let agent = UserAgent::new();
    let page = agent.follow(agent.get(&provider.ask("basic").url()).await).await;
    let answer = agent.follow(agent.press(&page, "cancel", &[]).await).await;
    assert_refused(&provider, &answer, "access_denied", "cancel");
    // The flow is over: its page gives no second answer with a code.
    let late =
        agent.press(&page, "login", &[("email", crate::fixture::ALICE.0), ("password", crate::fixture::ALICE.1)]).await;
    let late = agent.follow(late).await;
    assert!(late.status != 303 || !late.response().contains_key("code"), "{:?}", late.headers);
}
