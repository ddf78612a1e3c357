use countersign_model::{Fact, FactorKind};

use super::*;
use crate::language::Entry;
use crate::{Binding, Effect, Input, LinkState, Next, PasskeyUse, PolicySet, fact_set};

const NEW: &str = "velvet tuba lagoon";

fn set(driver: &mut Driver) -> Next {
    driver.post(&Input::press("set").with("new_password", NEW).with("confirm_password", NEW))
}

fn bind_phone(driver: &mut Driver) -> Next {
    driver.post(&Input::press("send").with("country", "US").with("phone_number", "202-555-3661"));
    let code = driver.last_code();
    driver.verify(&code)
}

fn legacy() -> Driver {
    legacy_in(all_shipped())
}

fn legacy_in(set: PolicySet) -> Driver {
    let mut driver = Driver::new(set);
    let account = &mut driver.accounts[0];
    (account.legacy, account.registration_incomplete, account.terms_due) = (true, true, true);
    (account.username, account.mailbox, account.has_password) = (Some("hospital".to_owned()), None, false);
    driver.begin("registration");
    driver.post(&Input::press("login").with("username", "Hospital").with("password", PASSWORD));
    driver
}

#[test]
fn a_portal_user_registers_with_mailbox_password_phone_and_terms() {
    let mut driver = legacy();
    assert_eq!(driver.view().page, "login_method");
    driver.press("phone");
    let page = driver.view();
    assert_eq!((page.page.as_str(), page.values["masked"].as_str()), ("email_verify", "h*****@example.com"));
    assert!(page.fields.is_empty(), "the mail on file is fixed");
    driver.press("send");
    let code = driver.last_code();
    driver.verify(&code);
    driver.press("continue");
    assert!(driver.did(|effect| matches!(effect, Effect::BindFactor { .. })) && driver.told().is_empty());
    assert_eq!(driver.view().page, "new_password");
    set(&mut driver);
    assert_eq!(driver.view().page, "phone_number");
    bind_phone(&mut driver);
    let page = driver.view();
    assert_eq!(page.asks.terms, Some(("portal_terms".to_owned(), "2026-01".to_owned())));
    driver.press("accept");
    assert_eq!(driver.notice(), "accept_required");
    let Next::Issue(issued) = driver.post(&Input::press("accept").with("accept", "on")) else { panic!() };
    assert_eq!(issued.acr, "urn:countersign:acr:password-phone");
    assert!(driver.did(|effect| matches!(effect, Effect::CompleteRegistration { .. })));
    let facts = fact_set(&issued.facts);
    assert!([Fact::Legacy, Fact::Mailbox, Fact::Password, Fact::Phone].into_iter().all(|fact| facts.contains(fact)));

    driver.accounts[0].legacy = true;
    driver.begin("registration");
    let again = driver.post(&Input::press("login").with("username", "hospital").with("password", PASSWORD));
    assert!(matches!(again, Next::Stop { page, .. } if page == "already_registered"));
}

#[test]
fn a_typed_mailbox_of_a_registration_is_announced_to_the_one_on_file() {
    let typed = [("mailbox       = \"on_file\"", "mailbox = \"typed\"")];
    let mut driver = legacy_in(all_shipped_but("registration", &typed));
    driver.press("email");
    assert_eq!(driver.view().fields.iter().map(|field| field.name).collect::<Vec<_>>(), ["email"]);
    driver.post(&Input::press("send").with("email", "elsewhere@example.com"));
    let code = driver.last_code();
    driver.verify(&code);
    assert!(driver.told().is_empty(), "nothing is bound before Continue");
    driver.press("continue");
    let new = Binding::Mailbox("elsewhere@example.com".to_owned());
    assert!(driver.did(|effect| matches!(effect, Effect::BindFactor { binding, .. } if *binding == new)));
    assert_eq!(driver.told(), ["email_changed"]);
}

