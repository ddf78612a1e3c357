//! A relying party that keeps to FAPI 2.0: private_key_jwt, pushed requests, PKCE, tokens bound to a DPoP key or a
//! certificate; under Message Signing its requests and their answers are signed. Every request can be changed before it
//! is sent.

use std::collections::BTreeMap;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_tests::user_agent::Answer;
use jsonwebtoken::Algorithm;
use rcgen::{CertificateParams, KeyPair};
use reqwest::{Identity, RequestBuilder};
use serde_json::{Value, json};

use crate::dpop::{Proof, Prover};
use crate::rp::{Ask, CALLBACK, Landed, Rp, random};
use crate::suite::{Binding, Run};

/// `client_assertion_type` of a JWT (RFC 7523, 2.2).
const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// The client.
pub struct Fapi {
    /// What it shares with every other relying party here.
    pub rp: Rp,
    /// Its key for proofs.
    pub prover: Prover,
    /// Shows its certificate, where tokens are bound to one.
    pub http: reqwest::Client,
    verifier: String,
}

/// What the token endpoint gave.
#[derive(Clone, Debug)]
pub struct Tokens {
    /// The access token.
    pub access: String,
    /// The refresh token, if there is one.
    pub refresh: Option<String>,
    /// Claims of the ID token.
    pub id_token: Value,
}

/// A POST in which the client proves itself, to be changed before it is sent.
#[derive(Clone, Debug)]
pub struct Call {
    /// Where to.
    pub url: String,
    /// Its fields.
    pub form: Vec<(String, String)>,
    /// Its DPoP proof.
    pub proof: Option<String>,
    /// What sends it.
    pub http: reqwest::Client,
}

impl Call {
    /// With a field, instead of one of that name.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self = self.without(name);
        self.form.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Without a field.
    pub fn without(mut self, name: &str) -> Self {
        self.form.retain(|(known, _)| known != name);
        self
    }

    /// With this assertion instead of a sound one.
    pub fn asserting(self, assertion: &str) -> Self {
        self.with("client_assertion", assertion)
    }

    /// With this proof.
    pub fn proving(self, proof: String) -> Self {
        Self { proof: Some(proof), ..self }
    }

    /// Sends it.
    pub async fn send(self) -> Answer {
        let request = self.http.post(&self.url).form(&self.form);
        Answer::to(self.proof.into_iter().fold(request, |request, proof| request.header("dpop", proof))).await
    }
}

impl Fapi {
    /// Registers one of the run's variant.
    pub async fn register(run: &Run) -> Self {
        let profile = if run.variant.signed { "fapi2_message_signing" } else { "fapi2_security" };
        let mut more = json!({
            "grant_types": ["authorization_code", "refresh_token"],
            "countersign_profile": profile,
            "dpop_bound_access_tokens": run.variant.binding == Some(Binding::Dpop),
            "tls_client_certificate_bound_access_tokens": run.variant.binding == Some(Binding::Mtls),
        });
        if run.variant.signed {
            more["authorization_signed_response_alg"] = json!("PS256");
        }
        let rp = Rp::register_with(run, more).await;
        let http = match run.variant.binding {
            Some(Binding::Mtls) => rp.op.client_with(self_signed()),
            _ => rp.op.http.clone(),
        };
        Self { rp, prover: Prover::new(), http, verifier: random(64) }
    }

    /// Whether its tokens are bound by proofs.
    pub fn is_dpop(&self) -> bool {
        self.rp.variant.binding == Some(Binding::Dpop)
    }

    /// By the provider's clock.
    pub fn now(&self) -> i64 {
        self.rp.op.now()
    }

    fn issuer(&self) -> &str {
        self.rp.op.endpoint("issuer")
    }

    /// The endpoint that this client uses: the one that asks for certificates, where tokens are bound to one (RFC 8705, 5).
    pub fn endpoint(&self, name: &str) -> String {
        let alias = self.rp.op.metadata["mtls_endpoint_aliases"][name].as_str().filter(|_| !self.is_dpop());
        alias.unwrap_or_else(|| self.rp.op.endpoint(name)).to_owned()
    }

