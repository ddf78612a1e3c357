//! One of the two providers: where its endpoints are, and a browser in which Alice is signed in.

use std::collections::BTreeMap;

use countersign_tests::user_agent::{Answer, UserAgent, program};
use reqwest::header::{ACCEPT, HeaderMap, HeaderValue};
use reqwest::{Client, Method, RequestBuilder};
use serde_json::Value;

use super::Request;
use crate::fixture::{ALICE, CHALLENGE, VERIFIER, basic, redirect_uri_of, secret_of, text};

/// A provider.
pub struct Side {
    metadata: Value,
    http: Client,
    alice: UserAgent,
}

type Params = Vec<(String, String)>;

fn http(accept: &'static str) -> Client {
    let headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(accept))]);
    let builder = program();
    builder.default_headers(headers).build().unwrap()
}

fn browser() -> UserAgent {
    UserAgent::with(http("text/html"))
}

fn pairs(pairs: &[(&str, &str)]) -> Params {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// A sound authorization request.
fn sound_request(client: &str) -> Params {
    pairs(&[
        ("response_type", "code"),
        ("client_id", client),
        ("redirect_uri", &redirect_uri_of(client)),
        ("scope", "openid"),
        ("state", "state-1"),
        ("nonce", "nonce-1"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ])
}

fn is_public(client: &str) -> bool {
    matches!(client, "spa" | "tv")
}

impl Side {
    /// Reads the discovery document of `issuer`; Alice signs in there.
    pub async fn open(issuer: &str) -> Self {
        let http = http("application/json");
        let url = format!("{issuer}/.well-known/openid-configuration");
        let mut metadata = Answer::to(http.get(&url)).await.json();
        metadata["discovery"] = url.into();
        let side = Self { metadata, http, alice: browser() };
        side.fresh_code("basic").await;
        side
    }

    fn endpoint(&self, at: &str) -> &str {
        let name = match at {
            "par" => "pushed_authorization_request_endpoint",
            "device" => "device_authorization_endpoint",
            "jwks" => "jwks_uri",
            "discovery" => "discovery",
            at => &format!("{at}_endpoint"),
        };
        text(&self.metadata, name)
    }

    async fn fresh_code(&self, client: &str) -> String {
        let params = sound_request(client);
        let scope = ("scope".to_owned(), "openid email offline_access".to_owned());
        let params = params.into_iter().map(|pair| if pair.0 == "scope" { scope.clone() } else { pair });
        let url = url::Url::parse_with_params(self.endpoint("authorization"), params).unwrap();
        let answer = self.alice.follow(self.alice.get(url.as_str()).await).await;
        let answer =
            if answer.asks_for_password() { self.alice.sign_in(&answer, ALICE.0, ALICE.1).await } else { answer };
        answer.response()["code"].clone()
    }

    async fn redeem(&self, client: &str, code: &str) -> Value {
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", &redirect_uri_of(client)),
            ("code_verifier", VERIFIER),
        ];
        self.token(client, &form).await
    }

    async fn token(&self, client: &str, form: &[(&str, &str)]) -> Value {
        let mut form = pairs(form);
        let request = self.http.post(self.endpoint("token"));
        let request = authenticate(request, &mut form, client, "");
        let answer = Answer::to(request.form(&form)).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json()
    }

    /// What a placeholder stands for: its word, and a client after a colon.
    async fn fresh(&self, placeholder: &str, client: &str) -> String {
        let (word, client) = placeholder.split_once(':').unwrap_or((placeholder, client));
        let code = self.fresh_code(client).await;
        if word == "code" {
            return code;
        }
        let tokens = self.redeem(client, &code).await;
        let token = |name: &str| text(&tokens, name).to_owned();
        match word {
            "spent_code" => code,
            "access" => token("access_token"),
            "refresh" => token("refresh_token"),
            "id_token" => token("id_token"),
            "spent_refresh" => {
                let refresh = token("refresh_token");
                self.token(client, &[("grant_type", "refresh_token"), ("refresh_token", &refresh)]).await;
                refresh
            }
            other => panic!("nothing is called {other}"),
        }
    }

    async fn fill(&self, text: &str, client: &str) -> String {
        let Some((before, rest)) = text.split_once('{') else { return text.to_owned() };
        let Some((word, after)) = rest.split_once('}') else { return text.to_owned() };
        if word.is_empty() || !word.bytes().all(|byte| byte.is_ascii_lowercase() || matches!(byte, b'_' | b':')) {
            return text.to_owned();
        }
        format!("{before}{}{after}", self.fresh(word, client).await)
    }

    /// The parameters of a request, those of a sound one unless it says otherwise.
    async fn params(&self, request: &Request) -> Params {
        let client = request.client.as_str();
        let redirect_uri = redirect_uri_of(client);
        let sound = match request.at.as_str() {
            "authorization" | "par" => sound_request(client),
            "token" => pairs(&[
                ("grant_type", "authorization_code"),
                ("code", "{code}"),
                ("redirect_uri", &redirect_uri),
                ("code_verifier", VERIFIER),
            ]),
            "introspection" | "revocation" => pairs(&[("token", "{access}")]),
            "device" => pairs(&[("scope", "openid")]),
            _ => Params::new(),
        };
        let mut set: BTreeMap<_, _> = request.set.clone();
        let mut replaced = |(name, value): (String, String)| {
            let value = set.remove(&name).unwrap_or(value);
            (name, value)
        };
        let mut params: Params = sound.into_iter().map(&mut replaced).collect();
        params.extend(set);
        params.retain(|(_, value)| !value.is_empty());
        params.extend(request.add.clone());
        for (_, value) in &mut params {
            *value = self.fill(value, client).await;
        }
        params
    }

    /// Sends a request.
    pub async fn ask(&self, request: &Request) -> Answer {
        if request.at == "authorization" { self.authorize(request).await } else { self.call(request).await }
    }

    /// In a browser; what comes after redirects within the provider.
    async fn authorize(&self, request: &Request) -> Answer {
        let params = self.params(request).await;
        let stranger = browser();
        let agent = if request.by == "alice" { &self.alice } else { &stranger };
        let url = url::Url::parse_with_params(self.endpoint("authorization"), &params).unwrap();
        let answer = match request.method.as_str() {
            "" => agent.get(url.as_str()).await,
            "POST" => agent.post(self.endpoint("authorization"), &params).await,
            other => Answer::to(self.http.request(other.parse().unwrap(), url)).await,
        };
        agent.follow(answer).await
    }

    async fn call(&self, request: &Request) -> Answer {
        let get = matches!(request.at.as_str(), "userinfo" | "discovery" | "jwks");
        let method: Method = match request.method.as_str() {
            "" if get => Method::GET,
            "" => Method::POST,
            other => other.parse().unwrap(),
        };
        let mut params = self.params(request).await;
        let mut url = url::Url::parse(self.endpoint(&request.at)).unwrap();
        if request.auth == "query" {
            url.query_pairs_mut().append_pair("client_secret", &secret_of(&request.client));
        }
        if matches!(method.as_str(), "GET" | "HEAD") && !params.is_empty() {
            url.query_pairs_mut().extend_pairs(&params);
        }
        let mut call = self.http.request(method.clone(), url);
        call = match request.at.as_str() {
            "userinfo" if request.auth.is_empty() => call.bearer_auth(self.fresh("access", &request.client).await),
            "userinfo" | "discovery" | "jwks" | "registration" => call,
            _ if request.body.is_some() => call,
            _ => authenticate(call, &mut params, &request.client, &request.auth),
        };
        if let Some(header) = request.auth.strip_prefix("raw:") {
            call = call.header("authorization", self.fill(header, &request.client).await);
        }
        for (name, value) in &request.headers {
            call = call.header(name, value);
        }
        Answer::to(with_content(call, request, &method, &params)).await
    }
}

/// As its client registered, or as `auth` says.
fn authenticate(call: RequestBuilder, form: &mut Params, client: &str, auth: &str) -> RequestBuilder {
    let secret = secret_of(client);
    let in_form = |form: &mut Params| form.extend(pairs(&[("client_id", client), ("client_secret", &secret)]));
    match auth {
        "nobody" => call,
        raw if raw.starts_with("raw:") => call,
        "wrong" => call.header("authorization", basic(client, "wrong")),
        "lower" => call.header("authorization", basic(client, &secret).replacen("Basic", "basic", 1)),
        "both" => {
            in_form(form);
            call.header("authorization", basic(client, &secret))
        }
        "query" => {
            form.push(("client_id".to_owned(), client.to_owned()));
            call
        }
        _ if is_public(client) => {
            if form.iter().all(|(name, _)| name != "client_id") {
                form.push(("client_id".to_owned(), client.to_owned()));
            }
            call
        }
        _ if auth == "post" || client == "post" => {
            in_form(form);
            call
        }
        _ => call.header("authorization", basic(client, &secret)),
    }
}

fn with_content(call: RequestBuilder, request: &Request, method: &Method, params: &Params) -> RequestBuilder {
    if let Some(body) = &request.body {
        let media_type = request.media_type.as_deref().unwrap_or("application/json");
        return call.header("content-type", media_type).body(body.clone());
    }
    match (request.at.as_str(), method.as_str()) {
        (_, "GET" | "HEAD") => call,
        ("userinfo", _) if params.is_empty() => call,
        ("registration", _) => call.json(&serde_json::json!({"redirect_uris": ["https://rp.example.com/cb"]})),
        _ => call.form(params),
    }
}
