//! Webhooks: guards are asked before a flow goes on, effects are told from the outbox.

use std::sync::{Arc, Mutex};

use countersign_outbound::webhook::signature;
use countersign_outbound::{HttpClient, HttpSettings, Webhook, WebhookSettings};
use countersign_service::Provider;
use countersign_service::policy::{PolicySet, parse};
use countersign_tests::provider::{ALICE, Asked, House, NodePlan, Person, register_client, serve_json};
use secrecy::SecretString;
use serde_json::{Value, json};

on_both_stores!(
    a_guard_is_asked_and_decides,
    a_guard_without_an_answer_fails_closed,
    an_effect_is_told_from_the_outbox,
);

const SECRET: &str = "a webhook secret of the tests";

const GUARDED: &str = r#"
format  = 1
id      = "guarded"
purpose = "login"
entry   = ["authorize"]
start   = "credentials"
on_edit = "restart"
require = [{ factors = ["password"] }]
acr     = "urn:test:guarded"
limits  = { lifetime = "20m", idle = "10m", advances = 60 }
cancel  = { to = "over" }
[webhook]
risk = { within = "1s", fail = false }
[step]
asked = { kind = "branch", when = [{ if = "webhook:risk", then = "told" }], else = "refused" }
told  = { kind = "effect", effect = ["webhook:risk"], on = { ok = "issue" } }
issue = { kind = "issue" }
over  = { kind = "stop", page = "none", error = "access_denied" }
refused = { kind = "stop", page = "none", error = "temporarily_unavailable" }
[step.credentials]
kind   = "password"
page   = "sign_in"
login  = "email"
limits = { attempts = 10 }
on     = { ok = "asked", spent = "over" }
"#;

type Log = Arc<Mutex<Vec<Asked>>>;

async fn open(house: &House, answer: fn(&Asked) -> Option<(u16, String)>) -> (Arc<Provider>, Log) {
    let log = Log::default();
    let kept = Arc::clone(&log);
    let url = serve_json(move |asked| {
        kept.lock().unwrap().push(asked.clone());
        answer(asked)
    })
    .await;
    let http = HttpClient::new(&HttpSettings { allow_private: true, ..HttpSettings::default() }).unwrap();
    let settings = WebhookSettings { url: url.parse().unwrap(), secret: SecretString::from(SECRET) };
    let webhooks = vec![("risk".to_owned(), Webhook::new(settings, http).unwrap())];
    let policies = PolicySet::new(vec![parse("test", GUARDED).unwrap()]);
    let node = house.node_with(NodePlan { policies, webhooks, ..house.plan() }).await;
    let client = json!({
        "client_id": "guarded",
        "countersign_policy": "guarded",
    });
    register_client(&node, client).await;
    (node, log)
}

fn allows(_: &Asked) -> Option<(u16, String)> {
    Some((200, json!({ "allow": true }).to_string()))
}

fn denies(_: &Asked) -> Option<(u16, String)> {
    Some((200, json!({ "allow": false }).to_string()))
}

fn mumbles(_: &Asked) -> Option<(u16, String)> {
    Some((200, "yes".to_owned()))
}

fn breaks(_: &Asked) -> Option<(u16, String)> {
    Some((500, json!({ "allow": true }).to_string()))
}

fn hangs(_: &Asked) -> Option<(u16, String)> {
    None
}

async fn failures(house: &House) -> usize {
    house.texts("SELECT id AS text FROM audit_events WHERE kind = 'webhook.failed'").await.len()
}

async fn a_guard_is_asked_and_decides(house: House) {
    let (node, log) = open(&house, allows).await;
    let mut person = Person::new();
    let sign_in = person.arrive_from(&node, "guarded", "").await.page();
    person.give_password(&node, &sign_in, ALICE).await.code();
    let asked = log.lock().unwrap().first().unwrap().clone();
    let header = asked.signature.unwrap();
    assert!(signature::check(&SecretString::from(SECRET), asked.body.as_bytes(), &header, house.clock.now()));
    let body: Value = serde_json::from_str(&asked.body).unwrap();
    assert_eq!(
        (&body["type"], &body["webhook"], &body["client"]),
        (&json!("guard"), &json!("risk"), &json!("guarded"))
    );
    assert!(!asked.body.contains("alice"), "no address leaves");
    let (node, _) = open(&house, denies).await;
    let mut person = Person::new();
    let sign_in = person.arrive_from(&node, "guarded", "").await.page();
    assert_eq!(person.give_password(&node, &sign_in, ALICE).await.error(), "temporarily_unavailable");
    assert_eq!(failures(&house).await, 0);
}

async fn a_guard_without_an_answer_fails_closed(house: House) {
    for (count, answer) in [mumbles, breaks, hangs].into_iter().enumerate() {
        let (node, _) = open(&house, answer).await;
        let mut person = Person::new();
        let sign_in = person.arrive_from(&node, "guarded", "").await.page();
        assert_eq!(person.give_password(&node, &sign_in, ALICE).await.error(), "temporarily_unavailable");
        assert_eq!(failures(&house).await, count + 1);
    }
}

async fn an_effect_is_told_from_the_outbox(house: House) {
    let (node, log) = open(&house, allows).await;
    let mut person = Person::new();
    let sign_in = person.arrive_from(&node, "guarded", "").await.page();
    person.give_password(&node, &sign_in, ALICE).await.code();
    assert_eq!(log.lock().unwrap().len(), 1, "nothing is told within the request");
    house.deliver(&node).await;
    let told = log.lock().unwrap().last().unwrap().clone();
    let body: Value = serde_json::from_str(&told.body).unwrap();
    assert_eq!(body["type"], "event");
    assert!(body["subject"].is_string() && body["id"].is_string());
    assert_eq!(house.deliver(&node).await, 0);
}
