//! The audit: told with what happened or not at all, and never a secret.

use std::collections::BTreeSet;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_model::{AuditKind, AuditOutcome};
use countersign_protocol::Params;
use countersign_service::{ClientCall, Introspection, Provider};
use countersign_tests::provider::{
    ALICE, HOSPITAL, House, PORTAL_SECRET, Pair, Person, form, own_token, redeem, refresh, register_client,
};
use countersign_tests::stores::race;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

on_both_stores![
    no_event_holds_an_address_a_code_a_password_or_a_token,
    a_login_that_cannot_be_audited_does_not_happen,
    a_send_that_cannot_be_audited_does_not_happen,
    a_failure_that_cannot_be_audited_is_an_error,
    a_token_that_cannot_be_audited_is_not_issued,
    a_machine_gets_no_token_whose_event_is_not_committed,
    a_hundred_tokens_at_once_have_a_hundred_events_in_fewer_transactions,
    who_asks_what_a_token_is_good_for_is_audited_and_else_told_nothing,
];

/// One text per event, every column of it.
async fn read_all(house: &House) -> Vec<String> {
    let columns =
        ["id", "kind", "outcome", "subject", "client_id", "grant_id", "jti", "flow", "request", "address", "detail"];
    let all = columns.map(|column| format!("COALESCE({column}, '-')")).join(" || ' ' || ");
    house.texts(&format!("SELECT {all} AS text FROM audit_events ORDER BY id")).await
}

async fn no_event_holds_an_address_a_code_a_password_or_a_token(house: House) {
    let node = house.node().await;
    let mut person = Person::new();
    let options = person.arrive(&node, "scope=openid+offline_access+email").await.page();
    let sign_in = person.press(&node, &options, "email", &[("remember_customers", "on")]).await.page();
    let sign_in = person.give_password(&node, &sign_in, ("nobody@example.com", "a-typed-password")).await.page();
    let sign_in = person.give_password(&node, &sign_in, (HOSPITAL.0, "another-typed-password")).await.page();
    let page = person.give_password(&node, &sign_in, HOSPITAL).await.page();
    let sent = person.press(&node, &page, "send", &[]).await.page();
    let mailed = house.mailed_code(&node, HOSPITAL.0).await;
    let typed = if mailed == "918273" { "918274" } else { "918273" };
    let wrong = person.press(&node, &sent, "verify", &[("code", typed)]).await.page();
    let verified = person.press(&node, &wrong, "verify", &[("code", &mailed)]).await.page();
    let code = person.press(&node, &verified, "continue", &[]).await.code();
    let tokens = redeem(&node, &code).await.unwrap().unwrap();
    let first = tokens["refresh_token"].as_str().unwrap();
    let second = refresh(&node, first).await.unwrap().unwrap();
    refresh(&node, second["refresh_token"].as_str().unwrap()).await.unwrap().unwrap();
    // Its successor was used: whoever shows it now stole it.
    refresh(&node, first).await.unwrap().unwrap_err();
    redeem(&node, &code).await.unwrap().unwrap_err();
    person.arrive(&node, "p=email").await.code();
    person.arrive(&node, "p=nobody%40example.com").await.error();
    let options = person.arrive(&node, "login_hint=nobody%40example.com").await.page();
    person.press(&node, &options, "email", &[]).await;

    let text = |tokens: &serde_json::Value, name: &str| tokens[name].as_str().unwrap().to_owned();
    let mut secrets = vec!["@".to_owned(), mailed, typed.to_owned(), code, PORTAL_SECRET.to_owned()];
    secrets.extend(["a-typed-password", "another-typed-password", HOSPITAL.1, "nobody"].map(str::to_owned));
    secrets.extend(["access_token", "id_token", "refresh_token"].map(|name| text(&tokens, name)));
    secrets.extend(["access_token", "refresh_token"].map(|name| text(&second, name)));
    secrets.push(person.cookies.session.as_ref().unwrap().expose_secret().to_owned());
    secrets.push(person.cookies.binding.as_ref().unwrap().expose_secret().to_owned());
    secrets.push(options.flow.to_string());
    secrets.push(options.nonce);
    let events = read_all(&house).await;
    assert!(events.len() > 20, "{}", events.len());
    for event in events {
        // Six digits may stand in an id by chance; the code would stand in the detail.
        let (_, detail) = event.split_at(event.find('{').unwrap());
        for secret in &secrets {
            let place = if secret.len() == 6 { detail } else { event.as_str() };
            assert!(!place.contains(secret.as_str()), "{event}");
        }
    }
    let told: Vec<AuditKind> = house.events(None).await.into_iter().map(|event| event.kind).collect();
    for kind in [
        AuditKind::FlowStarted,
        AuditKind::SendQueued,
        AuditKind::SendDelivered,
        AuditKind::Login,
        AuditKind::SilentLogin,
        AuditKind::CodeIssued,
        AuditKind::TokenIssued,
        AuditKind::TokenRefreshed,
        AuditKind::ReplayDetected,
        AuditKind::RequestRefused,
        AuditKind::LoginForgotten,
    ] {
        assert!(told.contains(&kind), "{kind:?} is missing");
    }
    let failures = house.events(Some(AuditKind::Login)).await;
    assert_eq!(failures.iter().filter(|event| event.outcome == AuditOutcome::Failure).count(), 3);
}

