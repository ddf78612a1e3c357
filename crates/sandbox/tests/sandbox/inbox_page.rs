//! The inbox page, as a browser without scripts uses it.

use crate::support::{FROM, TO, settings, start_carrier};
use lettre::message::{MultiPart, SinglePart};
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use serde_json::json;

#[tokio::test]
async fn foreign_text_is_escaped_and_foreign_html_is_locked_in() {
    let carrier = start_carrier(settings());
    let transport =
        AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous("127.0.0.1").port(carrier.addresses.smtp_port).build();
    let evil = "<script>alert(1)</script>";
    let mail = lettre::Message::builder()
        .from("a@example.com".parse().unwrap())
        .to("dduck@example.com".parse().unwrap())
        .subject(evil)
        .multipart(
            MultiPart::alternative()
                .singlepart(SinglePart::plain(format!("{evil} javascript:alert(1) https://x.example/?a=\"b\"")))
                .singlepart(SinglePart::html(evil.to_owned())),
        )
        .unwrap();
    transport.send(mail).await.unwrap();
    let page = carrier.http.get(carrier.url("/")).send().await.unwrap();
    let policy = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    let page = page.text().await.unwrap();
    assert!(page.contains("&lt;script&gt;") && !page.contains(evil));
    assert!(page.contains("href=\"https:&#x2f;&#x2f;x.example&#x2f;?a=\"") && !page.contains("href=\"javascript"));
    let id = carrier.only_message().await["id"].as_str().unwrap().to_owned();
    assert!(page.contains(&format!("<iframe sandbox src=\"/messages/{id}/html\"")));
    let html = carrier.http.get(carrier.url(&format!("/messages/{id}/html"))).send().await.unwrap();
    let policies: Vec<_> = html.headers().get_all("content-security-policy").iter().collect();
    assert_eq!(policies.len(), 1);
    let policy = policies[0].to_str().unwrap();
    assert!(policy.contains("default-src 'none'") && policy.contains("; sandbox;"), "{policy}");
}

#[tokio::test]
async fn a_call_can_be_answered_with_forms_alone() {
    let carrier = start_carrier(settings());
    let twiml = "<Response><Gather numDigits=\"1\" finishOnKey=\"\" action=\"http://localhost:9/\">\
                 <Say>Press pound</Say></Gather></Response>";
    let sid = carrier.call(&[("Twiml", twiml)]).await;
    let page = carrier.http.get(carrier.url("/")).send().await.unwrap().text().await.unwrap();
    assert!(page.contains("Incoming call") && page.contains("# (pound)"));
    let answer = carrier.http.post(carrier.url(&format!("/calls/{sid}/answer"))).send().await.unwrap();
    assert_eq!(answer.status(), 303);
    assert_eq!(answer.headers()["location"].to_str().unwrap(), format!("/#{sid}"));
    let page = carrier.http.get(carrier.url("/")).send().await.unwrap().text().await.unwrap();
    assert!(page.contains("Press pound") && page.contains("Hang up"));
    let press = carrier.http.post(carrier.url(&format!("/calls/{sid}/press"))).form(&[("digits", "#")]);
    assert_eq!(press.send().await.unwrap().status(), 303);
    let hang_up = carrier.http.post(carrier.url(&format!("/calls/{sid}/hangup"))).send().await.unwrap();
    assert_eq!(hang_up.status(), 409);
}

#[tokio::test]
async fn the_script_is_told_when_nothing_has_changed() {
    let carrier = start_carrier(settings());
    carrier.call(&[("Twiml", "<Response/>")]).await;
    let fragment = carrier.http.get(carrier.url("/messages")).send().await.unwrap().text().await.unwrap();
    let revision = fragment.split("data-revision=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let again = || carrier.http.get(carrier.url(&format!("/messages?since={revision}"))).send();
    assert_eq!(again().await.unwrap().status(), 204);
    carrier.call(&[("Twiml", "<Response/>")]).await;
    let answer = again().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.text().await.unwrap().matches("Incoming call").count(), 2);
}

#[tokio::test]
async fn the_page_filters_clears_and_sets_faults() {
    let carrier = start_carrier(settings());
    carrier.text("one").await;
    let page = |query: &str| {
        let request = carrier.http.get(carrier.url(&format!("/{query}")));
        async move { request.send().await.unwrap().text().await.unwrap() }
    };
    assert!(page("?to=%2B12025553661").await.contains(TO));
    let other = page("?to=other%3C%3E").await;
    assert!(other.contains("Nothing has arrived for other&lt;&gt;") && !other.contains(FROM));
    let faults = [("smtp", "slow"), ("sms", "ok"), ("voice", "refuse")];
    let answer = carrier.http.post(carrier.url("/faults")).form(&faults).send().await.unwrap();
    assert_eq!(answer.status(), 303);
    let wrong = carrier.http.post(carrier.url("/faults")).form(&[("sms", "gone")]).send().await.unwrap();
    assert_eq!(wrong.status(), 400);
    let now: serde_json::Value =
        carrier.http.get(carrier.url("/api/faults")).send().await.unwrap().json().await.unwrap();
    assert_eq!(now, json!({ "smtp": "slow", "sms": "ok", "voice": "refuse", "corporate": "ok" }));
    carrier.http.post(carrier.url("/messages/clear")).send().await.unwrap();
    assert!(page("").await.contains("Nothing has arrived yet"));
    assert_eq!(carrier.http.get(carrier.url("/nowhere")).send().await.unwrap().status(), 404);
}
