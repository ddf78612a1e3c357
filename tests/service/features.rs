//! Each part of the protocol that has a switch: it works where it is on; off in the configuration it is refused and not
//! advertised; off for one client (`countersign_off`) it is refused to that one alone.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use countersign_model::{ClientKeys, Feature, Seconds};
use countersign_protocol::report::{Configuration, Yardstick, judge};
use countersign_protocol::{AssertionIssuer, Features, Naming, Params, client_assertion};
use countersign_service::policy::PolicySet;
use countersign_service::{
    AuthorizeCall, ClientCall, ClientRegistration, Introspection, LogoutAnswer, LogoutCall, Provider, PushCall,
    Response, TokenCall,
};
use countersign_tests::client_key::ClientKey;
use countersign_tests::prover::Prover;
use countersign_tests::provider::{ALICE, House, NodePlan, PORTAL_SECRET, PORTAL_URI, Person, Seen, encode};
use countersign_tests::provider::{Pair, serve_json};
use serde_json::{Value, json};

const ISSUER: &str = "https://id.example";
const CASES: &str = "https://cases.example.com/api";
const WRITER: &str = "https://writer.example.com";
const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const DEVICE: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// RFC 7636, appendix B.
const PKCE: &str = "code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256";
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
/// What a registration is answered with that asks for what is off.
const UNREGISTRABLE: &str = "invalid_client_metadata";

type Trial = for<'a> fn(&'a Deployment, &'a Provider, &'a str) -> Pin<Box<dyn Future<Output = String> + 'a>>;

/// A feature, and what comes of using it.
struct Line {
    feature: Feature,
    /// What a client registers that uses it.
    metadata: fn(&Deployment) -> Value,
    /// Uses it: `works`, or what the client hears instead.
    trial: Trial,
    /// Of a client that was there before it was switched off for everybody.
    off: &'static str,
    /// Of a client that has it in `countersign_off`.
    off_for_one: &'static str,
    /// A member of the metadata and, if only its words change, one of its values.
    advertised: (&'static str, &'static str),
}

macro_rules! table {
    ($($feature:ident, $metadata:expr, $trial:path => $off:expr, $own:expr; $member:literal, $value:literal)+) => {
        [$(Line {
            feature: Feature::$feature,
            metadata: $metadata,
            trial: |deployment, node, id| Box::pin($trial(deployment, node, id)),
            off: $off,
            off_for_one: $own,
            advertised: ($member, $value),
        }),+]
    };
}

fn nothing(_: &Deployment) -> Value {
    json!({})
}

fn machine(_: &Deployment) -> Value {
    json!({"grant_types": ["client_credentials"], "redirect_uris": [], "scope": "cases.read"})
}

fn keyed(deployment: &Deployment) -> Value {
    json!({
        "jwks": deployment.key.jwks, "token_endpoint_auth_method": "private_key_jwt", "client_secret": null,
    })
}

