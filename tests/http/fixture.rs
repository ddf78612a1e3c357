//! A demo with clients of every kind, and the words to speak with it.

use std::collections::BTreeMap;
use std::fmt::Display;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use countersign_tests::servers::{Demo, DemoOptions, FakeClock};
use countersign_tests::user_agent::{Answer, UserAgent, http};
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation};
use reqwest::RequestBuilder;
use serde_json::{Value, json};
use tempfile::TempDir;
use url::form_urlencoded::byte_serialize;

use crate::client_key::SIGNER;

/// The example of RFC 7636, appendix B.
pub const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
/// Its challenge.
pub const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
/// The lab user of CONTRACT.md.
pub const ALICE: (&str, &str) = ("alice@example.com", "meadow-lark-2291-kite");
/// Another person of CONTRACT.md.
pub const DONALD: (&str, &str) = ("dduck@example.com", "pond-lily-4471-quack");
/// What the policy `lab` proves.
pub const LAB_ACR: &str = "urn:countersign:acr:password";
/// Every scope that speaks of a person.
pub const EVERYTHING: &str = "openid profile email address phone offline_access";

/// An id and a secret that only survive form-encoding (RFC 6749, 2.3.1).
const ODD_ID: &str = "odd%3A+client:&x=1/?";
const ODD_SECRET: &str = "p+q %2B:&=/? \u{fc} \u{2014} end";

/// RFC 7523, 2.1.
const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
/// RFC 8693, 2.1.
const TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
/// The resource server of CONTRACT.md; a client of that name asks about tokens.
pub const CASES_API: &str = "https://cases.example.com/api";
/// Another server's name, for which there are no tokens.
pub const OTHER_API: &str = "https://other.example.com/api";

/// Where the client `leaving` wants browsers to be sent after a logout.
pub const AFTER_LOGOUT: &str = "https://leaving.example.com/after";

/// Every client's own secret.
pub fn secret_of(client: &str) -> String {
    if client == ODD_ID { ODD_SECRET.to_owned() } else { format!("{client}-secret-0123456789") }
}

/// The id of the client with odd characters.
pub const fn odd_client() -> &'static str {
    ODD_ID
}

/// Where a client wants its answers.
pub fn redirect_uri_of(client: &str) -> String {
    match client {
        "native" => "http://127.0.0.1/callback".to_owned(),
        "query" => "https://query.example.com/cb?tenant=a%20b&x=%2F".to_owned(),
        ODD_ID => "https://odd.example.com/cb".to_owned(),
        _ => format!("https://{client}.example.com/cb"),
    }
}

fn client(id: &str, more: &Value) -> Value {
    let mut client = json!({
        "client_id": id,
        "client_secret": secret_of(id),
        "redirect_uris": [redirect_uri_of(id)],
        "countersign_policy": "lab",
        "grant_types": ["authorization_code", "refresh_token"],
    });
    let members = client.as_object_mut().unwrap();
    for (name, value) in more.as_object().unwrap() {
        if value.is_null() {
            members.remove(name);
        } else {
            members.insert(name.clone(), value.clone());
        }
    }
    client
}

fn public(more: &Value) -> Value {
    let mut public = json!({"client_secret": null, "token_endpoint_auth_method": "none"});
    public.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    public
}

/// `bound` is there where client certificates are asked for.
fn clients(mtls: bool) -> Value {
    let mut clients = common_clients();
    let granted = granted_clients();
    clients.as_array_mut().unwrap().extend(granted.as_array().unwrap().iter().cloned());
    clients.as_array_mut().unwrap().extend(clients_of_cases());
    if mtls {
        let bound = client("bound", &json!({"tls_client_certificate_bound_access_tokens": true}));
        clients.as_array_mut().unwrap().push(bound);
    }
    clients
}

