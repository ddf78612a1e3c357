//! Serving over TLS with a private CA.

use crate::support::{Carrier, client, settings, start_carrier};
use countersign_sandbox::{CarrierSettings, TlsFiles};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use std::path::PathBuf;
use std::time::Duration;

/// A CA and a certificate for localhost.
fn make_certificates(folder: &std::path::Path) -> (PathBuf, TlsFiles) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &ca).unwrap();
    let write = |name: &str, text: String| {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let files =
        TlsFiles { certificate: write("cert.pem", certificate.pem()), key: write("key.pem", key.serialize_pem()) };
    (write("ca.pem", ca.pem()), files)
}

#[tokio::test]
async fn a_carrier_over_tls_is_reached_through_its_ca() {
    let folder = tempfile::tempdir().unwrap();
    let (ca, files) = make_certificates(folder.path());
    let mut carrier = start_carrier(CarrierSettings { tls: Some(files), ..settings() });
    assert!(carrier.http.get(carrier.url("/api/messages")).send().await.is_err());
    let root = reqwest::Certificate::from_pem(&std::fs::read(&ca).unwrap()).unwrap();
    carrier.http =
        reqwest::Client::builder().tls_certs_only([root]).no_proxy().timeout(Duration::from_secs(20)).build().unwrap();
    assert!(carrier.messages("").await.is_empty());
}

#[tokio::test]
async fn a_customer_over_tls_is_called_if_its_ca_is_known() {
    let folder = tempfile::tempdir().unwrap();
    let (ca, files) = make_certificates(folder.path());
    // Any TLS server will do as the customer; this one has no such page.
    let customer = start_carrier(CarrierSettings { tls: Some(files), ..settings() });
    let knows = start_carrier(CarrierSettings { ca_file: Some(ca), ..settings() });
    let does_not = start_carrier(settings());
    let outcome = async |carrier: &Carrier| {
        let sid = carrier.call(&[("Url", &customer.url("/voice"))]).await;
        carrier.press(&sid, "1").await.1["text"].as_str().unwrap().to_owned()
    };
    assert!(outcome(&knows).await.contains("answered 404"));
    assert!(outcome(&does_not).await.contains("certificate"));
    drop(client());
}
