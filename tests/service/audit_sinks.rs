//! Systems that are given the audit log: everything, in its order, whatever is down meanwhile.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use countersign_model::Seconds;
use countersign_outbound::webhook::signature;
use countersign_outbound::{AuditSink, HttpClient, HttpSettings, Syslog, SyslogSettings, Webhook, WebhookSettings};
use countersign_service::{AuditFeed, EntryForm, Fed, Provider};
use countersign_tests::provider::{ALICE, Asked, House, Person, serve_json};
use countersign_tests::servers::Rsyslog;
use futures_util::future::join_all;
use secrecy::SecretString;
use serde_json::Value;

use crate::audit_log::happen;

on_both_stores!(
    a_webhook_is_given_every_entry_once_and_in_order,
    what_a_sink_refuses_is_given_again,
    a_sink_that_takes_fewer_at_once_is_given_fewer,
    a_sink_that_takes_nothing_is_left_alone_by_every_node_for_a_while,
    of_two_nodes_one_feeds_and_the_other_goes_on_when_it_dies,
    rsyslog_is_given_what_happened_while_it_was_down,
);

const SECRET: &str = "a secret of the security team";

type Told = Arc<Mutex<Vec<Asked>>>;

/// A webhook that takes nothing for the first `refusals` times, and no more than `most` lines at once.
async fn webhook_of(refusals: usize, most: usize) -> (AuditSink, Told) {
    let told = Told::default();
    let (kept, left) = (Arc::clone(&told), AtomicUsize::new(refusals));
    let url = serve_json(move |asked| {
        if left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
            return Some((503, String::new()));
        }
        if asked.body.lines().count() > most {
            return Some((413, String::new()));
        }
        kept.lock().unwrap().push(asked.clone());
        Some((200, "{}".to_owned()))
    })
    .await;
    let http = HttpClient::new(&HttpSettings { allow_private: true, ..HttpSettings::default() }).unwrap();
    let settings = WebhookSettings { url: url.parse().unwrap(), secret: SecretString::from(SECRET) };
    (AuditSink::Webhook(Webhook::new(settings, http).unwrap()), told)
}

async fn webhook(refusals: usize) -> (AuditSink, Told) {
    webhook_of(refusals, usize::MAX).await
}

fn feed(node: &Arc<Provider>, sink: &AuditSink, form: EntryForm) -> AuditFeed {
    AuditFeed::new(Arc::clone(node), "siem".to_owned(), sink.clone(), form).unwrap()
}