#[test]
fn terms_that_changed_meanwhile_are_shown_again() {
    let mut driver = legacy();
    driver.press("email");
    driver.press("send");
    let code = driver.last_code();
    driver.verify(&code);
    driver.press("continue");
    set(&mut driver);
    driver.facts.terms.insert("portal_terms".to_owned(), "2026-12".to_owned());
    driver.post(&Input::press("accept").with("accept", "on"));
    assert_eq!(driver.notice(), "terms_changed");
    let Next::Issue(issued) = driver.post(&Input::press("accept").with("accept", "on")) else { panic!() };
    assert_eq!(issued.acr, "urn:countersign:acr:password-email");
    assert!(driver.did(|effect| matches!(effect, Effect::AcceptTerms { version, .. } if version == "2026-12")));
}

#[test]
fn who_chooses_email_gives_up_the_phone_of_the_first_try_in_the_same_decision() {
    let mut driver = legacy();
    driver.accounts[0].phone = Some(PHONE.to_owned());
    driver.press("email");
    assert!(driver.did(|effect| matches!(effect, Effect::UnbindFactor { kind: FactorKind::Phone, .. })));
    assert!(driver.accounts[0].phone.is_none());
}

fn contact(email: &str, username: &str) -> Input {
    Input::press("next")
        .with("username", username)
        .with("first_name", "Daisy")
        .with("last_name", "Duck")
        .with("email", email)
        .with("confirm_email", email)
        .with("fax", "601 555 0100")
}

fn at_information() -> Driver {
    let mut driver = Driver::new(all_shipped());
    driver.begin("new-provider");
    driver.post(&Input::press("next").with("npi", "1234567893").with("registration_code", "guess"));
    assert_eq!(driver.notice(), "organization_unknown");
    let page = driver.view();
    assert_eq!((page.fields[0].value.as_str(), page.fields[1].value.as_str()), ("1234567893", ""));
    driver.post(&Input::press("next").with("npi", "1234567893").with("registration_code", "join-us"));
    assert_eq!(driver.view().page, "user_information");
    driver
}

#[test]
fn a_new_provider_is_made_and_mailed_a_link() {
    let mut driver = at_information();
    driver.post(&contact("daisy@example.com", "daisy").with("zip", "1"));
    let page = driver.view();
    assert_eq!(
        page.errors.iter().map(|error| (error.key, error.field)).collect::<Vec<_>>(),
        [("zip_invalid", Some("zip"))]
    );
    assert!(page.fields.iter().any(|field| field.name == "first_name" && field.value == "Daisy"));
    let next = driver.post(&contact("daisy@example.com", "daisy"));
    assert!(matches!(next, Next::Stop { page, .. } if page == "registration_sent"));
    assert!(driver.did(|effect| matches!(effect, Effect::CreateAccount { form, organization: Some(_), .. }
        if form["given_name"] == "Daisy" && form["fax"] == "+16015550100" && !form.contains_key("registration_code"))));
    assert!(driver.did(|effect| matches!(effect, Effect::SendLink { user: whose, policy, .. }
        if *whose == user(9) && policy == "registration-link")));
    assert!(driver.instance().account().is_none() && driver.instance().facts().is_empty());
}

#[test]
fn a_taken_address_sees_the_same_page_and_its_owner_is_told() {
    let mut free = at_information();
    let one = (free.post(&contact("daisy@example.com", "daisy")), free.view());
    let mut taken = at_information();
    let other = (taken.post(&contact("dduck@example.com", "daisy")), taken.view());
    assert_eq!(one, other);
    assert!(taken.did(|effect| matches!(effect, Effect::Warn { to, .. } if to == "dduck@example.com")));
    assert!(taken.told().is_empty());
    assert!(!taken.did(|effect| matches!(effect, Effect::CreateAccount { .. } | Effect::SendLink { .. })));
    assert!(taken.did(|effect| matches!(effect, Effect::Pretend { .. })));
}

#[test]
fn a_taken_user_name_is_said() {
    let mut driver = at_information();
    driver.accounts[0].username = Some("daisy".to_owned());
    driver.post(&contact("daisy@example.com", "Daisy"));
    assert_eq!(driver.notice(), "username_taken");
}

