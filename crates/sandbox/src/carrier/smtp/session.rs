//! What an SMTP client is answered (RFC 5321), without a socket.

use super::super::faults::Fault;
use smtp_proto::{EXT_8BIT_MIME, EXT_ENHANCED_STATUS_CODES, EXT_PIPELINING, EXT_SIZE, EXT_SMTP_UTF8};
use smtp_proto::{EhloResponse, Error, MailFrom, Request};
use std::borrow::Cow;

/// Bytes of one mail after unstuffing.
pub const MAX_MAIL: usize = 2 << 20;
const MAX_RECIPIENTS: usize = 100;
/// Errors of one connection before it is closed.
const MAX_STRIKES: u32 = 20;
const HOST: &str = "sandbox.localhost";
pub const GREETING: &str = "220 sandbox.localhost ESMTP Countersign sandbox\r\n";

/// Sender and recipients of the transaction under way.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Envelope {
    pub from: String,
    pub recipients: Vec<String>,
}

#[derive(Debug, Default)]
pub struct Session {
    greeted: bool,
    envelope: Option<Envelope>,
    strikes: u32,
}

/// What the connection does after the reply.
#[derive(Debug, PartialEq, Eq)]
pub enum Then {
    GoOn,
    ReadMail,
    Close,
}

#[derive(Debug)]
pub struct Step {
    pub reply: Cow<'static, str>,
    pub then: Then,
}

fn go_on(reply: &'static str) -> Step {
    Step { reply: reply.into(), then: Then::GoOn }
}

impl Session {
    pub fn answer(&mut self, request: Request<Cow<'_, str>>) -> Step {
        match request {
            Request::Ehlo { .. } => self.greet(extensions().into()),
            Request::Helo { .. } => self.greet("250 sandbox.localhost\r\n".into()),
            Request::Mail { from } => self.answer_sender(&from),
            Request::Rcpt { to } => self.answer_recipient(to.address.into_owned(), None),
            Request::Data => self.answer_data(),
            Request::Rset => {
                self.reset();
                go_on("250 2.0.0 Forgotten\r\n")
            }
            Request::Noop { .. } => go_on("250 2.0.0 Still here\r\n"),
            Request::Vrfy { .. } => go_on("252 2.5.2 Send it and see\r\n"),
            Request::Quit => Step { reply: "221 2.0.0 Goodbye\r\n".into(), then: Then::Close },
            _ => self.strike("502 5.5.1 Not implemented here\r\n"),
        }
    }

    pub fn answer_malformed(&mut self, error: &Error) -> Step {
        self.strike(match error {
            Error::UnknownCommand => "500 5.5.1 Unknown command\r\n",
            Error::InvalidSenderAddress => "501 5.1.7 Bad sender address\r\n",
            Error::InvalidRecipientAddress => "501 5.1.3 Bad recipient address\r\n",
            Error::UnsupportedParameter { .. } => "555 5.5.4 Unsupported parameter\r\n",
            Error::ResponseTooLong => "500 5.5.2 The line is too long\r\n",
            _ => "501 5.5.4 Syntax error\r\n",
        })
    }

    /// The carrier's faults show here, as those of real mail servers do.
    pub fn answer_recipient(&mut self, to: String, fault: Option<Fault>) -> Step {
        let Some(envelope) = &mut self.envelope else { return self.strike("503 5.5.1 MAIL first\r\n") };
        match fault {
            Some(Fault::Temporary) => return go_on("451 4.3.0 Try again later (a fault made on purpose)\r\n"),
            Some(_) => return go_on("550 5.1.1 No such mailbox (a fault made on purpose)\r\n"),
            None => {}
        }
        if to.is_empty() {
            return self.strike("501 5.1.3 Bad recipient address\r\n");
        }
        if envelope.recipients.len() >= MAX_RECIPIENTS {
            return go_on("452 4.5.3 Too many recipients\r\n");
        }
        envelope.recipients.push(to);
        go_on("250 2.1.5 Recipient fine\r\n")
    }

    /// Ends the transaction; the greeting stays.
    pub fn reset(&mut self) {
        self.envelope = None;
    }

