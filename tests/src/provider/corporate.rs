//! A corporate OpenID Provider that vouches for whomever a test names.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_lc_rs::digest;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_model::SigningAlgorithm;
use countersign_outbound::{HttpClient, HttpSettings, Upstream, UpstreamSettings};
use countersign_protocol::{PrivateKey, keys};
use countersign_service::{ClaimNames, FederationSettings, LinkRule, Response, UpstreamAnswer};
use secrecy::SecretString;
use serde_json::{Value, json};

use super::person::parameter;
use super::web::{Asked, serve_json};
use crate::stores::TestClock;

/// Our client id there.
const CLIENT: &str = "countersign";

/// The provider, listening until the runtime ends.
pub struct Corporate {
    /// Its issuer identifier.
    pub issuer: String,
    state: Arc<Mutex<State>>,
}

struct Granted {
    challenge: String,
    claims: Value,
    access_token: String,
}

/// What UserInfo does.
#[derive(Clone, Debug)]
pub enum UserInfo {
    /// Tells these claims to whoever shows the access token of the last exchange.
    Tells(Value),
    /// Answers so.
    Fails(u16, String),
}

struct State {
    clock: TestClock,
    issuer: String,
    key: Key,
    codes: BTreeMap<String, Granted>,
    exchanges: usize,
    issued: usize,
    userinfo: Option<UserInfo>,
    /// Access tokens it gave.
    given: Vec<String>,
    /// How often UserInfo was asked.
    told: usize,
}

struct Key {
    private: PrivateKey,
    jwk: Value,
}

impl Key {
    fn new(name: &str) -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("key");
        let der = pair.to_pkcs8v1().expect("pkcs8");
        let id: countersign_model::KeyId = name.parse().expect("kid");
        let jwk = keys::public_jwk(SigningAlgorithm::ES256, &id, der.as_ref()).expect("jwk");
        let private = PrivateKey::from_pkcs8(SigningAlgorithm::ES256, id, der.as_ref()).expect("key");
        Self { private, jwk }
    }
}

impl Corporate {
    /// Opens it.
    ///
    /// # Panics
    /// When there is no port.
    pub async fn open(clock: &TestClock) -> Self {
        let state = State {
            clock: clock.clone(),
            issuer: String::new(),
            key: Key::new("first"),
            codes: BTreeMap::new(),
            exchanges: 0,
            issued: 0,
            userinfo: None,
            given: Vec::new(),
            told: 0,
        };
        let state = Arc::new(Mutex::new(state));
        let shared = Arc::clone(&state);
        let issuer = serve_json(move |asked| Some(lock(&shared).answer(asked))).await;
        lock(&state).issuer.clone_from(&issuer);
        Self { issuer, state }
    }

    /// What a node is told of it.
    ///
    /// # Panics
    /// When its settings contradict themselves.
    pub fn settings(&self, link: LinkRule, domains: &[&str]) -> FederationSettings {
        let http = HttpClient::new(&HttpSettings { allow_private: true, ..HttpSettings::default() }).expect("client");
        let settings = UpstreamSettings {
            issuer: self.issuer.clone(),
            client_id: CLIENT.to_owned(),
            client_secret: SecretString::from("a secret of the tests"),
            timeout: Duration::from_secs(5),
        };
        FederationSettings {
            id: "corporate".to_owned(),
            upstream: Upstream::new(settings, http).expect("upstream"),
            scopes: "openid email profile".to_owned(),
            domains: domains.iter().map(|domain| (*domain).to_owned()).collect(),
            link,
            claims: ClaimNames::default(),
        }
    }

    /// Signs a person in whose browser came with `sent`: what it brings back. `claims` stand above those of the token.
    ///
    /// # Panics
    /// When the browser was not sent as it must be.
    pub fn vouch(&self, sent: &Response, claims: &Value) -> UpstreamAnswer {
        let given = |name: &str| parameter(sent, name).unwrap_or_else(|| panic!("no {name}"));
        assert_eq!((given("code_challenge_method"), given("client_id")), ("S256".to_owned(), CLIENT.to_owned()));
        let mut state = lock(&self.state);
        let now = state.clock.now().as_secs();
        let mut token = json!({
            "iss": self.issuer, "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": given("nonce"), "auth_time": now,
        });
        token.as_object_mut().expect("object").extend(claims.as_object().expect("claims").clone());
        state.issued += 1;
        let code = format!("code-{}", state.issued);
        let granted = Granted {
            challenge: given("code_challenge"),
            claims: token,
            access_token: format!("access-{}", state.issued),
        };
        state.codes.insert(code.clone(), granted);
        UpstreamAnswer { state: given("state"), code: Some(code), iss: Some(self.issuer.clone()), error: None }
    }

    /// How many codes it was given.
    pub fn exchanges(&self) -> usize {
        lock(&self.state).exchanges
    }

    /// Has a UserInfo endpoint from its next metadata on, which does this.
    pub fn tell_more(&self, userinfo: UserInfo) {
        lock(&self.state).userinfo = Some(userinfo);
    }

    /// How often UserInfo was asked.
    pub fn told(&self) -> usize {
        lock(&self.state).told
    }

    /// Signs with another key from now on.
    pub fn change_key(&self) {
        lock(&self.state).key = Key::new("second");
    }
}

impl State {
    fn answer(&mut self, asked: &Asked) -> (u16, String) {
        let issuer = &self.issuer;
        let body = match asked.path.as_str() {
            "/.well-known/openid-configuration" => json!({
                "issuer": issuer,
                "authorization_endpoint": format!("{issuer}/authorize"),
                "token_endpoint": format!("{issuer}/token"),
                "jwks_uri": format!("{issuer}/jwks"),
                "token_endpoint_auth_methods_supported": ["client_secret_basic"],
                "id_token_signing_alg_values_supported": ["ES256"],
                "authorization_response_iss_parameter_supported": true,
                "userinfo_endpoint": self.userinfo.as_ref().map(|_| format!("{issuer}/userinfo")),
            }),
            "/userinfo" => return self.tell(asked),
            "/jwks" => json!({ "keys": [self.key.jwk] }),
            "/token" => return self.exchange(&asked.body),
            _ => return (404, "{}".to_owned()),
        };
        (200, body.to_string())
    }

    fn tell(&mut self, asked: &Asked) -> (u16, String) {
        self.told += 1;
        let bearer = self.given.last().map(|token| format!("Bearer {token}"));
        match &self.userinfo {
            Some(UserInfo::Tells(claims)) if asked.authorization == bearer => (200, claims.to_string()),
            Some(UserInfo::Fails(status, body)) => (*status, body.clone()),
            _ => (401, "{}".to_owned()),
        }
    }

    fn exchange(&mut self, body: &str) -> (u16, String) {
        self.exchanges += 1;
        let form: BTreeMap<String, String> = url::form_urlencoded::parse(body.as_bytes()).into_owned().collect();
        let granted = form.get("code").and_then(|code| self.codes.remove(code));
        let verifier = form.get("code_verifier").map(String::as_str).unwrap_or_default();
        let challenge = URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, verifier.as_bytes()));
        match granted.filter(|granted| granted.challenge == challenge) {
            Some(granted) => {
                let token = self.key.private.sign("JWT", &granted.claims).expect("sign");
                self.given.push(granted.access_token.clone());
                let access = &granted.access_token;
                (200, json!({ "id_token": token, "access_token": access, "token_type": "Bearer" }).to_string())
            }
            None => (400, json!({ "error": "invalid_grant" }).to_string()),
        }
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
