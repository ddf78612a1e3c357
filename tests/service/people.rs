//! What operators do for people, and what the help desk is told of them.

use std::io::Cursor;
use std::sync::Arc;

use countersign_model::{AuditKind, FactorKind, Role, Seconds, UserStatus};
use countersign_protocol::Params;
use countersign_protocol::delegation::Permission;
use countersign_service::policy::language::{Destination, Entry, Switch};
use countersign_service::policy::{Policy, PolicySet};
use countersign_service::{
    AdminCaller, AdminRefusal, AdministratorMade, Attempt, AttemptResult, CreateUser, ImportFormat, Imported,
    Invitation, LinkRule, NewAdministrator, PersonRefusal, Provider, RegistrationReset, RequestContext, ResourceCall,
    RoleChange, Timeline, TokenCall, UserChange, UserView,
};
use countersign_tests::provider::{
    ALICE, CLINIC, Corporate, Credentials, DUCK, HOSPITAL, House, NodePlan, PORTAL_URI, Person, Seen, code_in, encode,
    register_client,
};
use countersign_tests::stores::race;
use futures_util::future::join_all;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

on_both_stores![
    a_timeline_tells_of_each_attempt_why_it_ended_and_no_secret,
    a_timeline_tells_what_was_sent_and_that_it_did_not_arrive,
    what_others_did_is_in_nobody_elses_timeline,
    a_timeline_is_read_with_a_token_of_the_help_desk_alone,
    an_administrator_of_an_organization_sees_its_people_alone,
    an_invitation_makes_an_account_once_and_the_newest_link_works,
    a_reset_takes_everything_away_tells_the_phone_and_mails_a_link,
    an_administrators_registration_is_not_reset_without_force,
    who_is_disabled_is_signed_out_and_the_timeline_says_why_they_cannot_sign_in,
    an_import_brings_people_over_once_and_tells_of_what_it_refused,
    an_import_keeps_the_id_that_is_given,
    a_dry_run_counts_as_the_import_does_and_writes_nothing,
    the_first_administrator_registers_by_the_link_that_was_shown,
    of_many_who_are_made_the_first_administrator_at_once_one_is,
    of_many_browsers_that_use_the_shown_link_at_once_one_goes_on,
    a_mistyped_address_makes_nobody_an_administrator,
    a_link_counts_in_its_own_policy_alone,
    nobody_is_made_an_administrator_at_an_address_that_signs_in_elsewhere,
    a_request_that_is_sent_again_is_answered_within_the_reach_of_its_caller,
    an_invitation_is_told_of_when_it_is_mailed_and_not_otherwise,
];

fn nowhere() -> RequestContext {
    RequestContext::default()
}

async fn timeline(node: &Provider, who: &str) -> Timeline {
    node.timeline(who).await.unwrap().expect("an account")
}

async fn only_attempt(node: &Provider, who: &str) -> Attempt {
    let mut attempts = timeline(node, who).await.attempts;
    assert_eq!(attempts.len(), 1, "{attempts:?}");
    attempts.remove(0)
}

/// A try at `lab` with a password.
async fn try_password(node: &Provider, email: &str, password: &str) -> Seen {
    let mut person = Person::new();
    let page = person.arrive(node, "p=lab").await.page();
    person.press(node, &page, "login", &[("email", email), ("password", password)]).await
}

async fn a_timeline_tells_of_each_attempt_why_it_ended_and_no_secret(house: House) {
    let node = house.node().await;
    try_password(&node, "Alice@Example.com", "a-wrong-password").await.page();
    house.clock.pass(Seconds::new(2));
    let mut person = Person::new();
    let page = person.walk_to_mailbox(&node, HOSPITAL, false).await;
    let verified = person.prove_mailbox(&house, &node, &page, HOSPITAL).await;
    person.press(&node, &verified, "continue", &[]).await.code();

    let told = only_attempt(&node, " ALICE@example.com").await;
    assert_eq!((told.result, told.policies.as_slice()), (AttemptResult::Waiting, &["lab".to_owned()][..]));
    assert!(told.why.starts_with("The password was wrong."), "{}", told.why);
    assert_eq!(told.client.as_deref(), Some("case-portal"));
    assert!(
        told.steps.iter().any(|step| step.kind == AuditKind::Login && step.address.is_none() || step.step.is_some()),
        "{:?}",
        told.steps
    );
    house.clock.pass(Seconds::hours(5));
    assert_eq!(only_attempt(&node, ALICE.0).await.result, AttemptResult::Abandoned);

    let told = only_attempt(&node, HOSPITAL.0).await;
    assert_eq!((told.result, told.next.as_str()), (AttemptResult::SignedIn, "Nothing."));
    assert_eq!(told.policies, ["login-options", "email"]);
    assert_eq!(told.sends.len(), 1);
    assert_eq!((told.sends[0].channel.as_str(), told.sends[0].state), ("email", Some("delivered")));

    let letters = house.relay.letters();
    for who in [ALICE, HOSPITAL] {
        let timeline = timeline(&node, who.0).await;
        let text = format!("{}\n{}", timeline.to_json(), timeline.to_lines().join("\n"));
        for secret in [who.0, who.1, "a-wrong-password", &letters[0].find_code().expect("a code")] {
            assert!(!text.contains(secret), "{secret}: {text}");
        }
    }
    let person = timeline(&node, HOSPITAL.0).await.person;
    assert_eq!(person.email.as_deref(), Some("d*****@example.com"));
    assert_eq!(person.factors, [(FactorKind::Mailbox, Some("d*****@example.com".to_owned()))]);
    assert!(node.timeline("nobody@example.com").await.unwrap().is_none());
}

