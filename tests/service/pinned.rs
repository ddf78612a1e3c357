//! A policy that is edited under running instances.

use std::sync::Arc;

use countersign_model::AuditKind;
use countersign_service::policy::{Policy, PolicySet, parse};
use countersign_service::{CheckedPolicies, FlowPage, Provider, RunningFlows, Version, with_retired};
use countersign_tests::provider::{HOSPITAL, House, NodePlan, Person, Seen, parameter};

on_both_stores![
    an_instance_of_a_policy_that_is_gone_is_shown_as_a_restart,
    an_instance_finishes_on_its_version_while_that_is_loaded,
    a_first_page_of_a_policy_that_is_gone_is_shown_as_a_restart,
    a_pinned_instance_finishes_on_its_version_after_every_node_was_started_anew,
    an_instance_of_a_version_that_was_taken_back_by_restart_is_shown_as_a_restart,
    an_instance_of_a_version_that_was_taken_back_by_kill_is_shown_as_a_restart,
    running_instances_are_counted_by_the_version_they_are_on,
    the_log_tells_which_version_of_a_policy_runs_and_since_when,
];

/// The shipped email policy with some words replaced.
pub fn email_policy(changes: &[(&str, &str)]) -> Policy {
    let mut text = include_str!("../../config/policies/email.toml").to_owned();
    for (old, new) in changes {
        assert!(text.contains(old), "{old}");
        text = text.replace(old, new);
    }
    parse("email.toml", &text).unwrap()
}

fn edited(set: &PolicySet) -> Vec<Policy> {
    let others = set.iter().filter(|policy| policy.id != "email").cloned();
    others.chain([email_policy(&[("digits = 6", "digits = 8")])]).collect()
}

async fn an_instance_of_a_policy_that_is_gone_is_shown_as_a_restart(house: House) {
    let old = house.node().await;
    let plan = house.plan();
    let new = house.node_with(NodePlan { policies: PolicySet::new(edited(&plan.policies)), ..plan }).await;
    let mut person = Person::new();
    let page = person.walk_to_mailbox(&old, HOSPITAL, false).await;
    let shown = person.reload(&new, page.flow).await.page();
    assert_eq!((shown.view.page.as_str(), shown.out_of_date, shown.start.is_some()), ("login_options", true, true));
    let posted = person.press(&new, &page, "send", &[]).await.page();
    assert_eq!((posted.view.page.as_str(), posted.out_of_date, posted.start.is_some()), ("login_options", true, true));
    assert_ne!(posted.flow, page.flow);
    assert_eq!(house.outbox().await.len(), 0);
    let sign_in = person.press(&new, &posted, "email", &[]).await.page();
    assert_eq!(sign_in.view.page, "sign_in", "and it goes on from there");
}

async fn the_log_tells_which_version_of_a_policy_runs_and_since_when(house: House) {
    let (plan, now) = (house.plan(), house.clock.now());
    let told = async |kind| house.events(Some(kind)).await.into_iter().map(|event| event.detail).collect::<Vec<_>>();
    let old = house.node().await;
    old.audit_policies().await.unwrap();
    let first = told(AuditKind::PolicyActivated).await;
    assert_eq!(first.len(), plan.policies.iter().count());
    house.node().await.audit_policies().await.unwrap();
    assert_eq!(told(AuditKind::PolicyActivated).await.len(), first.len(), "another node of the same set");

    let without_lab = edited(&plan.policies).into_iter().filter(|policy| policy.id != "lab").collect();
    let new = house.node_with(NodePlan { policies: PolicySet::new(without_lab), ..plan }).await;
    new.audit_policies().await.unwrap();
    let all = told(AuditKind::PolicyActivated).await;
    let more: Vec<_> = all.iter().filter(|detail| !first.contains(detail)).collect();
    assert_eq!(more.len(), 1, "{more:?}");
    let before = first.iter().find(|detail| detail["policy"] == "email").unwrap();
    assert_eq!((&more[0]["policy"], &more[0]["before"]), (&"email".into(), &before["digest"]));
    assert_ne!(more[0]["digest"], before["digest"]);
    let gone = told(AuditKind::PolicyWithdrawn).await;
    assert_eq!((gone.len(), &gone[0]["policy"]), (1, &"lab".into()));
    assert!(house.events(None).await.iter().all(|event| event.at >= now));
}

async fn an_instance_finishes_on_its_version_while_that_is_loaded(house: House) {
    let old = house.node().await;
    let plan = house.plan();
    let policies = PolicySet::new(edited(&plan.policies)).with_retired(email_policy(&[]));
    let new = house.node_with(NodePlan { policies, ..plan }).await;
    let mut person = Person::new();
    let page = person.walk_to_mailbox(&old, HOSPITAL, false).await;
    let verified = person.prove_mailbox(&house, &new, &page, HOSPITAL).await;
    assert!(matches!(person.press(&new, &verified, "continue", &[]).await, Seen::Client(_)));
}

async fn a_first_page_of_a_policy_that_is_gone_is_shown_as_a_restart(house: House) {
    let old = house.node().await;
    let plan = house.plan();
    let new = house.node_with(NodePlan { policies: PolicySet::new(edited(&plan.policies)), ..plan }).await;
    let mut person = Person::new();
    let page = person.arrive(&old, "p=email").await.page();
    let again = person.give_password(&new, &page, HOSPITAL).await.page();
    assert_eq!((again.view.page.as_str(), again.out_of_date), ("sign_in", true), "the same policy, from its start");
    assert_eq!(person.give_password(&new, &again, HOSPITAL).await.page().view.page, "email_verify");
}

