//! The console of those who look after people (R56): who is let in, whom they see, what they do, and who grants it.

use std::sync::Arc;

use countersign_model::{AuditKind, OrganizationId, Role, Seconds, UserId};
use countersign_service::{
    AccountCall, Invitation, NewAccount, PeopleAsked, PeoplePage, PersonRefusal, Provider, RequestContext, Response,
    RoleChange, SetupRefusal, SetupTold,
};
use countersign_tests::provider::{ALICE, CLINIC, Credentials, DUCK, HOSPITAL, House, Person, Seen};
use secrecy::SecretString;

on_both_stores![
    every_deed_is_for_a_role_and_for_its_own_people_alone,
    a_reset_tells_who_did_it_and_why_and_mails_the_link,
    a_second_factor_and_a_fresh_sign_in_are_asked_for,
    a_form_of_another_session_changes_nothing,
    nobody_resets_themself_or_one_with_a_role_but_an_administrator,
    people_are_found_and_listed_in_pages_within_the_own_organizations,
    an_invitation_is_sent_again_while_the_registration_is_unfinished,
    an_operator_grants_and_revokes_roles_and_it_counts_at_once,
    an_account_of_nobody_is_granted_nothing,
    who_closes_the_account_administers_no_more,
    what_one_administrator_tries_keeps_no_other_from_it,
    who_loses_the_role_meanwhile_does_nothing_more,
];

/// The organization of those the administrator of a test looks after, and another one.
const OWN: &str = "1234567893";
const OTHER: &str = "1245319599";

fn nowhere() -> RequestContext {
    RequestContext::default()
}

const fn call(person: &Person) -> AccountCall<'_> {
    AccountCall { cookies: &person.cookies, locale: "en", context: &person.context }
}

/// Two organizations: [`DUCK`] and [`HOSPITAL`] belong to one, [`CLINIC`] to the other, [`ALICE`] to none.
async fn settle(house: &House, node: &Provider) -> (OrganizationId, OrganizationId) {
    let own = node.create_organization("Ward 7", OWN, &SecretString::from("code-one")).await.unwrap();
    let other = node.create_organization("Ward 8", OTHER, &SecretString::from("code-two")).await.unwrap();
    for (who, organization) in [(DUCK, &own), (HOSPITAL, &own), (CLINIC, &other)] {
        let sql = format!("UPDATE users SET organization = '{organization}' WHERE email = '{}'", who.0);
        house.database.raw(&sql).await.unwrap();
    }
    (own, other)
}

const fn change(who: Credentials, role: Role, npi: Option<&'static str>) -> RoleChange<'static> {
    RoleChange { who: who.0, role, npi, reason: "of the test" }
}

/// An organization for the one role that is held for some.
fn npi_for(role: Role) -> Option<&'static str> {
    (role == Role::ProviderAdministrator).then_some(OWN)
}

async fn grant(node: &Provider, who: Credentials, role: Role) {
    node.grant_role(change(who, role, npi_for(role)), &nowhere()).await.unwrap().unwrap();
}

async fn revoke(node: &Provider, who: Credentials, role: Role) {
    node.revoke_role(change(who, role, None), &nowhere()).await.unwrap().unwrap();
}

/// Signs in by mail where the console asks for it.
async fn enter(house: &House, node: &Arc<Provider>, person: &mut Person, who: Credentials) {
    let Err(SetupRefusal::Prove(answered)) = node.setup_home(call(person)).await.unwrap() else {
        panic!("nobody was asked to sign in")
    };
    let options = person.follow(node, *answered).await.page();
    let sign_in = person.press(node, &options, "email", &[]).await.page();
    let page = person.give_password(node, &sign_in, who).await.page();
    let verified = person.prove_mailbox(house, node, &page, who).await;
    let end = person.press(node, &verified, "continue", &[]).await.response();
    assert_eq!(end, Response::Redirect("/setup".to_owned()));
}

/// An administrator of [`OWN`], signed in.
async fn provider_administrator(house: &House, node: &Arc<Provider>) -> Person {
    settle(house, node).await;
    grant(node, HOSPITAL, Role::ProviderAdministrator).await;
    let mut person = Person::new();
    enter(house, node, &mut person, HOSPITAL).await;
    person
}