async fn a_timeline_tells_what_was_sent_and_that_it_did_not_arrive(house: House) {
    let node = house.node().await;
    let mut person = Person::new();
    let page = person.walk_to_mailbox(&node, HOSPITAL, false).await;
    person.press(&node, &page, "send", &[]).await.page();
    let waiting = only_attempt(&node, HOSPITAL.0).await;
    assert!(waiting.why.contains("waits to be handed over"), "{}", waiting.why);
    house.relay.set_temper(countersign_tests::provider::Temper::RefusesForGood);
    house.deliver(&node).await;
    let lost = only_attempt(&node, HOSPITAL.0).await;
    assert!(lost.sends[0].lost, "{:?}", lost.sends);
    assert!(lost.why.contains("refused by the carrier"), "{}", lost.why);
    assert_eq!(lost.next, "Check the mail address on file and the relay.");
}

async fn what_others_did_is_in_nobody_elses_timeline(house: House) {
    let node = house.node().await;
    let mut person = Person::new();
    let page = person.arrive(&node, "p=lab").await.page();
    let page = person.give_password(&node, &page, (CLINIC.0, "not-the-password")).await.page();
    person.give_password(&node, &page, ALICE).await.code();
    let told = only_attempt(&node, CLINIC.0).await;
    assert_ne!(told.result, AttemptResult::SignedIn, "it was Alice who signed in");
    assert!(told.steps.iter().all(|step| !step.line.contains("Signed in")), "{:?}", told.steps);
    assert_eq!(only_attempt(&node, ALICE.0).await.result, AttemptResult::SignedIn);
    assert!(timeline(&node, DUCK.0).await.attempts.is_empty());
}

const SECRET: &str = "help-desk-secret-of-the-tests-0123456789";

async fn register_desk(node: &Provider, id: &str, scope: &str) {
    let client = json!({
        "client_id": id, "client_secret": SECRET,
        "grant_types": ["authorization_code", "client_credentials"], "scope": scope,
        "countersign_policy": "lab", "countersign_policies": ["lab", "email"],
    });
    register_client(node, client).await;
}

async fn token(node: &Provider, client: &str, grant: &str) -> String {
    let form = format!("{grant}&client_id={client}&client_secret={SECRET}");
    let form = Params::parse_form(form.as_bytes()).unwrap();
    let (query, context) = (Params::default(), nowhere());
    let call =
        TokenCall { authorization: None, query: &query, form: &form, dpop: None, certificate: None, context: &context };
    let answer = node.token(call).await.unwrap().unwrap();
    answer["access_token"].as_str().unwrap().to_owned()
}

/// A token of a person for `client`, who signed in by a password and a mailed code.
async fn persons_token(house: &House, node: &Arc<Provider>, who: Credentials, client: &str, scope: &str) -> String {
    let mut person = Person::new();
    let page = person.arrive_from(node, client, &format!("scope={scope}&p=email")).await.page();
    let page = person.give_password(node, &page, who).await.page();
    let verified = person.prove_mailbox(house, node, &page, who).await;
    let code = code_in(&person.press(node, &verified, "continue", &[]).await.response());
    token(node, client, &format!("grant_type=authorization_code&code={code}&redirect_uri={}", encode(PORTAL_URI))).await
}

/// One who gave a password alone.
async fn weak_token(node: &Provider, who: Credentials, client: &str, scope: &str) -> String {
    let mut person = Person::new();
    let page = person.arrive_from(node, client, &format!("scope={scope}")).await.page();
    let code = code_in(&person.give_password(node, &page, who).await.response());
    token(node, client, &format!("grant_type=authorization_code&code={code}&redirect_uri={}", encode(PORTAL_URI))).await
}

fn admin_call<'a>(authorization: Option<&'a str>, query: &'a Params) -> ResourceCall<'a> {
    let path = "/admin/api/v1/users/somebody/timeline";
    ResourceCall { method: "GET", path, authorization, dpop: None, query, form: query, certificate: None }
}

async fn read(node: &Provider, token: &str, who: &str) -> Result<Timeline, AdminRefusal> {
    let (authorization, query) = (format!("Bearer {token}"), Params::default());
    let call = admin_call(Some(&authorization), &query);
    node.read_timeline(call, who, &nowhere()).await.unwrap()
}

fn status(refusal: Result<Timeline, AdminRefusal>) -> u16 {
    match refusal {
        Ok(_) => 200,
        Err(AdminRefusal::Token(refusal)) => refusal.status(),
        Err(AdminRefusal::Unknown) => 404,
        Err(other) => panic!("{other:?}"),
    }
}

/// Who changes something by the admin API with this token.
async fn writer(node: &Provider, token: &str) -> AdminCaller {
    let (authorization, query) = (format!("Bearer {token}"), Params::default());
    let call = admin_call(Some(&authorization), &query);
    node.find_writer(call, Permission::WriteUsers).await.unwrap().expect("may write")
}

/// The account of a new nurse of ward 7, by a request that has a key.
async fn create_nurse(node: &Provider, token: &str) -> Result<UserView, AdminRefusal> {
    let new = CreateUser {
        email: "new.nurse@example.com".to_owned(),
        name: "New Nurse".to_owned(),
        username: None,
        organization_npi: Some("1234567893".to_owned()),
        client: None,
        locale: None,
    };
    let caller = writer(node, token).await;
    node.create_user(&caller, &new, Some(("key", b"asked")), &nowhere()).await.unwrap()
}

