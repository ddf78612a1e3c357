//! Every shipped policy under random inputs: nothing is issued without its facts, and nothing panics or grows.

use std::collections::BTreeSet;

use countersign_model::{Fact, FactSet, UserId};
use proptest::prelude::*;
use proptest::strategy::ValueTree;

use super::*;
use crate::language::Entry;
use crate::{Effect, Input, LinkState, Next, PageView, PolicySet, fact_set};

/// One post: what the page is there for with right answers, or noise.
#[derive(Clone, Debug)]
struct Move {
    natural: bool,
    right: bool,
    pick: prop::sample::Index,
    text: String,
    wait: i64,
}

fn any_move() -> impl Strategy<Value = Move> {
    let parts = (prop::bool::weighted(0.85), prop::bool::weighted(0.85), any::<prop::sample::Index>());
    (parts, any::<String>(), prop_oneof![8 => 0..2_000_i64, 2 => 30_000..40_000_i64, 1 => 0..400_000_i64])
        .prop_map(|((natural, right, pick), text, wait)| Move { natural, right, pick, text, wait })
}

/// What was really given, counted beside the machine: by whom and what.
#[derive(Default)]
struct Witness {
    given: BTreeSet<(UserId, Fact)>,
}

fn answer(driver: &Driver, page: &PageView, one: &Move) -> Input {
    let mut controls: Vec<&str> = page.controls.iter().map(|control| control.value).collect();
    controls.extend(page.options.iter().chain(&page.links).map(|option| option.id.as_str()));
    let forward = controls.iter().position(|control| {
        matches!(*control, "verify" | "login" | "next" | "set" | "accept" | "send") && page.kind != "stop"
    });
    let control = match (one.natural, forward) {
        (true, Some(at)) if one.right => controls[at],
        (true, _) if !controls.is_empty() => controls[one.pick.index(controls.len())],
        _ => one.text.as_str(),
    };
    let code = driver.needs(&Input::press("verify").with("code", "000000")).code_label.as_deref().map(digits);
    let mut input = Input::press(control);
    for field in &page.fields {
        let value = match field.name {
            _ if !one.right => one.text.as_str(),
            "email" | "confirm_email" if page.kind == "form" => "daisy@example.com",
            "email" => "hospital@example.com",
            "username" => "hospital",
            "password" => PASSWORD,
            "new_password" | "confirm_password" => "velvet tuba lagoon",
            "country" => "US",
            "phone_number" | "phone" | "fax" => "202 555 3661",
            "code" if page.kind == "recovery_code" => RECOVERY_CODE,
            "code" if page.kind.ends_with("totp") => "123456",
            "code" => code.as_deref().unwrap_or("000000"),
            "npi" => "1234567893",
            "registration_code" => "join-us",
            "state" => "MS",
            "zip" => "39201",
            _ => "on",
        };
        input = input.with(field.name, value);
    }
    if page.kind == "federate" && one.right {
        return Input { control: "federated".to_owned(), ..input };
    }
    if page.state == "calling" && one.right { Input { control: "continue".to_owned(), ..input } } else { input }
}

/// What an input proved, judged by the facts the service brought and not by the machine.
fn witness(driver: &Driver, page: &PageView, before: &crate::Instance, input: &Input) -> Option<(UserId, Fact)> {
    let needs = driver.needs(input);
    let facts = driver.clone_facts(&needs, input);
    let named = facts.account.as_ref().filter(|account| account.active).map(|account| account.user.clone());
    let own = before.account().cloned();
    let coded = needs.code_label.as_deref().map(digits);
    let same = coded.is_some() && input.fields.get("code") == coded.as_ref() && input.control == "verify";
    let sent = same && driver.sent.iter().any(|(_, code)| Some(code) == coded.as_ref());
    let called = facts.approved && needs.approval.is_some();
    match page.kind {
        "password" if facts.password == crate::Verdict::Right => Some((named?, Fact::Password)),
        "password" if facts.legacy == crate::Verdict::Right => Some((named?, Fact::Legacy)),
        "set_password" if needs.hash_password => Some((own?, Fact::Password)),
        "otp" | "bind_email" | "bind_phone" if sent || called => {
            let by_phone = page.values.contains_key("voice");
            Some((own.or(named)?, if by_phone { Fact::Phone } else { Fact::Mailbox }))
        }
        "totp" | "bind_totp" if facts.totp_step.is_some() => Some((own?, Fact::Totp)),
        "recovery_code" if facts.recovery_code.is_some() => Some((own?, Fact::RecoveryCode)),
        "passkey" | "bind_passkey" if facts.passkey.is_some() => Some((facts.passkey?.user, Fact::Passkey)),
        "federate" if facts.federated.is_some() => Some((facts.federated?.user, Fact::Federated)),
        "link" if needs.link => match facts.link {
            LinkState::Holds(user) => Some((user, Fact::Mailbox)),
            _ => None,
        },
        _ => None,
    }
}

