//! Texts and calls: what they say, what a call approves, who carries them, and the guards against toll fraud.

use std::sync::Arc;

use countersign_model::{AuditKind, OutboxState, Seconds};
use countersign_service::policy::PolicySet;
use countersign_service::{
    AddressLimits, FlowCall, FlowPage, FlowState, PolicySource, Provider, RequestContext, Telephone, load_policies,
};
use countersign_tests::provider::{DUCK, House, NodePlan, Operator, Person, Rung, Seen, Temper};

const NUMBER: &str = "+12025553661";

on_both_stores![
    a_text_ends_with_the_host_and_the_code_and_signs_in,
    pressing_hash_approves_on_whatever_node_the_carrier_asks,
    a_call_that_nobody_signed_hears_nothing_and_approves_nothing,
    an_old_call_never_approves_a_new_challenge,
    a_call_is_out_of_date_when_its_code_is,
    the_digits_of_the_page_approve_a_call_and_three_wrong_answers_end_it,
    a_code_is_read_out_digit_by_digit_and_no_key_approves_it,
    what_one_carrier_does_not_take_goes_to_the_other,
    what_may_have_been_taken_goes_to_nobody_else,
    a_text_refused_for_now_is_tried_again_and_sent_once,
    a_text_refused_for_good_leaves_the_call_and_a_call_refused_too_ends_the_step,
    a_text_that_the_carrier_lost_is_told_to_the_page,
    a_report_is_believed_with_its_signature_and_never_goes_back,
    the_state_is_told_to_the_browser_of_the_flow_alone,
    numbers_of_other_countries_are_sent_nothing,
    a_number_range_has_a_budget_over_all_its_numbers,
    a_network_has_a_budget_over_all_numbers,
];

/// Walks to the page that texts or calls.
async fn walk_to_phone(node: &Provider, person: &mut Person) -> FlowPage {
    let sign_in = person.arrive(node, "p=phone").await.page();
    let page = person.give_password(node, &sign_in, DUCK).await.page();
    assert_eq!((page.view.page.as_str(), page.view.state), ("phone_verify", "unsent"));
    page
}

/// Has a text sent; its page.
async fn text(house: &House, node: &Arc<Provider>, person: &mut Person) -> FlowPage {
    let page = walk_to_phone(node, person).await;
    let sent = person.press(node, &page, "send", &[]).await.page();
    house.deliver(node).await;
    sent
}

/// Has a call placed; its page and the call.
async fn call(house: &House, node: &Arc<Provider>, person: &mut Person) -> (FlowPage, Rung) {
    let page = walk_to_phone(node, person).await;
    let calling = person.press(node, &page, "call", &[]).await.page();
    assert_eq!(calling.view.state, "calling");
    house.deliver(node).await;
    (calling, house.phones.newest(NUMBER))
}

/// Terms of Use or the client itself.
fn is_past_phone(seen: Seen) -> bool {
    match seen {
        Seen::Client(_) => true,
        Seen::Page(page) => page.view.page == "terms",
        Seen::Refused | Seen::Gone | Seen::DeadLink(_) => false,
    }
}

async fn state(node: &Provider, person: &Person, page: &FlowPage) -> Option<FlowState> {
    let context = RequestContext::default();
    let call = FlowCall { flow: page.flow, cookies: &person.cookies, locale: None, context: &context };
    node.flow_state(call).await.unwrap()
}

/// A plan whose `phone` policy has another text in one place.
fn plan_with(house: &House, from: &str, to: &str) -> NodePlan {
    NodePlan { policies: changed_policies(house, from, to), ..house.plan() }
}

fn changed_policies(house: &House, from: &str, to: &str) -> PolicySet {
    let folder = tempfile::tempdir().unwrap();
    let shipped = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/policies");
    for entry in std::fs::read_dir(shipped).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            let text = std::fs::read_to_string(&path).unwrap();
            let name = path.file_name().unwrap();
            if name == "phone.toml" {
                assert!(text.contains(from), "phone.toml has no {from:?}");
            }
            let text = if name == "phone.toml" { text.replace(from, to) } else { text };
            std::fs::write(folder.path().join(name), text).unwrap();
        }
    }
    let checked = load_policies(&PolicySource::Files(vec![folder.path().to_owned()]), house.clock.now()).unwrap();
    assert!(checked.set.get("phone").is_some(), "{:?}", checked.findings);
    checked.set
}

