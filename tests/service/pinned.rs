//! A policy that is edited under running instances.

use countersign_service::policy::{Policy, PolicySet, parse};
use countersign_tests::provider::{HOSPITAL, House, NodePlan, Person, Seen};

on_both_stores![
    an_instance_of_a_policy_that_is_gone_is_shown_as_a_restart,
    an_instance_finishes_on_its_version_while_that_is_loaded,
    a_first_page_of_a_policy_that_is_gone_is_shown_as_a_restart,
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
