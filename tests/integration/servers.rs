//! The harness itself: a clock that did not move, or a browser that ran scripts after all, would make tests lie.
#![allow(clippy::unwrap_used)]

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::time::Duration;

use countersign_tests::servers::{Browser, BrowserOptions, FakeClock, RedisServer, free_port};
use futures_util::FutureExt as _;

const PAGE: &str = "<!doctype html>\
    <meta name=viewport content='width=device-width'><title>Page</title>\
    <label for=a>E-mail address</label><input id=a>\
    <label><input type=checkbox id=b> Remember Me</label><button aria-label='Send code'>&gt;</button>\
    <a href='/next'>Continue &gt;</a><p id=p>plain</p><p id=n></p>\
    <script>p.textContent = 'scripted';n.textContent = navigator.language + ' ' + innerWidth</script>";

/// Serves [`PAGE`], with what was asked for below it.
fn serve_page() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://127.0.0.1:{}/", listener.local_addr().unwrap().port());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let lines = BufReader::new(&stream).lines().map_while(Result::ok);
            let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
            let asked = head.iter().filter(|line| line.starts_with("GET ") || line.starts_with("Accept-Language"));
            let body = format!("{PAGE}<p>{}</p>", asked.cloned().collect::<Vec<_>>().join("; "));
            let length = body.len();
            let head = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n";
            // A browser may open connections that it does not use.
            let _ = write!(stream, "{head}Content-Length: {length}\r\n\r\n{body}");
        }
    });
    url
}

#[test]
fn ports_are_given_once() {
    let ports: std::collections::BTreeSet<u16> = (0..50).map(|_| free_port()).collect();
    assert_eq!(ports.len(), 50);
}

#[tokio::test]
async fn the_clock_of_a_process_moves_and_its_timers_do_not() {
    let clock = FakeClock::new();
    let redis = RedisServer::start(Some(&clock)).await;
    let client = redis::Client::open(redis.url.as_str()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let set: String = redis::cmd("SET").arg(&["k", "v", "EX", "60"]).query_async(&mut connection).await.unwrap();
    assert_eq!(set, "OK");
    let time = async |connection: &mut redis::aio::MultiplexedConnection| -> i64 {
        let (seconds, _): (i64, i64) = redis::cmd("TIME").query_async(connection).await.unwrap();
        seconds
    };
    let before = time(&mut connection).await;
    clock.pass(Duration::from_hours(1));
    let after = time(&mut connection).await;
    assert!((3600..3700).contains(&(after - before)), "{before} {after}");
    let gone: Option<String> = redis::cmd("GET").arg("k").query_async(&mut connection).await.unwrap();
    assert_eq!(gone, None);
    assert!(redis.process.stop().success());
}

#[tokio::test]
async fn browser_with_scripts_finds_controls_by_their_names() {
    let url = serve_page();
    let options = BrowserOptions { size: (390, 844), languages: "es-MX,es".to_owned(), ..BrowserOptions::default() };
    Browser::journey("harness", &options, async |browser| {
        browser.open(&url).await;
        browser.wait_for_text("scripted").await;
        browser.wait_for_text("es-MX 390").await;
        browser.wait_for_text("Accept-Language: es-MX,es").await;
        browser.fill("E-mail address", "dduck@example.com").await;
        let typed = browser.field("E-mail address").await.prop("value").await.unwrap();
        assert_eq!(typed.as_deref(), Some("dduck@example.com"));
        browser.field("Remember Me").await.click().await.unwrap();
        assert!(browser.field("Remember Me").await.is_selected().await.unwrap());
        browser.press("Send code").await;
        assert!(browser.has_control("Continue >").await && !browser.has_control("Cancel").await);
        browser.press("Continue >").await;
        browser.wait_for_url(&format!("{url}next")).await;
    })
    .await;
}

#[tokio::test]
async fn browser_without_scripts_runs_none() {
    let url = serve_page();
    let options = BrowserOptions { javascript: false, ..BrowserOptions::default() };
    Browser::journey("harness-plain", &options, async |browser| {
        browser.open(&url).await;
        browser.wait_for_text("plain").await;
        assert!(!browser.text().await.contains("scripted"));
    })
    .await;
}

#[tokio::test]
async fn browser_journey_that_fails_fails_the_test_and_leaves_a_picture() {
    let options = BrowserOptions::default();
    let journey = Browser::journey("harness-broken", &options, async |browser| {
        browser.open("data:text/html,<p>nothing").await;
        assert!(browser.text().await.contains("something"), "as it should");
    });
    assert!(std::panic::AssertUnwindSafe(journey).catch_unwind().await.is_err());
    if let Some(folder) = std::env::var_os("COUNTERSIGN_SCREENSHOTS") {
        let picture = std::path::Path::new(&folder).join("harness-broken.failed.png");
        assert!(std::fs::metadata(&picture).unwrap().len() > 0);
        std::fs::remove_file(&picture).unwrap();
        std::fs::remove_file(picture.with_extension("html")).unwrap();
    }
}
