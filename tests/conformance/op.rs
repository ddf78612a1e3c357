//! The provider under test: a demo over https.

use std::process::Command;

use countersign_tests::servers::{Demo, DemoOptions, binary};
use countersign_tests::user_agent::{Answer, UserAgent};
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{DecodingKey, Header, Validation};
use reqwest::Certificate;
use reqwest::redirect::Policy;
use serde_json::Value;
use tempfile::TempDir;

/// A running provider and what it says of itself.
pub struct Op {
    /// The demo.
    pub demo: Demo,
    /// A program's client that trusts the demo's CA and follows no redirect.
    pub http: reqwest::Client,
    /// The discovery document.
    pub metadata: Value,
    folder: TempDir,
}

impl Op {
    /// Starts one and reads its discovery document.
    pub async fn start() -> Self {
        // Everything comes from one address here.
        let env = [("RUST_LOG", "warn"), ("COUNTERSIGN__LIMITS__ATTEMPTS", "2000")];
        let env = env.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        let folder = tempfile::tempdir().expect("a folder");
        let flags = ["--tls", "--data-dir", folder.path().to_str().expect("UTF-8")].map(str::to_owned).to_vec();
        let demo = Demo::start(DemoOptions { flags, env, ..DemoOptions::default() }).await;
        let ca = std::fs::read(demo.ca_file.as_ref().expect("a CA")).expect("the CA's file");
        let ca = Certificate::from_pem(&ca).expect("a certificate");
        let builder = reqwest::Client::builder().no_proxy().redirect(Policy::none()).tls_certs_only([ca]);
        let http = builder.build().expect("client");
        let url = format!("{}/.well-known/openid-configuration", demo.issuer);
        let metadata = Answer::to(http.get(url)).await.json();
        Self { demo, http, metadata, folder }
    }

    /// Address of an endpoint by its metadata name.
    pub fn endpoint(&self, name: &str) -> &str {
        self.metadata[name].as_str().unwrap_or_else(|| panic!("no {name} in the discovery document"))
    }

    /// Whether a list of the discovery document has `value`.
    pub fn supports(&self, list: &str, value: &str) -> bool {
        self.metadata[list].as_array().is_some_and(|values| values.iter().any(|known| known == value))
    }

    /// A browser without cookies.
    pub fn browser(&self) -> UserAgent {
        UserAgent::with(self.http.clone())
    }

    /// Makes new signing keys, as an operator does.
    pub fn rotate_keys(&self) {
        let database = format!("sqlite:{}", self.folder.path().join("countersign.db").display());
        let status = Command::new(binary())
            .args(["keys", "rotate"])
            .env("COUNTERSIGN__SERVER__ISSUER", &self.demo.issuer)
            .env("COUNTERSIGN__DATABASE__URL", database)
            .env("COUNTERSIGN__SECRETS__MASTER_KEY_FILE", self.folder.path().join("master.key"))
            .status();
        assert!(status.expect("countersign keys rotate").success());
    }

    /// The published keys.
    pub async fn jwks(&self) -> JwkSet {
        let answer = Answer::to(self.http.get(self.endpoint("jwks_uri"))).await;
        serde_json::from_str(&answer.body).expect("a JWK Set")
    }

    /// Header and claims of a JWT whose signature the published keys prove.
    pub async fn verify(&self, token: &str) -> (Header, Value) {
        let header = jsonwebtoken::decode_header(token).expect("a JWS");
        let jwks = self.jwks().await;
        let key = jwks.find(header.kid.as_deref().expect("a kid")).expect("a published key");
        let mut validation = Validation::new(header.alg);
        validation.validate_aud = false;
        validation.validate_exp = false;
        validation.required_spec_claims.clear();
        let key = DecodingKey::from_jwk(key).expect("a key");
        let decoded = jsonwebtoken::decode::<Value>(token, &key, &validation).expect("a valid signature");
        (header, decoded.claims)
    }
}
