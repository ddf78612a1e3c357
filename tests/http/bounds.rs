//! What the provider refuses to take: compressed bodies, long requests, too many sign-ins from one address.

use countersign_tests::servers::DemoOptions;
use countersign_tests::user_agent::{Answer, UserAgent, program};
use futures_util::future::join_all;

use crate::fixture::{ALICE, Provider, assert_error_page};

#[tokio::test]
async fn compressed_bodies_are_refused_before_they_are_unpacked() {
    let provider = Provider::start().await;
    for path in ["/token", "/userinfo", "/authorization", "/flow/AAAAAAAAAAAAAAAAAAAAAA"] {
        let request = provider.http.post(provider.url(path)).header("content-encoding", "gzip");
        let form = request.header("content-type", "application/x-www-form-urlencoded").body("a=b");
        assert_eq!(Answer::to(form).await.status, 415, "{path}");
    }
}

#[tokio::test]
async fn overlong_requests_are_refused_and_shorter_ones_can_be_finished() {
    let provider = Provider::start().await;
    let agent = UserAgent::new();
    let long = provider.ask("basic").with("padding", "x".repeat(9 * 1024));
    assert_error_page(&agent.get(&long.url()).await, "GET");
    assert_error_page(&agent.post(&provider.url("/authorization"), long.params()).await, "POST");
    let shorter = provider.ask("basic").with("padding", "x".repeat(6 * 1024));
    let page = agent.get(&shorter.url()).await;
    let answer = agent.sign_in(&page, ALICE.0, ALICE.1).await;
    assert!(answer.response().contains_key("code"), "a request that is let in can be finished");
}

#[tokio::test]
async fn a_long_state_comes_back_whole() {
    let provider = Provider::start().await;
    let state = "\u{e9}".repeat(600);
    let response = provider.answer(&UserAgent::new(), &provider.ask("basic").with("state", &state)).await.response();
    assert_eq!(response.get("state"), Some(&state));
    assert!(response.contains_key("code"));
}

#[tokio::test]
async fn an_address_that_begins_too_many_sign_ins_is_told_to_wait() {
    let limit = ("COUNTERSIGN__LIMITS__STARTS".to_owned(), "2".to_owned());
    let provider = Provider::start_with(DemoOptions { env: vec![limit], ..DemoOptions::default() }).await;
    for attempt in 1..=3 {
        let agent = UserAgent::new();
        let page = agent.get(&provider.ask("basic").url()).await;
        let answer = agent.press(&page, "login", &[("email", ALICE.0), ("password", "wrong")]).await;
        let expected = if attempt <= 2 { 303 } else { 503 };
        assert_eq!(answer.status, expected, "sign-in {attempt}");
        assert_eq!(answer.header("retry-after").is_empty(), attempt <= 2, "sign-in {attempt}");
    }
}

/// A sign-in that fails, as a proxy hands it on; answers the status of the post.
async fn begin_behind_proxy(provider: &Provider, forwarded: &str) -> u16 {
    let http = program();
    let headers = [("x-forwarded-for", forwarded)].map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
    let agent = UserAgent::with(http.default_headers(headers.into_iter().collect()).build().unwrap());
    let page = agent.get(&provider.ask("basic").url()).await;
    agent.press(&page, "login", &[("email", ALICE.0), ("password", "wrong")]).await.status
}

#[tokio::test]
async fn behind_a_proxy_the_address_that_counts_is_the_one_it_added_last() {
    let env = [("COUNTERSIGN__LIMITS__STARTS", "2"), ("COUNTERSIGN__SERVER__BEHIND_PROXY", "true")];
    let env = env.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let provider = Provider::start_with(DemoOptions { env, ..DemoOptions::default() }).await;
    // What stands before it the client wrote itself, to look like somebody new each time.
    for (forwarded, status) in [
        ("203.0.113.1, 198.51.100.7", 303),
        ("203.0.113.2, 198.51.100.7", 303),
        ("203.0.113.3, 198.51.100.7", 503),
        ("198.51.100.7, 203.0.113.4", 303),
    ] {
        assert_eq!(begin_behind_proxy(&provider, forwarded).await, status, "{forwarded}");
    }
}