async fn a_request_that_is_sent_again_is_answered_within_the_reach_of_its_caller(house: House) {
    let node = house.node().await;
    register_desk(&node, "desk", "openid users.read users.write").await;
    let own = node.create_organization("Ward 7", "1234567893", &SecretString::from("code-one")).await.unwrap();
    let other = node.create_organization("Ward 8", "1245319599", &SecretString::from("code-two")).await.unwrap();
    let role = |npi| RoleChange { who: CLINIC.0, role: Role::ProviderAdministrator, npi: Some(npi), reason: "wards" };
    for npi in ["1234567893", "1245319599"] {
        node.grant_role(role(npi), &nowhere()).await.unwrap().unwrap();
    }
    let token = persons_token(&house, &node, CLINIC, "desk", "openid+users.write").await;
    let made = create_nurse(&node, &token).await.unwrap();
    assert_eq!(create_nurse(&node, &token).await.unwrap().id, made.id);
    // The caller looks after another organization still, and not after this one.
    node.revoke_role(role("1234567893"), &nowhere()).await.unwrap().unwrap();
    assert!(matches!(create_nurse(&node, &token).await, Err(AdminRefusal::Unknown)), "out of reach");
    let nurse = "WHERE email = 'new.nurse@example.com'";
    house.database.raw(&format!("UPDATE users SET organization = '{other}' {nurse}")).await.unwrap();
    assert_eq!(create_nurse(&node, &token).await.unwrap().id, made.id);
    house.database.raw(&format!("UPDATE users SET status = 'closed' {nurse}")).await.unwrap();
    assert!(matches!(create_nurse(&node, &token).await, Err(AdminRefusal::Unknown)), "closed");
    assert_eq!(house.count("users", &format!("organization IN ('{own}', '{other}')")).await, 1);
}

async fn an_invitation_is_told_of_when_it_is_mailed_and_not_otherwise(house: House) {
    let node = house.node().await;
    register_desk(&node, "desk", "openid users.read users.write").await;
    node.create_organization("Ward 7", "1234567893", &SecretString::from("code-one")).await.unwrap();
    let token = token(&node, "desk", "grant_type=client_credentials&scope=users.write").await;
    let made = create_nurse(&node, &token).await.unwrap();
    let invite = async || {
        let change = UserChange { user: &made.id, reason: "", expected: None };
        node.invite_user(writer(&node, &token).await, change, &nowhere()).await
    };
    let told = async || {
        let changes = house.events(Some(AuditKind::UserChanged)).await;
        changes.iter().filter(|event| event.detail["change"] == "invited again").count()
    };
    house.database.raw("ALTER TABLE links RENAME TO links_away").await.unwrap();
    assert!(invite().await.is_err());
    house.database.raw("ALTER TABLE links_away RENAME TO links").await.unwrap();
    assert_eq!(told().await, 0);
    invite().await.unwrap().unwrap();
    assert_eq!((told().await, house.count("links", "revoked_at IS NULL").await), (1, 1));
}

async fn set_roles(house: &House, email: &str, roles: &Value) {
    house.database.raw(&format!("UPDATE users SET roles = '{roles}' WHERE email = '{email}'")).await.unwrap();
}

async fn a_timeline_is_read_with_a_token_of_the_help_desk_alone(house: House) {
    let node = house.node().await;
    register_desk(&node, "desk", "openid users.read").await;
    register_desk(&node, "shop", "openid orders.read").await;
    let own = token(&node, "desk", "grant_type=client_credentials&scope=users.read").await;
    assert_eq!(status(read(&node, &own, HOSPITAL.0).await), 200);
    assert_eq!(status(read(&node, &own, "nobody@example.com").await), 404);
    let other = token(&node, "shop", "grant_type=client_credentials&scope=orders.read").await;
    assert_eq!(status(read(&node, &other, HOSPITAL.0).await), 403);
    assert_eq!(status(read(&node, "no-token", HOSPITAL.0).await), 401);
    let query = Params::default();
    let call = admin_call(None, &query);
    let refused = node.read_timeline(call, HOSPITAL.0, &nowhere()).await.unwrap();
    assert!(matches!(refused, Err(AdminRefusal::Token(refusal)) if refusal.challenge() == "Bearer"));

    // A person's token counts for what the person may do, at the time of asking.
    let clinics = persons_token(&house, &node, CLINIC, "desk", "openid+users.read").await;
    let weak = weak_token(&node, CLINIC, "desk", "openid+users.read").await;
    for (roles, expected) in [
        (json!([]), 403),
        (json!(["security_auditor"]), 403),
        (json!(["help_desk"]), 200),
        (json!(["administrator"]), 200),
    ] {
        set_roles(&house, CLINIC.0, &roles).await;
        assert_eq!(status(read(&node, &clinics, HOSPITAL.0).await), expected, "{roles}");
        // RFC 9470: who may not is told so, and who may proves it first.
        let told = read(&node, &weak, HOSPITAL.0).await;
        let Err(AdminRefusal::Token(refusal)) = told else { panic!("{roles}: a password was enough") };
        assert_eq!(refusal.status(), if expected == 200 { 401 } else { 403 }, "{roles}");
        let steps_up = r#"acr_values="urn:countersign:acr:password-email""#;
        assert_eq!(refusal.challenge().contains(steps_up), expected == 200, "{}", refusal.challenge());
    }
    let clinic = house.user(CLINIC.0).await;
    let readings = house.events(Some(AuditKind::TimelineRead)).await;
    let count = |by: &str| readings.iter().filter(|event| event.detail["by"] == by).count();
    assert_eq!((count("client"), count(clinic.as_str()), readings.len()), (1, 2, 3), "who was refused read nothing");
    let person = house.user(HOSPITAL.0).await;
    assert!(readings.iter().all(|event| event.subject.as_ref() == Some(&person) && event.client.is_some()));
    let told = timeline(&node, HOSPITAL.0).await;
    assert!(told.other.iter().all(|happening| happening.kind != AuditKind::TimelineRead), "{:?}", told.other);
    let readings = house.events(Some(AuditKind::TimelineRead)).await;
    assert!(readings.iter().any(|event| event.detail["by"] == "operator" && event.client.is_none()));
    let narrow = weak_token(&node, CLINIC, "desk", "openid").await;
    assert_eq!(status(read(&node, &narrow, HOSPITAL.0).await), 403);
    house.set_status(CLINIC.0, UserStatus::Disabled).await;
    assert_eq!(status(read(&node, &clinics, HOSPITAL.0).await), 401);
    // A client that may have it no more.
    register_desk(&node, "desk", "openid").await;
    assert_eq!(status(read(&node, &own, HOSPITAL.0).await), 403);
}

