use countersign_model::{Factor, FactorId};

use super::*;
use crate::testing::{NOW, account, authentication, scope, user_id};

fn with_factor(kind: FactorKind, value: &str) -> Account {
    let factor = Factor {
        id: FactorId::new(NOW, [6; 10]),
        user: user_id(),
        kind,
        value: value.to_owned(),
        name: None,
        last_step: None,
        bound_at: NOW,
        used_at: None,
    };
    Account { factors: vec![factor], ..account() }
}

fn value(account: &Account, scope_text: &str) -> Value {
    Value::Object(claims(account, &authentication(), &scope(scope_text), &[], &PolicyNaming::default()))
}

#[test]
fn each_scope_releases_its_claims_that_have_a_value_core_5_4() {
    let (account, sub) = (account(), user_id());
    let phone = with_factor(FactorKind::Phone, "+12025553661");
    assert_eq!(value(&account, "openid"), json!({ "sub": sub }));
    let profile = json!({ "sub": sub, "name": "Alice Archer", "given_name": "Alice", "updated_at": 1_800_000_000 });
    assert_eq!(value(&account, "openid profile"), profile);
    let email = json!({ "sub": sub, "email": "alice@example.com", "email_verified": false });
    assert_eq!(value(&account, "openid email"), email);
    let address = json!({ "sub": sub, "address": { "locality": "Duckburg", "country": "US" } });
    assert_eq!(value(&account, "openid address"), address);
    assert_eq!(value(&account, "openid phone"), json!({ "sub": sub }));
    let called = json!({ "sub": sub, "phone_number": "+12025553661", "phone_number_verified": true });
    assert_eq!(value(&phone, "openid phone"), called);
}

#[test]
fn every_claim_of_a_scope_can_be_found_where_it_has_a_value() {
    let mut full = with_factor(FactorKind::Phone, "+12025553661");
    let every = || Some("x".to_owned());
    let profile = &mut full.user.profile;
    for field in [
        &mut profile.family_name,
        &mut profile.middle_name,
        &mut profile.nickname,
        &mut profile.preferred_username,
        &mut profile.profile,
        &mut profile.picture,
        &mut profile.website,
        &mut profile.gender,
        &mut profile.birthdate,
        &mut profile.zoneinfo,
        &mut profile.locale,
    ] {
        *field = every();
    }
    let every_scope = scope("profile email address phone");
    let claims = claims(&full, &authentication(), &every_scope, &[], &PolicyNaming::default());
    for name in scopes::CLAIMS.iter().flat_map(|(_, names)| *names) {
        assert!(claims.contains_key(*name), "{name}");
    }
}

#[test]
fn a_mail_address_is_verified_when_its_mailbox_answered() {
    let proven = with_factor(FactorKind::Mailbox, "Alice@example.com");
    assert_eq!(value(&proven, "email")["email_verified"], true);
    let other = with_factor(FactorKind::Mailbox, "bob@example.com");
    assert_eq!(value(&other, "email")["email_verified"], false);
}

#[test]
fn a_phone_told_is_verified_only_when_it_is_the_bound_one() {
    let mut account = with_factor(FactorKind::Phone, "+12025553661");
    account.user.profile.phone_number = Some("+12025550000".to_owned());
    let claims = value(&account, "phone");
    assert_eq!((&claims["phone_number"], &claims["phone_number_verified"]), (&json!("+12025550000"), &json!(false)));
}

#[test]
fn claims_asked_for_by_name_are_added_and_sub_is_never_replaced() {
    let names = ["email", "sub", "nonsense"].map(str::to_owned);
    let expected = json!({ "sub": user_id(), "email": "alice@example.com" });
    let told = claims(&account(), &authentication(), &scope("openid"), &names, &PolicyNaming::default());
    assert_eq!(Value::Object(told), expected);
}

#[test]
fn acr_is_that_of_the_id_token_and_told_to_who_asked_for_it_here_core_5_5() {
    let told = |authentication: &Authentication, naming: &PolicyNaming, names: &[&str]| {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        claims(&account(), authentication, &scope("openid profile"), &names, naming).get("acr").cloned()
    };
    let plain = PolicyNaming::default();
    assert_eq!(told(&authentication(), &plain, &["acr"]), Some(json!("urn:acr:email")));
    assert_eq!(told(&authentication(), &plain, &["email"]), None);
    let named = PolicyNaming { acr: true, ..PolicyNaming::default() };
    assert_eq!(told(&authentication(), &named, &["acr"]), Some(json!("email")), "as its ID tokens name it");
    let known = authentication();
    let spoken = Authentication::hearsay(known.user, known.session, NOW);
    assert_eq!(told(&spoken, &plain, &["acr"]), None, "nobody proved anything here");
}