/// The edit: another life of the code, and what becomes of those who are half way.
fn successor(on_edit: &str) -> String {
    include_str!("../../config/policies/email.toml")
        .replace("on_edit  = \"pin\"", &format!("on_edit  = \"{on_edit}\""))
        .replace("ttl = \"30s\"", "ttl = \"60s\"")
}

/// A node that was just started with this text of the email policy, as `serve` starts it: what ran before is read from
/// the database alone.
async fn start(house: &House, text: &str) -> Arc<Provider> {
    let plan = house.plan();
    let others = plan.policies.iter().filter(|policy| policy.id != "email").cloned();
    let set = PolicySet::new(others.chain([parse("email.toml", text).unwrap()]).collect());
    let checked = CheckedPolicies { set, findings: Vec::new(), texts: vec![text.to_owned()] };
    let policies = with_retired(&house.database.another_node(), checked).await.unwrap();
    house.node_with(NodePlan { policies, ..plan }).await
}

fn code_life(page: &FlowPage) -> &str {
    &page.view.values["code_ttl"]
}

async fn a_pinned_instance_finishes_on_its_version_after_every_node_was_started_anew(house: House) {
    let old = start(&house, include_str!("../../config/policies/email.toml")).await;
    let (mut person, mut late) = (Person::new(), Person::new());
    let page = person.walk_to_mailbox(&old, HOSPITAL, false).await;
    let other = late.walk_to_mailbox(&old, HOSPITAL, false).await;
    drop(old);
    let first = start(&house, &successor("pin")).await;
    let shown = person.reload(&first, page.flow).await.page();
    assert_eq!((code_life(&shown), shown.out_of_date), ("30", false));
    let verified = person.prove_mailbox(&house, &first, &shown, HOSPITAL).await;
    assert!(matches!(person.press(&first, &verified, "continue", &[]).await, Seen::Client(_)));
    assert_eq!(code_life(&Person::new().walk_to_mailbox(&first, HOSPITAL, false).await), "60", "who begins now");
    drop(first);
    // Once more: what the second node kept is not only what it ran itself.
    let second = start(&house, &successor("pin").replace("ttl = \"60s\"", "ttl = \"90s\"")).await;
    let shown = late.reload(&second, other.flow).await.page();
    assert_eq!((code_life(&shown), shown.out_of_date), ("30", false));
}

/// What becomes of somebody half way, after the old version was taken back.
async fn take_back(house: House, on_edit: &str) {
    let old = start(&house, include_str!("../../config/policies/email.toml")).await;
    let mut person = Person::new();
    let page = person.walk_to_mailbox(&old, HOSPITAL, false).await;
    drop(old);
    let node = start(&house, &successor(on_edit)).await;
    // Never an error: the same request begins anew, and says that the page was out of date.
    let shown = person.reload(&node, page.flow).await.page();
    assert_eq!((shown.view.page.as_str(), shown.out_of_date), ("login_options", true), "{on_edit}");
    let options = person.press(&node, &page, "send", &[]).await.page();
    assert_eq!((options.view.page.as_str(), options.out_of_date), ("login_options", true), "{on_edit}");
    assert_eq!(house.outbox().await.len(), 0, "the old version does nothing more");
    let sign_in = person.press(&node, &options, "email", &[]).await.page();
    let mailbox = person.give_password(&node, &sign_in, HOSPITAL).await.page();
    assert_eq!(code_life(&mailbox), "60", "{on_edit}");
    let verified = person.prove_mailbox(&house, &node, &mailbox, HOSPITAL).await;
    let answer = person.press(&node, &verified, "continue", &[]).await.response();
    assert_eq!(parameter(&answer, "state").as_deref(), Some("st"), "the request of before");
}

async fn an_instance_of_a_version_that_was_taken_back_by_restart_is_shown_as_a_restart(house: House) {
    take_back(house, "restart").await;
}

async fn an_instance_of_a_version_that_was_taken_back_by_kill_is_shown_as_a_restart(house: House) {
    take_back(house, "kill").await;
}

async fn running_instances_are_counted_by_the_version_they_are_on(house: House) {
    let shipped = include_str!("../../config/policies/email.toml");
    let old = start(&house, shipped).await;
    let digest = |text: &str| parse("email.toml", text).unwrap().digest;
    assert_eq!(old.count_running().await.unwrap(), RunningFlows { is_whole: true, ..RunningFlows::default() });
    Person::new().arrive(&old, "p=email").await.page();
    assert!(old.count_running().await.unwrap().versions.is_empty(), "nothing is stored of a first page");
    let mut person = Person::new();
    for _ in 0..2 {
        Person::new().walk_to_mailbox(&old, HOSPITAL, false).await;
    }
    let page = person.walk_to_mailbox(&old, HOSPITAL, false).await;
    let new = start(&house, &successor("restart")).await;
    Person::new().walk_to_mailbox(&new, HOSPITAL, false).await;
    let version = |text: &str| Version { policy: "email".to_owned(), digest: digest(text) };
    let edited = successor("restart");
    for node in [&old, &new] {
        let running = node.count_running().await.unwrap();
        assert!(running.is_whole);
        assert_eq!((running.versions.get(&version(shipped)), running.versions.values().sum::<u64>()), (Some(&3), 4));
    }
    assert_eq!(new.count_running().await.unwrap().versions.get(&version(&edited)), Some(&1));
    // One that is over is not running any more.
    let verified = person.prove_mailbox(&house, &old, &page, HOSPITAL).await;
    person.press(&old, &verified, "continue", &[]).await.response();
    assert_eq!(new.count_running().await.unwrap().versions.get(&version(shipped)), Some(&2));
}
