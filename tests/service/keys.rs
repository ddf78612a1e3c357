//! The master key and the signing keys.

use std::collections::BTreeSet;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_model::{AuditKind, Seconds, SigningKey, Timestamp};
use countersign_protocol::Params;
use countersign_service::{Provider, RequestContext, ServiceError, TokenCall};
use countersign_tests::provider::{ALICE, House, NodePlan, PORTAL_SECRET, Pair, Person, redeem, run};
use countersign_tests::stores::race;
use jsonwebtoken::jwk::{Jwk, JwkSet};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::{Value, json};

use crate::claims::id_header;

on_both_stores![
    another_master_key_is_refused,
    an_announced_key_is_published_and_not_used_before_its_time,
    private_halves_are_sealed,
    eight_nodes_that_see_that_keys_are_due_make_one_of_each,
    no_verifier_that_caches_the_jwks_fails_while_keys_rotate_under_load,
];

// These begin on an empty database, and so outside of `on_both_stores`.
#[test]
fn nodes_that_start_at_once_make_one_key_of_each_algorithm_embedded() {
    run(Pair::Embedded, start_at_once);
}

#[test]
fn nodes_that_start_at_once_make_one_key_of_each_algorithm_servers() {
    run(Pair::Servers, start_at_once);
}

async fn start_at_once(house: House) {
    let house = House::empty(house.pair).await;
    let nodes: Vec<_> = (0..8).map(|_| house.idle_node(house.plan())).collect();
    race(nodes.len(), |index| {
        let node = &nodes[index];
        async move {
            node.check_master_key().await.unwrap();
            node.load_keys().await.unwrap();
        }
    });
    assert_eq!(stored(&house).await.len(), 4);
    assert_eq!(house.events(Some(AuditKind::KeyCreated)).await.len(), 4);
    let sets: BTreeSet<String> = nodes.iter().map(|node| node.jwks().to_string()).collect();
    assert_eq!(sets.len(), 1, "all publish the same keys");
}

async fn stored(house: &House) -> Vec<SigningKey> {
    house.database.db.read(async |tx| tx.list_signing_keys().await).await.unwrap()
}

async fn another_master_key_is_refused(house: House) {
    house.idle_node(house.plan()).check_master_key().await.unwrap();
    let stranger = house.idle_node(NodePlan { key: 8, ..house.plan() });
    assert!(matches!(stranger.check_master_key().await, Err(ServiceError::Configuration(_))));
    assert!(matches!(stranger.load_keys().await, Err(ServiceError::Configuration(_))));
}