/// `works` stands in the column `off` where what was registered before goes on: nobody is less safe by it.
const TABLE: &[Line] = &table! {
    Implicit, |_| json!({"response_types": ["id_token"], "grant_types": ["implicit"]}), implicit
        => "unsupported_response_type", UNREGISTRABLE; "response_types_supported", "id_token"
    Hybrid, |_| json!({
        "response_types": ["code id_token"], "grant_types": ["authorization_code", "implicit"],
    }), hybrid => "unsupported_response_type", UNREGISTRABLE; "response_types_supported", "code id_token"
    FormPost, nothing, form_post => "invalid_request", "invalid_request"; "response_modes_supported", "form_post"
    // Whoever does not support it ignores it (Core, 5.5).
    ClaimsParameter, |_| json!({"scope": "openid email"}), claims => "ignored", "ignored";
        "claims_parameter_supported", "true"
    PromptCreate, |_| json!({"countersign_policy": "phone", "countersign_policies": ["phone", "registration"]}), create => "invalid_request", "invalid_request"; "prompt_values_supported", "create"
    PushedRequests, nothing, pushed => "unauthorized_client", "unauthorized_client";
        "pushed_authorization_request_endpoint", ""
    RequestObjects, |it| json!({"jwks": it.key.jwks}), request_object
        => "request_not_supported", "request_not_supported"; "request_parameter_supported", "true"
    RequestUris, |it| {
        let addresses = ["", "-one", "-two"].map(|end| format!("{}/request_uris{end}", it.objects));
        json!({"jwks": it.key.jwks, "request_uris": addresses})
    }, request_uri
        => "request_uri_not_supported", UNREGISTRABLE; "request_uri_parameter_supported", "true"
    SignedResponses, nothing, signed_response => "invalid_request", "invalid_request";
        "response_modes_supported", "query.jwt"
    SecurityProfiles, |it| {
        let mut metadata = keyed(it);
        metadata["countersign_profile"] = json!("fapi2_security");
        metadata["dpop_bound_access_tokens"] = json!(true);
        metadata
    }, profile => "works", UNREGISTRABLE; "", ""
    ClientSecretBasic, |_| json!({"token_endpoint_auth_method": "client_secret_basic"}), by_basic
        => "invalid_client", UNREGISTRABLE; "token_endpoint_auth_methods_supported", "client_secret_basic"
    ClientSecretPost, nothing, by_post => "invalid_client", UNREGISTRABLE;
        "token_endpoint_auth_methods_supported", "client_secret_post"
    ClientSecretJwt, |_| json!({"token_endpoint_auth_method": "client_secret_jwt"}), by_shared_jwt
        => "invalid_client", UNREGISTRABLE; "token_endpoint_auth_signing_alg_values_supported", "HS256"
    PrivateKeyJwt, keyed, by_key_jwt => "invalid_client", UNREGISTRABLE;
        "token_endpoint_auth_signing_alg_values_supported", "ES256"
    PublicClients, |_| json!({"token_endpoint_auth_method": "none", "client_secret": null}), by_nothing
        => "invalid_client", UNREGISTRABLE; "token_endpoint_auth_methods_supported", "none"
    RefreshTokens, |_| json!({
        "grant_types": ["authorization_code", "refresh_token"], "scope": "openid offline_access",
    }), refreshed => "no refresh token", UNREGISTRABLE; "grant_types_supported", "refresh_token"
    ClientCredentials, machine, credentials => "unsupported_grant_type", UNREGISTRABLE;
        "grant_types_supported", "client_credentials"
    Device, |_| json!({"grant_types": [DEVICE], "redirect_uris": []}), device
        => "unauthorized_client", UNREGISTRABLE; "device_authorization_endpoint", ""
    TokenExchange, |_| json!({"grant_types": ["authorization_code", EXCHANGE], "scope": "openid cases.read"}), exchanged
        => "unsupported_grant_type", UNREGISTRABLE; "grant_types_supported", "urn:ietf:params:oauth:grant-type:token-exchange"
    JwtBearer, |_| json!({"grant_types": [BEARER], "redirect_uris": [], "scope": "cases.read"}), bearer
        => "unsupported_grant_type", UNREGISTRABLE; "grant_types_supported", "urn:ietf:params:oauth:grant-type:jwt-bearer"
    ResourceIndicators, machine, resource => "invalid_target", "invalid_target"; "", ""
    // A proof is a header like any other then: nothing is bound to it.
    Dpop, machine, proven => "Bearer", "Bearer"; "dpop_signing_alg_values_supported", ""
    Introspection, nothing, introspected => "unauthorized_client", "unauthorized_client"; "introspection_endpoint", ""
    SignedIntrospection, nothing, introspected_signed => "plain", "plain";
        "introspection_signing_alg_values_supported", ""
    Revocation, nothing, by_post => "unauthorized_client", "unauthorized_client"; "revocation_endpoint", ""
    SignedUserinfo, |_| json!({"userinfo_signed_response_alg": "ES256"}), registered => "works", UNREGISTRABLE;
        "userinfo_signing_alg_values_supported", ""
    Encryption, |_| json!({
        "jwks_uri": "https://portal.example/jwks", "id_token_encrypted_response_alg": "ECDH-ES",
    }), registered => "works", UNREGISTRABLE; "id_token_encryption_alg_values_supported", ""
    UnsignedIdTokens, |_| json!({"id_token_signed_response_alg": "none"}), unsigned => "signed", UNREGISTRABLE;
        "id_token_signing_alg_values_supported", "none"
    Pairwise, |_| json!({"subject_type": "pairwise"}), registered => "works", UNREGISTRABLE;
        "subject_types_supported", "pairwise"
    Logout, nothing, logged_out => "unauthorized_client", "unauthorized_client"; "end_session_endpoint", ""
    BackchannelLogout, |_| json!({"backchannel_logout_uri": "https://portal.example/out"}), registered
        => "works", UNREGISTRABLE; "backchannel_logout_supported", ""
    FrontchannelLogout, |_| json!({"frontchannel_logout_uri": "https://portal.example/out"}), registered
        => "works", UNREGISTRABLE; "frontchannel_logout_supported", ""
    SessionManagement, nothing, session_state => "no session_state", "no session_state"; "check_session_iframe", ""
};

