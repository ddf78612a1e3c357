//! Accounts that somebody made on a registration page and left: in nobody's way, and gone after a while.

use std::sync::Arc;

use countersign_model::{AuditKind, Seconds};
use countersign_service::{Invitation, NewAdministrator, PersonRefusal, Provider, RequestContext};
use countersign_tests::provider::{House, PORTAL_SECRET, PORTAL_URI, Person};
use secrecy::SecretString;
use serde_json::json;

on_both_stores![
    an_abandoned_registration_is_in_nobodys_way,
    an_invitation_is_not_to_the_account_that_a_stranger_made,
    an_administrator_takes_the_place_of_a_strangers_account_and_a_refused_one_does_not,
    what_was_never_completed_is_removed_after_a_while,
];

pub const CODE: &str = "ward-seven-code";
pub const NPI: &str = "1234567893";
const VICTIM: &str = "victim@example.com";

pub async fn open(house: &House) -> Arc<Provider> {
    let node = house.node().await;
    node.create_organization("Ward 7", NPI, &SecretString::from(CODE)).await.unwrap();
    let client = json!({
        "client_id": "newcomers",
        "client_secret": PORTAL_SECRET,
        "redirect_uris": [PORTAL_URI],
        "token_endpoint_auth_method": "client_secret_post",
        "grant_types": ["authorization_code"],
        "scope": "openid",
        "countersign_policy": "new-provider",
        "countersign_first_party": true,
    });
    node.register_client(&serde_json::from_value(client).unwrap()).await.unwrap();
    node
}

/// Fills in the registration pages; the page after them.
async fn register(node: &Arc<Provider>, username: &str, email: &str) -> String {
    let mut person = Person::new();
    let page = person.arrive_from(node, "newcomers", "").await.page();
    let page = person.press(node, &page, "next", &[("npi", NPI), ("registration_code", CODE)]).await.page();
    let fields = [
        ("username", username),
        ("first_name", "Ann"),
        ("last_name", "Lee"),
        ("email", email),
        ("confirm_email", email),
        ("fax", "202-555-0142"),
    ];
    let page = person.press(node, &page, "next", &fields).await.page();
    page.view.page
}

async fn named(house: &House) -> Vec<String> {
    house.texts(&format!("SELECT username AS text FROM users WHERE email = '{VICTIM}'")).await
}

async fn an_abandoned_registration_is_in_nobodys_way(house: House) {
    let node = open(&house).await;
    assert_eq!(register(&node, "thief.name", VICTIM).await, "registration_sent");
    assert_eq!(register(&node, "victim.name", VICTIM).await, "registration_sent");
    assert_eq!(named(&house).await, ["thief.name"], "its link can be followed still");
    assert_eq!(register(&node, "thief.name", "other@example.com").await, "user_information", "the name is taken");
    house.clock.pass(Seconds::hours(49));
    assert_eq!(register(&node, "victim.name", VICTIM).await, "registration_sent");
    assert_eq!(named(&house).await, ["victim.name"]);
    assert_eq!(register(&node, "thief.name", "other@example.com").await, "registration_sent", "the name is free too");
    // Who proved the mailbox holds address and name, however long it takes.
    house.database.raw("UPDATE unfinished_accounts SET claimed = TRUE").await.unwrap();
    house.clock.pass(Seconds::hours(49));
    assert_eq!(register(&node, "third.name", VICTIM).await, "registration_sent");
    assert_eq!(named(&house).await, ["victim.name"]);
}