    pub fn take_envelope(&mut self) -> Envelope {
        self.envelope.take().unwrap_or_default()
    }

    fn greet(&mut self, reply: Cow<'static, str>) -> Step {
        self.greeted = true;
        self.reset();
        Step { reply, then: Then::GoOn }
    }

    fn answer_sender(&mut self, from: &MailFrom<Cow<'_, str>>) -> Step {
        if !self.greeted {
            return self.strike("503 5.5.1 EHLO first\r\n");
        }
        if self.envelope.is_some() {
            return self.strike("503 5.5.1 One mail at a time\r\n");
        }
        if from.size > MAX_MAIL {
            return self.strike("552 5.3.4 The message is too large\r\n");
        }
        self.envelope = Some(Envelope { from: from.address.to_string(), recipients: Vec::new() });
        go_on("250 2.1.0 Sender fine\r\n")
    }

    fn answer_data(&mut self) -> Step {
        match &self.envelope {
            None => self.strike("503 5.5.1 MAIL first\r\n"),
            Some(envelope) if envelope.recipients.is_empty() => self.strike("554 5.5.1 No valid recipients\r\n"),
            Some(_) => Step { reply: "354 End with a dot on a line of its own\r\n".into(), then: Then::ReadMail },
        }
    }

    fn strike(&mut self, reply: &'static str) -> Step {
        self.strikes += 1;
        if self.strikes >= MAX_STRIKES {
            return Step { reply: "421 4.7.0 Too many errors\r\n".into(), then: Then::Close };
        }
        go_on(reply)
    }
}

fn extensions() -> String {
    let mut response = EhloResponse::new(HOST);
    response.capabilities = EXT_8BIT_MIME | EXT_ENHANCED_STATUS_CODES | EXT_PIPELINING | EXT_SIZE | EXT_SMTP_UTF8;
    response.size = MAX_MAIL;
    let mut reply = Vec::new();
    // A vector takes everything.
    let _ = response.write(&mut reply);
    String::from_utf8_lossy(&reply).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn say(session: &mut Session, line: &str) -> Step {
        match Request::parse(&mut format!("{line}\r\n").as_bytes().iter()) {
            Ok(request) => session.answer(request),
            Err(error) => session.answer_malformed(&error),
        }
    }

    #[test]
    fn the_order_of_commands_is_kept() {
        let mut session = Session::default();
        for (line, code) in [
            ("MAIL FROM:<a@example.com>", "503"),
            ("EHLO client.example.com", "250"),
            ("RCPT TO:<b@example.com>", "503"),
            ("DATA", "503"),
            ("MAIL FROM:<a@example.com> BODY=8BITMIME", "250"),
            ("MAIL FROM:<a@example.com>", "503"),
            ("DATA", "554"),
            ("RCPT TO:<b@example.com>", "250"),
            ("RSET", "250"),
            ("DATA", "503"),
        ] {
            let step = say(&mut session, line);
            assert!(step.reply.starts_with(code), "{line}: {}", step.reply);
        }
    }

    #[test]
    fn an_announced_size_past_the_limit_is_refused() {
        let mut session = Session::default();
        say(&mut session, "EHLO x.example.com");
        assert!(say(&mut session, "MAIL FROM:<a@example.com> SIZE=99999999").reply.starts_with("552"));
    }

    #[test]
    fn too_many_errors_end_the_connection() {
        let mut session = Session::default();
        let last = (0..MAX_STRIKES).map(|_| say(&mut session, "NONSENSE")).last().unwrap();
        assert_eq!(last.then, Then::Close);
        assert!(last.reply.starts_with("421"));
    }

    #[test]
    fn a_hundred_recipients_and_no_more() {
        let mut session = Session::default();
        say(&mut session, "EHLO x.example.com");
        say(&mut session, "MAIL FROM:<>");
        for _ in 0..MAX_RECIPIENTS {
            assert!(say(&mut session, "RCPT TO:<b@example.com>").reply.starts_with("250"));
        }
        assert!(say(&mut session, "RCPT TO:<b@example.com>").reply.starts_with("452"));
    }
}
