//! Syslog (RFC 5424) over TLS (RFC 5425). The protocol knows no receipt, so each batch has a connection of its own: we
//! close our side by TLS, and a receiver that closes its own by TLS in turn (RFC 5425, 4.4) has read all before. The end
//! of the connection alone says nothing: whoever stands between the two can bring that about.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, SecondsFormat};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::SinkLine;
use crate::{CallError, SettingsError};

/// "log audit" (RFC 5424, 6.2.1).
const FACILITY: u8 = 13;
const NOTICE: u8 = 5;
const WARNING: u8 = 4;
/// How much an answer may hold before it is none: receivers say nothing.
const MAX_ANSWER: u64 = 1024;

/// Where a receiver is.
#[derive(Clone, Debug)]
pub struct SyslogSettings {
    /// Its name: in its certificate too.
    pub host: String,
    /// Its port; 6514 is registered for this.
    pub port: u16,
    /// PEM file of CA certificates trusted beside the system's.
    pub ca_file: Option<PathBuf>,
    /// PEM files of a certificate chain and its key that we show (RFC 5425, 4.2.1).
    pub certificate: Option<(PathBuf, PathBuf)>,
    /// What we call ourselves: `HOSTNAME` of each message.
    pub hostname: String,
}

/// A receiver of messages.
#[derive(Clone)]
pub struct Syslog {
    host: String,
    port: u16,
    hostname: String,
    name: ServerName<'static>,
    connector: TlsConnector,
}

impl fmt::Debug for Syslog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Syslog").field("host", &self.host).field("port", &self.port).finish_non_exhaustive()
    }
}

impl Syslog {
    /// Reads the files; connects only when something is to be sent.
    pub fn new(settings: SyslogSettings) -> Result<Self, SettingsError> {
        let SyslogSettings { host, port, ca_file, certificate, hostname } = settings;
        let no_name = |_| SettingsError::Value { key: "host", reason: "is neither a name nor an address" };
        let name = ServerName::try_from(host.clone()).map_err(no_name)?;
        if hostname.is_empty() || hostname.len() > 255 || !hostname.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(SettingsError::Value { key: "hostname", reason: "1 to 255 visible ASCII characters" });
        }
        let builder = ClientConfig::builder().with_root_certificates(roots(ca_file.as_deref())?);
        let config = match &certificate {
            None => builder.with_no_client_auth(),
            Some((chain, key)) => {
                let tls = |error: rustls::Error| SettingsError::Tls(error.to_string());
                builder.with_client_auth_cert(read_chain(chain)?, read_key(key)?).map_err(tls)?
            }
        };
        Ok(Self { host, port, hostname, name, connector: TlsConnector::from(Arc::new(config)) })
    }

    /// Hands `lines` over.
    pub(super) async fn send(&self, lines: &[SinkLine]) -> Result<(), CallError> {
        let frames: Vec<u8> = lines.iter().flat_map(|line| frame(&self.hostname, line)).collect();
        self.exchange(&frames).await.map_err(|error| CallError::Temporary(describe(&error)))
    }

    async fn exchange(&self, frames: &[u8]) -> io::Result<()> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
        let mut stream = self.connector.connect(self.name.clone(), stream).await?;
        stream.write_all(frames).await?;
        stream.shutdown().await?;
        let mut answer = Vec::new();
        match stream.take(MAX_ANSWER).read_to_end(&mut answer).await {
            Err(error) => Err(error),
            _ if answer.is_empty() => Ok(()),
            _ => Err(io::Error::other("the receiver answers, which no syslog receiver does")),
        }
    }
}

/// A message in a frame (RFC 5425, 4.3; RFC 5424, 6). Without structured data: all there is to tell is in the line.
fn frame(hostname: &str, line: &SinkLine) -> Vec<u8> {
    let priority = FACILITY * 8 + if line.is_failure { WARNING } else { NOTICE };
    let at = DateTime::from_timestamp_millis(line.at.as_millis()).unwrap_or_default();
    let at = at.to_rfc3339_opts(SecondsFormat::Millis, true);
    let (kind, text) = (line.kind, &line.text);
    let message = format!("<{priority}>1 {at} {hostname} countersign - {kind} - {text}");
    format!("{} {message}", message.len()).into_bytes()
}

/// What the log says: kinds of errors and TLS alerts, no contents.
fn describe(error: &io::Error) -> String {
    error.get_ref().map_or_else(|| error.kind().to_string(), ToString::to_string)
}

fn roots(ca_file: Option<&Path>) -> Result<RootCertStore, SettingsError> {
    let mut roots = RootCertStore::empty();
    let system = rustls_native_certs::load_native_certs();
    for error in &system.errors {
        tracing::warn!(%error, "a CA certificate of this machine cannot be used");
    }
    roots.add_parsable_certificates(system.certs);
    if let Some(path) = ca_file {
        for certificate in read_chain(path)? {
            let unusable =
                |error: rustls::Error| SettingsError::CaFile { path: path.to_owned(), reason: error.to_string() };
            roots.add(certificate).map_err(unusable)?;
        }
    }
    Ok(roots)
}

fn read_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, SettingsError> {
    let unusable = |reason: String| SettingsError::CaFile { path: path.to_owned(), reason };
    let chain = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let chain = chain.map_err(|error| unusable(error.to_string()))?;
    if chain.is_empty() { Err(unusable("no certificate in it".to_owned())) } else { Ok(chain) }
}

fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>, SettingsError> {
    PrivateKeyDer::from_pem_file(path).map_err(|error| SettingsError::Tls(format!("{}: {error}", path.display())))
}

#[cfg(test)]
mod tests;
