//! What is fetched from addresses of clients, whatever for: their documents, their keys, their redirect URIs, their
//! request objects. And how many clients strangers' documents make.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use countersign_model::{AuditEvent, Seconds};
use countersign_protocol::{Features, Params};
use countersign_service::{
    AuthorizeCall, ClientRegistration, Provider, RegistrationAccess, RegistrationCall, RegistrationSettings,
    RequestContext, TokenCall,
};
use countersign_tests::client_key::ClientKey;
use countersign_tests::provider::{House, NodePlan, Person, Seen, encode, serve_as};
use futures_util::future::join_all;
use serde_json::{Value, json};

on_both_stores![
    documents_that_nobody_uses_keep_no_other_client_out,
    what_documents_described_is_gone_where_they_are_switched_off,
];

/// What is fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Document,
    Keys,
    Sector,
    RequestObject,
}

const KINDS: [Kind; 4] = [Kind::Document, Kind::Keys, Kind::Sector, Kind::RequestObject];
const CALLBACK: &str = "https://rp.example/cb";

/// A site of a client: its address, what stands there with which status, and how often that was read.
struct Site {
    address: String,
    served: Arc<Mutex<Option<(u16, String)>>>,
    read: Arc<AtomicUsize>,
}

impl Site {
    async fn open() -> Self {
        Self::open_as("application/json").await
    }

    async fn open_as(media_type: &'static str) -> Self {
        let (served, read) = (Arc::new(Mutex::new(None)), Arc::new(AtomicUsize::new(0)));
        let (shown, count) = (Arc::clone(&served), Arc::clone(&read));
        let address = serve_as(media_type, move |_| {
            count.fetch_add(1, Ordering::SeqCst);
            shown.lock().unwrap().clone()
        })
        .await;
        Self { address, served, read }
    }

    fn publish(&self, status: u16, body: &str) {
        *self.served.lock().unwrap() = Some((status, body.to_owned()));
    }

    fn hang(&self) {
        *self.served.lock().unwrap() = None;
    }

    fn count(&self) -> usize {
        self.read.load(Ordering::SeqCst)
    }
}

fn document(id: &str) -> Value {
    let origin = url::Url::parse(id).unwrap().origin().ascii_serialization();
    json!({"client_id": id, "client_name": "Stranger", "redirect_uris": [format!("{origin}/cb")]})
}

async fn authorize(node: &Provider, query: &str) -> Seen {
    let mut person = Person::new();
    let params = Params::parse_query(query).unwrap();
    let (cookies, context) = (&person.cookies, &person.context);
    let call = AuthorizeCall { params: &params, cookies, locale: "en", chosen: false, context };
    let answered = node.authorize(call).await.unwrap();
    person.follow(node, answered).await
}

/// Whether somebody comes as far as a page for the client that `id` describes.
async fn meets(node: &Provider, id: &str) -> bool {
    let uri = document(id)["redirect_uris"][0].as_str().unwrap().to_owned();
    let pkce = "code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256";
    let (id, uri) = (encode(id), encode(&uri));
    let query = format!("client_id={id}&response_type=code&redirect_uri={uri}&scope=openid&state=st&{pkce}");
    matches!(authorize(node, &query).await, Seen::Page(_))
}

async fn register_operators(node: &Provider, metadata: Value) -> bool {
    let client: ClientRegistration = serde_json::from_value(metadata).unwrap();
    node.register_client(&client).await.is_ok()
}

/// What is right at the address of `kind`, and who is asked for it.
fn right_answer(kind: Kind, key: &ClientKey, url: &str, id: &str, now: i64) -> String {
    match kind {
        Kind::Document => document(url).to_string(),
        Kind::Keys => key.jwks.to_string(),
        Kind::Sector => json!([CALLBACK]).to_string(),
        Kind::RequestObject => {
            let claims = json!({"iss": id, "aud": "https://id.example", "client_id": id, "response_type": "code",
                "redirect_uri": CALLBACK, "scope": "openid", "state": "of the object", "exp": now + 300});
            key.sign("oauth-authz-req+jwt", &claims)
        }
    }
}

