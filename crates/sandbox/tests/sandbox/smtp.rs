//! Mail by raw SMTP and by the product's library.

use crate::support::{Carrier, settings, start_carrier};
use lettre::message::MultiPart;
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use serde_json::json;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufStream};
use tokio::net::TcpStream;

struct Dialog(BufStream<TcpStream>);

impl Dialog {
    async fn open(carrier: &Carrier) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", carrier.addresses.smtp_port)).await.unwrap();
        let mut dialog = Self(BufStream::new(stream));
        assert!(dialog.reply().await.starts_with("220 "));
        dialog
    }

    async fn write(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.unwrap();
        self.0.flush().await.unwrap();
    }

    /// The last line of a reply.
    async fn reply(&mut self) -> String {
        loop {
            let mut line = String::new();
            let read = tokio::time::timeout(Duration::from_secs(20), self.0.read_line(&mut line)).await;
            assert_ne!(read.expect("no reply").unwrap(), 0, "closed");
            if line.as_bytes()[3] == b' ' {
                return line;
            }
        }
    }

    async fn say(&mut self, line: &str) -> String {
        self.write(format!("{line}\r\n").as_bytes()).await;
        self.reply().await
    }

    async fn expect(&mut self, line: &str, code: &str) {
        let reply = self.say(line).await;
        assert!(reply.starts_with(code), "{line}: {reply}");
    }

    async fn begin_mail(&mut self) {
        self.expect("EHLO client.example.com", "250").await;
        self.expect("MAIL FROM:<portal@example.com>", "250").await;
        self.expect("RCPT TO:<DDuck@example.com>", "250").await;
        self.expect("DATA", "354").await;
    }
}

#[tokio::test]
async fn a_dialog_files_the_mail_once_per_recipient() {
    let carrier = start_carrier(settings());
    let mut dialog = Dialog::open(&carrier).await;
    dialog.expect("EHLO client.example.com", "250").await;
    dialog.expect("MAIL FROM:<portal@example.com> SIZE=100 BODY=8BITMIME", "250").await;
    dialog.expect("RCPT TO:<dduck@example.com>", "250").await;
    dialog.expect("RCPT TO:<second@example.com>", "250").await;
    dialog.expect("DATA", "354").await;
    dialog.write(b"Subject: Hello\r\n\r\nline one\r\n..stuffed\r\n").await;
    dialog.expect(".", "250").await;
    dialog.expect("QUIT", "221").await;
    let messages = carrier.messages("").await;
    assert_eq!(messages.len(), 2);
    let mail = &carrier.messages("?to=DDUCK@example.com").await[0];
    assert_eq!(mail["channel"], "email");
    assert_eq!(mail["to"], "dduck@example.com");
    assert_eq!(mail["from"], "portal@example.com");
    assert_eq!(mail["subject"], "Hello");
    assert_eq!(mail["text"].as_str().unwrap().trim_end(), "line one\r\n.stuffed");
    assert_eq!(mail["status"], "received");
    assert!(mail["html"].is_null());
}

#[tokio::test]
async fn a_pipelined_dialog_is_answered_in_order() {
    let carrier = start_carrier(settings());
    let mut dialog = Dialog::open(&carrier).await;
    dialog.write(b"EHLO x\r\nMAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.com>\r\nRCPT TO:<>\r\nDATA\r\n").await;
    for code in ["250", "250", "250", "501", "354"] {
        let reply = dialog.reply().await;
        assert!(reply.starts_with(code), "wanted {code}: {reply}");
    }
    dialog.write(b"\r\nfirst\r\n.\r\nMAIL FROM:<a@example.com>\r\nRCPT TO:<c@example.com>\r\nDATA\r\n").await;
    for code in ["250", "250", "250", "354"] {
        let reply = dialog.reply().await;
        assert!(reply.starts_with(code), "wanted {code}: {reply}");
    }
    dialog.write(b".\r\nQUIT\r\n").await;
    assert!(dialog.reply().await.starts_with("250"));
    assert!(dialog.reply().await.starts_with("221"));
    assert_eq!(carrier.messages("?to=b@example.com").await[0]["text"].as_str().unwrap().trim_end(), "first");
    assert_eq!(carrier.messages("?to=c@example.com").await[0]["text"], "");
}

#[tokio::test]
async fn a_mail_in_single_bytes_is_the_same_mail() {
    let carrier = start_carrier(settings());
    let mut dialog = Dialog::open(&carrier).await;
    dialog.begin_mail().await;
    for byte in b"Subject: Slow\r\n\r\na\r\n..b\r\n.c\r\n.\r\n" {
        dialog.write(&[*byte]).await;
    }
    assert!(dialog.reply().await.starts_with("250"));
    assert_eq!(carrier.only_message().await["text"].as_str().unwrap().trim_end(), "a\r\n.b\r\nc");
}

#[tokio::test]
async fn a_line_feed_alone_does_not_end_a_mail() {
    let carrier = start_carrier(settings());
    let mut dialog = Dialog::open(&carrier).await;
    dialog.begin_mail().await;
    dialog.write(b"\r\nbefore\n.\nMAIL FROM:<evil@example.com>\n.\r\n after\r\n.\r\n").await;
    assert!(dialog.reply().await.starts_with("250"));
    dialog.expect("NOOP", "250").await;
    assert!(carrier.only_message().await["text"].as_str().unwrap().contains("after"));
}

