//! A demo with everything on, over https, and relying parties of every kind that register themselves with it.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_tests::provider::serve_json;
use countersign_tests::servers::DemoOptions;
use countersign_tests::user_agent::{Answer, UserAgent, once, program};
use jsonwebtoken::{EncodingKey, Header};
use rcgen::{CertificateParams, KeyPair};
use reqwest::{Certificate, Client, Identity, RequestBuilder};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::keys::{jwks, key, now, random};
use crate::fixture::{Ask, Provider, VERIFIER, basic, text};

/// Where every relying party wants its answers.
pub const CALLBACK: &str = "https://rp.example.com/cb";
/// Where every relying party wants people sent after a logout.
pub const AFTER: &str = "https://rp.example.com/after";
/// Who may vouch for people (RFC 7523, 2.1), by the keys of relying parties.
pub const PARTNER: &str = "https://partner.example.com";
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// The demo, what it says of itself, and somebody who is signed in.
pub struct World {
    /// The demo.
    pub provider: Provider,
    /// Its discovery document, as served.
    pub metadata: Value,
    /// Alice's browser.
    pub alice: UserAgent,
    /// Speaks with a certificate that its owner signed.
    pub self_signed: Client,
    /// Speaks with a certificate by the authority of the demo's clients.
    pub named: Client,
    x5c: String,
    _folder: TempDir,
}

/// A client that registered itself.
#[derive(Clone, Debug)]
pub struct Rp {
    /// What the provider answered.
    pub metadata: Value,
}

impl Rp {
    /// Its id.
    pub fn id(&self) -> &str {
        text(&self.metadata, "client_id")
    }

    fn secret(&self) -> &str {
        text(&self.metadata, "client_secret")
    }
}

fn identity(certificate: &rcgen::Certificate, key: &KeyPair) -> Identity {
    Identity::from_pem(format!("{}{}", certificate.pem(), key.serialize_pem()).as_bytes()).unwrap()
}

impl World {
    /// Starts the demo; Alice signs in.
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let authority_key = KeyPair::generate().unwrap();
        let mut authority = CertificateParams::new(Vec::new()).unwrap();
        authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let file = folder.path().join("clients-ca.pem");
        std::fs::write(&file, authority.self_signed(&authority_key).unwrap().pem()).unwrap();
        let published = serve_json(|_| Some((200, jwks().to_string()))).await;
        let partner = format!(
            r#"[{{issuer="{PARTNER}", jwks_uri="{published}/jwks", clients=["gateway"], scopes=["cases.read"], subject="email", domains=["example.com"]}}]"#
        );
        let env = vec![
            ("COUNTERSIGN__SERVER__MTLS_CA_FILE".to_owned(), file.display().to_string()),
            ("COUNTERSIGN__ASSERTION_ISSUERS".to_owned(), partner),
        ];
        let flags = vec!["--tls".to_owned()];
        let mut provider = Provider::start_with(DemoOptions { flags, env, ..DemoOptions::default() }).await;
        let ca = Certificate::from_pem(&std::fs::read(provider.demo.ca_file.as_ref().unwrap()).unwrap()).unwrap();
        let http = |identity: Option<Identity>| {
            let builder = program();
            let builder = builder.tls_certs_only([ca.clone()]);
            identity.into_iter().fold(builder, reqwest::ClientBuilder::identity).build().unwrap()
        };
        let params = || CertificateParams::new(["client.example.com".to_owned()]).unwrap();
        let (own_key, named_key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let own = params().self_signed(&own_key).unwrap();
        let named = params().signed_by(&named_key, &rcgen::Issuer::new(authority, authority_key)).unwrap();
        provider.http = http(None);
        let discovery = provider.url("/.well-known/openid-configuration");
        let world = Self {
            metadata: Answer::to(provider.http.get(discovery)).await.json(),
            alice: UserAgent::with(http(None)),
            self_signed: http(Some(identity(&own, &own_key))),
            named: http(Some(identity(&named, &named_key))),
            x5c: STANDARD.encode(own.der()),
            provider,
            _folder: folder,
        };
        let rp = world.client(json!({})).await;
        world.code(&world.ask(&rp)).await;
        world
    }

    /// A browser in which nobody is signed in.
    pub fn stranger(&self) -> UserAgent {
        UserAgent::with(self.provider.http.clone())
    }

    /// What the document says the address of `endpoint` is.
    pub fn endpoint(&self, endpoint: &str) -> &str {
        let mut parts = endpoint.split('.');
        let first = &self.metadata[parts.next().unwrap_or_default()];
        let found = parts.fold(first, |value, name| &value[name]);
        found.as_str().unwrap_or_else(|| panic!("no {endpoint}"))
    }

    /// What comes of a registration of these members, and of what every client has.
    pub async fn register(&self, more: Value) -> Answer {
        let mut metadata = json!({
            "redirect_uris": [CALLBACK], "post_logout_redirect_uris": [AFTER], "countersign_policy": "lab",
        });
        metadata.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        Answer::to(self.provider.http.post(self.provider.url("/register")).json(&metadata)).await
    }

    /// A client of these members, and of what every client has.
    pub async fn client(&self, more: Value) -> Rp {
        let answer = self.register(more.clone()).await;
        assert_eq!(answer.status, 201, "{more}: {}", answer.body);
        Rp { metadata: answer.json() }
    }

    /// The error that a registration of these members meets.
    pub async fn registration_error(&self, more: Value) -> String {
        let answer = self.register(more.clone()).await;
        assert_eq!(answer.status, 400, "{more}: {}", answer.body);
        text(&answer.json(), "error").to_owned()
    }

