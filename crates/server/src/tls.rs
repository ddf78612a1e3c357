//! TLS of the listeners.

use std::any::Any;
use std::path::Path;
use std::sync::Arc;

use actix_tls::accept::rustls_0_23::TlsStream;
use actix_web::dev::Extensions;
use actix_web::rt::net::TcpStream;
use countersign_protocol::{CertificateThumbprint, ShownCertificate};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, RootCertStore, ServerConfig, SignatureScheme};

/// Whether a listener asks its clients for a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientCertificates {
    /// Never: a browser would ask the person which one.
    NotAsked,
    /// Asked for; none is accepted too (RFC 8705, 5).
    Asked,
}

/// TLS 1.2 and 1.3 with the certificate chain and key of two PEM files.
pub fn server_config(certificate: &Path, key: &Path, clients: ClientCertificates) -> Result<ServerConfig, String> {
    let failed = |path: &Path, error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| failed(certificate, &error))?;
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| failed(key, &error))?;
    let builder = ServerConfig::builder();
    let builder = match clients {
        ClientCertificates::NotAsked => builder.with_no_client_auth(),
        ClientCertificates::Asked => {
            let provider = Arc::clone(builder.crypto_provider());
            builder.with_client_cert_verifier(Arc::new(AnyCertificate(provider)))
        }
    };
    builder.with_single_cert(chain, private).map_err(|error| failed(certificate, &error))
}

/// Those who vouch for clients by name (RFC 8705, 2.1).
#[derive(Clone, Debug)]
pub struct Authorities(Arc<dyn ClientCertVerifier>);

impl Authorities {
    /// The CA certificates of a PEM file.
    pub fn open(path: &Path) -> Result<Self, String> {
        let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(path).map_err(|error| failed(&error))? {
            let certificate = certificate.map_err(|error| failed(&error))?;
            roots.add(certificate).map_err(|error| failed(&error))?;
        }
        let verifier = WebPkiClientVerifier::builder(Arc::new(roots)).build().map_err(|error| failed(&error))?;
        Ok(Self(verifier))
    }

    /// Whether the chain is valid now, for a client, under one of them.
    fn vouch_for(&self, chain: &[CertificateDer<'_>]) -> bool {
        let Some((leaf, intermediates)) = chain.split_first() else { return false };
        self.0.verify_client_cert(leaf, intermediates, UnixTime::now()).is_ok()
    }
}

/// Keeps the certificate a client showed beside its connection. For `HttpServer::on_connect`.
pub fn keep_certificate(authorities: Option<&Authorities>, connection: &dyn Any, extensions: &mut Extensions) {
    let stream = connection.downcast_ref::<TlsStream<TcpStream>>();
    let Some(chain) = stream.and_then(|stream| stream.get_ref().1.peer_certificates()) else { return };
    let Some(certificate) = chain.first() else { return };
    let is_trusted = authorities.is_some_and(|authorities| authorities.vouch_for(chain));
    extensions.insert(CertificateThumbprint::of(certificate));
    extensions.insert(ShownCertificate::new(certificate.to_vec(), is_trusted));
}

/// Accepts every certificate whose key the client holds: tokens are bound to the certificate itself, whoever signed it
/// (RFC 8705, 3). Who a client is, its registration decides.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ClientCertVerifier for AnyCertificate {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn verify_client_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
