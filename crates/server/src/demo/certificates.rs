//! A throw-away certificate authority for `demo --tls`.

use std::fs;
use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};
use serde::{Deserialize, Serialize};

/// Where the certificates are.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Files {
    /// Certificate of the authority.
    pub(crate) ca: PathBuf,
    /// Certificate of every listener: localhost, 127.0.0.1 and ::1.
    pub(crate) certificate: PathBuf,
    /// Its private key.
    pub(crate) key: PathBuf,
}

/// Makes an authority and a certificate for localhost in `folder`; the authority's key is forgotten.
pub(crate) fn make(folder: &Path) -> Result<Files, String> {
    let files = Files {
        ca: folder.join("ca.pem"),
        certificate: folder.join("localhost.pem"),
        key: folder.join("localhost.key"),
    };
    let (ca, certificate, key) = issue().map_err(|error| format!("certificates: {error}"))?;
    for (path, text) in [(&files.ca, ca), (&files.certificate, certificate), (&files.key, key)] {
        fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(files)
}

fn issue() -> Result<(String, String, String), rcgen::Error> {
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    authority.distinguished_name.push(DnType::CommonName, "Countersign demo, throw-away");
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate()?)?;
    let mut listener = CertificateParams::new(["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()])?;
    listener.distinguished_name.push(DnType::CommonName, "localhost");
    let key = KeyPair::generate()?;
    let certificate = listener.signed_by(&key, &authority)?;
    Ok((authority.pem(), certificate.pem(), key.serialize_pem()))
}