fn nothing_active() -> Introspection {
    Introspection::Plain([("active".to_owned(), Value::Bool(false))].into_iter().collect())
}

/// The audit cannot be written from now on.
async fn break_audit(house: &House) {
    house.database.raw("ALTER TABLE audit_events RENAME TO hidden").await.unwrap();
}

async fn mend_audit(house: &House) {
    house.database.raw("ALTER TABLE hidden RENAME TO audit_events").await.unwrap();
}

async fn a_login_that_cannot_be_audited_does_not_happen(house: House) {
    let node = house.node().await;
    let mut person = Person::new();
    let page = person.walk_to_mailbox(&node, HOSPITAL, true).await;
    let verified = person.prove_mailbox(&house, &node, &page, HOSPITAL).await;
    break_audit(&house).await;
    assert!(person.post(&node, verified.flow, form(&verified, "continue", &[])).await.is_err());
    mend_audit(&house).await;
    for table in ["grants", "authorization_codes", "browser_sessions", "remembered_logins", "effects"] {
        assert_eq!(house.count(table, "1 = 1").await, 0, "{table}");
    }
    person.press(&node, &verified, "continue", &[]).await.code();
    assert_eq!(house.events(Some(AuditKind::Login)).await.len(), 1);
}

async fn a_send_that_cannot_be_audited_does_not_happen(house: House) {
    let node = house.node().await;
    let mut person = Person::new();
    let page = person.walk_to_mailbox(&node, HOSPITAL, false).await;
    break_audit(&house).await;
    assert!(person.post(&node, page.flow, form(&page, "send", &[])).await.is_err());
    mend_audit(&house).await;
    assert_eq!(house.outbox().await.len(), 0);
    person.press(&node, &page, "send", &[]).await.page();
    assert_eq!(house.outbox().await.len(), 1);
}

async fn a_failure_that_cannot_be_audited_is_an_error(house: House) {
    let node = house.node().await;
    let mut person = Person::new();
    let page = person.arrive(&node, "p=lab").await.page();
    let page = person.give_password(&node, &page, (ALICE.0, "not-her-password")).await.page();
    break_audit(&house).await;
    let fields = [("email", ALICE.0), ("password", "not-her-password")];
    assert!(person.post(&node, page.flow, form(&page, "login", &fields)).await.is_err());
    mend_audit(&house).await;
    assert_eq!(house.events(Some(AuditKind::Login)).await.len(), 1);
}

async fn a_token_that_cannot_be_audited_is_not_issued(house: House) {
    let node = house.node().await;
    let mut person = Person::new();
    let page = person.arrive(&node, "p=lab").await.page();
    let code = person.give_password(&node, &page, ALICE).await.code();
    break_audit(&house).await;
    assert!(redeem(&node, &code).await.is_err());
    mend_audit(&house).await;
    assert_eq!(house.count("authorization_codes", "consumed_at IS NOT NULL").await, 0);
    assert!(redeem(&node, &code).await.unwrap().is_ok());
    assert_eq!(house.events(Some(AuditKind::TokenIssued)).await.len(), 1);
}

async fn machine(house: &House) -> Arc<Provider> {
    let node = house.node().await;
    let machine = json!({
        "client_id": "machine", "scope": "cases.read", "redirect_uris": [], "grant_types": ["client_credentials"],
    });
    register_client(&node, machine).await;
    node
}

