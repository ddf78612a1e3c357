//! An address in a mail domain of an upstream provider leads there.

use countersign_model::{Fact, Seconds};

use super::*;
use crate::language::Entry;
use crate::{AccountFacts, Effect, Federated, Input, LinkState, Next, PolicySet, fact_set};

/// The provider whose people have addresses in `corp.example.com`.
fn with_corporate(set: PolicySet) -> Driver {
    let mut driver = Driver::new(set);
    driver.facts.upstream_domains.insert("corporate".to_owned(), vec!["corp.example.com".to_owned()]);
    driver
}

fn at_sign_in(policy: &str) -> Driver {
    let mut driver = with_corporate(all_shipped());
    assert_eq!(driver.begin(policy), Next::Page);
    driver
}

fn corporate() -> Next {
    Next::Federate { provider: "corporate".to_owned() }
}

#[test]
fn a_federated_address_leads_upstream_and_its_password_counts_for_nothing() {
    for (policy, fields) in [
        ("email", [("email", " Nurse@Corp.Example.com"), ("password", PASSWORD)].as_slice()),
        ("email", &[("email", "nurse@corp.example.com")]),
        ("phone", &[("email", "nurse@corp.example.com"), ("password", "wrong")]),
    ] {
        let mut driver = at_sign_in(policy);
        // That there is such an account, and that its password is right, changes nothing.
        driver.accounts.push(AccountFacts { email: Some("nurse@corp.example.com".to_owned()), ..account(3, "x") });
        let input = fields.iter().fold(Input::press("login"), |input, (name, value)| input.with(name, value));
        assert_eq!(driver.post(&input), corporate(), "{policy} {fields:?}");
        assert_eq!(driver.view().policy, "employees");
        let instance = driver.instance();
        assert!(instance.facts().is_empty() && instance.account().is_none());
        assert_eq!(instance.identifier(), Some("nurse@corp.example.com"));
        driver.federated = Some(Federated { user: user(5), is_new: true, auth_time: None });
        let Next::Issue(issued) = driver.press("federated") else { panic!("not issued") };
        assert_eq!((issued.user, fact_set(&issued.facts).iter().collect()), (user(5), vec![Fact::Federated]));
    }
}

#[test]
fn forgot_password_leads_there_too_and_mails_nothing() {
    let mut driver = at_sign_in("forgot-password");
    driver.accounts.push(AccountFacts {
        email: Some("nurse@corp.example.com".to_owned()),
        mailbox: Some("nurse@corp.example.com".to_owned()),
        ..account(3, "x")
    });
    assert_eq!(driver.post(&Input::press("send").with("email", "nurse@corp.example.com")), corporate());
    assert!(driver.sent.is_empty() && !driver.did(|effect| matches!(effect, Effect::Pretend { .. })));
    // A sub-flow of another purpose: `< Cancel` returns to the page it was called from.
    driver.press("cancel");
    assert_eq!(driver.view().step, "address");
}

#[test]
fn every_other_address_is_asked_for_its_password_here() {
    for address in
        ["hospital@example.com", "a@sub.corp.example.com", "a@corp.example.com.evil.example", "nobody@example.com"]
    {
        let mut driver = at_sign_in("email");
        driver.sign_in(address, "wrong");
        assert_eq!((driver.view().page.as_str(), driver.notice()), ("sign_in", "wrong"), "{address}");
    }
}

#[test]
fn a_spent_limit_keeps_nobody_from_their_provider() {
    let mut driver = at_sign_in("email");
    for _ in 0..30 {
        driver.sign_in("hospital@example.com", "wrong");
        driver.begin("email");
    }
    for _ in 0..30 {
        driver.begin("email");
        assert_eq!(driver.sign_in("nurse@corp.example.com", "wrong"), corporate());
    }
}

#[test]
fn without_the_policy_or_the_route_the_password_is_asked_for() {
    let alone = with_corporate(shipped());
    let unrouted = EMAIL.replace(", upstream = { to = \"@employees\", optional = true }", "");
    let rest = list_shipped().into_iter().filter(|policy| policy.id != "email");
    let without = with_corporate(PolicySet::new(rest.chain([read(&unrouted)]).collect()));
    for mut driver in [alone, without] {
        driver.begin("email");
        assert_eq!(driver.sign_in("nurse@corp.example.com", "wrong"), Next::Page);
        assert_eq!((driver.view().page.as_str(), driver.notice()), ("sign_in", "wrong"));
    }
}

