use std::time::Duration;

use secrecy::SecretString;

use super::*;
use crate::test_servers::{Answer, Transcript, capture_log, http, identity};
use crate::{HttpClient, HttpSettings};

const NOW: Timestamp = Timestamp::from_secs(1_795_312_800);

fn settings(port: u16) -> TwilioSettings {
    TwilioSettings {
        base_url: format!("http://127.0.0.1:{port}").parse().unwrap(),
        account_sid: "AC0123456789abcdef".to_owned(),
        auth_token: "kingfisher".into(),
        from: "+12025550100".to_owned(),
        timeout: Duration::from_secs(20),
    }
}

fn client() -> HttpClient {
    HttpClient::new(&HttpSettings { allow_private: true, ..HttpSettings::default() }).unwrap()
}

fn carrier(settings: TwilioSettings) -> Twilio {
    Twilio::new(settings, client()).unwrap()
}

fn text() -> Text {
    Text {
        id: "0190a1b2-0000-7000-8000-000000000001".parse().unwrap(),
        to: "+12025553661".to_owned(),
        body: "914026 is your code & more.\n@localhost #914026".to_owned(),
        status_callback: None,
    }
}

fn call() -> Call {
    Call {
        id: text().id,
        to: text().to,
        twiml_url: "http://localhost:8080/voice/abc".parse().unwrap(),
        status_callback: Some("http://localhost:8080/carrier/status?node=1".parse().unwrap()),
    }
}