async fn a_text_ends_with_the_host_and_the_code_and_signs_in(house: House) {
    let (node, mut person) = (house.node().await, Person::new());
    let page = text(&house, &node, &mut person).await;
    let sent = house.phones.newest(NUMBER);
    let code = sent.code();
    assert!(code.len() == 6 && code.bytes().all(|byte| byte.is_ascii_digit()));
    assert_eq!(sent.text.lines().last(), Some(format!("@id.example #{code}").as_str()));
    assert!(sent.text.starts_with("Acentra Health: ") && sent.text.matches(&code).count() == 2, "{}", sent.text);
    assert!(!sent.text.contains("http"), "never a link in a text");
    let message = house.outbox().await.remove(0);
    let told = (message.carrier.as_deref(), message.reference.as_deref(), message.status.as_deref());
    assert_eq!(told, (Some("main"), Some("SM1"), None));
    assert_eq!(message.sealed, None);
    assert!(is_past_phone(person.press(&node, &page, "verify", &[("code", &code)]).await));
}

async fn pressing_hash_approves_on_whatever_node_the_carrier_asks(house: House) {
    let (here, there, mut person) = (house.node().await, house.node().await, Person::new());
    let (page, rung) = call(&house, &here, &mut person).await;
    let operator = Operator::new(&there, &house.phones);
    let heard = operator.pick_up(&rung.address).await.unwrap();
    assert!(heard.contains("press the # key to complete authentication"), "{heard}");
    assert!(heard.contains(&format!("action=\"{}/answer\"", rung.address)), "{heard}");
    assert!(!state(&here, &person, &page).await.unwrap().approved);
    let heard = operator.press(&rung.address, "5").await.unwrap();
    assert!(heard.contains("another key") && heard.contains("<Gather"), "{heard}");
    assert!(!state(&here, &person, &page).await.unwrap().approved);
    let waiting = person.press(&here, &page, "continue", &[]).await.page();
    assert_eq!(waiting.view.page, "phone_verify", "nothing was approved yet");
    let heard = operator.press(&rung.address, "#").await.unwrap();
    assert!(heard.contains("Authentication is complete") && heard.contains("<Hangup/>"), "{heard}");
    assert!(state(&here, &person, &page).await.unwrap().approved);
    assert!(is_past_phone(person.press(&here, &waiting, "continue", &[]).await));
    let outcomes: Vec<_> =
        house.events(Some(AuditKind::CallAnswered)).await.iter().map(|event| event.outcome).collect();
    assert_eq!(outcomes.len(), 2);
}

async fn a_call_that_nobody_signed_hears_nothing_and_approves_nothing(house: House) {
    let (node, mut person) = (house.node().await, Person::new());
    let (page, rung) = call(&house, &node, &mut person).await;
    let forger = Operator::new(&node, &house.phones).forging();
    assert_eq!(forger.pick_up(&rung.address).await, None);
    assert_eq!(forger.press(&rung.address, "#").await, None);
    let operator = Operator::new(&node, &house.phones);
    let (start, ticket) = rung.address.rsplit_once('/').unwrap();
    for bad in
        ["", "x", &ticket[1..], &ticket.to_uppercase(), &"a".repeat(5000), rung.status.rsplit('/').next().unwrap()]
    {
        assert_eq!(operator.press(&format!("{start}/{bad}"), "#").await, None, "{bad}");
    }
    assert!(!state(&node, &person, &page).await.unwrap().approved);
}