/// Nodes over one embedded pair of stores.
struct Deployment {
    house: House,
    policies: PolicySet,
    key: Arc<ClientKey>,
    /// Where this key's request objects are, each under the name of its client.
    objects: String,
}

impl Deployment {
    async fn start() -> Self {
        let house = House::new(Pair::Embedded).await;
        let key = Arc::new(ClientKey::new("client-1"));
        let (signer, now) = (Arc::clone(&key), house.clock.now().as_secs());
        let object = move |id: &str| signer.sign("oauth-authz-req+jwt", &request_claims(id, now));
        let objects = serve_json(move |asked| Some((200, object(asked.path.trim_start_matches('/'))))).await;
        Self { policies: house.plan().policies, house, key, objects }
    }

    async fn node(&self, features: Features) -> Arc<Provider> {
        let writer = AssertionIssuer {
            issuer: WRITER.to_owned(),
            keys: ClientKeys { jwks: Some(self.key.jwks.clone()), jwks_uri: None },
            clients: ["", "-one", "-two"].map(|end| format!("jwt_bearer{end}").parse().unwrap()).to_vec(),
            scopes: "cases.read".parse().unwrap(),
            naming: Naming::Email(vec!["example.com".to_owned()]),
            subjects: Vec::new(),
        };
        let plan = NodePlan { features, assertion_issuers: vec![writer], ..self.house.plan() };
        self.house.node_with(NodePlan { policies: self.policies.clone(), ..plan }).await
    }

    /// Registers `id`, and uses the feature.
    async fn attempt(&self, node: &Provider, line: &Line, id: &str, off: &[&str]) -> String {
        match self.register(node, line, id, off).await {
            Ok(()) => (line.trial)(self, node, id).await,
            Err(why) => {
                assert!(why.contains("not supported") || why.contains("countersign_off"), "{why}");
                UNREGISTRABLE.to_owned()
            }
        }
    }

    async fn register(&self, node: &Provider, line: &Line, id: &str, off: &[&str]) -> Result<(), String> {
        let mut metadata = json!({
            "client_id": id, "client_secret": PORTAL_SECRET, "redirect_uris": [PORTAL_URI],
            "token_endpoint_auth_method": "client_secret_post", "scope": "openid", "countersign_policy": "lab",
            "countersign_off": off,
        });
        metadata.as_object_mut().unwrap().extend((line.metadata)(self).as_object().unwrap().clone());
        let registration: ClientRegistration = serde_json::from_value(metadata).unwrap();
        node.register_client(&registration).await.map(drop).map_err(|error| error.to_string())
    }

    fn now(&self) -> i64 {
        self.house.clock.now().as_secs()
    }
}

/// What an object asks for that a client of this feature signs.
fn request_claims(client: &str, now: i64) -> Value {
    json!({
        "iss": client, "aud": ISSUER, "client_id": client, "response_type": "code", "redirect_uri": PORTAL_URI,
        "scope": "openid", "nonce": "no", "state": "st", "exp": now + 300, "nbf": now,
    })
}

