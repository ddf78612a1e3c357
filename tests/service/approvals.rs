//! What pressing # approves: that one challenge of that one person, and nothing that comes after it in the same flow.

use std::sync::Arc;

use countersign_model::Seconds;
use countersign_service::{FlowCall, FlowPage, Provider, RequestContext};
use countersign_tests::provider::{Credentials, DUCK, House, Operator, Person};

const OWN_NUMBER: &str = "+12025553661";
const GOOSE: Credentials = ("goose@example.com", "pond-lily-4471-honk");

on_both_stores![
    an_own_approved_call_passes_nobody_elses_phone_step,
    a_call_that_still_rings_approves_nothing_after_login,
    an_approval_outlasts_a_press_that_changes_nothing,
];

/// From a sign-in page, with a mailbox one can read, to the phone step of its account.
async fn walk_by_mailbox(
    house: &House,
    node: &Arc<Provider>,
    person: &mut Person,
    sign_in: &FlowPage,
    mailbox: &str,
) -> FlowPage {
    let address = person.press(node, sign_in, "forgot", &[]).await.page();
    let sent = person.press(node, &address, "send", &[("email", mailbox)]).await.page();
    let code = house.mailed_code(node, mailbox).await;
    let verified = person.press(node, &sent, "verify", &[("code", &code)]).await.page();
    let phone = person.press(node, &verified, "continue", &[]).await.page();
    assert_eq!((phone.view.page.as_str(), phone.view.state), ("phone_verify", "unsent"));
    phone
}

/// Has a call placed from a phone step.
async fn call(house: &House, node: &Arc<Provider>, person: &mut Person, page: &FlowPage) -> FlowPage {
    let calling = person.press(node, page, "call", &[]).await.page();
    assert_eq!(calling.view.state, "calling");
    house.deliver(node).await;
    calling
}

async fn is_approved(node: &Provider, person: &Person, page: &FlowPage) -> bool {
    let context = RequestContext::default();
    let call = FlowCall { flow: page.flow, cookies: &person.cookies, locale: None, context: &context };
    node.flow_state(call).await.unwrap().unwrap().approved
}

/// The page goes on waiting for the call.
async fn assert_waits(node: &Arc<Provider>, person: &mut Person, calling: &FlowPage) {
    assert!(!is_approved(node, person, calling).await);
    let waiting = person.press(node, calling, "continue", &[]).await.page();
    assert_eq!((waiting.view.page.as_str(), waiting.view.state), ("phone_verify", "calling"));
}

async fn an_own_approved_call_passes_nobody_elses_phone_step(house: House) {
    let (node, mut intruder) = (house.node().await, Person::new());
    house.account(&node, GOOSE, "+12025550001").await;
    let sign_in = intruder.arrive(&node, "p=phone").await.page();
    let own = walk_by_mailbox(&house, &node, &mut intruder, &sign_in, DUCK.0).await;
    let calling = call(&house, &node, &mut intruder, &own).await;
    let operator = Operator::new(&node, &house.phones);
    let rung = house.phones.newest(OWN_NUMBER);
    assert!(operator.press(&rung.address, "#").await.unwrap().contains("complete"));
    assert!(is_approved(&node, &intruder, &calling).await);

    let back = intruder.press(&node, &calling, "cancel", &[]).await.page();
    assert_eq!(back.view.page, "sign_in");
    let victims = walk_by_mailbox(&house, &node, &mut intruder, &back, GOOSE.0).await;
    let calling = call(&house, &node, &mut intruder, &victims).await;
    assert_waits(&node, &mut intruder, &calling).await;
    assert!(operator.press(&rung.address, "#").await.unwrap().contains("out of date"));
    assert_waits(&node, &mut intruder, &calling).await;
}

async fn a_call_that_still_rings_approves_nothing_after_login(house: House) {
    let (node, mut intruder) = (house.node().await, Person::new());
    house.account(&node, GOOSE, "+12025550001").await;
    let sign_in = intruder.arrive(&node, "p=phone").await.page();
    let own = walk_by_mailbox(&house, &node, &mut intruder, &sign_in, DUCK.0).await;
    let calling = call(&house, &node, &mut intruder, &own).await;
    let ringing = house.phones.newest(OWN_NUMBER);
    // Wrong codes of a text lead to a stop page, whose LOGIN begins anew in this very flow.
    house.clock.pass(Seconds::new(31));
    let mut page = intruder.press(&node, &calling, "send", &[]).await.page();
    while page.view.kind != "stop" {
        page = intruder.press(&node, &page, "verify", &[("code", "000000")]).await.page();
    }
    let again = intruder.press(&node, &page, "login", &[]).await.page();
    assert_eq!((again.flow, again.view.page.as_str()), (own.flow, "sign_in"));
    let victims = walk_by_mailbox(&house, &node, &mut intruder, &again, GOOSE.0).await;
    let calling = call(&house, &node, &mut intruder, &victims).await;
    let operator = Operator::new(&node, &house.phones);
    assert!(operator.pick_up(&ringing.address).await.unwrap().contains("out of date"));
    assert!(operator.press(&ringing.address, "#").await.unwrap().contains("out of date"));
    assert_waits(&node, &mut intruder, &calling).await;
}

async fn an_approval_outlasts_a_press_that_changes_nothing(house: House) {
    let (node, mut person) = (house.node().await, Person::new());
    let sign_in = person.arrive(&node, "p=phone").await.page();
    let phone = person.give_password(&node, &sign_in, DUCK).await.page();
    let calling = call(&house, &node, &mut person, &phone).await;
    let operator = Operator::new(&node, &house.phones);
    assert!(operator.press(&house.phones.newest(OWN_NUMBER).address, "#").await.unwrap().contains("complete"));
    // Too soon for another call: the page stays, and so does what was approved.
    let stays = person.press(&node, &calling, "call", &[]).await.page();
    assert!(is_approved(&node, &person, &stays).await);
}
