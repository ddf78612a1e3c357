use countersign_model::{Fact, Seconds};

use super::*;
use crate::{Effect, Input, Next, RememberedFacts};

fn at(policy: &str) -> Driver {
    let mut driver = Driver::new(all_shipped());
    driver.facts.subject = Some(user(1));
    driver.begin(policy);
    driver.sign_in("hospital@example.com", PASSWORD);
    driver
}

fn past_mailbox(policy: &str) -> Driver {
    let mut driver = at(policy);
    driver.press("send");
    let code = driver.last_code();
    driver.verify(&code);
    driver
}

#[test]
fn another_persons_password_counts_as_wrong_on_the_account_page() {
    let mut driver = Driver::new(all_shipped());
    driver.facts.subject = Some(user(2));
    driver.begin("change-password");
    driver.sign_in("hospital@example.com", PASSWORD);
    assert_eq!(driver.notice(), "wrong");
}

#[test]
fn an_authenticator_app_is_bound_and_recovery_codes_are_shown_once() {
    let mut driver = past_mailbox("totp-enrol");
    let label = driver.view().asks.totp_seed.unwrap();
    let needs = driver.needs(&Input::press("verify").with("code", "123456"));
    assert_eq!(needs.enrol_totp, Some(label.clone()));
    driver.verify("123456");
    let bound = |effect: &Effect| matches!(effect, Effect::BindFactor { binding: crate::Binding::Totp { label: seed, step: 42 }, .. } if *seed == label);
    assert!(driver.did(bound));
    assert_eq!(driver.told(), ["factor_added"]);
    let shown = driver.view().asks.recovery_codes.unwrap();
    assert!(driver.did(|effect| matches!(effect, Effect::ReplaceRecoveryCodes { label, .. } if *label == shown)));
    let Next::Issue(issued) = driver.press("continue") else { panic!() };
    assert_eq!(issued.acr, "urn:countersign:acr:password-totp");
    assert!(!driver.did(|effect| matches!(effect, Effect::CompleteRegistration { .. })));
}

#[test]
fn a_new_address_is_bound_once_it_is_proven_and_the_old_one_is_told() {
    let mut driver = past_mailbox("change-email");
    driver.post(&Input::press("send").with("email", "new@example.com"));
    assert_eq!(driver.view().values["address"], "new@example.com");
    let code = driver.last_code();
    driver.verify(&code);
    assert!(matches!(driver.press("continue"), Next::Issue(_)));
    assert_eq!(driver.told(), ["email_changed"]);
    assert_eq!(driver.accounts[0].mailbox.as_deref(), Some("new@example.com"));
}

#[test]
fn an_address_that_somebody_has_is_never_bound_and_its_owner_is_told() {
    let mut driver = past_mailbox("change-email");
    driver.post(&Input::press("send").with("email", "dduck@example.com"));
    assert_eq!((driver.notice(), driver.view().state), ("sent", "sent"));
    assert!(driver.did(|effect| matches!(effect, Effect::Pretend { .. })));
    assert!(driver.did(|effect| matches!(effect, Effect::Warn { to, .. } if to == "dduck@example.com")));
    let label = driver.needs(&Input::press("verify").with("code", "123456")).code_label.unwrap();
    driver.verify(&digits(&label));
    assert_eq!(driver.notice(), "wrong");
}

#[test]
fn a_closed_account_is_at_an_end() {
    let mut driver = past_mailbox("close-account");
    assert_eq!(driver.view().page, "confirm_close");
    let next = driver.press("continue");
    assert!(matches!(next, Next::Stop { page, .. } if page == "account_closed"));
    assert!(driver.did(|effect| matches!(effect, Effect::CloseAccount { .. })));
}

#[test]
fn a_recovery_code_counts_once_and_is_read_without_hyphens() {
    let mut driver = Driver::new(all_shipped());
    driver.begin("recovery-codes");
    driver.sign_in("hospital@example.com", PASSWORD);
    driver.verify("ABCD-9999");
    assert_eq!(driver.notice(), "wrong");
    let Next::Issue(issued) = driver.verify(" ABCD-1234 ") else { panic!() };
    assert_eq!(issued.amr, ["pwd"]);
    assert!(driver.did(|effect| matches!(effect, Effect::SpendRecoveryCode { .. })));
}