async fn an_administrator_of_an_organization_sees_its_people_alone(house: House) {
    let node = house.node().await;
    register_desk(&node, "desk", "openid users.read").await;
    let own = node.create_organization("Ward 7", "1234567893", &SecretString::from("code-one")).await.unwrap();
    let other = node.create_organization("Ward 8", "1245319599", &SecretString::from("code-two")).await.unwrap();
    set_roles(&house, CLINIC.0, &json!(["provider_administrator"])).await;
    let token = persons_token(&house, &node, CLINIC, "desk", "openid+users.read").await;
    assert_eq!(status(read(&node, &token, HOSPITAL.0).await), 404, "neither belongs to any");
    let role = RoleChange { who: CLINIC.0, role: Role::ProviderAdministrator, npi: Some("1234567893"), reason: "hers" };
    node.grant_role(role, &nowhere()).await.unwrap().unwrap();
    assert_eq!(
        status(read(&node, &token, HOSPITAL.0).await),
        404,
        "one looks after an organization, the other is in none"
    );
    for (who, organization) in [(CLINIC, &own), (HOSPITAL, &own), (ALICE, &other)] {
        let sql = format!("UPDATE users SET organization = '{organization}' WHERE email = '{}'", who.0);
        house.database.raw(&sql).await.unwrap();
    }
    for (who, expected) in [(HOSPITAL, 200), (ALICE, 404), (DUCK, 404)] {
        assert_eq!(status(read(&node, &token, who.0).await), expected, "{}", who.0);
    }
}

async fn open_link(node: &Provider, token: &SecretString) -> Seen {
    let mut person = Person::new();
    let answered = node.open_link(token, person.call()).await.unwrap();
    person.follow(node, answered).await
}

async fn an_invitation_makes_an_account_once_and_the_newest_link_works(house: House) {
    let node = house.node().await;
    node.create_organization("Ward 7", "1234567893", &SecretString::from("code-one")).await.unwrap();
    let new = Invitation {
        email: " New.Nurse@Example.com".to_owned(),
        name: "New Nurse".to_owned(),
        username: Some("NNurse".to_owned()),
        npi: Some("1234567893".to_owned()),
        client: None,
        locale: "en".to_owned(),
    };
    let first = node.invite(&new, &nowhere()).await.unwrap().unwrap();
    assert!(first.created);
    let old = house.mailed_link(&node, "new.nurse@example.com").await;
    let second = node.invite(&new, &nowhere()).await.unwrap().unwrap();
    assert!(!second.created && second.user == first.user);
    let link = house.mailed_link(&node, "new.nurse@example.com").await;
    assert_eq!(open_link(&node, &old).await.page().view.page, "link_expired");
    assert_eq!(open_link(&node, &link).await.page().view.page, "link_landing");
    let told = timeline(&node, "nnurse").await;
    assert!(!told.person.registered && !told.person.password);
    assert!(told.attempts.iter().all(|attempt| attempt.result == AttemptResult::Mailed), "{:?}", told.attempts);
    assert_eq!(house.count("users", "organization IS NOT NULL AND username = 'nnurse'").await, 1);

    let with = |change: fn(&mut Invitation)| {
        let mut other = new.clone();
        change(&mut other);
        other
    };
    let registered = with(|new| (new.email, new.username) = (CLINIC.0.to_owned(), None));
    for (wrong, refusal) in [
        (registered, PersonRefusal::Registered),
        (with(|new| new.username = Some("somebody".to_owned())), PersonRefusal::Differs("user name")),
        (with(|new| new.email = "other@example.com".to_owned()), PersonRefusal::UsernameTaken),
        (with(|new| new.email = "no address".to_owned()), PersonRefusal::Email),
        (with(|new| new.name = "\u{7}".to_owned()), PersonRefusal::Name),
        (with(|new| new.npi = Some("1245319599".to_owned())), PersonRefusal::OrganizationUnknown),
        (with(|new| new.client = Some("no-client".to_owned())), PersonRefusal::ClientUnknown),
    ] {
        assert_eq!(node.invite(&wrong, &nowhere()).await.unwrap().unwrap_err(), refusal);
    }
    assert_eq!(house.count("users", "1 = 1").await, 5);
}

