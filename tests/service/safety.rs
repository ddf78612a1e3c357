//! Old pages, stolen addresses, forged forms.

use countersign_model::{AuditKind, Seconds};
use countersign_service::{Answer, FlowForm};
use countersign_tests::provider::{CLINIC, HOSPITAL, House, Pair, Person, Seen, form, run};

on_both_stores![
    two_tabs_are_two_flows,
    an_old_page_is_out_of_date_and_its_input_unused,
    a_stolen_address_is_gone_for_another_browser,
    a_stolen_first_page_starts_a_flow_of_the_thiefs_own,
    a_nonce_of_another_flow_is_refused,
    a_forged_start_is_refused,
    a_start_replayed_after_the_flow_is_done_does_not_run_again,
    a_control_the_page_does_not_have_changes_nothing,
    an_instance_left_alone_is_shown_as_a_restart,
];

async fn two_tabs_are_two_flows(house: House) {
    let node = house.node().await;
    let mut person = Person::new();
    let left = person.walk_to_mailbox(&node, HOSPITAL, false).await;
    let right = person.walk_to_mailbox(&node, CLINIC, false).await;
    assert_ne!(left.flow, right.flow);
    let left = person.press(&node, &left, "send", &[]).await.page();
    let right = person.press(&node, &right, "send", &[]).await.page();
    let (mine, yours) = (house.mailed_code(&node, HOSPITAL.0).await, house.mailed_code(&node, CLINIC.0).await);
    let left = person.press(&node, &left, "verify", &[("code", &mine)]).await.page();
    let right = person.press(&node, &right, "verify", &[("code", &yours)]).await.page();
    assert_eq!((left.view.state, right.view.state), ("verified", "verified"));
    person.press(&node, &right, "continue", &[]).await.code();
    person.press(&node, &left, "continue", &[]).await.code();
    assert_eq!(house.count("grants", "1 = 1").await, 2);
}

async fn an_old_page_is_out_of_date_and_its_input_unused(house: House) {
    let node = house.node().await;
    let mut person = Person::new();
    let options = person.arrive(&node, "").await.page();
    let sign_in = person.press(&node, &options, "email", &[]).await.page();
    let old = person.reload(&node, sign_in.flow).await.page();
    person.give_password(&node, &sign_in, HOSPITAL).await.page();
    let before = house.events(None).await.len();
    let seen = person.give_password(&node, &old, (HOSPITAL.0, "wrong-password")).await.page();
    assert_eq!((seen.view.page.as_str(), seen.out_of_date), ("email_verify", true));
    let seen = person.press(&node, &old, "cancel", &[]).await.page();
    assert_eq!((seen.view.page.as_str(), seen.out_of_date), ("email_verify", true));
    assert_eq!(house.events(None).await.len(), before, "nothing came of it");
}

async fn a_stolen_address_is_gone_for_another_browser(house: House) {
    let node = house.node().await;
    let mut person = Person::new();
    let page = person.walk_to_mailbox(&node, HOSPITAL, false).await;
    let mut thief = Person::new();
    thief.arrive(&node, "").await.page();
    assert!(matches!(thief.reload(&node, page.flow).await, Seen::Gone));
    assert!(matches!(thief.press(&node, &page, "send", &[]).await, Seen::Gone));
    assert!(matches!(Person::new().reload(&node, page.flow).await, Seen::Gone), "nor without a cookie");
    assert!(matches!(Person::new().press(&node, &page, "send", &[]).await, Seen::Gone));
    assert_eq!(house.outbox().await.len(), 0);
    assert_eq!(person.press(&node, &page, "send", &[]).await.page().view.state, "sent", "the person goes on");
}

async fn a_stolen_first_page_starts_a_flow_of_the_thiefs_own(house: House) {
    let node = house.node().await;
    let mut person = Person::new();
    let first = person.arrive(&node, "p=email").await.page();
    let mut thief = Person::new();
    thief.arrive(&node, "").await.page();
    let page = thief.give_password(&node, &first, HOSPITAL).await.page();
    assert_ne!(page.flow, first.flow);
    assert_eq!((page.view.page.as_str(), page.out_of_date), ("sign_in", true));
    let nobody = Person::new().give_password(&node, &first, HOSPITAL).await;
    assert!(matches!(nobody, Seen::Gone), "a form of another site brings no cookie: {nobody:?}");
    assert_eq!(house.events(Some(AuditKind::FlowStarted)).await.len(), 0);
    assert_eq!(person.give_password(&node, &first, HOSPITAL).await.page().view.page, "email_verify");
}

