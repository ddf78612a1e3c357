//! What must hold for all inputs.

use std::collections::BTreeSet;

use countersign_model::{Fact, FactSet, Seconds, Timestamp, UserId};
use proptest::prelude::*;

use super::*;
use crate::facts::fact_set;
use crate::language::Entry;
use crate::{ChargeVerdict, Effect, Facts, Input, Instance, Next, PageView, Verdict, advance, begin, needs, view};

/// One post and everything the world answers to it.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is one coin tossed by the test")]
struct Move {
    control: String,
    email: String,
    password: String,
    /// 0: the code sent last, 1: the code `needs` asks for now, else these digits.
    code: u32,
    ticked: bool,
    verdict: u8,
    account: u8,
    phone: bool,
    active: bool,
    refuse: Option<u8>,
    leave_out_code: bool,
    wait: u32,
    totp: bool,
    restart: u8,
}

/// Stands for what the page is there for.
const NATURAL: &str = "\0natural";

fn natural(page: &PageView) -> &'static str {
    match (page.kind, page.state) {
        ("choice", _) => "email",
        ("password", _) => "login",
        ("otp", "unsent") => "send",
        ("otp", "sent") => "verify",
        _ => "continue",
    }
}

fn any_move() -> impl Strategy<Value = Move> {
    let control = prop_oneof![
        20 => Just(NATURAL.to_owned()),
        12 => prop::sample::select(vec![
            "login", "send", "resend", "verify", "continue", "cancel", "forgot", "change", "email", "phone", "return",
        ])
        .prop_map(str::to_owned),
        1 => any::<String>(),
    ];
    let email = prop_oneof![
        6 => Just("hospital@example.com".to_owned()),
        2 => Just("dduck@example.com".to_owned()),
        1 => any::<String>(),
    ];
    let password = prop_oneof![4 => Just(PASSWORD.to_owned()), 1 => any::<String>()];
    let code = prop_oneof![8 => Just(0_u32), 2 => Just(1_u32), 1 => any::<u32>()];
    let wait = prop_oneof![6 => 0..2_000_u32, 2 => 29_000..31_000_u32, 1 => 0..700_000_u32];
    let whose = prop_oneof![12 => Just(0_u8), 1 => Just(6_u8), 1 => Just(7_u8)];
    let world = (0..6_u8, whose, prop::bool::weighted(0.1), prop::bool::weighted(0.97));
    let faults = (prop::option::weighted(0.05, 0..3_u8), prop::bool::weighted(0.05), any::<bool>(), 0..40_u8);
    (control, email, password, code, wait, any::<bool>(), world, faults).prop_map(
        |(
            control,
            email,
            password,
            code,
            wait,
            ticked,
            (verdict, account, phone, active),
            (refuse, leave_out_code, totp, restart),
        )| Move {
            control,
            email,
            password,
            code,
            ticked,
            verdict,
            account,
            phone,
            active,
            refuse,
            leave_out_code,
            wait,
            totp,
            restart,
        },
    )
}

/// What really happened, counted beside the machine.
#[derive(Default)]
struct Witness {
    password: BTreeSet<UserId>,
    mailbox: BTreeSet<UserId>,
    last_code: Option<String>,
}

