//! The Twilio-compatible REST API.

use crate::recorder::start_recorder;
use crate::support::{ACCOUNT, FROM, TO, TOKEN, settings, start_carrier};
use countersign_sandbox::carrier::sign;
use serde_json::{Value, json};

#[tokio::test]
async fn wrong_credentials_get_twilios_error() {
    let carrier = start_carrier(settings());
    let url = carrier.url(&format!("/2010-04-01/Accounts/{ACCOUNT}/Messages.json"));
    let form = [("To", TO), ("From", FROM), ("Body", "x")];
    let requests = [
        carrier.http.post(&url).form(&form),
        carrier.http.post(&url).form(&form).basic_auth(ACCOUNT, Some("wrong")),
        carrier.http.post(&url).form(&form).basic_auth("AC1", Some(TOKEN)),
        carrier.http.post(&url).form(&form).header("Authorization", "Basic !!!"),
        carrier.http.post(carrier.url("/2010-04-01/Accounts/AC1/Calls.json")).basic_auth(ACCOUNT, Some(TOKEN)),
    ];
    for request in requests {
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 401);
        let wanted = json!({
            "code": 20003,
            "message": "Authenticate",
            "more_info": "https://www.twilio.com/docs/errors/20003",
            "status": 401,
        });
        assert_eq!(answer.json::<Value>().await.unwrap(), wanted);
    }
    assert!(carrier.messages("").await.is_empty());
}

#[tokio::test]
async fn a_text_is_queued_and_can_be_looked_up() {
    let carrier = start_carrier(settings());
    let sent = carrier.text("Your code is 123456").await;
    assert!(sent["sid"].as_str().unwrap().starts_with("SM") && sent["sid"].as_str().unwrap().len() == 34);
    assert_eq!(sent["status"], "queued");
    assert_eq!(sent["body"], "Your code is 123456");
    let uri = sent["uri"].as_str().unwrap();
    let get = || carrier.http.get(carrier.url(uri)).basic_auth(ACCOUNT, Some(TOKEN));
    let found: Value = get().send().await.unwrap().json().await.unwrap();
    assert_eq!(found["sid"], sent["sid"]);
    let other = uri.replace("Messages", "Calls");
    let answer = carrier.http.get(carrier.url(&other)).basic_auth(ACCOUNT, Some(TOKEN)).send().await.unwrap();
    assert_eq!(answer.status(), 404);
    assert_eq!(answer.json::<Value>().await.unwrap()["code"], 20404);
}

#[tokio::test]
async fn status_callbacks_of_a_text_are_signed() {
    let customer = start_recorder(|_| (204, String::new()));
    let carrier = start_carrier(settings());
    let callback = customer.url("/status?a=1");
    let form = [("To", TO), ("From", FROM), ("Body", "x"), ("StatusCallback", &callback)];
    let sent: Value = carrier.rest("Messages.json").form(&form).send().await.unwrap().json().await.unwrap();
    for status in ["sent", "delivered"] {
        let report = customer.next().await;
        assert_eq!((report.path.as_str(), report.form["MessageStatus"].as_str()), ("/status", status));
        assert_eq!(report.form["MessageSid"], sent["sid"].as_str().unwrap());
        let parameters: Vec<_> = report.form.into_iter().collect();
        assert_eq!(report.signature, sign(TOKEN, &report.url, &parameters));
    }
    assert_eq!(carrier.only_message().await["status"], "delivered");
}

#[tokio::test]
async fn incomplete_requests_name_twilios_codes() {
    let carrier = start_carrier(settings());
    let long = "x".repeat(1601);
    let ring = "<Response/>";
    for (path, form, code) in [
        ("Messages.json", vec![("From", FROM), ("Body", "x")], 21604),
        ("Messages.json", vec![("To", TO), ("Body", "x")], 21603),
        ("Messages.json", vec![("To", TO), ("From", FROM)], 21602),
        ("Messages.json", vec![("To", TO), ("From", FROM), ("Body", &long)], 21617),
        ("Messages.json", vec![("To", "2025553661"), ("From", FROM), ("Body", "x")], 21211),
        ("Messages.json", vec![("To", TO), ("From", FROM), ("Body", "x"), ("StatusCallback", "ftp://x")], 21609),
        ("Calls.json", vec![("To", TO), ("From", FROM)], 21205),
        ("Calls.json", vec![("To", TO), ("From", FROM), ("Url", "nowhere")], 21205),
        ("Calls.json", vec![("To", TO), ("From", FROM), ("Url", "http://x"), ("Method", "PUT")], 21205),
        ("Calls.json", vec![("From", FROM), ("Twiml", ring)], 21201),
        ("Calls.json", vec![("To", TO), ("Twiml", ring)], 21213),
        ("Calls.json", vec![("To", TO), ("From", FROM), ("Twiml", ring), ("Timeout", "soon")], 21216),
    ] {
        let answer = carrier.rest(path).form(&form).send().await.unwrap();
        assert_eq!(answer.status(), 400, "{form:?}");
        assert_eq!(answer.json::<Value>().await.unwrap()["code"], code, "{form:?}");
    }
    assert!(carrier.messages("").await.is_empty());
}

#[tokio::test]
async fn faults_refuse_for_good_or_for_now() {
    let carrier = start_carrier(settings());
    carrier.post("/api/faults", &json!({ "sms": "refuse", "voice": "temporary" })).await;
    let form = [("To", TO), ("From", FROM), ("Body", "x"), ("Twiml", "<Response/>")];
    let text = carrier.rest("Messages.json").form(&form).send().await.unwrap();
    assert_eq!((text.status().as_u16(), text.json::<Value>().await.unwrap()["code"].clone()), (400, json!(21211)));
    let call = carrier.rest("Calls.json").form(&form).send().await.unwrap();
    assert_eq!((call.status().as_u16(), call.json::<Value>().await.unwrap()["code"].clone()), (503, json!(20503)));
    assert!(carrier.messages("").await.is_empty());
    carrier.post("/api/faults", &json!({ "sms": "ok" })).await;
    carrier.text("works again").await;
}
