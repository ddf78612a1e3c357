//! Tiny servers on real sockets for the tests of this crate.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, Once};

use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::{ServerConfig, crypto::aws_lc_rs};

/// What a server saw, line by line.
#[derive(Clone, Default)]
pub struct Transcript(Arc<Mutex<Vec<String>>>);

impl Transcript {
    fn push(&self, line: &str) {
        self.0.lock().unwrap().push(line.to_owned());
    }

    pub fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    pub fn text(&self) -> String {
        self.lines().join("\n")
    }

    pub fn count(&self, line: &str) -> usize {
        self.lines().iter().filter(|seen| *seen == line).count()
    }
}

/// A certificate for `localhost` and the file of the CA that a client must trust for it.
pub struct Identity {
    acceptor: TlsAcceptor,
    pub ca_file: PathBuf,
    _folder: tempfile::TempDir,
}

pub fn identity() -> Identity {
    let certified = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let ca_file = folder.path().join("ca.pem");
    std::fs::write(&ca_file, certified.cert.pem()).unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(certified.signing_key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], key)
        .unwrap();
    Identity { acceptor: TlsAcceptor::from(Arc::new(config)), ca_file, _folder: folder }
}

/// How a receiver of syslog ends a connection.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Reads all, then closes.
    Reads,
    /// Reads all and never closes.
    Hangs,
    /// Reads all, then closes without a word in TLS, as somebody between could.
    Breaks,
    /// Closes before it has read anything.
    Leaves,
}

/// Runs a receiver of syslog over TLS; its transcript holds what came in each connection.
pub async fn syslog(ending: Ending, identity: &Identity) -> (u16, Transcript) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (transcript, acceptor) = (Transcript::default(), identity.acceptor.clone());
    let seen = transcript.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            if ending == Ending::Leaves {
                stream.get_ref().0.set_zero_linger().unwrap();
                continue;
            }
            let mut frames = String::new();
            stream.read_to_string(&mut frames).await.unwrap();
            seen.push(&frames);
            match ending {
                Ending::Hangs => std::mem::forget(stream),
                Ending::Breaks => {}
                Ending::Reads | Ending::Leaves => drop(stream.shutdown().await),
            }
        }
    });
    (port, transcript)
}

/// How an SMTP server answers a verb (`CONNECT` and `.` are the greeting and the end of a mail).
#[derive(Clone, Copy)]
pub enum Reply {
    Say(&'static str),
    /// Say nothing and keep the connection open.
    Hang,
    /// Close the connection.
    Close,
}

pub type Script = fn(&str) -> Reply;

/// A relay that takes everything.
pub fn accept_all(verb: &str) -> Reply {
    Reply::Say(match verb {
        "CONNECT" => "220 relay.test ready",
        "EHLO" => "250-relay.test\r\n250-AUTH PLAIN LOGIN\r\n250 8BITMIME",
        "AUTH" => "235 2.7.0 welcome",
        "DATA" => "354 go on",
        "QUIT" => "221 2.0.0 bye",
        _ => "250 2.0.0 ok",
    })
}

/// Runs an SMTP server with `script`; with an identity it speaks TLS, from the start or after STARTTLS.
pub async fn smtp(script: Script, tls: Option<(&Identity, bool)>) -> (u16, Transcript) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let transcript = Transcript::default();
    let seen = transcript.clone();
    let tls = tls.map(|(identity, wrapped)| (identity.acceptor.clone(), wrapped));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            seen.push("CONNECT");
            tokio::spawn(serve_smtp(stream, script, tls.clone(), seen.clone()));
        }
    });
    (port, transcript)
}

async fn serve_smtp(stream: TcpStream, script: Script, tls: Option<(TlsAcceptor, bool)>, seen: Transcript) {
    match tls {
        Some((acceptor, true)) => {
            let Ok(stream) = acceptor.accept(stream).await else { return };
            let _ = dialogue(stream, script, "CONNECT", &seen).await;
        }
        Some((acceptor, false)) => {
            if let Some(stream) = dialogue(stream, script, "CONNECT", &seen).await {
                let Ok(stream) = acceptor.accept(stream).await else { return };
                seen.push("TLS");
                let _ = dialogue(stream, script, "", &seen).await;
            }
        }
        None => {
            let _ = dialogue(stream, script, "CONNECT", &seen).await;
        }
    }
}

