//! Once means once: a hundred redemptions of each thing that is good once, over two nodes with connections of their own
//! to one PostgreSQL and one Redis; also when that Redis was killed and started again since the thing was made, with
//! what it held or without.

use std::sync::{Arc, Mutex};

use countersign_model::{ClientKeys, FlowId};
use countersign_protocol::bearer::Refusal;
use countersign_protocol::{AssertionIssuer, Naming, Params, client_assertion};
use countersign_service::{
    AdminRefusal, Answer, AuthorizeCall, ClientCall, DeviceAnswer, DeviceCall, Provider, PushCall, ResourceCall,
    TokenCall,
};
use countersign_store::Redis;
use countersign_tests::client_key::ClientKey;
use countersign_tests::prover::Prover;
use countersign_tests::provider::{
    ALICE, HOSPITAL, House, NodePlan, PORTAL_SECRET, PORTAL_URI, Pair, Person, Seen, encode, parameter, register_client,
};
use countersign_tests::servers::{Keeps, RedisServer};
use countersign_tests::stores::{block_on, race, redis_settings};
use serde_json::{Value, json};

/// What a program of the help desk reads.
const TIMELINE: &str = "/admin/api/v1/users/alice@example.com/timeline";
const MANY: usize = 100;
const ISSUER: &str = "https://id.example";
const WRITER: &str = "https://writer.example.com";
const BEARER_GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const DEVICE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// What is good once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Code,
    RefreshToken,
    PushedRequest,
    DeviceCode,
    ClientAssertion(Endpoint),
    AssertionGrant,
    DpopProof(Endpoint),
}

/// Where a client proves itself, or a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Endpoint {
    Token,
    Pushed,
    Device,
    Introspection,
    Revocation,
    Userinfo,
    Timeline,
}

/// Each, and what whoever comes too late is told.
const TABLE: [(Kind, &str); 14] = [
    // RFC 6749, 4.1.2 and 5.2.
    (Kind::Code, "invalid_grant"),
    // RFC 6749, 5.2; RFC 9700, 4.14.2.
    (Kind::RefreshToken, "invalid_grant"),
    // RFC 9126, 4; RFC 9101, 7.
    (Kind::PushedRequest, "invalid_request_uri"),
    // RFC 8628, 3.5, by RFC 6749, 5.2.
    (Kind::DeviceCode, "invalid_grant"),
    // RFC 7523, 3 and 3.2, wherever a client authenticates (RFC 9126, 2; RFC 8628, 3.1; RFC 7662, 2.1; RFC 7009, 2.1).
    (Kind::ClientAssertion(Endpoint::Token), "invalid_client"),
    (Kind::ClientAssertion(Endpoint::Pushed), "invalid_client"),
    (Kind::ClientAssertion(Endpoint::Device), "invalid_client"),
    (Kind::ClientAssertion(Endpoint::Introspection), "invalid_client"),
    (Kind::ClientAssertion(Endpoint::Revocation), "invalid_client"),
    // RFC 7523, 3 and 3.1.
    (Kind::AssertionGrant, "invalid_grant"),
    // RFC 9449, 11.1 and 12.2; 10.1; 7.1.
    (Kind::DpopProof(Endpoint::Token), "invalid_dpop_proof"),
    (Kind::DpopProof(Endpoint::Pushed), "invalid_dpop_proof"),
    (Kind::DpopProof(Endpoint::Userinfo), "invalid_dpop_proof"),
    (Kind::DpopProof(Endpoint::Timeline), "invalid_dpop_proof"),
];

/// One of them, as its owner holds it.
pub struct Issued {
    kind: Kind,
    error: &'static str,
    /// Its text.
    pub text: String,
}

/// Two nodes over one pair of servers.
pub struct Deployment {
    /// Its stores.
    pub house: House,
    /// Its Redis.
    pub redis: RedisServer,
    /// Its nodes.
    pub nodes: [Arc<Provider>; 2],
    key: ClientKey,
    /// Signed in, so that a request of theirs is answered without a page.
    pub browser: Person,
    /// What people were told or shown besides.
    pub told: Mutex<Vec<String>>,
}

