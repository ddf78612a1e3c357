use super::*;
use crate::language::CountScope;
use crate::{AccountKey, Effect, Input, Next, PolicySet};

fn at_mailbox(policy: &str) -> Driver {
    let mut driver = Driver::new(PolicySet::new(vec![read(policy)]));
    driver.begin("email");
    assert_eq!(driver.sign_in("hospital@example.com", PASSWORD), Next::Page);
    driver
}

fn sent() -> Driver {
    let mut driver = at_mailbox(EMAIL);
    assert_eq!(driver.press("send"), Next::Page);
    driver
}

fn wrong_code(driver: &Driver) -> &'static str {
    if driver.last_code() == "000000" { "000001" } else { "000000" }
}

#[test]
fn the_page_goes_from_unsent_over_sent_to_verified() {
    let mut driver = at_mailbox(EMAIL);
    let page = driver.view();
    assert_eq!((page.state, page.values["masked"].as_str()), ("unsent", "h*****@example.com"));
    assert_eq!(controls(&page), [("send", true), ("continue", false), ("cancel", true)]);
    assert!(page.fields.is_empty());

    driver.press("send");
    assert_eq!(driver.sent, [("hospital@example.com".to_owned(), driver.last_code())]);
    driver.wait(12_500);
    let page = driver.view();
    assert_eq!((page.state, driver.notice()), ("sent", "sent"));
    assert_eq!((page.values["resend_in"].as_str(), page.values["code_left"].as_str()), ("18", "18"));
    assert_eq!(controls(&page), [("verify", true), ("resend", false), ("continue", false), ("cancel", true)]);
    assert_eq!((page.fields[0].name, page.fields[0].autocomplete), ("code", "one-time-code"));

    let code = driver.last_code();
    driver.verify(&code);
    let page = driver.view();
    assert_eq!((page.state, driver.notice()), ("verified", "verified"));
    assert_eq!(controls(&page), [("continue", true), ("cancel", true)]);
    assert!(matches!(driver.press("continue"), Next::Issue(_)));
}

#[test]
fn continue_before_the_proof_changes_nothing() {
    let mut driver = sent();
    assert_eq!(driver.press("continue"), Next::Page);
    assert_eq!(driver.view().state, "sent");
    let mut unsent = at_mailbox(EMAIL);
    assert_eq!(unsent.press("continue"), Next::Page);
    assert_eq!(unsent.verify("123456"), Next::Page);
    assert_eq!(unsent.view().state, "unsent");
}

#[test]
fn a_code_lives_to_the_last_millisecond_and_no_longer() {
    let mut driver = sent();
    driver.wait(29_999);
    let code = driver.last_code();
    driver.verify(&code);
    assert_eq!(driver.notice(), "verified");

    let mut late = sent();
    late.wait(30_000);
    let code = late.last_code();
    late.verify(&code);
    assert_eq!((late.notice(), late.view().state), ("expired", "sent"));
    assert_eq!(late.view().values["code_left"], "0");
}

#[test]
fn an_expired_code_is_not_looked_at_and_not_charged() {
    let mut driver = sent();
    driver.wait(30_000);
    let input = Input::press("verify").with("code", "123456");
    let needs = driver.needs(&input);
    assert!(needs.charges.is_empty() && needs.code_label.is_none());
}

#[test]
fn spaces_in_a_code_do_not_matter() {
    let mut driver = sent();
    let code = driver.last_code();
    driver.verify(&format!(" {} {} ", &code[..3], &code[3..]));
    assert_eq!(driver.notice(), "verified");
}

#[test]
fn what_is_no_code_is_not_charged() {
    for (typed, notice) in [("", "code_required"), ("12345", "code_format"), ("12345a", "code_format")] {
        let mut driver = sent();
        let before = driver.counters.clone();
        driver.verify(typed);
        assert_eq!((driver.notice(), driver.counters), (notice, before));
    }
}

#[test]
fn five_wrong_codes_are_looked_at_and_the_sixth_is_spent() {
    let mut driver = sent();
    let wrong = wrong_code(&driver);
    for _ in 0..5 {
        assert_eq!(driver.verify(wrong), Next::Page);
        assert_eq!(driver.notice(), "wrong");
    }
    let right = driver.last_code();
    assert_eq!(driver.verify(&right), Next::Stop { page: "try_later".to_owned(), error: "access_denied" });
}

#[test]
fn a_try_at_a_code_is_charged_to_instance_and_account() {
    let driver = sent();
    let needs = driver.needs(&Input::press("verify").with("code", "123456"));
    let charged: Vec<_> =
        needs.charges.iter().map(|charge| (charge.scope, charge.name.as_str(), charge.subject.as_str())).collect();
    let id = user(1).to_string();
    assert_eq!(
        charged,
        [(CountScope::Instance, "email/mailbox/attempts", ""), (CountScope::Account, "otp/lock", id.as_str())]
    );
    assert_eq!((needs.account, needs.code_digits), (Some(AccountKey::Id(user(1))), 6));
}

