use super::*;
use crate::HttpSettings;
use crate::test_servers::{Answer as Reply, Transcript, capture_log, http};

fn connector(port: u16) -> LegacyConnector {
    let http = HttpClient::new(&HttpSettings { allow_private: true, ..HttpSettings::default() }).unwrap();
    let url = format!("http://127.0.0.1:{port}/check").parse().unwrap();
    let timeout = Duration::from_secs(20);
    LegacyConnector::new(LegacySettings { url, secret: "heron-and-kingfisher".into(), timeout }, http).unwrap()
}

async fn check(status: u16, body: &str) -> (Result<Option<LegacyAccount>, CallError>, Transcript) {
    let (port, transcript) = http(Reply::Status(status, body.to_owned()), None).await;
    (connector(port).check("legacy.provider", &"Atrezzo-2021!".into()).await, transcript)
}

#[tokio::test]
async fn the_older_system_is_asked_with_its_bearer_token() {
    let body = r#"{"valid":true,"email":"legacy.provider@example.com","name":"Lee Gacy","more":1}"#;
    let (result, transcript) = check(200, body).await;
    let account = result.unwrap().unwrap();
    assert_eq!(account.email.as_deref(), Some("legacy.provider@example.com"));
    assert_eq!(account.name.as_deref(), Some("Lee Gacy"));
    let lines = transcript.lines();
    assert_eq!(lines[0], "POST /check HTTP/1.1");
    assert!(lines.contains(&"authorization: Bearer heron-and-kingfisher".to_owned()), "{lines:?}");
    let sent: serde_json::Value = serde_json::from_str(lines.last().unwrap()).unwrap();
    assert_eq!(sent, json!({ "username": "legacy.provider", "password": "Atrezzo-2021!" }));
}

#[tokio::test]
async fn a_wrong_password_is_no_error_and_an_error_no_wrong_password() {
    assert_eq!(check(200, r#"{"valid":false,"email":"x@example.com"}"#).await.0, Ok(None));
    assert_eq!(check(401, r#"{"valid":true}"#).await.0, Err(CallError::Permanent("HTTP 401".to_owned())));
    assert_eq!(check(500, r#"{"valid":true}"#).await.0, Err(CallError::Temporary("HTTP 500".to_owned())));
    for body in ["", "{}", r#"{"valid":"yes"}"#, r#"{"valid":true,"email":7}"#] {
        assert!(matches!(check(200, body).await.0, Err(CallError::Permanent(_))), "{body}");
    }
}

#[tokio::test]
async fn fields_that_are_none_are_left_out() {
    let nothing = LegacyAccount { email: None, name: None };
    let long = format!(r#"{{"valid":true,"email":"","name":"{}"}}"#, "x".repeat(255));
    for body in [r#"{"valid":true}"#, r#"{"valid":true,"email":"a\nb","name":null}"#, &long] {
        assert_eq!(check(200, body).await.0, Ok(Some(nothing.clone())), "{body}");
    }
}

#[tokio::test]
async fn nothing_is_asked_for_what_no_password_can_be() {
    let (port, transcript) = http(Reply::Status(200, r#"{"valid":true}"#.to_owned()), None).await;
    let long = "x".repeat(1025);
    for (username, password) in [("", "p"), ("u", ""), (long.as_str(), "p"), ("u", long.as_str())] {
        assert_eq!(connector(port).check(username, &password.into()).await, Ok(None));
    }
    assert_eq!(transcript.text(), "");
}

#[tokio::test]
async fn neither_log_nor_debug_holds_name_password_or_token() {
    let (_guard, log) = capture_log();
    let (result, _) = check(200, r#"{"valid":true,"email":"legacy.provider@example.com"}"#).await;
    let connector = connector(1);
    let log = String::from_utf8(log.lock().unwrap().clone()).unwrap();
    let all = format!("{log} {result:?} {connector:?} {:?}", connector.settings);
    assert!(log.contains("legacy system answered"), "{all}");
    for secret in ["legacy.provider", "Atrezzo", "heron"] {
        assert!(!all.contains(secret), "{secret} in {all}");
    }
}