/// Those that have to do with the resource server of CONTRACT.md.
fn clients_of_cases() -> [Value; 4] {
    [
        client("cases", &json!({"scope": "openid email offline_access cases.read cases.write"})),
        client(OTHER_API, &json!({"grant_types": ["client_credentials"], "redirect_uris": []})),
        client(
            "foreign-cases",
            &json!({"countersign_first_party": false, "scope": "openid email phone address profile cases.read"}),
        ),
        client(
            "cases-tv",
            &public(&json!({
                "grant_types": ["urn:ietf:params:oauth:grant-type:device_code"], "redirect_uris": [],
                "scope": "openid cases.read",
            })),
        ),
    ]
}

fn common_clients() -> Value {
    let native_uris = ["http://127.0.0.1/callback", "http://[::1]/callback?a=b", "com.example.native:/callback"];
    json!([
        client("basic", &json!({})),
        client("post", &json!({"token_endpoint_auth_method": "client_secret_post"})),
        client("spa", &public(&json!({}))),
        client("native", &public(&json!({"application_type": "native", "redirect_uris": native_uris}))),
        client("es256", &json!({"id_token_signed_response_alg": "ES256", "countersign_access_token_alg": "ES256"})),
        client("eddsa", &json!({"id_token_signed_response_alg": "EdDSA"})),
        client("options", &json!({"countersign_policy": "login-options", "countersign_policies": ["email"]})),
        client(
            "kepro",
            &json!({
                "countersign_policy": "login-options",
                "countersign_policies": ["login-options", "email", "new-provider"],
                "countersign_brand": "kepro",
            })
        ),
        client("mail", &json!({"countersign_policy": "email"})),
        client("phone", &json!({"countersign_policy": "phone"})),
        client(
            "anything",
            &json!({
                "countersign_policy": "phone",
                "countersign_policies": ["phone", "forgot-password", "registration-reset", "registration"],
            })
        ),
        client("strict", &json!({"countersign_required_acr": ["urn:countersign:acr:password-email"]})),
        client("query", &json!({})),
        client(
            "foreign",
            &json!({
                "countersign_first_party": false,
                "client_name": "Foreign <App>",
                "logo_uri": "https://foreign.example.com/logo.svg?x=1",
                "policy_uri": "https://foreign.example.com/privacy",
                "tos_uri": "https://foreign.example.com/terms",
            })
        ),
        client(
            "foreign-native",
            &public(&json!({
                "countersign_first_party": false,
                "application_type": "native",
                "redirect_uris": ["https://foreign-native.example.com/cb"],
            }))
        ),
        client("leaving", &json!({"post_logout_redirect_uris": [AFTER_LOGOUT]})),
        client("framed", &json!({"frontchannel_logout_uri": "https://framed.example.com/out?x=1"})),
        client("two", &json!({"redirect_uris": ["https://two.example.com/cb", "https://two.example.com/other"]})),
        client("codeonly", &json!({"grant_types": ["authorization_code"], "scope": "openid email offline_access"})),
        client("narrow", &json!({"scope": "openid"})),
        client("pkce", &json!({"countersign_require_pkce": true})),
        client("aged", &json!({"default_max_age": 0})),
        client(
            "machine",
            &json!({
                "grant_types": ["client_credentials"], "redirect_uris": [], "scope": "jobs.read jobs.write",
            })
        ),
        client(
            "help-desk",
            &json!({"grant_types": ["client_credentials"], "redirect_uris": [], "scope": "users.read orders.read"})
        ),
        client(
            "hybrid",
            &json!({
                "response_types": [
                    "code", "id_token", "id_token token", "code id_token", "code token", "code id_token token",
                ],
                "grant_types": ["authorization_code", "implicit", "refresh_token"],
            })
        ),
        client("pusher", &json!({"require_pushed_authorization_requests": true})),
        client("unsigned", &json!({"request_object_signing_alg": "none"})),
        client("signer", &json!({"jwks": SIGNER.jwks, "authorization_signed_response_alg": "ES256"})),
        client("signing", &json!({"jwks": SIGNER.jwks, "require_signed_request_object": true})),
        client(
            "tv",
            &public(&json!({
                "grant_types": ["urn:ietf:params:oauth:grant-type:device_code", "refresh_token"], "redirect_uris": [],
                "client_name": "Living Room", "scope": "openid email offline_access",
            }))
        ),
        client(
            "sector-tv",
            &json!({
                "grant_types": ["urn:ietf:params:oauth:grant-type:device_code", "refresh_token"], "redirect_uris": [],
                "subject_type": "pairwise", "sector_identifier_uri": "https://tv.example.com/uris.json",
            })
        ),
        client("signed", &json!({"userinfo_signed_response_alg": "RS256"})),
        client(
            "prover",
            &json!({"grant_types": ["client_credentials"], "redirect_uris": [], "dpop_bound_access_tokens": true})
        ),
        client(ODD_ID, &json!({})),
    ])
}