async fn nonce(node: &Provider, person: &Person, of: &UserId) -> String {
    node.setup_person(of, call(person)).await.unwrap().expect("a page").nonce
}

async fn reset(node: &Provider, person: &Person, of: &UserId, nonce: &str) -> Result<SetupTold, SetupRefusal> {
    node.reset_person(of, nonce, "lost the phone, ticket 4711", call(person)).await.unwrap()
}

/// How the five deeds that concern one person end, a word each.
async fn try_all(node: &Provider, person: &Person, of: &UserId, nonce: &str) -> Vec<&'static str> {
    const fn word<T>(found: &Result<T, SetupRefusal>) -> &'static str {
        match found {
            Ok(_) => "ok",
            Err(SetupRefusal::Unknown) => "unknown",
            Err(SetupRefusal::Forbidden) => "forbidden",
            Err(SetupRefusal::Prove(_)) => "prove",
        }
    }
    let call = call(person);
    let mut words = vec![
        word(&node.setup_person(of, call).await.unwrap()),
        word(&node.ask_reset(of, call).await.unwrap()),
        word(&node.invite_person_again(of, nonce, call).await.unwrap()),
    ];
    words.push(match reset(node, person, of, nonce).await {
        Ok(SetupTold::Done) => "ok",
        Ok(_) => "refused",
        Err(refusal) => word::<()>(&Err(refusal)),
    });
    words
}

async fn every_deed_is_for_a_role_and_for_its_own_people_alone(house: House) {
    let node = house.node().await;
    settle(&house, &node).await;
    let (own, other, none) = (house.user(DUCK.0).await, house.user(CLINIC.0).await, house.user(ALICE.0).await);
    let missing: UserId = "01890000-0000-7000-8000-00000000ffff".parse().unwrap();
    let mut person = Person::new();
    enter(&house, &node, &mut person, HOSPITAL).await;
    // One session for all roles: what the person may do is asked of the database, not of the sign-in.
    grant(&node, HOSPITAL, Role::Administrator).await;
    let nonce = nonce(&node, &person, &own).await;
    revoke(&node, HOSPITAL, Role::Administrator).await;
    for role in [None, Some(Role::HelpDesk), Some(Role::SecurityAuditor)] {
        if let Some(role) = role {
            grant(&node, HOSPITAL, role).await;
        }
        assert!(matches!(node.setup_home(call(&person)).await.unwrap(), Err(SetupRefusal::Forbidden)), "{role:?}");
        let list = node.setup_people(&PeopleAsked::default(), call(&person)).await.unwrap();
        assert!(matches!(list, Err(SetupRefusal::Forbidden)), "{role:?}");
        for of in [&own, &other, &none, &missing] {
            assert_eq!(try_all(&node, &person, of, &nonce).await, ["forbidden"; 4], "{role:?}");
        }
        if let Some(role) = role {
            revoke(&node, HOSPITAL, role).await;
        }
    }
    assert_eq!(house.count("users", "registered_at IS NULL").await, 0, "who was refused changed nothing");

    grant(&node, HOSPITAL, Role::ProviderAdministrator).await;
    let home = node.setup_home(call(&person)).await.unwrap().unwrap();
    assert_eq!(home.organizations, Some(vec!["Ward 7".to_owned()]));
    for of in [&other, &none, &missing] {
        assert_eq!(try_all(&node, &person, of, &nonce).await, ["unknown"; 4], "{of}");
    }
    assert_eq!(house.count("users", "registered_at IS NULL").await, 0, "nor did who reached out of reach");
    assert_eq!(house.count("outbox", "template = 'registration_reset'").await, 0);
    assert_eq!(try_all(&node, &person, &own, &nonce).await, ["ok"; 4]);
    revoke(&node, HOSPITAL, Role::ProviderAdministrator).await;

    grant(&node, HOSPITAL, Role::Administrator).await;
    assert!(node.setup_home(call(&person)).await.unwrap().unwrap().organizations.is_none());
    for of in [&own, &other, &none] {
        assert_eq!(try_all(&node, &person, of, &nonce).await, ["ok"; 4], "{of}");
    }
    assert_eq!(try_all(&node, &person, &missing, &nonce).await, ["unknown"; 4]);
    assert_eq!(house.count("users", "registered_at IS NULL").await, 3);
}

