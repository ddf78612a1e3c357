//! The master key and the signing keys.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_model::{AuditKind, Seconds, SigningKey};
use countersign_service::{Provider, ServiceError};
use countersign_tests::provider::{ALICE, House, NodePlan, Pair, Person, redeem, run};
use countersign_tests::stores::race;

use crate::claims::id_header;

on_both_stores![
    another_master_key_is_refused,
    an_announced_key_is_published_and_not_used_before_its_time,
    private_halves_are_sealed,
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
    assert_eq!(stored(&house).await.len(), 3);
    assert_eq!(house.events(Some(AuditKind::KeyCreated)).await.len(), 3);
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
    assert_eq!(first.len(), 3);
    house.clock.pass(Seconds::new(1));
    node.rotate_keys().await.unwrap();
    let both = published(&node);
    assert_eq!(both.len(), 6);
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
