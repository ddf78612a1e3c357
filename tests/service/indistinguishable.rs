//! Unknown, wrong, locked and disabled cost the same: rows written, hashes computed; and, in the long run of the tests,
//! time.
#![allow(clippy::disallowed_methods, reason = "it measures real time")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use countersign_model::{Seconds, UserStatus};
use countersign_service::policy::password::HashParams;
use countersign_service::{HashSettings, NewAccount, Provider};
use countersign_tests::provider::{CHEAP, CLINIC, DUCK, HOSPITAL, House, NodePlan, Pair, Person, register_client, run};
use secrecy::SecretString;
use serde_json::json;

on_both_stores![
    refused_passwords_write_the_same_rows,
    a_reset_writes_the_same_rows_whoever_is_named,
    a_registration_reset_writes_the_same_rows_whoever_is_named,
    every_refused_password_is_hashed_once,
];

/// Takes minutes, so it is part of `./tests/run --long` alone (.config/nextest.toml).
#[test]
fn timing_of_refused_passwords_tells_nothing() {
    run(Pair::Embedded, time_refused_passwords);
}

/// The same for the page where a mailed code begins.
#[test]
fn timing_of_forgot_password_tells_nothing() {
    run(Pair::Embedded, time_forgot_password);
}

const WRONG: &str = "not-this-password";
const NOBODY: &str = "nobody@example.com";

async fn open(house: &House, plan: NodePlan) -> Arc<Provider> {
    let node = house.node_with(plan).await;
    let client = json!({
        "client_id": "anything",
        "countersign_policy": "phone",
        "countersign_policies": ["phone", "forgot-password", "registration-reset"],
    });
    register_client(&node, client).await;
    let unfinished = NewAccount {
        email: "unfinished@example.com".to_owned(),
        username: Some("unfinished.user".to_owned()),
        legacy_password: Some(SecretString::from("portal-password-1")),
        ..NewAccount::default()
    };
    node.create_account(&unfinished).await.unwrap().expect("new");
    house.set_status(HOSPITAL.0, UserStatus::Disabled).await;
    for (name, email) in [("finished.user", DUCK.0), ("disabled.user", HOSPITAL.0)] {
        house.database.raw(&format!("UPDATE users SET username = '{name}' WHERE email = '{email}'")).await.unwrap();
    }
    node
}

/// Rows of the tables that a request may write to.
async fn count_rows(house: &House) -> BTreeMap<&'static str, usize> {
    let mut rows = BTreeMap::new();
    for table in ["outbox", "audit_events", "effects", "links", "users", "factors", "browser_sessions", "grants"] {
        rows.insert(table, house.count(table, "1 = 1").await);
    }
    rows
}

/// Presses once on the first page of `policy`; the rows that came of it.
async fn press(
    house: &House,
    node: &Arc<Provider>,
    policy: &str,
    control: &str,
    fields: &[(&str, &str)],
) -> BTreeMap<&'static str, usize> {
    let mut person = Person::new();
    let page = person.arrive_from(node, "anything", &format!("p={policy}")).await.page();
    let before = count_rows(house).await;
    person.press(node, &page, control, fields).await.page();
    let after = count_rows(house).await;
    after.into_iter().map(|(table, rows)| (table, rows - before[table])).collect()
}

async fn refused_passwords_write_the_same_rows(house: House) {
    let node = open(&house, house.plan()).await;
    let mut all = Vec::new();
    for (email, password) in [(NOBODY, WRONG), (DUCK.0, WRONG), (HOSPITAL.0, WRONG), HOSPITAL] {
        let rows = press(&house, &node, "phone", "login", &[("email", email), ("password", password)]).await;
        assert!(rows["audit_events"] >= 1, "{rows:?}");
        all.push(rows);
    }
    assert!(all.iter().all(|rows| *rows == all[0]), "{all:#?}");
    let right = press(&house, &node, "phone", "login", &[("email", DUCK.0), ("password", DUCK.1)]).await;
    assert_eq!(right["outbox"], 0);
}

