use super::*;
use crate::test_servers::{Reply, Script, Transcript, accept_all, capture_log, identity, smtp};

const BODY: &str = "Your verification code is 914026";

fn settings(port: u16) -> MailSettings {
    MailSettings {
        host: "localhost".to_owned(),
        port,
        tls: Tls::None,
        username: None,
        password: None,
        pool_size: 2,
        timeout: Duration::from_secs(20),
        from: Sender { address: "no-reply@portal.example".to_owned(), name: Some("Case Portal".to_owned()) },
        ca_file: None,
        dkim: Vec::new(),
    }
}

fn mail() -> Mail {
    Mail {
        id: "0190a1b2-0000-7000-8000-000000000001".parse().unwrap(),
        from: None,
        reply_to: None,
        to: "dduck@example.com".to_owned(),
        subject: "Verification Code".to_owned(),
        text: BODY.to_owned(),
        html: format!("<p>{BODY}</p>"),
        locale: "en-US".to_owned(),
    }
}

async fn send_to(script: Script, timeout: Duration) -> (Result<(), SendError>, Transcript) {
    let (port, transcript) = smtp(script, None).await;
    let mailer = Mailer::new(MailSettings { timeout, ..settings(port) }).unwrap();
    (mailer.send(&mail()).await, transcript)
}

async fn refuse(script: Script) -> SendError {
    send_to(script, Duration::from_secs(20)).await.0.unwrap_err()
}

#[tokio::test]
async fn a_mail_arrives_whole() {
    let (result, transcript) = send_to(accept_all, Duration::from_secs(20)).await;
    assert_eq!(result, Ok(()));
    let seen = transcript.text();
    for line in [
        "MAIL FROM:<no-reply@portal.example>",
        "RCPT TO:<dduck@example.com>",
        "From: \"Case Portal\" <no-reply@portal.example>",
        "To: dduck@example.com",
        "Subject: Verification Code",
        "Message-ID: <0190a1b2-0000-7000-8000-000000000001@portal.example>",
        "Auto-Submitted: auto-generated",
        "Content-Language: en-US",
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=utf-8",
        "Content-Type: text/html; charset=utf-8",
        BODY,
    ] {
        assert_eq!(transcript.count(line), 1, "{line:?} in {seen}");
    }
    assert!(seen.contains("Content-Type: multipart/alternative;") && seen.contains("Date: "), "{seen}");
}

#[tokio::test]
async fn a_mail_may_name_its_own_sender() {
    let (port, transcript) = smtp(accept_all, None).await;
    let from = Some(Sender { address: "help@clinic.example".to_owned(), name: Some("Clínica".to_owned()) });
    Mailer::new(settings(port)).unwrap().send(&Mail { from, ..mail() }).await.unwrap();
    assert_eq!(transcript.count("MAIL FROM:<help@clinic.example>"), 1);
    assert!(transcript.text().contains("@clinic.example>\nAuto-Submitted"), "{}", transcript.text());
}

#[tokio::test]
async fn texts_beyond_ascii_travel_encoded() {
    let (port, transcript) = smtp(accept_all, None).await;
    let spanish =
        Mail { subject: "Código de verificación".to_owned(), text: "Su código: 1\n.\nfin".to_owned(), ..mail() };
    Mailer::new(settings(port)).unwrap().send(&spanish).await.unwrap();
    let seen = transcript.text();
    assert!(seen.is_ascii() && seen.contains("Subject: =?utf-8?b?"), "{seen}");
    assert!(seen.contains("fin"), "a lone dot ended the mail: {seen}");
}