    /// A client that authenticates by `method`, and by this algorithm where it signs.
    pub async fn client_of(&self, method: &str, algorithm: Option<&str>, more: Value) -> Rp {
        let mut metadata = json!({"token_endpoint_auth_method": method});
        let fitting = if method == "client_secret_jwt" { "HS256" } else { "ES256" };
        match method {
            "private_key_jwt" => metadata["jwks"] = jwks(),
            "self_signed_tls_client_auth" => {
                metadata["jwks"] = json!({"keys": [{"kty": "EC", "x5c": [self.x5c]}]});
            }
            "tls_client_auth" => metadata["tls_client_auth_san_dns"] = json!("client.example.com"),
            _ => {}
        }
        if method.ends_with("_jwt") {
            metadata["token_endpoint_auth_signing_alg"] = json!(algorithm.unwrap_or(fitting));
        }
        metadata.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.client(metadata).await
    }

    /// A sound request of `rp`.
    pub fn ask(&self, rp: &Rp) -> Ask {
        self.provider.ask(rp.id()).with("redirect_uri", CALLBACK)
    }

    /// What Alice's browser brings to the client.
    pub async fn answer(&self, ask: &Ask) -> BTreeMap<String, String> {
        let answer = self.provider.answer(&self.alice, ask).await;
        delivered(&answer).1
    }

    /// The code Alice's browser brings to the client.
    pub async fn code(&self, ask: &Ask) -> String {
        let mut answer = self.answer(ask).await;
        answer.remove("code").unwrap_or_else(|| panic!("no code for {ask:?}: {answer:?}"))
    }

    /// The error a stranger's browser brings to the client.
    pub async fn refusal(&self, ask: &Ask) -> String {
        let answer = self.stranger().get(&ask.url()).await;
        let mut answer = delivered(&answer).1;
        answer.remove("error").unwrap_or_else(|| panic!("no error for {ask:?}: {answer:?}"))
    }

    /// A POST of `form` by `rp` as it registered to, at the endpoint of that name or its alias where certificates are
    /// asked for.
    pub fn request(&self, rp: &Rp, endpoint: &str, form: &[(&str, &str)]) -> RequestBuilder {
        let method = rp.metadata["token_endpoint_auth_method"].as_str().unwrap_or_default();
        let alias = || self.endpoint(&format!("mtls_endpoint_aliases.{endpoint}"));
        let named = with(form, &[("client_id", rp.id())]);
        let post = || self.provider.http.post(self.endpoint(endpoint));
        match method {
            "tls_client_auth" => self.named.post(alias()).form(&named),
            "self_signed_tls_client_auth" => self.self_signed.post(alias()).form(&named),
            "client_secret_post" => post().form(&with(form, &[("client_id", rp.id()), ("client_secret", rp.secret())])),
            "none" => post().form(&named),
            "client_secret_jwt" | "private_key_jwt" => {
                let assertion = self.assertion(rp);
                post().form(&with(form, &[("client_assertion_type", ASSERTION_TYPE), ("client_assertion", &assertion)]))
            }
            _ => post().form(form).header("authorization", basic(rp.id(), rp.secret())),
        }
    }

    /// What comes of it.
    pub async fn post(&self, rp: &Rp, endpoint: &str, form: &[(&str, &str)]) -> Answer {
        Answer::to(self.request(rp, endpoint, form)).await
    }

    /// By which `rp` proves itself, signed as it registered to.
    fn assertion(&self, rp: &Rp) -> String {
        let algorithm = text(&rp.metadata, "token_endpoint_auth_signing_alg");
        let claims = self.assertion_claims(rp);
        if algorithm == "HS256" {
            let secret = EncodingKey::from_secret(rp.secret().as_bytes());
            return jsonwebtoken::encode(&Header::default(), &claims, &secret).unwrap();
        }
        key(algorithm).sign("JWT", &claims)
    }

    /// What an assertion of `rp` says.
    pub fn assertion_claims(&self, rp: &Rp) -> Value {
        let (id, now) = (rp.id(), now());
        json!({"iss": id, "sub": id, "aud": self.provider.demo.issuer, "jti": random(), "iat": now, "exp": now + 60})
    }

    /// The form that redeems `code`.
    pub fn redemption(code: &str) -> [(&str, &str); 4] {
        [("grant_type", "authorization_code"), ("code", code), ("redirect_uri", CALLBACK), ("code_verifier", VERIFIER)]
    }

    /// What the code that `ask` brings is redeemed for.
    pub async fn tokens(&self, rp: &Rp, ask: &Ask) -> Value {
        let code = self.code(ask).await;
        let answer = self.post(rp, "token_endpoint", &Self::redemption(&code)).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json()
    }

    /// Whether UserInfo takes a token.
    pub async fn works(&self, access_token: &str) -> bool {
        self.provider.userinfo(access_token).await.status == 200
    }
}

/// How an answer travelled to the client, and its parameters.
pub fn delivered(answer: &Answer) -> (&'static str, BTreeMap<String, String>) {
    if answer.status == 200 {
        assert!(answer.body.contains(&format!(r#"action="{CALLBACK}""#)), "no answer: {}", answer.body);
        return ("form_post", once(answer.form("").hidden.into_iter()));
    }
    let location = answer.location();
    assert!(location.as_str().starts_with(CALLBACK), "{location}");
    let (way, text) = match (location.query(), location.fragment()) {
        (Some(query), _) => ("query", query),
        (None, fragment) => ("fragment", fragment.unwrap_or_default()),
    };
    (way, once(url::form_urlencoded::parse(text.as_bytes()).into_owned()))
}

fn with<'a>(form: &[(&'a str, &'a str)], more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    [form, more].concat()
}
