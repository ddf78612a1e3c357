//! Pages: headers, cookies, forged posts, limits (RFC 6749, 10.12 and 10.13; RFC 9700, 4.16).

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use countersign_tests::servers::DemoOptions;
use countersign_tests::user_agent::{Answer, Form, UserAgent};
use futures_util::future::join_all;
use reqwest::header::SET_COOKIE;

use crate::fixture::{ALICE, DONALD, Provider};

/// Every value of an attribute in a page.
fn attributes<'a>(html: &'a str, name: &str) -> Vec<&'a str> {
    let start = format!(r#" {name}=""#);
    html.split(&start).skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

#[tokio::test]
async fn whoever_knows_the_provider_alone_finds_the_account_page_and_reads_it_in_another_language() {
    let provider = Provider::start().await;
    let agent = UserAgent::new();
    let home = agent.get(&provider.url("/")).await;
    assert_eq!((home.status, home.location().path()), (303, "/account"));
    agent.sign_in(&agent.get(&provider.ask("basic").url()).await, ALICE.0, ALICE.1).await;
    let account = agent.get(&provider.url("/account")).await;
    let change = agent.follow(agent.press(&account, "change-password", &[]).await).await;
    assert_eq!((change.status, change.url.path()), (200, "/account/change-password"));
    assert!(attributes(&change.body, "href").contains(&"/account/change-password?lang=es"), "{}", change.body);
}

#[tokio::test]
async fn pages_cannot_be_framed_cached_or_made_to_load_from_elsewhere() {
    let provider = Provider::start().await;
    let agent = UserAgent::new();
    let html = provider.http.get(provider.url("/nowhere")).header("accept", "text/html");
    let wrong = agent.sign_in(&agent.get(&provider.ask("basic").url()).await, ALICE.0, "wrong").await;
    let pages = [
        ("sign in", 200, agent.get(&provider.ask("basic").url()).await),
        ("sign in again", 200, wrong),
        ("options", 200, agent.get(&provider.ask("options").url()).await),
        ("error", 400, agent.get(&provider.ask("nobody").url()).await),
        ("gone", 410, agent.get(&provider.url("/flow/AAAAAAAAAAAAAAAAAAAAAA")).await),
        ("no flow", 410, agent.get(&provider.url("/flow/%00")).await),
        ("not found", 404, Answer::to(html).await),
        (
            "form post",
            200,
            agent.get(&provider.ask("basic").with("response_mode", "form_post").with("prompt", "x").url()).await,
        ),
    ];
    for (case, status, page) in &pages {
        assert_eq!(page.status, *status, "{case}");
        let policy = page.header("content-security-policy");
        for directive in
            ["default-src 'none'", "script-src 'self'", "style-src 'self'", "base-uri 'none'", "frame-ancestors 'none'"]
        {
            assert!(policy.contains(directive), "{case}: {policy}");
        }
        assert!(!policy.contains("unsafe") && !policy.contains('*'), "{case}: {policy}");
        for (name, value) in [
            ("x-frame-options", "DENY"),
            ("cache-control", "no-store"),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
        ] {
            assert_eq!(page.header(name), value, "{case}");
        }
        assert_eq!(page.header("strict-transport-security"), "", "{case}");
        for source in attributes(&page.body, "src").into_iter().chain(attributes(&page.body, "href")) {
            let is_ours = source.starts_with('/') && !source.starts_with("//");
            assert!(is_ours || source.starts_with('#') || source.starts_with("mailto:"), "{case}: {source}");
        }
        assert!(
            !page.body.contains("<style")
                && attributes(&page.body, "style").is_empty()
                && !page.body.contains("onclick"),
            "{case}"
        );
    }
    for asset in attributes(&pages[0].2.body, "src") {
        let answer = Answer::to(provider.http.get(provider.url(asset))).await;
        assert_eq!(answer.status, 200, "{asset}");
        assert!(answer.header("cache-control").contains("max-age"), "{asset}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{asset}");
    }
    for traversal in ["/assets/../config.toml", "/assets/%2e%2e/%2e%2e/etc/passwd", "/assets/nothing.css"] {
        assert_eq!(Answer::to(provider.http.get(provider.url(traversal))).await.status, 404, "{traversal}");
    }
    // What a client or anybody else wrote is text, never markup.
    let odd = "<script>alert(1)</script>";
    let page = agent
        .get(&provider.ask("basic").with("login_hint", odd).with("ui_locales", odd).with("state", odd).url())
        .await;
    assert!(!page.body.contains("<script>alert"));
    let page = agent.sign_in(&page, odd, odd).await;
    assert!(!page.body.contains("<script>alert"));
}

#[tokio::test]
async fn cookies_are_out_of_reach_and_the_session_is_renewed_at_login() {
    let provider = Provider::start().await;
    let agent = UserAgent::new();
    // A session somebody planted is not adopted.
    agent.set_cookie("cs_session", "cGxhbnRlZHBsYW50ZWRwbGFudGVkcGxhbnRlZA");
    let page = agent.get(&provider.ask("basic").url()).await;
    let posted = agent.press(&page, "login", &[("email", ALICE.0), ("password", ALICE.1)]).await;
    for cookie in page.headers.get_all(SET_COOKIE).iter().chain(posted.headers.get_all(SET_COOKIE)) {
        let cookie = cookie.to_str().unwrap();
        for mark in ["SameSite=Lax", "Path=/"] {
            assert!(cookie.contains(mark), "{cookie}");
        }
        // What tells the frame of Session Management of a change must be read by it, and is no secret.
        assert_eq!(cookie.contains("HttpOnly"), !cookie.starts_with("cs_state="), "{cookie}");
        assert!(!cookie.contains("Secure") && !cookie.contains("Domain"), "{cookie}");
        // Only the name of the device outlives the browser; it signs nobody in.
        assert_eq!(cookie.contains("Max-Age"), cookie.starts_with("cs_device="), "{cookie}");
    }
    agent.follow(posted).await;
    let first = agent.cookie("cs_session").unwrap();
    assert_ne!(first, "cGxhbnRlZHBsYW50ZWRwbGFudGVkcGxhbnRlZA");
    let ask = provider.ask("basic").with("prompt", "login");
    let answer = agent.sign_in(&agent.get(&ask.url()).await, ALICE.0, ALICE.1).await;
    assert!(answer.response().contains_key("code"));
    let second = agent.cookie("cs_session").unwrap();
    assert_ne!(first, second);
    // The old value is worth nothing.
    let silent = provider.ask("basic").with("prompt", "none").url();
    agent.set_cookie("cs_session", &first);
    assert_eq!(agent.get(&silent).await.response()["error"], "login_required");
    agent.set_cookie("cs_session", &second);
    assert!(agent.get(&silent).await.response().contains_key("code"));
    // Somebody else at the same browser: the session is theirs.
    let answer = agent.sign_in(&agent.get(&ask.url()).await, DONALD.0, DONALD.1).await;
    assert!(answer.response().contains_key("code"));
    assert_ne!(agent.cookie("cs_session").unwrap(), second);
}

#[tokio::test]
async fn with_tls_cookies_are_host_bound_and_secure() {
    let flags = vec!["--tls".to_owned()];
    let provider = Provider::start_with(DemoOptions { flags, ..DemoOptions::default() }).await;
    assert!(provider.demo.issuer.starts_with("https://localhost:"));
    let ca = std::fs::read(provider.demo.ca_file.as_ref().unwrap()).unwrap();
    let ca = reqwest::Certificate::from_pem(&ca).unwrap();
    let http = reqwest::Client::builder().no_proxy().tls_certs_only([ca]).build().unwrap();
    let page = Answer::to(http.get(provider.ask("basic").url())).await;
    assert!(page.asks_for_password());
    let cookie = page.header("set-cookie");
    assert!(
        cookie.starts_with("__Host-cs_browser=") && cookie.contains("Secure") && cookie.contains("Path=/"),
        "{cookie}"
    );
    assert!(!cookie.contains("Domain"));
    assert_eq!(page.header("strict-transport-security"), "max-age=31536000");
    let metadata = Answer::to(http.get(provider.url("/.well-known/openid-configuration"))).await.json();
    assert_eq!(metadata["issuer"], provider.demo.issuer.as_str());
}

/// A page of a flow that is kept: a wrong password was tried.
async fn kept_page(provider: &Provider, agent: &UserAgent) -> Answer {
    let first = agent.get(&provider.ask("basic").url()).await;
    let page = agent.sign_in(&first, ALICE.0, "wrong").await;
    assert!(page.asks_for_password() && page.form("login").hidden.iter().all(|(name, _)| name != "start"));
    page
}

/// Posts a form as it stands, with the right password.
async fn post(agent: &UserAgent, form: &Form) -> Answer {
    let mut fields = form.hidden.clone();
    for (name, value) in [("do", "login"), ("email", ALICE.0), ("password", ALICE.1)] {
        fields.push((name.to_owned(), value.to_owned()));
    }
    agent.post(form.action.as_str(), &fields).await
}

#[track_caller]
fn assert_no_code(answer: &Answer, case: &str) {
    let location = answer.header("location");
    assert!(!location.contains("code=") && !answer.body.contains("code="), "{case}: {location}");
}

#[tokio::test]
async fn forged_posts_sign_nobody_in() {
    let provider = Provider::start().await;
    let (victim, attacker) = (UserAgent::new(), UserAgent::new());
    let mine = kept_page(&provider, &victim).await.form("login");
    let theirs = kept_page(&provider, &attacker).await.form("login");
    let first_page = attacker.get(&provider.ask("basic").url()).await.form("login");
    let nonce = |form: &Form, value: &str| {
        let mut form = form.clone();
        form.hidden = vec![("nonce".to_owned(), value.to_owned())];
        form
    };
    let foreign = nonce(&mine, &theirs.hidden[0].1);
    let forged = [
        ("no nonce", &victim, Form { hidden: Vec::new(), ..mine.clone() }),
        ("empty nonce", &victim, nonce(&mine, "")),
        ("nonsense", &victim, nonce(&mine, &"A".repeat(43))),
        ("nonce of another flow and browser", &victim, foreign.clone()),
        ("flow of another browser", &victim, theirs.clone()),
        ("first page of another browser", &victim, first_page.clone()),
        ("stolen URL and nonce", &attacker, mine.clone()),
        ("stolen URL, own nonce", &attacker, foreign),
        ("stolen page without cookies", &UserAgent::new(), mine.clone()),
    ];
    for (case, agent, form) in &forged {
        let session = agent.cookie("cs_session");
        let answer = post(agent, form).await;
        assert_no_code(&answer, case);
        let answer = agent.follow(answer).await;
        assert_no_code(&answer, case);
        assert_eq!(agent.cookie("cs_session"), session, "{case}");
    }
    // Looking at a stolen address shows nothing of it.
    for stranger in [&attacker, &UserAgent::new()] {
        let stolen = stranger.get(mine.action.as_str()).await;
        assert_eq!(stolen.status, 410);
        assert!(!stolen.asks_for_password());
    }
    // The honest browser's page is as good as before.
    let answer = victim.follow(post(&victim, &mine).await).await;
    assert!(answer.response().contains_key("code"));
}

#[tokio::test]
async fn of_many_presses_of_one_page_each_gets_the_same_answer() {
    let provider = Provider::start().await;
    let agent = UserAgent::new();
    for page in [agent.get(&provider.ask("basic").url()).await, kept_page(&provider, &agent).await] {
        let form = page.form("login");
        let answers = join_all((0..8).map(|_| post(&agent, &form))).await;
        let mut codes = std::collections::BTreeSet::new();
        for answer in answers {
            assert_eq!(answer.status, 303, "{}", answer.body);
            if let Some(code) = answer.response().get("code") {
                codes.insert(code.clone());
            }
        }
        assert_eq!(codes.len(), 1, "{codes:?}");
        // Late, as after Back: the same once more.
        let again = post(&agent, &form).await.response();
        assert!(codes.contains(&again["code"]));
        agent.set_cookie("cs_session", "");
    }
}

#[tokio::test]
async fn unknown_and_wrong_look_the_same() {
    let provider = Provider::start().await;
    let mut shown = std::collections::BTreeSet::new();
    for (email, password) in
        [(ALICE.0, "wrong"), ("nobody@example.com", "wrong"), ("nobody@example.com", ALICE.1), (ALICE.0, DONALD.1)]
    {
        let agent = UserAgent::new();
        let page = agent.sign_in(&agent.get(&provider.ask("basic").url()).await, email, password).await;
        assert!(page.asks_for_password(), "{email}");
        let nonce = page.form("login").hidden[0].1.clone();
        let path = page.url.path().to_owned();
        assert!(!page.body.contains(password), "the password is in the page");
        shown.insert(page.body.replace(&nonce, "").replace(&path, "").replace(email, ""));
    }
    let shown: Vec<_> = shown.into_iter().collect();
    assert_eq!(shown.len(), 1, "{}\n{}", shown[0], shown[shown.len() - 1]);
}

#[tokio::test]
async fn oversized_requests_are_refused() {
    let provider = Provider::start().await;
    let big = format!("a={}", "x".repeat(70_000));
    for path in ["/token", "/authorization", "/userinfo", "/flow/AAAAAAAAAAAAAAAAAAAAAA"] {
        let request =
            provider.http.post(provider.url(path)).header("content-type", "application/x-www-form-urlencoded");
        let answer = Answer::to(request.body(big.clone())).await;
        assert_eq!(answer.status, 413, "{path}");
        assert_eq!(answer.header("cache-control"), "no-store", "{path}");
    }
    let chunked = format!(
        "POST /token HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\n11180\r\n{}\r\n0\r\n\r\n",
        "x".repeat(70_016)
    );
    assert!(raw(&provider, &chunked).starts_with("HTTP/1.1 413"));
    let long = provider.ask("basic").with("state", "x".repeat(20_000)).url();
    assert!(matches!(Answer::to(provider.http.get(long)).await.status, 400 | 414));
    let header = Answer::to(provider.http.get(provider.url("/userinfo")).bearer_auth("x".repeat(40_000))).await;
    assert_eq!(header.status, 400);
    for broken in [
        "GET /\0 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "NONSENSE\r\n\r\n",
        "POST /token HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    ] {
        let answer = raw(&provider, broken);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{broken:?}: {answer}");
    }
    assert_eq!(Answer::to(provider.http.get(provider.url("/jwks"))).await.status, 200);
}

/// Sends bytes and reads until the server closes or says no more for half a minute.
fn raw(provider: &Provider, request: &str) -> String {
    let mut stream = connect(provider);
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    // The first answer is enough: an open connection would be kept for the next request.
    while let Ok(read @ 1..) = stream.read(&mut buffer) {
        answer.extend_from_slice(&buffer[..read]);
        if answer.windows(4).any(|end| end == b"\r\n\r\n") {
            break;
        }
    }
    String::from_utf8_lossy(&answer).into_owned()
}

fn connect(provider: &Provider) -> TcpStream {
    let authority = provider.demo.issuer.trim_start_matches("http://");
    let stream = TcpStream::connect(authority).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream
}

#[tokio::test]
async fn slow_clients_are_not_waited_for() {
    let env = vec![("COUNTERSIGN__SERVER__REQUEST_TIMEOUT".to_owned(), "1".to_owned())];
    let provider = Provider::start_with(DemoOptions { env, ..DemoOptions::default() }).await;
    let form = "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n\r\ngrant_type=";
    for half in [
        "GET /jwks HTTP/1.1\r\nHost: loc".to_owned(),
        format!("POST /token HTTP/1.1\r\nHost: localhost\r\n{form}"),
        format!("POST /authorization HTTP/1.1\r\nHost: localhost\r\n{form}"),
        format!("POST /flow/AAAAAAAAAAAAAAAAAAAAAA HTTP/1.1\r\nHost: localhost\r\n{form}"),
        format!("POST /userinfo HTTP/1.1\r\nHost: localhost\r\n{form}"),
    ] {
        let answer = raw(&provider, &half);
        assert!(answer.starts_with("HTTP/1.1 408"), "{half:?}: {answer:?}");
    }
}