#[test]
fn a_step_up_keeps_what_the_session_proved_with_its_times_and_asks_for_the_rest() {
    let mut driver = Driver::new(all_shipped());
    driver.accounts[0].totp = true;
    let then = START.minus(Seconds::hours(1));
    driver.facts.session =
        Some(RememberedFacts { policy: String::new(), ..remembered("", 1, &[Fact::Password], then) });
    driver.begin("step-up-totp");
    assert_eq!(driver.view().page, "totp");
    let Next::Issue(issued) = driver.verify("123456") else { panic!() };
    let times: Vec<_> = issued.facts.iter().map(|proven| proven.at).collect();
    assert_eq!(times, [then, START]);
    assert_eq!(issued.auth_time, then, "a new code makes an old password no younger");
    assert!(!issued.silent);

    let mut other = Driver::new(all_shipped());
    other.facts.session = Some(remembered("", 1, &[Fact::Federated], then));
    other.begin("step-up-totp");
    assert_eq!(other.view().page, "sign_in", "a session without a password is asked for it");
}

#[test]
fn a_step_up_takes_over_no_more_of_a_session_than_it_requires() {
    let mut driver = Driver::new(all_shipped());
    driver.accounts[0].totp = true;
    let then = START.minus(Seconds::hours(11));
    driver.facts.session = Some(remembered("", 1, &[Fact::Password, Fact::Phone, Fact::Mailbox], then));
    driver.begin("step-up-totp");
    let Next::Issue(issued) = driver.verify("123456") else { panic!() };
    let facts: Vec<_> = issued.facts.iter().map(|proven| proven.fact).collect();
    assert_eq!(facts, [Fact::Password, Fact::Totp]);
    assert_eq!(issued.amr, ["pwd", "otp", "mfa"]);

    // What the client demands beyond the policy is taken over, too.
    driver.facts.demanded = vec![[Fact::Password, Fact::Totp, Fact::Phone].into_iter().collect()];
    driver.begin("step-up-totp");
    let Next::Issue(issued) = driver.verify("123456") else { panic!() };
    assert_eq!((issued.facts.len(), issued.auth_time), (3, then));
}

#[test]
fn a_login_that_asked_everything_anew_is_as_young_as_its_end() {
    let mut driver = Driver::new(all_shipped());
    driver.accounts[0].totp = true;
    driver.begin("step-up-totp");
    driver.sign_in("hospital@example.com", PASSWORD);
    driver.wait(90_000);
    let Next::Issue(issued) = driver.verify("123456") else { panic!() };
    assert_eq!(issued.auth_time, driver.now);
}

#[test]
fn new_recovery_codes_and_a_closed_account_are_told() {
    let driver = past_mailbox("recovery-codes-enrol");
    assert!(driver.did(|effect| matches!(effect, Effect::ReplaceRecoveryCodes { .. })));
    assert_eq!(driver.told(), ["factor_added"]);
    let mut driver = past_mailbox("close-account");
    driver.press("continue");
    assert_eq!(driver.told(), ["account_closed"]);
    let told = driver.effects.iter().position(|effect| matches!(effect, Effect::Notify { .. }));
    let closed = driver.effects.iter().position(|effect| matches!(effect, Effect::CloseAccount { .. }));
    assert!(told < closed, "before its mailbox is forgotten");
}

#[test]
fn who_types_an_address_is_told_nothing_of_its_having_an_owner() {
    let mut driver = past_mailbox("change-email");
    driver.post(&Input::press("send").with("email", "dduck@example.com"));
    assert!(driver.told().is_empty());
    let mailed: Vec<_> = driver
        .effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Warn { to, .. } | Effect::Send { to, .. } => Some(to.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(mailed, ["dduck@example.com"]);
}