async fn a_reset_tells_who_did_it_and_why_and_mails_the_link(house: House) {
    let node = house.node().await;
    let person = provider_administrator(&house, &node).await;
    let (duck, actor) = (house.user(DUCK.0).await, house.user(HOSPITAL.0).await);
    let page = node.setup_person(&duck, call(&person)).await.unwrap().unwrap();
    assert_eq!(page.person.phone.as_deref(), Some("XXX-XXX-3661"));
    assert!(page.forbidden.is_none() && page.person.signed_in_at.is_none());
    let read = house.events(Some(AuditKind::TimelineRead)).await.pop().expect("that it was read");
    assert_eq!((read.subject.as_ref(), &read.detail["by"]), (Some(&duck), &actor.as_str().into()));

    let empty = node.reset_person(&duck, &page.nonce, " ", call(&person)).await.unwrap().unwrap();
    assert_eq!(empty, SetupTold::Refused(PersonRefusal::Reason));
    assert_eq!(house.count("factors", &format!("user_id = '{duck}'")).await, 2, "nothing happened");
    assert_eq!(reset(&node, &person, &duck, &page.nonce).await.unwrap(), SetupTold::Done);
    let events = house.events(Some(AuditKind::UserChanged)).await;
    let done = events.iter().find(|event| event.detail["change"] == "registration reset").expect("an event");
    assert_eq!(done.subject.as_ref(), Some(&duck));
    assert_eq!(done.detail["by"], "provider administrator");
    assert_eq!(done.detail["actor"], actor.as_str());
    assert_eq!(done.detail["reason"], "lost the phone, ticket 4711");
    assert!(done.address.is_some(), "from where, too");
    house.deliver(&node).await;
    assert!(house.phones.newest("+12025553661").text.contains("reset by an administrator"));
    assert!(house.relay.letters().iter().any(|letter| letter.to == DUCK.0 && letter.text.contains("/link/")));
    let told = node.setup_person(&duck, call(&person)).await.unwrap().unwrap();
    assert!(told.person.registered_at.is_none() && told.person.factors.is_empty() && told.person.phone.is_none());
    let line = "Account: registration reset by provider administrator: lost the phone, ticket 4711";
    assert!(told.timeline.other.iter().any(|happening| happening.line == line), "{:?}", told.timeline.other);
}

async fn a_second_factor_and_a_fresh_sign_in_are_asked_for(house: House) {
    let node = house.node().await;
    settle(&house, &node).await;
    let duck = house.user(DUCK.0).await;
    // A password alone: the session of `lab`.
    grant(&node, ALICE, Role::Administrator).await;
    let mut alice = Person::new();
    let page = alice.arrive(&node, "p=lab").await.page();
    alice.give_password(&node, &page, ALICE).await.code();
    assert_eq!(try_all(&node, &alice, &duck, "x").await, ["prove"; 4]);
    assert!(matches!(node.setup_home(call(&alice)).await.unwrap(), Err(SetupRefusal::Prove(_))));

    grant(&node, HOSPITAL, Role::ProviderAdministrator).await;
    let mut person = Person::new();
    enter(&house, &node, &mut person, HOSPITAL).await;
    let nonce = nonce(&node, &person, &duck).await;
    house.clock.pass(Seconds::minutes(15));
    assert_eq!(try_all(&node, &person, &duck, &nonce).await, ["ok", "prove", "prove", "prove"], "it may look still");
    assert_eq!(house.count("users", "registered_at IS NULL").await, 0);

    // The sign-in leads back to where it was asked for.
    let Err(SetupRefusal::Prove(answered)) = node.ask_reset(&duck, call(&person)).await.unwrap() else { panic!() };
    let options = person.follow(&node, *answered).await.page();
    let sign_in = person.press(&node, &options, "email", &[]).await.page();
    let page = person.give_password(&node, &sign_in, HOSPITAL).await.page();
    let verified = person.prove_mailbox(&house, &node, &page, HOSPITAL).await;
    let end = person.press(&node, &verified, "continue", &[]).await;
    let Seen::Client(Response::Redirect(uri)) = end else { panic!("{end:?}") };
    assert_eq!(uri, format!("/setup/users/{duck}/reset"));
    assert!(node.ask_reset(&duck, call(&person)).await.unwrap().unwrap().is_some());
    assert!(matches!(node.setup_home(call(&Person::new())).await.unwrap(), Err(SetupRefusal::Prove(_))));
}

