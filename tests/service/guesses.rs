//! Guessing in parallel: what is past a limit is not looked at.

use std::collections::BTreeMap;

use countersign_model::{AuditKind, AuditOutcome, Seconds};
use countersign_tests::provider::{ALICE, HOSPITAL, House, Pair, Person, Seen, form};
use countersign_tests::stores::race;

on_both_stores![
    of_two_hundred_guesses_at_one_address_ten_passwords_are_verified,
    of_two_hundred_guesses_at_a_time_five_are_looked_at_in_all,
    the_right_password_sets_the_lock_back,
];

async fn count_looks(house: &House) -> BTreeMap<String, usize> {
    let mut looks = BTreeMap::new();
    for event in house.events(None).await {
        if event.outcome == AuditOutcome::Failure && matches!(event.kind, AuditKind::Login | AuditKind::LimitReached) {
            let reason = event.detail.get("reason").and_then(|reason| reason.as_str()).unwrap_or("limit");
            *looks.entry(reason.to_owned()).or_default() += 1;
        }
    }
    looks
}

async fn of_two_hundred_guesses_at_one_address_ten_passwords_are_verified(house: House) {
    let nodes = [house.node().await, house.node().await];
    let mut flows = Vec::new();
    for _ in 0..200 {
        let mut person = Person::new();
        let page = person.arrive_from(&nodes[0], "lab-suite", "").await.page();
        flows.push((person, page));
    }
    let answers = race(flows.len(), |index| {
        let (person, page) = &flows[index];
        let fields = [("email", ALICE.0), ("password", "not-her-password")];
        let post = person.post(&nodes[index % 2], page.flow, form(page, "login", &fields));
        async move { post.await.unwrap() }
    });
    assert_eq!(answers.len(), 200);
    let looks = count_looks(&house).await;
    assert_eq!((looks.get("wrong"), looks.get("limit")), (Some(&10), Some(&190)), "{looks:?}");

    // Locked for the right password too, in another browser and on another node.
    let mut alice = Person::new();
    let page = alice.arrive_from(&nodes[1], "lab-suite", "").await.page();
    let stop = alice.give_password(&nodes[1], &page, ALICE).await.page();
    assert_eq!(stop.view.page, "try_later");
    if house.pair == Pair::Embedded {
        // By the server's clock a minute would take a minute.
        house.clock.pass(Seconds::minutes(1));
        let again = alice.press(&nodes[1], &stop, "login", &[]).await.page();
        alice.give_password(&nodes[1], &again, ALICE).await.code();
    }
}

async fn of_two_hundred_guesses_at_a_time_five_are_looked_at_in_all(house: House) {
    let nodes = [house.node().await, house.node().await];
    let mut person = Person::new();
    let page = person.walk_to_mailbox(&nodes[0], HOSPITAL, false).await;
    person.press(&nodes[0], &page, "send", &[]).await.page();
    let code = house.mailed_code(&nodes[0], HOSPITAL.0).await;
    let wrong = if code == "000000" { "111111" } else { "000000" };
    // Of two hundred at once one is looked at, the others were of a page that is out of date: so again and again.
    let mut rounds = 0;
    while person.reload(&nodes[0], page.flow).await.page().view.kind != "stop" {
        rounds += 1;
        assert!(rounds <= 10, "guesses are not counted");
        let mut pages = Vec::new();
        for _ in 0..200 {
            pages.push(person.reload(&nodes[0], page.flow).await.page());
        }
        race(pages.len(), |index| {
            let post = person.post(&nodes[index % 2], page.flow, form(&pages[index], "verify", &[("code", wrong)]));
            async move { drop(post.await.unwrap()) }
        });
    }
    let looks = count_looks(&house).await;
    assert_eq!((looks.get("wrong"), looks.get("limit")), (Some(&5), Some(&1)), "{looks:?}");
    let stop = person.reload(&nodes[1], page.flow).await.page();
    assert_eq!(stop.view.page, "try_later");
    let after = person.press(&nodes[1], &stop, "verify", &[("code", &code)]).await;
    assert!(matches!(after, Seen::Client(_)), "the right code comes too late: {after:?}");
    assert_eq!(after.error(), "access_denied");
}

async fn the_right_password_sets_the_lock_back(house: House) {
    let node = house.node().await;
    for _ in 0..3 {
        let mut person = Person::new();
        let mut page = person.arrive_from(&node, "lab-suite", "").await.page();
        for _ in 0..9 {
            page = person.give_password(&node, &page, (ALICE.0, "not-her-password")).await.page();
            assert_eq!(page.view.page, "sign_in");
        }
        person.give_password(&node, &page, ALICE).await.code();
    }
}
