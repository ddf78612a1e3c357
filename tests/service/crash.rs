//! Nodes that die, and stores that do not answer, at the worst moments.

use std::sync::Arc;

use countersign_model::AuditKind;
use countersign_service::Provider;
use countersign_tests::provider::{Fault, Faulty, HOSPITAL, House, NodePlan, Person, form, redeem};

on_both_stores![
    a_node_that_dies_between_the_mail_and_the_write_sends_one_mail,
    a_node_that_dies_between_the_login_and_the_write_issues_one_code,
    a_node_that_dies_after_the_claim_leaves_the_page_to_another,
    a_store_that_fails_at_the_write_can_be_tried_again_at_once,
    an_answer_that_is_lost_is_found_by_the_next_post,
    a_code_whose_answer_was_lost_lives_from_the_next_try,
    another_person_who_ends_a_flow_after_a_crash_is_not_the_first,
];

/// A node that dies when it is told to, and one that does not.
async fn nodes(house: &House) -> (Arc<Faulty>, Arc<Provider>, Arc<Provider>) {
    let faulty = Faulty::new(&house.short_lived);
    let mortal = house.node_with(NodePlan { short_lived: faulty.clone(), ..house.plan() }).await;
    (faulty, mortal, house.node().await)
}

async fn a_node_that_dies_between_the_mail_and_the_write_sends_one_mail(house: House) {
    let (faulty, mortal, other) = nodes(&house).await;
    let mut person = Person::new();
    for is_reloaded in [false, true] {
        let page = person.walk_to_mailbox(&other, HOSPITAL, false).await;
        let before = house.outbox().await.len();
        faulty.arm(Fault::DiesAtAdvance);
        faulty.until_death(Box::pin(person.post(&mortal, page.flow, form(&page, "send", &[])))).await;
        assert_eq!(house.outbox().await.len(), before + 1, "it was written");
        house.let_lease_end().await;
        let page = if is_reloaded { person.reload(&other, page.flow).await.page() } else { page };
        let sent = person.press(&other, &page, "send", &[]).await.page();
        assert_eq!((sent.view.state, sent.out_of_date), ("sent", false));
        assert_eq!(house.outbox().await.len(), before + 1, "and not again");
        assert_eq!(house.events(Some(AuditKind::SendQueued)).await.len(), before + 1);
        let code = house.mailed_code(&other, HOSPITAL.0).await;
        let verified = person.press(&other, &sent, "verify", &[("code", &code)]).await.page();
        assert_eq!(verified.view.state, "verified", "the code in the mail is the code");
    }
}

async fn a_node_that_dies_between_the_login_and_the_write_issues_one_code(house: House) {
    let (faulty, mortal, other) = nodes(&house).await;
    for is_reloaded in [false, true] {
        let before = [house.count("grants", "1 = 1").await, house.events(Some(AuditKind::Login)).await.len()];
        let mut person = Person::new();
        let page = person.walk_to_mailbox(&other, HOSPITAL, true).await;
        let verified = person.prove_mailbox(&house, &other, &page, HOSPITAL).await;
        faulty.arm(Fault::DiesAtAdvance);
        faulty.until_death(Box::pin(person.post(&mortal, verified.flow, form(&verified, "continue", &[])))).await;
        assert_eq!(house.count("grants", "1 = 1").await, before[0] + 1, "it was written");
        house.let_lease_end().await;
        let page = if is_reloaded { person.reload(&other, page.flow).await.page() } else { verified };
        let code = person.press(&other, &page, "continue", &[]).await.code();
        for table in ["authorization_codes", "grants"] {
            assert_eq!(house.count(table, "1 = 1").await, before[0] + 1, "{table}");
        }
        for table in ["browser_sessions", "remembered_logins"] {
            assert_eq!(house.count(table, "1 = 1").await, before[1] + 1, "{table}");
        }
        assert_eq!(house.events(Some(AuditKind::Login)).await.len(), before[1] + 1);
        assert!(redeem(&other, &code).await.unwrap().is_ok(), "the code is the one that was written");
        person.arrive(&other, "p=email").await.code();
    }
}