#[tokio::test]
async fn a_forwarded_address_is_not_believed_without_a_proxy() {
    let env = vec![("COUNTERSIGN__LIMITS__STARTS".to_owned(), "2".to_owned())];
    let provider = Provider::start_with(DemoOptions { env, ..DemoOptions::default() }).await;
    for (forwarded, status) in [("198.51.100.1", 303), ("198.51.100.2", 303), ("198.51.100.3", 503)] {
        assert_eq!(begin_behind_proxy(&provider, forwarded).await, status, "{forwarded}");
    }
}

#[tokio::test]
async fn a_step_is_finished_when_the_browser_goes_away_half_way() {
    use std::io::Write as _;

    let provider = Provider::start().await;
    let agent = UserAgent::new();
    let page = agent.get(&provider.ask("basic").url()).await;
    // The first try makes the flow; what is sent and given up is the second.
    let page = agent.follow(agent.press(&page, "login", &[("email", ALICE.0), ("password", "wrong")]).await).await;
    let form = page.form("login");
    let typed = [("do", "login"), ("email", ALICE.0), ("password", ALICE.1)];
    let hidden = form.hidden.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let mut body = url::form_urlencoded::Serializer::new(String::new());
    let body = body.extend_pairs(hidden.chain(typed)).finish();
    let cookies = agent.cookies().into_iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>();
    let host = format!("localhost:{}", form.action.port().unwrap());
    let head = format!(
        "POST {} HTTP/1.1\r\nhost: {host}\r\ncookie: {}\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n",
        form.action.path(),
        cookies.join("; "),
        body.len(),
    );
    let mut connection = std::net::TcpStream::connect(&host).unwrap();
    connection.write_all((head + &body).as_bytes()).unwrap();
    drop(connection);
    // The login is done all the same: the flow has ended.
    for _ in 0..1000 {
        if agent.get(form.action.as_str()).await.status == 410 {
            return;
        }
    }
    panic!("the step was given up");
}

#[tokio::test]
async fn sign_ins_beyond_the_hash_queue_are_told_to_come_back_and_may() {
    let env = [("THREADS", "1"), ("QUEUE", "1"), ("PASSES", "6")];
    let env = env.map(|(name, value)| (format!("COUNTERSIGN__HASHING__{name}"), value.to_owned())).into();
    let provider = Provider::start_with(DemoOptions { env, ..DemoOptions::default() }).await;
    let url = provider.ask("basic").url();
    let people = join_all((0..8).map(|_| async {
        let agent = UserAgent::new();
        let page = agent.get(&url).await;
        (agent, page)
    }))
    .await;
    let typed = [("email", ALICE.0), ("password", ALICE.1)];
    let answers = join_all(people.iter().map(|(agent, page)| agent.press(page, "login", &typed))).await;
    let turned_away: Vec<usize> = (0..answers.len()).filter(|at| answers[*at].status == 503).collect();
    assert!(!turned_away.is_empty() && turned_away.len() < answers.len(), "{turned_away:?}");
    for (at, answer) in answers.iter().enumerate() {
        if !turned_away.contains(&at) {
            assert!(answer.response().contains_key("code"), "{}", answer.status);
            continue;
        }
        let pause: u32 = answer.header("retry-after").parse().unwrap();
        assert!((1..=60).contains(&pause), "{pause}");
        assert!(answer.body.contains("<h1>") && !answer.body.contains(ALICE.1), "{}", answer.body);
        assert_eq!(answer.header("cache-control"), "no-store");
    }
    // Nothing was lost: the same page lets the person in now.
    let (agent, page) = &people[turned_away[0]];
    assert!(agent.press(page, "login", &typed).await.response().contains_key("code"));
}