#[test]
fn who_registers_by_a_mailed_link_can_sign_in_by_that_mailbox() {
    for (held, bound) in [(None, true), (Some("dduck@example.com"), false)] {
        let mut driver = Driver::new(all_shipped());
        (driver.accounts[0].registration_incomplete, driver.accounts[0].has_password) = (true, false);
        (driver.accounts[0].email, driver.accounts[0].mailbox) =
            (Some("dduck@example.com".to_owned()), held.map(str::to_owned));
        driver.enter("invitation", Entry::Link);
        driver.link = LinkState::Holds(user(1));
        driver.press("continue");
        let did = driver.did(|effect| {
            matches!(effect, Effect::BindFactor { binding: Binding::Mailbox(to), .. } if to == "dduck@example.com")
        });
        assert_eq!(did, bound, "{held:?}");
    }
}

#[test]
fn a_link_is_spent_by_its_button_and_identifies() {
    let mut driver = Driver::new(all_shipped());
    (driver.accounts[0].registration_incomplete, driver.accounts[0].has_password) = (true, false);
    driver.enter("registration-link", Entry::Link);
    assert_eq!((driver.view().kind, controls(&driver.view())), ("link", vec![("continue", true), ("cancel", true)]));
    driver.link = LinkState::Holds(user(1));
    driver.press("continue");
    assert!(driver.did(|effect| *effect == Effect::ConsumeLink));
    assert_eq!(driver.view().page, "login_method");
    driver.press("phone");
    set(&mut driver);
    let Next::Issue(issued) = bind_phone(&mut driver) else { panic!() };
    assert_eq!(issued.acr, "urn:countersign:acr:password-phone");
}

/// Behind the button of the link that `create-admin` shows.
fn behind_shown_link(set: crate::PolicySet) -> (Driver, Next) {
    let mut driver = Driver::new(set);
    let account = &mut driver.accounts[0];
    (account.registration_incomplete, account.has_password, account.mailbox) = (true, false, None);
    driver.enter("first-administrator", Entry::Link);
    driver.link = LinkState::Holds(user(1));
    let next = driver.press("continue");
    (driver, next)
}

#[test]
fn a_link_that_was_shown_proves_nothing_and_the_mailed_code_does() {
    let (mut driver, _) = behind_shown_link(all_shipped());
    let binds = |effect: &Effect| matches!(effect, Effect::BindFactor { .. });
    assert!(driver.did(|effect| *effect == Effect::ConsumeLink) && !driver.did(binds));
    assert_eq!((driver.instance().account(), driver.instance().facts().len()), (Some(&user(1)), 0));
    assert_eq!((driver.view().page.as_str(), driver.view().fields.len()), ("email_verify", 0), "the mail on file");
    driver.press("send");
    let code = driver.last_code();
    driver.verify(if code == "111111" { "222222" } else { "111111" });
    assert_eq!((driver.notice(), driver.instance().facts().len()), ("wrong", 0));
    driver.verify(&code);
    assert!(driver.instance().facts().is_empty() && !driver.did(binds));
    driver.press("continue");
    let email = driver.accounts[0].email.clone().unwrap();
    assert!(
        driver.did(|effect| matches!(effect, Effect::BindFactor { binding: Binding::Mailbox(to), .. } if *to == email))
    );
    assert!(driver.did(|effect| matches!(effect, Effect::HoldRegistration { .. })));
    assert_eq!(driver.view().page, "login_method");
    driver.press("email");
    let Next::Issue(issued) = set(&mut driver) else { panic!("not issued") };
    assert_eq!(fact_set(&issued.facts).iter().collect::<Vec<_>>(), [Fact::Password, Fact::Mailbox]);
    assert!(driver.did(|effect| matches!(effect, Effect::CompleteRegistration { .. })));
}