fn created() -> Answer {
    Answer::Status(201, r#"{"sid":"SM1234","status":"queued","code":null}"#.to_owned())
}

async fn send_to(answer: Answer) -> (Result<Option<String>, SendError>, Transcript) {
    let (port, transcript) = http(answer, None).await;
    (carrier(settings(port)).send_text(&text(), NOW).await, transcript)
}

#[tokio::test]
async fn a_text_is_posted_as_twilio_documents_it() {
    let (result, transcript) = send_to(created()).await;
    assert_eq!(result, Ok(Some("SM1234".to_owned())));
    let lines = transcript.lines();
    assert_eq!(lines[0], "POST /2010-04-01/Accounts/AC0123456789abcdef/Messages.json HTTP/1.1");
    assert!(lines.contains(&"authorization: Basic QUMwMTIzNDU2Nzg5YWJjZGVmOmtpbmdmaXNoZXI=".to_owned()), "{lines:?}");
    assert_eq!(
        lines.last().unwrap(),
        "From=%2B12025550100&To=%2B12025553661&Body=914026+is+your+code+%26+more.%0A%40localhost+%23914026"
    );
}

#[tokio::test]
async fn a_call_names_where_its_words_are() {
    let (port, transcript) = http(created(), None).await;
    let base_url = format!("http://127.0.0.1:{port}/carrier/").parse().unwrap();
    let carrier = carrier(TwilioSettings { base_url, ..settings(port) });
    carrier.place_call(&call(), NOW).await.unwrap();
    let lines = transcript.lines();
    assert_eq!(lines[0], "POST /carrier/2010-04-01/Accounts/AC0123456789abcdef/Calls.json HTTP/1.1");
    assert_eq!(
        lines.last().unwrap(),
        "From=%2B12025550100&To=%2B12025553661&Url=http%3A%2F%2Flocalhost%3A8080%2Fvoice%2Fabc&Method=POST\
         &StatusCallback=http%3A%2F%2Flocalhost%3A8080%2Fcarrier%2Fstatus%3Fnode%3D1&StatusCallbackMethod=POST"
    );
}

#[tokio::test]
async fn a_messaging_service_may_be_the_sender() {
    let (port, transcript) = http(created(), None).await;
    let carrier = carrier(TwilioSettings { from: "MG42".to_owned(), ..settings(port) });
    carrier.send_text(&text(), NOW).await.unwrap();
    assert!(transcript.lines().last().unwrap().starts_with("MessagingServiceSid=MG42&"));
}

#[tokio::test]
async fn refusals_keep_twilios_code_and_nothing_of_its_words() {
    let body = r#"{"code":21211,"message":"'To' number +12025553661 is not valid","status":400}"#;
    let (result, _) = send_to(Answer::Status(400, body.to_owned())).await;
    assert_eq!(result, Err(SendError::Permanent("HTTP 400, error 21211".to_owned())));
    let (result, _) = send_to(Answer::Status(401, "<html>no</html>".to_owned())).await;
    assert_eq!(result, Err(SendError::Permanent("HTTP 401".to_owned())));
    for (status, detail) in
        [(429, "HTTP 429, error 20429"), (500, "HTTP 500, error 20429"), (503, "HTTP 503, error 20429")]
    {
        let (result, _) = send_to(Answer::Status(status, r#"{"code":20429}"#.to_owned())).await;
        assert_eq!(result, Err(SendError::Temporary(detail.to_owned())));
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let (result, transcript) = send_to(Answer::Status(307, String::new())).await;
    assert_eq!(result, Err(SendError::Permanent("HTTP 307".to_owned())));
    assert_eq!(transcript.lines().iter().filter(|line| line.starts_with("POST")).count(), 1);
}

#[tokio::test]
async fn a_long_or_broken_answer_is_cut_off() {
    let endless = format!("{{\"sid\":\"SM1\",\"x\":\"{}\"}}", "x".repeat(crate::http::MAX_RESPONSE));
    for body in [endless, "{".to_owned(), r#"{"sid":"not\na sid"}"#.to_owned()] {
        let (result, _) = send_to(Answer::Status(201, body)).await;
        assert_eq!(result, Ok(None));
    }
}

#[tokio::test]
async fn a_carrier_that_is_not_there_is_temporary() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let error = carrier(settings(port)).send_text(&text(), NOW).await.unwrap_err();
    assert_eq!(error, SendError::Temporary("no connection to the carrier".to_owned()));
}

#[tokio::test]
async fn a_lost_answer_is_uncertain() {
    let (port, _) = http(Answer::Hang, None).await;
    let carrier = carrier(TwilioSettings { timeout: Duration::from_millis(200), ..settings(port) });
    let error = carrier.send_text(&text(), NOW).await.unwrap_err();
    assert_eq!(error, SendError::Uncertain("time limit reached".to_owned()));
    let (result, _) = send_to(Answer::Close).await;
    assert_eq!(result, Err(SendError::Uncertain("the carrier broke off".to_owned())));
}

#[tokio::test]
async fn https_trusts_the_ca_file_and_no_stranger() {
    let identity = identity();
    let (port, _) = http(created(), Some(&identity)).await;
    let settings =
        || TwilioSettings { base_url: format!("https://localhost:{port}").parse().unwrap(), ..settings(port) };
    let ca_file = Some(identity.ca_file.clone());
    let with_ca = HttpSettings { ca_file, allow_private: true, ..HttpSettings::default() };
    let trusting = Twilio::new(settings(), HttpClient::new(&with_ca).unwrap()).unwrap();
    assert!(trusting.send_text(&text(), NOW).await.is_ok());
    let error = carrier(settings()).send_text(&text(), NOW).await.unwrap_err();
    assert_eq!(error, SendError::Temporary("no connection to the carrier".to_owned()));
}

#[tokio::test]
async fn nothing_is_asked_for_a_number_that_is_none() {
    let (port, transcript) = http(created(), None).await;
    for to in ["12025553661", "+1 202 555 3661", "+1202555", "+02025553661", "", "+1234567890123456", "+1202555366x"] {
        let result = carrier(settings(port)).send_text(&Text { to: to.to_owned(), ..text() }, NOW).await;
        assert!(matches!(result, Err(SendError::Permanent(_))), "{to:?}");
    }
    for body in [String::new(), "x".repeat(MAX_TEXT + 1)] {
        assert!(carrier(settings(port)).send_text(&Text { body, ..text() }, NOW).await.is_err());
    }
    assert_eq!(transcript.text(), "");
}

#[tokio::test]
async fn neither_log_nor_debug_holds_number_code_or_token() {
    let (_guard, log) = capture_log();
    let (port, _) = http(created(), None).await;
    let carrier = carrier(settings(port));
    carrier.send_text(&text(), NOW).await.unwrap();
    let log = String::from_utf8(log.lock().unwrap().clone()).unwrap();
    let all = format!("{log} {carrier:?} {:?} {:?}", text(), call());
    assert!(all.contains("+1******3661") && log.contains("carrier answered"), "{all}");
    for secret in ["2025553661", "2025550100", "914026", "kingfisher", "QUMwMTIz"] {
        assert!(!all.contains(secret), "{secret} in {all}");
    }
}

#[test]
fn impossible_settings_are_refused() {
    let http = client();
    for settings in [
        TwilioSettings { base_url: "ftp://carrier.test".parse().unwrap(), ..settings(1) },
        TwilioSettings { base_url: "mailto:carrier@test".parse().unwrap(), ..settings(1) },
        TwilioSettings { base_url: "http://carrier.test".parse().unwrap(), ..settings(1) },
        TwilioSettings { base_url: "https://169.254.169.254".parse().unwrap(), ..settings(1) },
        TwilioSettings { auth_token: "".into(), ..settings(1) },
        TwilioSettings { account_sid: "AC/../x".to_owned(), ..settings(1) },
        TwilioSettings { account_sid: String::new(), ..settings(1) },
        TwilioSettings { from: "portal".to_owned(), ..settings(1) },
    ] {
        assert!(Twilio::new(settings, http.clone()).is_err());
    }
}

#[tokio::test]
async fn a_private_address_is_not_called_unless_allowed() {
    let identity = identity();
    let (port, transcript) = http(created(), Some(&identity)).await;
    let base_url: Url = format!("https://localhost:{port}").parse().unwrap();
    let ca_file = Some(identity.ca_file.clone());
    let guarded = HttpClient::new(&HttpSettings { ca_file, ..HttpSettings::default() }).unwrap();
    let carrier = Twilio::new(TwilioSettings { base_url, ..settings(port) }, guarded.clone()).unwrap();
    let error = carrier.send_text(&text(), NOW).await.unwrap_err();
    assert_eq!(error, SendError::Permanent("the carrier's address is not public".to_owned()));
    let base_url = format!("https://127.0.0.1:{port}").parse().unwrap();
    assert!(Twilio::new(TwilioSettings { base_url, ..settings(port) }, guarded).is_err());
    assert_eq!(transcript.text(), "");
}

fn courier(port: u16) -> WebhookCourier {
    let settings = WebhookCourierSettings {
        url: format!("http://127.0.0.1:{port}/send").parse().unwrap(),
        secret: "heron-and-kingfisher".into(),
        from: Some("Case Portal".to_owned()),
        timeout: Duration::from_secs(20),
    };
    WebhookCourier::new(settings, client()).unwrap()
}

/// The body that was posted, once its signature has been found genuine.
fn signed_body(transcript: &Transcript) -> serde_json::Value {
    let lines = transcript.lines();
    let body = lines.last().unwrap();
    let header = lines.iter().rev().find_map(|line| line.strip_prefix("countersign-signature: ")).unwrap();
    let secret: SecretString = "heron-and-kingfisher".into();
    assert!(crate::webhook::signature::check(&secret, body.as_bytes(), header, NOW), "{header}");
    serde_json::from_str(body).unwrap()
}

#[tokio::test]
async fn another_courier_takes_signed_json() {
    let (port, transcript) = http(Answer::Status(202, r#"{"reference":"abc-1"}"#.to_owned()), None).await;
    assert_eq!(courier(port).send_text(&text(), NOW).await, Ok(Some("abc-1".to_owned())));
    assert_eq!(transcript.lines()[0], "POST /send HTTP/1.1");
    let expected = serde_json::json!({
        "channel": "sms", "to": "+12025553661", "from": "Case Portal", "text": text().body,
        "reference": "0190a1b2-0000-7000-8000-000000000001",
    });
    assert_eq!(signed_body(&transcript), expected);
    courier(port).place_call(&call(), NOW).await.unwrap();
    let expected = serde_json::json!({
        "channel": "voice", "to": "+12025553661", "from": "Case Portal",
        "voice": { "url": "http://localhost:8080/voice/abc" },
        "reference": "0190a1b2-0000-7000-8000-000000000001",
        "status_callback": "http://localhost:8080/carrier/status?node=1",
    });
    assert_eq!(signed_body(&transcript), expected);
}

#[tokio::test]
async fn another_couriers_failures_are_classified_alike() {
    let by_status =
        async |status| courier(http(Answer::Status(status, String::new()), None).await.0).send_text(&text(), NOW).await;
    assert_eq!(by_status(204).await, Ok(None));
    assert_eq!(by_status(400).await, Err(SendError::Permanent("HTTP 400".to_owned())));
    assert_eq!(by_status(503).await, Err(SendError::Temporary("HTTP 503".to_owned())));
    let (port, _) = http(Answer::Close, None).await;
    let lost = courier(port).place_call(&call(), NOW).await;
    assert_eq!(lost, Err(SendError::Uncertain("the carrier broke off".to_owned())));
}

/// A carrier called `first` that answers as told, and one called `second` that takes everything.
async fn two_carriers(first: Answer) -> (Carriers, Transcript, Transcript) {
    let (port, first_seen) = http(first, None).await;
    let (second_port, second_seen) = http(Answer::Status(200, r#"{"reference":"two"}"#.to_owned()), None).await;
    let carriers = Carriers::new(vec![
        ("first".to_owned(), Box::new(carrier(settings(port)))),
        ("second".to_owned(), Box::new(courier(second_port))),
    ]);
    (carriers, first_seen, second_seen)
}

#[tokio::test]
async fn the_first_carrier_is_preferred() {
    let (carriers, _, second) = two_carriers(created()).await;
    let receipt = Receipt { carrier: "first".to_owned(), reference: Some("SM1234".to_owned()) };
    assert_eq!(carriers.send_text(&text(), NOW).await, Ok(receipt));
    assert_eq!(second.text(), "");
}

#[tokio::test]
async fn what_one_carrier_refuses_goes_to_the_next() {
    for status in [400, 503] {
        let (carriers, _, second) = two_carriers(Answer::Status(status, String::new())).await;
        let receipt = Receipt { carrier: "second".to_owned(), reference: Some("two".to_owned()) };
        assert_eq!(carriers.send_text(&text(), NOW).await, Ok(receipt.clone()), "{status}");
        assert_eq!(carriers.place_call(&call(), NOW).await, Ok(receipt), "{status}");
        assert_eq!(second.count("POST /send HTTP/1.1"), 2);
    }
}

#[tokio::test]
async fn an_uncertain_outcome_is_never_tried_elsewhere() {
    let (carriers, first, second) = two_carriers(Answer::Close).await;
    let error = SendError::Uncertain("first: the carrier broke off".to_owned());
    assert_eq!(carriers.send_text(&text(), NOW).await, Err(error.clone()));
    assert_eq!(carriers.place_call(&call(), NOW).await, Err(error));
    assert!(!first.text().is_empty() && second.text().is_empty());
}

#[tokio::test]
async fn when_all_carriers_refuse_one_that_may_recover_makes_it_temporary() {
    let refuse_both = async |one, two| {
        let mut carriers = Vec::new();
        for (name, status) in [("one", one), ("two", two)] {
            let (port, _) = http(Answer::Status(status, String::new()), None).await;
            carriers.push((name.to_owned(), Box::new(courier(port)) as Box<dyn Courier>));
        }
        Carriers::new(carriers).send_text(&text(), NOW).await.unwrap_err()
    };
    assert_eq!(refuse_both(503, 400).await, SendError::Temporary("one: HTTP 503; two: HTTP 400".to_owned()));
    assert_eq!(refuse_both(400, 404).await, SendError::Permanent("one: HTTP 400; two: HTTP 404".to_owned()));
    let nobody = Carriers::default().send_text(&text(), NOW).await;
    assert_eq!(nobody, Err(SendError::Permanent("no carrier".to_owned())));
}

#[test]
fn a_callback_is_genuine_if_one_of_the_carriers_signed_it() {
    let carriers = Carriers::new(vec![
        ("one".to_owned(), Box::new(carrier(settings(1)))),
        ("two".to_owned(), Box::new(courier(2))),
    ]);
    let params = vec![("CallStatus".to_owned(), "completed".to_owned())];
    let url = "https://login.test/telephone/status/abc".to_owned();
    let body = b"CallStatus=completed".to_vec();
    let bare = Callback { url, params, body, twilio_signature: None, countersign_signature: None };
    let twilio = |token: &str| Some(signature::sign(&token.into(), &bare.url, &bare.params));
    let ours = |secret: &str| Some(crate::webhook::signature::sign(&secret.into(), &bare.body, NOW));
    let genuine = |callback: Callback| carriers.is_genuine(&callback, NOW);
    assert!(genuine(Callback { twilio_signature: twilio("kingfisher"), ..bare.clone() }));
    assert!(genuine(Callback { countersign_signature: ours("heron-and-kingfisher"), ..bare.clone() }));
    assert!(!genuine(bare.clone()));
    assert!(!genuine(Callback { twilio_signature: twilio("heron-and-kingfisher"), ..bare.clone() }));
    assert!(!genuine(Callback { countersign_signature: ours("another secret of it"), ..bare.clone() }));
    let late = Callback { countersign_signature: ours("heron-and-kingfisher"), ..bare };
    assert!(!carriers.is_genuine(&late, Timestamp::from_secs(NOW.as_secs() + 301)));
}
