//! Somebody with the database changes the log behind the product's back, in every way, at random places.

use countersign_model::Seconds;
use countersign_service::{EntryForm, Provider};
use countersign_tests::provider::{House, Pair};
use countersign_tests::stores::block_on;

use super::{assert_sound, leaf, log_of};

/// Enough for a kept hash over 256 entries, and entries behind it.
const SIZE: u16 = 300;
const TABLES: [&str; 4] = ["audit_events", "audit_entries", "audit_subtrees", "audit_checkpoints"];

/// Takes away what refuses changes, as who owns the database can.
pub(super) async fn open(house: &House) {
    let sql = match house.pair {
        Pair::Embedded => {
            let names = house.texts("SELECT name AS text FROM sqlite_master WHERE type = 'trigger'").await;
            names.iter().map(|name| format!("DROP TRIGGER {name};")).collect::<String>()
        }
        Pair::Servers => {
            let close = |table: &&str| format!("ALTER TABLE {table} DISABLE TRIGGER ALL;");
            TABLES.iter().chain(&["audit_unplaced"]).map(close).collect()
        }
    };
    house.database.raw(&sql).await.unwrap();
}

/// A generator that gives the same every time (SplitMix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }
}

/// What is done to the log, as SQL, and in words.
async fn tamper(house: &House, node: &Provider, dice: &mut Dice) -> (String, String) {
    let (one, other) = (dice.below(u64::from(SIZE)), dice.below(u64::from(SIZE) - 1));
    let other = if other >= one { other + 1 } else { other };
    let event = |position: u64| format!("(SELECT event_id FROM audit_entries WHERE position = {position})");
    let of = event(one);
    let changes = [
        "at = at + 1",
        "kind = 'token.revoked'",
        "outcome = 'failure'",
        "subject = '0001'",
        "client_id = 'another'",
        "jti = 'jti-of-another'",
        "address = '198.51.100.1'",
        "address = NULL",
        "detail = '{}'",
        r#"detail = replace(detail, '"email"', '"phone"')"#,
        "detail = 'no json'",
        "id = '1' || substr(id, 2)",
    ];
    let change = changes[usize::try_from(dice.below(changes.len() as u64)).unwrap()];
    let hash = match house.pair {
        Pair::Embedded => "zeroblob(32)",
        Pair::Servers => "decode(repeat('00', 32), 'hex')",
    };
    let cases = [
        ("change", format!("UPDATE audit_events SET {change} WHERE id = {of}")),
        ("drop the event", format!("DELETE FROM audit_events WHERE id = {of}")),
        ("drop the entry", format!("DELETE FROM audit_entries WHERE position = {one}")),
        (
            "drop both",
            format!("DELETE FROM audit_events WHERE id = {of}; DELETE FROM audit_entries WHERE position = {one}"),
        ),
        (
            "drop both and close the gap",
            format!(
                "DELETE FROM audit_events WHERE id = {of}; DELETE FROM audit_entries WHERE position = {one}; \
                 UPDATE audit_entries SET position = -position WHERE position > {one}; \
                 UPDATE audit_entries SET position = -position - 1 WHERE position < 0"
            ),
        ),
        ("another hash", format!("UPDATE audit_entries SET hash = {hash} WHERE position = {one}")),
        (
            "reorder",
            format!(
                "UPDATE audit_entries SET position = -1 WHERE position = {one}; \
                 UPDATE audit_entries SET position = {one} WHERE position = {other}; \
                 UPDATE audit_entries SET position = {other} WHERE position = -1"
            ),
        ),
        (
            "insert",
            format!(
                "INSERT INTO audit_events (id, at, kind, outcome, jti, detail) \
                 SELECT '1' || substr(id, 2), at, kind, outcome, jti, detail FROM audit_events WHERE id = {of}; \
                 UPDATE audit_entries SET position = -position - 1 WHERE position >= {one}; \
                 UPDATE audit_entries SET position = -position WHERE position < 0; \
                 INSERT INTO audit_entries (position, event_id, hash) \
                 SELECT {one}, '1' || substr(event_id, 2), hash FROM audit_entries WHERE position = {one} + 1"
            ),
        ),
        ("add without a place", {
            format!(
                "INSERT INTO audit_events (id, at, kind, outcome, detail) \
                 SELECT '1' || substr(id, 2), at, kind, outcome, detail FROM audit_events WHERE id = {of}"
            )
        }),
        (
            "truncate",
            format!(
                "DELETE FROM audit_events WHERE id IN (SELECT event_id FROM audit_entries WHERE position >= {one}); \
                 DELETE FROM audit_entries WHERE position >= {one}"
            ),
        ),
        (
            "truncate with what was signed",
            format!(
                "DELETE FROM audit_events WHERE id IN (SELECT event_id FROM audit_entries WHERE position >= {one}); \
                 DELETE FROM audit_entries WHERE position >= {one}; DELETE FROM audit_checkpoints WHERE size > {one}"
            ),
        ),
        ("another kept hash", format!("UPDATE audit_subtrees SET hash = {hash}")),
        ("no kept hash", "DELETE FROM audit_subtrees".to_owned()),
        ("another size", "UPDATE audit_checkpoints SET size = size - 1".to_owned()),
        ("another root", "UPDATE audit_checkpoints SET note = replace(note, 'a', 'b')".to_owned()),
    ];
    let drawn = usize::try_from(dice.below(cases.len() as u64 + 1)).unwrap();
    let (name, sql) = match cases.get(drawn) {
        Some(case) => case.clone(),
        None => ("change with its hash", with_hash(house, node, one).await),
    };
    (format!("{name} at {one}, {other}: {sql}"), sql)
}