/// The phone's login is remembered on some browser.
async fn remember_by_phone(house: &House, node: &Arc<Provider>) {
    let mut person = Person::new();
    let sign_in = person.arrive(node, "p=phone").await.page();
    let fields = [("email", DUCK.0), ("password", DUCK.1), ("remember", "on")];
    let phone = person.press(node, &sign_in, "login", &fields).await.page();
    let sent = person.press(node, &phone, "send", &[]).await.page();
    house.deliver(node).await;
    let code = house.phones.newest("+12025553661").code();
    person.press(node, &sent, "verify", &[("code", &code)]).await.code();
    assert_eq!(house.count("remembered_logins", "policy = 'phone'").await, 1);
    // The notice of a new device is out before anything else is mailed.
    house.deliver(node).await;
}

async fn a_reset_takes_everything_away_tells_the_phone_and_mails_a_link(house: House) {
    let node = house.node().await;
    let mut person = Person::new();
    let page = person.arrive(&node, "p=lab").await.page();
    person.give_password(&node, &page, DUCK).await.code();
    remember_by_phone(&house, &node).await;
    let reset = RegistrationReset { who: DUCK.0, reason: "lost her phone, ticket 4711", force: false };
    let done = node.reset_registration(reset, &nowhere()).await.unwrap().unwrap();
    assert_eq!((done.factors.as_slice(), done.was_complete, done.phone_told), (&["mailbox", "phone"][..], true, true));
    let user = house.user(DUCK.0).await;
    for (table, condition) in [
        ("factors", format!("user_id = '{user}'")),
        ("password_credentials", format!("user_id = '{user}'")),
        ("browser_sessions", format!("user_id = '{user}' AND ended_at IS NULL")),
        ("remembered_logins", format!("user_id = '{user}'")),
        ("grants", format!("user_id = '{user}' AND revoked_at IS NULL")),
        ("users", format!("id = '{user}' AND registered_at IS NOT NULL")),
    ] {
        assert_eq!(house.count(table, &condition).await, 0, "{table}");
    }
    assert_eq!(try_password(&node, DUCK.0, DUCK.1).await.page().view.page, "sign_in");
    let link = house.mailed_link(&node, DUCK.0).await;
    assert!(house.phones.newest("+12025553661").text.contains("reset by an administrator"));
    assert_eq!(open_link(&node, &link).await.page().view.page, "link_landing");
    let told = timeline(&node, DUCK.0).await;
    let line = "Account: registration reset by operator: lost her phone, ticket 4711";
    assert!(told.other.iter().any(|happening| happening.line == line), "{:?}", told.other);
    let phone = "Text message `registration_reset`: main took it";
    assert!(told.other.iter().any(|happening| happening.line.starts_with(phone)), "{:?}", told.other);

    // Again: the link alone is new.
    let again = node.reset_registration(reset, &nowhere()).await.unwrap().unwrap();
    assert!(again.factors.is_empty() && !again.was_complete && !again.phone_told);
    for (who, reason, refusal) in [
        ("nobody", "x", PersonRefusal::Unknown),
        (DUCK.0, " ", PersonRefusal::Reason),
        (DUCK.0, "a\nb", PersonRefusal::Reason),
    ] {
        let reset = RegistrationReset { who, reason, force: false };
        assert_eq!(node.reset_registration(reset, &nowhere()).await.unwrap().unwrap_err(), refusal);
    }
}

async fn an_administrators_registration_is_not_reset_without_force(house: House) {
    let node = house.node().await;
    for role in ["administrator", "provider_administrator"] {
        set_roles(&house, HOSPITAL.0, &json!([role])).await;
        let reset = RegistrationReset { who: HOSPITAL.0, reason: "asked by mail", force: false };
        let refused = node.reset_registration(reset, &nowhere()).await.unwrap().unwrap_err();
        assert_eq!(refused, PersonRefusal::Administrator);
    }
    assert_eq!(house.count("outbox", "1 = 1").await, 0);
    let reset = RegistrationReset { who: HOSPITAL.0, reason: "asked in person", force: true };
    assert!(node.reset_registration(reset, &nowhere()).await.unwrap().is_ok());
}

async fn who_is_disabled_is_signed_out_and_the_timeline_says_why_they_cannot_sign_in(house: House) {
    let node = house.node().await;
    let mut person = Person::new();
    let page = person.arrive(&node, "p=lab").await.page();
    person.give_password(&node, &page, ALICE).await.code();
    node.disable_person(ALICE.0, "left the ward", &nowhere()).await.unwrap().unwrap();
    for (table, condition) in [("browser_sessions", "ended_at IS NULL"), ("grants", "revoked_at IS NULL")] {
        assert_eq!(house.count(table, condition).await, 0, "{table}");
    }
    try_password(&node, ALICE.0, ALICE.1).await.page();
    let told = timeline(&node, ALICE.0).await;
    let refused = told.attempts.iter().find(|attempt| attempt.result == AttemptResult::Waiting).unwrap();
    assert!(refused.why.starts_with("The account is disabled"), "{}", refused.why);
    assert!(refused.next.contains("countersign user enable"), "{}", refused.next);
    let again = node.disable_person(ALICE.0, "left the ward", &nowhere()).await.unwrap();
    assert_eq!(again.unwrap_err(), PersonRefusal::Already("disabled"));
    house.clock.pass(Seconds::new(1));
    node.enable_person(ALICE.0, "came back", &nowhere()).await.unwrap().unwrap();
    try_password(&node, ALICE.0, ALICE.1).await.code();
    let reasons: Vec<Value> = house
        .events(Some(AuditKind::UserChanged))
        .await
        .into_iter()
        .filter_map(|event| event.detail.get("reason").cloned())
        .collect();
    assert_eq!(reasons, ["left the ward", "came back"]);
}