async fn a_form_of_another_session_changes_nothing(house: House) {
    let node = house.node().await;
    let person = provider_administrator(&house, &node).await;
    let duck = house.user(DUCK.0).await;
    let mut elsewhere = Person::new();
    enter(&house, &node, &mut elsewhere, HOSPITAL).await;
    let foreign = nonce(&node, &elsewhere, &duck).await;
    for wrong in ["", foreign.as_str()] {
        assert_eq!(reset(&node, &person, &duck, wrong).await.unwrap(), SetupTold::Stale);
        let invited = node.invite_person_again(&duck, wrong, call(&person)).await.unwrap().unwrap();
        assert_eq!(invited, SetupTold::Stale);
    }
    assert_eq!(house.count("users", "registered_at IS NULL").await, 0);
    // The form of the account page is not the console's.
    let countersign_service::AccountAnswer::Page(own) = node.own_account(call(&person)).await.unwrap() else {
        panic!()
    };
    assert!(own.administers);
    assert_eq!(reset(&node, &person, &duck, &own.nonce).await.unwrap(), SetupTold::Stale);
}

async fn nobody_resets_themself_or_one_with_a_role_but_an_administrator(house: House) {
    let node = house.node().await;
    let person = provider_administrator(&house, &node).await;
    let (duck, own) = (house.user(DUCK.0).await, house.user(HOSPITAL.0).await);
    let nonce = nonce(&node, &person, &duck).await;
    let refused = |told: SetupTold, why: PersonRefusal| assert_eq!(told, SetupTold::Refused(why));
    refused(reset(&node, &person, &own, &nonce).await.unwrap(), PersonRefusal::Own);
    assert!(node.ask_reset(&own, call(&person)).await.unwrap().unwrap().is_none());
    for role in Role::ALL {
        grant(&node, DUCK, role).await;
        refused(reset(&node, &person, &duck, &nonce).await.unwrap(), PersonRefusal::Administrator);
        let invited = node.invite_person_again(&duck, &nonce, call(&person)).await.unwrap().unwrap();
        refused(invited, PersonRefusal::Administrator);
        revoke(&node, DUCK, role).await;
    }
    assert_eq!(house.count("users", "registered_at IS NULL").await, 0);
    grant(&node, DUCK, Role::HelpDesk).await;
    grant(&node, HOSPITAL, Role::Administrator).await;
    assert_eq!(reset(&node, &person, &duck, &nonce).await.unwrap(), SetupTold::Done);
    assert_eq!(reset(&node, &person, &own, &nonce).await.unwrap(), SetupTold::Done);
    assert!(matches!(reset(&node, &person, &duck, &nonce).await, Err(SetupRefusal::Prove(_))), "it ended the session");
}

async fn list(node: &Provider, person: &Person, search: &str, after: Option<UserId>) -> PeoplePage {
    let asked = PeopleAsked { search: search.to_owned(), after };
    node.setup_people(&asked, call(person)).await.unwrap().unwrap()
}

fn names(page: &PeoplePage) -> Vec<String> {
    page.people.iter().map(|person| person.name.clone().unwrap_or_default()).collect()
}

async fn invite(node: &Provider, name: &str, npi: &str) -> UserId {
    let invitation = Invitation {
        email: format!("{}@example.org", name.to_lowercase().replace(' ', ".").replace(['É', 'é'], "e")),
        name: name.to_owned(),
        npi: Some(npi.to_owned()),
        locale: "en".to_owned(),
        ..Invitation::default()
    };
    node.invite(&invitation, &nowhere()).await.unwrap().unwrap().user
}

