//! Who may not sign in, and where a login is not enough.

use countersign_model::{AuditKind, AuditOutcome, UserStatus};
use countersign_service::{AddressLimits, ClientRegistration};
use countersign_tests::provider::{ALICE, HOSPITAL, House, NodePlan, Person, Seen, encode};

on_both_stores![
    an_account_disabled_before_the_code_is_access_denied,
    an_account_disabled_before_continue_is_access_denied,
    a_disabled_account_is_not_answered_for_by_its_session,
    a_disabled_account_looks_like_a_wrong_password,
    a_disabled_client_is_refused_and_its_flows_are_gone,
    an_essential_acr_that_the_policy_cannot_meet_is_told_to_the_client,
    an_essential_acr_that_nobody_can_meet_is_refused_at_once,
    refused_requests_of_one_address_are_audited_up_to_its_limit,
    a_client_that_was_disabled_stays_so_when_it_is_registered_again,
];

async fn an_account_disabled_before_the_code_is_access_denied(house: House) {
    let node = house.node().await;
    let mut person = Person::new();
    let page = person.walk_to_mailbox(&node, HOSPITAL, false).await;
    house.set_status(HOSPITAL.0, UserStatus::Disabled).await;
    assert_eq!(person.press(&node, &page, "send", &[]).await.error(), "access_denied");
    assert_eq!(house.outbox().await.len(), 0);
}

async fn an_account_disabled_before_continue_is_access_denied(house: House) {
    let node = house.node().await;
    let mut person = Person::new();
    let page = person.walk_to_mailbox(&node, HOSPITAL, true).await;
    let verified = person.prove_mailbox(&house, &node, &page, HOSPITAL).await;
    house.set_status(HOSPITAL.0, UserStatus::Disabled).await;
    assert_eq!(person.press(&node, &verified, "continue", &[]).await.error(), "access_denied");
    for table in ["grants", "authorization_codes", "browser_sessions", "remembered_logins"] {
        assert_eq!(house.count(table, "1 = 1").await, 0, "{table}");
    }
    assert!(person.cookies.session.is_none());
    assert_eq!(house.events(Some(AuditKind::Login)).await.len(), 0);
    let failed = house.events(None).await.into_iter().filter(|event| event.outcome == AuditOutcome::Failure);
    assert!(failed.count() >= 1, "the audit knows");
}

async fn a_disabled_account_is_not_answered_for_by_its_session(house: House) {
    let node = house.node().await;
    let mut person = Person::new();
    person.sign_in(&house, &node, HOSPITAL, true).await;
    house.set_status(HOSPITAL.0, UserStatus::Disabled).await;
    let grants = house.count("grants", "1 = 1").await;
    assert_eq!(person.arrive(&node, "p=email").await.error(), "access_denied");
    assert_eq!(person.arrive(&node, "prompt=none").await.error(), "access_denied");
    assert_eq!(house.count("grants", "1 = 1").await, grants);
}

async fn a_disabled_account_looks_like_a_wrong_password(house: House) {
    let node = house.node().await;
    house.set_status(ALICE.0, UserStatus::Disabled).await;
    let mut views = Vec::new();
    for who in [ALICE, (HOSPITAL.0, "wrong-password"), ("nobody@example.com", "wrong-password")] {
        let mut person = Person::new();
        let sign_in = person.arrive_from(&node, "lab-suite", "").await.page();
        let mut view = person.give_password(&node, &sign_in, who).await.page().view;
        for field in &mut view.fields {
            field.value.clear();
        }
        views.push(view);
    }
    assert_eq!(views[0], views[1]);
    assert_eq!(views[1], views[2]);
    let why: Vec<_> = house.events(Some(AuditKind::Login)).await;
    let mut why: Vec<_> = why.iter().map(|event| event.detail["reason"].as_str().unwrap()).collect();
    why.sort_unstable();
    assert_eq!(why, ["disabled", "unknown", "wrong"], "the audit knows the difference");
}

async fn a_disabled_client_is_refused_and_its_flows_are_gone(house: House) {
    let node = house.node().await;
    let mut person = Person::new();
    let page = person.walk_to_mailbox(&node, HOSPITAL, false).await;
    let id = "case-portal".parse().unwrap();
    let mut client = house.database.db.read(async |tx| tx.find_client(&id).await).await.unwrap().unwrap();
    client.disabled = true;
    house.database.db.write(async |tx| tx.upsert_client(&client).await).await.unwrap();
    assert!(matches!(person.press(&node, &page, "send", &[]).await, Seen::Gone));
    assert_eq!(house.outbox().await.len(), 0);
    assert!(matches!(person.arrive(&node, "").await, Seen::Refused));
}

fn essential(acr: &str) -> String {
    let claims = serde_json::json!({ "id_token": { "acr": { "essential": true, "values": [acr] } } });
    format!("claims={}", encode(&claims.to_string()))
}

async fn an_essential_acr_that_the_policy_cannot_meet_is_told_to_the_client(house: House) {
    let node = house.node().await;
    let mut person = Person::new();
    let more = format!("p=email&{}", essential("urn:countersign:acr:password-totp"));
    let sign_in = person.arrive(&node, &more).await.page();
    let page = person.give_password(&node, &sign_in, HOSPITAL).await.page();
    let verified = person.prove_mailbox(&house, &node, &page, HOSPITAL).await;
    let error = person.press(&node, &verified, "continue", &[]).await.error();
    assert_eq!(error, "unmet_authentication_requirements");
    assert_eq!(house.count("grants", "1 = 1").await, 0);
    assert!(person.cookies.session.is_none());
}

async fn an_essential_acr_that_nobody_can_meet_is_refused_at_once(house: House) {
    let node = house.node().await;
    let seen = Person::new().arrive(&node, &essential("urn:example:biometric")).await;
    assert_eq!(seen.error(), "unmet_authentication_requirements");
}

async fn refused_requests_of_one_address_are_audited_up_to_its_limit(house: House) {
    let plan = house.plan();
    let address_limits = AddressLimits { refusals: 3, ..plan.address_limits };
    let node = house.node_with(NodePlan { address_limits, ..plan }).await;
    let mut person = Person::new();
    for _ in 0..5 {
        assert_eq!(person.arrive(&node, "prompt=none").await.error(), "login_required");
    }
    assert_eq!(house.events(Some(AuditKind::RequestRefused)).await.len(), 3);
}

async fn a_client_that_was_disabled_stays_so_when_it_is_registered_again(house: House) {
    let node = house.node().await;
    let registration: ClientRegistration = serde_json::from_value(serde_json::json!({
        "client_id": "later", "client_secret": "later-secret-0123456789", "redirect_uris": ["https://later.example/cb"],
        "countersign_policy": "lab",
    }))
    .unwrap();
    let id = node.register_client(&registration).await.unwrap();
    let db = house.database.another_node();
    let disable = async |tx: &mut countersign_store::Tx| {
        let client = tx.find_client(&id).await?.unwrap();
        tx.upsert_client(&countersign_model::Client { disabled: true, ..client }).await
    };
    db.write(disable).await.unwrap();
    node.register_client(&registration).await.unwrap();
    let client = db.read(async |tx| tx.find_client(&id).await).await.unwrap().unwrap();
    assert!(client.disabled);
}
