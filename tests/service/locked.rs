//! The guard `account.locked`: whoever proved something else of a locked account is told so.

use std::sync::Arc;

use countersign_service::Provider;
use countersign_service::policy::{PolicySet, parse};
use countersign_tests::provider::{CLINIC, HOSPITAL, House, NodePlan, PORTAL_SECRET, PORTAL_URI, Person};
use serde_json::json;

on_both_stores![a_locked_address_shows_once_its_mailbox_is_proven, the_try_that_locks_is_not_locked_out_by_its_guard];

const LOCKS: &str = r#"
format  = 1
id      = "locks"
purpose = "login"
entry   = ["authorize"]
start   = "credentials"
on_edit = "restart"
require = [{ factors = ["password"] }]
acr     = "urn:test:locks"
limits  = { lifetime = "20m", idle = "10m", advances = 60 }
cancel  = { to = "over" }
[step]
asked = { kind = "branch", when = [{ if = "account.locked", then = "locked" }], else = "issue" }
issue = { kind = "issue" }
over  = { kind = "stop", page = "none", error = "access_denied" }
locked = { kind = "stop", page = "none", error = "temporarily_unavailable" }
[step.credentials]
kind   = "password"
page   = "sign_in"
login  = "email"
limits = { attempts = 10, lock = { scope = "identifier", after = 3, for = "1m", backoff = 2, max = "5h" } }
on     = { ok = "asked", spent = "over" }
"#;

const ASKS: &str = r#"
format  = 1
id      = "asks"
purpose = "login"
entry   = ["authorize"]
start   = "address"
on_edit = "restart"
require = [{ factors = ["mailbox"] }]
acr     = "urn:test:asks"
limits  = { lifetime = "20m", idle = "10m", advances = 60 }
cancel  = { to = "over" }
[step]
asked = { kind = "branch", when = [{ if = "account.locked", then = "locked" }], else = "issue" }
issue = { kind = "issue" }
over  = { kind = "stop", page = "none", error = "access_denied" }
locked = { kind = "stop", page = "none", error = "temporarily_unavailable" }
[step.address]
kind    = "otp"
page    = "email_verify"
channel = ["email"]
to      = "input.email"
unknown = "pretend"
code    = { digits = 6, ttl = "10m", reuse_on_resend = true }
limits  = { attempts = 5, sends = 6, resend_after = "30s", budget = { sends = 10, per = "1h" } }
on      = { ok = "asked", spent = "over" }
"#;

async fn open(house: &House) -> Arc<Provider> {
    let policies = PolicySet::new(vec![parse("locks", LOCKS).unwrap(), parse("asks", ASKS).unwrap()]);
    let node = house.node_with(NodePlan { policies, ..house.plan() }).await;
    for policy in ["locks", "asks"] {
        let client = json!({
            "client_id": policy,
            "client_secret": PORTAL_SECRET,
            "redirect_uris": [PORTAL_URI],
            "token_endpoint_auth_method": "client_secret_post",
            "grant_types": ["authorization_code"],
            "scope": "openid",
            "countersign_policy": policy,
            "countersign_first_party": true,
        });
        node.register_client(&serde_json::from_value(client).unwrap()).await.unwrap();
    }
    node
}

async fn mistype(node: &Arc<Provider>, email: &str, times: usize) {
    let mut person = Person::new();
    let mut page = person.arrive_from(node, "locks", "").await.page();
    for _ in 0..times {
        page = person.press(node, &page, "login", &[("email", email), ("password", "wrong")]).await.page();
    }
}

async fn prove_mailbox(house: &House, node: &Arc<Provider>, email: &str) -> countersign_tests::provider::Seen {
    let mut person = Person::new();
    let page = person.arrive_from(node, "asks", "").await.page();
    let page = person.press(node, &page, "send", &[("email", email)]).await.page();
    let code = house.mailed_code(node, email).await;
    person.press(node, &page, "verify", &[("code", &code)]).await
}

async fn a_locked_address_shows_once_its_mailbox_is_proven(house: House) {
    let node = open(&house).await;
    mistype(&node, HOSPITAL.0, 2).await;
    prove_mailbox(&house, &node, HOSPITAL.0).await.code();
    mistype(&node, HOSPITAL.0, 1).await;
    assert_eq!(prove_mailbox(&house, &node, HOSPITAL.0).await.error(), "temporarily_unavailable");
    prove_mailbox(&house, &node, CLINIC.0).await.code();
}

async fn the_try_that_locks_is_not_locked_out_by_its_guard(house: House) {
    let node = open(&house).await;
    mistype(&node, CLINIC.0, 2).await;
    let mut person = Person::new();
    let page = person.arrive_from(&node, "locks", "").await.page();
    person.give_password(&node, &page, CLINIC).await.code();
    prove_mailbox(&house, &node, CLINIC.0).await.code();
}