/// Whether the node has what is at `url` count for something.
async fn accepts(node: &Provider, kind: Kind, url: &str, id: &str, key: &ClientKey, now: i64) -> bool {
    let context = Person::new().context;
    match kind {
        Kind::Document => meets(node, url).await,
        Kind::Keys => {
            let metadata = json!({"client_id": id, "grant_types": ["client_credentials"], "response_types": [],
                "token_endpoint_auth_method": "private_key_jwt", "jwks_uri": url, "scope": "jobs.read"});
            if !register_operators(node, metadata).await {
                return false;
            }
            let claims = json!({"iss": id, "sub": id, "aud": "https://id.example", "jti": url, "exp": now + 60});
            let form = format!(
                "grant_type=client_credentials&client_assertion_type={}&client_assertion={}",
                encode("urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
                key.sign("JWT", &claims)
            );
            let (form, query) = (Params::parse_form(form.as_bytes()).unwrap(), Params::default());
            let call = TokenCall {
                authorization: None,
                query: &query,
                form: &form,
                dpop: None,
                certificate: None,
                context: &context,
            };
            node.token(call).await.unwrap().is_ok()
        }
        Kind::Sector => {
            let metadata = json!({"redirect_uris": [CALLBACK], "subject_type": "pairwise",
                "sector_identifier_uri": url});
            let query = Params::default();
            let call = RegistrationCall { authorization: None, query: &query, context: &context };
            node.register(call, metadata.to_string().as_bytes()).await.unwrap().is_ok()
        }
        Kind::RequestObject => {
            let metadata = json!({"client_id": id, "client_secret": "secret-of-the-tests-0123456789",
                "redirect_uris": [CALLBACK], "jwks": key.jwks, "request_uris": [url], "scope": "openid"});
            if !register_operators(node, metadata).await {
                return false;
            }
            let query = format!("client_id={id}&request_uri={}", encode(url));
            matches!(authorize(node, &query).await, Seen::Page(_))
        }
    }
}

async fn open_node(house: &House, allow_private: bool) -> Arc<Provider> {
    let registration =
        RegistrationSettings { access: RegistrationAccess::Open, first_party: true, ..RegistrationSettings::default() };
    house.node_with(NodePlan { registration, allow_private, ..house.plan() }).await
}

/// What is fetched, by what is wrong with it, for every kind: nothing comes of it.
#[test]
fn whatever_is_fetched_is_bounded() {
    countersign_tests::provider::run(countersign_tests::provider::Pair::Embedded, async |house: House| {
        let node = open_node(&house, true).await;
        let key = ClientKey::new("k1");
        let now = house.clock.now().as_secs();
        let tried = KINDS.map(|kind| {
            let (node, key) = (&node, &key);
            async move {
                for case in ["right", "redirect", "gone", "long", "empty", "hang"] {
                    let (site, target) = (Site::open().await, Site::open().await);
                    let (url, id) = (format!("{}/{case}", site.address), format!("{kind:?}-{case}"));
                    let right = right_answer(kind, key, &url, &id, now);
                    target.publish(200, &right);
                    match case {
                        "redirect" => site.publish(302, &format!("{}/right", target.address)),
                        "gone" => site.publish(404, &right),
                        // As JSON, and as a JWT after white space, it would still be right.
                        "long" => site.publish(200, &format!("{}{right}", " ".repeat(64 * 1024))),
                        "empty" => site.publish(200, ""),
                        "hang" => site.hang(),
                        _ => site.publish(200, &right),
                    }
                    assert_eq!(accepts(node, kind, &url, &id, key, now).await, case == "right", "{kind:?}: {case}");
                    assert_eq!((site.count(), target.count()), (1, 0), "{kind:?}: {case}: it was asked for, once");
                }
            }
        });
        join_all(tried).await;
    });
}

/// OAuth Client ID Metadata Document, 4: what people may leave at a host, as texts and pictures, describes no client.
#[test]
fn a_document_counts_where_it_is_served_as_json() {
    countersign_tests::provider::run(countersign_tests::provider::Pair::Embedded, async |house: House| {
        let node = open_node(&house, true).await;
        for (media_type, counts) in [
            ("application/json; charset=utf-8", true),
            ("Application/Client-Metadata+JSON", true),
            ("text/plain", false),
            ("image/svg+xml", false),
            ("", false),
        ] {
            let site = Site::open_as(media_type).await;
            let id = format!("{}/client.json", site.address);
            site.publish(200, &document(&id).to_string());
            assert_eq!((meets(&node, &id).await, site.count()), (counts, 1), "{media_type}");
        }
    });
}

/// OWASP, server-side request forgery: by whatever name, for whatever kind.
#[test]
fn nothing_is_fetched_from_this_host_or_a_private_network() {
    countersign_tests::provider::run(countersign_tests::provider::Pair::Embedded, async |house: House| {
        let node = open_node(&house, false).await;
        let key = ClientKey::new("k1");
        let now = house.clock.now().as_secs();
        let site = Site::open().await;
        let port = url::Url::parse(&site.address).unwrap().port().unwrap();
        for kind in KINDS {
            let mut number = 0;
            for host in
                ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "10.0.0.1", "169.254.169.254", "[fd00::1]"]
            {
                for scheme in ["http", "https"] {
                    number += 1;
                    let url = format!("{scheme}://{host}:{port}/x");
                    let id = format!("{kind:?}-{number}");
                    site.publish(200, &right_answer(kind, &key, &url, &id, now));
                    assert!(!accepts(&node, kind, &url, &id, &key, now).await, "{kind:?} {url}");
                    assert_eq!(site.count(), 0, "{kind:?} {url}");
                }
            }
        }
    });
}

