//! A relying party under our control: registers, asks, checks every answer as OpenID Connect Core demands.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_tests::user_agent::{Answer, UserAgent, once};
use serde_json::{Value, json};
use url::Url;

use crate::keys::{RpKey, Site, read_unsigned};
use crate::op::Op;
use crate::suite::{Run, Variant};

/// Where answers go; nobody listens there, the tests read the redirects.
pub const CALLBACK: &str = "https://rp.example.com/cb";
/// Who signs in.
pub const ALICE: (&str, &str) = ("alice@example.com", "meadow-lark-2291-kite");

/// A registered client, and the browser of its one user.
pub struct Rp {
    /// The provider.
    pub op: Arc<Op>,
    /// How it works.
    pub variant: Variant,
    /// The client information response.
    pub client: Value,
    /// The person's browser.
    pub browser: UserAgent,
    /// The client's key, published at its `jwks_uri`.
    pub key: RpKey,
    /// Its web site.
    pub site: Site,
}

/// An authorization request.
#[derive(Clone, Debug)]
pub struct Ask {
    /// Parameters, in order.
    pub params: Vec<(String, String)>,
    /// `nonce`, if there is one.
    pub nonce: Option<String>,
}

/// What came of a request.
#[derive(Debug)]
pub enum Landed {
    /// The client was answered.
    Response(BTreeMap<String, String>),
    /// A page.
    Page(Box<Answer>),
}

/// What a whole sign-in gave.
#[derive(Debug)]
pub struct Login {
    /// The authorization response.
    pub response: BTreeMap<String, String>,
    /// The token response, if there was a code.
    pub tokens: Value,
    /// Claims of the ID token: of the token endpoint, else of the authorization endpoint.
    pub id_token: Value,
    /// That token.
    pub id_token_text: String,
    /// The access token to use, if there is one.
    pub access_token: Option<String>,
}

impl Ask {
    /// With a parameter, instead of one of that name.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self = self.without(name);
        self.params.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Without a parameter.
    pub fn without(mut self, name: &str) -> Self {
        self.params.retain(|(known, _)| known != name);
        if name == "nonce" {
            self.nonce = None;
        }
        self
    }

    /// The value of a parameter.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.params.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The parameters as a JSON object, for request objects.
    pub fn claims(&self) -> Value {
        Value::Object(self.params.iter().map(|(name, value)| (name.clone(), json!(value))).collect())
    }
}

/// Something nobody guesses, of `length` characters.
pub fn random(length: usize) -> String {
    let mut bytes = vec![0; length];
    aws_lc_rs::rand::fill(&mut bytes).expect("randomness");
    URL_SAFE_NO_PAD.encode(bytes)[..length].to_owned()
}

/// The left half of a hash (Core, 3.1.3.6) of the algorithms with SHA-256.
pub fn half_hash(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(&digest(&SHA256, text.as_bytes()).as_ref()[..16])
}

impl Rp {
    /// Registers a client of the run's variant.
    pub async fn register(run: &Run) -> Self {
        Self::register_with(run, json!({})).await
    }

    /// Registers one with further metadata.
    pub async fn register_with(run: &Run, more: Value) -> Self {
        let (answer, key, site) = Self::try_register(run, more).await;
        assert_eq!(answer.status, 201, "registration: {}", answer.body);
        let client = answer.json();
        Self { op: Arc::clone(&run.op), variant: run.variant, client, browser: run.op.browser(), key, site }
    }

    /// Asks for a registration.
    pub async fn try_register(run: &Run, more: Value) -> (Answer, RpKey, Site) {
        let site = Site::open().await;
        Self::try_register_at(run, site, more).await
    }