const BCRYPT: &str = "$2b$04$abcdefghijklmnopqrstuu5pTTdzW1hCDd3xLtvje8LLGZ4uI9cVe";
const PBKDF2: &str = "$pbkdf2-sha256$i=1000$c2l4dGVlbiBieXRlcyAhIQ$ajDQuQDrd3zODIF8diYAv3JE1zPmhOAsINBqAIBkKII";

fn file() -> String {
    [
        "\u{feff}username,email,name,organization,hash\r".to_owned(),
        format!("Legacy1,One@Example.com,\"Doe, Jane\",1234567893,{BCRYPT}\r"),
        format!("legacy2,,,,{PBKDF2}"),
        format!("LEGACY1,three@example.com,,,{BCRYPT}"),
        String::new(),
        format!("legacy4,one@example.com,,,{BCRYPT}"),
        format!("legacy5,no address,,,{BCRYPT}"),
        "legacy6,,,,$md5$0123456789".to_owned(),
        format!("legacy7,,,9999999999,{BCRYPT}"),
        format!("legacy8,{BCRYPT}"),
        format!("legacy9,,{},,{BCRYPT}", "x".repeat(9000)),
        format!(",,,,{BCRYPT}"),
        format!("legacy10,,\"open,,{BCRYPT}"),
        format!("legacy11,{},,,{BCRYPT}", HOSPITAL.0),
        "legacy12,,,,".to_owned(),
    ]
    .join("\n")
}

/// Line numbers that [`file`] has refused.
const REFUSED: [u64; 9] = [6, 7, 8, 9, 10, 11, 12, 13, 14];

async fn import(node: &Provider, text: &str, format: ImportFormat, dry_run: bool) -> Imported {
    node.import_people(Cursor::new(text.as_bytes().to_vec()), format, dry_run, &nowhere()).await.unwrap()
}

fn done(imported: Imported) -> countersign_service::ImportReport {
    match imported {
        Imported::Done(report) => report,
        Imported::Unreadable(why, _) => panic!("{why}"),
    }
}

async fn an_import_brings_people_over_once_and_tells_of_what_it_refused(house: House) {
    let node = house.node().await;
    node.create_organization("Ward 7", "1234567893", &SecretString::from("code-one")).await.unwrap();
    let report = done(import(&node, &file(), ImportFormat::Csv, false).await);
    assert_eq!((report.lines, report.imported, report.skipped, report.rejected), (13, 3, 1, 9), "{report:?}");
    assert_eq!(report.without_hash, 1);
    let mut lines: Vec<u64> = report.told.iter().map(|told| told.line).collect();
    lines.sort_unstable();
    assert_eq!(lines, REFUSED);
    let told = format!("{report:?}");
    assert!(!told.contains("$2b$") && !told.contains("$md5") && !told.contains("example.com"), "{told}");
    let jane = house.database.db.read(async |tx| tx.find_account_by_username("legacy1").await).await.unwrap().unwrap();
    assert_eq!(jane.user.email.as_deref(), Some("one@example.com"));
    assert_eq!(jane.user.profile.name.as_deref(), Some("Doe, Jane"));
    assert!(jane.user.organization.is_some() && jane.user.registered_at.is_none() && jane.password.is_none());
    assert_eq!(jane.legacy.unwrap().phc.as_str(), BCRYPT);
    let again = done(import(&node, &file(), ImportFormat::Csv, false).await);
    assert_eq!((again.imported, again.skipped, again.rejected), (0, 4, 9));

    let lines = (0..250).map(|n| json!({"username": format!("bulk{n}"), "hash": PBKDF2}).to_string());
    let text = lines.collect::<Vec<_>>().join("\n") + "\n{\"username\": \"x\", \"role\": \"administrator\"}\n";
    let report = done(import(&node, &text, ImportFormat::Ndjson, false).await);
    assert_eq!((report.imported, report.rejected, report.told[0].line), (250, 1, 251));
    assert_eq!(house.count("legacy_credentials", "1 = 1").await, 252);
    let created = house.count("audit_events", "kind = 'account.created'").await;
    assert_eq!(created, 253);
    let wrong = import(&node, "user,hash\na,b\n", ImportFormat::Csv, false).await;
    assert!(matches!(wrong, Imported::Unreadable(..)));
}

async fn an_import_keeps_the_id_that_is_given(house: House) {
    let node = house.node().await;
    let id = "0f8fad5b-d9cb-469f-a165-70867728950e";
    let line = |name: &str, id: &str| json!({"username": name, "id": id}).to_string() + "\n";
    let text = line("kept", id) + &line("second", id) + &line("third", "no-uuid");
    for dry_run in [true, false] {
        let report = done(import(&node, &text, ImportFormat::Ndjson, dry_run).await);
        assert_eq!((report.imported, report.rejected), (1, 2), "{report:?}");
        let reasons: Vec<_> = report.told.iter().map(|told| told.reason).collect();
        assert!(
            reasons.contains(&"the id is another account's") && reasons.contains(&"the id is no UUID"),
            "{reasons:?}"
        );
    }
    let kept = house.database.db.read(async |tx| tx.find_account_by_username("kept").await).await.unwrap().unwrap();
    assert_eq!(kept.user.id.as_str(), id);
}

async fn a_dry_run_counts_as_the_import_does_and_writes_nothing(house: House) {
    let node = house.node().await;
    node.create_organization("Ward 7", "1234567893", &SecretString::from("code-one")).await.unwrap();
    let (users, events) = (house.count("users", "1 = 1").await, house.events(None).await.len());
    let dry = done(import(&node, &file(), ImportFormat::Csv, true).await);
    assert_eq!(house.count("users", "1 = 1").await, users);
    assert_eq!(house.events(None).await.len(), events);
    let real = done(import(&node, &file(), ImportFormat::Csv, false).await);
    assert_eq!((dry.imported, dry.skipped, dry.rejected), (real.imported, real.skipped, real.rejected));
    assert_eq!(dry.told.iter().map(|told| told.line).max(), real.told.iter().map(|told| told.line).max());
}

