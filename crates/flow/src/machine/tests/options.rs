use countersign_model::Fact;

use super::*;
use crate::{Effect, Input, Next, PolicySet};

fn at_options() -> Driver {
    let mut driver = Driver::new(shipped());
    assert_eq!(driver.begin("login-options"), Next::Page);
    driver
}

fn forgets(driver: &Driver) -> bool {
    driver.effects.contains(&Effect::ForgetRemembered { policy: "email".to_owned() })
}

#[test]
fn only_options_whose_policy_is_there_are_shown() {
    let page = at_options().view();
    assert_eq!((page.page.as_str(), page.kind), ("login_options", "choice"));
    let shown: Vec<_> = page.options.iter().map(|option| option.id.as_str()).collect();
    assert_eq!(shown, ["email"]);
    assert_eq!(page.options[0].policy.as_deref(), Some("email"));
    assert_eq!(page.options[0].remember.as_deref(), Some("remember_customers"));
    assert!(page.links.is_empty());
    let boxes: Vec<_> = page.boxes.iter().map(|shown| (shown.name.as_str(), shown.checked)).collect();
    assert_eq!(boxes, [("remember_customers", false)]);
    assert_eq!(controls(&page), [("cancel", true)]);
}

#[test]
fn every_option_and_link_appears_with_its_policy() {
    let stub = |id: &str| {
        read(&format!(
            "format = 1\nid = \"{id}\"\npurpose = \"login\"\nentry = [\"switch\"]\nstart = \"end\"\nremember = {{ for = \"4h\" }}\n[step]\nend = {{ kind = \"stop\", page = \"none\" }}"
        ))
    };
    let stubs = ["employees", "phone", "new-provider", "registration", "resume-registration"].map(stub);
    let mut driver = Driver::new(PolicySet::new([OPTIONS, EMAIL].into_iter().map(read).chain(stubs).collect()));
    driver.begin("login-options");
    let page = driver.view();
    let ids = |options: &[crate::OptionView]| options.iter().map(|option| option.id.clone()).collect::<Vec<_>>();
    assert_eq!(ids(&page.options), ["employees", "phone", "email"]);
    assert_eq!(ids(&page.links), ["register", "complete", "trouble"]);
    assert_eq!(page.boxes.len(), 2);
}

#[test]
fn a_hidden_or_unknown_control_does_nothing() {
    let mut driver = at_options();
    for control in ["phone", "employees", "register", "", "issue", "email "] {
        assert_eq!(driver.press(control), Next::Page);
        assert_eq!(driver.view().policy, "login-options");
    }
}

#[test]
fn a_ticked_box_is_handed_on_and_taken_off_the_sign_in_page() {
    let mut driver = at_options();
    driver.post(&Input::press("email").with("remember_customers", "on"));
    assert!(!forgets(&driver));
    let page = driver.view();
    assert_eq!((page.policy.as_str(), page.boxes.len()), ("email", 0));
    driver.sign_in("hospital@example.com", PASSWORD);
    driver.press("send");
    let code = driver.last_code();
    driver.verify(&code);
    assert!(matches!(driver.press("continue"), Next::Issue(issued) if issued.remember.is_some()));
}

#[test]
fn an_unticked_box_forgets_before_the_remembered_login_is_read() {
    let mut driver = at_options();
    driver.facts.remembered = vec![remembered("email", 1, &[Fact::Password, Fact::Mailbox], START)];
    assert_eq!(driver.press("email"), Next::Page);
    assert!(forgets(&driver));
    assert_eq!(driver.view().page, "sign_in");
}

#[test]
fn a_remembered_option_is_prechecked_and_signs_in_at_once() {
    let mut driver = Driver::new(shipped());
    driver.facts.remembered = vec![remembered("email", 1, &[Fact::Password, Fact::Mailbox], START)];
    driver.begin("login-options");
    assert!(driver.view().boxes[0].checked);
    let next = driver.post(&Input::press("email").with("remember_customers", "on"));
    assert!(matches!(next, Next::Issue(issued) if issued.silent && issued.policy == "email"));
}

#[test]
fn the_box_of_another_column_is_not_read() {
    let mut driver = at_options();
    driver.post(&Input::press("email").with("remember_employees", "on"));
    assert!(forgets(&driver));
}

#[test]
fn cancel_goes_to_the_client_from_here_and_from_the_option_chosen() {
    assert_eq!(at_options().press("cancel"), Next::Return { error: "access_denied" });
    let mut driver = at_options();
    driver.press("email");
    assert!(driver.instance().callers.is_empty());
    assert_eq!(driver.press("cancel"), Next::Return { error: "access_denied" });
}

#[test]
fn the_chosen_policy_has_a_life_of_its_own() {
    let mut driver = at_options();
    driver.wait(50 * 60_000);
    driver.press("email");
    let end = driver.instance().end(&driver.set).unwrap();
    assert_eq!(end.millis_since(driver.now), 20 * 60_000);
    assert_eq!(driver.instance().idle(&driver.set).map(countersign_model::Seconds::get), Some(600));
}

#[test]
fn an_unticked_box_forgets_every_option_that_reads_it_and_no_other() {
    let mut driver = Driver::new(all_shipped());
    driver.begin("login-options");
    driver.press("email");
    let forgotten = |driver: &Driver| -> Vec<String> {
        let policies = driver.effects.iter().filter_map(|effect| match effect {
            Effect::ForgetRemembered { policy } => Some(policy.clone()),
            _ => None,
        });
        policies.collect()
    };
    assert_eq!(forgotten(&driver), ["phone", "email"]);
    driver.begin("login-options");
    driver.press("employees");
    assert_eq!(forgotten(&driver), ["employees"]);
    driver.begin("login-options");
    driver.post(&Input::press("phone").with("remember_customers", "on"));
    assert!(forgotten(&driver).is_empty());
}