    /// Asks for a registration of a client that has a web site already.
    pub async fn try_register_at(run: &Run, site: Site, more: Value) -> (Answer, RpKey, Site) {
        let key = RpKey::new("rp-1");
        let mut metadata = json!({
            "client_name": "Conformance",
            "redirect_uris": [CALLBACK],
            "response_types": [run.variant.response_type],
            "grant_types": grant_types(run.variant),
            "token_endpoint_auth_method": run.variant.auth,
        });
        if run.variant.auth == "private_key_jwt" {
            metadata["jwks_uri"] = json!(site.publish("/jwks", &key.jwks()));
        }
        let more = more.as_object().cloned().unwrap_or_default();
        metadata.as_object_mut().expect("an object").extend(more);
        let endpoint = run.op.endpoint("registration_endpoint");
        (Answer::to(run.op.http.post(endpoint).json(&metadata)).await, key, site)
    }

    /// Its `client_id`.
    pub fn id(&self) -> &str {
        self.client["client_id"].as_str().expect("a client_id")
    }

    /// A sound request.
    pub fn ask(&self) -> Ask {
        let nonce = random(22);
        let mut params = vec![
            ("response_type", self.variant.response_type.to_owned()),
            ("client_id", self.id().to_owned()),
            ("redirect_uri", CALLBACK.to_owned()),
            ("scope", "openid".to_owned()),
            ("state", random(24)),
            ("nonce", nonce.clone()),
        ];
        if self.variant.form_post {
            params.push(("response_mode", "form_post".to_owned()));
        }
        let params = params.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Ask { params, nonce: Some(nonce) }
    }

    /// The address of a request.
    pub fn url(&self, ask: &Ask) -> String {
        Url::parse_with_params(self.op.endpoint("authorization_endpoint"), &ask.params).expect("a URL").into()
    }

    /// Sends a request; answers the first page or the answer to the client, nothing filled in.
    pub async fn open(&self, ask: &Ask) -> Landed {
        let answer = self.browser.get(&self.url(ask)).await;
        self.land(answer, ask).await
    }

    /// Sends a request; the person signs in and consents where they are asked to.
    pub async fn authorize(&self, ask: &Ask) -> Landed {
        let landed = self.open(ask).await;
        self.go_on(landed, ask).await
    }

    /// The person signs in and consents where they are asked to.
    pub async fn go_on(&self, mut landed: Landed, ask: &Ask) -> Landed {
        for _ in 0..3 {
            let Landed::Page(page) = &landed else { return landed };
            let answer = if page.asks_for_password() {
                self.browser.press(page, "login", &[("email", ALICE.0), ("password", ALICE.1)]).await
            } else if page.body.contains(r#"value="allow""#) {
                self.browser.press(page, "allow", &[]).await
            } else {
                return landed;
            };
            landed = self.land(answer, ask).await;
        }
        landed
    }

    /// Follows the provider's own redirects until the client is answered or a page is shown.
    pub async fn land(&self, answer: Answer, ask: &Ask) -> Landed {
        let answer = self.browser.follow(answer).await;
        let expected = ask.get("redirect_uri").unwrap_or(CALLBACK);
        if answer.status == 303 {
            let location = answer.location();
            assert!(location.as_str().starts_with(expected), "sent to {location}");
            let in_query = self.variant.response_type == "code" || ask.get("response_type").is_none();
            return Landed::Response(self.read(&location, expected, in_query));
        }
        if self.variant.form_post && answer.body.contains("<form") {
            let form = answer.form("");
            if form.action.as_str() == expected {
                return Landed::Response(once(form.hidden.into_iter()));
            }
        }
        Landed::Page(Box::new(answer))
    }

    /// The answer is where its mode says, and nowhere else.
    fn read(&self, location: &Url, expected: &str, in_query: bool) -> BTreeMap<String, String> {
        let own: Vec<_> = Url::parse(expected).expect("a URL").query_pairs().into_owned().collect();
        let query: Vec<_> = location.query_pairs().into_owned().filter(|pair| !own.contains(pair)).collect();
        let fragment = location.fragment().unwrap_or_default();
        let fragment: Vec<_> = url::form_urlencoded::parse(fragment.as_bytes()).into_owned().collect();
        assert!(!self.variant.form_post, "asked for form_post, answered {location}");
        if in_query {
            return once(query.into_iter());
        }
        assert!(query.is_empty(), "an answer in the query: {location}");
        once(fragment.into_iter())
    }

