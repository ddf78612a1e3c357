//! What a reader of the inbox wants from a MIME message.

use mail_parser::{MessageParser, PartType};

/// Of a text or an HTML body; the rest is cut.
const MAX_BODY: usize = 256 * 1024;
const MAX_SUBJECT: usize = 998;

/// The readable parts of a mail.
#[derive(Debug, PartialEq, Eq)]
pub struct Mail {
    /// The address of the header, which the envelope's may differ from.
    pub from: Option<String>,
    pub subject: Option<String>,
    /// The text part; made from the HTML if there is none.
    pub text: String,
    /// Only if the mail has an HTML part.
    pub html: Option<String>,
}

/// Never fails: what is no MIME message is shown as it came.
pub fn read_mail(raw: &[u8]) -> Mail {
    let Some(message) = MessageParser::default().parse(raw) else {
        return Mail { from: None, subject: None, text: cut(&String::from_utf8_lossy(raw), MAX_BODY), html: None };
    };
    let is_html = |part: &&mail_parser::MessagePart<'_>| matches!(part.body, PartType::Html(_));
    let html = message.html_bodies().find(is_html).and_then(|part| part.text_contents());
    Mail {
        from: message.from().and_then(|from| from.first()).and_then(|from| from.address()).map(str::to_owned),
        subject: message.subject().map(|subject| cut(subject, MAX_SUBJECT)),
        text: message.body_text(0).map(|text| cut(&text, MAX_BODY)).unwrap_or_default(),
        html: html.map(|html| cut(html, MAX_BODY)),
    }
}

fn cut(text: &str, limit: usize) -> String {
    text[..text.floor_char_boundary(limit)].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_alternatives_are_decoded() {
        let raw = concat!(
            "From: Portal <donotreply@example.com>\r\nTo: a@example.com\r\n",
            "Subject: =?utf-8?B?VsOpcmlmaWNhdGlvbg==?=\r\nMIME-Version: 1.0\r\n",
            "Content-Type: multipart/alternative; boundary=b\r\n\r\n",
            "--b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n",
            "Your code is 123456=21\r\n--b\r\nContent-Type: text/html; charset=utf-8\r\n",
            "Content-Transfer-Encoding: base64\r\n\r\nPHA+MTIzNDU2PC9wPg==\r\n--b--\r\n",
        );
        let mail = read_mail(raw.as_bytes());
        assert_eq!(mail.from.as_deref(), Some("donotreply@example.com"));
        assert_eq!(mail.subject.as_deref(), Some("Vérification"));
        assert_eq!(mail.text.trim_end(), "Your code is 123456!");
        assert_eq!(mail.html.as_deref(), Some("<p>123456</p>"));
    }

    #[test]
    fn a_plain_mail_has_no_html_and_an_html_mail_has_text() {
        let plain = read_mail(b"Subject: x\r\n\r\nhello\r\n");
        assert_eq!((plain.text.trim_end(), plain.html), ("hello", None));
        let html = read_mail(b"Content-Type: text/html\r\n\r\n<p>hello</p>");
        assert_eq!((html.text.trim(), html.html.as_deref()), ("hello", Some("<p>hello</p>")));
    }

    #[test]
    fn a_long_body_is_cut_between_characters() {
        let raw = format!("Content-Type: text/plain; charset=utf-8\r\n\r\na{}", "é".repeat(MAX_BODY));
        assert_eq!(read_mail(raw.as_bytes()).text.len(), MAX_BODY - 1);
    }

    #[test]
    fn rubbish_is_shown_as_it_came() {
        assert_eq!(read_mail(b"").text, "");
        let _ = read_mail(&[0xff, 0x00, 0x0d, 0x0a, 0xfe]);
    }
}