/// The policy of the shown link, with its code left out.
fn without_code(then: &str) -> crate::PolicySet {
    let path = "../../config/policies/first-administrator.toml";
    let text = std::fs::read_to_string(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
    let (from, to) = ("then = \"mailbox\"", format!("then = \"{then}\""));
    assert!(text.contains(from));
    let others = list_shipped().into_iter().filter(|policy| policy.id != "first-administrator");
    let bare = crate::parse(path, &text.replace(from, &to)).unwrap();
    crate::PolicySet::new(others.chain([bare]).collect())
}

#[test]
fn behind_a_shown_link_nothing_is_changed_of_which_nothing_is_proven() {
    let ended = Next::Return { error: "access_denied" };
    let (mut password, next) = behind_shown_link(without_code("email_password"));
    assert_eq!(next, Next::Page);
    assert_eq!(set(&mut password), ended);
    assert!(!password.did(|effect| matches!(effect, Effect::SetPassword { .. })));
    let (unbinds, next) = behind_shown_link(without_code("drop_phone"));
    assert_eq!(next, ended);
    assert!(!unbinds.did(|effect| matches!(effect, Effect::UnbindFactor { .. })));
    let (_, next) = behind_shown_link(without_code("terms_due"));
    assert!(matches!(next, Next::Return { error: "unmet_authentication_requirements" }), "{next:?}");
}

#[test]
fn an_account_without_a_mail_on_file_binds_none_by_a_shown_link() {
    let mut driver = Driver::new(all_shipped());
    let account = &mut driver.accounts[0];
    (account.registration_incomplete, account.mailbox, account.email) = (true, None, None);
    driver.enter("first-administrator", Entry::Link);
    driver.link = LinkState::Holds(user(1));
    assert!(!matches!(driver.try_post(&Input::press("continue")), Ok(Next::Page)));
}

#[test]
fn expired_and_used_links_lead_to_what_to_do() {
    for state in [LinkState::Expired, LinkState::Used, LinkState::Unknown, LinkState::Holds(user(8))] {
        let mut driver = Driver::new(all_shipped());
        driver.enter("invitation", Entry::Link);
        driver.link = state;
        assert!(matches!(driver.press("continue"), Next::Stop { page, .. } if page == "link_expired"));
        assert!(driver.instance().account().is_none());
    }
}

#[test]
fn a_link_known_to_be_over_shows_the_ways_on_before_anything_is_pressed() {
    for state in [LinkState::Expired, LinkState::Used] {
        let mut driver = Driver::new(all_shipped());
        driver.facts.link = state;
        let next = driver.enter("invitation", Entry::Link);
        assert!(matches!(next, Next::Stop { page, .. } if page == "link_expired"));
        let links = driver.view().links;
        assert_eq!(links.iter().map(|link| link.id.as_str()).collect::<Vec<_>>(), ["reset"]);
        driver.press("reset");
        assert_eq!(driver.view().page, "reset_username");
    }
    let mut driver = Driver::new(all_shipped());
    driver.facts.link = LinkState::Holds(user(1));
    driver.enter("invitation", Entry::Link);
    assert_eq!(driver.view().page, "link_landing");
}

#[test]
fn passkey_pages_ask_for_their_ceremony() {
    let mut driver = Driver::new(all_shipped());
    driver.begin("passkey");
    assert_eq!(driver.view().asks.passkey, Some(PasskeyUse::Assert));
    driver.press("verify");
    assert_eq!(driver.notice(), "passkey_missing");
    driver.post(&Input::press("verify").with("credential", "{}"));
    assert_eq!(driver.notice(), "passkey_failed");
    driver.passkey = Some(crate::PasskeyProof { user: user(1), verified: true });
    let Next::Issue(issued) = driver.post(&Input::press("verify").with("credential", "{}")) else { panic!() };
    assert_eq!(issued.amr, ["swk", "user", "mfa"]);
}

#[test]
fn the_corporate_provider_vouches_or_declines() {
    let mut driver = Driver::new(all_shipped());
    let sent = Next::Federate { provider: "corporate".to_owned() };
    assert_eq!(driver.begin("employees"), sent);
    assert_eq!(driver.press("continue"), sent);
    assert!(matches!(driver.press("federated"), Next::Stop { page, .. } if page == "federation_refused"));
    driver.begin("employees");
    driver.federated = Some(crate::Federated { user: user(5), is_new: true, auth_time: None });
    let Next::Issue(issued) = driver.press("federated") else { panic!() };
    assert_eq!((issued.user, issued.amr.len()), (user(5), 0));
    assert!(driver.did(|effect| matches!(effect, Effect::AdoptFederated { .. })));
    driver.begin("employees");
    driver.federated = Some(crate::Federated { user: user(5), is_new: false, auth_time: None });
    assert!(matches!(driver.press("federated"), Next::Stop { .. }), "an account that is not there signs nobody in");
}

/// Behind the button of a mailed link, of an account that is finished by another way from then on.
fn behind_link_of_finished(policy: &str) -> Driver {
    let mut driver = Driver::new(all_shipped());
    driver.accounts[0].registration_incomplete = true;
    driver.enter(policy, Entry::Link);
    driver.link = LinkState::Holds(user(1));
    driver.press("continue");
    assert_eq!(driver.view().page, "login_method");
    driver
}

#[test]
fn a_registration_that_was_finished_elsewhere_is_changed_by_no_running_one() {
    let changes = |effect: &Effect| {
        matches!(
            effect,
            Effect::SetPassword { .. }
                | Effect::BindFactor { .. }
                | Effect::UnbindFactor { .. }
                | Effect::CompleteRegistration { .. }
        )
    };
    for policy in ["registration-link", "invitation"] {
        let ended = Next::Return { error: "access_denied" };
        let mut by_email = behind_link_of_finished(policy);
        by_email.accounts[0].registration_incomplete = false;
        assert_eq!(by_email.press("email"), ended, "no phone is unbound");
        assert!(!by_email.did(changes));

        let mut at_password = behind_link_of_finished(policy);
        at_password.press("phone");
        at_password.accounts[0].registration_incomplete = false;
        assert_eq!(set(&mut at_password), ended);
        assert!(!at_password.did(changes));

        let mut at_phone = behind_link_of_finished(policy);
        at_phone.press("phone");
        set(&mut at_phone);
        assert!(at_phone.did(|effect| matches!(effect, Effect::HoldRegistration { .. })), "nor in the database");
        at_phone.post(&Input::press("send").with("country", "US").with("phone_number", "202-555-3661"));
        let code = at_phone.last_code();
        at_phone.accounts[0].registration_incomplete = false;
        assert_eq!(at_phone.verify(&code), ended);
        assert!(!at_phone.did(changes));
    }
}

#[test]
fn the_last_step_of_a_registration_that_was_finished_elsewhere_issues_nothing() {
    let mut driver = behind_link_of_finished("registration-link");
    driver.accounts[0].terms_due = true;
    driver.press("email");
    set(&mut driver);
    assert_eq!(driver.view().page, "terms");
    driver.accounts[0].registration_incomplete = false;
    let next = driver.post(&Input::press("accept").with("accept", "on"));
    assert_eq!(next, Next::Return { error: "access_denied" });
    assert!(!driver.did(|effect| matches!(effect, Effect::CompleteRegistration { .. })));
}

#[test]
fn whatever_a_registration_changes_is_held_to_its_being_open() {
    let mut driver = behind_link_of_finished("registration-link");
    driver.press("phone");
    set(&mut driver);
    let held = driver.effects.iter().position(|effect| matches!(effect, Effect::HoldRegistration { .. }));
    let changed = driver.effects.iter().position(|effect| matches!(effect, Effect::SetPassword { .. }));
    assert!(held.is_some() && held < changed);
    assert!(matches!(bind_phone(&mut driver), Next::Issue(_)));
    let held: Vec<_> =
        driver.effects.iter().filter(|effect| matches!(effect, Effect::HoldRegistration { .. })).collect();
    assert_eq!(held.len(), 1);
}
