//! A small OpenID Provider that can lie.

use actix_web::http::StatusCode;
use actix_web::web::{self, Bytes};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

pub const SECRET: &str = "case-portal-test-secret";

/// What the next answers say.
pub struct Behaviour {
    pub key: EcdsaKeyPair,
    pub key_id: &'static str,
    /// Merged over the ID token's claims; null removes one.
    pub claims: Value,
    pub userinfo: Value,
    pub promises_issuer: bool,
    /// Whether there is an `end_session_endpoint`.
    pub ends_sessions: bool,
    /// Seconds, of access tokens.
    pub expires_in: i64,
    /// Status and error of the answers to refresh tokens; none: new tokens.
    pub refusal: Option<(u16, &'static str)>,
    /// What was given back.
    pub revoked: Vec<String>,
    /// Per code: the nonce.
    pub nonces: BTreeMap<String, String>,
    pub token_requests: Vec<(BTreeMap<String, String>, String)>,
}

#[derive(Clone)]
pub struct TestProvider {
    pub issuer: String,
    pub behaviour: Arc<Mutex<Behaviour>>,
}

pub fn make_key() -> EcdsaKeyPair {
    EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap()
}

/// Reserves the address; nobody answers yet.
pub fn make_provider() -> (TestProvider, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let behaviour = Behaviour {
        key: make_key(),
        key_id: "one",
        claims: json!({}),
        userinfo: json!({ "sub": "user-1", "name": "Daisy Duck <b>", "email": "dduck@example.com" }),
        promises_issuer: true,
        ends_sessions: true,
        expires_in: 300,
        refusal: None,
        revoked: Vec::new(),
        nonces: BTreeMap::new(),
        token_requests: Vec::new(),
    };
    let issuer = format!("http://{}", listener.local_addr().unwrap());
    (TestProvider { issuer, behaviour: Arc::new(Mutex::new(behaviour)) }, listener)
}

pub fn start_provider() -> TestProvider {
    let (provider, listener) = make_provider();
    provider.serve(listener);
    provider
}

impl TestProvider {
    pub fn serve(&self, listener: TcpListener) {
        let provider = self.clone();
        let handle = move |request: HttpRequest, body: Bytes| {
            let (status, answer) = provider.answer(&request, &body);
            async move { HttpResponse::build(StatusCode::from_u16(status).unwrap()).json(answer) }
        };
        std::thread::spawn(move || {
            let server = HttpServer::new(move || App::new().default_service(web::to(handle.clone()))).workers(1);
            actix_web::rt::System::new().block_on(server.listen(listener).unwrap().run()).unwrap();
        });
    }

    pub fn change(&self, change: impl FnOnce(&mut Behaviour)) {
        change(&mut self.behaviour.lock().unwrap());
    }

    fn answer(&self, request: &HttpRequest, body: &[u8]) -> (u16, Value) {
        let mut behaviour = self.behaviour.lock().unwrap();
        let form: BTreeMap<_, _> = url::form_urlencoded::parse(body).into_owned().collect();
        if let Some((status, error)) = behaviour.refusal.filter(|_| form.contains_key("refresh_token")) {
            return (status, json!({ "error": error }));
        }
        let answer = match request.path() {
            "/.well-known/openid-configuration" => self.metadata(&behaviour),
            "/jwks" => json!({ "keys": [public_key(&behaviour)] }),
            "/userinfo" => behaviour.userinfo.clone(),
            "/token" => {
                let nonce = form.get("code").map(|code| behaviour.nonces.get(code).cloned().unwrap_or_default());
                let authorization = request.headers().get("authorization").unwrap().to_str().unwrap().to_owned();
                behaviour.token_requests.push((form, authorization));
                let id_token = self.sign_id_token(&behaviour, nonce.as_deref());
                let refresh_token = format!("rt-{}", behaviour.token_requests.len());
                json!({
                    "access_token": "at", "token_type": "Bearer", "expires_in": behaviour.expires_in,
                    "refresh_token": refresh_token, "id_token": id_token,
                })
            }
            "/revoke" => {
                behaviour.revoked.push(form["token"].clone());
                json!({})
            }
            other => panic!("asked for {other}"),
        };
        (200, answer)
    }

    fn metadata(&self, behaviour: &Behaviour) -> Value {
        let issuer = &self.issuer;
        let end_session = behaviour.ends_sessions.then(|| format!("{issuer}/end"));
        json!({
            "issuer": issuer,
            "authorization_endpoint": format!("{issuer}/authorize"),
            "token_endpoint": format!("{issuer}/token"),
            "userinfo_endpoint": format!("{issuer}/userinfo"),
            "jwks_uri": format!("{issuer}/jwks"),
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
            "revocation_endpoint": format!("{issuer}/revoke"),
            "end_session_endpoint": end_session,
            "authorization_response_iss_parameter_supported": behaviour.promises_issuer,
        })
    }

    fn sign_id_token(&self, behaviour: &Behaviour, nonce: Option<&str>) -> String {
        let now = now();
        let mut claims = json!({
            "iss": self.issuer, "aud": "case-portal", "sub": "user-1", "nonce": nonce, "iat": now, "exp": now + 300,
            "auth_time": now - 5, "acr": "urn:countersign:acr:password-email", "amr": ["pwd", "mfa"],
        });
        for (name, value) in behaviour.claims.as_object().unwrap() {
            claims[name] = value.clone();
        }
        claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        let header = json!({ "alg": "ES256", "typ": "JWT", "kid": behaviour.key_id });
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&header), part(&claims));
        let signature = behaviour.key.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

#[expect(clippy::disallowed_methods, reason = "ID tokens of a test end by the wall clock")]
pub fn now() -> i64 {
    chrono::Utc::now().timestamp()
}

fn public_key(behaviour: &Behaviour) -> Value {
    let point = behaviour.key.public_key().as_ref();
    let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    json!({
        "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": behaviour.key_id,
        "x": part(&point[1..33]), "y": part(&point[33..65]),
    })
}

pub fn basic() -> String {
    format!("Basic {}", STANDARD.encode(format!("case-portal:{SECRET}")))
}