/// Alice signs in for a request; what the client gets.
async fn ask(node: &Provider, id: &str, more: &str) -> Response {
    let mut query = format!("client_id={id}");
    for (name, value) in [("response_type", "code"), ("redirect_uri", PORTAL_URI), ("scope", "openid"), ("nonce", "no")]
    {
        if !more.contains(&format!("{name}=")) && !more.contains("request") {
            query = format!("{query}&{name}={}", encode(value));
        }
    }
    match arrive(node, &format!("{query}&{more}")).await {
        (mut person, Seen::Page(page)) => person.give_password(node, &page, ALICE).await.response(),
        (_, seen) => seen.response(),
    }
}

async fn arrive(node: &Provider, query: &str) -> (Person, Seen) {
    let mut person = Person::new();
    let params = Params::parse_query(query).unwrap();
    let (cookies, context) = (&person.cookies, &person.context);
    let call = AuthorizeCall { params: &params, cookies, locale: "en", chosen: false, context };
    let answered = node.authorize(call).await.unwrap();
    let seen = person.follow(node, answered).await;
    (person, seen)
}

/// A parameter of an answer, however it travels.
fn told(response: &Response, name: &str) -> Option<String> {
    match response {
        Response::Redirect(uri) => {
            let uri = url::Url::parse(uri).unwrap();
            let text = format!("{}&{}", uri.query().unwrap_or_default(), uri.fragment().unwrap_or_default());
            let mut pairs = url::form_urlencoded::parse(text.as_bytes());
            pairs.find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
        }
        Response::FormPost { fields, .. } => {
            fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
        }
    }
}

/// `works` if the answer has `name`; else its error, or that it has none.
fn verdict(response: &Response, name: &str) -> String {
    let error = || told(response, "error").unwrap_or_else(|| format!("no {name}"));
    told(response, name).map_or_else(error, |_| "works".to_owned())
}

fn own(id: &str) -> String {
    format!("client_id={id}&client_secret={PORTAL_SECRET}")
}

async fn token(node: &Provider, form: &str, dpop: Option<&str>) -> Result<Value, String> {
    let (form, context) = (Params::parse_form(form.as_bytes()).unwrap(), Person::new().context);
    let query = Params::default();
    let call =
        TokenCall { authorization: None, query: &query, form: &form, dpop, certificate: None, context: &context };
    node.token(call).await.unwrap().map_err(|error| error.code.as_str().to_owned())
}

fn outcome<T>(result: Result<T, String>) -> String {
    result.map_or_else(|error| error, |_| "works".to_owned())
}

async fn tokens(node: &Provider, id: &str, more: &str) -> Value {
    let response = ask(node, id, more).await;
    let code = told(&response, "code").unwrap_or_else(|| panic!("no code: {:?}", told(&response, "error")));
    let form = format!("grant_type=authorization_code&code={code}&redirect_uri={}&{}", encode(PORTAL_URI), own(id));
    token(node, &form, None).await.unwrap()
}

async fn implicit(_: &Deployment, node: &Provider, id: &str) -> String {
    verdict(&ask(node, id, "response_type=id_token").await, "id_token")
}

async fn hybrid(_: &Deployment, node: &Provider, id: &str) -> String {
    verdict(&ask(node, id, "response_type=code+id_token").await, "id_token")
}

async fn form_post(_: &Deployment, node: &Provider, id: &str) -> String {
    let response = ask(node, id, "response_mode=form_post").await;
    let posted = matches!(response, Response::FormPost { .. });
    assert_eq!(posted, told(&response, "code").is_some());
    verdict(&response, "code")
}

