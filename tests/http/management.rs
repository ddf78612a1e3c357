//! Health, metrics, and a good end.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use countersign_tests::user_agent::{Answer, UserAgent};

use crate::fixture::Provider;

#[tokio::test]
async fn health_and_metrics_are_on_the_management_port_alone() {
    let provider = Provider::start().await;
    provider.redeem(&provider.grant(&UserAgent::new(), &provider.ask("basic")).await).await;
    let get = async |base: &str, path: &str| Answer::to(provider.http.get(format!("{base}{path}"))).await;
    for path in ["/healthz", "/readyz", "/metrics"] {
        assert_eq!(get(&provider.demo.management, path).await.status, 200, "{path}");
        assert_eq!(get(&provider.demo.issuer, path).await.status, 404, "{path}");
    }
    for path in ["/jwks", "/token", "/authorization", "/"] {
        assert_eq!(get(&provider.demo.management, path).await.status, 404, "{path}");
    }
    let metrics = get(&provider.demo.management, "/metrics").await.body;
    for name in ["countersign_requests_total{", "countersign_tokens_issued_total 1"] {
        assert!(metrics.lines().any(|line| line.starts_with(name)), "{name}: {metrics}");
    }
}

/// Issue 2, point 8: graceful shutdown finishes requests under way.
#[tokio::test]
async fn request_under_way_at_the_end_is_finished() {
    let provider = Provider::start().await;
    let authority = provider.demo.issuer.trim_start_matches("http://").to_owned();
    let mut stream = TcpStream::connect(&authority).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let body = "grant_type=authorization_code&client_id=nobody";
    let head = "POST /token HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nConnection: close\r\n";
    write!(stream, "{head}Content-Length: {}\r\n\r\n{}", body.len(), &body[..20]).unwrap();
    // A connection of its own that is idle must not hold the end up.
    let idle = TcpStream::connect(&authority).unwrap();
    Answer::to(provider.http.get(provider.url("/jwks"))).await;
    provider.demo.process().signal("TERM");
    let mut ticks = tokio::time::interval(Duration::from_millis(20));
    let closing = async {
        while TcpStream::connect(&authority).is_ok() {
            ticks.tick().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), closing).await.expect("it still takes connections");
    stream.write_all(&body.as_bytes()[20..]).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 401") && answer.ends_with('}'), "{answer}");
    // Sooner than the ten seconds after which the demo kills its parts, whatever idle connections there are.
    let end = tokio::task::spawn_blocking(move || provider.demo.stop());
    let status = tokio::time::timeout(Duration::from_secs(9), end).await.expect("the end takes too long").unwrap();
    assert!(status.success());
    drop(idle);
}
