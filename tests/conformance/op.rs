//! The provider under test: a demo over https.

use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use countersign_tests::servers::{Demo, DemoOptions, FakeClock, binary};
use countersign_tests::user_agent::{Answer, UserAgent, program};
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{DecodingKey, Header, Validation};
use reqwest::{Certificate, Identity};
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::RwLock;

/// A running provider and what it says of itself.
pub struct Op {
    /// The demo.
    pub demo: Demo,
    /// A program's client that trusts the demo's CA and follows no redirect.
    pub http: reqwest::Client,
    /// The discovery document.
    pub metadata: Value,
    /// Held by every module that runs; alone by those that move the clock.
    pub turn: RwLock<()>,
    ca: Certificate,
    clock: FakeClock,
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
        let clock = FakeClock::new();
        let options = DemoOptions { flags, env, clock: Some(clock.clone()), ..DemoOptions::default() };
        let demo = Demo::start(options).await;
        let ca = std::fs::read(demo.ca_file.as_ref().expect("a CA")).expect("the CA's file");
        let ca = Certificate::from_pem(&ca).expect("a certificate");
        let http = client(&ca, None);
        let url = format!("{}/.well-known/openid-configuration", demo.issuer);
        let metadata = Answer::to(http.get(url)).await.json();
        Self { demo, http, metadata, turn: RwLock::default(), ca, clock, folder }
    }

    /// A program's client that shows a certificate to whoever asks for one.
    pub fn client_with(&self, identity: Identity) -> reqwest::Client {
        client(&self.ca, Some(identity))
    }

    /// Moves the provider's clock ahead; only for a module that runs alone.
    pub fn pass(&self, span: Duration) {
        self.clock.pass(span);
    }

    /// Seconds since 1970 by the provider's clock.
    #[expect(clippy::disallowed_methods, reason = "what another process says is held to the real time")]
    pub fn now(&self) -> i64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970") + self.clock.ahead();
        i64::try_from(since.as_secs()).expect("small")
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
        let mut command = Command::new(binary());
        command
            .args(["keys", "rotate"])
            .env("COUNTERSIGN__SERVER__ISSUER", &self.demo.issuer)
            .env("COUNTERSIGN__DATABASE__URL", database)
            .env("COUNTERSIGN__SECRETS__MASTER_KEY_FILE", self.folder.path().join("master.key"));
        self.clock.apply(&mut command);
        let status = command.status();
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

/// A client that trusts `ca` alone and follows no redirect.
fn client(ca: &Certificate, identity: Option<Identity>) -> reqwest::Client {
    let builder = program().tls_certs_only([ca.clone()]);
    identity.into_iter().fold(builder, reqwest::ClientBuilder::identity).build().expect("a client")
}