#[tokio::test]
async fn data_without_recipient_is_refused() {
    let carrier = start_carrier(settings());
    let mut dialog = Dialog::open(&carrier).await;
    dialog.expect("HELO x", "250").await;
    dialog.expect("DATA", "503").await;
    dialog.expect("MAIL FROM:<a@example.com>", "250").await;
    dialog.expect("DATA", "554").await;
    assert!(carrier.messages("").await.is_empty());
}

#[tokio::test]
async fn an_overlong_line_is_refused_and_the_next_is_heard() {
    let carrier = start_carrier(settings());
    let mut dialog = Dialog::open(&carrier).await;
    let long = format!("NOOP {}", "x".repeat(300_000));
    dialog.expect(&long, "500").await;
    dialog.expect("NOOP", "250").await;
}

#[tokio::test]
async fn a_mail_past_the_limit_is_refused_and_the_next_is_filed() {
    let carrier = start_carrier(settings());
    let mut dialog = Dialog::open(&carrier).await;
    dialog.begin_mail().await;
    let line = format!("{}\r\n", "x".repeat(998));
    for _ in 0..2_200 {
        dialog.0.write_all(line.as_bytes()).await.unwrap();
    }
    dialog.expect(".", "552").await;
    assert!(carrier.messages("").await.is_empty());
    dialog.begin_mail().await;
    dialog.write(b"\r\nshort\r\n").await;
    dialog.expect(".", "250").await;
    assert_eq!(carrier.only_message().await["text"].as_str().unwrap().trim_end(), "short");
}

#[tokio::test]
async fn rubbish_ends_the_connection_after_some_patience() {
    let carrier = start_carrier(settings());
    let mut dialog = Dialog::open(&carrier).await;
    let mut rubbish = vec![0xff, 0x00];
    rubbish.extend(b"\r\n".repeat(30));
    dialog.write(&rubbish).await;
    let mut all = String::new();
    tokio::time::timeout(Duration::from_secs(20), dialog.0.read_to_string(&mut all)).await.unwrap().unwrap();
    assert!(all.trim_end().lines().next_back().unwrap().starts_with("421"), "{all}");
}

#[tokio::test]
async fn the_library_of_the_product_sends() {
    let carrier = start_carrier(settings());
    let transport =
        AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous("localhost").port(carrier.addresses.smtp_port).build();
    let mail = lettre::Message::builder()
        .from("Acentra Health <donotreply@example.com>".parse().unwrap())
        .to("dduck@example.com".parse().unwrap())
        .subject("Vérification")
        .multipart(MultiPart::alternative_plain_html(
            "Code: 123456".to_owned(),
            "<p>Code: <b>123456</b></p>".to_owned(),
        ))
        .unwrap();
    transport.send(mail).await.unwrap();
    let mail = carrier.only_message().await;
    assert_eq!(mail["from"], "donotreply@example.com");
    assert_eq!(mail["subject"], "Vérification");
    assert_eq!(mail["text"].as_str().unwrap().trim_end(), "Code: 123456");
    assert_eq!(mail["html"].as_str().unwrap().trim_end(), "<p>Code: <b>123456</b></p>");
}

#[tokio::test]
async fn faults_show_at_the_recipient() {
    let carrier = start_carrier(settings());
    let mut dialog = Dialog::open(&carrier).await;
    dialog.expect("EHLO x", "250").await;
    dialog.expect("MAIL FROM:<a@example.com>", "250").await;
    for (fault, code) in [("refuse", "550"), ("temporary", "451"), ("ok", "250")] {
        assert_eq!(carrier.post("/api/faults", &json!({ "smtp": fault })).await.0, 200);
        dialog.expect("RCPT TO:<b@example.com>", code).await;
    }
}

#[tokio::test]
async fn a_slow_carrier_answers_late_and_others_are_served_meanwhile() {
    let carrier = start_carrier(countersign_sandbox::CarrierSettings { slow: Duration::from_hours(1), ..settings() });
    let (mut slow, mut other) = (Dialog::open(&carrier).await, Dialog::open(&carrier).await);
    carrier.post("/api/faults", &json!({ "smtp": "slow" })).await;
    slow.expect("EHLO x", "250").await;
    slow.expect("MAIL FROM:<a@example.com>", "250").await;
    slow.write(b"RCPT TO:<b@example.com>\r\n").await;
    other.expect("NOOP", "250").await;
    assert!(tokio::time::timeout(Duration::from_millis(300), slow.reply()).await.is_err());
}

#[tokio::test]
async fn a_slow_carrier_answers_as_usual_in_the_end() {
    let carrier = start_carrier(countersign_sandbox::CarrierSettings { slow: Duration::from_millis(20), ..settings() });
    carrier.post("/api/faults", &json!({ "smtp": "slow" })).await;
    let mut dialog = Dialog::open(&carrier).await;
    dialog.begin_mail().await;
}