impl Deployment {
    /// With a Redis of its own.
    pub async fn start(keeps: Keeps) -> Self {
        let house = House::new(Pair::Servers).await;
        let redis = RedisServer::start_keeping(keeps).await;
        let settings = redis_settings(&redis.url);
        let key = ClientKey::new("machine-1");
        let node = async || {
            let short_lived = Arc::new(Redis::connect(&settings).unwrap());
            house.node_with(NodePlan { short_lived, assertion_issuers: vec![writer(&key)], ..house.plan() }).await
        };
        let nodes = [node().await, node().await];
        for client in clients(&key) {
            register_client(&nodes[0], client).await;
        }
        let mut browser = Person::new();
        let page = browser.arrive_from(&nodes[0], "lab-suite", "").await.page();
        browser.give_password(&nodes[0], &page, ALICE).await.code();
        Self { house, redis, nodes, key, browser, told: Mutex::default() }
    }

    /// The same, after its Redis was killed and came back.
    async fn with_redis_started_again(self) -> Self {
        let before = self.redis.process.pid();
        let redis = self.redis.start_again().await;
        assert_ne!(redis.process.pid(), before);
        Self { redis, ..self }
    }

    /// One of each.
    pub async fn issue_each(&self) -> Vec<Issued> {
        let mut issued = Vec::new();
        for (kind, error) in TABLE {
            let text = match kind {
                Kind::Code => self.code().await,
                Kind::RefreshToken => text(&self.redeemed_code().await, "refresh_token"),
                Kind::PushedRequest => crate::pushed::push(&self.nodes[0]).await,
                Kind::DeviceCode => self.device_code().await,
                Kind::ClientAssertion(endpoint) => self.assertion("machine", "machine", &format!("{endpoint:?}")),
                Kind::AssertionGrant => self.assertion(WRITER, ALICE.0, "once"),
                Kind::DpopProof(Endpoint::Userinfo) => self.bound_token_and_proof().await,
                Kind::DpopProof(Endpoint::Timeline) => self.desk_token_and_proof().await,
                Kind::DpopProof(Endpoint::Pushed) => self.proof("/par"),
                Kind::DpopProof(_) => self.proof("/token"),
            };
            issued.push(Issued { kind, error, text });
        }
        issued
    }

    async fn code(&self) -> String {
        let mut person = Person::new();
        let page = person.arrive(&self.nodes[0], "p=lab&scope=openid+offline_access").await.page();
        person.give_password(&self.nodes[0], &page, HOSPITAL).await.code()
    }

    async fn redeemed_code(&self) -> Value {
        let issued = Issued { kind: Kind::Code, error: "", text: self.code().await };
        redeem(&self.nodes[0], &self.browser, &issued).await.unwrap()
    }

    /// A device's code that its person has allowed.
    async fn device_code(&self) -> String {
        let (node, mut person) = (&self.nodes[0], Person::new());
        let form = form(&format!("client_id=tv&client_secret={PORTAL_SECRET}&scope=openid+offline_access"));
        let query = Params::default();
        let call = ClientCall { authorization: None, query: &query, form: &form, context: &person.context };
        let codes = node.authorize_device(call).await.unwrap().unwrap();
        let user_code = text(&codes, "user_code");
        self.told.lock().unwrap().push(user_code.clone());
        let entered = node.enter_user_code(device_call(&person, &user_code)).await.unwrap();
        let DeviceAnswer::Flow(login) = entered else { panic!("no login: {entered:?}") };
        let page = person.follow(node, *login).await.page();
        person.give_password(node, &page, ALICE).await.response();
        let shown = node.open_device_page(device_call(&person, &user_code)).await.unwrap();
        let DeviceAnswer::Confirm(question) = shown else { panic!("no question: {shown:?}") };
        let decided = node.decide_device(true, &question.nonce, device_call(&person, &user_code)).await.unwrap();
        assert!(matches!(decided, DeviceAnswer::Decided { allowed: true, .. }), "{decided:?}");
        text(&codes, "device_code")
    }

    fn assertion(&self, issuer: &str, subject: &str, jti: &str) -> String {
        let now = self.house.clock.now().as_secs();
        let claims = json!({"iss": issuer, "sub": subject, "aud": ISSUER, "jti": jti, "iat": now, "exp": now + 60});
        self.key.sign("JWT", &claims)
    }

    fn proof(&self, path: &str) -> String {
        let now = self.house.clock.now().as_secs();
        Prover::default().prove("POST", &format!("{ISSUER}{path}"), &json!({"iat": now}))
    }