    /// The answer to a request, which must be one.
    pub async fn response(&self, ask: &Ask) -> BTreeMap<String, String> {
        self.authorize(ask).await.response()
    }

    /// A whole sign-in, every answer checked.
    pub async fn login(&self, ask: &Ask) -> Login {
        let response = self.response(ask).await;
        self.finish(ask, response).await
    }

    /// Checks an authorization response, redeems its code, checks the tokens.
    pub async fn finish(&self, ask: &Ask, response: BTreeMap<String, String>) -> Login {
        self.check_response(ask, &response);
        let mut access_token = response.get("access_token").cloned();
        let mut id_token = None;
        if let Some(text) = response.get("id_token") {
            let claims = self.check_id_token(text, ask.nonce.as_deref()).await;
            if let Some(access) = &access_token {
                assert_eq!(claims["at_hash"], half_hash(access), "at_hash");
            }
            if let Some(code) = response.get("code") {
                assert_eq!(claims["c_hash"], half_hash(code), "c_hash");
            }
            id_token = Some((text.clone(), claims));
        }
        let mut tokens = Value::Null;
        if let Some(code) = response.get("code") {
            let answer = self.redeem(code).await;
            assert_eq!(answer.status, 200, "token endpoint: {}", answer.body);
            tokens = check_tokens(&answer);
            let text = tokens["id_token"].as_str().expect("an ID token").to_owned();
            let claims = self.check_id_token(&text, ask.nonce.as_deref()).await;
            if let Some((_, front)) = &id_token {
                for name in ["iss", "sub"] {
                    assert_eq!(front[name], claims[name], "both ID tokens agree about {name}");
                }
            }
            id_token = Some((text, claims));
            access_token = tokens["access_token"].as_str().map(str::to_owned);
        }
        let (id_token_text, id_token) = id_token.expect("an ID token");
        Login { response, tokens, id_token, id_token_text, access_token }
    }

    /// Checks an answer to `ask`: its parts, and nothing else.
    pub fn check_response(&self, ask: &Ask, response: &BTreeMap<String, String>) {
        assert!(!response.contains_key("error"), "{response:?}");
        assert_eq!(response.get("state").map(String::as_str), ask.get("state"), "state");
        assert_eq!(response.get("iss").map(String::as_str), Some(self.op.endpoint("issuer")), "RFC 9207: iss");
        let expected = [("code", "code"), ("id_token", "id_token"), ("token", "access_token")];
        for (part, parameter) in expected {
            assert_eq!(self.variant.has(part), response.contains_key(parameter), "{parameter}: {response:?}");
        }
        if self.variant.has("token") {
            assert!(response["token_type"].eq_ignore_ascii_case("bearer"));
            assert!(response["expires_in"].parse::<u32>().is_ok_and(|seconds| seconds > 0));
            assert!(response["access_token"].len() >= 22, "entropy of the access token");
        }
        let known =
            ["code", "id_token", "access_token", "token_type", "expires_in", "state", "iss", "scope", "session_state"];
        assert!(response.keys().all(|name| known.contains(&name.as_str())), "further parameters: {response:?}");
    }

    /// Core, 3.1.3.7.
    pub async fn check_id_token(&self, token: &str, nonce: Option<&str>) -> Value {
        let claims = match self.client["id_token_signed_response_alg"].as_str().unwrap_or("RS256") {
            "none" => read_unsigned(token),
            algorithm => {
                let (header, claims) = self.op.verify(token).await;
                assert_eq!(format!("{:?}", header.alg), algorithm);
                claims
            }
        };
        assert_eq!(claims["iss"], self.op.endpoint("issuer"));
        assert!(claims["aud"] == self.id() || claims["aud"] == json!([self.id()]), "aud {}", claims["aud"]);
        assert_eq!(claims["nonce"].as_str(), nonce, "nonce");
        let time = |name: &str| claims[name].as_i64().unwrap_or_else(|| panic!("no {name}"));
        let now = self.op.now();
        assert!(time("exp") > now && time("iat") <= now + 5 && time("iat") > now - 300);
        assert!(time("auth_time") <= now + 5);
        let subject = claims["sub"].as_str().expect("a sub");
        assert!(!subject.is_empty() && subject.len() <= 255 && subject.is_ascii());
        claims
    }

