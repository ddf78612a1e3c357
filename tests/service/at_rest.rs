//! What lies in the stores after people and clients did everything there is to do: no password, code, token or secret in
//! clear in any row, column or key, and a full phone number nowhere but with the account it belongs to; for whoever reads
//! a backup.

use std::collections::BTreeSet;
use std::sync::Arc;

use countersign_protocol::Params;
use countersign_service::{Provider, RegistrationAccess, RegistrationCall, RegistrationSettings, RequestContext};
use countersign_tests::provider::{ALICE, DUCK, HOSPITAL, House, NodePlan, PORTAL_SECRET, Pair, Person, Seen, redeem};
use countersign_tests::servers::Keeps;
use countersign_tests::stores::{Backend, block_on, raw_redis};
use secrecy::ExposeSecret as _;
use serde_json::Value;

use crate::once::{self, Deployment};

const NUMBER: &str = "+12025553661";
/// Where the number of a person's phone stands, as their mail address does.
const HAS_NUMBERS: &str = "factors";

/// Everything that must not be found, and what it is.
#[derive(Default)]
struct Secrets(BTreeSet<(String, &'static str)>);

impl Secrets {
    fn add(&mut self, what: &'static str, text: &str) {
        assert!(text.len() >= 6, "{what}: {text:?} is too short to be looked for");
        self.0.insert((text.to_owned(), what));
        // The second half of a token or an address is too much already.
        if text.len() >= 40 {
            self.0.insert((text[text.len() - text.len() / 2..].to_owned(), what));
        }
    }

    fn add_tokens(&mut self, tokens: &Value) {
        for name in ["access_token", "refresh_token", "id_token", "client_secret", "registration_access_token"] {
            if let Some(token) = tokens[name].as_str() {
                self.add(name, token);
            }
        }
    }

    fn add_cookies(&mut self, person: &Person) {
        let cookies = [&person.cookies.binding, &person.cookies.session, &person.cookies.device];
        for cookie in cookies.into_iter().flatten() {
            self.add("cookie", cookie.expose_secret());
        }
    }

    /// Fails if one of them is in `place`; bytes may be written as hexadecimal digits there.
    fn check(&self, place: &str, held: &[u8]) {
        for (text, what) in &self.0 {
            let digits: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
            assert!(!contains(held, text.as_bytes()), "{place} holds a {what}: {text}");
            assert!(!contains(held, digits.as_bytes()), "{place} holds the bytes of a {what}: {text}");
        }
    }
}

/// Digits alone count only if no other digit stands beside them: times hold all kinds of them.
fn contains(held: &[u8], wanted: &[u8]) -> bool {
    let is_number = wanted.len() < 10 && wanted.iter().all(u8::is_ascii_digit);
    held.windows(wanted.len()).enumerate().any(|(at, window)| {
        let beside = [at.checked_sub(1).and_then(|before| held.get(before)), held.get(at + wanted.len())];
        window == wanted && !(is_number && beside.into_iter().flatten().any(u8::is_ascii_alphanumeric))
    })
}

/// Signs in by a mailed code and by a texted one, and is given cookies.
async fn sign_in_by_codes(house: &House, node: &Arc<Provider>, secrets: &mut Secrets) {
    let mut person = Person::new();
    let code = countersign_tests::provider::code_in(&person.sign_in(house, node, HOSPITAL, true).await);
    secrets.add("authorization code", &code);
    secrets.add_tokens(&redeem(node, &code).await.unwrap().unwrap());
    secrets.add_cookies(&person);
    let letters = house.relay.letters();
    let lines = letters.iter().flat_map(|letter| letter.text.lines()).map(str::trim);
    let codes: Vec<&str> = lines.filter(|line| line.len() == 6 && line.bytes().all(|b| b.is_ascii_digit())).collect();
    assert!(!codes.is_empty());
    for code in codes {
        secrets.add("mailed code", code);
    }

    let mut person = Person::new();
    let sign_in = person.arrive(node, "p=phone").await.page();
    let page = person.give_password(node, &sign_in, DUCK).await.page();
    let sent = person.press(node, &page, "send", &[]).await.page();
    house.deliver(node).await;
    let code = house.phones.newest(NUMBER).code();
    assert!(!matches!(person.press(node, &sent, "verify", &[("code", &code)]).await, Seen::Refused | Seen::Gone));
    secrets.add("texted code", &code);
    secrets.add_cookies(&person);
    // One is under way still, its code sent.
    let mut person = Person::new();
    let page = person.walk_to_mailbox(node, HOSPITAL, false).await;
    person.press(node, &page, "send", &[]).await.page();
    secrets.add("mailed code", &house.mailed_code(node, HOSPITAL.0).await);
    secrets.add_cookies(&person);
}

/// A client that registered itself.
async fn register_itself(house: &House, secrets: &mut Secrets) {
    let registration = RegistrationSettings { access: RegistrationAccess::Open, ..RegistrationSettings::default() };
    let node = house.node_with(NodePlan { registration, ..house.plan() }).await;
    let (query, context) = (Params::default(), RequestContext::default());
    let call = RegistrationCall { authorization: None, query: &query, context: &context };
    let metadata = br#"{"redirect_uris": ["https://rp.example/cb"], "countersign_policy": "lab"}"#;
    secrets.add_tokens(&node.register(call, metadata).await.unwrap().unwrap());
}

fn known_to_all() -> Secrets {
    let mut secrets = Secrets::default();
    for (_, password) in [HOSPITAL, DUCK, ALICE] {
        secrets.add("password", password);
    }
    secrets.add("client secret", PORTAL_SECRET);
    secrets
}

/// Every row of every table, as text.
async fn rows(house: &House) -> Vec<(String, Vec<u8>)> {
    assert_eq!(house.database.backend, Backend::Postgres);
    let named = "SELECT table_name AS text FROM information_schema.tables WHERE table_schema = 'public'";
    let mut rows = Vec::new();
    for table in house.texts(named).await {
        let all = house.texts(&format!("SELECT \"{table}\"::text AS text FROM \"{table}\"")).await;
        rows.push((table, all.join("\n").into_bytes()));
    }
    rows
}

/// Every key of a Redis with what it holds.
async fn keys(url: &str) -> Vec<(String, Vec<u8>)> {
    let mut redis = raw_redis(url).await;
    let names: Vec<String> = redis::cmd("KEYS").arg("*").query_async(&mut redis).await.unwrap();
    let mut held = Vec::new();
    for name in names {
        let kind: String = redis::cmd("TYPE").arg(&name).query_async(&mut redis).await.unwrap();
        let read = match kind.as_str() {
            "string" => redis::cmd("GET").arg(&name).to_owned(),
            "hash" => redis::cmd("HGETALL").arg(&name).to_owned(),
            "set" => redis::cmd("SMEMBERS").arg(&name).to_owned(),
            "zset" => redis::cmd("ZRANGE").arg(&name).arg(0).arg(-1).to_owned(),
            other => panic!("a key of the kind {other}"),
        };
        let value: redis::Value = read.query_async(&mut redis).await.unwrap();
        let parts = match value {
            redis::Value::BulkString(bytes) => vec![bytes],
            other => redis::from_redis_value::<Vec<Vec<u8>>>(other).unwrap(),
        };
        held.push((name.clone(), [name.as_bytes(), &parts.join(&b'\n')].join(&b'\n')));
    }
    held
}

#[test]
fn postgresql_and_redis_hold_no_secret_in_clear_after_every_grant() {
    block_on(async {
        let deployment = Deployment::start(Keeps::Nothing).await;
        let (house, node) = (&deployment.house, &deployment.nodes[0]);
        let mut secrets = known_to_all();
        for issued in deployment.issue_each().await {
            for part in issued.text.split(' ') {
                secrets.add("thing that is good once", part);
            }
            secrets.add_tokens(&once::redeem(node, &deployment.browser, &issued).await.unwrap());
        }
        for told in deployment.told.lock().unwrap().iter() {
            secrets.add("code", told);
            secrets.add("code", &told.replace('-', ""));
        }
        secrets.add_cookies(&deployment.browser);
        sign_in_by_codes(house, node, &mut secrets).await;
        register_itself(house, &mut secrets).await;

        let rows = rows(house).await;
        let filled = rows.iter().filter(|(_, text)| !text.is_empty()).count();
        assert!(
            filled >= 18,
            "only {filled} tables have rows: {:?}",
            rows.iter().map(|row| &row.0).collect::<Vec<_>>()
        );
        let mut numbers = Secrets::default();
        numbers.add("phone number", &NUMBER[2..]);
        for (table, held) in &rows {
            secrets.check(table, held);
            if table != HAS_NUMBERS {
                numbers.check(table, held);
            }
        }
        let keys = keys(&deployment.redis.url).await;
        assert!(keys.len() >= 3, "{} keys", keys.len());
        for (key, held) in &keys {
            secrets.check(key, held);
            numbers.check(key, held);
        }
        // What is looked for would be found.
        assert!(contains(&rows.iter().flat_map(|(_, text)| text.clone()).collect::<Vec<_>>(), b"case-portal"));
    });
}

#[test]
fn the_file_of_sqlite_holds_no_secret_in_clear() {
    block_on(async {
        let house = House::new(Pair::Embedded).await;
        let node = house.node().await;
        let mut secrets = known_to_all();
        secrets.add("name of a pushed request", &crate::pushed::push(&node).await);
        sign_in_by_codes(&house, &node, &mut secrets).await;
        register_itself(&house, &mut secrets).await;
        let path = house.database.url.trim_start_matches("sqlite:").to_owned();
        let mut bytes = std::fs::read(&path).unwrap();
        bytes.extend(std::fs::read(format!("{path}-wal")).unwrap_or_default());
        assert!(contains(&bytes, b"case-portal") && contains(&bytes, HOSPITAL.0.as_bytes()), "it is the file");
        secrets.check("the file", &bytes);
    });
}