fn start(set: &PolicySet, id: &str, phone: bool, incomplete: bool) -> Driver {
    let mut driver = Driver::new(set.clone());
    let account = &mut driver.accounts[0];
    account.username = Some("hospital".to_owned());
    account.phone = phone.then(|| PHONE.to_owned());
    (account.legacy, account.registration_incomplete, account.terms_due) = (incomplete, incomplete, incomplete);
    (account.totp, account.passkey) = (phone, true);
    driver.answers = true;
    driver.link = LinkState::Holds(user(1));
    driver.passkey = Some(crate::PasskeyProof { user: user(1), verified: true });
    driver.federated = Some(crate::Federated { user: user(1), is_new: false, auth_time: None });
    let entry = set.get(id).unwrap().entry.iter().copied().find(|entry| *entry != Entry::Switch).unwrap();
    driver.enter(id, entry);
    driver
}

/// The facts every account must have proven, conditions left aside.
fn least(set: &PolicySet, id: &str) -> FactSet {
    let mut entries = set.get(id).unwrap().require.iter().map(|entry| entry.factors);
    let first = entries.next().unwrap_or(FactSet::EMPTY);
    entries.fold(first, FactSet::intersection)
}

/// Walks and hands back who was issued for, checking everything on the way.
fn walk(set: &PolicySet, driver: &mut Driver, moves: &[Move]) -> Result<Option<String>, TestCaseError> {
    let mut seen = Witness::default();
    for one in moves {
        driver.wait(one.wait);
        let Ok(page) = crate::view(set, driver.instance(), driver.now) else { return Ok(None) };
        let input = answer(driver, &page, one);
        let before = driver.instance().clone();
        seen.given.extend(witness(driver, &page, &before, &input));
        let Ok(next) = driver.try_post(&input) else { continue };
        let size = postcard::to_stdvec(driver.instance()).unwrap().len();
        let bound = if driver.instance().typed.is_some() { 4_000 } else { 1_400 };
        prop_assert!(size <= bound, "{} bytes at {}", size, page.step);
        for effect in &driver.effects {
            let (Effect::SetPassword { user: changed, .. }
            | Effect::BindFactor { user: changed, .. }
            | Effect::CloseAccount { user: changed }) = effect
            else {
                continue;
            };
            prop_assert!(seen.given.iter().any(|(whose, _)| whose == changed), "{} changed unproven", changed);
        }
        if let Next::Issue(issued) = next {
            prop_assert!(fact_set(&issued.facts).is_superset(least(set, &issued.policy)));
            for proven in &issued.facts {
                let given = seen.given.contains(&(issued.user.clone(), proven.fact));
                prop_assert!(given, "{:?} of {} by {}", proven.fact, issued.policy, page.step);
            }
            return Ok(Some(issued.policy));
        }
    }
    Ok(None)
}

fn list_ids(set: &PolicySet) -> Vec<String> {
    let born = |policy: &&crate::Policy| policy.entry.iter().any(|entry| *entry != Entry::Switch);
    set.iter().filter(born).map(|policy| policy.id.clone()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_input_reaches_issue_of_a_shipped_policy_without_its_facts(
        which in any::<prop::sample::Index>(), phone in any::<bool>(), incomplete in any::<bool>(),
        moves in prop::collection::vec(any_move(), 1..30)
    ) {
        let set = all_shipped();
        let ids = list_ids(&set);
        let mut driver = start(&set, &ids[which.index(ids.len())], phone, incomplete);
        walk(&set, &mut driver, &moves)?;
    }

    #[test]
    fn begin_and_advance_are_total_on_every_shipped_policy(
        which in any::<prop::sample::Index>(), texts in prop::collection::vec(any::<String>(), 1..12)
    ) {
        let set = all_shipped();
        let policies: Vec<_> = set.iter().collect();
        let policy = policies[which.index(policies.len())];
        for entry in Entry::ALL {
            let facts = crate::Facts { login_hint: texts.first().cloned(), ..crate::Facts::default() };
            let _ = crate::begin_needs(&set, &policy.id, *entry);
            let Ok(mut advanced) = crate::begin(&set, &policy.id, *entry, &facts, START) else { continue };
            for (at, text) in texts.iter().enumerate() {
                let controls = ["continue", "verify", "send", "next", "set", "accept", "login", text.as_str()];
                let mut input = Input::press(controls[at % controls.len()]);
                for field in ["email", "code", "username", "phone_number", "new_password", "credential"] {
                    input = input.with(field, text);
                }
                let _ = crate::needs(&set, &advanced.instance, &input, START);
                if let Ok(next) = crate::advance(&set, &advanced.instance, &input, &facts, START) {
                    advanced = next;
                }
                let _ = crate::view(&set, &advanced.instance, START);
            }
        }
    }
}

#[test]
fn the_walk_does_reach_issue_of_nearly_every_policy() {
    let set = all_shipped();
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let strategy = prop::collection::vec(any_move(), 30);
    let mut issued = BTreeSet::new();
    for id in list_ids(&set) {
        for round in 0..240 {
            let moves = strategy.new_tree(&mut runner).unwrap().current();
            let mut driver = start(&set, &id, round % 2 == 0, round % 4 < 2);
            if walk(&set, &mut driver, &moves).unwrap().is_some() {
                issued.insert(id.clone());
                break;
            }
        }
    }
    let all: BTreeSet<String> = list_ids(&set).into_iter().filter(|id| set.get(id).unwrap().can_issue()).collect();
    let missed: Vec<&String> = all.difference(&issued).collect();
    assert!(missed.is_empty(), "never issued: {missed:?}");
}