/// An administrator made by the command line.
async fn make(node: &Provider, email: &str, another: bool) -> Result<AdministratorMade, PersonRefusal> {
    let new = NewAdministrator { email, name: "Ruth Root", locale: "en", another };
    node.create_administrator(new, &nowhere()).await.unwrap()
}

fn token_of(made: &AdministratorMade) -> SecretString {
    let link = made.link.expose_secret();
    SecretString::from(link.strip_prefix("https://id.example/link/").expect("a link"))
}

async fn the_first_administrator_registers_by_the_link_that_was_shown(house: House) {
    let node = house.node().await;
    let before = house.count("users", "1 = 1").await;
    for (email, name, refusal) in
        [("no address", "Ruth", PersonRefusal::Email), ("root@example.com", " ", PersonRefusal::Name)]
    {
        let new = NewAdministrator { email, name, locale: "en", another: true };
        assert_eq!(node.create_administrator(new, &nowhere()).await.unwrap().unwrap_err(), refusal);
    }
    assert_eq!(make(&node, ALICE.0, false).await.unwrap_err(), PersonRefusal::EmailTaken);
    assert_eq!(
        (house.count("users", "1 = 1").await, house.count("links", "1 = 1").await),
        (before, 0),
        "nothing changed"
    );

    let first = make(&node, " Root@Example.com", false).await.unwrap();
    assert!(first.created);
    assert!(house.outbox().await.is_empty(), "nothing is mailed");
    let again = make(&node, "root@example.com", false).await.unwrap();
    assert_eq!((again.created, &again.user), (false, &first.user));
    assert_eq!(again.expires_at, house.clock.now().plus(Seconds::hours(1)), "it stands on a screen");
    assert_eq!(open_link(&node, &token_of(&first)).await.page().view.page, "link_expired");
    assert_eq!(make(&node, "second@example.com", false).await.unwrap_err(), PersonRefusal::AdministratorThere);
    let second = make(&node, "second@example.com", true).await.unwrap();
    assert!(second.created);
    assert_eq!(house.count("users", "roles = '[\"administrator\"]'").await, 2);

    let mut person = Person::new();
    let answered = node.open_link(&token_of(&again), person.call()).await.unwrap();
    let landing = person.follow(&node, answered).await.page();
    let page = person.press(&node, &landing, "continue", &[]).await.page();
    let mailbox = format!("user_id = '{}' AND kind = 'mailbox' AND value = 'root@example.com'", first.user);
    assert_eq!((page.view.page.as_str(), house.count("factors", &mailbox).await), ("email_verify", 0));
    let verified = person.prove_mailbox(&house, &node, &page, ("root@example.com", "")).await;
    let method = person.press(&node, &verified, "continue", &[]).await.page();
    let password = person.press(&node, &method, "email", &[]).await.page();
    let typed = "seven quiet herons over the weir";
    let fields = [("new_password", typed), ("confirm_password", typed)];
    let terms = person.press(&node, &password, "set", &fields).await.page();
    person.press(&node, &terms, "accept", &[("accept", "on")]).await;
    let condition = format!("id = '{}' AND registered_at IS NOT NULL", first.user);
    assert_eq!(house.count("users", &condition).await, 1);
    assert_eq!(house.count("factors", &mailbox).await, 1, "they can sign in by mail from now on");
    assert_eq!(open_link(&node, &token_of(&again)).await.page().view.page, "link_expired");
    assert_eq!(make(&node, "root@example.com", true).await.unwrap_err(), PersonRefusal::EmailTaken, "registered");

    let told = house.events(None).await;
    let of = |event: &&countersign_model::AuditEvent| event.subject.as_ref() == Some(&first.user);
    let changes: Vec<_> = told.iter().filter(of).filter_map(|event| event.detail.get("change")?.as_str()).collect();
    assert_eq!(changes.iter().filter(|change| **change == "created").count(), 1, "{changes:?}");
    assert_eq!(changes.iter().filter(|change| **change == "link shown").count(), 2, "{changes:?}");
    let text = format!("{told:?}");
    for made in [&first, &again, &second] {
        assert!(!text.contains(token_of(made).expose_secret()), "the audit tells of no token");
    }
    // Whose account is disabled counts no more.
    for email in ["root@example.com", "second@example.com"] {
        house.set_status(email, UserStatus::Disabled).await;
    }
    assert!(make(&node, "third@example.com", false).await.unwrap().created);
}

async fn of_many_who_are_made_the_first_administrator_at_once_one_is(house: House) {
    const MANY: usize = 16;
    let node = house.node().await;
    let made = tokio::task::block_in_place(|| {
        race(MANY, async |caller| make(&node, &format!("root{caller}@example.com"), false).await)
    });
    let refused = made.iter().filter_map(|made| made.as_ref().err()).collect::<Vec<_>>();
    assert_eq!(refused, vec![&PersonRefusal::AdministratorThere; MANY - 1]);
    assert_eq!(house.count("users", "roles = '[\"administrator\"]'").await, 1);
    assert_eq!(house.count("links", "1 = 1").await, 1);
}

