//! Codes and refresh tokens count once, on whatever node.

use std::sync::Arc;

use countersign_model::{AuditKind, Seconds};
use countersign_protocol::{OAuthError, Params};
use countersign_service::{Provider, ResourceCall};
use countersign_store::{InProcess, InProcessBounds, Redis, ShortLived};
use countersign_tests::provider::{HOSPITAL, House, NodePlan, Pair, Person, redeem, refresh};
use countersign_tests::stores::{race, redis_settings, redis_url};
use serde_json::Value;

on_both_stores![
    of_a_hundred_redemptions_of_a_code_one_wins_and_its_family_is_revoked,
    of_a_hundred_uses_of_a_refresh_token_one_wins_and_nobody_is_logged_out,
    a_lost_answer_is_given_anew_on_whatever_node,
    tabs_that_wake_up_after_a_lost_answer_are_no_thieves,
    tabs_with_stale_copies_of_their_own_are_never_logged_out_and_a_reuse_costs_its_family_alone,
    a_code_lives_for_a_minute,
    once_means_once_though_the_short_lived_store_lost_everything,
];

async fn offline_code(house: &House) -> String {
    let node = house.node().await;
    let mut person = Person::new();
    let page = person.arrive(&node, "p=lab&scope=openid+offline_access").await.page();
    person.give_password(&node, &page, HOSPITAL).await.code()
}