/// Those that get tokens by what others gave or say, one whose ID tokens nobody signs, and one that moved over from
/// elsewhere.
fn granted_clients() -> Value {
    json!([
        client(
            "trusting",
            &json!({"id_token_signed_response_alg": "none", "post_logout_redirect_uris": [AFTER_LOGOUT]})
        ),
        client(
            "desk-app",
            &json!({
                "scope": "openid offline_access users.read", "countersign_policies": ["lab", "totp", "step-up-totp"],
            })
        ),
        client(
            "console-app",
            &json!({
                "scope": crate::admin_api::EVERYTHING, "countersign_policy": "phone", "countersign_policies": ["phone", "totp"],
            })
        ),
        client(
            "robot",
            &json!({
                "grant_types": ["client_credentials"], "redirect_uris": [],
                "scope": crate::admin_api::EVERYTHING.trim_start_matches("openid offline_access "),
            })
        ),
        client(
            CASES_API,
            &json!({
                "grant_types": [TOKEN_EXCHANGE, "client_credentials"], "redirect_uris": [],
                "scope": "openid cases.read cases.write",
            })
        ),
        client(
            "exchanger",
            &json!({
                "grant_types": ["authorization_code", TOKEN_EXCHANGE], "scope": "openid email phone cases.read",
                "countersign_may_act": "deputy",
            })
        ),
        client(
            "gateway",
            &json!({"grant_types": [JWT_BEARER], "redirect_uris": [], "scope": "cases.read cases.write"})
        ),
        client("deputy-gateway", &json!({"grant_types": [JWT_BEARER], "redirect_uris": [], "scope": "cases.read"})),
        client("deputy", &json!({"grant_types": [TOKEN_EXCHANGE], "redirect_uris": [], "scope": "openid cases.read"})),
        client("desk", &json!({"grant_types": ["authorization_code", TOKEN_EXCHANGE], "scope": "openid cases.read"})),
        client(
            "moved",
            &json!({
                "countersign_policy_claims": ["tfp", "acr"], "countersign_policy_names": {"lab": "B2C_1_signin"},
            })
        ),
    ])
}

/// A running demo.
pub struct Provider {
    /// The demo.
    pub demo: Demo,
    /// A program's client.
    pub http: reqwest::Client,
    _folder: TempDir,
}

/// An authorization request.
#[derive(Clone, Debug)]
pub struct Ask {
    endpoint: String,
    /// Its client.
    pub client: String,
    params: Vec<(String, String)>,
}

/// A code and what is needed to redeem it.
#[derive(Clone, Debug)]
pub struct Granted {
    /// Whose.
    pub client: String,
    /// The code.
    pub code: String,
    /// Of the request.
    pub redirect_uri: String,
}

impl Ask {
    /// With a parameter, instead of one of that name.
    #[allow(clippy::needless_pass_by_value, reason = "literals, numbers and texts alike")]
    pub fn with(mut self, name: &str, value: impl Display) -> Self {
        self = self.without(name);
        self.params.push((name.to_owned(), value.to_string()));
        self
    }

