//! Unknown, wrong, locked and disabled cost the same: rows written, hashes computed; and, in the long run of the tests,
//! time.
#![allow(clippy::disallowed_methods, reason = "it measures real time")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use countersign_model::{Seconds, UserStatus};
use countersign_service::policy::password::HashParams;
use countersign_service::{HashSettings, ImportFormat, Imported, NewAccount, Provider, RequestContext};
use countersign_tests::provider::{CHEAP, CLINIC, DUCK, HOSPITAL, House, NodePlan, Pair, Person, register_client, run};
use secrecy::SecretString;
use serde_json::json;

on_both_stores![
    refused_passwords_write_the_same_rows,
    a_reset_writes_the_same_rows_whoever_is_named,
    a_registration_reset_writes_the_same_rows_whoever_is_named,
    every_refused_password_is_hashed_once,
];

/// The long run, of the optimized build that is deployed: `./tests/run --timing`, or a part of `--long`.
#[test]
fn timing_of_refused_passwords_tells_nothing() {
    run(Pair::Embedded, async |house| time_refused_passwords(house, LONG).await);
}

/// The same of names that are locked.
#[test]
fn timing_of_locked_names_tells_nothing() {
    run(Pair::Embedded, async |house| time_locked_names(house, LONG).await);
}

/// The same of the legacy portal's page.
#[test]
fn timing_of_legacy_passwords_tells_nothing() {
    run(Pair::Embedded, async |house| time_legacy_passwords(house, LONG).await);
}

/// The same for the page where a mailed code begins.
#[test]
fn timing_of_forgot_password_tells_nothing() {
    run(Pair::Embedded, async |house| time_forgot_password(house, LONG).await);
}

/// The same for the page that mails an unfinished registration a new link.
#[test]
fn timing_of_registration_reset_tells_nothing() {
    run(Pair::Embedded, async |house| time_registration_reset(house, LONG).await);
}

/// The short runs, in every run of the tests: they see a hash that is missing, or one too many.
#[test]
fn a_short_watch_on_refused_passwords_sees_no_hash_missing() {
    run(Pair::Embedded, async |house| time_refused_passwords(house, SHORT).await);
}

#[test]
fn a_short_watch_on_locked_names_sees_no_hash_missing() {
    run(Pair::Embedded, async |house| time_locked_names(house, SHORT).await);
}

#[test]
fn a_short_watch_on_legacy_passwords_sees_no_hash_missing() {
    run(Pair::Embedded, async |house| time_legacy_passwords(house, SHORT).await);
}

#[test]
fn a_short_watch_on_resets_sees_no_work_of_their_own() {
    run(Pair::Embedded, async |house| time_forgot_password(house, SHORT).await);
    run(Pair::Embedded, async |house| time_registration_reset(house, SHORT).await);
}

const WRONG: &str = "not-this-password";
const NOBODY: &str = "nobody@example.com";