async fn a_nonce_of_another_flow_is_refused(house: House) {
    let node = house.node().await;
    let mut person = Person::new();
    let page = person.walk_to_mailbox(&node, HOSPITAL, false).await;
    let other = person.walk_to_mailbox(&node, CLINIC, false).await;
    for nonce in [other.nonce.clone(), String::new(), "A".repeat(43), "x".repeat(100_000)] {
        let forged = FlowForm { nonce, ..form(&page, "send", &[]) };
        let answered = person.post(&node, page.flow, forged).await.unwrap();
        assert!(matches!(answered.answer, Answer::SeeFlow { out_of_date: true, .. }), "{:?}", answered.answer);
    }
    assert_eq!(house.outbox().await.len(), 0);
}

async fn a_forged_start_is_refused(house: House) {
    let node = house.node().await;
    let mut person = Person::new();
    let first = person.arrive(&node, "").await.page();
    let other = person.arrive(&node, "p=email").await.page();
    let start = first.start.clone().unwrap();
    let middle = start.len() / 2;
    let flipped = if start.as_bytes()[middle] == b'A' { "B" } else { "A" };
    let mut changed = start.clone();
    changed.replace_range(middle..=middle, flipped);
    for forged in [changed, other.start.unwrap(), String::new(), start[..middle].to_owned(), "x".repeat(100_000)] {
        let forged = FlowForm { start: Some(forged), ..form(&first, "email", &[]) };
        let answered = person.post(&node, first.flow, forged).await.unwrap();
        assert!(matches!(answered.answer, Answer::Gone), "{:?}", answered.answer);
    }
    assert_eq!(house.events(Some(AuditKind::FlowStarted)).await.len(), 0);
    assert_eq!(person.press(&node, &first, "email", &[]).await.page().view.page, "sign_in", "the real one works");
}

async fn a_start_replayed_after_the_flow_is_done_does_not_run_again(house: House) {
    let node = house.node().await;
    let mut person = Person::new();
    let options = person.arrive(&node, "").await.page();
    let sign_in = person.press(&node, &options, "email", &[]).await.page();
    let page = person.give_password(&node, &sign_in, HOSPITAL).await.page();
    let verified = person.prove_mailbox(&house, &node, &page, HOSPITAL).await;
    person.press(&node, &verified, "continue", &[]).await.code();
    let before = house.events(None).await.len();
    for old in [&options, &sign_in, &page] {
        assert!(matches!(person.press(&node, old, "email", &[]).await, Seen::Gone));
    }
    assert_eq!(house.events(None).await.len(), before);
    assert_eq!(house.count("grants", "1 = 1").await, 1);
}

// On our clock alone: Redis would have to forget the flow by its own, in two minutes.
#[test]
fn a_start_replayed_much_later_shares_no_code_with_the_first_run() {
    run(Pair::Embedded, replay_much_later);
}

async fn replay_much_later(house: House) {
    let node = house.node().await;
    let mut person = Person::new();
    let options = person.arrive(&node, "").await.page();
    let mut codes: Vec<String> = Vec::new();
    for who in [HOSPITAL, CLINIC] {
        let sign_in = person.press(&node, &options, "email", &[]).await.page();
        let page = person.give_password(&node, &sign_in, who).await.page();
        let sent = person.press(&node, &page, "send", &[]).await.page();
        if let Some(first) = codes.first() {
            let wrong = person.press(&node, &sent, "verify", &[("code", first)]).await.page();
            assert_eq!(wrong.view.state, "sent", "a code mailed to one is worth nothing for another");
        }
        codes.push(house.mailed_code(&node, who.0).await);
        person.press(&node, &person.clone().reload(&node, page.flow).await.page(), "cancel", &[]).await.error();
        house.clock.pass(Seconds::new(121));
    }
    assert_ne!(codes[0], codes[1]);
}

async fn a_control_the_page_does_not_have_changes_nothing(house: House) {
    let node = house.node().await;
    let mut person = Person::new();
    let mut page = person.walk_to_mailbox(&node, HOSPITAL, false).await;
    for control in ["continue", "verify", "change", "login", "", "../../etc/passwd", &"x".repeat(10_000)] {
        page = person.press(&node, &page, control, &[("code", "000000")]).await.page();
        assert_eq!((page.view.page.as_str(), page.view.state), ("email_verify", "unsent"), "{control:.20}");
    }
    assert_eq!(house.outbox().await.len(), 0);
}

async fn an_instance_left_alone_is_shown_as_a_restart(house: House) {
    let node = house.node().await;
    let mut person = Person::new();
    let page = person.walk_to_mailbox(&node, HOSPITAL, false).await;
    house.clock.pass(Seconds::minutes(10));
    match person.press(&node, &page, "send", &[]).await {
        // The store forgot it by the same clock.
        Seen::Gone => assert_eq!(house.pair, Pair::Embedded),
        seen => assert_eq!(seen.page().view.page, "login_options"),
    }
    assert_eq!(house.outbox().await.len(), 0);
}
