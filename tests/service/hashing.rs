//! Password hashes: renewed when parameters rise, bounded when many want one.

use countersign_model::AuditKind;
use countersign_service::policy::password::HashParams;
use countersign_service::{HashSettings, ServiceError};
use countersign_tests::provider::{ALICE, CHEAP, House, NodePlan, Person, form};
use countersign_tests::stores::race;

on_both_stores![
    a_login_renews_a_hash_of_weaker_parameters_once,
    a_wrong_password_renews_nothing,
    past_the_queue_a_password_is_not_looked_at_and_can_be_sent_again,
];

const STRONGER: HashParams = HashParams { memory_kib: 128, ..CHEAP };

async fn stored(house: &House) -> String {
    let found = house.database.db.read(async |tx| tx.find_account_by_email(ALICE.0).await).await;
    found.unwrap().unwrap().password.unwrap().phc.to_string()
}

async fn log_in(house: &House, parameters: HashParams, password: &str) {
    let plan = house.plan();
    let node = house.node_with(NodePlan { hashing: HashSettings { parameters, ..plan.hashing }, ..plan }).await;
    let mut person = Person::new();
    let page = person.arrive_from(&node, "lab-suite", "").await.page();
    person.press(&node, &page, "login", &[("email", ALICE.0), ("password", password)]).await;
}

async fn a_login_renews_a_hash_of_weaker_parameters_once(house: House) {
    let before = stored(&house).await;
    log_in(&house, CHEAP, ALICE.1).await;
    assert_eq!(stored(&house).await, before, "nothing to renew");
    log_in(&house, STRONGER, ALICE.1).await;
    let renewed = stored(&house).await;
    assert!(before.contains("m=64,") && renewed.contains("m=128,"), "{before} {renewed}");
    log_in(&house, STRONGER, ALICE.1).await;
    log_in(&house, CHEAP, ALICE.1).await;
    assert_eq!(stored(&house).await, renewed, "nor is it weakened again");
    assert_eq!(house.events(Some(AuditKind::PasswordRehashed)).await.len(), 1);
    assert_eq!(house.count("grants", "1 = 1").await, 4);
}

async fn a_wrong_password_renews_nothing(house: House) {
    let before = stored(&house).await;
    log_in(&house, STRONGER, "not-her-password").await;
    assert_eq!(stored(&house).await, before);
}

async fn past_the_queue_a_password_is_not_looked_at_and_can_be_sent_again(house: House) {
    let plan = house.plan();
    let slow = HashSettings { parameters: HashParams { memory_kib: 8192, passes: 2, lanes: 1 }, threads: 1, queue: 1 };
    let node = house.node_with(NodePlan { hashing: slow, ..plan }).await;
    let mut flows = Vec::new();
    for number in 0..24 {
        let mut person = Person::new();
        flows.push((person.arrive_from(&node, "lab-suite", "").await.page(), person, format!("u{number}@example.com")));
    }
    let answers = race(flows.len(), |index| {
        let (page, person, email) = &flows[index];
        let post = person.post(&node, page.flow, form(page, "login", &[("email", email), ("password", "whatever")]));
        async move { (index, post.await.map(|_| ())) }
    });
    let is_busy = |answer: &Result<(), ServiceError>| matches!(answer, Err(ServiceError::Busy(_)));
    let busy: Vec<usize> = answers.iter().filter(|(_, answer)| is_busy(answer)).map(|(index, _)| *index).collect();
    assert!(!busy.is_empty() && busy.len() < flows.len(), "{} of {} were refused", busy.len(), flows.len());
    assert!(answers.iter().all(|(_, answer)| answer.is_ok() || is_busy(answer)));
    assert_eq!(house.events(Some(AuditKind::Login)).await.len(), flows.len() - busy.len());
    let (page, person, _) = &mut flows[busy[0]];
    person.give_password(&node, page, ALICE).await.code();
}