async fn an_old_call_never_approves_a_new_challenge(house: House) {
    let (node, mut person) = (house.node().await, Person::new());
    let (page, old) = call(&house, &node, &mut person).await;
    house.clock.pass(Seconds::new(31));
    let calling = person.press(&node, &page, "call", &[]).await.page();
    assert_eq!(calling.view.state, "calling");
    house.deliver(&node).await;
    let new = house.phones.newest(NUMBER);
    assert_ne!(old.address, new.address);
    let operator = Operator::new(&node, &house.phones);
    assert!(operator.pick_up(&old.address).await.unwrap().contains("out of date"));
    assert!(operator.press(&old.address, "#").await.unwrap().contains("out of date"));
    assert!(!state(&node, &person, &calling).await.unwrap().approved);
    assert!(operator.press(&new.address, "#").await.unwrap().contains("complete"));
    assert!(state(&node, &person, &calling).await.unwrap().approved);
}

async fn a_call_is_out_of_date_when_its_code_is(house: House) {
    let (node, mut person) = (house.node().await, Person::new());
    let (page, rung) = call(&house, &node, &mut person).await;
    house.clock.pass(Seconds::minutes(5));
    let operator = Operator::new(&node, &house.phones);
    assert!(operator.press(&rung.address, "#").await.unwrap().contains("out of date"));
    assert!(state(&node, &person, &page).await.is_none_or(|state| !state.approved));
}

async fn the_digits_of_the_page_approve_a_call_and_three_wrong_answers_end_it(house: House) {
    let plan = || plan_with(&house, "\"press_hash\"", "\"keypad_match\"");
    let (here, there) = (house.node_with(plan()).await, house.node_with(plan()).await);
    let mut person = Person::new();
    let (page, rung) = call(&house, &here, &mut person).await;
    let digits = page.view.values["keypad_code"].clone();
    let operator = Operator::new(&there, &house.phones);
    let heard = operator.pick_up(&rung.address).await.unwrap();
    assert!(heard.contains("digits shown on your screen") && !heard.contains(&digits), "{heard}");
    let wrong: String = digits.chars().map(|digit| if digit == '9' { '0' } else { '9' }).collect();
    for keys in ["#", &wrong] {
        let heard = operator.press(&rung.address, keys).await.unwrap();
        assert!(heard.contains("not the digits") && heard.contains("<Gather"), "{heard}");
    }
    assert!(operator.press(&rung.address, &digits[1..]).await.unwrap().contains("too often"));
    assert!(operator.press(&rung.address, &digits).await.unwrap().contains("too often"), "the call is spent");
    assert!(!state(&here, &person, &page).await.unwrap().approved);
    house.clock.pass(Seconds::new(31));
    let again = person.press(&here, &page, "call", &[]).await.page();
    house.deliver(&here).await;
    let rung = house.phones.newest(NUMBER);
    assert!(operator.press(&rung.address, &again.view.values["keypad_code"]).await.unwrap().contains("complete"));
    assert!(state(&here, &person, &again).await.unwrap().approved);
}

async fn a_code_is_read_out_digit_by_digit_and_no_key_approves_it(house: House) {
    let node = house.node_with(plan_with(&house, "\"press_hash\"", "\"read_code\"")).await;
    let mut person = Person::new();
    let (page, rung) = call(&house, &node, &mut person).await;
    let operator = Operator::new(&node, &house.phones);
    let heard = operator.pick_up(&rung.address).await.unwrap();
    let read = heard.split("code is: ").nth(1).unwrap().split(".</Say>").next().unwrap();
    let code = read.replace(". ", "");
    assert!(code.len() == 6 && heard.matches(read).count() == 2, "{heard}");
    operator.press(&rung.address, "#").await.unwrap();
    assert!(!state(&node, &person, &page).await.unwrap().approved);
    assert!(is_past_phone(person.press(&node, &page, "verify", &[("code", &code)]).await));
}

async fn what_one_carrier_does_not_take_goes_to_the_other(house: House) {
    let (node, mut person) = (house.node().await, Person::new());
    house.phones.set_temper("main", Temper::RefusesForGood);
    text(&house, &node, &mut person).await;
    assert_eq!(house.phones.tries(), ["main", "spare"]);
    let message = house.outbox().await.remove(0);
    assert_eq!((message.state, message.carrier.as_deref()), (OutboxState::Delivered, Some("spare")));
    house.phones.set_temper("main", Temper::RefusesForNow);
    call(&house, &node, &mut Person::new()).await;
    assert_eq!(house.phones.tries(), ["main", "spare", "main", "spare"]);
}

