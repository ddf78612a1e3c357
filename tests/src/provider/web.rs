//! Tiny web servers of others: what a provider calls out to.

use std::sync::Arc;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// A request as a server sees it.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Its path.
    pub path: String,
    /// The header `Countersign-Signature`.
    pub signature: Option<String>,
    /// The header `Authorization`.
    pub authorization: Option<String>,
    /// Its body.
    pub body: String,
}

/// Serves JSON on 127.0.0.1 until the runtime ends; none: never answers. A redirect leads to what is its body. The
/// address without a slash at the end.
///
/// # Panics
/// When there is no port.
pub async fn serve_json(answer: impl Fn(&Asked) -> Option<(u16, String)> + Send + Sync + 'static) -> String {
    serve_as("application/json", answer).await
}

/// The same, as another media type.
///
/// # Panics
/// When there is no port.
pub async fn serve_as(
    media_type: &'static str,
    answer: impl Fn(&Asked) -> Option<(u16, String)> + Send + Sync + 'static,
) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("port");
    let port = listener.local_addr().expect("address").port();
    let answer = Arc::new(answer);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let answer = Arc::clone(&answer);
            tokio::spawn(async move { serve_one(stream, media_type, &*answer).await });
        }
    });
    format!("http://127.0.0.1:{port}")
}

async fn serve_one(
    stream: TcpStream,
    media_type: &str,
    answer: &(dyn Fn(&Asked) -> Option<(u16, String)> + Send + Sync),
) {
    let mut stream = BufReader::new(stream);
    let Some(asked) = read_request(&mut stream).await else { return };
    let Some((status, body)) = answer(&asked) else { return std::future::pending().await };
    let head = format!("HTTP/1.1 {status} X\r\ncontent-type: {media_type}\r\nconnection: close\r\n");
    let place = if (300..400).contains(&status) { format!("location: {body}\r\n") } else { String::new() };
    let response = format!("{head}{place}content-length: {}\r\n\r\n{body}", body.len());
    let _ = stream.write_all(response.as_bytes()).await;
    let _ = stream.shutdown().await;
}

async fn read_request(stream: &mut BufReader<TcpStream>) -> Option<Asked> {
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
    let header = |name: &str| -> Option<String> {
        let mut pairs = lines.iter().filter_map(|line| line.split_once(": "));
        pairs.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned())
    };
    let length = header("content-length");
    let mut body = vec![0; length.and_then(|length| length.parse().ok()).unwrap_or_default()];
    stream.read_exact(&mut body).await.ok()?;
    let path = lines.first()?.split(' ').nth(1)?.to_owned();
    let (signature, authorization) = (header("countersign-signature"), header("authorization"));
    Some(Asked { path, signature, authorization, body: String::from_utf8(body).ok()? })
}