    /// A person's access token that is bound to a key, and a proof of that key for one visit to UserInfo.
    async fn bound_token_and_proof(&self) -> String {
        let (prover, now) = (Prover::default(), json!({"iat": self.house.clock.now().as_secs()}));
        let code = self.code().await;
        let form = format!(
            "grant_type=authorization_code&code={code}&redirect_uri={}&client_id=case-portal&client_secret={PORTAL_SECRET}",
            encode(PORTAL_URI)
        );
        let proof = prover.prove("POST", &format!("{ISSUER}/token"), &now);
        let tokens = ask_for_tokens(&self.nodes[0], &self.browser, &form, Some(&proof)).await.unwrap();
        self.told.lock().unwrap().push(code);
        assert_eq!(tokens["token_type"], "DPoP");
        let token = text(&tokens, "access_token");
        let proof = prover.prove_token(&format!("{ISSUER}/userinfo"), &token, &now);
        format!("{token} {proof}")
    }

    /// The same of a program of the help desk, for one visit to a person's timeline.
    async fn desk_token_and_proof(&self) -> String {
        let (prover, now) = (Prover::default(), json!({"iat": self.house.clock.now().as_secs()}));
        let form = format!("grant_type=client_credentials&client_id=desk&client_secret={PORTAL_SECRET}");
        let proof = prover.prove("POST", &format!("{ISSUER}/token"), &now);
        let tokens = ask_for_tokens(&self.nodes[0], &self.browser, &form, Some(&proof)).await.unwrap();
        let token = text(&tokens, "access_token");
        let proof = prover.prove_token(&format!("{ISSUER}{TIMELINE}"), &token, &now);
        format!("{token} {proof}")
    }

    /// A hundred at once, every other one at the second node: what the winners got, if `winners` of them won and all
    /// others heard what they should.
    fn redeem_at_once(&self, issued: &Issued, winners: usize) {
        let (nodes, browser) = (&self.nodes, &self.browser);
        let answers = race(MANY, |index| redeem(&nodes[index % 2], browser, issued));
        let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
        assert_eq!(won.len(), winners, "{:?}", issued.kind);
        for error in lost {
            assert_eq!(error.unwrap_err(), issued.error, "{:?}", issued.kind);
        }
    }

    /// A sign-in under way: it is in Redis alone.
    async fn begin_sign_in(&self) -> (Person, FlowId) {
        let mut person = Person::new();
        let page = person.walk_to_mailbox(&self.nodes[0], HOSPITAL, false).await;
        (person, page.flow)
    }
}

/// Somebody else who speaks for people.
fn writer(key: &ClientKey) -> AssertionIssuer {
    AssertionIssuer {
        issuer: WRITER.to_owned(),
        keys: ClientKeys { jwks: Some(key.jwks.clone()), jwks_uri: None },
        clients: vec!["gateway".parse().unwrap()],
        scopes: "cases.read".parse().unwrap(),
        naming: Naming::Email(vec!["example.com".to_owned()]),
        subjects: Vec::new(),
    }
}

fn clients(key: &ClientKey) -> [Value; 5] {
    let machine = |id: &str| {
        json!({
            "client_id": id, "grant_types": ["client_credentials"], "redirect_uris": [], "scope": "cases.read",
        })
    };
    let mut asserting = machine("machine");
    asserting["token_endpoint_auth_method"] = json!("private_key_jwt");
    asserting["client_secret"] = Value::Null;
    asserting["grant_types"] = json!(["authorization_code", "client_credentials", DEVICE_GRANT]);
    asserting["redirect_uris"] = json!([PORTAL_URI]);
    asserting["scope"] = json!("openid cases.read");
    asserting["jwks"] = key.jwks.clone();
    let tv = json!({
        "client_id": "tv", "grant_types": [DEVICE_GRANT, "refresh_token"], "redirect_uris": [],
        "scope": "openid offline_access", "countersign_policy": "lab",
    });
    let mut gateway = machine("gateway");
    gateway["grant_types"] = json!([BEARER_GRANT]);
    let mut desk = machine("desk");
    desk["scope"] = json!("users.read");
    [asserting, machine("prover"), gateway, tv, desk]
}

fn text(body: &Value, name: &str) -> String {
    body[name].as_str().unwrap_or_else(|| panic!("no {name} in {body}")).to_owned()
}

fn form(text: &str) -> Params {
    Params::parse_form(text.as_bytes()).unwrap()
}

