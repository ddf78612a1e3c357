//! Loopback listeners, and TLS for them.

use crate::SandboxError;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Certificate chain and key, PEM.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// The certificate first, then its intermediates.
    pub certificate: PathBuf,
    /// PKCS#8, PKCS#1 or SEC1.
    pub key: PathBuf,
}

/// One port on 127.0.0.1 and, where the machine has it, on `[::1]`: `localhost` may mean either.
pub struct Loopback {
    pub port: u16,
    pub listeners: Vec<TcpListener>,
}

/// Port 0 takes a free one that both addresses have.
pub fn bind_loopback(port: u16) -> Result<Loopback, SandboxError> {
    const TRIES: usize = 16;
    let failed = |source| SandboxError::Bind { port, source };
    let mut outcome = bind_both(port);
    for _ in 1..TRIES {
        match &outcome {
            Err(error) if port == 0 && error.kind() == ErrorKind::AddrInUse => outcome = bind_both(port),
            _ => break,
        }
    }
    outcome.map_err(failed)
}

fn bind_both(port: u16) -> std::io::Result<Loopback> {
    let first = bind(Ipv4Addr::LOCALHOST.into(), port)?;
    let port = first.local_addr()?.port();
    match bind(Ipv6Addr::LOCALHOST.into(), port) {
        Ok(second) => Ok(Loopback { port, listeners: vec![first, second] }),
        // Somebody else would answer half of the requests to localhost.
        Err(error) if error.kind() == ErrorKind::AddrInUse => Err(error),
        Err(error) => {
            tracing::debug!(%error, "no IPv6 loopback; serving 127.0.0.1 alone");
            Ok(Loopback { port, listeners: vec![first] })
        }
    }
}

fn bind(address: IpAddr, port: u16) -> std::io::Result<TcpListener> {
    let listener = TcpListener::bind(SocketAddr::new(address, port))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// HTTP/1.1 over TLS 1.2 and 1.3.
pub fn tls_config(files: &TlsFiles) -> Result<ServerConfig, SandboxError> {
    let unreadable = |path: &Path| {
        let path = path.to_owned();
        move |error: rustls::pki_types::pem::Error| SandboxError::File { path, reason: error.to_string() }
    };
    let chain = CertificateDer::pem_file_iter(&files.certificate)
        .and_then(Iterator::collect)
        .map_err(unreadable(&files.certificate))?;
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(unreadable(&files.key))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_refused_by_name() {
        let first = bind_loopback(0).unwrap();
        let Err(error) = bind_loopback(first.port) else { panic!("bound twice") };
        assert!(error.to_string().contains(&first.port.to_string()), "{error}");
    }

    #[test]
    fn a_missing_certificate_is_named() {
        let missing = TlsFiles { certificate: "no/such.pem".into(), key: "no/such.key".into() };
        let error = tls_config(&missing).unwrap_err();
        assert!(error.to_string().contains("no/such.pem"), "{error}");
    }
}
