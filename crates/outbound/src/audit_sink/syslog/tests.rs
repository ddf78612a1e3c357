use std::time::Duration;

use countersign_model::Timestamp;

use super::*;
use crate::AuditSink;
use crate::test_servers::{Ending, Identity, identity, syslog};

const NOW: Timestamp = Timestamp::from_millis(1_795_312_800_250);
const LIMIT: Duration = Duration::from_secs(20);

fn sink(port: u16, trusted: Option<&Identity>) -> AuditSink {
    let settings = SyslogSettings {
        host: "localhost".to_owned(),
        port,
        ca_file: trusted.map(|identity| identity.ca_file.clone()),
        certificate: None,
        hostname: "id.example".to_owned(),
    };
    AuditSink::Syslog(Syslog::new(settings).unwrap())
}

fn lines() -> Vec<SinkLine> {
    let line = |kind, is_failure, text: &str| SinkLine { at: NOW, kind, is_failure, text: text.to_owned() };
    vec![line("login", false, r#"{"who":"é"}"#), line("request.refused", true, "{}")]
}

#[tokio::test]
async fn messages_go_in_frames_whose_length_is_in_bytes() {
    let identity = identity();
    let (port, seen) = syslog(Ending::Reads, &identity).await;
    let sink = sink(port, Some(&identity));
    sink.take(&lines(), NOW, LIMIT).await.unwrap();
    sink.take(&lines()[1..], NOW, LIMIT).await.unwrap();
    let refused = "77 <108>1 2026-11-22T02:00:00.250Z id.example countersign - request.refused - {}";
    let login = "77 <109>1 2026-11-22T02:00:00.250Z id.example countersign - login - {\"who\":\"é\"}";
    assert_eq!(seen.lines(), [format!("{login}{refused}"), refused.to_owned()]);
}

#[tokio::test]
async fn what_the_receiver_may_not_have_read_was_not_taken() {
    let identity = identity();
    for ending in [Ending::Hangs, Ending::Leaves, Ending::Breaks] {
        let (port, _) = syslog(ending, &identity).await;
        let many = vec![lines().remove(0); 20_000];
        let taken = sink(port, Some(&identity)).take(&many, NOW, Duration::from_secs(2)).await;
        assert!(matches!(taken, Err(CallError::Temporary(_))), "{taken:?}");
    }
}

#[tokio::test]
async fn nobody_else_is_told() {
    let identity = identity();
    let (port, seen) = syslog(Ending::Reads, &identity).await;
    let refused = sink(port, None).take(&lines(), NOW, LIMIT).await;
    assert!(matches!(&refused, Err(CallError::Temporary(why)) if why.contains("certificate")), "{refused:?}");
    assert!(seen.lines().is_empty());
}

#[test]
fn settings_that_could_never_do_are_refused() {
    let of = |host: &str, hostname: &str| {
        let (host, hostname) = (host.to_owned(), hostname.to_owned());
        Syslog::new(SyslogSettings { host, port: 6514, ca_file: None, certificate: None, hostname })
    };
    assert!(of("logs.example", "id.example").is_ok() && of("::1", "id.example").is_ok());
    assert!(
        of("no name", "id.example").is_err() && of("logs.example", "a b").is_err() && of("logs.example", "").is_err()
    );
}