#[test]
fn a_send_is_charged_to_instance_and_mailbox_whatever_the_policy() {
    let driver = at_mailbox(EMAIL);
    let needs = driver.needs(&Input::press("send"));
    let charged: Vec<_> =
        needs.charges.iter().map(|charge| (charge.scope, charge.name.as_str(), charge.limit.allowed)).collect();
    assert_eq!(charged, [(CountScope::Instance, "email/mailbox/sends", 10), (CountScope::Target, "send/email", 30)]);
    assert_eq!(needs.charges[1].subject, "hospital@example.com");
}

#[test]
fn sends_past_the_limit_are_spent() {
    let text = EMAIL.replace("sends = 10", "sends = 2");
    let mut driver = at_mailbox(&text);
    driver.press("send");
    driver.wait(30_000);
    driver.press("resend");
    driver.wait(30_000);
    assert!(matches!(driver.press("resend"), Next::Stop { .. }));
    assert_eq!(driver.sent.len(), 2);
}

#[test]
fn the_mailbox_budget_holds_over_instances() {
    let text = EMAIL.replace("sends = 30", "sends = 1");
    let mut driver = at_mailbox(&text);
    driver.press("send");
    driver.begin("email");
    driver.sign_in("hospital@example.com", PASSWORD);
    assert!(matches!(driver.press("send"), Next::Stop { .. }));
}

#[test]
fn too_early_a_resend_sends_and_costs_nothing() {
    let mut driver = sent();
    driver.wait(29_999);
    assert!(driver.needs(&Input::press("resend")).charges.is_empty());
    driver.press("resend");
    assert_eq!((driver.notice(), driver.sent.len()), ("resend_wait", 1));
}

#[test]
fn an_expired_code_is_replaced_by_a_new_one() {
    let mut driver = sent();
    let first = driver.last_code();
    driver.wait(30_000);
    driver.press("resend");
    assert_eq!((driver.notice(), driver.sent.len()), ("resent", 2));
    let second = driver.last_code();
    assert_ne!(first, second);
    driver.verify(&first);
    assert_eq!(driver.notice(), "wrong");
    driver.verify(&second);
    assert_eq!(driver.notice(), "verified");
}

#[test]
fn a_living_code_is_sent_again_and_lives_no_longer_for_it() {
    let text = EMAIL.replace("ttl = \"30s\"", "ttl = \"5m\"");
    let mut driver = at_mailbox(&text);
    driver.press("send");
    driver.wait(31_000);
    let label = driver.needs(&Input::press("resend")).code_label;
    driver.press("resend");
    assert_eq!(driver.sent[0], driver.sent[1]);
    assert_eq!(driver.needs(&Input::press("verify").with("code", "123456")).code_label, label);
    assert_eq!(driver.view().values["code_left"], "269");
    assert_eq!(driver.view().values["resend_in"], "30");
}

#[test]
fn a_policy_may_want_a_new_code_for_every_send() {
    let text = EMAIL.replace("ttl = \"30s\", reuse_on_resend = true", "ttl = \"5m\", reuse_on_resend = false");
    let mut driver = at_mailbox(&text);
    driver.press("send");
    driver.wait(31_000);
    driver.press("resend");
    assert_ne!(driver.sent[0].1, driver.sent[1].1);
    assert_eq!(driver.view().values["code_left"], "300");
}

#[test]
fn labels_name_the_visit_and_the_challenge_and_sends_their_number() {
    let mut driver = sent();
    let label_of = |driver: &Driver| match driver.effects.first() {
        Some(Effect::Send { label, template, expires_at, .. }) => (label.clone(), template.clone(), *expires_at),
        other => panic!("{other:?}"),
    };
    let (label, template, expires_at) = label_of(&driver);
    assert_eq!((label.as_str(), template.as_str()), ("email/mailbox/2/1/1", "verification_code"));
    assert_eq!(expires_at.millis_since(START), 30_000);
    driver.wait(30_000);
    driver.press("resend");
    assert_eq!(label_of(&driver).0, "email/mailbox/2/2/1");
}

#[test]
fn without_confirm_the_right_code_goes_on_at_once() {
    let text = EMAIL.replace("confirm = true ", "confirm = false");
    let mut driver = at_mailbox(&text);
    assert_eq!(controls(&driver.view()), [("send", true), ("cancel", true)]);
    driver.press("send");
    let code = driver.last_code();
    assert!(matches!(driver.verify(&code), Next::Issue(_)));
}

#[test]
fn a_verified_page_outlives_its_code_and_sends_no_other() {
    let mut driver = sent();
    let code = driver.last_code();
    driver.verify(&code);
    driver.wait(120_000);
    driver.press("resend");
    driver.verify("000000");
    assert_eq!((driver.sent.len(), driver.view().state), (1, "verified"));
    assert!(matches!(driver.press("continue"), Next::Issue(_)));
}

#[test]
fn a_mailbox_changed_on_the_way_gets_nothing() {
    let mut driver = at_mailbox(EMAIL);
    driver.accounts[0].mailbox = Some("other@example.com".to_owned());
    assert!(matches!(driver.press("send"), Next::Stop { .. }));
    assert!(driver.sent.is_empty());
}
