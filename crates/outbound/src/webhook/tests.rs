use serde_json::json;

use super::*;
use crate::HttpSettings;
use crate::test_servers::{Answer as Reply, Transcript, capture_log, http, identity};

const NOW: Timestamp = Timestamp::from_secs(1_795_312_800);
const LIMIT: Duration = Duration::from_secs(20);

fn secret() -> SecretString {
    "heron-and-kingfisher".into()
}

fn webhook(port: u16) -> Webhook {
    let http = HttpClient::new(&HttpSettings { allow_private: true, ..HttpSettings::default() }).unwrap();
    let url = format!("http://127.0.0.1:{port}/hook?key=1").parse().unwrap();
    Webhook::new(WebhookSettings { url, secret: secret() }, http).unwrap()
}

async fn ask(reply: Reply) -> (Result<bool, CallError>, Transcript) {
    let (port, transcript) = http(reply, None).await;
    (webhook(port).ask(&json!({ "id": "1", "email": "dduck@example.com" }), NOW, LIMIT).await, transcript)
}

fn status(status: u16, body: &str) -> Reply {
    Reply::Status(status, body.to_owned())
}

#[tokio::test]
async fn a_guard_is_asked_with_a_signed_body() {
    let (allowed, transcript) = ask(status(200, r#"{"allow":true,"why":"known"}"#)).await;
    assert_eq!(allowed, Ok(true));
    let lines = transcript.lines();
    assert_eq!(lines[0], "POST /hook?key=1 HTTP/1.1");
    assert!(lines.contains(&"content-type: application/json".to_owned()), "{lines:?}");
    let header = lines.iter().find_map(|line| line.strip_prefix("countersign-signature: ")).unwrap();
    assert!(signature::check(&secret(), lines.last().unwrap().as_bytes(), header, NOW));
    assert_eq!(serde_json::from_str::<Value>(lines.last().unwrap()).unwrap()["email"], "dduck@example.com");
    assert_eq!(ask(status(200, r#"{"allow":false}"#)).await.0, Ok(false));
}

#[tokio::test]
async fn an_answer_that_is_no_verdict_is_an_error() {
    for body in ["", "true", "{}", r#"{"allow":"true"}"#, r#"{"allow":null}"#, r#"{"allow":1}"#] {
        let result = ask(status(200, body)).await.0;
        assert_eq!(result, Err(CallError::Permanent("the answer is not the JSON expected".to_owned())), "{body}");
    }
    let endless = format!(r#"{{"allow":true,"x":"{}"}}"#, "x".repeat(crate::http::MAX_RESPONSE));
    assert!(ask(status(200, &endless)).await.0.is_err());
    assert_eq!(ask(status(403, r#"{"allow":true}"#)).await.0, Err(CallError::Permanent("HTTP 403".to_owned())));
    assert_eq!(ask(status(503, r#"{"allow":true}"#)).await.0, Err(CallError::Temporary("HTTP 503".to_owned())));
    let (redirected, transcript) = ask(status(307, r#"{"allow":true}"#)).await;
    assert_eq!(redirected, Err(CallError::Permanent("HTTP 307".to_owned())));
    assert_eq!(transcript.lines().iter().filter(|line| line.starts_with("POST")).count(), 1);
}

#[tokio::test]
async fn silence_is_cut_off_and_absence_is_temporary() {
    let (port, _) = http(Reply::Hang, None).await;
    let late = webhook(port).ask(&json!({}), NOW, Duration::from_millis(200)).await;
    assert_eq!(late, Err(CallError::Temporary("time limit reached".to_owned())));
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let absent = webhook(port).notify(&json!({}), NOW, LIMIT).await;
    assert_eq!(absent, Err(CallError::Temporary("no connection".to_owned())));
}

#[tokio::test]
async fn a_notice_is_content_with_any_success() {
    for (code, result) in [(200, Ok(())), (204, Ok(())), (404, Err(CallError::Permanent("HTTP 404".to_owned())))] {
        let (port, _) = http(status(code, ""), None).await;
        assert_eq!(webhook(port).notify(&json!({ "id": "1" }), NOW, LIMIT).await, result);
    }
}

#[tokio::test]
async fn a_private_address_is_not_called_unless_allowed() {
    let identity = identity();
    let (port, transcript) = http(status(200, r#"{"allow":true}"#), Some(&identity)).await;
    let ca_file = Some(identity.ca_file.clone());
    let guarded = HttpClient::new(&HttpSettings { ca_file, ..HttpSettings::default() }).unwrap();
    let at = |host: &str| WebhookSettings { url: format!("https://{host}:{port}").parse().unwrap(), secret: secret() };
    let webhook = Webhook::new(at("localhost"), guarded.clone()).unwrap();
    let result = webhook.ask(&json!({}), NOW, LIMIT).await;
    assert_eq!(result, Err(CallError::Permanent("the address is not public".to_owned())));
    for host in ["127.0.0.1", "[::1]", "10.0.0.1", "169.254.169.254"] {
        assert!(Webhook::new(at(host), guarded.clone()).is_err(), "{host}");
    }
    let short = WebhookSettings { secret: "too short".into(), ..at("localhost") };
    assert!(Webhook::new(short, guarded).is_err());
    assert_eq!(transcript.text(), "");
}

#[tokio::test]
async fn neither_log_nor_debug_holds_secret_or_body() {
    let (_guard, log) = capture_log();
    let (port, _) = http(status(200, r#"{"allow":true}"#), None).await;
    let webhook = webhook(port);
    webhook.ask(&json!({ "email": "dduck@example.com" }), NOW, LIMIT).await.unwrap();
    let log = String::from_utf8(log.lock().unwrap().clone()).unwrap();
    let all = format!("{log} {webhook:?} {:?}", webhook.settings);
    assert!(log.contains("webhook answered"), "{all}");
    for secret in ["heron", "dduck", "key=1"] {
        assert!(!all.contains(secret), "{secret} in {all}");
    }
}
