//! Codes and refresh tokens count once, on whatever node.

use countersign_model::{AuditKind, Seconds};
use countersign_protocol::OAuthError;
use countersign_tests::provider::{HOSPITAL, House, Person, redeem, refresh};
use countersign_tests::stores::race;
use serde_json::Value;

on_both_stores![
    of_sixteen_redemptions_of_a_code_one_wins_and_its_family_is_revoked,
    of_sixteen_uses_of_a_refresh_token_one_wins_and_its_family_is_revoked,
    a_code_lives_for_a_minute,
];

async fn offline_code(house: &House) -> String {
    let node = house.node().await;
    let mut person = Person::new();
    let page = person.arrive(&node, "p=lab&scope=openid+offline_access&prompt=consent").await.page();
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

async fn of_sixteen_redemptions_of_a_code_one_wins_and_its_family_is_revoked(house: House) {
    let code = offline_code(&house).await;
    let nodes = [house.node().await, house.node().await];
    let answers = race(16, |index| {
        let redemption = redeem(&nodes[index % 2], &code);
        async move { redemption.await.unwrap() }
    });
    let tokens = only_winner(answers);
    assert_eq!(house.events(Some(AuditKind::TokenIssued)).await.iter().filter(|event| event.jti.is_some()).count(), 1);
    assert_eq!(house.count("refresh_tokens", "1 = 1").await, 1);
    check_revoked(&house, &tokens).await;
}

async fn of_sixteen_uses_of_a_refresh_token_one_wins_and_its_family_is_revoked(house: House) {
    let code = offline_code(&house).await;
    let nodes = [house.node().await, house.node().await];
    let tokens = redeem(&nodes[0], &code).await.unwrap().unwrap();
    let first = tokens["refresh_token"].as_str().unwrap();
    let next = refresh(&nodes[1], first).await.unwrap().unwrap();
    let second = next["refresh_token"].as_str().expect("rotated").to_owned();
    assert_ne!(first, second);
    let answers = race(16, |index| {
        let use_it = refresh(&nodes[index % 2], &second);
        async move { use_it.await.unwrap() }
    });
    let tokens = only_winner(answers);
    assert_eq!(house.count("refresh_tokens", "1 = 1").await, 3);
    check_revoked(&house, &tokens).await;
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
