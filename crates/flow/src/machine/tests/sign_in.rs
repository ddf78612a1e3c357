use countersign_model::{AuditKind, AuditOutcome, Fact, FactSet, Seconds};

use super::*;
use crate::language::{CountScope, Entry};
use crate::{
    AccountKey, BeginError, Effect, FlowError, Input, Instance, Next, PolicySet, Remembering, advance, begin, fact_set,
};

fn at_sign_in() -> Driver {
    let mut driver = Driver::new(shipped());
    assert_eq!(driver.begin("email"), Next::Page);
    driver
}

fn at_mailbox() -> Driver {
    let mut driver = at_sign_in();
    assert_eq!(driver.sign_in("hospital@example.com", PASSWORD), Next::Page);
    assert_eq!(driver.view().page, "email_verify");
    driver
}

#[test]
fn password_and_mailed_code_issue_without_mfa() {
    let mut driver = at_mailbox();
    driver.wait(1_000);
    driver.press("send");
    driver.wait(5_000);
    let code = driver.last_code();
    assert_eq!(driver.verify(&code), Next::Page);
    driver.wait(60_000);
    let Next::Issue(issued) = driver.press("continue") else { panic!() };
    assert_eq!(issued.user, user(1));
    assert_eq!(fact_set(&issued.facts), FactSet::EMPTY.with(Fact::Password).with(Fact::Mailbox));
    let times: Vec<i64> = issued.facts.iter().map(|proven| proven.at.millis_since(START)).collect();
    assert_eq!(times, [0, 6_000]);
    assert_eq!((issued.acr.as_str(), issued.policy.as_str()), ("urn:countersign:acr:password-email", "email"));
    assert_eq!(issued.amr, ["pwd"]);
    assert!(!issued.silent && issued.remember.is_none());
    assert_eq!(driver.try_post(&Input::press("continue")), Err(FlowError::Finished));
}

#[test]
fn sign_in_page_has_its_fields_box_and_controls() {
    let page = at_sign_in().view();
    assert_eq!((page.page.as_str(), page.kind, page.step.as_str()), ("sign_in", "password", "credentials"));
    let fields: Vec<_> = page.fields.iter().map(|field| (field.name, field.autocomplete, field.max_length)).collect();
    assert_eq!(fields, [("email", "username", 254), ("password", "current-password", 1024)]);
    assert_eq!(controls(&page), [("login", true), ("cancel", true)]);
    assert_eq!(page.boxes.len(), 1);
    assert_eq!((page.boxes[0].name.as_str(), page.boxes[0].checked), ("remember", false));
}

#[test]
fn forgot_is_shown_once_its_policy_exists() {
    let mut driver = at_sign_in();
    assert_eq!(driver.press("forgot"), Next::Page);
    assert_eq!(driver.view().policy, "email");
    driver.set = with_recovery();
    assert!(controls(&driver.view()).contains(&("forgot", true)));
    driver.post(&Input::press("forgot").with("email", "hospital@example.com"));
    assert_eq!(driver.view().policy, "forgot-password");
}

/// The shipped set and a recovery policy of one notice.
fn with_recovery() -> PolicySet {
    let recovery = read(
        r#"
        format = 1
        id = "forgot-password"
        purpose = "recover"
        entry = ["switch"]
        start = "hello"
        cancel = { to = "end" }
        [step]
        hello = { kind = "notice", on = { ok = "more" } }
        more = { kind = "notice", on = { ok = "again" } }
        again = { kind = "switch", to = "@email" }
        end = { kind = "stop", page = "none" }
        "#,
    );
    PolicySet::new([OPTIONS, EMAIL, TOTP, LAB].into_iter().map(read).chain([recovery]).collect())
}

#[test]
fn cancel_of_a_sub_flow_returns_to_the_page_that_called_it() {
    let mut driver = Driver::new(with_recovery());
    driver.begin("email");
    driver.post(&Input::press("forgot").with("email", "hospital@example.com"));
    driver.press("continue");
    assert_eq!(driver.view().step, "more");
    assert_eq!(driver.press("cancel"), Next::Page);
    let page = driver.view();
    assert_eq!((page.policy.as_str(), page.step.as_str()), ("email", "credentials"));
    assert_eq!(page.fields[0].value, "hospital@example.com");
    assert_eq!(driver.press("cancel"), Next::Return { error: "access_denied" });
}