async fn claims(_: &Deployment, node: &Provider, id: &str) -> String {
    let claims = encode(r#"{"id_token": {"email": null}}"#);
    let tokens = tokens(node, id, &format!("scope=openid&claims={claims}")).await;
    let has = crate::claims::id_claims(&tokens).get("email").is_some();
    if has { "works" } else { "ignored" }.to_owned()
}

async fn create(_: &Deployment, node: &Provider, id: &str) -> String {
    let query = format!(
        "client_id={id}&response_type=code&scope=openid&nonce=no&prompt=create&redirect_uri={}",
        encode(PORTAL_URI)
    );
    match arrive(node, &query).await.1 {
        Seen::Page(_) => "works".to_owned(),
        seen => seen.error(),
    }
}

async fn pushed(_: &Deployment, node: &Provider, id: &str) -> String {
    let text = format!("{}&response_type=code&scope=openid&redirect_uri={}", own(id), encode(PORTAL_URI));
    let (form, context) = (Params::parse_form(text.as_bytes()).unwrap(), Person::new().context);
    let call = PushCall { authorization: None, query: &Params::default(), form: &form, dpop: None, context: &context };
    match node.push_request(call).await.unwrap() {
        Ok(body) => {
            let name = encode(body["request_uri"].as_str().unwrap());
            verdict(&ask(node, id, &format!("request_uri={name}")).await, "code")
        }
        Err(error) => {
            let name = encode("urn:ietf:params:oauth:request_uri:abc");
            let come = format!("client_id={id}&request_uri={name}&redirect_uri={}", encode(PORTAL_URI));
            assert_eq!(arrive(node, &come).await.1.error(), "request_uri_not_supported");
            error.code.as_str().to_owned()
        }
    }
}

async fn request_object(it: &Deployment, node: &Provider, id: &str) -> String {
    let object = it.key.sign("oauth-authz-req+jwt", &request_claims(id, it.now()));
    verdict(&ask(node, id, &format!("request={object}&redirect_uri={}", encode(PORTAL_URI))).await, "code")
}

async fn request_uri(it: &Deployment, node: &Provider, id: &str) -> String {
    let address = encode(&format!("{}/{id}", it.objects));
    let query = format!("request_uri={address}&redirect_uri={}", encode(PORTAL_URI));
    verdict(&ask(node, id, &query).await, "code")
}

async fn signed_response(_: &Deployment, node: &Provider, id: &str) -> String {
    verdict(&ask(node, id, "response_mode=query.jwt").await, "response")
}

/// It is held to its profile: what was not pushed is refused.
async fn profile(_: &Deployment, node: &Provider, id: &str) -> String {
    let error = told(&ask(node, id, PKCE).await, "error").unwrap();
    if error == "invalid_request" { "works".to_owned() } else { error }
}

/// Revokes a token that never was: all that counts is who asks.
async fn revoke(node: &Provider, authorization: Option<&str>, form: &str) -> String {
    let form = Params::parse_form(format!("token=never&{form}").as_bytes()).unwrap();
    let (query, context) = (Params::default(), Person::new().context);
    let call = ClientCall { authorization, query: &query, form: &form, context: &context };
    outcome(node.revoke(call).await.unwrap().map_err(|error| error.code.as_str().to_owned()))
}

async fn by_basic(_: &Deployment, node: &Provider, id: &str) -> String {
    use base64::Engine as _;
    let pair = base64::engine::general_purpose::STANDARD.encode(format!("{}:{PORTAL_SECRET}", encode(id)));
    revoke(node, Some(&format!("Basic {pair}")), "").await
}

async fn by_post(_: &Deployment, node: &Provider, id: &str) -> String {
    revoke(node, None, &own(id)).await
}

fn assertion_claims(it: &Deployment, issuer: &str, subject: &str) -> Value {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let jti = NEXT.fetch_add(1, Ordering::Relaxed).to_string();
    json!({"iss": issuer, "sub": subject, "aud": ISSUER, "jti": jti, "iat": it.now(), "exp": it.now() + 60})
}

async fn by_assertion(node: &Provider, assertion: &str) -> String {
    let kind = encode(client_assertion::TYPE);
    revoke(node, None, &format!("client_assertion_type={kind}&client_assertion={assertion}")).await
}

async fn by_shared_jwt(it: &Deployment, node: &Provider, id: &str) -> String {
    let secret = jsonwebtoken::EncodingKey::from_secret(PORTAL_SECRET.as_bytes());
    let header = jsonwebtoken::Header::default();
    by_assertion(node, &jsonwebtoken::encode(&header, &assertion_claims(it, id, id), &secret).unwrap()).await
}

async fn by_key_jwt(it: &Deployment, node: &Provider, id: &str) -> String {
    by_assertion(node, &it.key.sign("JWT", &assertion_claims(it, id, id))).await
}

async fn by_nothing(_: &Deployment, node: &Provider, id: &str) -> String {
    let response = ask(node, id, PKCE).await;
    let Some(code) = told(&response, "code") else { return told(&response, "error").unwrap() };
    let uri = encode(PORTAL_URI);
    let grant = "grant_type=authorization_code";
    let form = format!("{grant}&code={code}&redirect_uri={uri}&code_verifier={VERIFIER}&client_id={id}");
    outcome(token(node, &form, None).await)
}

async fn refreshed(_: &Deployment, node: &Provider, id: &str) -> String {
    let tokens = tokens(node, id, "scope=openid+offline_access").await;
    let Some(refresh_token) = tokens["refresh_token"].as_str() else { return "no refresh token".to_owned() };
    outcome(token(node, &format!("grant_type=refresh_token&refresh_token={refresh_token}&{}", own(id)), None).await)
}

async fn credentials(_: &Deployment, node: &Provider, id: &str) -> String {
    outcome(token(node, &format!("grant_type=client_credentials&{}", own(id)), None).await)
}

async fn device(_: &Deployment, node: &Provider, id: &str) -> String {
    let (form, context) = (Params::parse_form(own(id).as_bytes()).unwrap(), Person::new().context);
    let call = ClientCall { authorization: None, query: &Params::default(), form: &form, context: &context };
    outcome(node.authorize_device(call).await.unwrap().map_err(|error| error.code.as_str().to_owned()))
}

async fn exchanged(_: &Deployment, node: &Provider, id: &str) -> String {
    let more = format!("scope=openid+cases.read&resource={}", encode(CASES));
    let subject = tokens(node, id, &more).await["access_token"].as_str().unwrap().to_owned();
    let kind = "urn:ietf:params:oauth:token-type:access_token";
    let form = format!("grant_type={EXCHANGE}&subject_token={subject}&subject_token_type={kind}&{}", own(id));
    outcome(token(node, &form, None).await)
}

async fn bearer(it: &Deployment, node: &Provider, id: &str) -> String {
    let assertion = it.key.sign("JWT", &assertion_claims(it, WRITER, ALICE.0));
    outcome(token(node, &format!("grant_type={BEARER}&assertion={assertion}&{}", own(id)), None).await)
}

async fn resource(_: &Deployment, node: &Provider, id: &str) -> String {
    let form = format!("grant_type=client_credentials&resource={}&{}", encode(CASES), own(id));
    outcome(token(node, &form, None).await)
}

async fn proven(it: &Deployment, node: &Provider, id: &str) -> String {
    let proof = Prover::default().prove("POST", &format!("{ISSUER}/token"), &json!({"iat": it.now()}));
    let tokens = token(node, &format!("grant_type=client_credentials&{}", own(id)), Some(&proof)).await.unwrap();
    let kind = tokens["token_type"].as_str().unwrap();
    if kind == "DPoP" { "works" } else { kind }.to_owned()
}

async fn introspect(node: &Provider, id: &str, accept: Option<&str>) -> Result<Introspection, String> {
    let form = Params::parse_form(format!("token=never&{}", own(id)).as_bytes()).unwrap();
    let (query, context) = (Params::default(), Person::new().context);
    let call = ClientCall { authorization: None, query: &query, form: &form, context: &context };
    node.introspect(call, accept).await.unwrap().map_err(|error| error.code.as_str().to_owned())
}

async fn introspected(_: &Deployment, node: &Provider, id: &str) -> String {
    outcome(introspect(node, id, None).await)
}

async fn introspected_signed(_: &Deployment, node: &Provider, id: &str) -> String {
    match introspect(node, id, Some("application/token-introspection+jwt")).await.unwrap() {
        Introspection::Signed(_) => "works".to_owned(),
        Introspection::Plain(_) => "plain".to_owned(),
    }
}

/// It is all in what is registered: what comes of it is shown elsewhere.
async fn registered(_: &Deployment, node: &Provider, id: &str) -> String {
    assert!(node.list_clients().await.unwrap().iter().any(|client| client.id.as_str() == id));
    "works".to_owned()
}

async fn unsigned(_: &Deployment, node: &Provider, id: &str) -> String {
    let tokens = tokens(node, id, "").await;
    let unsigned = tokens["id_token"].as_str().unwrap().ends_with('.');
    if unsigned { "works" } else { "signed" }.to_owned()
}

async fn logged_out(_: &Deployment, node: &Provider, id: &str) -> String {
    let person = Person::new();
    let params = Params::parse_query(&format!("client_id={id}")).unwrap();
    let call = LogoutCall { params: &params, cookies: &person.cookies, context: &person.context };
    match node.log_out(call).await.unwrap() {
        LogoutAnswer::Done(_) => "works".to_owned(),
        LogoutAnswer::Refused(error) => error.code.as_str().to_owned(),
        other => panic!("{other:?}"),
    }
}

async fn session_state(_: &Deployment, node: &Provider, id: &str) -> String {
    verdict(&ask(node, id, "").await, "session_state")
}

fn is_advertised(node: &Provider, (member, value): (&str, &str)) -> bool {
    let metadata = node.metadata();
    let said = &metadata[member];
    match said {
        Value::Null | Value::Bool(false) => false,
        Value::Array(values) if !value.is_empty() => values.iter().any(|known| known == value),
        _ => true,
    }
}

/// What a client keeps that registered it: nothing of it is asked for where it could be refused.
const KEPT: [Feature; 4] = [Feature::SecurityProfiles, Feature::SignedUserinfo, Feature::Encryption, Feature::Pairwise];

/// Whether the report says that the client `name` keeps the feature of that name, which is off.
async fn is_kept(node: &Provider, features: Features, name: &str) -> bool {
    let (minute, hour) = (Seconds::minutes(1), Seconds::hours(1));
    let judged = Configuration { is_https: true, features, code: minute, access_token: hour, mutual_tls: false };
    let told = judge(&judged, &node.list_clients().await.unwrap()).into_iter();
    let mut told = told.filter(|told| told.yardstick == Yardstick::Protocol && told.section == name);
    told.any(|told| told.client.as_deref() == Some(name))
}

#[test]
fn every_feature_works_where_it_is_on_and_for_whom_it_is_on() {
    countersign_tests::stores::block_on(async {
        let listed: Vec<Feature> = TABLE.iter().map(|line| line.feature).collect();
        assert_eq!(listed, Feature::ALL, "a feature without a line");
        let deployment = Deployment::start().await;
        let everything = deployment.node(Features::ALL).await;
        let mut wrong = Vec::new();
        let mut see = |what: String, outcome: &str, expected: &str| {
            if outcome != expected {
                wrong.push(format!("{what}: {outcome}, not {expected}"));
            }
        };
        for line in TABLE {
            let name = line.feature.as_str();
            let (one, two) = (format!("{name}-one"), format!("{name}-two"));
            see(format!("{name} on"), &deployment.attempt(&everything, line, name, &[]).await, "works");
            let own = deployment.attempt(&everything, line, &one, &[name]).await;
            see(format!("{name} off for one"), &own, line.off_for_one);
            see(format!("{name} for another"), &deployment.attempt(&everything, line, &two, &[]).await, "works");

            let mut features = Features::ALL;
            *features.switch(line.feature) = false;
            let without = deployment.node(features).await;
            see(format!("{name} off"), &(line.trial)(&deployment, &without, name).await, line.off);
            let fresh = deployment.attempt(&without, line, &one, &[]).await;
            let expected = if fresh == UNREGISTRABLE { UNREGISTRABLE } else { line.off };
            see(format!("{name} off, of a new client"), &fresh, expected);
            assert_ne!(fresh, "works", "{name} is off");
            // Who goes on with what it registered before is named by the report.
            let named = is_kept(&without, features, name).await;
            assert_eq!(named, KEPT.contains(&line.feature), "{name}, kept by a client");
            if !line.advertised.0.is_empty() {
                let said = [&everything, &without].map(|node| is_advertised(node, line.advertised));
                assert_eq!(said, [true, false], "{name} is advertised");
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
    });
}

#[test]
fn what_is_no_feature_cannot_be_off() {
    countersign_tests::stores::block_on(async {
        let deployment = Deployment::start().await;
        let node = deployment.node(Features::ALL).await;
        let why = deployment.register(&node, &TABLE[0], "odd", &["code_flow"]).await.unwrap_err();
        assert!(why.contains("code_flow is no feature"), "{why}");
    });
}