async fn people_are_found_and_listed_in_pages_within_the_own_organizations(house: House) {
    let node = house.node().await;
    let person = provider_administrator(&house, &node).await;
    for number in (0..28).rev() {
        invite(&node, &format!("Nurse {number:02}"), OWN).await;
    }
    let stranger = invite(&node, "Nurse 00 Elsewhere", OTHER).await;
    invite(&node, "Élodie 100%", OWN).await;
    let first = list(&node, &person, "nurse", None).await;
    assert_eq!(names(&first), (0..25).map(|number| format!("Nurse {number:02}")).collect::<Vec<_>>());
    assert_eq!(first.organizations, Some(vec!["Ward 7".to_owned()]));
    let second = list(&node, &person, "nurse", first.next.clone()).await;
    assert_eq!(names(&second), ["Nurse 25", "Nurse 26", "Nurse 27"]);
    assert!(second.next.is_none());
    let all = list(&node, &person, "", None).await;
    assert_eq!((all.people.len(), all.next.is_some()), (25, true));
    assert_eq!(list(&node, &person, "", all.next).await.people.len(), 31 - 25);
    for (search, found) in [
        ("ÉLODIE", 1),
        ("0%", 1),
        ("%", 1),
        ("_", 0),
        (DUCK.0, 1),
        ("nurse.07@", 1),
        ("elsewhere", 0),
        (CLINIC.0, 0),
        (ALICE.0, 0),
        (" ", 25),
    ] {
        assert_eq!(list(&node, &person, search, None).await.people.len(), found, "{search}");
    }
    // A page that begins after somebody who is none of theirs is the first one.
    assert_eq!(names(&list(&node, &person, "nurse", Some(stranger)).await), names(&first));
    let duck = list(&node, &person, DUCK.0, None).await.people.remove(0);
    assert_eq!((duck.factors.len(), duck.phone.as_deref()), (2, Some("XXX-XXX-3661")));
    let own = list(&node, &person, HOSPITAL.0, None).await.people.remove(0);
    assert!(own.signed_in_at.is_some() && own.has_role && own.organization.as_deref() == Some("Ward 7"));

    grant(&node, HOSPITAL, Role::Administrator).await;
    assert_eq!(list(&node, &person, "elsewhere", None).await.people.len(), 1, "an administrator sees everybody");
    assert_eq!(list(&node, &person, ALICE.0, None).await.people.len(), 1);
    house
        .database
        .raw("UPDATE users SET status = 'closed' WHERE username IS NULL AND email LIKE 'alice%'")
        .await
        .unwrap();
    assert_eq!(list(&node, &person, ALICE.0, None).await.people.len(), 0, "but no account that is closed");
}

async fn an_invitation_is_sent_again_while_the_registration_is_unfinished(house: House) {
    let node = house.node().await;
    let person = provider_administrator(&house, &node).await;
    let (guest, duck) = (invite(&node, "New Nurse", OWN).await, house.user(DUCK.0).await);
    let nonce = nonce(&node, &person, &guest).await;
    let again = async |of: &UserId| node.invite_person_again(of, &nonce, call(&person)).await.unwrap().unwrap();
    assert_eq!(again(&duck).await, SetupTold::Refused(PersonRefusal::Registered));
    assert_eq!(again(&guest).await, SetupTold::Done);
    let live = format!("user_id = '{guest}' AND revoked_at IS NULL AND consumed_at IS NULL");
    assert_eq!(house.count("links", &live).await, 1, "the newest works alone");
    let events = house.events(Some(AuditKind::UserChanged)).await;
    let sent = events.iter().find(|event| event.detail["change"] == "invited again").expect("an event");
    let actor = house.user(HOSPITAL.0).await;
    assert_eq!((sent.subject.as_ref(), &sent.detail["actor"]), (Some(&guest), &actor.as_str().into()));
    house.set_status("new.nurse@example.org", countersign_model::UserStatus::Disabled).await;
    assert_eq!(again(&guest).await, SetupTold::Refused(PersonRefusal::Disabled));
    house.set_status("new.nurse@example.org", countersign_model::UserStatus::Active).await;
    // Nobody's mailbox is filled.
    let mut told = Vec::new();
    for _ in 0..9 {
        told.push(again(&guest).await);
    }
    assert_eq!(told.iter().filter(|told| **told == SetupTold::Done).count(), 8);
    assert_eq!(told.pop(), Some(SetupTold::Refused(PersonRefusal::Wait)));
}