async fn documents_that_nobody_uses_keep_no_other_client_out(house: House) {
    let registration = RegistrationSettings { most_clients: 3, access: RegistrationAccess::Open, ..Default::default() };
    let node = house.node_with(NodePlan { registration, ..house.plan() }).await;
    let site = Site::open().await;
    let met = async |name: &str| {
        let id = format!("{}/{name}", site.address);
        site.publish(200, &document(&id).to_string());
        meets(&node, &id).await
    };
    for name in ["used", "first", "second"] {
        assert!(met(name).await, "{name}");
        house.clock.pass(Seconds::minutes(1));
    }
    let used = "id LIKE '%/used'";
    house.database.raw(&format!("UPDATE clients SET used_at = registered_at WHERE {used}")).await.unwrap();
    // Who was met a moment ago may be signing somebody in.
    assert!(!met("third").await, "full");
    house.clock.pass(Seconds::minutes(29));
    assert!(met("third").await, "in the place of the first");
    for (name, count) in [("used", 1), ("first", 0), ("second", 1), ("third", 1)] {
        assert_eq!(house.count("clients", &format!("id LIKE '%/{name}'")).await, count, "{name}");
    }
    // Whoever registers comes in, too.
    house.clock.pass(Seconds::minutes(2));
    let metadata = json!({"redirect_uris": [CALLBACK]}).to_string();
    let (query, context) = (Params::default(), RequestContext::default());
    let call = RegistrationCall { authorization: None, query: &query, context: &context };
    assert!(node.register(call, metadata.as_bytes()).await.unwrap().is_ok());
    assert_eq!(house.count("clients", "id LIKE '%/second'").await, 0);
    house.clock.pass(Seconds::hours(1));
    assert!(met("fourth").await, "in the place of the third");
    assert!(node.register(call, metadata.as_bytes()).await.unwrap().is_err(), "the fourth is young, others are in use");
    assert_eq!(house.count("clients", used).await, 1, "who is in use stays");
    assert_eq!(house.count("clients", "registered_at IS NOT NULL").await, 3);
    let removed = house.events(Some(countersign_model::AuditKind::ClientChanged)).await;
    let why =
        |event: &&AuditEvent| event.detail.get("registration").is_some_and(|why| *why == "removed for another, unused");
    assert_eq!(removed.iter().filter(why).count(), 3);
}

async fn what_documents_described_is_gone_where_they_are_switched_off(house: House) {
    let on = house.node().await;
    let features = Features { client_documents: false, ..Features::ALL };
    let off = house.node_with(NodePlan { features, ..house.plan() }).await;
    let site = Site::open().await;
    let id = format!("{}/client.json", site.address);
    site.publish(200, &document(&id).to_string());
    assert!(!meets(&off, &id).await, "nobody reads it");
    assert_eq!(site.count(), 0);
    assert!(meets(&on, &id).await);
    assert!(!meets(&off, &id).await, "it is there, and counts for nothing");
    let form = format!("grant_type=authorization_code&client_id={}&code=abc&code_verifier=x", encode(&id));
    let form = Params::parse_form(form.as_bytes()).unwrap();
    let (query, context) = (Params::default(), RequestContext::default());
    let call =
        TokenCall { authorization: None, query: &query, form: &form, dpop: None, certificate: None, context: &context };
    let told = async |node: &Provider| node.token(call).await.unwrap().unwrap_err().code.as_str();
    assert_eq!((told(&off).await, told(&on).await), ("invalid_client", "invalid_request"));
}