async fn a_reset_writes_the_same_rows_whoever_is_named(house: House) {
    let node = open(&house, house.plan()).await;
    let mut all = Vec::new();
    for email in [NOBODY, DUCK.0, CLINIC.0, HOSPITAL.0, "unfinished@example.com"] {
        let rows = press(&house, &node, "forgot-password", "send", &[("email", email)]).await;
        assert_eq!(rows["outbox"], 1, "{email}: {rows:?}");
        all.push(rows);
    }
    assert!(all.iter().all(|rows| *rows == all[0]), "{all:#?}");
    house.deliver(&node).await;
    let letters = house.relay.letters();
    assert!(letters.iter().all(|letter| [DUCK.0, CLINIC.0].contains(&letter.to.as_str())), "nobody else is written to");
    assert_eq!(letters.len(), 2);
}

async fn a_registration_reset_writes_the_same_rows_whoever_is_named(house: House) {
    let node = open(&house, house.plan()).await;
    let mut all = Vec::new();
    for name in ["nobody.is.here", "finished.user", "unfinished.user", "disabled.user"] {
        let mut rows = press(&house, &node, "registration-reset", "next", &[("username", name)]).await;
        // The row of a link and its event are what only the unfinished have; no message, and nothing waits for them.
        let links = rows.remove("links");
        assert_eq!(links, Some(usize::from(name == "unfinished.user")));
        rows.entry("audit_events").and_modify(|events| *events -= links.unwrap_or_default());
        assert_eq!(rows["outbox"], 1, "{name}: {rows:?}");
        all.push(rows);
    }
    assert!(all.iter().all(|rows| *rows == all[0]), "{all:#?}");
}

/// With hashes of a good part of a second, whoever is not hashed for is back long before the others; a busy machine makes
/// an answer later, never earlier than the fastest hash that this test measured.
async fn every_refused_password_is_hashed_once(house: House) {
    let slow = HashParams { memory_kib: 32 * 1024, passes: 6, lanes: 1 };
    let plan = house.plan();
    let node =
        open(&house, NodePlan { hashing: HashSettings { parameters: slow, threads: 1, queue: 8 }, ..plan }).await;
    // Their hashes are renewed to the slow parameters.
    for who in [DUCK, CLINIC] {
        let mut person = Person::new();
        let page = person.arrive_from(&node, "anything", "p=phone").await.page();
        person.give_password(&node, &page, who).await.page();
    }
    let hash = || {
        let begin = Instant::now();
        countersign_service::policy::password::dummy(slow).unwrap();
        begin.elapsed()
    };
    let one = (0..4).map(|_| hash()).min().unwrap();
    for (case, email) in [("unknown", NOBODY), ("wrong", DUCK.0), ("wrong too", CLINIC.0)] {
        let mut person = Person::new();
        let page = person.arrive_from(&node, "anything", "p=phone").await.page();
        let begin = Instant::now();
        person.press(&node, &page, "login", &[("email", email), ("password", WRONG)]).await.page();
        assert!(begin.elapsed() * 4 > one * 3, "{case}: {:?} where one hash takes {one:?}", begin.elapsed());
    }
}

/// How many of each class.
const SAMPLES: usize = 400;
/// The most that medians of two classes may differ, in bootstrap deviations of that difference: by chance once in about
/// fifteen thousand runs. `LEAST` is what no distant observer could tell.
const DEVIATIONS: f64 = 4.0;
const LEAST: f64 = 0.000_2;

/// Interleaved samples, in seconds, by class.
async fn sample(classes: &[&str], mut once: impl AsyncFnMut(&str) -> f64) -> Vec<Vec<f64>> {
    let mut samples = vec![Vec::new(); classes.len()];
    for round in 0..SAMPLES + 20 {
        for offset in 0..classes.len() {
            // Each class is first, second, third equally often.
            let class = (round + offset) % classes.len();
            let took = once(classes[class]).await;
            if round >= 20 {
                samples[class].push(took);
            }
        }
    }
    samples
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Numbers that look random and are the same in every run (Knuth, MMIX).
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % limit
    }
}