#[test]
fn who_is_remembered_upstream_does_not_answer_for_the_typed_address() {
    let mut driver = at_sign_in("email");
    driver.facts.remembered.push(remembered("employees", 4, &[Fact::Federated], START));
    let ticked = Input::press("login").with("email", "nurse@corp.example.com").with("remember", "on");
    assert_eq!(driver.post(&ticked), corporate());
    assert!(!driver.did(|effect| matches!(effect, Effect::ForgetRemembered { .. })));
    driver.federated = Some(Federated { user: user(5), is_new: false, auth_time: None });
    driver.accounts.push(account(5, "nurse"));
    let Next::Issue(issued) = driver.press("federated") else { panic!("not issued") };
    assert_eq!(issued.remember.map(|remember| remember.r#for), Some(Seconds::hours(4)));

    // Unticked, what this browser remembers of that login is forgotten (R47).
    driver.begin("email");
    driver.sign_in("nurse@corp.example.com", "");
    assert!(driver.did(|effect| matches!(effect, Effect::ForgetRemembered { policy } if policy == "employees")));
}

/// Two providers: the way of each is told by the guard.
fn two_providers() -> PolicySet {
    let partner = r#"
        format = 1
        id = "partner"
        purpose = "login"
        entry = ["authorize", "switch"]
        start = "there"
        cancel = { to = "end" }
        acr = "urn:x:partner"
        require = [{ factors = ["federated"] }]
        [step]
        there = { kind = "federate", page = "federation", provider = "partner", on = { ok = "issue", declined = "end" } }
        issue = { kind = "issue" }
        end = { kind = "stop", page = "federation_refused" }
    "#;
    let home = r#"home = { kind = "branch", when = [{ if = "address.of:corporate", then = "to_employees" }, { if = "address.of:partner", then = "to_partner" }], else = "credentials" }
to_employees = { kind = "switch", to = "@employees" }
to_partner = { kind = "switch", to = "@partner" }
terms_due  ="#;
    let email = EMAIL.replace("upstream = { to = \"@employees\", optional = true }", "upstream = \"home\"");
    let email = email.replacen("terms_due  =", home, 1).replace(
        "remembered = { kind = \"branch\", when = [{ if = \"session.remembered\", then = \"issue\" }], else = \"credentials\" }",
        "remembered = { kind = \"branch\", when = [{ if = \"session.remembered\", then = \"issue\" }, { if = \"address.of:partner\", then = \"to_partner\" }], else = \"credentials\" }",
    );
    let rest = list_shipped().into_iter().filter(|policy| policy.id != "email");
    PolicySet::new(rest.chain([read(&email), read(partner)]).collect())
}

#[test]
fn two_providers_are_told_apart_by_the_guard() {
    let mut driver = with_corporate(two_providers());
    driver.facts.upstream_domains.insert("partner".to_owned(), vec!["partner.example".to_owned()]);
    driver.facts.upstream_domains.insert("unused".to_owned(), vec!["unused.example".to_owned()]);
    for (address, provider) in [("a@corp.example.com", "corporate"), ("a@partner.example", "partner")] {
        driver.begin("email");
        assert_eq!(driver.sign_in(address, ""), Next::Federate { provider: provider.to_owned() });
    }
    // A provider that no way leads to: the password is asked for here.
    driver.begin("email");
    assert_eq!(driver.sign_in("a@unused.example", "wrong"), Next::Page);
    // What the request suggests counts as typed.
    driver.facts.login_hint = Some("A@Partner.example".to_owned());
    assert_eq!(driver.begin("email"), Next::Federate { provider: "partner".to_owned() });
}

#[test]
fn a_mailed_link_to_a_federated_address_leads_there_and_stays_unspent() {
    for policy in ["invitation", "registration-link"] {
        follow_link_upstream(policy);
    }
}

fn follow_link_upstream(policy: &str) {
    let mut driver = with_corporate(all_shipped());
    let email = Some("nurse@corp.example.com".to_owned());
    let invited = AccountFacts { email, mailbox: None, has_password: false, ..account(3, "x") };
    driver.accounts.push(AccountFacts { registration_incomplete: true, ..invited });
    driver.enter(policy, Entry::Link);
    for over in [LinkState::Expired, LinkState::Used, LinkState::Unknown] {
        let mut late = with_corporate(all_shipped());
        late.enter(policy, Entry::Link);
        late.link = over;
        assert!(matches!(late.press("continue"), Next::Stop { page, .. } if page == "link_expired"));
    }
    driver.link = LinkState::Holds(user(3));
    assert_eq!(driver.press("continue"), corporate(), "{policy}");
    assert!(!driver.did(|effect| matches!(effect, Effect::ConsumeLink | Effect::BindFactor { .. })));
    assert!(driver.instance().facts().is_empty() && driver.instance().account().is_none());
    assert_eq!(
        (driver.view().policy.as_str(), driver.instance().identifier()),
        ("employees", Some("nurse@corp.example.com"))
    );
    // `< Cancel` returns to the link's page, which still holds.
    driver.press("cancel");
    assert_eq!(driver.view().page, "link_landing");
    assert_eq!(driver.press("continue"), corporate());
    driver.federated = Some(Federated { user: user(3), is_new: true, auth_time: None });
    let Next::Issue(issued) = driver.press("federated") else { panic!("not issued") };
    assert_eq!((issued.user, fact_set(&issued.facts).iter().collect()), (user(3), vec![Fact::Federated]));
    // Everybody else chooses how to sign in here.
    let mut driver = with_corporate(all_shipped());
    driver.accounts[0].registration_incomplete = true;
    driver.enter(policy, Entry::Link);
    driver.link = LinkState::Holds(user(1));
    driver.press("continue");
    assert_eq!(driver.view().page, "login_method");
}

/// At the page that asks a new provider who they are.
fn at_information(set: PolicySet) -> Driver {
    let mut driver = with_corporate(set);
    driver.begin("new-provider");
    give_code(&mut driver);
    driver
}

fn give_code(driver: &mut Driver) {
    driver.post(&Input::press("next").with("npi", "1234567893").with("registration_code", "join-us"));
    assert_eq!(driver.view().page, "user_information");
}

fn tell(driver: &mut Driver, email: &str) -> Next {
    let told = [("username", "daisy"), ("first_name", "Daisy"), ("last_name", "Duck"), ("fax", "601 555 0100")];
    let form = told.into_iter().fold(Input::press("next"), |input, (name, value)| input.with(name, value));
    driver.post(&form.with("email", email).with("confirm_email", email))
}

#[test]
fn a_new_provider_at_a_federated_address_is_led_there_and_no_account_is_made() {
    let mut driver = at_information(all_shipped());
    assert_eq!(tell(&mut driver, "Daisy@Corp.example.com"), corporate());
    assert!(!driver.did(|effect| matches!(effect, Effect::CreateAccount { .. } | Effect::SendLink { .. })));
    assert_eq!(
        (driver.view().policy.as_str(), driver.instance().identifier()),
        ("employees", Some("daisy@corp.example.com"))
    );
    // What was told of the organization is forgotten by then, so `< Cancel` begins with it again.
    driver.press("cancel");
    assert_eq!(driver.view().page, "organization");
    give_code(&mut driver);
    assert!(matches!(tell(&mut driver, "daisy@example.com"), Next::Stop { page, .. } if page == "registration_sent"));
    let belongs = |effect: &Effect| matches!(effect, Effect::CreateAccount { organization: Some(_), .. });
    assert!(driver.did(belongs) && driver.did(|effect| matches!(effect, Effect::SendLink { .. })));
    // Where nobody leads there, and where the policy is left out, they register here.
    let without: Vec<_> = list_shipped().into_iter().filter(|policy| policy.id != "employees").collect();
    let mut driver = at_information(PolicySet::new(without));
    assert!(
        matches!(tell(&mut driver, "daisy@corp.example.com"), Next::Stop { page, .. } if page == "registration_sent")
    );
}

/// Whom the corporate provider vouches for: no password, no factor.
fn employee(number: u8) -> AccountFacts {
    let email = Some(format!("e{number}@corp.example.com"));
    AccountFacts { email, ..AccountFacts::new(user(number)) }
}

fn with_employee(change: impl FnOnce(&mut AccountFacts)) -> Driver {
    let mut driver = with_corporate(all_shipped());
    let mut person = employee(5);
    change(&mut person);
    driver.accounts.push(person);
    driver.federated = Some(Federated { user: user(5), is_new: false, auth_time: None });
    driver
}

#[test]
fn an_employee_binds_an_app_by_the_address_that_the_provider_verified_and_proves_two_factors_by_it() {
    let mut driver = with_employee(|_| ());
    assert_eq!(driver.begin("employees-totp-enrol"), corporate());
    driver.press("federated");
    assert_eq!(
        (driver.view().page.as_str(), driver.view().values["masked"].as_str()),
        ("email_verify", "e*****@corp.example.com")
    );
    driver.press("send");
    assert_eq!(driver.sent.last().unwrap().0, "e5@corp.example.com");
    assert!(!driver.did(|effect| matches!(effect, Effect::BindFactor { .. })));
    let code = driver.last_code();
    driver.verify(&code);
    assert_eq!(driver.view().page, "totp_enrol");
    let Next::Issue(issued) = driver.verify("123456") else { panic!("not issued") };
    let bound = |effect: &Effect| matches!(effect, Effect::BindFactor { binding, .. } if matches!(binding, crate::Binding::Totp { .. }));
    assert!(driver.did(bound));
    assert!(
        driver.accounts.iter().all(|account| account.user != user(5) || account.mailbox.is_none()),
        "no other way in"
    );
    assert_eq!(
        (issued.acr.as_str(), issued.amr),
        ("urn:countersign:acr:federated-totp", vec!["otp".to_owned(), "mfa".to_owned()])
    );

    assert_eq!(driver.begin("employees-totp"), corporate());
    driver.press("federated");
    assert_eq!(driver.view().page, "totp");
    driver.verify("000000");
    assert_eq!(driver.notice(), "wrong");
    let Next::Issue(issued) = driver.verify("123456") else { panic!("not issued") };
    assert_eq!(fact_set(&issued.facts).iter().collect::<Vec<_>>(), [Fact::Totp, Fact::Federated]);
}

#[test]
fn what_an_employee_has_on_file_is_proven_before_another_app_is_bound() {
    for (totp, passkey, pages) in [
        (true, false, ["totp", "totp_enrol"].as_slice()),
        (false, true, &["passkey", "totp_enrol"]),
        (true, true, &["passkey", "totp", "totp_enrol"]),
    ] {
        let mut driver = with_employee(|person| (person.totp, person.passkey) = (totp, passkey));
        driver.passkey = Some(crate::PasskeyProof { user: user(5), verified: true });
        driver.begin("employees-totp-enrol");
        driver.press("federated");
        let mut seen = Vec::new();
        while seen.len() < pages.len() {
            seen.push(driver.view().page);
            driver.post(&Input::press("verify").with("code", "123456").with("credential", "{}"));
        }
        assert_eq!(seen, pages, "{totp} {passkey}");
    }
}

#[test]
fn an_employee_adds_an_app_from_the_account_page_by_their_address_and_nobody_elses() {
    let mut driver = with_employee(|_| ());
    driver.facts.subject = Some(user(5));
    driver.begin("totp-enrol");
    assert_eq!(driver.sign_in("e5@corp.example.com", ""), corporate());
    assert_eq!(driver.view().policy, "employees-totp-enrol");
    driver.press("federated");
    assert_eq!(driver.view().page, "email_verify");
    driver.facts.subject = Some(user(1));
    driver.begin("totp-enrol");
    driver.sign_in("e5@corp.example.com", "");
    assert!(matches!(driver.press("federated"), Next::Stop { page, .. } if page == "federation_refused"));
}

#[test]
fn an_employee_closes_the_account_by_a_sign_in_at_the_provider_and_what_is_on_file() {
    for (totp, passkey, pages) in [
        (false, false, [].as_slice()),
        (true, false, &["totp"]),
        (false, true, &["passkey"]),
        (true, true, &["passkey", "totp"]),
    ] {
        let mut driver = with_employee(|person| (person.totp, person.passkey) = (totp, passkey));
        driver.passkey = Some(crate::PasskeyProof { user: user(5), verified: true });
        driver.facts.subject = Some(user(5));
        driver.begin("close-account");
        assert_eq!(driver.sign_in("e5@corp.example.com", ""), corporate());
        driver.press("federated");
        for page in pages {
            assert_eq!(driver.view().page, *page, "{totp} {passkey}");
            driver.post(&Input::press("verify").with("code", "123456").with("credential", "{}"));
        }
        assert_eq!(driver.view().page, "confirm_close");
        let closes = |effect: &Effect| matches!(effect, Effect::CloseAccount { user: closed } if *closed == user(5));
        assert!(!driver.did(closes), "not before it is confirmed");
        assert!(matches!(driver.press("continue"), Next::Stop { page, .. } if page == "account_closed"));
        assert!(driver.did(closes));
    }
    // Nobody else's: whoever comes back as another person closes nothing.
    let mut driver = with_employee(|_| ());
    driver.facts.subject = Some(user(1));
    driver.begin("close-account");
    driver.sign_in("e5@corp.example.com", "");
    assert!(matches!(driver.press("federated"), Next::Stop { page, .. } if page == "federation_refused"));
}

#[test]
fn who_no_provider_vouched_for_has_no_mailbox_without_the_factor() {
    let mut driver = with_employee(|person| person.has_password = true);
    let others: Vec<_> = list_shipped().into_iter().filter(|policy| !policy.id.starts_with("employees")).collect();
    driver.set = PolicySet::new(others);
    driver.begin("change-password");
    let stopped = driver.sign_in("e5@corp.example.com", PASSWORD);
    assert!(matches!(stopped, Next::Stop { page, .. } if page == "try_later") && driver.sent.is_empty());
}