fn device_call<'a>(person: &'a Person, user_code: &'a str) -> DeviceCall<'a> {
    DeviceCall { user_code, cookies: &person.cookies, locale: "en", context: &person.context }
}

/// Redeems it at `node`: what came of it, or the error's code.
pub async fn redeem(node: &Provider, browser: &Person, issued: &Issued) -> Result<Value, String> {
    let own = |id: &str| format!("client_id={id}&client_secret={PORTAL_SECRET}");
    let held = &issued.text;
    let pushed = format!("response_type=code&scope=openid&redirect_uri={}", encode(PORTAL_URI));
    let (form, dpop) = match issued.kind {
        Kind::PushedRequest => return come_by_name(node, browser, held).await,
        Kind::Code => {
            let grant = format!("grant_type=authorization_code&code={held}&redirect_uri={}", encode(PORTAL_URI));
            (format!("{grant}&{}", own("case-portal")), None)
        }
        Kind::RefreshToken => (format!("grant_type=refresh_token&refresh_token={held}&{}", own("case-portal")), None),
        Kind::DeviceCode => (format!("grant_type={}&device_code={held}&{}", encode(DEVICE_GRANT), own("tv")), None),
        Kind::ClientAssertion(endpoint) => {
            let kind = encode(client_assertion::TYPE);
            let proven = format!("client_assertion_type={kind}&client_assertion={held}");
            match endpoint {
                Endpoint::Pushed => return push_as(node, browser, &format!("{pushed}&{proven}"), None).await,
                Endpoint::Device | Endpoint::Introspection | Endpoint::Revocation => {
                    return call_as(node, browser, endpoint, &proven).await;
                }
                Endpoint::Token | Endpoint::Userinfo | Endpoint::Timeline => {
                    (format!("grant_type=client_credentials&{proven}"), None)
                }
            }
        }
        Kind::AssertionGrant => {
            (format!("grant_type={}&assertion={held}&{}", encode(BEARER_GRANT), own("gateway")), None)
        }
        Kind::DpopProof(Endpoint::Pushed) => {
            return push_as(node, browser, &format!("{pushed}&{}", own("lab-suite")), Some(held)).await;
        }
        Kind::DpopProof(Endpoint::Userinfo) => return ask_for_claims(node, held).await,
        Kind::DpopProof(Endpoint::Timeline) => return ask_for_timeline(node, browser, held).await,
        Kind::DpopProof(_) => (format!("grant_type=client_credentials&{}", own("prover")), Some(held.as_str())),
    };
    ask_for_tokens(node, browser, &form, dpop).await
}

async fn ask_for_tokens(node: &Provider, browser: &Person, form: &str, dpop: Option<&str>) -> Result<Value, String> {
    let (form, query) = (self::form(form), Params::default());
    let call = TokenCall {
        authorization: None,
        query: &query,
        form: &form,
        dpop,
        certificate: None,
        context: &browser.context,
    };
    node.token(call).await.unwrap().map_err(|error| error.code.as_str().to_owned())
}

/// A client pushes a request.
async fn push_as(node: &Provider, browser: &Person, form: &str, dpop: Option<&str>) -> Result<Value, String> {
    let (form, query) = (self::form(form), Params::default());
    let call = PushCall { authorization: None, query: &query, form: &form, dpop, context: &browser.context };
    node.push_request(call).await.unwrap().map_err(|error| error.code.as_str().to_owned())
}

/// A client calls another endpoint; about tokens, it asks of one that never was.
async fn call_as(node: &Provider, browser: &Person, endpoint: Endpoint, proven: &str) -> Result<Value, String> {
    let (form, query) = (self::form(&format!("token=never&scope=openid&{proven}")), Params::default());
    let call = ClientCall { authorization: None, query: &query, form: &form, context: &browser.context };
    let answer = match endpoint {
        Endpoint::Introspection => node.introspect(call, None).await.unwrap().map(|_| Value::Null),
        Endpoint::Revocation => node.revoke(call).await.unwrap().map(|()| Value::Null),
        _ => node.authorize_device(call).await.unwrap(),
    };
    answer.map_err(|error| error.code.as_str().to_owned())
}

/// A visit to a resource with a token and its proof.
fn visit<'a>(path: &'a str, authorization: &'a str, proof: &'a str, none: &'a Params) -> ResourceCall<'a> {
    ResourceCall {
        method: "GET",
        path,
        authorization: Some(authorization),
        dpop: Some(proof),
        query: none,
        form: none,
        certificate: None,
    }
}