    /// With a parameter beside one of that name.
    pub fn twice(mut self, name: &str, value: &str) -> Self {
        self.params.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Without a parameter.
    pub fn without(mut self, name: &str) -> Self {
        self.params.retain(|(known, _)| known != name);
        self
    }

    /// Without PKCE.
    pub fn without_pkce(self) -> Self {
        self.without("code_challenge").without("code_challenge_method")
    }

    /// Parameters.
    pub fn params(&self) -> &[(String, String)] {
        &self.params
    }

    /// The parameters in the opposite order.
    pub fn reversed(mut self) -> Self {
        self.params.reverse();
        self
    }

    /// As a GET.
    pub fn url(&self) -> String {
        url::Url::parse_with_params(&self.endpoint, &self.params).unwrap().into()
    }
}

impl Provider {
    /// A demo on its defaults.
    pub async fn start() -> Self {
        Self::start_with(DemoOptions::default()).await
    }

    /// A demo whose clock can be moved.
    pub async fn start_with_clock() -> Self {
        Self::start_with(DemoOptions { clock: Some(FakeClock::new()), ..DemoOptions::default() }).await
    }

    /// A demo; its log says warnings alone unless the options say otherwise.
    pub async fn start_with(mut options: DemoOptions) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("clients.json");
        std::fs::write(&file, clients(options.flags.iter().any(|flag| flag == "--tls")).to_string()).unwrap();
        options.flags.extend(["--clients".to_owned(), file.display().to_string()]);
        if options.env.iter().all(|(name, _)| name != "RUST_LOG") {
            options.env.push(("RUST_LOG".to_owned(), "warn".to_owned()));
        }
        Self { demo: Demo::start(options).await, http: http(), _folder: folder }
    }

    /// An address of the provider.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.demo.issuer)
    }

    /// A sound request of `client`, with PKCE.
    pub fn ask(&self, client: &str) -> Ask {
        let params = [
            ("response_type", "code"),
            ("client_id", client),
            ("redirect_uri", &redirect_uri_of(client)),
            ("scope", "openid"),
            ("state", "state-1"),
            ("nonce", "nonce-1"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ];
        let params = params.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        Ask { endpoint: self.url("/authorization"), client: client.to_owned(), params }
    }

    /// Alice signs in for a request; answers the redirect to the client.
    pub async fn answer(&self, agent: &UserAgent, ask: &Ask) -> Answer {
        let answer = agent.follow(agent.get(&ask.url()).await).await;
        if answer.asks_for_password() { agent.sign_in(&answer, ALICE.0, ALICE.1).await } else { answer }
    }

    /// Alice signs in for a request; answers the code.
    pub async fn grant(&self, agent: &UserAgent, ask: &Ask) -> Granted {
        let answer = self.answer(agent, ask).await;
        let response = answer.response();
        let code = response.get("code").unwrap_or_else(|| panic!("no code: {response:?}")).clone();
        let sent = ask.params.iter().find(|(name, _)| name == "redirect_uri");
        Granted { client: ask.client.clone(), code, redirect_uri: sent.unwrap().1.clone() }
    }

    /// A code from a browser of its own.
    pub async fn fresh_grant(&self, ask: &Ask) -> Granted {
        self.grant(&UserAgent::new(), ask).await
    }

    /// A POST to the token endpoint, of nobody.
    pub fn token_request(&self, form: &[(&str, &str)]) -> RequestBuilder {
        self.http.post(self.url("/token")).form(form)
    }

    /// A POST to the token endpoint by `client`, as it is registered.
    pub async fn token(&self, client: &str, form: &[(&str, &str)]) -> Answer {
        let secret = secret_of(client);
        let request = match client {
            "spa" | "native" | "foreign-native" => self.token_request(&[form, &[("client_id", client)]].concat()),
            "post" => self.token_request(&[form, &[("client_id", client), ("client_secret", &secret)]].concat()),
            _ => self.token_request(form).header("authorization", basic(client, &secret)),
        };
        Answer::to(request).await
    }

    /// The exchange of a code, with further or other parameters; empty ones count as absent.
    pub async fn redeem_with(&self, granted: &Granted, changes: &[(&str, &str)]) -> Answer {
        let mut form = BTreeMap::from([
            ("grant_type", "authorization_code"),
            ("code", &granted.code),
            ("redirect_uri", &granted.redirect_uri),
            ("code_verifier", VERIFIER),
        ]);
        form.extend(changes.iter().copied());
        self.token(&granted.client, &form.into_iter().collect::<Vec<_>>()).await
    }

    /// The exchange of a code that succeeds.
    pub async fn redeem(&self, granted: &Granted) -> Value {
        let answer = self.redeem_with(granted, &[]).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json()
    }

    /// The use of a refresh token.
    pub async fn refresh(&self, client: &str, refresh_token: &str, scope: &str) -> Answer {
        let form = [("grant_type", "refresh_token"), ("refresh_token", refresh_token), ("scope", scope)];
        self.token(client, &form).await
    }

    /// UserInfo with a token in the header.
    pub async fn userinfo(&self, access_token: &str) -> Answer {
        Answer::to(self.http.get(self.url("/userinfo")).bearer_auth(access_token)).await
    }

    /// The published keys.
    pub async fn jwks(&self) -> JwkSet {
        serde_json::from_str(&Answer::to(self.http.get(self.url("/jwks"))).await.body).unwrap()
    }

    /// Header and claims of a JWT whose signature the published keys prove.
    pub async fn verify(&self, token: &str, algorithm: Algorithm) -> (Header, Value) {
        let header = jsonwebtoken::decode_header(token).unwrap();
        let jwks = self.jwks().await;
        let key = jwks.find(header.kid.as_deref().expect("a kid")).expect("a published key");
        let mut validation = Validation::new(algorithm);
        // What is claimed is each test's to look at.
        validation.validate_aud = false;
        validation.validate_exp = false;
        validation.required_spec_claims.clear();
        let decoded = jsonwebtoken::decode::<Value>(token, &DecodingKey::from_jwk(key).unwrap(), &validation).unwrap();
        (header, decoded.claims)
    }
}