    /// Redeems a code as this client authenticates.
    pub async fn redeem(&self, code: &str) -> Answer {
        let form = [("grant_type", "authorization_code"), ("code", code), ("redirect_uri", CALLBACK)];
        self.token(&form).await
    }

    /// A token request as this client authenticates.
    pub async fn token(&self, form: &[(&str, &str)]) -> Answer {
        let audience = self.op.endpoint("token_endpoint").to_owned();
        self.token_with_audience(form, &audience).await
    }

    /// A token request whose assertion, if there is one, is for `audience`.
    pub async fn token_with_audience(&self, form: &[(&str, &str)], audience: &str) -> Answer {
        let request = self.op.http.post(self.op.endpoint("token_endpoint"));
        let secret = || self.client["client_secret"].as_str().expect("a client_secret").to_owned();
        let mut form: Vec<(&str, String)> = form.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        let request = match self.variant.auth {
            "client_secret_basic" => request.basic_auth(self.id(), Some(secret())),
            "client_secret_post" => {
                form.extend([("client_id", self.id().to_owned()), ("client_secret", secret())]);
                request
            }
            _ => {
                let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer".to_owned();
                form.extend([("client_assertion_type", kind), ("client_assertion", self.assertion(audience))]);
                request
            }
        };
        Answer::to(request.form(&form)).await
    }

    fn assertion(&self, audience: &str) -> String {
        let now = self.op.now();
        let claims = json!({
            "iss": self.id(), "sub": self.id(), "aud": audience, "jti": random(22), "iat": now, "exp": now + 60,
        });
        self.key.sign("JWT", &claims)
    }

    /// UserInfo with the token in the header.
    pub async fn userinfo(&self, access_token: &str) -> Answer {
        Answer::to(self.op.http.get(self.op.endpoint("userinfo_endpoint")).bearer_auth(access_token)).await
    }

    /// The claims of a sign-in beyond the protocol's own: UserInfo, or the ID token when there is no access token.
    pub async fn claims_of(&self, login: &Login) -> Value {
        let Some(access_token) = &login.access_token else { return login.id_token.clone() };
        let answer = self.userinfo(access_token).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let claims = answer.json();
        assert_eq!(claims["sub"], login.id_token["sub"], "Core, 5.3.2: the same sub");
        claims
    }
}

impl Landed {
    /// The answer to the client.
    pub fn response(self) -> BTreeMap<String, String> {
        match self {
            Self::Response(response) => response,
            Self::Page(page) => panic!("a page instead of an answer: {} {}", page.status, page.body),
        }
    }

    /// The page.
    pub fn page(self) -> Answer {
        match self {
            Self::Page(page) => *page,
            Self::Response(response) => panic!("an answer instead of a page: {response:?}"),
        }
    }

    /// The error the client was answered.
    pub fn error(self) -> String {
        let response = self.response();
        response.get("error").cloned().unwrap_or_else(|| panic!("no error: {response:?}"))
    }
}

fn grant_types(variant: Variant) -> Vec<&'static str> {
    let mut types = Vec::new();
    if variant.has("code") {
        types.push("authorization_code");
    }
    if variant.has("id_token") || variant.has("token") {
        types.push("implicit");
    }
    types
}

fn check_tokens(answer: &Answer) -> Value {
    assert_eq!(answer.header("cache-control"), "no-store");
    let tokens = answer.json();
    assert!(tokens["token_type"].as_str().is_some_and(|kind| kind.eq_ignore_ascii_case("bearer")));
    assert!(tokens["expires_in"].as_i64().is_some_and(|seconds| seconds > 0));
    assert!(tokens["access_token"].is_string());
    tokens
}