/// The difference of two medians, and its deviation by the bootstrap.
fn compare(one: &[f64], other: &[f64]) -> (f64, f64) {
    let difference = median(&mut one.to_vec()) - median(&mut other.to_vec());
    let mut dice = Dice(42);
    let mut draw = |values: &[f64]| {
        let mut drawn: Vec<f64> = (0..values.len()).map(|_| values[dice.below(values.len())]).collect();
        median(&mut drawn)
    };
    let drawn: Vec<f64> = (0..500).map(|_| draw(one) - draw(other)).collect();
    let count = f64::from(u32::try_from(drawn.len()).unwrap());
    let mean = drawn.iter().sum::<f64>() / count;
    let variance = drawn.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count;
    (difference, variance.sqrt())
}

fn assert_alike(classes: &[&str], samples: &[Vec<f64>]) {
    for other in 1..classes.len() {
        let (difference, deviation) = compare(&samples[0], &samples[other]);
        let allowed = (DEVIATIONS * deviation).max(LEAST);
        let said = format!("{} and {}: {difference:+.6} s, allowed {allowed:.6} s", classes[0], classes[other]);
        assert!(difference.abs() <= allowed, "{said}");
    }
}

#[test]
fn the_timing_test_sees_a_millisecond() {
    let mut dice = Dice(7);
    let mut noisy = |base: f64| -> Vec<f64> {
        (0..SAMPLES).map(|_| base + f64::from(u32::try_from(dice.below(4000)).unwrap()) * 1e-6).collect()
    };
    let (one, same, slower) = (noisy(0.010), noisy(0.010), noisy(0.011));
    assert_alike(&["one", "same"], &[one.clone(), same]);
    let found = std::panic::catch_unwind(|| assert_alike(&["one", "slower"], &[one, slower]));
    assert!(found.is_err());
}

async fn time_refused_passwords(house: House) {
    let parameters = HashParams { memory_kib: 4096, passes: 2, lanes: 1 };
    let plan = house.plan();
    let node = open(&house, NodePlan { hashing: HashSettings { parameters, threads: 2, queue: 64 }, ..plan }).await;
    // The known account's hash is renewed to the node's parameters; the disabled one's was made with weaker ones and
    // is made anew, as it would have been by its last sign-in.
    house.set_status(HOSPITAL.0, UserStatus::Active).await;
    for who in [DUCK, HOSPITAL] {
        let mut person = Person::new();
        let page = person.arrive_from(&node, "anything", "p=phone").await.page();
        person.give_password(&node, &page, who).await.page();
    }
    house.set_status(HOSPITAL.0, UserStatus::Disabled).await;
    let samples = sample(&[NOBODY, DUCK.0, HOSPITAL.0], async |email| {
        // Past every lock.
        house.clock.pass(Seconds::hours(6));
        let mut person = Person::new();
        let page = person.arrive_from(&node, "anything", "p=phone").await.page();
        let begin = Instant::now();
        person.press(&node, &page, "login", &[("email", email), ("password", WRONG)]).await.page();
        begin.elapsed().as_secs_f64()
    })
    .await;
    assert_alike(&["unknown", "wrong", "disabled"], &samples);
}

async fn time_forgot_password(house: House) {
    let node = open(&house, house.plan()).await;
    let samples = sample(&[NOBODY, DUCK.0, HOSPITAL.0], async |email| {
        house.clock.pass(Seconds::hours(6));
        let mut person = Person::new();
        let page = person.arrive_from(&node, "anything", "p=forgot-password").await.page();
        let begin = Instant::now();
        person.press(&node, &page, "send", &[("email", email)]).await.page();
        begin.elapsed().as_secs_f64()
    })
    .await;
    assert_eq!(CHEAP.memory_kib, 64, "nothing is hashed here");
    assert_alike(&["unknown", "known", "disabled"], &samples);
}
