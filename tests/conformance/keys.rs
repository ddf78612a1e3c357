//! The relying party's key and the web site it publishes things on.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use countersign_tests::provider::web::{Asked, serve_json};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

/// An RSA key of a relying party.
pub struct RpKey {
    id: String,
    encoding: EncodingKey,
    public: Value,
}

impl RpKey {
    /// A fresh one.
    pub fn new(id: &str) -> Self {
        let pair = KeyPair::generate(KeySize::Rsa2048).expect("a key");
        let der: aws_lc_rs::encoding::Pkcs8V1Der<'_> = pair.as_der().expect("PKCS#8");
        let body = STANDARD.encode(der.as_ref());
        let lines: Vec<&str> = body.as_bytes().chunks(64).filter_map(|line| std::str::from_utf8(line).ok()).collect();
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", lines.join("\n"));
        let encoding = EncodingKey::from_rsa_pem(pem.as_bytes()).expect("a key");
        let key = pair.public_key();
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let (n, e) = (key.modulus(), key.exponent());
        let public = json!({
            "kty": "RSA", "kid": id, "use": "sig",
            "n": text(n.big_endian_without_leading_zero()), "e": text(e.big_endian_without_leading_zero()),
        });
        Self { id: id.to_owned(), encoding, public }
    }

    /// `claims` signed with RS256.
    pub fn sign(&self, typ: &str, claims: &Value) -> String {
        self.sign_with(Algorithm::RS256, typ, claims)
    }

    /// `claims` signed with an algorithm of RSA keys.
    pub fn sign_with(&self, algorithm: Algorithm, typ: &str, claims: &Value) -> String {
        let mut header = Header::new(algorithm);
        header.typ = Some(typ.to_owned());
        header.kid = Some(self.id.clone());
        jsonwebtoken::encode(&header, claims, &self.encoding).expect("a JWS")
    }

    /// The JWK Set with its public half.
    pub fn jwks(&self) -> Value {
        json!({ "keys": [self.public] })
    }
}

/// `claims` as a JWT that nobody signed.
pub fn unsigned(claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.", part(&json!({"alg": "none"})), part(claims))
}

/// The claims of a JWT that nobody signed (RFC 7518, 3.6), and says so.
pub fn read_unsigned(token: &str) -> Value {
    let parts: Vec<&str> = token.split('.').collect();
    let [header, claims, ""] = parts[..] else { panic!("a signature: {token}") };
    let part = |text: &str| -> Value { serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).unwrap()).unwrap() };
    assert_eq!(part(header)["alg"], "none");
    part(claims)
}

/// A web site of the relying party on loopback: documents by path, and what was posted to it.
#[derive(Clone)]
pub struct Site {
    /// Its origin.
    pub origin: String,
    documents: Arc<Mutex<HashMap<String, String>>>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Site {
    /// Opens an empty one.
    pub async fn open() -> Self {
        let documents: Arc<Mutex<HashMap<String, String>>> = Arc::default();
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let (shown, heard) = (Arc::clone(&documents), Arc::clone(&asked));
        let origin = serve_json(move |request| {
            heard.lock().expect("lock").push(request.clone());
            let path = request.path.split('?').next().unwrap_or_default();
            let found = shown.lock().expect("lock").get(path).cloned();
            Some(found.map_or((404, String::new()), |document| (200, document)))
        });
        Self { origin: origin.await, documents, asked }
    }

    /// Publishes `document` under `path`; answers its address.
    pub fn publish(&self, path: &str, document: &(impl ToString + ?Sized)) -> String {
        self.documents.lock().expect("lock").insert(path.to_owned(), document.to_string());
        format!("{}{path}", self.origin)
    }

    /// What was asked of `path` so far.
    pub fn asked(&self, path: &str) -> Vec<Asked> {
        let all = self.asked.lock().expect("lock");
        all.iter().filter(|asked| asked.path.split('?').next() == Some(path)).cloned().collect()
    }
}