async fn what_may_have_been_taken_goes_to_nobody_else(house: House) {
    let (node, mut person) = (house.node().await, Person::new());
    house.phones.set_temper("main", Temper::Hangs);
    let page = text(&house, &node, &mut person).await;
    house.clock.pass(Seconds::new(10));
    house.deliver(&node).await;
    assert_eq!(house.phones.tries(), ["main"]);
    assert_eq!(house.outbox().await.remove(0).state, OutboxState::Failed);
    assert!(!state(&node, &person, &page).await.unwrap().undeliverable, "it may have arrived");
}

async fn a_text_refused_for_now_is_tried_again_and_sent_once(house: House) {
    let (node, mut person) = (house.node().await, Person::new());
    house.phones.set_temper("main", Temper::RefusesForNow);
    house.phones.set_temper("spare", Temper::RefusesForGood);
    let page = text(&house, &node, &mut person).await;
    assert!(!state(&node, &person, &page).await.unwrap().undeliverable);
    for (pause, taken) in [(1, 0), (1, 1), (3, 0), (1, 1)] {
        house.clock.pass(Seconds::new(pause));
        assert_eq!(house.deliver(&node).await, taken, "pauses of 2 and 4 seconds");
    }
    house.phones.set_temper("main", Temper::Takes);
    house.clock.pass(Seconds::new(8));
    assert_eq!((house.deliver(&node).await, house.deliver(&node).await), (1, 0));
    assert_eq!(house.phones.taken().len(), 1);
    assert_eq!(house.outbox().await.remove(0).state, OutboxState::Delivered);
}

async fn a_text_refused_for_good_leaves_the_call_and_a_call_refused_too_ends_the_step(house: House) {
    let (node, mut person) = (house.node().await, Person::new());
    for carrier in ["main", "spare"] {
        house.phones.set_temper(carrier, Temper::RefusesForGood);
    }
    let page = text(&house, &node, &mut person).await;
    assert!(state(&node, &person, &page).await.unwrap().undeliverable);
    let told = person.press(&node, &page, "resend", &[]).await.page();
    assert_eq!((told.view.kind, told.view.notice.as_ref().unwrap().key), ("otp", "send_failed"));
    assert_eq!(house.deliver(&node).await, 0, "nothing more is sent");
    // A landline takes no texts, but it rings (R12).
    house.clock.pass(Seconds::new(30));
    let calling = person.press(&node, &told, "call", &[]).await.page();
    assert_eq!((calling.view.state, house.deliver(&node).await), ("calling", 1));
    assert!(state(&node, &person, &calling).await.unwrap().undeliverable);
    let stopped = person.press(&node, &calling, "continue", &[]).await.page();
    assert_eq!((stopped.view.kind, stopped.view.page.as_str()), ("stop", "registration_error"));
}

async fn a_text_that_the_carrier_lost_is_told_to_the_page(house: House) {
    let (node, mut person) = (house.node().await, Person::new());
    let page = text(&house, &node, &mut person).await;
    let operator = Operator::new(&node, &house.phones);
    assert!(operator.report(&house.phones.newest(NUMBER).status, "undelivered").await);
    assert!(state(&node, &person, &page).await.unwrap().undeliverable);
    let told = person.press(&node, &page, "continue", &[]).await.page();
    assert_eq!((told.view.page.as_str(), told.view.notice.as_ref().unwrap().key), ("phone_verify", "send_failed"));
}