/// Credentials of RFC 6749, 2.3.1: form-encoded, then base64.
pub fn basic(client: &str, secret: &str) -> String {
    let encode = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
    format!("Basic {}", STANDARD.encode(format!("{}:{}", encode(client), encode(secret))))
}

/// The claims of a JWT, whoever signed it.
pub fn peek(token: &str) -> Value {
    let payload = token.split('.').nth(1).expect("a JWT");
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).expect("base64url")).expect("claims")
}

/// The claims of a JWT that nobody signed, and says so (RFC 7518, 3.6).
pub fn read_unsigned(token: &str) -> Value {
    let header = URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&header).unwrap(), json!({"alg": "none", "typ": "JWT"}));
    assert!(token.ends_with('.') && token.split('.').count() == 3, "a signature: {token}");
    peek(token)
}

/// A member's text.
pub fn text<'a>(body: &'a Value, name: &str) -> &'a str {
    body[name].as_str().unwrap_or_else(|| panic!("no {name} in {body}"))
}

/// Checks an error of the token endpoint: status, code, JSON, not to be cached (RFC 6749, 5.1 and 5.2).
#[track_caller]
pub fn assert_error(answer: &Answer, status: u16, error: &str) {
    assert_eq!(answer.status, status, "{error}: {}", answer.body);
    assert_eq!(answer.json()["error"], error, "{}", answer.body);
    assert_not_cached(answer);
    let description = answer.json()["error_description"].as_str().unwrap_or_default().to_owned();
    assert!(description.bytes().all(is_error_character), "{description}");
    assert!(answer.header("content-type").starts_with("application/json"));
}

/// The characters of `error_description` (RFC 6749, 4.1.2.1 and 5.2).
pub const fn is_error_character(byte: u8) -> bool {
    matches!(byte, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e)
}

/// Checks that no cache keeps an answer.
#[track_caller]
pub fn assert_not_cached(answer: &Answer) {
    assert_eq!(answer.header("cache-control"), "no-store", "{} {}: {}", answer.url, answer.status, answer.body);
}

/// Checks that an answer is a page that goes nowhere.
#[track_caller]
pub fn assert_error_page(answer: &Answer, case: &str) {
    assert_eq!(answer.status, 400, "{case}: {:?} {}", answer.headers, answer.body);
    assert_eq!(answer.header("location"), "", "{case}");
    assert!(answer.header("content-type").starts_with("text/html"), "{case}");
    assert_not_cached(answer);
}
