//! The JSON API of CONTRACT.md.

use crate::support::{TO, settings, start_carrier};
use serde_json::{Value, json};

#[tokio::test]
async fn messages_are_listed_newest_first_and_by_recipient() {
    let carrier = start_carrier(settings());
    let before = carrier.messages("").await;
    assert!(before.is_empty());
    carrier.text("one").await;
    carrier.text("two").await;
    let texts: Vec<_> = carrier.messages("").await.iter().map(|message| message["text"].clone()).collect();
    assert_eq!(texts, ["two", "one"]);
    for query in ["?to=%2B12025553661", "?to=+12025553661", "?to="] {
        assert_eq!(carrier.messages(query).await.len(), 2, "{query}");
    }
    assert!(carrier.messages("?to=%2B12025550000").await.is_empty());
}

#[tokio::test]
async fn a_message_has_the_fields_of_the_contract() {
    let carrier = start_carrier(settings());
    let sent = carrier.text("Code 123456").await;
    let message = carrier.only_message().await;
    let mut names: Vec<_> = message.as_object().unwrap().keys().cloned().collect();
    names.sort();
    assert_eq!(names, ["at", "channel", "from", "html", "id", "status", "subject", "text", "to"]);
    assert_eq!(message["id"], sent["sid"]);
    assert_eq!((&message["channel"], &message["to"]), (&json!("sms"), &json!(TO)));
    let at = message["at"].as_str().unwrap();
    assert!(chrono::DateTime::parse_from_rfc3339(at).is_ok() && at.ends_with('Z'), "{at}");
}

#[tokio::test]
async fn delete_empties_the_inbox() {
    let carrier = start_carrier(settings());
    carrier.text("one").await;
    let answer = carrier.http.delete(carrier.url("/api/messages")).send().await.unwrap();
    assert_eq!(answer.status(), 204);
    assert!(carrier.messages("").await.is_empty());
}

#[tokio::test]
async fn a_partial_change_of_faults_changes_what_it_names() {
    let carrier = start_carrier(settings());
    let (status, faults) = carrier.post("/api/faults", &json!({ "sms": "refuse" })).await;
    assert_eq!((status, faults), (200, json!({ "smtp": "ok", "sms": "refuse", "voice": "ok", "corporate": "ok" })));
    let (_, faults) = carrier.post("/api/faults", &json!({ "voice": "temporary", "smtp": "slow" })).await;
    let now = json!({ "smtp": "slow", "sms": "refuse", "voice": "temporary", "corporate": "ok" });
    assert_eq!(faults, now);
    let (_, faults) = carrier.post("/api/faults", &json!({ "corporate": "nonce" })).await;
    assert_eq!((&faults["corporate"], &faults["smtp"]), (&json!("nonce"), &json!("slow")));
}

#[tokio::test]
async fn unknown_faults_change_nothing() {
    let carrier = start_carrier(settings());
    for body in [
        json!({ "sms": "refuse", "smtp": "broken" }),
        json!({ "sms": "refuse", "fax": "ok" }),
        json!({ "sms": 1 }),
        json!({ "corporate": "refuse" }),
        json!("refuse"),
    ] {
        let (status, answer) = carrier.post("/api/faults", &body).await;
        assert_eq!(status, 400, "{body}");
        assert!(answer["error"].is_string());
    }
    let faults: Value = carrier.http.get(carrier.url("/api/faults")).send().await.unwrap().json().await.unwrap();
    assert_eq!(faults, json!({ "smtp": "ok", "sms": "ok", "voice": "ok", "corporate": "ok" }));
}

#[tokio::test]
async fn keys_need_a_call_and_a_keypad() {
    let carrier = start_carrier(settings());
    assert_eq!(carrier.press("CA404", "#").await.0, 404);
    let sid = carrier.call(&[("Twiml", "<Response><Say>Hello</Say></Response>")]).await;
    for digits in ["", "A", "1234567890123456789012345678901234567890"] {
        assert_eq!(carrier.press(&sid, digits).await.0, 400, "{digits}");
    }
    assert_eq!(carrier.post(&format!("/api/calls/{sid}/press"), &json!({})).await.0, 400);
    assert_eq!(carrier.press(&sid, "1").await.0, 200);
    assert_eq!(carrier.press(&sid, "1").await.0, 409);
}

#[tokio::test]
async fn a_page_of_another_origin_cannot_change_anything() {
    let carrier = start_carrier(settings());
    carrier.text("stays").await;
    for origin in ["http://evil.example", "null", "http://localhost:8080"] {
        let request = carrier.http.delete(carrier.url("/api/messages")).header("Origin", origin);
        assert_eq!(request.send().await.unwrap().status(), 403, "{origin}");
    }
    assert_eq!(carrier.messages("").await.len(), 1);
    let request = carrier.http.delete(carrier.url("/api/messages")).header("Origin", &carrier.base);
    assert_eq!(request.send().await.unwrap().status(), 204);
}

#[tokio::test]
async fn a_body_past_the_limit_is_refused() {
    let carrier = start_carrier(settings());
    let request = carrier.http.post(carrier.url("/api/faults")).body("x".repeat(100_000));
    assert_eq!(request.send().await.unwrap().status(), 413);
}

#[tokio::test]
async fn both_loopback_addresses_answer() {
    let carrier = start_carrier(settings());
    for host in ["127.0.0.1", "[::1]", "localhost"] {
        if host == "[::1]" && std::net::TcpListener::bind("[::1]:0").is_err() {
            continue;
        }
        let url = format!("http://{host}:{}/api/messages", carrier.addresses.http_port);
        assert_eq!(carrier.http.get(url).send().await.unwrap().status(), 200, "{host}");
    }
}