/// Changes the event and makes its entry's hash fit.
async fn with_hash(house: &House, node: &Provider, position: u64) -> String {
    let line = node.list_log_entries(position, 1, EntryForm::Entry).await.unwrap().remove(0).1;
    let of = format!("(SELECT event_id FROM audit_entries WHERE position = {position})");
    let changed = line.replace(r#""outcome":"success""#, r#""outcome":"failure""#);
    assert_ne!(line, changed);
    let digits: String = leaf(&changed).iter().map(|byte| format!("{byte:02x}")).collect();
    let hash = match house.pair {
        Pair::Embedded => format!("x'{digits}'"),
        Pair::Servers => format!("'\\x{digits}'"),
    };
    format!(
        "UPDATE audit_events SET outcome = 'failure' WHERE id = {of}; \
         UPDATE audit_entries SET hash = {hash} WHERE position = {position}"
    )
}

async fn everything_that_is_changed_is_found(pair: Pair, rounds: u32) {
    let house = House::empty(pair).await;
    let node = log_of(&house, SIZE).await;
    let kept = [node.last_checkpoint().await.unwrap().unwrap().note];
    // What was added long ago without a place is found for its age.
    house.clock.pass(Seconds::hours(1));
    open(&house).await;
    let copy: String =
        TABLES.iter().map(|table| format!("CREATE TABLE kept_{table} AS SELECT * FROM {table};")).collect();
    let restore = |table: &&str| format!("DELETE FROM {table}; INSERT INTO {table} SELECT * FROM kept_{table};");
    let restore: String = TABLES.iter().map(restore).collect();
    house.database.raw(&copy).await.unwrap();
    let mut dice = Dice(20_261_122);
    for round in 0..rounds {
        let (case, sql) = tamper(&house, &node, &mut dice).await;
        house.database.raw(&sql).await.unwrap_or_else(|error| panic!("{case}: {error}"));
        let report = node.verify_audit_log(&kept).await.unwrap();
        assert!(report.fault.is_some(), "round {round} was not found: {case}");
        house.database.raw(&restore).await.unwrap();
    }
    assert_sound(&node, &kept, "after all was put back").await;
}

/// The short form; with `./tests/run --long` a thousand on each.
fn rounds(short: u32) -> u32 {
    if std::env::var_os("COUNTERSIGN_TEST_LONG").is_some() { 1000 } else { short }
}

#[test]
fn changes_are_found_on_sqlite() {
    block_on(everything_that_is_changed_is_found(Pair::Embedded, rounds(100)));
}

#[test]
fn changes_are_found_on_postgresql() {
    block_on(everything_that_is_changed_is_found(Pair::Servers, rounds(20)));
}
