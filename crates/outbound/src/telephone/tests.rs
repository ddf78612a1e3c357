use super::*;
use crate::HttpSettings;
use crate::test_servers::{Answer, Transcript, capture_log, http, identity};

fn settings(port: u16) -> CarrierSettings {
    CarrierSettings {
        base_url: format!("http://127.0.0.1:{port}").parse().unwrap(),
        account_sid: "AC0123456789abcdef".to_owned(),
        auth_token: "kingfisher".into(),
        from: "+12025550100".to_owned(),
        timeout: Duration::from_secs(20),
        status_callback: None,
    }
}

fn carrier(settings: CarrierSettings) -> Carrier {
    Carrier::new(settings, HttpClient::new(&HttpSettings::default()).unwrap()).unwrap()
}

fn text() -> Text {
    Text {
        id: "0190a1b2-0000-7000-8000-000000000001".parse().unwrap(),
        to: "+12025553661".to_owned(),
        body: "914026 is your code & more.\n@localhost #914026".to_owned(),
    }
}

fn created() -> Answer {
    Answer::Status(201, r#"{"sid":"SM1234","status":"queued","code":null}"#.to_owned())
}

async fn send_to(answer: Answer) -> (Result<Receipt, SendError>, Transcript) {
    let (port, transcript) = http(answer, None).await;
    (carrier(settings(port)).send_text(&text()).await, transcript)
}

#[tokio::test]
async fn a_text_is_posted_as_twilio_documents_it() {
    let (result, transcript) = send_to(created()).await;
    assert_eq!(result, Ok(Receipt { sid: Some("SM1234".to_owned()) }));
    let lines = transcript.lines();
    assert_eq!(lines[0], "POST /2010-04-01/Accounts/AC0123456789abcdef/Messages.json HTTP/1.1");
    assert!(lines.contains(&"authorization: Basic QUMwMTIzNDU2Nzg5YWJjZGVmOmtpbmdmaXNoZXI=".to_owned()), "{lines:?}");
    assert_eq!(
        lines.last().unwrap(),
        "From=%2B12025550100&Body=914026+is+your+code+%26+more.%0A%40localhost+%23914026&To=%2B12025553661"
    );
}

#[tokio::test]
async fn a_call_names_where_its_words_are() {
    let (port, transcript) = http(created(), None).await;
    let status_callback = Some("http://localhost:8080/carrier/status?node=1".parse().unwrap());
    let base_url = format!("http://127.0.0.1:{port}/carrier/").parse().unwrap();
    let carrier = carrier(CarrierSettings { base_url, status_callback, ..settings(port) });
    let twiml_url = "http://localhost:8080/voice/abc".parse().unwrap();
    carrier.place_call(&Call { id: text().id, to: text().to, twiml_url }).await.unwrap();
    let lines = transcript.lines();
    assert_eq!(lines[0], "POST /carrier/2010-04-01/Accounts/AC0123456789abcdef/Calls.json HTTP/1.1");
    assert_eq!(
        lines.last().unwrap(),
        "From=%2B12025550100&Url=http%3A%2F%2Flocalhost%3A8080%2Fvoice%2Fabc&Method=POST&To=%2B12025553661\
         &StatusCallback=http%3A%2F%2Flocalhost%3A8080%2Fcarrier%2Fstatus%3Fnode%3D1%26id%3D\
         0190a1b2-0000-7000-8000-000000000001"
    );
}

#[tokio::test]
async fn a_messaging_service_may_be_the_sender() {
    let (port, transcript) = http(created(), None).await;
    let carrier = carrier(CarrierSettings { from: "MG42".to_owned(), ..settings(port) });
    carrier.send_text(&text()).await.unwrap();
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
        assert_eq!(result, Ok(Receipt { sid: None }));
    }
}

#[tokio::test]
async fn a_carrier_that_is_not_there_is_temporary() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let error = carrier(settings(port)).send_text(&text()).await.unwrap_err();
    assert_eq!(error, SendError::Temporary("no connection to the carrier".to_owned()));
}

#[tokio::test]
async fn a_lost_answer_is_uncertain() {
    let (port, _) = http(Answer::Hang, None).await;
    let carrier = carrier(CarrierSettings { timeout: Duration::from_millis(200), ..settings(port) });
    let error = carrier.send_text(&text()).await.unwrap_err();
    assert_eq!(error, SendError::Uncertain("time limit reached".to_owned()));
    let (result, _) = send_to(Answer::Close).await;
    assert_eq!(result, Err(SendError::Uncertain("the carrier broke off".to_owned())));
}

#[tokio::test]
async fn https_trusts_the_ca_file_and_no_stranger() {
    let identity = identity();
    let (port, _) = http(created(), Some(&identity)).await;
    let settings =
        || CarrierSettings { base_url: format!("https://localhost:{port}").parse().unwrap(), ..settings(port) };
    let with_ca = HttpSettings { ca_file: Some(identity.ca_file.clone()), ..HttpSettings::default() };
    let trusting = Carrier::new(settings(), HttpClient::new(&with_ca).unwrap()).unwrap();
    assert!(trusting.send_text(&text()).await.is_ok());
    let error = carrier(settings()).send_text(&text()).await.unwrap_err();
    assert_eq!(error, SendError::Temporary("no connection to the carrier".to_owned()));
}

#[tokio::test]
async fn nothing_is_asked_for_a_number_that_is_none() {
    let (port, transcript) = http(created(), None).await;
    for to in ["12025553661", "+1 202 555 3661", "+1202555", "+02025553661", "", "+1234567890123456", "+1202555366x"] {
        let result = carrier(settings(port)).send_text(&Text { to: to.to_owned(), ..text() }).await;
        assert!(matches!(result, Err(SendError::Permanent(_))), "{to:?}");
    }
    for body in [String::new(), "x".repeat(MAX_TEXT + 1)] {
        assert!(carrier(settings(port)).send_text(&Text { body, ..text() }).await.is_err());
    }
    assert_eq!(transcript.text(), "");
}

#[tokio::test]
async fn neither_log_nor_debug_holds_number_code_or_token() {
    let (_guard, log) = capture_log();
    let (port, _) = http(created(), None).await;
    let carrier = carrier(settings(port));
    carrier.send_text(&text()).await.unwrap();
    let log = String::from_utf8(log.lock().unwrap().clone()).unwrap();
    let all = format!("{log} {carrier:?} {:?}", text());
    assert!(all.contains("+1******3661") && log.contains("carrier answered"), "{all}");
    for secret in ["2025553661", "2025550100", "914026", "kingfisher", "QUMwMTIz"] {
        assert!(!all.contains(secret), "{secret} in {all}");
    }
}

#[test]
fn impossible_settings_are_refused() {
    let http = HttpClient::new(&HttpSettings::default()).unwrap();
    for settings in [
        CarrierSettings { base_url: "ftp://carrier.test".parse().unwrap(), ..settings(1) },
        CarrierSettings { base_url: "mailto:carrier@test".parse().unwrap(), ..settings(1) },
        CarrierSettings { account_sid: "AC/../x".to_owned(), ..settings(1) },
        CarrierSettings { account_sid: String::new(), ..settings(1) },
        CarrierSettings { from: "portal".to_owned(), ..settings(1) },
    ] {
        assert!(Carrier::new(settings, http.clone()).is_err());
    }
}