async fn open(house: &House, plan: NodePlan) -> Arc<Provider> {
    let node = house.node_with(plan).await;
    let client = json!({
        "client_id": "anything",
        "countersign_policy": "phone",
        "countersign_policies": ["phone", "forgot-password", "registration-reset", "registration"],
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

/// How long somebody watches, and what counts as a difference.
#[derive(Clone, Copy)]
struct Watch {
    /// How many of each class.
    samples: usize,
    /// The most that medians of two classes may differ, in bootstrap deviations of that difference.
    deviations: f64,
    /// What is no difference whatever its deviation, in seconds.
    least: f64,
}

/// By chance once in about fifteen thousand comparisons; 0.2 ms is what no distant observer could tell.
const LONG: Watch = Watch { samples: 400, deviations: 4.0, least: 0.000_2 };
/// By chance once in half a billion; a busy machine makes a few samples uneven, and one hash takes longer than 2 ms.
const SHORT: Watch = Watch { samples: 30, deviations: 6.0, least: 0.002 };

/// Samples that are not counted: caches fill, statements are prepared.
const WARM: usize = 10;

/// Interleaved samples, in seconds, by class.
async fn sample(watch: Watch, classes: &[&str], mut once: impl AsyncFnMut(&str) -> f64) -> Vec<Vec<f64>> {
    let mut samples = vec![Vec::new(); classes.len()];
    for round in 0..watch.samples + WARM {
        for offset in 0..classes.len() {
            // Each class is first, second, third equally often.
            let class = (round + offset) % classes.len();
            let took = once(classes[class]).await;
            if round >= WARM {
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

/// Every class against the first, told as a line of the table in docs/SECURITY.md.
#[expect(clippy::print_stdout, reason = "where that table comes from")]
fn assert_alike(watch: Watch, classes: &[&str], samples: &[Vec<f64>]) {
    let told = |seconds: f64| format!("{:.2}", seconds * 1000.0);
    let first = median(&mut samples[0].clone());
    let mut wrong = Vec::new();
    for other in 1..classes.len() {
        let (difference, deviation) = compare(&samples[0], &samples[other]);
        let allowed = (watch.deviations * deviation).max(watch.least);
        let (one, two) = (classes[0], classes[other]);
        let said = format!("| {two} | {one} | {} | {} | {} |", told(first), told(-difference), told(allowed));
        println!("{said}");
        if difference.abs() > allowed {
            wrong.push(said);
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_watches_see_what_they_promise() {
    for (watch, slower_by) in [(LONG, 0.001), (SHORT, 0.005)] {
        let mut dice = Dice(7);
        let mut noisy = |base: f64| -> Vec<f64> {
            (0..watch.samples).map(|_| base + f64::from(u32::try_from(dice.below(4000)).unwrap()) * 1e-6).collect()
        };
        let (one, same, slower) = (noisy(0.010), noisy(0.010), noisy(0.010 + slower_by));
        assert_alike(watch, &["one", "same"], &[one.clone(), same]);
        let found = std::panic::catch_unwind(|| assert_alike(watch, &["one", "slower"], &[one, slower]));
        assert!(found.is_err());
    }
}

/// A node whose hashes take some milliseconds, as every account's here does.
async fn open_slow(house: &House) -> Arc<Provider> {
    let parameters = HashParams { memory_kib: 4096, passes: 2, lanes: 1 };
    let plan = house.plan();
    let node = open(house, NodePlan { hashing: HashSettings { parameters, threads: 2, queue: 64 }, ..plan }).await;
    // The known account's hash is renewed to the node's parameters; the disabled one's was made with weaker ones and
    // is made anew, as it would have been by its last sign-in.
    house.set_status(HOSPITAL.0, UserStatus::Active).await;
    for who in [DUCK, HOSPITAL] {
        let mut person = Person::new();
        let page = person.arrive_from(&node, "anything", "p=phone").await.page();
        person.give_password(&node, &page, who).await.page();
    }
    house.set_status(HOSPITAL.0, UserStatus::Disabled).await;
    node
}

/// Presses once on the first page of `policy`, by somebody new; how long the answer took, and its page.
async fn time(node: &Arc<Provider>, policy: &str, control: &str, fields: &[(&str, &str)]) -> (f64, String) {
    let mut person = Person::new();
    let page = person.arrive_from(node, "anything", &format!("p={policy}")).await.page();
    let begin = Instant::now();
    let next = person.press(node, &page, control, fields).await.page();
    (begin.elapsed().as_secs_f64(), next.view.page)
}

async fn time_refused_passwords(house: House, watch: Watch) {
    let node = open_slow(&house).await;
    let samples = sample(watch, &[NOBODY, DUCK.0, HOSPITAL.0], async |email| {
        // Past every lock.
        house.clock.pass(Seconds::hours(6));
        time(&node, "phone", "login", &[("email", email), ("password", WRONG)]).await.0
    })
    .await;
    assert_alike(watch, &["unknown", "wrong", "disabled"], &samples);
}

/// Names that are locked, whether there is such an account, and whatever its state; the right password makes no difference.
async fn time_locked_names(house: House, watch: Watch) {
    let node = open_slow(&house).await;
    let cases = [(NOBODY, WRONG), (DUCK.0, WRONG), (DUCK.0, DUCK.1), (HOSPITAL.0, HOSPITAL.1)];
    for (email, _) in cases {
        for _ in 0..12 {
            time(&node, "phone", "login", &[("email", email), ("password", WRONG)]).await;
        }
    }
    let samples = sample(watch, &["0", "1", "2", "3"], async |case| {
        let (email, password) = cases[case.parse::<usize>().unwrap()];
        let (took, page) = time(&node, "phone", "login", &[("email", email), ("password", password)]).await;
        assert_eq!(page, "try_later", "{email} is locked");
        took
    })
    .await;
    let classes = ["locked, unknown", "locked, wrong", "locked, right password", "locked, disabled"];
    assert_alike(watch, &classes, &samples);
}

/// A bcrypt hash of another system, as an import leaves it.
const BCRYPT: &str = "$2b$04$abcdefghijklmnopqrstuu5pTTdzW1hCDd3xLtvje8LLGZ4uI9cVe";

async fn time_legacy_passwords(house: House, watch: Watch) {
    let node = open_slow(&house).await;
    let line = json!({ "username": "imported.user", "hash": BCRYPT }).to_string();
    let source = std::io::Cursor::new(line.into_bytes());
    let imported = node.import_people(source, ImportFormat::Ndjson, false, &RequestContext::default()).await.unwrap();
    assert!(matches!(imported, Imported::Done(report) if report.imported == 1));
    let names = ["nobody.is.here", "unfinished.user", "imported.user", "finished.user", "disabled.user"];
    let samples = sample(watch, &names, async |name| {
        house.clock.pass(Seconds::hours(6));
        time(&node, "registration", "login", &[("username", name), ("password", WRONG)]).await.0
    })
    .await;
    let classes =
        ["portal, unknown", "portal, argon2 hash", "portal, bcrypt hash", "portal, no such hash", "portal, disabled"];
    assert_alike(watch, &classes, &samples);
}

async fn time_forgot_password(house: House, watch: Watch) {
    let node = open(&house, house.plan()).await;
    let samples = sample(watch, &[NOBODY, DUCK.0, HOSPITAL.0], async |email| {
        house.clock.pass(Seconds::hours(6));
        time(&node, "forgot-password", "send", &[("email", email)]).await.0
    })
    .await;
    assert_eq!(CHEAP.memory_kib, 64, "nothing is hashed here");
    assert_alike(watch, &["reset, unknown", "reset, known", "reset, disabled"], &samples);
}

async fn time_registration_reset(house: House, watch: Watch) {
    let node = open(&house, house.plan()).await;
    let names = ["nobody.is.here", "finished.user", "unfinished.user", "disabled.user"];
    let samples = sample(watch, &names, async |name| {
        house.clock.pass(Seconds::hours(6));
        time(&node, "registration-reset", "next", &[("username", name)]).await.0
    })
    .await;
    let classes = ["renewed, unknown", "renewed, finished", "renewed, unfinished", "renewed, disabled"];
    assert_alike(watch, &classes, &samples);
    let links = house.count("links", "1 = 1").await;
    assert!(links >= watch.samples, "the unfinished were mailed theirs: {links}");
}
