//! Calls with keys, against a small TwiML server.

use crate::recorder::{Recorded, start_recorder};
use crate::support::{ACCOUNT, Carrier, TO, TOKEN, settings, start_carrier};
use countersign_sandbox::CarrierSettings;
use countersign_sandbox::carrier::sign;
use serde_json::{Value, json};
use std::time::Duration;

const PRESS_HASH: &str = concat!(
    "<Response><Gather numDigits=\"1\" finishOnKey=\"\" action=\"/keys?flow=7&amp;x=%2F\" timeout=\"20\">",
    "<Say>Press the pound key to sign in.</Say></Gather><Say>We did not hear you.</Say></Response>",
);
const THANKS: &str = "<Response><Say>Thank you.</Say><Hangup/></Response>";

fn check_signature(request: Recorded) {
    let form: Vec<_> = request.form.into_iter().collect();
    assert_eq!(request.signature, sign(TOKEN, &request.url, &form), "{} {}", request.method, request.url);
}

async fn state(carrier: &Carrier) -> (String, String) {
    let call = carrier.only_message().await;
    (call["status"].as_str().unwrap().to_owned(), call["text"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn pressing_hash_on_a_ringing_call_reaches_the_customer() {
    let customer = start_recorder(|request| match request.path.as_str() {
        "/voice" => (200, PRESS_HASH.into()),
        "/keys" => (200, THANKS.into()),
        _ => (204, String::new()),
    });
    let carrier = start_carrier(settings());
    let sid = carrier.call(&[("Url", &customer.url("/voice?call=1"))]).await;
    let (status, call) = carrier.press(&sid, "#").await;
    assert_eq!(status, 200);
    assert_eq!((&call["status"], &call["channel"], &call["to"]), (&json!("completed"), &json!("voice"), &json!(TO)));
    assert_eq!(call["text"], "Press the pound key to sign in.\nThank you.");
    let asked = customer.next().await;
    assert_eq!((asked.method.as_str(), asked.path.as_str()), ("POST", "/voice"));
    assert_eq!((asked.form["CallSid"].as_str(), asked.form["CallStatus"].as_str()), (sid.as_str(), "in-progress"));
    check_signature(asked);
    let pressed = customer.next().await;
    assert_eq!(pressed.url, customer.url("/keys?flow=7&x=%2F"));
    assert_eq!((pressed.form["Digits"].as_str(), pressed.form["CallSid"].as_str()), ("#", sid.as_str()));
    check_signature(pressed);
}

#[tokio::test]
async fn a_call_is_reported_from_ringing_to_its_end() {
    let customer = start_recorder(|request| match request.path.as_str() {
        "/voice" => (200, THANKS.into()),
        _ => (204, String::new()),
    });
    let carrier = start_carrier(settings());
    let (voice, status) = (customer.url("/voice"), customer.url("/status"));
    let mut parameters = vec![("Url", voice.as_str()), ("StatusCallback", status.as_str())];
    parameters.extend(["initiated", "ringing", "answered", "completed"].map(|event| ("StatusCallbackEvent", event)));
    let sid = carrier.call(&parameters).await;
    carrier.post(&format!("/api/calls/{sid}/answer"), &json!({})).await;
    for (number, wanted) in ["queued", "ringing", "in-progress", "completed"].into_iter().enumerate() {
        let report = customer.next_at("/status").await;
        assert_eq!((report.form["CallStatus"].as_str(), &report.form["SequenceNumber"]), (wanted, &number.to_string()));
        check_signature(report);
    }
}

#[tokio::test]
async fn a_call_nobody_answers_ends_as_no_answer() {
    let customer = start_recorder(|_| (204, String::new()));
    let carrier = start_carrier(CarrierSettings { ring: Duration::from_millis(20), ..settings() });
    let sid = carrier.call(&[("Twiml", THANKS), ("StatusCallback", &customer.url("/status"))]).await;
    let report = customer.next().await;
    assert_eq!(report.form["CallStatus"], "no-answer");
    assert_eq!(state(&carrier).await, ("no-answer".into(), String::new()));
    assert_eq!(carrier.press(&sid, "#").await.0, 409);
}

#[tokio::test]
async fn declining_hanging_up_and_cancelling_are_told_apart() {
    let carrier = start_carrier(settings());
    let waits = "<Response><Gather action=\"http://localhost:9/\"><Say>Hello</Say></Gather></Response>";
    let declined = carrier.call(&[("Twiml", waits)]).await;
    let (_, call) = carrier.post(&format!("/api/calls/{declined}/hangup"), &json!({})).await;
    assert_eq!(call["status"], "busy");
    let spoken = carrier.call(&[("Twiml", waits)]).await;
    let (_, call) = carrier.post(&format!("/api/calls/{spoken}/answer"), &json!({})).await;
    assert_eq!((&call["status"], &call["text"]), (&json!("in-progress"), &json!("Hello")));
    let (_, call) = carrier.post(&format!("/api/calls/{spoken}/hangup"), &json!({})).await;
    assert_eq!(call["status"], "completed");
    let cancelled = carrier.call(&[("Twiml", waits)]).await;
    let request = carrier.rest(&format!("Calls/{cancelled}.json")).form(&[("Status", "canceled")]);
    assert_eq!(request.send().await.unwrap().json::<Value>().await.unwrap()["status"], "canceled");
    let url = carrier.url(&format!("/2010-04-01/Accounts/{ACCOUNT}/Calls/{cancelled}.json"));
    let found = carrier.http.get(url).basic_auth(ACCOUNT, Some(TOKEN)).send().await.unwrap();
    assert_eq!(found.json::<Value>().await.unwrap()["status"], "canceled");
}

#[tokio::test]
async fn hash_alone_ends_an_ordinary_gather_empty_and_goes_on() {
    let carrier = start_carrier(settings());
    let twiml = "<Response><Gather action=\"http://localhost:9/\"/><Say>We did not hear you.</Say></Response>";
    let sid = carrier.call(&[("Twiml", twiml)]).await;
    let (_, call) = carrier.press(&sid, "#").await;
    assert_eq!((&call["status"], &call["text"]), (&json!("completed"), &json!("We did not hear you.")));
}

#[tokio::test]
async fn silence_goes_on_to_the_next_verb() {
    let customer = start_recorder(|_| (204, String::new()));
    let carrier = start_carrier(CarrierSettings { patience: Duration::ZERO, ..settings() });
    let twiml = "<Response><Gather timeout=\"0\"/><Say>We did not hear you.</Say></Response>";
    let sid = carrier.call(&[("Twiml", twiml), ("StatusCallback", &customer.url("/status"))]).await;
    carrier.post(&format!("/api/calls/{sid}/answer"), &json!({})).await;
    assert_eq!(customer.next().await.form["CallStatus"], "completed");
    assert_eq!(state(&carrier).await.1, "We did not hear you.");
}

#[tokio::test]
async fn digits_collect_until_enough_or_the_finishing_key() {
    let customer = start_recorder(|request| match request.path.as_str() {
        "/voice" => (200, "<Response><Gather numDigits=\"4\" action=\"first\"/></Response>".into()),
        "/first" => (200, "<Response><Gather action=\"second\" method=\"get\"/></Response>".into()),
        _ => (200, THANKS.into()),
    });
    let carrier = start_carrier(settings());
    let sid = carrier.call(&[("Url", &customer.url("/voice")), ("Method", "GET")]).await;
    let (_, call) = carrier.press(&sid, "12").await;
    assert_eq!(call["status"], "in-progress");
    carrier.press(&sid, "34").await;
    carrier.press(&sid, "56#").await;
    let asked = customer.next().await;
    assert_eq!((asked.method.as_str(), asked.form.len()), ("GET", 0));
    assert!(asked.url.contains(&format!("CallSid={sid}")));
    check_signature(asked);
    assert_eq!(customer.next().await.form["Digits"], "1234");
    let second = customer.next().await;
    assert!(second.method == "GET" && second.url.contains("Digits=56&"), "{}", second.url);
    check_signature(second);
    assert_eq!(state(&carrier).await.0, "completed");
}

#[tokio::test]
async fn a_redirect_is_followed_but_not_for_ever() {
    let customer = start_recorder(|_| (200, "<Response><Say>Again</Say><Redirect>/voice</Redirect></Response>".into()));
    let carrier = start_carrier(settings());
    let sid = carrier.call(&[("Url", &customer.url("/voice"))]).await;
    let (_, call) = carrier.press(&sid, "1").await;
    assert_eq!(call["status"], "failed");
    assert_eq!(call["text"].as_str().unwrap().lines().filter(|line| *line == "Again").count(), 20);
}

#[tokio::test]
async fn a_customer_that_fails_fails_the_call_and_the_inbox_says_why() {
    let customer = start_recorder(|request| match request.path.as_str() {
        "/broken" => (500, String::new()),
        _ => (200, "<Response><Dial>+12025550100</Dial></Response>".into()),
    });
    let carrier = start_carrier(settings());
    let nobody = "http://127.0.0.1:1/voice?secret=1".to_owned();
    for (url, reason) in
        [(customer.url("/broken?secret=1"), "answered 500"), (customer.url("/odd"), "<Dial>"), (nobody, "refused")]
    {
        let sid = carrier.call(&[("Url", &url)]).await;
        let (_, call) = carrier.press(&sid, "1").await;
        let text = call["text"].as_str().unwrap();
        assert!(call["status"] == "failed" && text.contains(reason) && !text.contains("secret"), "{call}");
    }
}

#[tokio::test]
async fn emptying_the_inbox_ends_the_calls() {
    let customer = start_recorder(|_| (204, String::new()));
    let carrier = start_carrier(settings());
    let sid = carrier.call(&[("Twiml", THANKS), ("StatusCallback", &customer.url("/status"))]).await;
    carrier.http.delete(carrier.url("/api/messages")).send().await.unwrap();
    assert_eq!(customer.next().await.form["CallStatus"], "busy");
    assert_eq!(carrier.press(&sid, "#").await.0, 404);
}