    /// A sound request.
    pub fn ask(&self) -> Ask {
        let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, self.verifier.as_bytes()));
        let ask = self.rp.ask().with("code_challenge", &challenge).with("code_challenge_method", "S256");
        if self.rp.variant.signed { ask.with("response_mode", "jwt") } else { ask }
    }

    /// The claims of a sound assertion: for the issuer, as a string (FAPI 2.0 Security Profile, 5.3.2.1).
    pub fn assertion_claims(&self) -> Value {
        let (id, now) = (self.rp.id(), self.now());
        json!({"iss": id, "sub": id, "aud": self.issuer(), "jti": random(22), "iat": now, "exp": now + 60})
    }

    /// An assertion of these claims.
    pub fn assertion(&self, claims: &Value) -> String {
        self.rp.key.sign_with(Algorithm::PS256, "JWT", claims)
    }

    /// The claims of a sound request object.
    pub fn object_claims(&self, ask: &Ask) -> Value {
        let now = self.now();
        let mut claims = ask.claims();
        claims["iss"] = json!(self.rp.id());
        claims["aud"] = json!(self.issuer());
        claims["nbf"] = json!(now);
        claims["exp"] = json!(now + 300);
        claims
    }

    /// A request object of these claims.
    pub fn object(&self, claims: &Value) -> String {
        self.rp.key.sign_with(Algorithm::PS256, "oauth-authz-req+jwt", claims)
    }

    fn call(&self, endpoint: &str, form: &[(&str, &str)]) -> Call {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let mut form: Vec<_> = form.iter().map(own).collect();
        let assertion = self.assertion(&self.assertion_claims());
        form.extend([
            ("client_assertion_type".to_owned(), ASSERTION.to_owned()),
            ("client_assertion".to_owned(), assertion),
        ]);
        Call { url: self.endpoint(endpoint), form, proof: None, http: self.http.clone() }
    }

    /// `ask` as this client pushes it.
    pub fn push(&self, ask: &Ask) -> Call {
        if self.rp.variant.signed {
            return self.push_object(&self.object(&self.object_claims(ask)));
        }
        let params: Vec<_> = ask.params.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        self.call("pushed_authorization_request_endpoint", &params)
    }

    /// A request object, pushed.
    pub fn push_object(&self, object: &str) -> Call {
        self.call("pushed_authorization_request_endpoint", &[("request", object)])
    }

    /// A sound proof of a POST to the pushed authorization request endpoint.
    pub fn proof_of_push(&self) -> Proof {
        self.prover.proof("POST", &self.endpoint("pushed_authorization_request_endpoint"), self.now())
    }

    /// A sound proof of a POST to the token endpoint.
    pub fn proof_of_token_request(&self) -> Proof {
        self.prover.proof("POST", &self.endpoint("token_endpoint"), self.now())
    }

    /// A request at the token endpoint, with what proves possession.
    pub fn token_call(&self, form: &[(&str, &str)]) -> Call {
        let call = self.call("token_endpoint", form);
        let proof = self.is_dpop().then(|| self.prover.sign(&self.proof_of_token_request()));
        Call { proof, ..call }
    }

    /// The exchange of a code.
    pub fn redeem(&self, code: &str) -> Call {
        let verifier = self.verifier.as_str();
        self.token_call(&[
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", CALLBACK),
            ("code_verifier", verifier),
        ])
    }

    /// The use of a refresh token.
    pub fn refresh(&self, token: &str) -> Call {
        self.token_call(&[("grant_type", "refresh_token"), ("refresh_token", token)])
    }

    /// The name of a request that was accepted.
    pub async fn pushed(&self, call: Call) -> String {
        let answer = call.send().await;
        assert_eq!(answer.status, 201, "pushed: {}", answer.body);
        assert_eq!(answer.header("cache-control"), "no-store");
        let body = answer.json();
        assert!(body["expires_in"].as_i64().is_some_and(|seconds| (5..600).contains(&seconds)), "{body}");
        let name = body["request_uri"].as_str().expect("a request_uri");
        assert!(
            name.rsplit(':').next().is_some_and(|secret| secret.len() >= 22),
            "128 bits that nobody guesses: {name}"
        );
        name.to_owned()
    }

    /// The browser's request for what was pushed under `name`.
    pub fn by_name(&self, name: &str) -> Ask {
        let params = [("client_id", self.rp.id()), ("request_uri", name)];
        let params = params.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        Ask { params, nonce: None }
    }

    /// Opens `sent`, which stands for `ask`; answers the first page, or the answer.
    pub async fn open(&self, ask: &Ask, sent: &Ask) -> Landed {
        let answer = self.rp.browser.get(&self.rp.url(sent)).await;
        self.rp.land(answer, ask).await
    }

    /// The same, and the person signs in where they are asked to.
    pub async fn answer(&self, ask: &Ask, sent: &Ask) -> BTreeMap<String, String> {
        let landed = self.open(ask, sent).await;
        self.unpack(self.rp.go_on(landed, ask).await.response()).await
    }

    /// `ask` pushed, opened and answered.
    pub async fn authorize(&self, ask: &Ask) -> BTreeMap<String, String> {
        let name = self.pushed(self.push(ask)).await;
        self.answer(ask, &self.by_name(&name)).await
    }

    /// What a signed answer says (JARM, 2.1 and 2.4); any other as it is.
    pub async fn unpack(&self, response: BTreeMap<String, String>) -> BTreeMap<String, String> {
        if !self.rp.variant.signed {
            return response;
        }
        assert!(response.len() == 1 && response.contains_key("response"), "nothing beside it: {response:?}");
        let (header, mut claims) = self.rp.op.verify(&response["response"]).await;
        assert_eq!(header.alg, Algorithm::PS256);
        assert_eq!(claims["aud"], self.rp.id());
        assert!(claims["exp"].as_i64().is_some_and(|end| (self.now()..=self.now() + 600).contains(&end)), "{claims}");
        let claims = claims.as_object_mut().expect("claims");
        for own in ["aud", "exp", "iat"] {
            claims.remove(own);
        }
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        claims.iter().map(|(name, value)| (name.clone(), text(value))).collect()
    }

    /// Checks an answer to `ask` and redeems its code.
    pub async fn finish(&self, ask: &Ask, response: &BTreeMap<String, String>) -> Tokens {
        self.rp.check_response(ask, response);
        let answer = self.redeem(&response["code"]).send().await;
        self.check_tokens(ask, &answer).await
    }

    /// Checks what the token endpoint gave.
    pub async fn check_tokens(&self, ask: &Ask, answer: &Answer) -> Tokens {
        assert_eq!((answer.status, answer.header("cache-control")), (200, "no-store"), "{}", answer.body);
        let tokens = answer.json();
        let kind = if self.is_dpop() { "DPoP" } else { "Bearer" };
        assert!(
            tokens["token_type"].as_str().is_some_and(|given| given.eq_ignore_ascii_case(kind)),
            "{kind}: {tokens}"
        );
        assert!(tokens["expires_in"].as_i64().is_some_and(|seconds| seconds > 0));
        let id_token = self.rp.check_id_token(tokens["id_token"].as_str().expect("an ID token"), ask.nonce.as_deref());
        Tokens {
            access: tokens["access_token"].as_str().expect("an access token").to_owned(),
            refresh: tokens["refresh_token"].as_str().map(str::to_owned),
            id_token: id_token.await,
        }
    }

    /// A whole sign-in for `ask`.
    pub async fn login(&self, ask: &Ask) -> Tokens {
        let response = self.authorize(ask).await;
        self.finish(ask, &response).await
    }

    /// A code, for a request whose every other part is sound.
    pub async fn code(&self) -> String {
        let ask = self.ask();
        let response = self.authorize(&ask).await;
        self.rp.check_response(&ask, &response);
        response["code"].clone()
    }

    /// A sound proof of the use of an access token.
    pub fn proof_of_use(&self, token: &str) -> Proof {
        self.prover.proof("GET", &self.endpoint("userinfo_endpoint"), self.now()).of_token(token)
    }

    /// The protected resource, asked for with a token; no proof yet.
    pub fn resource(&self, scheme: &str, token: &str) -> RequestBuilder {
        let request = self.http.get(self.endpoint("userinfo_endpoint"));
        request.header("authorization", format!("{scheme} {token}"))
    }

    /// The protected resource, asked for as it is meant, with the scheme written as `scheme`.
    pub fn sound_use(&self, scheme: &str, token: &str) -> RequestBuilder {
        let request = self.resource(scheme, token);
        if !self.is_dpop() {
            return request;
        }
        request.header("dpop", self.prover.sign(&self.proof_of_use(token)))
    }

    /// The scheme of its tokens.
    pub fn scheme(&self) -> &'static str {
        if self.is_dpop() { "DPoP" } else { "Bearer" }
    }

    /// Uses a token, which must work.
    pub async fn check_use(&self, tokens: &Tokens) {
        let answer = Answer::to(self.sound_use(self.scheme(), &tokens.access)).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_eq!(answer.json()["sub"], tokens.id_token["sub"]);
    }
}

/// A certificate that nobody but its owner signed.
fn self_signed() -> Identity {
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(["rp.example.com".to_owned()]).expect("a name");
    let certificate = params.self_signed(&key).expect("a certificate");
    Identity::from_pem(format!("{}{}", certificate.pem(), key.serialize_pem()).as_bytes()).expect("an identity")
}
