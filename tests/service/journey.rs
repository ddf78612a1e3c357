//! The email policy from end to end.

use countersign_model::{AuditKind, AuditOutcome, NpiRule, Seconds};
use countersign_service::Provider;
use countersign_tests::provider::{HOSPITAL, House, Person, code_in, parameter, redeem};
use secrecy::SecretString;

use crate::claims::id_claims;

on_both_stores![
    a_person_signs_in_by_mailed_code_on_whatever_node_answers,
    pages_can_be_reloaded_at_every_step,
    cancel_tells_the_client_access_denied,
    a_person_with_a_phone_is_sent_to_it_with_the_password_carried_along,
    who_registers_sees_the_organization_by_name,
    every_organization_says_itself_what_it_takes_for_an_npi,
    terms_of_a_new_version_are_shown_once_and_nothing_is_signed_in_without_them,
];

async fn a_person_signs_in_by_mailed_code_on_whatever_node_answers(house: House) {
    let (a, b) = (house.node().await, house.node().await);
    let mut person = Person::new();
    let options = person.arrive(&a, "").await.page();
    assert_eq!(options.view.page, "login_options");
    assert_eq!(house.count("audit_events", "kind = 'flow.started'").await, 0, "the first page stores nothing");
    let sign_in = person.press(&b, &options, "email", &[]).await.page();
    assert_eq!((sign_in.view.page.as_str(), sign_in.flow), ("sign_in", options.flow));
    let unsent = person.give_password(&a, &sign_in, HOSPITAL).await.page();
    assert_eq!((unsent.view.page.as_str(), unsent.view.state), ("email_verify", "unsent"));
    assert!(unsent.view.values["masked"].starts_with("d***"), "{:?}", unsent.view.values);
    let sent = person.press(&b, &unsent, "send", &[]).await.page();
    assert_eq!(house.outbox().await.len(), 1);
    let code = house.mailed_code(&a, HOSPITAL.0).await;
    let verified = person.press(&a, &sent, "verify", &[("code", &code)]).await.page();
    assert_eq!(verified.view.state, "verified");
    let response = person.press(&b, &verified, "continue", &[]).await.response();
    assert_eq!(parameter(&response, "state").as_deref(), Some("st"));
    assert_eq!(parameter(&response, "iss").as_deref(), Some("https://id.example"));
    assert!(person.cookies.session.is_some());

    let tokens = redeem(&a, &code_in(&response)).await.unwrap().unwrap();
    let claims = id_claims(&tokens);
    assert_eq!(claims["sub"], house.user(HOSPITAL.0).await.as_str());
    assert_eq!(claims["acr"], "urn:countersign:acr:password-email");
    assert_eq!(claims["amr"], serde_json::json!(["pwd"]), "mail is no second factor");
    assert_eq!(claims["auth_time"], house.clock.now().as_secs());
    assert_eq!(claims["nonce"], "no");

    let told: Vec<AuditKind> = house.events(None).await.into_iter().map(|event| event.kind).collect();
    for once in [
        AuditKind::FlowStarted,
        AuditKind::SendQueued,
        AuditKind::SendDelivered,
        AuditKind::Login,
        AuditKind::CodeIssued,
        AuditKind::TokenIssued,
    ] {
        assert_eq!(told.iter().filter(|kind| **kind == once).count(), 1, "{once:?} in {told:?}");
    }
    let login = house.events(Some(AuditKind::Login)).await.remove(0);
    assert_eq!((login.outcome, login.subject), (AuditOutcome::Success, Some(house.user(HOSPITAL.0).await)));
    assert!(login.grant.is_some() && login.flow.is_some() && login.request.is_some() && login.address.is_some());
}

async fn pages_can_be_reloaded_at_every_step(house: House) {
    let node = house.node().await;
    let mut person = Person::new();
    let options = person.arrive(&node, "").await.page();
    let sign_in = person.press(&node, &options, "email", &[]).await.page();
    let sign_in = person.reload(&node, sign_in.flow).await.page();
    let page = person.give_password(&node, &sign_in, HOSPITAL).await.page();
    let page = person.reload(&node, page.flow).await.page();
    let sent = person.press(&node, &page, "send", &[]).await.page();
    let sent = person.reload(&node, sent.flow).await.page();
    assert_eq!(house.outbox().await.len(), 1, "a reload never sends");
    let code = house.mailed_code(&node, HOSPITAL.0).await;
    let verified = person.press(&node, &sent, "verify", &[("code", &code)]).await.page();
    let verified = person.reload(&node, verified.flow).await.page();
    let code = person.press(&node, &verified, "continue", &[]).await.code();
    assert!(redeem(&node, &code).await.unwrap().is_ok());
}

async fn cancel_tells_the_client_access_denied(house: House) {
    let node = house.node().await;
    let mut person = Person::new();
    let options = person.arrive(&node, "").await.page();
    assert_eq!(person.press(&node, &options, "cancel", &[]).await.error(), "access_denied");
    let page = person.walk_to_mailbox(&node, HOSPITAL, false).await;
    assert_eq!(person.press(&node, &page, "cancel", &[]).await.error(), "access_denied");
    assert_eq!(house.count("grants", "1 = 1").await, 0);
    assert!(person.cookies.session.is_none());
}