async fn an_invitation_is_not_to_the_account_that_a_stranger_made(house: House) {
    let node = open(&house).await;
    register(&node, "thief.name", VICTIM).await;
    let invitation = Invitation {
        email: VICTIM.to_owned(),
        name: "Vic Tim".to_owned(),
        username: None,
        npi: None,
        client: None,
        locale: "en".to_owned(),
    };
    let taken = Invitation { username: Some("taken.name".to_owned()), ..invitation.clone() };
    assert!(register(&node, "taken.name", "taken@example.com").await == "registration_sent");
    let refused = node.invite(&taken, &RequestContext::default()).await.unwrap().unwrap_err();
    assert_eq!(refused, PersonRefusal::UsernameTaken);
    assert_eq!(named(&house).await, ["thief.name"], "who is refused deletes nothing");
    let invited = node.invite(&invitation, &RequestContext::default()).await.unwrap().unwrap();
    assert!(invited.created);
    assert_eq!(count_replaced(&house).await, 1);
    let sql = format!("email = '{VICTIM}' AND username IS NULL AND organization IS NULL AND id = '{}'", invited.user);
    assert_eq!(house.count("users", &sql).await, 1);
    assert_eq!(house.count("users", "username = 'thief.name'").await, 0);
    // What an operator made is not made anew.
    assert!(!node.invite(&invitation, &RequestContext::default()).await.unwrap().unwrap().created);
    house.clock.pass(Seconds::hours(49));
    register(&node, "thief.name", VICTIM).await;
    assert_eq!(house.count("users", &sql).await, 1);
}

async fn count_replaced(house: &House) -> usize {
    let told = house.events(Some(AuditKind::UserChanged)).await;
    told.iter().filter(|event| event.detail["change"] == "replaced").count()
}

async fn an_administrator_takes_the_place_of_a_strangers_account_and_a_refused_one_does_not(house: House) {
    let node = open(&house).await;
    let make = async |email: &str, another: bool| {
        let new = NewAdministrator { email, name: "Vic Tim", locale: "en", another };
        node.create_administrator(new, &RequestContext::default()).await.unwrap()
    };
    assert!(make("root@example.com", false).await.unwrap().created);
    assert_eq!(register(&node, "thief.name", VICTIM).await, "registration_sent");
    let users = house.count("users", "1 = 1").await;
    assert_eq!(make(VICTIM, false).await.unwrap_err(), PersonRefusal::AdministratorThere);
    assert_eq!((house.count("users", "1 = 1").await, named(&house).await), (users, vec!["thief.name".to_owned()]));
    assert_eq!(count_replaced(&house).await, 0);
    assert!(make(VICTIM, true).await.unwrap().created);
    assert_eq!((house.count("users", "username = 'thief.name'").await, count_replaced(&house).await), (0, 1));
}

async fn what_was_never_completed_is_removed_after_a_while(house: House) {
    let node = open(&house).await;
    register(&node, "old.name", "old@example.com").await;
    register(&node, "claimed.name", "claimed@example.com").await;
    register(&node, "completed.name", "completed@example.com").await;
    for sql in [
        "UPDATE unfinished_accounts SET claimed = TRUE WHERE user_id = \
         (SELECT id FROM users WHERE username = 'claimed.name')",
        "INSERT INTO password_credentials (user_id, phc, changed_at) \
         SELECT id, 'x', 0 FROM users WHERE username = 'claimed.name'",
        "UPDATE users SET registered_at = 1 WHERE username = 'completed.name'",
    ] {
        house.database.raw(sql).await.unwrap();
    }
    // More than a batch.
    for number in 0..60 {
        let id = format!("01890000-0000-7000-8000-0000000001{number:02}");
        let columns = "id, status, roles, profile, created_at, updated_at";
        let row = format!("INSERT INTO users ({columns}) VALUES ('{id}', 'active', '[]', '{{}}', 0, 0)");
        house.database.raw(&row).await.unwrap();
        let row = format!("INSERT INTO unfinished_accounts (user_id, made_at, claimed) VALUES ('{id}', 0, FALSE)");
        house.database.raw(&row).await.unwrap();
    }
    node.purge_expired().await.unwrap();
    assert_eq!(house.count("unfinished_accounts", "1 = 1").await, 3);
    let people = house.count("users", "1 = 1").await;
    house.clock.pass(Seconds::hours(24 * 29));
    node.purge_expired().await.unwrap();
    assert_eq!(house.count("users", "1 = 1").await, people, "thirty days are not over");
    house.clock.pass(Seconds::hours(25));
    node.purge_expired().await.unwrap();
    assert_eq!(house.count("users", "1 = 1").await, people - 2);
    assert_eq!(house.count("users", "username = 'completed.name'").await, 1);
    assert_eq!(house.events(Some(AuditKind::AccountClosed)).await.len(), 62);
}
