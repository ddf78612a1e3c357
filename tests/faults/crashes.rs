//! Nodes and stores that die under load.

use std::time::Duration;

use crate::house::House;
use crate::load::{Load, Seen};

/// Tokens between two faults.
const ENOUGH: usize = 150;
/// Longer than a connection of a node waits for its store, shorter than any lease: what was begun is finished after it.
const STANDSTILL: Duration = Duration::from_secs(3);

/// How often each fault happens.
fn rounds() -> usize {
    if std::env::var_os("COUNTERSIGN_TEST_LONG").is_some() { 20 } else { 2 }
}

/// A house under load, and what was signed before it.
async fn begin() -> (House, Load, std::path::PathBuf) {
    let house = House::start().await;
    let load = Load::start(&house);
    load.wait_for(ENOUGH).await;
    let kept = house.keep_checkpoint();
    (house, load, kept)
}

/// Every token that somebody holds was logged, once; the log is what was signed, then and now.
fn assert_all_is_logged(house: &House, kept: &std::path::Path, seen: &Seen) {
    assert!(seen.strange.is_empty(), "an answer that is neither a token nor 503: {:?}", seen.strange);
    let issues = house.count_issues();
    for token in &seen.tokens {
        assert_eq!(issues.get(token), Some(&1), "the token {token}");
    }
    assert!(issues.values().all(|times| *times == 1), "a token that is logged twice");
    house.operate(&["audit", "verify", "--checkpoint", kept.to_str().unwrap()]);
    house.operate(&["audit", "verify"]);
}

#[tokio::test]
async fn nodes_that_are_killed_leave_no_token_without_its_event() {
    let (mut house, load, kept) = begin().await;
    for round in 0..rounds() {
        house.kill_node(round % 2);
        load.wait_for(ENOUGH).await;
        house.start_node(round % 2).await;
        load.wait_for(ENOUGH).await;
    }
    let seen = load.stop().await;
    assert!(seen.refused.contains_key(&0), "nobody noticed: {:?}", seen.refused);
    assert_all_is_logged(&house, &kept, &seen);
}

#[tokio::test]
async fn nodes_that_are_restarted_one_after_the_other_finish_what_they_began() {
    let (mut house, load, kept) = begin().await;
    for round in 0..rounds() {
        house.stop_node(round % 2);
        load.wait_for(ENOUGH).await;
        house.start_node(round % 2).await;
        load.wait_for(ENOUGH).await;
    }
    let seen = load.stop().await;
    assert_all_is_logged(&house, &kept, &seen);
}

#[tokio::test]
async fn a_postgresql_that_crashes_and_comes_back_has_lost_no_token() {
    let (mut house, load, kept) = begin().await;
    for _ in 0..rounds() {
        house.crash_postgresql().await;
        load.wait_for(ENOUGH).await;
    }
    for number in [0, 1] {
        house.wait_until_ready(number).await;
    }
    let seen = load.stop().await;
    assert_all_is_logged(&house, &kept, &seen);
}

#[tokio::test]
async fn a_node_that_stands_still_and_goes_on_leaves_no_token_without_its_event() {
    let (house, load, kept) = begin().await;
    for round in 0..rounds() {
        house.signal(round % 2, "STOP");
        tokio::time::sleep(STANDSTILL).await;
        house.signal(round % 2, "CONT");
        load.wait_for(ENOUGH).await;
    }
    let seen = load.stop().await;
    assert_all_is_logged(&house, &kept, &seen);
}