async fn a_report_is_believed_with_its_signature_and_never_goes_back(house: House) {
    let (node, mut person) = (house.node().await, Person::new());
    text(&house, &node, &mut person).await;
    let status = house.phones.newest(NUMBER).status;
    let operator = Operator::new(&node, &house.phones);
    let before = house.events(Some(AuditKind::SendDelivered)).await.len();
    assert!(!Operator::new(&node, &house.phones).forging().report(&status, "delivered").await);
    let (start, _) = status.rsplit_once('/').unwrap();
    assert!(!operator.report(&format!("{start}/x"), "delivered").await);
    for report in ["sent", "delivered", "sent", "nonsense", "delivered"] {
        assert!(operator.report(&status, report).await, "{report}");
    }
    assert_eq!(house.outbox().await.remove(0).status.as_deref(), Some("delivered"));
    assert_eq!(house.events(Some(AuditKind::SendDelivered)).await.len(), before + 1, "told once");
}

async fn the_state_is_told_to_the_browser_of_the_flow_alone(house: House) {
    let (node, mut person) = (house.node().await, Person::new());
    let (page, rung) = call(&house, &node, &mut person).await;
    let first = state(&node, &person, &page).await.unwrap();
    assert_eq!(Some(first), state(&node, &person, &page).await, "asking changes nothing");
    Operator::new(&node, &house.phones).press(&rung.address, "#").await;
    let second = state(&node, &person, &page).await.unwrap();
    assert_eq!(second, FlowState { approved: true, ..first });
    assert_eq!(state(&node, &Person::new(), &page).await, None);
    let mut other = Person::new();
    walk_to_phone(&node, &mut other).await;
    assert_eq!(state(&node, &other, &page).await, None);
}

async fn numbers_of_other_countries_are_sent_nothing(house: House) {
    let telephone = |countries: &[&str]| Telephone {
        countries: countries.iter().map(ToString::to_string).collect(),
        ..house.plan().telephone
    };
    let german = house.node_with(NodePlan { telephone: telephone(&["DE"]), ..house.plan() }).await;
    let mut person = Person::new();
    let page = walk_to_phone(&german, &mut person).await;
    let refused = person.press(&german, &page, "send", &[]).await.page();
    assert_eq!(refused.view.page, "try_later");
    assert!(house.outbox().await.is_empty());
    // What was queued elsewhere, or before the list was shortened, is stopped at the very end.
    let (both, mut person) =
        (house.node_with(NodePlan { telephone: telephone(&["DE", "US"]), ..house.plan() }).await, Person::new());
    let page = walk_to_phone(&both, &mut person).await;
    person.press(&both, &page, "send", &[]).await.page();
    house.deliver(&german).await;
    assert!(house.phones.tries().is_empty());
    assert_eq!(house.outbox().await.remove(0).state, OutboxState::Failed);
}

async fn a_number_range_has_a_budget_over_all_its_numbers(house: House) {
    const OTHER: (&str, &str) = ("goose@example.com", "pond-lily-4471-honk");
    let telephone = Telephone { prefix_sends: 2, ..Telephone::default() };
    let node = house.node_with(NodePlan { telephone, ..house.plan() }).await;
    house.account(&node, OTHER, "+12025550001").await;
    for (who, is_sent) in [(DUCK, true), (OTHER, true), (OTHER, false), (DUCK, false)] {
        let mut person = Person::new();
        let sign_in = person.arrive(&node, "p=phone").await.page();
        let page = person.give_password(&node, &sign_in, who).await.page();
        let answer = person.press(&node, &page, "send", &[]).await.page();
        assert_eq!(answer.view.state == "sent", is_sent, "{}", answer.view.page);
    }
    assert_eq!(house.outbox().await.len(), 2);
    house.clock.pass(Seconds::hours(1));
}

async fn a_network_has_a_budget_over_all_numbers(house: House) {
    let address_limits = AddressLimits { sends: 1, ..house.plan().address_limits };
    let node = house.node_with(NodePlan { address_limits, ..house.plan() }).await;
    let first = Person::new();
    for is_sent in [true, false] {
        let mut person = Person { context: first.context.clone(), ..Person::new() };
        let page = walk_to_phone(&node, &mut person).await;
        let answer = person.press(&node, &page, "send", &[]).await.page();
        assert_eq!(answer.view.state == "sent", is_sent, "{}", answer.view.page);
    }
}