fn refused(refusal: &Refusal) -> String {
    match refusal {
        Refusal::Error(error) => error.code.as_str().to_owned(),
        refusal => panic!("{refusal:?}"),
    }
}

/// Shows a token with its proof at UserInfo.
async fn ask_for_claims(node: &Provider, held: &str) -> Result<Value, String> {
    let (token, proof) = held.split_once(' ').expect("a token and a proof");
    let (authorization, none) = (format!("DPoP {token}"), Params::default());
    let answer = node.userinfo(visit("/userinfo", &authorization, proof, &none)).await.unwrap();
    answer.map(|_| Value::Null).map_err(|refusal| refused(&refusal))
}

/// Shows one at the admin API.
async fn ask_for_timeline(node: &Provider, browser: &Person, held: &str) -> Result<Value, String> {
    let (token, proof) = held.split_once(' ').expect("a token and a proof");
    let (authorization, none) = (format!("DPoP {token}"), Params::default());
    let call = visit(TIMELINE, &authorization, proof, &none);
    match node.read_timeline(call, ALICE.0, &browser.context).await.unwrap() {
        Ok(_) => Ok(Value::Null),
        Err(AdminRefusal::Token(refusal)) => Err(refused(&refusal)),
        Err(other) => panic!("{other:?}"),
    }
}

/// A signed-in browser brings the name of a pushed request.
async fn come_by_name(node: &Provider, browser: &Person, name: &str) -> Result<Value, String> {
    let params = Params::parse_query(&format!("client_id=lab-suite&request_uri={}", encode(name))).unwrap();
    let (cookies, context) = (&browser.cookies, &browser.context);
    let call = AuthorizeCall { params: &params, cookies, locale: "en", chosen: false, context };
    match node.authorize(call).await.unwrap().answer {
        Answer::Refused(error) => Err(error.code.as_str().to_owned()),
        Answer::Respond(response) => match parameter(&response, "code") {
            Some(code) => Ok(json!({"code": code})),
            None => Err(parameter(&response, "error").expect("a code or an error")),
        },
        other => panic!("neither a code nor an error: {other:?}"),
    }
}

#[test]
fn of_a_hundred_redemptions_one_wins() {
    block_on(async {
        let deployment = Deployment::start(Keeps::Nothing).await;
        for issued in deployment.issue_each().await {
            deployment.redeem_at_once(&issued, 1);
        }
    });
}

#[test]
fn of_a_hundred_redemptions_one_wins_though_redis_was_killed_and_came_back() {
    block_on(win_once_over_a_restart(Keeps::Everything));
}

#[test]
fn of_a_hundred_redemptions_one_wins_though_redis_lost_everything() {
    block_on(win_once_over_a_restart(Keeps::Nothing));
}

async fn win_once_over_a_restart(keeps: Keeps) {
    let deployment = Deployment::start(keeps).await;
    let issued = deployment.issue_each().await;
    let (mut person, flow) = deployment.begin_sign_in().await;
    let deployment = deployment.with_redis_started_again().await;
    // That it lost what it held, or did not, is seen at what is nowhere else.
    let shown = person.reload(&deployment.nodes[1], flow).await;
    assert_eq!(matches!(shown, Seen::Page(_)), keeps == Keeps::Everything, "{shown:?}");
    for issued in &issued {
        deployment.redeem_at_once(issued, 1);
    }
}

/// An id that were remembered in Redis alone could be used again now.
#[test]
fn what_was_redeemed_stays_so_though_redis_lost_everything() {
    block_on(async {
        let deployment = Deployment::start(Keeps::Nothing).await;
        let issued = deployment.issue_each().await;
        for one in &issued {
            let got = redeem(&deployment.nodes[0], &deployment.browser, one).await.unwrap();
            if one.kind == Kind::RefreshToken {
                // Until its successor is used, the answer may have been lost, and the token is good again.
                let successor = Issued { text: text(&got, "refresh_token"), ..*one };
                redeem(&deployment.nodes[1], &deployment.browser, &successor).await.unwrap();
            }
        }
        let deployment = deployment.with_redis_started_again().await;
        for one in &issued {
            deployment.redeem_at_once(one, 0);
        }
    });
}