async fn an_operator_grants_and_revokes_roles_and_it_counts_at_once(house: House) {
    let node = house.node().await;
    let person = provider_administrator(&house, &node).await;
    let (duck, clinic) = (house.user(DUCK.0).await, house.user(CLINIC.0).await);
    let provider = Role::ProviderAdministrator;
    let granted = async |change| node.grant_role(change, &nowhere()).await.unwrap().map(drop);
    let revoked = async |change| node.revoke_role(change, &nowhere()).await.unwrap().map(drop);
    let sees = async |of: &UserId| node.setup_person(of, call(&person)).await.unwrap().is_ok();
    for (wrong, refusal) in [
        (change(HOSPITAL, provider, None), PersonRefusal::OrganizationMissing),
        (change(HOSPITAL, provider, Some("9999999999")), PersonRefusal::OrganizationUnknown),
        (change(HOSPITAL, provider, Some(OWN)), PersonRefusal::Already("granted this role")),
        (change(HOSPITAL, Role::HelpDesk, Some(OWN)), PersonRefusal::OrganizationUnasked),
        (change(("nobody@example.com", ""), Role::HelpDesk, None), PersonRefusal::Unknown),
        (RoleChange { reason: "", ..change(HOSPITAL, Role::HelpDesk, None) }, PersonRefusal::Reason),
    ] {
        assert_eq!(granted(wrong).await, Err(refusal), "{wrong:?}");
    }
    assert_eq!(revoked(change(HOSPITAL, Role::HelpDesk, None)).await, Err(PersonRefusal::RoleMissing));
    assert_eq!(revoked(change(HOSPITAL, provider, Some(OTHER))).await, Err(PersonRefusal::RoleMissing));
    assert!(sees(&duck).await && !sees(&clinic).await);
    assert_eq!(granted(change(HOSPITAL, provider, Some(OTHER))).await, Ok(()));
    assert!(sees(&duck).await && sees(&clinic).await);
    assert_eq!(revoked(change(HOSPITAL, provider, Some(OWN))).await, Ok(()));
    assert!(!sees(&duck).await && sees(&clinic).await);
    assert_eq!(revoked(change(HOSPITAL, provider, Some(OTHER))).await, Ok(()));
    assert!(matches!(node.setup_home(call(&person)).await.unwrap(), Err(SetupRefusal::Forbidden)), "the last was it");
    assert_eq!(house.count("users", "roles <> '[]'").await, 0);
    let events = house.events(Some(AuditKind::UserChanged)).await;
    let changes: Vec<String> = events
        .iter()
        .filter(|event| event.detail.contains_key("role"))
        .map(|event| format!("{} {} {}", event.detail["change"], event.detail["by"], event.detail["role"]))
        .collect();
    assert_eq!(changes.len(), 4, "{changes:?}");
    assert!(changes.iter().all(|change| change.ends_with("\"operator\" \"provider_administrator\"")), "{changes:?}");
    let of_roles = events.iter().filter(|event| event.detail.contains_key("role"));
    assert!(of_roles.map(|event| &event.detail["reason"]).all(|reason| reason == "of the test"));
}

async fn an_account_of_nobody_is_granted_nothing(house: House) {
    let node = house.node().await;
    let alice = house.user(ALICE.0).await;
    let sql = format!(
        "INSERT INTO unfinished_accounts (user_id, made_at, claimed) VALUES ('{alice}', 0, FALSE); \
         UPDATE users SET registered_at = NULL WHERE id = '{alice}'"
    );
    house.database.raw(&sql).await.unwrap();
    let refused = node.grant_role(change(ALICE, Role::Administrator, None), &nowhere()).await.unwrap();
    assert_eq!(refused, Err(PersonRefusal::Unclaimed));
    assert_eq!(house.count("users", "roles <> '[]'").await, 0);
}

async fn who_closes_the_account_administers_no_more(house: House) {
    let node = house.node().await;
    settle(&house, &node).await;
    grant(&node, HOSPITAL, Role::ProviderAdministrator).await;
    assert_eq!(house.count("administered_organizations", "1 = 1").await, 1);
    let (user, now) = (house.user(HOSPITAL.0).await, house.clock.now());
    let closed: Result<bool, countersign_store::StoreError> =
        house.database.db.write(async |tx: &mut countersign_store::Tx| tx.close_user(&user, now).await).await;
    assert!(closed.unwrap());
    assert_eq!(house.count("administered_organizations", "1 = 1").await, 0);
    assert_eq!(house.count("users", "listed_name <> '' AND status = 'closed'").await, 0);
}