async fn a_person_with_a_phone_is_sent_to_it_with_the_password_carried_along(house: House) {
    let node = house.node().await;
    let mut person = Person::new();
    let sign_in = person.arrive(&node, "p=email").await.page();
    let phone = person.give_password(&node, &sign_in, countersign_tests::provider::DUCK).await.page();
    assert_eq!((phone.view.policy.as_str(), phone.view.page.as_str()), ("phone", "phone_verify"));
    assert_eq!(phone.view.values["masked"], "XXX-XXX-3661");
    assert_eq!(person.press(&node, &phone, "cancel", &[]).await.error(), "access_denied");
}

async fn who_registers_sees_the_organization_by_name(house: House) {
    let node = house.node().await;
    node.create_organization("Ward 7", "1234567893", &SecretString::from("code-one")).await.unwrap();
    let mut person = Person::new();
    let options = person.arrive(&node, "").await.page();
    let organization = person.press(&node, &options, "register", &[]).await.page();
    let wrong = [("npi", "1234567893"), ("registration_code", "code-two")];
    let organization = person.press(&node, &organization, "next", &wrong).await.page();
    assert_eq!(organization.view.values.get("organization"), None);
    let right = [("npi", "1234567893"), ("registration_code", "code-one")];
    let information = person.press(&node, &organization, "next", &right).await.page();
    assert_eq!(information.view.page, "user_information");
    assert_eq!(information.view.values["organization"], "Ward 7");
}

/// The page after NPI and registration code.
async fn name_organization(node: &Provider, npi: &str, code: &str) -> String {
    let mut person = Person::new();
    let options = person.arrive(node, "").await.page();
    let page = person.press(node, &options, "register", &[]).await.page();
    person.press(node, &page, "next", &[("npi", npi), ("registration_code", code)]).await.page().view.page
}

async fn every_organization_says_itself_what_it_takes_for_an_npi(house: House) {
    let node = house.node().await;
    let enter = async |npi: &str, code: &str, validator| {
        node.enter_organization("Ward 7", npi, &SecretString::from(code), validator).await
    };
    // Not its check digit, and no NPI at all: nothing is entered.
    for npi in ["1234567890", "BCBS-4711"] {
        assert!(enter(npi, "strict", Some(NpiRule::Npi)).await.is_err(), "{npi}");
    }
    assert!(enter("a/b", "lax", None).await.is_err());
    assert_eq!(house.count("organizations", "1 = 1").await, 0);

    enter("1234567893", "strict", Some(NpiRule::Npi)).await.unwrap();
    let lax = enter("bcbs-4711", "bcbs-4711", None).await.unwrap();
    for (npi, code) in [("1234 567 893", "strict"), ("BCBS-4711", "bcbs-4711"), ("bcbs-4711", "bcbs-4711")] {
        assert_eq!(name_organization(&node, npi, code).await, "user_information", "{npi}");
    }
    // Entered again it is the same, and keeps its rule unless another is said.
    assert_eq!(enter("BCBS-4711", "bcbs-4711", None).await.unwrap(), lax);
    house.database.raw("UPDATE organizations SET validator = 'npi'").await.unwrap();
    assert_eq!(name_organization(&node, "BCBS-4711", "bcbs-4711").await, "organization");
    assert_eq!(enter("BCBS-4711", "bcbs-4711", Some(NpiRule::NpiOrOther)).await.unwrap(), lax);
    assert_eq!(name_organization(&node, "BCBS-4711", "bcbs-4711").await, "user_information");
}

async fn terms_of_a_new_version_are_shown_once_and_nothing_is_signed_in_without_them(house: House) {
    let node = house.node().await;
    // Version 1 is current; this account agreed to an older one.
    house.database.raw(&format!("UPDATE users SET terms_version = '0' WHERE email = '{}'", HOSPITAL.0)).await.unwrap();
    let agreed = async || house.count("terms_acceptances", "document = 'portal_terms' AND version = '1'").await;
    let sign_in = async || {
        let mut person = Person::new();
        let page = person.walk_to_mailbox(&node, HOSPITAL, false).await;
        let verified = person.prove_mailbox(&house, &node, &page, HOSPITAL).await;
        let next = person.press(&node, &verified, "continue", &[]).await;
        house.clock.pass(Seconds::new(31));
        (person, next)
    };
    for _ in 0..2 {
        let (mut person, next) = sign_in().await;
        let terms = next.page();
        assert_eq!(terms.view.page, "terms");
        let unread = person.press(&node, &terms, "accept", &[]).await.page();
        assert_eq!((unread.view.page.as_str(), agreed().await), ("terms", 0), "the box is not ticked");
    }
    let (mut person, next) = sign_in().await;
    person.press(&node, &next.page(), "accept", &[("accept", "on")]).await.code();
    assert_eq!(agreed().await, 1);
    sign_in().await.1.code();
}