#[tokio::test]
async fn a_4xx_answer_is_temporary_and_a_5xx_permanent() {
    let on_recipient = refuse(|verb| match verb {
        "RCPT" => Reply::Say("451 4.3.0 try dduck@example.com again later"),
        _ => accept_all(verb),
    });
    assert_eq!(on_recipient.await, SendError::Temporary("SMTP 451 4.3.0".to_owned()));
    let unknown = refuse(|verb| match verb {
        "RCPT" => Reply::Say("550 5.1.1 <dduck@example.com>: no such user"),
        _ => accept_all(verb),
    });
    assert_eq!(unknown.await, SendError::Permanent("SMTP 550 5.1.1".to_owned()));
    let content = refuse(|verb| match verb {
        "." => Reply::Say("554 Your verification code is 914026 looks like spam"),
        _ => accept_all(verb),
    });
    assert_eq!(content.await, SendError::Permanent("SMTP 554".to_owned()));
    let greeting = refuse(|_| Reply::Say("421 busy"));
    assert_eq!(greeting.await, SendError::Temporary("SMTP 421".to_owned()));
}

#[tokio::test]
async fn a_relay_that_is_not_there_is_temporary() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let error = Mailer::new(settings(port)).unwrap().send(&mail()).await.unwrap_err();
    assert_eq!(error, SendError::Temporary("no connection to the relay".to_owned()));
}

#[tokio::test]
async fn silence_before_the_mail_is_handed_over_is_temporary() {
    for script in [
        (|_| Reply::Hang) as Script,
        |verb| if verb == "MAIL" { Reply::Hang } else { accept_all(verb) },
        |verb| if verb == "DATA" { Reply::Hang } else { accept_all(verb) },
    ] {
        let (result, _) = send_to(script, Duration::from_millis(200)).await;
        assert_eq!(result, Err(SendError::Temporary("time limit reached".to_owned())));
    }
    let closed = refuse(|verb| if verb == "DATA" { Reply::Close } else { accept_all(verb) }).await;
    assert!(closed.is_retryable(), "{closed:?}");
}

#[tokio::test]
async fn silence_after_the_mail_was_handed_over_is_uncertain() {
    let hang: Script = |verb| if verb == "." { Reply::Hang } else { accept_all(verb) };
    let (result, _) = send_to(hang, Duration::from_millis(200)).await;
    assert_eq!(result, Err(SendError::Uncertain("time limit reached".to_owned())));
    let closed = refuse(|verb| if verb == "." { Reply::Close } else { accept_all(verb) }).await;
    assert!(matches!(closed, SendError::Uncertain(_)) && !closed.is_retryable(), "{closed:?}");
}

#[tokio::test]
async fn a_relay_that_speaks_nonsense_is_temporary() {
    let error = refuse(|_| Reply::Say("HTTP/1.1 400 Bad Request")).await;
    assert_eq!(error, SendError::Temporary("the relay broke off or does not speak SMTP".to_owned()));
}

#[tokio::test]
async fn a_connection_is_used_again_even_after_a_refusal() {
    let (port, transcript) =
        smtp(|verb| if verb == "RCPT" { Reply::Say("550 5.1.1 unknown") } else { accept_all(verb) }, None).await;
    let mailer = Mailer::new(settings(port)).unwrap();
    for _ in 0..3 {
        mailer.send(&mail()).await.unwrap_err();
    }
    assert_eq!((transcript.count("CONNECT"), transcript.count("RSET")), (1, 2));
}

#[tokio::test]
async fn a_connection_that_died_idle_is_replaced() {
    let (port, transcript) = smtp(|verb| if verb == "RSET" { Reply::Close } else { accept_all(verb) }, None).await;
    let mailer = Mailer::new(settings(port)).unwrap();
    for _ in 0..3 {
        mailer.send(&mail()).await.unwrap();
    }
    assert_eq!(transcript.count("CONNECT"), 3);
}

#[tokio::test]
async fn the_pool_bounds_connections() {
    let (port, transcript) = smtp(accept_all, None).await;
    let mailer = std::sync::Arc::new(Mailer::new(settings(port)).unwrap());
    let sends: Vec<_> = (0..20)
        .map(|_| {
            let mailer = mailer.clone();
            tokio::spawn(async move { mailer.send(&mail()).await })
        })
        .collect();
    for send in sends {
        send.await.unwrap().unwrap();
    }
    assert!(transcript.count("CONNECT") <= 2 && transcript.count(".") == 20);
}