async fn what_one_administrator_tries_keeps_no_other_from_it(house: House) {
    let node = house.node().await;
    let first = provider_administrator(&house, &node).await;
    let (duck, guest) = (house.user(DUCK.0).await, invite(&node, "New Nurse", OWN).await);
    let own = nonce(&node, &first, &duck).await;
    let empty = async |person: &Person, of: &UserId, nonce: &str| {
        node.reset_person(of, nonce, " ", call(person)).await.unwrap().unwrap()
    };
    let (no_reason, wait) = (SetupTold::Refused(PersonRefusal::Reason), SetupTold::Refused(PersonRefusal::Wait));
    for _ in 0..10 {
        assert_eq!(empty(&first, &duck, &own).await, no_reason);
    }
    assert_eq!(empty(&first, &duck, &own).await, wait);
    // Another one's tries are another one's.
    grant(&node, CLINIC, Role::Administrator).await;
    let mut second = Person::new();
    enter(&house, &node, &mut second, CLINIC).await;
    let others = nonce(&node, &second, &duck).await;
    assert_eq!(empty(&second, &duck, &others).await, no_reason);
    assert_eq!(reset(&node, &second, &duck, &others).await.unwrap(), SetupTold::Done);
    // And over everybody they are bounded: of 120 in an hour 11 are gone.
    let mut tries = 0;
    for _ in 0..12 {
        let new = NewAccount {
            email: format!("person{tries}@example.org"),
            password: Some(SecretString::from(ALICE.1)),
            ..NewAccount::default()
        };
        let somebody = node.create_account(&new).await.unwrap().unwrap();
        let sql = format!(
            "UPDATE users SET organization = (SELECT organization FROM users WHERE id = '{duck}') WHERE id = '{somebody}'"
        );
        house.database.raw(&sql).await.unwrap();
        for _ in 0..9 {
            assert_eq!(empty(&first, &somebody, &own).await, no_reason, "{tries}");
            tries += 1;
        }
    }
    assert_eq!(empty(&first, &guest, &own).await, no_reason);
    assert_eq!(empty(&first, &guest, &own).await, wait, "of anybody");
    assert_eq!(empty(&second, &guest, &others).await, no_reason);
    house.clock.pass(Seconds::minutes(14));
    assert_eq!(empty(&second, &guest, &others).await, no_reason);
}

/// A role that is being revoked: what waits for that is not done by it.
async fn who_loses_the_role_meanwhile_does_nothing_more(house: House) {
    let node = house.node().await;
    let person = provider_administrator(&house, &node).await;
    let (duck, own) = (house.user(DUCK.0).await, house.user(HOSPITAL.0).await);
    let nonce = nonce(&node, &person, &duck).await;
    let (db, now) = (house.database.another_node(), house.clock.now());
    let (revoking, begun) = tokio::sync::oneshot::channel();
    let (done, over) = tokio::sync::oneshot::channel::<()>();
    let channels = std::sync::Mutex::new(Some((revoking, over)));
    let revocation = db.write(async |tx| {
        tx.take_turn("roles").await?;
        tx.set_user_roles(&own, &[], now).await?;
        let taken = channels.lock().unwrap().take();
        if let Some((revoking, over)) = taken {
            revoking.send(()).unwrap();
            // Until the deed ended, which it cannot, or a while passed.
            let _ = tokio::time::timeout(std::time::Duration::from_millis(500), over).await;
        }
        Ok::<_, countersign_store::StoreError>(())
    });
    let deed = async {
        begun.await.unwrap();
        let told = reset(&node, &person, &duck, &nonce).await;
        let _ = done.send(());
        told
    };
    let (revoked, told) = tokio::join!(revocation, deed);
    revoked.unwrap();
    assert!(!matches!(told, Ok(SetupTold::Done)), "{told:?}");
    assert_eq!(house.count("users", &format!("id = '{duck}' AND registered_at IS NULL")).await, 0, "nothing was reset");
}
