//! Mailed codes: their life, sending again, wrong ones.

use countersign_model::Seconds;
use countersign_tests::provider::{HOSPITAL, House, NodePlan, Person};

use crate::pinned::email_policy;

on_both_stores![
    a_code_is_right_until_its_last_second,
    a_code_is_expired_at_its_ttl_and_a_new_one_is_another,
    sending_again_sends_the_same_code_while_it_lives,
    sending_again_has_to_wait,
    a_wrong_code_and_then_the_right_one,
    codes_with_spaces_are_read_and_others_are_no_try,
];

async fn a_code_is_right_until_its_last_second(house: House) {
    let node = house.node().await;
    let mut person = Person::new();
    let page = person.walk_to_mailbox(&node, HOSPITAL, false).await;
    let sent = person.press(&node, &page, "send", &[]).await.page();
    let code = house.mailed_code(&node, HOSPITAL.0).await;
    house.clock.pass(Seconds::new(29));
    assert_eq!(person.press(&node, &sent, "verify", &[("code", &code)]).await.page().view.state, "verified");
}

async fn a_code_is_expired_at_its_ttl_and_a_new_one_is_another(house: House) {
    let node = house.node().await;
    let mut person = Person::new();
    let page = person.walk_to_mailbox(&node, HOSPITAL, false).await;
    let sent = person.press(&node, &page, "send", &[]).await.page();
    let old = house.mailed_code(&node, HOSPITAL.0).await;
    house.clock.pass(Seconds::new(30));
    let expired = person.press(&node, &sent, "verify", &[("code", &old)]).await.page();
    assert_eq!(expired.view.notice.as_ref().unwrap().key, "expired");
    let again = person.press(&node, &expired, "resend", &[]).await.page();
    let new = house.mailed_code(&node, HOSPITAL.0).await;
    assert_ne!(old, new);
    let wrong = person.press(&node, &again, "verify", &[("code", &old)]).await.page();
    assert_eq!(wrong.view.notice.as_ref().unwrap().key, "wrong");
    assert_eq!(person.press(&node, &wrong, "verify", &[("code", &new)]).await.page().view.state, "verified");
}

async fn sending_again_sends_the_same_code_while_it_lives(house: House) {
    let policies = house.plan().policies;
    let longer = email_policy(&[("ttl = \"30s\"", "ttl = \"5m\"")]);
    let others = policies.iter().filter(|policy| policy.id != "email").cloned();
    let policies = countersign_service::policy::PolicySet::new(others.chain([longer]).collect());
    let node = house.node_with(NodePlan { policies, ..house.plan() }).await;
    let mut person = Person::new();
    let page = person.walk_to_mailbox(&node, HOSPITAL, false).await;
    let sent = person.press(&node, &page, "send", &[]).await.page();
    let first = house.mailed_code(&node, HOSPITAL.0).await;
    house.clock.pass(Seconds::new(30));
    let again = person.press(&node, &sent, "resend", &[]).await.page();
    assert_eq!(again.view.notice.as_ref().unwrap().key, "resent");
    assert_eq!(house.mailed_code(&node, HOSPITAL.0).await, first);
    assert_eq!(house.relay.letters().len(), 2);
    house.clock.pass(Seconds::new(5 * 60 - 30));
    let expired = person.press(&node, &again, "verify", &[("code", &first)]).await.page();
    assert_eq!(expired.view.notice.as_ref().unwrap().key, "expired", "sending again does not prolong it");
}

async fn sending_again_has_to_wait(house: House) {
    let node = house.node().await;
    let mut person = Person::new();
    let page = person.walk_to_mailbox(&node, HOSPITAL, false).await;
    let sent = person.press(&node, &page, "send", &[]).await.page();
    house.clock.pass(Seconds::new(29));
    let early = person.press(&node, &sent, "resend", &[]).await.page();
    assert_eq!(early.view.notice.as_ref().unwrap().key, "resend_wait");
    assert_eq!(house.outbox().await.len(), 1);
    house.clock.pass(Seconds::new(1));
    person.press(&node, &early, "resend", &[]).await.page();
    assert_eq!(house.outbox().await.len(), 2);
}

async fn a_wrong_code_and_then_the_right_one(house: House) {
    let node = house.node().await;
    let mut person = Person::new();
    let page = person.walk_to_mailbox(&node, HOSPITAL, false).await;
    let sent = person.press(&node, &page, "send", &[]).await.page();
    let code = house.mailed_code(&node, HOSPITAL.0).await;
    let wrong = if code == "000000" { "111111" } else { "000000" };
    let page = person.press(&node, &sent, "verify", &[("code", wrong)]).await.page();
    assert_eq!((page.view.notice.as_ref().unwrap().key, page.view.state), ("wrong", "sent"));
    let verified = person.press(&node, &page, "verify", &[("code", &code)]).await.page();
    person.press(&node, &verified, "continue", &[]).await.code();
}

async fn codes_with_spaces_are_read_and_others_are_no_try(house: House) {
    let node = house.node().await;
    let mut person = Person::new();
    let page = person.walk_to_mailbox(&node, HOSPITAL, false).await;
    let mut page = person.press(&node, &page, "send", &[]).await.page();
    let code = house.mailed_code(&node, HOSPITAL.0).await;
    for (typed, key) in [("", "code_required"), ("12345", "code_format"), ("abcdef", "code_format")].repeat(3) {
        page = person.press(&node, &page, "verify", &[("code", typed)]).await.page();
        assert_eq!(page.view.notice.as_ref().unwrap().key, key, "{typed:?}");
    }
    let spaced = format!(" {} {} ", &code[..3], &code[3..]);
    assert_eq!(person.press(&node, &page, "verify", &[("code", &spaced)]).await.page().view.state, "verified");
}