#[test]
fn callers_nest_three_deep_and_no_deeper() {
    let mut driver = Driver::new(with_recovery());
    driver.begin("email");
    for _ in 0..4 {
        driver.press("forgot");
        driver.press("continue");
        driver.press("continue");
        assert_eq!(driver.view().policy, "email");
    }
    assert_eq!(driver.instance().callers.len(), 3);
    let mut presses = 0;
    while driver.press("cancel") == Next::Page {
        presses += 1;
    }
    assert_eq!(presses, 3);
}

#[test]
fn unknown_disabled_and_wrong_look_the_same() {
    let shown = |change: &dyn Fn(&mut Driver), password: &str| {
        let mut driver = at_sign_in();
        change(&mut driver);
        let next = driver.sign_in("hospital@example.com", password);
        (next, driver.instance().clone(), driver.view(), driver.counters)
    };
    let wrong = shown(&|_| {}, "guess");
    assert_eq!(wrong.2.notice.as_ref().map(|notice| notice.key), Some("wrong"));
    assert_eq!(wrong.2.fields[0].value, "hospital@example.com");
    assert_eq!(shown(&|driver| driver.accounts.clear(), "guess"), wrong);
    assert_eq!(shown(&|driver| driver.accounts[0].active = false, PASSWORD), wrong);
    assert_eq!(shown(&|driver| driver.accounts[0].has_password = false, PASSWORD), wrong);
}

#[test]
fn what_can_not_be_looked_at_costs_nothing() {
    let long = "p".repeat(1025);
    let cases = [
        ("", PASSWORD, "email_required"),
        ("nobody", PASSWORD, "email_invalid"),
        ("hospital@example.com", "", "password_required"),
        ("hospital@example.com", &long, "wrong"),
    ];
    for (email, password, notice) in cases {
        let mut driver = at_sign_in();
        let input = Input::press("login").with("email", email).with("password", password);
        assert_eq!(driver.needs(&input), crate::Needs::default());
        driver.post(&input);
        assert_eq!(driver.notice(), notice);
        assert!(driver.counters.is_empty());
    }
}