fn published(node: &Provider) -> BTreeSet<String> {
    let keys = node.jwks();
    keys["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

async fn signing_kid(node: &Provider) -> String {
    let mut person = Person::new();
    let page = person.arrive(node, "p=lab").await.page();
    let code = person.give_password(node, &page, ALICE).await.code();
    let tokens = redeem(node, &code).await.unwrap().unwrap();
    id_header(&tokens)["kid"].as_str().unwrap().to_owned()
}

async fn an_announced_key_is_published_and_not_used_before_its_time(house: House) {
    let node = house.node().await;
    let (first, old) = (published(&node), signing_kid(&node).await);
    assert_eq!(first.len(), 4);
    house.clock.pass(Seconds::new(1));
    node.rotate_keys().await.unwrap();
    let both = published(&node);
    assert_eq!(both.len(), 8);
    house.clock.pass(Seconds::new(3599));
    assert_eq!(signing_kid(&node).await, old);
    house.clock.pass(Seconds::new(1));
    let new = signing_kid(&node).await;
    assert!(!first.contains(&new) && both.contains(&new), "{new}");
    assert!(published(&node).contains(&old), "tokens signed by the old one still verify");
}

async fn private_halves_are_sealed(house: House) {
    house.node().await;
    for key in stored(&house).await {
        // PKCS #8 carries the public half too: were it in clear, its number would be in it.
        let member = ["n", "x"].into_iter().find_map(|name| key.public_jwk[name].as_str()).unwrap();
        let number = URL_SAFE_NO_PAD.decode(member).unwrap();
        let sealed = &key.sealed_private;
        assert!(sealed.len() > number.len() && !sealed.windows(number.len()).any(|window| window == number));
    }
}

async fn due_node(house: &House) -> Arc<Provider> {
    house.node_with(NodePlan { key_rotation: Some(Seconds::hours(3)), ..house.plan() }).await
}

async fn eight_nodes_that_see_that_keys_are_due_make_one_of_each(house: House) {
    let mut nodes = Vec::new();
    for _ in 0..8 {
        nodes.push(due_node(&house).await);
    }
    house.clock.pass(Seconds::hours(2));
    race(nodes.len(), |index| {
        let node = &nodes[index];
        async move { node.keep_keys().await.unwrap() }
    });
    let keys = stored(&house).await;
    assert_eq!(keys.len(), 8);
    assert_eq!(keys.iter().filter(|key| key.retire_at.is_some()).count(), 4, "and the end of each before is known");
    let retire_at = keys.iter().find_map(|key| key.retire_at).unwrap();
    house.clock.pass(Seconds::hours(24));
    race(nodes.len(), |index| {
        let node = &nodes[index];
        async move { node.keep_keys().await.unwrap() }
    });
    assert!(retire_at <= house.clock.now() && stored(&house).await.iter().all(|key| key.retire_at != Some(retire_at)));
    assert_eq!(house.events(Some(AuditKind::KeyRemoved)).await.len(), 4);
}

/// A resource server: it fetches the JWKS when what it has is as old as `Cache-Control` allows, and never before.
#[derive(Default)]
struct Verifier {
    fetched_at: Option<Timestamp>,
    keys: Vec<Jwk>,
}

impl Verifier {
    fn verify(&mut self, token: &str, node: &Provider, now: Timestamp) {
        const MAX_AGE: Seconds = Seconds::new(3600);
        if self.fetched_at.is_none_or(|at| at.plus(MAX_AGE) <= now) {
            let set: JwkSet = serde_json::from_value(node.jwks()).unwrap();
            (self.keys, self.fetched_at) = (set.keys, Some(now));
        }
        let kid = jsonwebtoken::decode_header(token).unwrap().kid;
        let key = self.keys.iter().find(|key| key.common.key_id == kid).expect("a key that the cache has");
        let mut rules = Validation::new(Algorithm::RS256);
        rules.validate_exp = false;
        rules.validate_aud = false;
        jsonwebtoken::decode::<Value>(token, &DecodingKey::from_jwk(key).unwrap(), &rules).expect("a signature");
    }
}

async fn own_token(node: &Provider) -> String {
    let form = format!("grant_type=client_credentials&client_id=machine&client_secret={PORTAL_SECRET}");
    let form = Params::parse_form(form.as_bytes()).unwrap();
    let call = TokenCall {
        authorization: None,
        query: &Params::default(),
        form: &form,
        dpop: None,
        certificate: None,
        context: &RequestContext::default(),
    };
    let body = node.token(call).await.unwrap().unwrap();
    body["access_token"].as_str().unwrap().to_owned()
}

async fn no_verifier_that_caches_the_jwks_fails_while_keys_rotate_under_load(house: House) {
    const STEP: Seconds = Seconds::minutes(4);
    const TOKEN_LIFE: Seconds = Seconds::minutes(10);
    let nodes = [due_node(&house).await, due_node(&house).await];
    let machine = json!({
        "client_id": "machine", "client_secret": PORTAL_SECRET, "scope": "cases.read", "redirect_uris": [],
        "token_endpoint_auth_method": "client_secret_post", "grant_types": ["client_credentials"],
        "countersign_policy": "lab",
    });
    nodes[0].register_client(&serde_json::from_value(machine).unwrap()).await.unwrap();
    let mut verifiers: Vec<Verifier> = (0..4).map(|_| Verifier::default()).collect();
    let mut live: Vec<(Timestamp, String)> = Vec::new();
    let mut signed_by = BTreeSet::new();
    for step in 0..240_usize {
        let now = house.clock.now();
        // The nodes look after the keys one after the other, so each is a step behind at times.
        nodes[step % 2].keep_keys().await.unwrap();
        let fresh = race(4, |index| own_token(&nodes[index % 2]));
        live.retain(|(issued, _)| now < issued.plus(TOKEN_LIFE));
        live.extend(fresh.into_iter().map(|token| (now, token)));
        for (index, (_, token)) in live.iter().enumerate() {
            signed_by.insert(jsonwebtoken::decode_header(token).unwrap().kid.unwrap());
            // Each verifier began to cache at another time.
            let verifier = index % verifiers.len();
            if step >= verifier * 7 {
                verifiers[verifier].verify(token, &nodes[(index + step) % 2], now);
            }
        }
        house.clock.pass(STEP);
    }
    assert!(signed_by.len() >= 5, "sixteen hours are five rotations: {signed_by:?}");
    assert!(stored(&house).await.len() <= 4 * 7, "old keys go");
}