async fn of_many_browsers_that_use_the_shown_link_at_once_one_goes_on(house: House) {
    const MANY: usize = 16;
    let node = house.node().await;
    let token = token_of(&make(&node, "root@example.com", false).await.unwrap());
    let mut people: Vec<Person> = (0..MANY).map(|_| Person::new()).collect();
    let mut pages = Vec::new();
    for person in &mut people {
        let answered = node.open_link(&token, person.call()).await.unwrap();
        pages.push(person.follow(&node, answered).await.page());
    }
    let presses = people.iter_mut().zip(&pages).map(|(person, page)| person.press(&node, page, "continue", &[]));
    let seen: Vec<String> = join_all(presses).await.into_iter().map(|seen| seen.page().view.page).collect();
    assert_eq!(seen.iter().filter(|page| *page == "email_verify").count(), 1, "{seen:?}");
    assert_eq!(seen.iter().filter(|page| *page == "link_expired").count(), MANY - 1, "{seen:?}");
}

/// Neither who holds the link without the mailbox nor who holds the mailbox without the link gets anywhere.
async fn a_mistyped_address_makes_nobody_an_administrator(house: House) {
    const MISTYPED: &str = "root@exmaple.com";
    let node = house.node().await;
    let made = make(&node, MISTYPED, false).await.unwrap();
    let mut person = Person::new();
    let answered = node.open_link(&token_of(&made), person.call()).await.unwrap();
    let landing = person.follow(&node, answered).await.page();
    let page = person.press(&node, &landing, "continue", &[]).await.page();
    let mut page = person.press(&node, &page, "send", &[]).await.page();
    for control in ["verify", "continue", "set", "email", "phone", "accept"] {
        let typed = "seven quiet herons over the weir";
        let fields = [("code", "000000"), ("new_password", typed), ("confirm_password", typed)];
        page = person.press(&node, &page, control, &fields).await.page();
        assert_eq!(page.view.page, "email_verify", "{control}");
    }
    for table in ["factors", "password_credentials", "browser_sessions"] {
        assert_eq!(house.count(table, &format!("user_id = '{}'", made.user)).await, 0, "{table}");
    }

    // The stranger: a recovery, a new link, a registration of their own.
    house.deliver(&node).await;
    let letters = || house.relay.letters().into_iter().filter(|letter| letter.to == MISTYPED).collect::<Vec<_>>();
    let before = letters().len();
    let ways = ["forgot-password", "registration-reset"];
    let client = json!({ "client_id": "ways", "countersign_policy": "lab", "countersign_policies": ways });
    register_client(&node, client).await;
    let mut stranger = Person::new();
    let page = stranger.arrive_from(&node, "ways", "p=forgot-password").await.page();
    stranger.press(&node, &page, "send", &[("email", MISTYPED)]).await.page();
    let page = stranger.arrive_from(&node, "ways", "p=registration-reset").await.page();
    stranger.press(&node, &page, "next", &[("username", MISTYPED)]).await.page();
    house.deliver(&node).await;
    let said: Vec<_> = letters().iter().skip(before).map(|letter| (letter.find_code(), letter.find_link())).collect();
    assert!(said.iter().all(|said| *said == (None, None)), "{said:?}");
    let registered = format!("id = '{}' AND registered_at IS NOT NULL", made.user);
    assert_eq!(house.count("users", &registered).await, 0);
    house.clock.pass(Seconds::hours(1));
    assert_eq!(open_link(&node, &token_of(&made)).await.page().view.page, "link_expired");
}

async fn a_link_counts_in_its_own_policy_alone(house: House) {
    let plan = house.plan();
    let changed = |policy: &Policy| {
        let mut policy = policy.clone();
        let led_on = policy.id == "first-administrator";
        if let (true, Some(cancel)) = (led_on, &mut policy.cancel) {
            let carry = countersign_model::FactSet::EMPTY;
            let (to, at) = ("invitation".to_owned(), cancel.at);
            cancel.to = Destination::Switch(Switch { policy: to, optional: false, carry, otherwise: None, at });
        }
        if policy.id == "invitation" {
            policy.entry.push(Entry::Switch);
        }
        policy
    };
    let policies = PolicySet::new(plan.policies.iter().map(changed).collect());
    let node = house.node_with(NodePlan { policies, ..plan }).await;
    let made = make(&node, "root@example.com", false).await.unwrap();
    let mut person = Person::new();
    let answered = node.open_link(&token_of(&made), person.call()).await.unwrap();
    let landing = person.follow(&node, answered).await.page();
    let other = person.press(&node, &landing, "cancel", &[]).await.page();
    assert_eq!((other.view.policy.as_str(), other.view.page.as_str()), ("invitation", "link_landing"));
    let next = person.press(&node, &other, "continue", &[]).await.page();
    assert_eq!(next.view.page, "link_expired", "there it would prove the mailbox");
    assert_eq!(house.count("links", "consumed_at IS NOT NULL").await, 0);
}

async fn nobody_is_made_an_administrator_at_an_address_that_signs_in_elsewhere(house: House) {
    let corporate = Corporate::open(&house.clock).await;
    let upstreams = vec![corporate.settings(LinkRule::Create, &["corp.example.com"])];
    let node = house.node_with(NodePlan { upstreams, ..house.plan() }).await;
    let before = house.count("users", "1 = 1").await;
    for email in ["root@corp.example.com", "Root@Corp.Example.com"] {
        assert_eq!(make(&node, email, false).await.unwrap_err(), PersonRefusal::Federated);
    }
    assert_eq!((house.count("users", "1 = 1").await, house.count("links", "1 = 1").await), (before, 0));
    assert!(make(&node, "root@example.com", false).await.unwrap().created);
}
