//! The legacy portal's credentials: what a try costs tells nothing of who has one, or of which method it is.

use std::io::Cursor;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use countersign_outbound::{HttpClient, HttpSettings, LegacyConnector, LegacySettings};
use countersign_service::policy::password::dummy_like;
use countersign_service::{ClientRegistration, ImportFormat, Imported, Provider, RequestContext};
use countersign_tests::provider::{Asked, DUCK, House, NodePlan, PORTAL_SECRET, PORTAL_URI, Person, serve_json};
use secrecy::SecretString;
use serde_json::{Value, json};

on_both_stores![
    every_try_costs_one_hash_of_each_imported_cost_and_one_question,
    without_imports_a_try_costs_one_hash_too,
    a_fifth_cost_is_not_imported,
];

const BCRYPT: &str = "$2b$04$abcdefghijklmnopqrstuu5pTTdzW1hCDd3xLtvje8LLGZ4uI9cVe";
const SCRYPT: &str = "$scrypt$ln=10,r=8,p=1$c2l4dGVlbiBieXRlcyAhIQ$+RSiIOHJNoo/VglSXv8SVRnBQf3BgirTKgWcghyu9A0";
const PBKDF2: &str = "$pbkdf2-sha256$i=1000$c2l4dGVlbiBieXRlcyAhIQ$ajDQuQDrd3zODIF8diYAv3JE1zPmhOAsINBqAIBkKII";
const PASSWORD: &str = "pond-lily-4471";

type Log = Arc<Mutex<Vec<Asked>>>;

/// A node whose legacy portal knows `portal.user`, and everybody's password is [`PASSWORD`].
async fn open(house: &House) -> (Arc<Provider>, Log) {
    let log = Log::default();
    let kept = Arc::clone(&log);
    let url = serve_json(move |asked| {
        kept.lock().unwrap().push(asked.clone());
        let body: Value = serde_json::from_str(&asked.body).unwrap();
        Some((200, json!({ "valid": body["password"] == PASSWORD }).to_string()))
    })
    .await;
    let http = HttpClient::new(&HttpSettings { allow_private: true, ..HttpSettings::default() }).unwrap();
    let settings = LegacySettings {
        url: url.parse().unwrap(),
        secret: SecretString::from("a bearer token"),
        timeout: Duration::from_secs(5),
    };
    let legacy = Some(LegacyConnector::new(settings, http).unwrap());
    let node = house.node_with(NodePlan { legacy, ..house.plan() }).await;
    let client = json!({
        "client_id": "newcomers",
        "client_secret": PORTAL_SECRET,
        "redirect_uris": [PORTAL_URI],
        "token_endpoint_auth_method": "client_secret_post",
        "grant_types": ["authorization_code"],
        "scope": "openid",
        "countersign_policy": "registration",
        "countersign_first_party": true,
    });
    let client: ClientRegistration = serde_json::from_value(client).unwrap();
    node.register_client(&client).await.unwrap();
    house.database.raw(&format!("UPDATE users SET username = 'no.legacy' WHERE email = '{}'", DUCK.0)).await.unwrap();
    (node, log)
}

async fn import(node: &Provider, people: &[(&str, &str)]) -> countersign_service::ImportReport {
    let line = |(name, hash): &(&str, &str)| json!({ "username": name, "hash": hash }).to_string();
    let text = people.iter().map(line).collect::<Vec<_>>().join("\n");
    let source = Cursor::new(text.into_bytes());
    match node.import_people(source, ImportFormat::Ndjson, false, &RequestContext::default()).await.unwrap() {
        Imported::Done(report) => report,
        Imported::Unreadable(why, _) => panic!("{why}"),
    }
}

/// One try: hashes that were computed by their cost, questions to the portal, and whether the page was passed.
async fn attempt(node: &Arc<Provider>, log: &Log, name: &str, password: &str) -> (Vec<(String, u64)>, usize, bool) {
    let mut person = Person::new();
    let page = person.arrive_from(node, "newcomers", "").await.page();
    let (before, asked) = (node.hashes_compared(), log.lock().unwrap().len());
    let next = person.press(node, &page, "login", &[("username", name), ("password", password)]).await.page();
    let since = |(cost, count): (String, u64)| {
        let new = count - before.get(&cost).copied().unwrap_or_default();
        (new > 0).then_some((cost, new))
    };
    let hashes = node.hashes_compared().into_iter().filter_map(since).collect();
    (hashes, log.lock().unwrap().len() - asked, next.view.page != "portal_login")
}

async fn every_try_costs_one_hash_of_each_imported_cost_and_one_question(house: House) {
    let (node, log) = open(&house).await;
    let people = [("has.bcrypt", BCRYPT), ("has.scrypt", SCRYPT), ("has.pbkdf2", PBKDF2), ("portal.user", "")];
    assert_eq!(import(&node, &people).await.imported, 4);
    let mut each: Vec<_> = [BCRYPT, SCRYPT, PBKDF2].iter().map(|hash| (dummy_like(hash).unwrap(), 1)).collect();
    each.sort();
    for name in ["nobody.at.all", "no.legacy", "has.bcrypt", "has.scrypt", "has.pbkdf2", "portal.user"] {
        let (hashes, asked, passed) = attempt(&node, &log, name, "not-this-password").await;
        assert_eq!((&hashes, asked, passed), (&each, 1, false), "{name}");
    }
    for (name, questions) in [("has.bcrypt", 0), ("has.scrypt", 0), ("has.pbkdf2", 0), ("portal.user", 1)] {
        let (hashes, asked, passed) = attempt(&node, &log, name, PASSWORD).await;
        assert_eq!((&hashes, asked, passed), (&each, questions, true), "{name}");
    }
    let (_, _, passed) = attempt(&node, &log, "nobody.at.all", PASSWORD).await;
    assert!(!passed, "the portal lets nobody in whom we do not know");
}

async fn without_imports_a_try_costs_one_hash_too(house: House) {
    let (node, log) = open(&house).await;
    assert_eq!(import(&node, &[("portal.user", "")]).await.imported, 1);
    for (name, password, right) in
        [("nobody", "x", false), ("portal.user", "x", false), ("portal.user", PASSWORD, true)]
    {
        let (hashes, asked, passed) = attempt(&node, &log, name, password).await;
        let counts: Vec<u64> = hashes.into_iter().map(|(_, count)| count).collect();
        assert_eq!((counts, asked, passed), (vec![1], 1, right), "{name}");
    }
}

async fn a_fifth_cost_is_not_imported(house: House) {
    let (node, log) = open(&house).await;
    let costs: Vec<String> = (0..4).map(|more| PBKDF2.replace("i=1000", &format!("i=100{more}"))).collect();
    let mut people: Vec<(&str, &str)> =
        ["a", "b", "c", "d"].into_iter().zip(costs.iter().map(String::as_str)).collect();
    people.extend([("e", BCRYPT), ("f", PBKDF2)]);
    let report = import(&node, &people).await;
    assert_eq!((report.imported, report.rejected, report.told[0].line), (5, 1, 5), "{report:?}");
    let again = import(&node, &[("g", BCRYPT), ("h", PBKDF2)]).await;
    assert_eq!((again.imported, again.rejected), (1, 1), "{again:?}");
    assert_eq!(attempt(&node, &log, "nobody", "x").await.0.len(), 4);
}