async fn a_node_that_dies_after_the_claim_leaves_the_page_to_another(house: House) {
    let (faulty, mortal, other) = nodes(&house).await;
    let mut person = Person::new();
    let page = person.walk_to_mailbox(&other, HOSPITAL, false).await;
    faulty.arm(Fault::DiesAfterClaim);
    faulty.until_death(Box::pin(person.post(&mortal, page.flow, form(&page, "send", &[])))).await;
    assert_eq!(house.outbox().await.len(), 0);
    house.let_lease_end().await;
    let sent = person.press(&other, &page, "send", &[]).await.page();
    assert_eq!((sent.view.state, sent.out_of_date), ("sent", false));
    assert_eq!(house.outbox().await.len(), 1);
}

async fn a_store_that_fails_at_the_write_can_be_tried_again_at_once(house: House) {
    let (faulty, mortal, other) = nodes(&house).await;
    let mut person = Person::new();
    let page = person.walk_to_mailbox(&other, HOSPITAL, false).await;
    faulty.arm(Fault::FailsAtAdvance);
    let failed = person.post(&mortal, page.flow, form(&page, "send", &[])).await;
    assert!(failed.unwrap_err().retry_after().is_some());
    let sent = person.press(&other, &page, "send", &[]).await.page();
    assert_eq!(sent.view.state, "sent");
    assert_eq!(house.outbox().await.len(), 1);
}

async fn an_answer_that_is_lost_is_found_by_the_next_post(house: House) {
    let (faulty, mortal, other) = nodes(&house).await;
    let mut person = Person::new();
    let page = person.walk_to_mailbox(&other, HOSPITAL, false).await;
    let verified = person.prove_mailbox(&house, &other, &page, HOSPITAL).await;
    faulty.arm(Fault::LosesAnswerOfAdvance);
    assert!(person.post(&mortal, verified.flow, form(&verified, "continue", &[])).await.is_err());
    let code = person.press(&other, &verified, "continue", &[]).await.code();
    assert!(person.cookies.session.is_some());
    assert!(redeem(&other, &code).await.unwrap().is_ok());
    assert_eq!(house.count("authorization_codes", "1 = 1").await, 1);
}

async fn a_code_whose_answer_was_lost_lives_from_the_next_try(house: House) {
    let (faulty, mortal, other) = nodes(&house).await;
    let mut person = Person::new();
    let page = person.walk_to_mailbox(&other, HOSPITAL, false).await;
    let verified = person.prove_mailbox(&house, &other, &page, HOSPITAL).await;
    faulty.arm(Fault::DiesAtAdvance);
    faulty.until_death(Box::pin(person.post(&mortal, verified.flow, form(&verified, "continue", &[])))).await;
    house.let_lease_end().await;
    // Longer than a code lives.
    house.clock.pass(countersign_model::Seconds::new(90));
    let code = person.press(&other, &verified, "continue", &[]).await.code();
    assert!(redeem(&other, &code).await.unwrap().is_ok());
    assert_eq!(house.count("authorization_codes", "1 = 1").await, 1);
}

async fn another_person_who_ends_a_flow_after_a_crash_is_not_the_first(house: House) {
    let (faulty, mortal, other) = nodes(&house).await;
    let mut person = Person::new();
    let sign_in = person.arrive_from(&other, "case-portal", "p=lab").await.page();
    let first = [("email", HOSPITAL.0), ("password", HOSPITAL.1)];
    faulty.arm(Fault::DiesAtAdvance);
    faulty.until_death(Box::pin(person.post(&mortal, sign_in.flow, form(&sign_in, "login", &first)))).await;
    house.let_lease_end().await;
    // Somebody else sits down at the same page.
    let code = person.give_password(&other, &sign_in, countersign_tests::provider::ALICE).await.code();
    let claims = crate::claims::id_claims(&redeem(&other, &code).await.unwrap().unwrap());
    assert_eq!(claims["sub"], house.user(countersign_tests::provider::ALICE.0).await.as_str());
}