#[tokio::test]
async fn no_input_can_add_a_header_or_a_recipient() {
    let (port, transcript) = smtp(accept_all, None).await;
    let mailer = Mailer::new(settings(port)).unwrap();
    let evil = "x\r\nBcc: victim@example.com";
    let from = |address: &str, name: &str| Some(Sender { address: address.to_owned(), name: Some(name.to_owned()) });
    for mail in [
        Mail { subject: evil.to_owned(), ..mail() },
        Mail { subject: "x\nBcc: victim@example.com".to_owned(), ..mail() },
        Mail { to: "a@example.com\r\nBcc: victim@example.com".to_owned(), ..mail() },
        Mail { to: "a@example.com>\r\nRCPT TO:<victim@example.com".to_owned(), ..mail() },
        Mail { to: "a@example.com, victim@example.com".to_owned(), ..mail() },
        Mail { from: from("a@example.com", evil), ..mail() },
        Mail { from: from("a@example.com\r\nBcc: victim@example.com", "x"), ..mail() },
    ] {
        let result = mailer.send(&mail).await;
        assert!(matches!(result, Err(SendError::Permanent(_))), "{result:?}");
    }
    assert_eq!(transcript.text(), "");
    for mail in [
        Mail { locale: format!("en{evil}"), ..mail() },
        Mail { from: from("a@example.com", "\" <victim@example.com>, \""), ..mail() },
        Mail { text: "end\r\n.\r\nRCPT TO:<victim@example.com>\r\n".to_owned(), ..mail() },
    ] {
        mailer.send(&mail).await.unwrap();
    }
    let seen = transcript.text();
    assert!(!seen.contains("\nBcc") && transcript.count("RCPT TO:<dduck@example.com>") == 3, "{seen}");
    assert_eq!((transcript.count("."), transcript.count("MAIL FROM:<a@example.com>")), (3, 1), "{seen}");
}

#[tokio::test]
async fn starttls_and_tls_protect_password_and_mail() {
    let identity = identity();
    for (tls, wrapped) in [(Tls::StartTls, false), (Tls::Tls, true)] {
        let script: Script = |verb| match verb {
            "EHLO" => Reply::Say("250-relay.test\r\n250-STARTTLS\r\n250 AUTH PLAIN LOGIN"),
            _ => accept_all(verb),
        };
        let (port, transcript) = smtp(script, Some((&identity, wrapped))).await;
        let mailer = Mailer::new(MailSettings {
            tls,
            username: Some("portal".to_owned()),
            password: Some("kingfisher".into()),
            ca_file: Some(identity.ca_file.clone()),
            ..settings(port)
        });
        mailer.unwrap().send(&mail()).await.unwrap();
        let lines = transcript.lines();
        assert_eq!(transcript.count("AUTH PLAIN AHBvcnRhbABraW5nZmlzaGVy"), 1, "{lines:?}");
        if !wrapped {
            let before_tls: Vec<_> = lines.iter().take_while(|line| *line != "TLS").collect();
            assert_eq!(before_tls.len(), 3, "connect, EHLO, STARTTLS: {before_tls:?}");
        }
    }
}