fn lines(told: &Told) -> Vec<Value> {
    let told = told.lock().unwrap();
    told.iter().flat_map(|asked| asked.body.lines()).map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn places(lines: &[Value]) -> Vec<u64> {
    lines.iter().map(|line| line["position"].as_u64().unwrap()).collect()
}

/// A node whose log holds a sign-in and `more` events.
async fn node(house: &House, more: u16) -> Arc<Provider> {
    let node = house.node().await;
    let mut person = Person::new();
    let page = person.arrive(&node, "p=lab").await.page();
    person.give_password(&node, &page, ALICE).await.code();
    happen(house, 0, more).await;
    node.place_audit_events().await.unwrap();
    node
}

async fn a_webhook_is_given_every_entry_once_and_in_order(house: House) {
    let node = node(&house, 700).await;
    let (sink, told) = webhook(0).await;
    let feed = feed(&node, &sink, EntryForm::Entry);
    let entries = node.log_size().await.unwrap();
    assert_eq!(feed.feed().await.unwrap(), Fed::Gave(500));
    assert_eq!(node.find_sink_position("siem").await.unwrap(), (500, entries));
    assert_eq!(feed.feed().await.unwrap(), Fed::Gave(usize::try_from(entries).unwrap() - 500));
    assert_eq!(feed.feed().await.unwrap(), Fed::Everything);
    let lines = lines(&told);
    assert_eq!(places(&lines), (0..entries).collect::<Vec<_>>());
    // The bytes that are hashed can be read out of a line.
    let hashed = node.list_log_entries(0, 2000, EntryForm::Entry).await.unwrap();
    let told = told.lock().unwrap();
    for (line, (position, entry)) in told.iter().flat_map(|asked| asked.body.lines()).zip(&hashed) {
        assert_eq!(line, format!(r#"{{"position":{position},"entry":{entry}}}"#));
    }
    for asked in told.iter() {
        let header = asked.signature.as_deref().unwrap();
        assert!(signature::check(&SecretString::from(SECRET), asked.body.as_bytes(), header, house.clock.now()));
    }
}

async fn what_a_sink_refuses_is_given_again(house: House) {
    let node = node(&house, 10).await;
    let (sink, told) = webhook(2).await;
    let feed = feed(&node, &sink, EntryForm::Ocsf);
    for _ in 0..2 {
        assert!(matches!(feed.feed().await.unwrap(), Fed::Refused { why, .. } if why == "temporary: HTTP 503"));
        house.clock.pass(Seconds::minutes(1));
    }
    assert!(matches!(feed.feed().await.unwrap(), Fed::Gave(_)));
    let lines = lines(&told);
    let places: Vec<u64> = lines.iter().map(|line| line["metadata"]["sequence"].as_u64().unwrap()).collect();
    assert_eq!(places, (0..node.log_size().await.unwrap()).collect::<Vec<_>>());
    let login = lines.iter().find(|line| line["metadata"]["event_code"] == "login").unwrap();
    assert_eq!((&login["class_uid"], &login["activity_id"]), (&3002.into(), &1.into()));
}

async fn a_sink_that_takes_fewer_at_once_is_given_fewer(house: House) {
    let node = node(&house, 700).await;
    let (sink, told) = webhook_of(0, 100).await;
    let feed = feed(&node, &sink, EntryForm::Entry);
    let mut fed = Vec::new();
    while fed.last() != Some(&Fed::Everything) {
        fed.push(feed.feed().await.unwrap());
        house.clock.pass(Seconds::minutes(1));
        assert!(fed.len() < 100, "{fed:?}");
    }
    assert!(matches!(&fed[0], Fed::Refused { why, .. } if why == "permanent: HTTP 413"), "{fed:?}");
    assert_eq!(places(&lines(&told)), (0..node.log_size().await.unwrap()).collect::<Vec<_>>());
}

async fn a_sink_that_takes_nothing_is_left_alone_by_every_node_for_a_while(house: House) {
    let nodes = [node(&house, 10).await, house.node().await];
    let (sink, told) = webhook(usize::MAX).await;
    let feeds = [feed(&nodes[0], &sink, EntryForm::Entry), feed(&nodes[1], &sink, EntryForm::Entry)];
    // Seconds at which one of them asked it.
    let mut asked = Vec::new();
    for second in 0..600 {
        // Whoever was refused last asks last.
        let turn = asked.len() % 2;
        for feed in [&feeds[turn], &feeds[1 - turn]] {
            match feed.feed().await.unwrap() {
                Fed::Refused { .. } => asked.push(second),
                fed => assert_eq!(fed, Fed::Elsewhere),
            }
        }
        house.clock.pass(Seconds::new(1));
    }
    let pauses: Vec<i32> = asked.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(pauses.is_sorted() && pauses[0] == 1 && pauses.last() == Some(&60), "{pauses:?}");
    assert!(lines(&told).is_empty());
}

async fn of_two_nodes_one_feeds_and_the_other_goes_on_when_it_dies(house: House) {
    let nodes = [node(&house, 600).await, house.node().await];
    let (sink, told) = webhook(0).await;
    let feeds = [feed(&nodes[0], &sink, EntryForm::Entry), feed(&nodes[1], &sink, EntryForm::Entry)];
    while feeds[0].feed().await.unwrap() != Fed::Everything {
        join_all(feeds.iter().map(AuditFeed::feed)).await.into_iter().for_each(|fed| drop(fed.unwrap()));
    }
    let entries = nodes[0].log_size().await.unwrap();
    let mut given: BTreeMap<u64, usize> = BTreeMap::new();
    for place in places(&lines(&told)) {
        *given.entry(place).or_default() += 1;
    }
    assert_eq!(given, (0..entries).map(|place| (place, 1)).collect());

    // A node that died with its turn: the other waits for the end of that turn, no longer.
    happen(&house, 600, 603).await;
    nodes[0].place_audit_events().await.unwrap();
    let now = house.clock.now();
    let until = now.plus(Seconds::minutes(1));
    let claim = house.database.db.write(async |tx| tx.claim_sink("siem", "somebody dead", now, until).await);
    assert_eq!(claim.await.unwrap(), Some(entries));
    assert_eq!(feeds[1].feed().await.unwrap(), Fed::Elsewhere);
    house.clock.pass(Seconds::minutes(1));
    assert_eq!(feeds[1].feed().await.unwrap(), Fed::Gave(3));
    // Should it live after all, it changes nothing any more.
    let late = house.database.db.write(async |tx| tx.advance_sink("siem", "somebody dead", entries, entries + 3).await);
    assert!(!late.await.unwrap());
}

async fn rsyslog_is_given_what_happened_while_it_was_down(house: House) {
    let node = node(&house, 100).await;
    let mut receiver = Rsyslog::start().await;
    let settings = SyslogSettings {
        host: "localhost".to_owned(),
        port: receiver.port,
        ca_file: Some(receiver.ca_file()),
        certificate: None,
        hostname: "id.example".to_owned(),
    };
    let feed = feed(&node, &AuditSink::Syslog(Syslog::new(settings).unwrap()), EntryForm::Entry);
    let before = node.log_size().await.unwrap();
    assert_eq!(feed.feed().await.unwrap(), Fed::Gave(usize::try_from(before).unwrap()));
    // It has read them; writing them down is its own next step.
    receiver.wait_for(usize::try_from(before).unwrap()).await;
    receiver.kill();
    happen(&house, 100, 200).await;
    node.place_audit_events().await.unwrap();
    assert!(matches!(feed.feed().await.unwrap(), Fed::Refused { waiting: 100, .. }));
    receiver.go_on().await;
    house.clock.pass(Seconds::new(1));
    assert_eq!(feed.feed().await.unwrap(), Fed::Gave(100));
    let entries = node.list_log_entries(0, 1000, EntryForm::Entry).await.unwrap();
    for (message, (position, entry)) in receiver.wait_for(entries.len()).await.iter().zip(&entries) {
        let kind = serde_json::from_str::<Value>(entry).unwrap()["kind"].as_str().unwrap().to_owned();
        let told = format!(r#"id.example countersign {kind} {{"position":{position},"entry":{entry}}}"#);
        assert!(message.ends_with(&told) && message.starts_with("audit "), "{message} is not {told}");
    }
}