/// The only answer that is not `invalid_grant`.
fn only_winner(answers: Vec<Result<Value, OAuthError>>) -> Value {
    let (mut won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    assert_eq!(won.len(), 1);
    for error in lost {
        assert_eq!(error.unwrap_err().code.as_str(), "invalid_grant");
    }
    won.remove(0).unwrap()
}

async fn check_revoked(house: &House, tokens: &Value) {
    let node = house.node().await;
    let token = tokens["refresh_token"].as_str().expect("a refresh token");
    assert_eq!(refresh(&node, token).await.unwrap().unwrap_err().code.as_str(), "invalid_grant");
    assert_eq!(house.count("grants", "revoked_at IS NULL").await, 0);
    assert!(!house.events(Some(AuditKind::ReplayDetected)).await.is_empty());
}

async fn of_a_hundred_redemptions_of_a_code_one_wins_and_its_family_is_revoked(house: House) {
    let code = offline_code(&house).await;
    let nodes = [house.node().await, house.node().await];
    let answers = race(100, |index| {
        let redemption = redeem(&nodes[index % 2], &code);
        async move { redemption.await.unwrap() }
    });
    let tokens = only_winner(answers);
    assert_eq!(house.events(Some(AuditKind::TokenIssued)).await.iter().filter(|event| event.jti.is_some()).count(), 1);
    assert_eq!(house.count("refresh_tokens", "1 = 1").await, 1);
    check_revoked(&house, &tokens).await;
}

async fn of_a_hundred_uses_of_a_refresh_token_one_wins_and_nobody_is_logged_out(house: House) {
    let code = offline_code(&house).await;
    let nodes = [house.node().await, house.node().await];
    let tokens = redeem(&nodes[0], &code).await.unwrap().unwrap();
    let first = tokens["refresh_token"].as_str().unwrap();
    let next = refresh(&nodes[1], first).await.unwrap().unwrap();
    let second = next["refresh_token"].as_str().expect("rotated").to_owned();
    assert_ne!(first, second);
    house.clock.pass(Seconds::new(600));
    let answers = race(100, |index| {
        let use_it = refresh(&nodes[index % 2], &second);
        async move { use_it.await.unwrap() }
    });
    let tokens = only_winner(answers);
    assert_eq!(house.count("refresh_tokens", "1 = 1").await, 3);
    assert_eq!(house.count("grants", "revoked_at IS NULL").await, 1, "these were tabs");
    let third = tokens["refresh_token"].as_str().expect("rotated");
    assert!(refresh(&nodes[0], third).await.unwrap().is_ok());
    // Used again after its successor was: that is a reuse.
    assert_eq!(refresh(&nodes[1], &second).await.unwrap().unwrap_err().code.as_str(), "invalid_grant");
    house.clock.pass(Seconds::new(1));
    assert_eq!(refresh(&nodes[1], &second).await.unwrap().unwrap_err().code.as_str(), "invalid_grant");
    assert_eq!(house.count("grants", "revoked_at IS NULL").await, 0);
    assert!(!house.events(Some(AuditKind::ReplayDetected)).await.is_empty());
}

async fn a_lost_answer_is_given_anew_on_whatever_node(house: House) {
    let nodes = [house.node().await, house.node().await];
    let tokens = redeem(&nodes[0], &offline_code(&house).await).await.unwrap().unwrap();
    let mut held = tokens["refresh_token"].as_str().unwrap().to_owned();
    for node in [&nodes[0], &nodes[1], &nodes[0]] {
        let lost = refresh(&nodes[0], &held).await.unwrap().unwrap();
        house.clock.pass(Seconds::new(1));
        let got = refresh(node, &held).await.unwrap().unwrap();
        let access = |tokens: &Value| tokens["access_token"].as_str().unwrap().to_owned();
        assert!(userinfo(node, &access(&lost)).await.is_err(), "what was lost is dead");
        let lost = lost["refresh_token"].as_str().unwrap();
        assert_eq!(refresh(node, lost).await.unwrap().unwrap_err().code.as_str(), "invalid_grant");
        assert!(userinfo(node, &access(&got)).await.is_ok());
        // It was not lost: its access token was shown.
        assert_eq!(refresh(node, &held).await.unwrap().unwrap_err().code.as_str(), "invalid_grant");
        got["refresh_token"].as_str().unwrap().clone_into(&mut held);
        house.clock.pass(Seconds::new(60));
    }
    assert_eq!(house.count("grants", "revoked_at IS NULL").await, 1);
    let next = refresh(&nodes[0], &held).await.unwrap().unwrap();
    assert!(userinfo(&nodes[1], next["access_token"].as_str().unwrap()).await.is_ok());
    house.clock.pass(Seconds::new(31));
    assert_eq!(refresh(&nodes[0], &held).await.unwrap().unwrap_err().code.as_str(), "invalid_grant");
    assert_eq!(house.count("grants", "revoked_at IS NULL").await, 0, "half a minute later it is a reuse");
}

/// The lid was closed while an answer was under way. Hours later two tabs wake up with what they have in common.
async fn tabs_that_wake_up_after_a_lost_answer_are_no_thieves(house: House) {
    let nodes = [house.node().await, house.node().await];
    let tokens = redeem(&nodes[0], &offline_code(&house).await).await.unwrap().unwrap();
    let held = tokens["refresh_token"].as_str().unwrap();
    assert!(refresh(&nodes[0], held).await.unwrap().is_ok(), "nobody heard it");
    house.clock.pass(Seconds::hours(3));
    let got = refresh(&nodes[1], held).await.unwrap().unwrap();
    assert!(userinfo(&nodes[1], got["access_token"].as_str().unwrap()).await.is_ok());
    house.clock.pass(Seconds::new(29));
    assert_eq!(refresh(&nodes[0], held).await.unwrap().unwrap_err().code.as_str(), "invalid_grant");
    assert_eq!(house.count("grants", "revoked_at IS NULL").await, 1, "the other tab's request was under way");
    house.clock.pass(Seconds::new(1));
    assert_eq!(refresh(&nodes[0], held).await.unwrap().unwrap_err().code.as_str(), "invalid_grant");
    assert_eq!(house.count("grants", "revoked_at IS NULL").await, 0, "that is a reuse");
}

/// Six tabs wake up one after the other, each with the copy it had before any of them refreshed, at whatever node; every
/// other one uses its access token. Then they share what came last, and sleep.
async fn tabs_with_stale_copies_of_their_own_are_never_logged_out_and_a_reuse_costs_its_family_alone(house: House) {
    let nodes = [house.node().await, house.node().await];
    let other = redeem(&nodes[0], &offline_code(&house).await).await.unwrap().unwrap();
    let tokens = redeem(&nodes[0], &offline_code(&house).await).await.unwrap().unwrap();
    let mut held = tokens["refresh_token"].as_str().unwrap().to_owned();
    for round in 0..5_usize {
        let copies: Vec<String> = std::iter::repeat_n(held.clone(), 6).collect();
        let mut served = 0;
        for (tab, copy) in copies.iter().enumerate() {
            let node = &nodes[(round + tab) % 2];
            match refresh(node, copy).await.unwrap() {
                Ok(tokens) => {
                    served += 1;
                    tokens["refresh_token"].as_str().unwrap().clone_into(&mut held);
                    if (round + tab) % 2 == 1 {
                        assert!(userinfo(node, tokens["access_token"].as_str().unwrap()).await.is_ok());
                    }
                }
                Err(error) => assert_eq!(error.code.as_str(), "invalid_grant"),
            }
            house.clock.pass(Seconds::new(4));
        }
        assert!(served > 0 && !copies.contains(&held), "round {round}");
        assert_eq!(house.count("grants", "revoked_at IS NULL").await, 2, "round {round}");
        house.clock.pass(Seconds::new(280));
    }
    let spent = held;
    let next = refresh(&nodes[0], &spent).await.unwrap().unwrap();
    let last = next["refresh_token"].as_str().unwrap();
    assert!(refresh(&nodes[1], last).await.unwrap().is_ok(), "nobody was logged out");
    house.clock.pass(Seconds::new(1));
    assert_eq!(refresh(&nodes[0], &spent).await.unwrap().unwrap_err().code.as_str(), "invalid_grant");
    assert_eq!(house.count("grants", "revoked_at IS NULL").await, 1, "that was a reuse");
    let other = other["refresh_token"].as_str().unwrap();
    assert!(refresh(&nodes[1], other).await.unwrap().is_ok(), "the other family of the same person stands");
}

async fn userinfo(node: &Provider, token: &str) -> Result<(), String> {
    let call = ResourceCall {
        method: "GET",
        path: "/userinfo",
        dpop: None,
        authorization: Some(&format!("Bearer {token}")),
        query: &Params::default(),
        form: &Params::default(),
        certificate: None,
    };
    node.userinfo(call).await.unwrap().map(drop).map_err(|refusal| format!("{refusal:?}"))
}

async fn a_code_lives_for_a_minute(house: House) {
    let node = house.node().await;
    let (early, late) = (offline_code(&house).await, offline_code(&house).await);
    house.clock.pass(Seconds::new(59));
    assert!(redeem(&node, &early).await.unwrap().is_ok());
    house.clock.pass(Seconds::new(1));
    assert_eq!(redeem(&node, &late).await.unwrap().unwrap_err().code.as_str(), "invalid_grant");
    assert_eq!(house.count("grants", "revoked_at IS NULL").await, 2, "late is no replay");
}

/// A node whose short-lived store was started again and holds nothing.
async fn restarted(house: &House) -> Arc<Provider> {
    let short_lived: Arc<dyn ShortLived> = match house.pair {
        Pair::Embedded => Arc::new(InProcess::new(house.clock.as_clock(), InProcessBounds::default())),
        Pair::Servers => Arc::new(Redis::connect(&redis_settings(&redis_url())).unwrap()),
    };
    house.node_with(NodePlan { short_lived, ..house.plan() }).await
}

async fn once_means_once_though_the_short_lived_store_lost_everything(house: House) {
    let node = house.node().await;
    let code = offline_code(&house).await;
    let tokens = redeem(&node, &offline_code(&house).await).await.unwrap().unwrap();
    let token = tokens["refresh_token"].as_str().unwrap().to_owned();
    let nodes = [restarted(&house).await, restarted(&house).await];
    only_winner(race(100, |index| {
        let redemption = redeem(&nodes[index % 2], &code);
        async move { redemption.await.unwrap() }
    }));
    only_winner(race(100, |index| {
        let use_it = refresh(&nodes[index % 2], &token);
        async move { use_it.await.unwrap() }
    }));
    assert_eq!(house.count("grants", "revoked_at IS NULL").await, 1, "the code's is revoked, the token's is not");
}