fn facts_for(one: &Move, needs: &crate::Needs) -> Facts {
    let mut found = account(if one.account < 6 { 1 } else { 2 }, if one.account < 6 { "hospital" } else { "dduck" });
    found.active = one.active;
    found.totp = one.totp;
    found.phone = one.phone.then(|| "+12025553661".to_owned());
    let mut charges: Vec<ChargeVerdict> = needs.charges.iter().map(|_| ChargeVerdict::Allowed).collect();
    if let Some(index) = one.refuse {
        let refused = ChargeVerdict::Refused { retry_after: Seconds::new(1) };
        charges.truncate(usize::from(index));
        charges.push(refused);
    }
    Facts {
        account: (one.account != 7).then_some(found),
        password: match one.verdict {
            0 => Verdict::NotAsked,
            1 => Verdict::Wrong,
            _ => Verdict::Right,
        },
        totp_step: one.totp.then_some(1),
        charges,
        code: needs.code_label.as_deref().map(digits).filter(|_| !one.leave_out_code),
        ..Facts::default()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn nothing_but_password_and_mailbox_of_one_account_reaches_issue_of_email(
        moves in prop::collection::vec(any_move(), 1..40), first in prop::sample::select(vec!["email", "login-options"])
    ) {
        let set = shipped();
        let mut now = START;
        let mut instance = begin(&set, first, Entry::Authorize, &Facts::default(), now).unwrap().instance;
        let mut witness = Witness::default();
        for one in &moves {
            now = Timestamp::from_millis(now.as_millis() + i64::from(one.wait));
            if one.restart == 0 {
                instance = begin(&set, first, Entry::Authorize, &Facts::default(), now).unwrap().instance;
                witness = Witness::default();
            }
            let page = view(&set, &instance, now).unwrap_or_default();
            let control = if one.control == NATURAL { natural(&page) } else { &one.control };
            let mut input = Input::press(control).with("email", &one.email).with("password", &one.password);
            if one.ticked {
                input = input.with("remember", "on").with("remember_customers", "on");
            }
            let probe = needs(&set, &instance, &Input::press("verify").with("code", "000000"), now);
            let code = match (one.code, &witness.last_code, &probe.code_label) {
                (0, Some(code), _) => code.clone(),
                (1, _, Some(label)) => digits(label),
                (other, ..) => format!("{:06}", other % 1_000_000),
            };
            let input = input.with("code", &code);
            let needs = needs(&set, &instance, &input, now);
            let facts = facts_for(one, &needs);
            let allowed = facts.charges.len() >= needs.charges.len()
                && facts.charges.iter().all(|verdict| *verdict == ChargeVerdict::Allowed);
            let active = facts.account.as_ref().filter(|account| account.active);
            if let (true, true, Verdict::Right, Some(account)) = (needs.verify_password, allowed, facts.password, active) {
                witness.password.insert(account.user.clone());
            }
            let came_back = facts.code.as_deref() == Some(code.as_str()) && witness.last_code.as_deref() == Some(code.as_str());
            if let (true, "verify", true, Some(account)) = (allowed, input.control.as_str(), came_back, active) {
                witness.mailbox.insert(account.user.clone());
            }
            let Ok(advanced) = advance(&set, &instance, &input, &facts, now) else { continue };
            for effect in &advanced.effects {
                if let Effect::Send { code, to, .. } = effect {
                    prop_assert!(to == "hospital@example.com" || to == "dduck@example.com");
                    witness.last_code.clone_from(code);
                }
            }
            if let Next::Issue(issued) = &advanced.next {
                prop_assert_eq!(issued.policy.as_str(), "email");
                let wanted = FactSet::EMPTY.with(Fact::Password).with(Fact::Mailbox);
                prop_assert!(fact_set(&issued.facts).is_superset(wanted));
                prop_assert!(witness.password.contains(&issued.user), "no password of {}", issued.user);
                prop_assert!(witness.mailbox.contains(&issued.user), "no mailbox of {}", issued.user);
                prop_assert!(issued.facts.iter().all(|proven| proven.at <= now && proven.at >= START));
                prop_assert!(!issued.amr.iter().any(|method| method == "mfa"));
            }
            let _ = view(&set, &advanced.instance, now);
            instance = advanced.instance;
        }
    }

    #[test]
    fn no_instance_and_no_input_makes_the_machine_panic(
        moves in prop::collection::vec(any_move(), 0..8),
        policy in prop::sample::select(vec!["email", "login-options", "totp", "lab"]),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        tail in prop::collection::vec(any::<u8>(), 0..4),
        now in any::<i64>(), last in any_move(),
        fields in prop::collection::btree_map(any::<String>(), any::<String>(), 0..4),
    ) {
        let set = shipped();
        let mut instance = begin(&set, policy, Entry::Authorize, &Facts::default(), START).unwrap().instance;
        for one in &moves {
            let input = Input::press(&one.control).with("email", &one.email).with("password", &one.password);
            let needs = needs(&set, &instance, &input, START);
            if let Ok(advanced) = advance(&set, &instance, &input, &facts_for(one, &needs), START) {
                instance = advanced.instance;
            }
        }
        let mut bytes = postcard::to_stdvec(&instance).unwrap();
        for (at, byte) in &damage {
            let at = at.index(bytes.len());
            bytes[at] = *byte;
        }
        bytes.extend(&tail);
        let Ok(instance) = postcard::from_bytes::<Instance>(&bytes) else { return Ok(()) };
        for now in [Timestamp::from_millis(now), START, START.plus(Seconds::new(30))] {
            for control in [last.control.as_str(), "login", "send", "verify", "continue", "cancel", "email"] {
                let input = Input { control: control.to_owned(), fields: fields.clone() };
                let input = input.with("email", &last.email).with("password", &last.password).with("code", "123456");
                let needs = needs(&set, &instance, &input, now);
                let facts = facts_for(&last, &needs);
                let advanced = advance(&set, &instance, &input, &facts, now);
                prop_assert_eq!(&advanced, &advance(&set, &instance, &input, &facts, now));
                if let Ok(advanced) = advanced {
                    let _ = view(&set, &advanced.instance, now);
                }
                let _ = view(&set, &instance, now);
                let _ = (instance.end(&set), instance.idle(&set));
            }
        }
    }

    #[test]
    fn no_bytes_decode_into_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let set = shipped();
        if let Ok(instance) = postcard::from_bytes::<Instance>(&bytes) {
            let input = Input::press("login");
            let _ = advance(&set, &instance, &input, &Facts::default(), START);
            let _ = view(&set, &instance, START);
        }
    }
}

#[test]
fn the_random_walk_does_reach_issue() {
    let mut driver = Driver::new(shipped());
    driver.begin("login-options");
    driver.press("email");
    driver.sign_in("hospital@example.com", PASSWORD);
    driver.press("send");
    let code = driver.last_code();
    driver.verify(&code);
    assert!(matches!(driver.press("continue"), Next::Issue(_)));
}
