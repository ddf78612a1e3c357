use std::sync::{Arc, Mutex};

use rcgen::{CertificateParams, KeyPair};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

/// What a browser asked a [`Site`] for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Visit {
    /// Method of the request.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// The header `Cookie`; empty when there is none.
    pub cookies: String,
    /// What the answer is for, as the browser says: `document`, `iframe`, `script` (Fetch Metadata, `Sec-Fetch-Dest`).
    pub destination: String,
    /// The body, such as a posted form.
    pub body: String,
}

/// What a [`Site`] answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Media type.
    pub kind: &'static str,
    /// Values of `Set-Cookie`.
    pub cookies: Vec<String>,
    /// The document.
    pub body: String,
}

impl Page {
    /// A page that says `text`.
    pub fn html(text: impl Into<String>) -> Self {
        Self { kind: "text/html; charset=utf-8", body: text.into(), ..Self::default() }
    }

    /// A script.
    pub fn script(text: impl Into<String>) -> Self {
        Self { kind: "text/javascript; charset=utf-8", body: text.into(), ..Self::default() }
    }
}

/// A web site of others by https, under a name that browsers must be told is this machine's
/// ([`super::BrowserOptions::hosts`]). Its certificate is nobody's.
#[derive(Clone)]
pub struct Site {
    /// Its origin.
    pub origin: String,
    visits: Arc<Mutex<Vec<Visit>>>,
}

type Answers = dyn Fn(&Visit) -> Option<Page> + Send + Sync;

impl Site {
    /// Opens the site of `host`; what `answer` does not know is 404.
    pub async fn open(host: &str, answer: impl Fn(&Visit) -> Option<Page> + Send + Sync + 'static) -> Self {
        let acceptor = acceptor(host);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("port");
        let port = listener.local_addr().expect("address").port();
        let visits: Arc<Mutex<Vec<Visit>>> = Arc::default();
        let (heard, answer): (_, Arc<Answers>) = (Arc::clone(&visits), Arc::new(answer));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, heard, answer) = (acceptor.clone(), Arc::clone(&heard), Arc::clone(&answer));
                // A browser opens connections in advance and leaves them.
                tokio::spawn(async move { serve_one(stream, &acceptor, &heard, &*answer).await });
            }
        });
        Self { origin: format!("https://{host}:{port}"), visits }
    }

    /// What was asked of paths that begin with `path`.
    pub fn visits(&self, path: &str) -> Vec<Visit> {
        let all = self.visits.lock().expect("visits");
        all.iter().filter(|visit| visit.path.starts_with(path)).cloned().collect()
    }
}

fn acceptor(host: &str) -> TlsAcceptor {
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new([host.to_owned()]).expect("a name");
    let certificate = params.self_signed(&key).expect("a certificate");
    let private = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
    let builder = ServerConfig::builder_with_provider(Arc::new(default_provider()));
    let builder = builder.with_safe_default_protocol_versions().expect("versions").with_no_client_auth();
    let config = builder.with_single_cert(vec![certificate.der().clone()], private).expect("a configuration");
    TlsAcceptor::from(Arc::new(config))
}

async fn serve_one(stream: TcpStream, acceptor: &TlsAcceptor, heard: &Mutex<Vec<Visit>>, answer: &Answers) {
    let Ok(stream) = acceptor.accept(stream).await else { return };
    let mut stream = BufReader::new(stream);
    let Some(visit) = read_visit(&mut stream).await else { return };
    let page = answer(&visit);
    heard.lock().expect("visits").push(visit);
    let _ = stream.write_all(response(page).as_bytes()).await;
    let _ = stream.shutdown().await;
}

fn response(page: Option<Page>) -> String {
    let status = if page.is_some() { "200 OK" } else { "404 Not Found" };
    let page = page.unwrap_or_default();
    let cookies = page.cookies.iter().map(|cookie| format!("set-cookie: {cookie}\r\n"));
    let kind = if page.kind.is_empty() { "text/plain" } else { page.kind };
    format!(
        "HTTP/1.1 {status}\r\ncontent-length: {}\r\ncontent-type: {kind}\r\nconnection: close\r\ncache-control: no-store\r\n\
         {}\r\n{}",
        page.body.len(),
        cookies.collect::<String>(),
        page.body,
    )
}

async fn read_visit(stream: &mut (impl tokio::io::AsyncBufRead + Unpin)) -> Option<Visit> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok().filter(|length| *length > 0)?;
        let line = line.trim_end().to_owned();
        if line.is_empty() {
            break;
        }
        lines.push(line);
    }
    let header = |name: &str| -> String {
        let mut pairs = lines.iter().filter_map(|line| line.split_once(": "));
        pairs.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned()).unwrap_or_default()
    };
    let mut body = vec![0; header("content-length").parse().unwrap_or_default()];
    stream.read_exact(&mut body).await.ok()?;
    let mut words = lines.first()?.split(' ').map(str::to_owned);
    Some(Visit {
        method: words.next()?,
        path: words.next()?,
        cookies: header("cookie"),
        destination: header("sec-fetch-dest"),
        body: String::from_utf8(body).ok()?,
    })
}
