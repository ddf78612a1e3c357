//! One keep-alive connection, HTTP/1.1 by hand: a client library would take more of a core than the server does.

use std::net::SocketAddr;

use countersign_tests::user_agent::Answer;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use url::Url;

/// A connection to a server.
pub struct Link {
    stream: TcpStream,
    read: Vec<u8>,
    /// Requests that were sent.
    pub asked: usize,
}

/// What a server answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Status code.
    pub status: u16,
    /// Status line and headers.
    pub head: String,
    /// Body, put together where it came in chunks.
    pub body: Vec<u8>,
}

impl Link {
    /// Connects.
    pub async fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("the server takes connections");
        stream.set_nodelay(true).expect("a socket");
        Self { stream, read: Vec::with_capacity(16 * 1024), asked: 0 }
    }

    /// Sends the bytes of `request` and reads the answer.
    pub async fn ask(&mut self, request: &[u8]) -> Reply {
        self.asked += 1;
        self.stream.write_all(request).await.expect("the server reads");
        self.read.clear();
        loop {
            if let Some(reply) = parse(&self.read) {
                return reply;
            }
            let count = self.stream.read_buf(&mut self.read).await.expect("the server answers");
            assert!(count > 0, "closed within an answer: {:?}", String::from_utf8_lossy(&self.read));
        }
    }
}

/// A whole answer; none: more of it is to come.
fn parse(bytes: &[u8]) -> Option<Reply> {
    let end = find(bytes, b"\r\n\r\n")?;
    let head = std::str::from_utf8(bytes.get(..end)?).expect("headers in ASCII");
    let rest = bytes.get(end + 4..)?;
    let status: u16 = head.get(9..12).and_then(|code| code.parse().ok()).expect("a status line");
    let body = if let Some(length) = value_of(head, "content-length") {
        rest.get(..length.parse().expect("a length"))?.to_vec()
    } else if value_of(head, "transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
        join_chunks(rest)?
    } else {
        assert!(matches!(status, 204 | 304), "an answer without an end: {head}");
        Vec::new()
    };
    Some(Reply { status, head: head.to_owned(), body })
}

fn join_chunks(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line = find(rest, b"\r\n")?;
        let size = std::str::from_utf8(rest.get(..line)?).ok()?.split(';').next()?.trim();
        let size = usize::from_str_radix(size, 16).expect("the size of a chunk");
        let chunk = rest.get(line + 2..line + 2 + size)?;
        rest = rest.get(line + 2 + size..)?.strip_prefix(b"\r\n")?;
        if size == 0 {
            return Some(body);
        }
        body.extend_from_slice(chunk);
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

fn value_of<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    headers(head).find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

fn headers(head: &str) -> impl Iterator<Item = (&str, &str)> {
    head.lines().skip(1).filter_map(|line| line.split_once(':')).map(|(name, value)| (name, value.trim()))
}

impl Reply {
    /// The body as text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("text")
    }

    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        value_of(&self.head, name)
    }

    /// As the harness reads answers.
    pub fn answer(&self, url: Url) -> Answer {
        let pairs = headers(&self.head).map(|(name, value)| {
            let name: HeaderName = name.parse().expect("a header's name");
            (name, HeaderValue::from_str(value).expect("a header's value"))
        });
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.append(name, value);
        }
        Answer { url, status: self.status, headers: map, body: self.text().to_owned() }
    }
}

/// The bytes of a GET.
pub fn get(host: &str, path: &str, headers: &[(&str, &str)]) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: {host}\r\n{}\r\n", lines(headers)).into_bytes()
}

/// The bytes of a POST of a form.
pub fn post(host: &str, path: &str, headers: &[(&str, &str)], form: &[(&str, &str)]) -> Vec<u8> {
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    let kind = "content-type: application/x-www-form-urlencoded";
    let length = body.len();
    let headers = lines(headers);
    format!("POST {path} HTTP/1.1\r\nhost: {host}\r\n{kind}\r\ncontent-length: {length}\r\n{headers}\r\n{body}")
        .into_bytes()
}

fn lines(headers: &[(&str, &str)]) -> String {
    headers.iter().flat_map(|(name, value)| [*name, ": ", *value, "\r\n"]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_when_it_is_whole_and_not_before() {
        for (whole, body) in [
            ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "hello"),
            ("HTTP/1.1 303 See Other\r\ncontent-length: 0\r\nlocation: /x\r\n\r\n", ""),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\n\r\n", "hello"),
            ("HTTP/1.1 204 No Content\r\n\r\n", ""),
        ] {
            for end in 0..whole.len() {
                assert_eq!(parse(&whole.as_bytes()[..end]), None, "{end} bytes of {whole:?}");
            }
            assert_eq!(parse(whole.as_bytes()).expect("whole").text(), body, "{whole:?}");
        }
    }
}