async fn a_machine_gets_no_token_whose_event_is_not_committed(house: House) {
    let node = machine(&house).await;
    break_audit(&house).await;
    own_token(&node, "machine").await.unwrap_err();
    mend_audit(&house).await;
    if house.pair == Pair::Servers {
        // Everything is well until the commit.
        for statement in [
            "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$",
            "CREATE CONSTRAINT TRIGGER fails AFTER INSERT ON audit_events DEFERRABLE INITIALLY DEFERRED FOR EACH ROW \
             EXECUTE FUNCTION fail()",
        ] {
            house.database.raw(statement).await.unwrap();
        }
        own_token(&node, "machine").await.unwrap_err();
        house.database.raw("DROP TRIGGER fails ON audit_events").await.unwrap();
    }
    assert_eq!(house.events(Some(AuditKind::TokenIssued)).await.len(), 0);
    own_token(&node, "machine").await.unwrap().unwrap();
    assert_eq!(house.events(Some(AuditKind::TokenIssued)).await.len(), 1);
}

async fn a_hundred_tokens_at_once_have_a_hundred_events_in_fewer_transactions(house: House) {
    let node = machine(&house).await;
    let tokens = race(100, |_| own_token(&node, "machine"));
    let jtis: BTreeSet<String> = tokens
        .into_iter()
        .map(|token| {
            let token = token.unwrap().unwrap()["access_token"].as_str().unwrap().to_owned();
            let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
            serde_json::from_slice::<Value>(&claims).unwrap()["jti"].as_str().unwrap().to_owned()
        })
        .collect();
    assert_eq!(jtis.len(), 100);
    let told = house.events(Some(AuditKind::TokenIssued)).await;
    assert_eq!(told.into_iter().filter_map(|event| event.jti).collect::<BTreeSet<_>>(), jtis);
    if house.pair == Pair::Servers {
        let sql = "SELECT COUNT(DISTINCT xmin::text)::text AS text FROM audit_events WHERE kind = 'token.issued'";
        let transactions: usize = house.texts(sql).await[0].parse().unwrap();
        assert!(transactions < 50, "{transactions} transactions");
    }
}

async fn who_asks_what_a_token_is_good_for_is_audited_and_else_told_nothing(house: House) {
    let node = house.node().await;
    let mut person = Person::new();
    let page = person.arrive(&node, "p=lab").await.page();
    let code = person.give_password(&node, &page, ALICE).await.code();
    let tokens = redeem(&node, &code).await.unwrap().unwrap();
    let issued = house.events(Some(AuditKind::TokenIssued)).await.pop().unwrap();
    let ask = async |token: &str| {
        let text = format!("token={token}&client_id=case-portal&client_secret={PORTAL_SECRET}");
        let form = Params::parse_form(text.as_bytes()).unwrap();
        let (query, context) = (Params::default(), Person::new().context);
        let call = ClientCall { authorization: None, query: &query, form: &form, context: &context };
        node.introspect(call, None).await
    };
    let access = tokens["access_token"].as_str().unwrap();
    for token in [access, "never-one"] {
        ask(token).await.unwrap().unwrap();
    }
    let told = house.events(Some(AuditKind::TokenIntrospected)).await;
    let told: Vec<_> = told.iter().map(|event| (event.jti.clone(), event.detail["stands"] == true)).collect();
    assert_eq!(told, [(issued.jti, true)], "and nothing of what is no token of ours");
    let count = async || house.events(Some(AuditKind::TokenIntrospected)).await.len();
    ask(access).await.unwrap().unwrap();
    assert_eq!(count().await, 1, "the same question again");
    house.database.raw("UPDATE grants SET revoked_at = 1").await.unwrap();
    assert_eq!(ask(access).await.unwrap().unwrap(), nothing_active());
    assert_eq!(count().await, 2, "another answer");
    house.database.raw("UPDATE grants SET revoked_at = NULL").await.unwrap();
    let mut person = Person::new();
    let page = person.arrive(&node, "p=lab").await.page();
    let code = person.give_password(&node, &page, ALICE).await.code();
    let tokens = redeem(&node, &code).await.unwrap().unwrap();
    let access = tokens["access_token"].as_str().unwrap();
    break_audit(&house).await;
    ask(access).await.unwrap_err();
    ask(access).await.unwrap_err();
    mend_audit(&house).await;
    ask(access).await.unwrap().unwrap();
    assert_eq!(count().await, 3, "what could not be told was not answered, and is told when it is");
}