#[test]
fn a_try_is_charged_to_instance_and_identifier_before_it_is_compared() {
    let driver = at_sign_in();
    let input = Input::press("login").with("email", " Hospital@Example.com ").with("password", "x");
    let needs = driver.needs(&input);
    assert_eq!(needs.account, Some(AccountKey::Email("hospital@example.com".to_owned())));
    assert!(needs.verify_password);
    let [own, lock] = needs.charges.as_slice() else { panic!("{:?}", needs.charges) };
    assert_eq!(
        (own.scope, own.name.as_str(), own.subject.as_str()),
        (CountScope::Instance, "email/credentials/attempts", "")
    );
    assert_eq!((own.limit.allowed, own.limit.window), (10, Seconds::minutes(20)));
    assert_eq!(
        (lock.scope, lock.name.as_str(), lock.subject.as_str()),
        (CountScope::Identifier, "password/lock", "hospital@example.com")
    );
    let lock = lock.limit.lock.unwrap();
    assert_eq!((lock.r#for, lock.backoff, lock.max), (Seconds::minutes(1), 2, Seconds::hours(5)));
}

#[test]
fn the_eleventh_try_is_spent_and_its_stop_page_leads_back() {
    let mut driver = at_sign_in();
    for _ in 0..10 {
        assert_eq!(driver.sign_in("hospital@example.com", "guess"), Next::Page);
    }
    let stop = Next::Stop { page: "try_later".to_owned(), error: "access_denied" };
    assert_eq!(driver.sign_in("hospital@example.com", PASSWORD), stop);
    assert!(driver.effects.iter().any(|effect| matches!(effect, Effect::Audit { kind: AuditKind::LimitReached, .. })));
    let page = driver.view();
    assert_eq!((page.page.as_str(), page.kind, page.values["error"].as_str()), ("try_later", "stop", "access_denied"));
    assert_eq!(controls(&page), [("login", true), ("return", true)]);
    assert_eq!(driver.press("login"), Next::Restart);
    assert_eq!(driver.press("return"), Next::Return { error: "access_denied" });
}

#[test]
fn a_new_instance_does_not_reset_the_lock_and_a_right_password_does() {
    let mut driver = at_sign_in();
    for round in 0..10 {
        if round == 5 {
            driver.begin("email");
        }
        driver.sign_in("hospital@example.com", "guess");
    }
    driver.begin("email");
    assert!(matches!(driver.sign_in("hospital@example.com", PASSWORD), Next::Stop { .. }));
    driver.counters.clear();
    driver.begin("email");
    driver.sign_in("hospital@example.com", "guess");
    driver.sign_in("hospital@example.com", PASSWORD);
    assert!(!driver.counters.keys().any(|name| name.contains("password/lock")));
}

#[test]
fn a_missing_verdict_counts_as_refused() {
    let driver = at_sign_in();
    let input = Input::press("login").with("email", "hospital@example.com").with("password", PASSWORD);
    let facts = crate::Facts {
        account: Some(account(1, "hospital")),
        password: crate::Verdict::Right,
        charges: vec![crate::ChargeVerdict::Allowed],
        ..crate::Facts::default()
    };
    let advanced = advance(&driver.set, driver.instance(), &input, &facts, driver.now).unwrap();
    assert!(matches!(advanced.next, Next::Stop { .. }));
}

#[test]
fn a_failed_login_is_audited_with_its_reason_and_nothing_secret() {
    let mut driver = at_sign_in();
    driver.sign_in("hospital@example.com", "guess-4711");
    let Some(Effect::Audit { kind, outcome, subject, detail }) = driver.effects.last() else { panic!() };
    assert_eq!((*kind, *outcome), (AuditKind::Login, AuditOutcome::Failure));
    assert_eq!((subject, detail["reason"].as_str()), (&Some(user(1)), Some("wrong")));
    let shown = format!("{:?}", driver.effects);
    assert!(!shown.contains("guess-4711") && !shown.contains("hospital@"), "{shown}");
}

#[test]
fn the_box_of_the_sign_in_page_remembers_for_four_hours() {
    let mut driver = at_sign_in();
    let input = Input::press("login").with("email", "hospital@example.com").with("password", PASSWORD);
    driver.post(&input.with("remember", "on"));
    driver.press("send");
    let code = driver.last_code();
    driver.verify(&code);
    let Next::Issue(issued) = driver.press("continue") else { panic!() };
    let cookie = crate::language::CookieLife::Session;
    assert_eq!(issued.remember, Some(Remembering { r#for: Seconds::hours(4), cookie }));
}

#[test]
fn an_unticked_box_forgets_what_was_remembered() {
    let driver = at_mailbox();
    assert!(driver.effects.contains(&Effect::ForgetRemembered { policy: "email".to_owned() }));
}

#[test]
fn a_remembered_login_issues_silently_with_its_original_times() {
    let mut driver = Driver::new(shipped());
    let then = START.minus(Seconds::hours(3));
    driver.facts.remembered = vec![remembered("email", 1, &[Fact::Password, Fact::Mailbox], then)];
    let Next::Issue(issued) = driver.begin("email") else { panic!() };
    assert!(issued.silent && issued.remember.is_none());
    assert_eq!(issued.user, user(1));
    assert!(issued.facts.iter().all(|proven| proven.at == then));
}

#[test]
fn a_login_remembered_for_another_policy_or_with_too_little_does_not_count() {
    let enough = [Fact::Password, Fact::Mailbox];
    for known in [remembered("phone", 1, &enough, START), remembered("email", 1, &[Fact::Password], START)] {
        let mut driver = Driver::new(shipped());
        driver.facts.remembered = vec![known];
        assert_eq!(driver.begin("email"), Next::Page);
    }
}

#[test]
fn more_than_the_policy_is_demanded_and_never_issued() {
    let demanded = vec![FactSet::EMPTY.with(Fact::Password).with(Fact::Phone)];
    let mut driver = Driver::new(shipped());
    driver.facts.demanded = demanded;
    driver.facts.remembered = vec![remembered("email", 1, &[Fact::Password, Fact::Mailbox], START)];
    assert_eq!(driver.begin("email"), Next::Page);
    driver.sign_in("hospital@example.com", PASSWORD);
    driver.press("send");
    let code = driver.last_code();
    driver.verify(&code);
    assert_eq!(driver.press("continue"), Next::Return { error: "unmet_authentication_requirements" });
}

#[test]
fn one_of_several_demanded_alternatives_is_enough() {
    let mut driver = Driver::new(shipped());
    driver.facts.demanded = vec![FactSet::EMPTY.with(Fact::Totp), FactSet::EMPTY.with(Fact::Password)];
    driver.begin("lab");
    assert!(matches!(driver.sign_in("hospital@example.com", PASSWORD), Next::Issue(_)));
}

#[test]
fn who_has_a_phone_is_told_to_use_it() {
    let mut driver = at_sign_in();
    driver.accounts[0].phone = Some("+12025553661".to_owned());
    let next = driver.sign_in("hospital@example.com", PASSWORD);
    assert_eq!(next, Next::Stop { page: "use_phone".to_owned(), error: "access_denied" });
}

#[test]
fn who_has_a_phone_takes_the_password_along_once_there_is_a_phone_policy() {
    let text = TOTP.replace("id       = \"totp\"", "id = \"phone\"").replace("password-totp", "x");
    let set = PolicySet::new([OPTIONS, EMAIL].into_iter().map(read).chain([read(&text)]).collect());
    let mut driver = Driver::new(set);
    driver.accounts[0].phone = Some("+12025553661".to_owned());
    driver.accounts[0].totp = true;
    driver.begin("email");
    assert_eq!(driver.sign_in("hospital@example.com", PASSWORD), Next::Page);
    let page = driver.view();
    assert_eq!((page.policy.as_str(), page.step.as_str()), ("phone", "code"));
    let Next::Issue(issued) = driver.verify("123 456") else { panic!() };
    assert_eq!((issued.policy.as_str(), issued.amr.len()), ("phone", 3));
}

#[test]
fn an_account_without_a_mailbox_can_not_go_on() {
    let mut driver = at_sign_in();
    driver.accounts[0].mailbox = None;
    assert!(matches!(driver.sign_in("hospital@example.com", PASSWORD), Next::Stop { .. }));
}

#[test]
fn an_account_disabled_on_the_way_ends_the_flow() {
    for gone in [false, true] {
        let mut driver = at_mailbox();
        driver.accounts[0].active = false;
        if gone {
            driver.accounts.clear();
        }
        assert_eq!(driver.press("send"), Next::Return { error: "access_denied" });
        assert!(driver.sent.is_empty());
    }
}

#[test]
fn another_account_does_not_follow_on_one_that_is_proven() {
    let text = EMAIL.replace("on      = { ok = \"terms_due\", spent", "on      = { ok = \"credentials\", spent");
    let mut driver = Driver::new(PolicySet::new(vec![read(&text)]));
    driver.begin("email");
    driver.sign_in("hospital@example.com", PASSWORD);
    driver.press("send");
    let code = driver.last_code();
    driver.verify(&code);
    driver.press("continue");
    assert_eq!(driver.instance().facts().len(), 2);
    driver.sign_in("dduck@example.com", PASSWORD);
    assert_eq!(driver.instance().account(), Some(&user(1)));
    assert_eq!(driver.notice(), "wrong");
    driver.sign_in("hospital@example.com", PASSWORD);
    assert_eq!(driver.view().kind, "otp");
}

#[test]
fn lifetime_idle_and_advances_end_an_instance() {
    let minute = 60_000;
    let mut idle = at_sign_in();
    idle.wait(10 * minute - 1);
    idle.press("");
    idle.wait(10 * minute);
    assert_eq!(idle.try_post(&Input::press("")), Err(FlowError::Expired));
    assert_eq!(idle.view().values["ends_in"], "0");

    let mut old = at_sign_in();
    for _ in 0..4 {
        old.wait(5 * minute - 1);
        assert_eq!(old.press(""), Next::Page);
    }
    old.wait(4);
    assert_eq!(old.try_post(&Input::press("cancel")), Err(FlowError::Expired));

    let mut busy = at_sign_in();
    for _ in 0..60 {
        busy.press("");
    }
    assert_eq!(busy.try_post(&Input::press("")), Err(FlowError::Expired));
}

#[test]
fn begin_needs_a_policy_that_may_be_begun() {
    let set = with_recovery();
    let facts = crate::Facts::default();
    assert_eq!(begin(&set, "nowhere", Entry::Authorize, &facts, START), Err(BeginError::UnknownPolicy));
    assert_eq!(begin(&set, "forgot-password", Entry::Authorize, &facts, START), Err(BeginError::EntryRefused));
}

#[test]
fn a_login_hint_fills_in_the_address() {
    let mut driver = Driver::new(shipped());
    driver.facts.login_hint = Some(" Hospital@Example.com".to_owned());
    driver.begin("email");
    assert_eq!(driver.view().fields[0].value, "hospital@example.com");
}

#[test]
fn instances_finish_on_the_version_they_began_with_unless_it_says_otherwise() {
    let old = read(EMAIL);
    let newer =
        |on_edit: &str| read(&EMAIL.replace("on_edit  = \"pin\"", on_edit).replace("\"30s\", reuse", "\"60s\", reuse"));
    let mut driver = at_mailbox();
    driver.set = PolicySet::new(vec![newer("on_edit = \"pin\"")]).with_retired(old.clone());
    assert_eq!(driver.view().values["code_ttl"], "30");
    driver.set = PolicySet::new(vec![newer("on_edit = \"restart\"")]).with_retired(old);
    assert_eq!(driver.try_post(&Input::press("send")), Err(FlowError::PolicyGone));
    driver.set = PolicySet::new(Vec::new());
    assert_eq!(driver.try_post(&Input::press("send")), Err(FlowError::PolicyGone));
}

#[test]
fn lab_is_one_page_and_a_session_answers_for_it() {
    let mut driver = Driver::new(shipped());
    driver.begin("lab");
    assert!(driver.view().boxes.is_empty());
    let Next::Issue(issued) = driver.sign_in("hospital@example.com", PASSWORD) else { panic!() };
    assert_eq!(issued.acr, "urn:countersign:acr:password");
    driver.facts.remembered = vec![remembered("lab", 1, &[Fact::Password, Fact::Mailbox], START)];
    assert!(matches!(driver.begin("lab"), Next::Issue(issued) if issued.silent));
}

#[test]
fn an_authenticator_code_is_spent_when_it_is_right() {
    let mut driver = Driver::new(shipped());
    driver.accounts[0].totp = true;
    driver.begin("totp");
    driver.sign_in("hospital@example.com", PASSWORD);
    assert_eq!((driver.view().kind, driver.view().page.as_str()), ("totp", "totp"));
    for (code, notice) in [("", "code_required"), ("12345", "code_format"), ("654321", "wrong")] {
        assert_eq!(driver.verify(code), Next::Page);
        assert_eq!(driver.notice(), notice);
    }
    let Next::Issue(issued) = driver.verify("123456") else { panic!() };
    assert_eq!(issued.amr, ["pwd", "otp", "mfa"]);
    assert!(driver.effects.contains(&Effect::SpendTotpStep { user: user(1), step: 42 }));
}

#[test]
fn no_code_is_right_for_an_account_without_an_app() {
    let mut driver = Driver::new(shipped());
    driver.begin("totp");
    driver.sign_in("hospital@example.com", PASSWORD);
    assert_eq!(driver.verify("123456"), Next::Page);
    assert_eq!(driver.notice(), "wrong");
}

#[test]
fn an_instance_is_small_and_survives_postcard() {
    let mut driver = Driver::new(shipped());
    driver.accounts[0].email = Some("demohospital18@example.com".to_owned());
    driver.accounts[0].mailbox = Some("demohospital18@example.com".to_owned());
    driver.begin("login-options");
    driver.post(&Input::press("email").with("remember_customers", "on"));
    driver.sign_in("demohospital18@example.com", PASSWORD);
    driver.press("send");
    let bytes = postcard::to_stdvec(driver.instance()).unwrap();
    assert!(bytes.len() <= 200, "{} bytes", bytes.len());
    let back: Instance = postcard::from_bytes(&bytes).unwrap();
    assert!(back == *driver.instance());
}