#[tokio::test]
async fn nothing_is_sent_without_the_tls_that_was_demanded() {
    let identity = identity();
    let (plain, seen_plain) = smtp(accept_all, None).await;
    let (untrusted, seen_untrusted) = smtp(accept_all, Some((&identity, true))).await;
    let without_starttls = Mailer::new(MailSettings { tls: Tls::StartTls, ..settings(plain) }).unwrap();
    let unknown_ca = Mailer::new(MailSettings { tls: Tls::Tls, ..settings(untrusted) }).unwrap();
    let wrong_name = Mailer::new(MailSettings {
        tls: Tls::Tls,
        host: "127.0.0.1".to_owned(),
        ca_file: Some(identity.ca_file.clone()),
        ..settings(untrusted)
    });
    for mailer in [without_starttls, unknown_ca, wrong_name.unwrap()] {
        let error = mailer.send(&mail()).await.unwrap_err();
        assert!(error.is_retryable(), "{error:?}");
    }
    assert!(!seen_plain.text().contains("MAIL") && !seen_untrusted.text().contains("MAIL"));
}

#[tokio::test]
async fn neither_log_nor_debug_holds_body_address_or_password() {
    let (_guard, log) = capture_log();
    let (port, _) = smtp(accept_all, None).await;
    let settings =
        MailSettings { username: Some("portal".to_owned()), password: Some("kingfisher".into()), ..settings(port) };
    let shown = format!("{settings:?}");
    let mailer = Mailer::new(settings).unwrap();
    mailer.send(&mail()).await.unwrap();
    let log = String::from_utf8(log.lock().unwrap().clone()).unwrap();
    let all = format!("{log} {shown} {mailer:?} {:?}", mail());
    assert!(log.contains("relay answered") && log.contains("d***@example.com"), "{all}");
    for secret in ["914026", "dduck", "kingfisher", "AHBvcnRhbABraW5nZmlzaGVy"] {
        assert!(!all.contains(secret), "{secret} in {all}");
    }
}

#[test]
fn impossible_settings_are_refused() {
    let nameless = Sender { address: "nobody".to_owned(), name: None };
    let missing = PathBuf::from("missing-ca.pem");
    for settings in [
        MailSettings { pool_size: 0, ..settings(25) },
        MailSettings { from: nameless, ..settings(25) },
        MailSettings { username: Some("portal".to_owned()), ..settings(25) },
        MailSettings { tls: Tls::Tls, ca_file: Some(missing), ..settings(25) },
    ] {
        assert!(Mailer::new(settings).is_err());
    }
}

#[tokio::test]
async fn answers_go_where_the_mail_says() {
    let (port, transcript) = smtp(accept_all, None).await;
    let mailer = Mailer::new(settings(port)).unwrap();
    mailer.send(&Mail { reply_to: Some("help@clinic.example".to_owned()), ..mail() }).await.unwrap();
    assert_eq!(transcript.count("Reply-To: help@clinic.example"), 1, "{}", transcript.text());
    for wrong in ["nobody", "a@b.example\r\nBcc: c@d.example", "a@b.example, c@d.example"] {
        let result = mailer.send(&Mail { reply_to: Some(wrong.to_owned()), ..mail() }).await;
        assert!(matches!(result, Err(SendError::Permanent(_))), "{wrong}: {result:?}");
    }
}

#[tokio::test]
async fn mails_of_a_domain_with_a_key_are_signed() {
    let folder = tempfile::tempdir().unwrap();
    let key_file = folder.path().join("dkim.pem");
    // The key of RFC 8410, 10.3.
    let key = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----\n";
    std::fs::write(&key_file, key).unwrap();
    let dkim = vec![DkimSettings { domain: "portal.example".to_owned(), selector: "cs".to_owned(), key_file }];
    let (port, transcript) = smtp(accept_all, None).await;
    let mailer = Mailer::new(MailSettings { dkim, ..settings(port) }).unwrap();
    mailer.send(&mail()).await.unwrap();
    let seen = transcript.lines();
    let start = seen.iter().position(|line| line == "DATA").unwrap() + 1;
    assert_eq!(seen[start], "DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed; d=portal.example;");
    let from = Some(Sender { address: "help@clinic.example".to_owned(), name: None });
    mailer.send(&Mail { from, ..mail() }).await.unwrap();
    assert_eq!(transcript.text().matches("DKIM-Signature").count(), 1, "of another domain");
}