/// Talks until the end, or until STARTTLS was granted: then gives the stream back.
async fn dialogue<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    script: Script,
    first: &str,
    seen: &Transcript,
) -> Option<S> {
    let mut stream = BufReader::new(stream);
    if !first.is_empty() {
        say(&mut stream, script(first)).await?;
    }
    let mut line = String::new();
    let mut in_data = false;
    loop {
        line.clear();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        let text = line.trim_end_matches(['\r', '\n']);
        seen.push(text);
        if in_data && text != "." {
            continue;
        }
        let verb = text.split([' ', ':']).next().unwrap().to_uppercase();
        let reply = script(&verb);
        in_data = verb == "DATA" && matches!(reply, Reply::Say(text) if text.starts_with('3'));
        say(&mut stream, reply).await?;
        match verb.as_str() {
            "STARTTLS" => return Some(stream.into_inner()),
            "QUIT" => return None,
            _ => {}
        }
    }
}

async fn say<S: AsyncWrite + Unpin>(stream: &mut S, reply: Reply) -> Option<()> {
    match reply {
        Reply::Say(text) => stream.write_all(format!("{text}\r\n").as_bytes()).await.ok(),
        Reply::Hang => std::future::pending().await,
        Reply::Close => None,
    }
}

/// How an HTTP server answers every request.
#[derive(Clone)]
pub enum Answer {
    /// Status and body.
    Status(u16, String),
    /// A redirect to an address.
    Redirect(u16, String),
    /// 200, and then a byte now and then, for ever.
    Drip,
    /// Nothing, with the connection open.
    Hang,
    /// Nothing, and the connection closed.
    Close,
}

/// Runs an HTTP server that gives `answer` and remembers the requests, heads and bodies.
pub async fn http(answer: Answer, tls: Option<&Identity>) -> (u16, Transcript) {
    http_by_path(move |_| move |_| answer.clone(), tls).await
}

/// Runs an HTTP server whose answers depend on the path; `answers` is told the port first.
pub async fn http_by_path<F>(answers: impl FnOnce(u16) -> F, tls: Option<&Identity>) -> (u16, Transcript)
where
    F: Fn(&str) -> Answer + Clone + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let answer = answers(port);
    let transcript = Transcript::default();
    let seen = transcript.clone();
    let acceptor = tls.map(|identity| identity.acceptor.clone());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (answer, seen, acceptor) = (answer.clone(), seen.clone(), acceptor.clone());
            tokio::spawn(async move {
                if let Some(acceptor) = acceptor {
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    serve_http(stream, answer, seen).await;
                } else {
                    serve_http(stream, answer, seen).await;
                }
            });
        }
    });
    (port, transcript)
}

async fn serve_http<S: AsyncRead + AsyncWrite + Unpin>(stream: S, answer: impl Fn(&str) -> Answer, seen: Transcript) {
    let mut stream = BufReader::new(stream);
    let mut length = 0;
    let mut path = None;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
            return;
        }
        let line = line.trim_end();
        if let Some(value) = line.to_lowercase().strip_prefix("content-length: ") {
            length = value.parse().unwrap();
        }
        if line.is_empty() {
            break;
        }
        path = path.or_else(|| line.split(' ').nth(1).map(str::to_owned));
        seen.push(line);
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.unwrap();
    seen.push(&String::from_utf8(body).unwrap());
    match answer(&path.unwrap_or_default()) {
        Answer::Status(status, body) => {
            let head = format!("HTTP/1.1 {status} X\r\nlocation: http://127.0.0.1:9/\r\nconnection: close\r\n");
            let response = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
            let _ = stream.write_all(response.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
        Answer::Redirect(status, to) => {
            let head = format!("HTTP/1.1 {status} X\r\nlocation: {to}\r\nconnection: close\r\n");
            let _ = stream.write_all(format!("{head}content-length: 0\r\n\r\n").as_bytes()).await;
            let _ = stream.shutdown().await;
        }
        Answer::Drip => {
            let mut sent = stream.write_all(b"HTTP/1.1 200 X\r\ncontent-length: 60000\r\n\r\n").await;
            let mut ticks = tokio::time::interval(std::time::Duration::from_millis(100));
            while sent.is_ok() {
                ticks.tick().await;
                sent = stream.write_all(b"x").await;
            }
        }
        Answer::Hang => std::future::pending().await,
        Answer::Close => {}
    }
}

/// Everything that is logged on this thread at any level while the guard lives.
pub fn capture_log() -> (tracing::subscriber::DefaultGuard, Arc<Mutex<Vec<u8>>>) {
    // A line that another test's thread reaches first, without a subscriber, would be switched off for the whole process.
    static INTERESTED: Once = Once::new();
    INTERESTED.call_once(|| drop(tracing::subscriber::set_global_default(tracing_subscriber::registry())));
    let log = Arc::new(Mutex::new(Vec::new()));
    let sink = Sink(log.clone());
    let subscriber =
        tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(move || sink.clone()).finish();
    (tracing::subscriber::set_default(subscriber), log)
}

#[derive(Clone)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
