//! What becomes of people: changes, factors, organizations, the end.

use countersign_model::{
    Factor, FactorKind, KnownDevice, LegacyCredential, NpiRule, Organization, OrganizationId, PasswordCredential,
    Profile, Timestamp, UserStatus,
};
use countersign_store::{AuditFilter, PeopleFilter, StoreError, Tx, UserFilter};
use countersign_tests::stores::{Stored, TestDatabase, race};

use super::fixtures::{
    NOW, account, device, event, factor, grant, hash, identity, later, link, recovery_code, remembered, session,
    user_id, with_account,
};
use super::on_both;

on_both!(
    user_is_changed_whole,
    taken_address_is_a_conflict,
    closed_account_is_not_enabled_again,
    registration_is_completed_once,
    reopened_registration_can_be_completed_again,
    what_is_held_to_an_open_registration_never_outlives_its_completion,
    users_are_found_by_a_part_of_their_names,
    users_are_listed_in_pages,
    people_are_listed_by_name_within_organizations,
    organizations_are_looked_after_until_they_are_taken,
    password_is_set_whatever_it_was,
    legacy_credential_comes_and_goes,
    replaced_factor_is_the_only_one_of_its_kind,
    factors_are_unbound_by_their_person_alone,
    passkey_keeps_its_new_state,
    closed_account_leaves_nothing_to_sign_in_with,
    organization_is_named_by_npi_and_code,
    events_of_a_person_come_in_pages,
    events_of_flows_come_oldest_first,
);

async fn user_is_changed_whole(database: &TestDatabase) {
    with_account(database).await;
    let mut changed = account(1).user;
    changed.email = Some("new@example.test".to_owned());
    changed.username = None;
    changed.status = UserStatus::Disabled;
    changed.roles.clear();
    changed.profile = Profile { name: Some("Robin".to_owned()), ..Profile::default() };
    changed.fax = None;
    changed.locale = None;
    changed.terms_version = None;
    changed.registered_at = None;
    changed.updated_at = later(9);
    let nobody = account(2).user;
    let results: Stored<_> = database
        .db
        .write(async |tx: &mut Tx| {
            let known = (tx.update_user(&changed).await?, tx.update_user(&nobody).await?);
            Ok((known, tx.find_account(&changed.id).await?, tx.email_exists("pat1@example.test").await?))
        })
        .await;
    let (known, found, old_address) = results.unwrap();
    assert_eq!((known, found.unwrap().user, old_address), ((true, false), changed, false));
}

async fn taken_address_is_a_conflict(database: &TestDatabase) {
    with_account(database).await;
    let other = account(2);
    let stored: Stored<_> = database
        .db
        .write(async |tx: &mut Tx| {
            tx.insert_account(&other).await?;
            let exist = (tx.email_exists("pat1@example.test").await?, tx.username_exists("pat1").await?);
            Ok((exist, tx.username_exists("pat3").await?))
        })
        .await;
    assert_eq!(stored.unwrap(), ((true, true), false));
    let work = async |tx: &mut Tx| tx.set_user_email(&other.user.id, "pat1@example.test", later(1)).await;
    let refused: Stored<bool> = database.db.write(work).await;
    assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
    let work = async |tx: &mut Tx| tx.set_user_email(&other.user.id, "free@example.test", later(1)).await;
    let set: Stored<bool> = database.db.write(work).await;
    assert!(set.unwrap());
}

async fn closed_account_is_not_enabled_again(database: &TestDatabase) {
    with_account(database).await;
    let user = user_id(1);
    let results: Stored<_> = database
        .db
        .write(async |tx: &mut Tx| {
            let disabled = tx.set_user_status(&user, UserStatus::Disabled, later(1)).await?;
            let again = tx.set_user_status(&user, UserStatus::Disabled, later(2)).await?;
            let enabled = tx.set_user_status(&user, UserStatus::Active, later(3)).await?;
            tx.close_user(&user, later(4)).await?;
            Ok((disabled, again, enabled, tx.set_user_status(&user, UserStatus::Active, later(5)).await?))
        })
        .await;
    assert_eq!(results.unwrap(), (true, false, true, false));
}

/// Account 1, whose registration is incomplete.
async fn with_incomplete(database: &TestDatabase) {
    let mut account = account(1);
    account.user.registered_at = None;
    let stored: Stored<()> = database.db.write(async |tx: &mut Tx| tx.insert_account(&account).await).await;
    stored.unwrap();
}

async fn registered_at(database: &TestDatabase) -> Option<Timestamp> {
    let found: Stored<_> = database.db.read(async |tx: &mut Tx| tx.find_account(&user_id(1)).await).await;
    found.unwrap().unwrap().user.registered_at
}

async fn registration_is_completed_once(database: &TestDatabase) {
    with_incomplete(database).await;
    let complete = async |number: usize| -> bool {
        let at = later(u32::try_from(number).unwrap());
        let work = async |tx: &mut Tx| tx.complete_registration(&user_id(1), at).await;
        let completed: Stored<bool> = database.db.write(work).await;
        completed.unwrap()
    };
    let winners: Vec<_> = race(16, async |number| (number, complete(number).await));
    let winners: Vec<_> = winners.into_iter().filter(|(_, won)| *won).collect();
    assert_eq!(winners.len(), 1);
    assert_eq!(registered_at(database).await, Some(later(u32::try_from(winners[0].0).unwrap())));
}

async fn reopened_registration_can_be_completed_again(database: &TestDatabase) {
    with_incomplete(database).await;
    let user = user_id(1);
    let results: Stored<_> = database
        .db
        .write(async |tx: &mut Tx| {
            let nothing = tx.reopen_registration(&user, later(1)).await?;
            tx.complete_registration(&user, later(2)).await?;
            let reopened = tx.reopen_registration(&user, later(3)).await?;
            Ok((nothing, reopened, tx.complete_registration(&user, later(4)).await?))
        })
        .await;
    assert_eq!(results.unwrap(), (false, true, true));
    assert_eq!(registered_at(database).await, Some(later(4)));
}

async fn what_is_held_to_an_open_registration_never_outlives_its_completion(database: &TestDatabase) {
    with_incomplete(database).await;
    let user = user_id(1);
    let credential = |phc: &str| PasswordCredential { phc: phc.to_owned().into(), changed_at: NOW };
    let answers = race(16, async |number| {
        let done: Stored<bool> = database
            .db
            .write(async |tx: &mut Tx| {
                let completes = number == 7;
                let may = if completes {
                    tx.complete_registration(&user, later(1)).await?
                } else {
                    tx.hold_registration(&user).await?
                };
                if may {
                    tx.set_password(&user, &credential(if completes { "owner" } else { "intruder" })).await?;
                }
                Ok(may)
            })
            .await;
        (number, done.unwrap())
    });
    assert!(answers.contains(&(7, true)));
    let account: Stored<_> = database.db.read(async |tx: &mut Tx| tx.find_account(&user).await).await;
    assert_eq!(account.unwrap().unwrap().password.unwrap().phc.as_str(), "owner");
    let held: Stored<_> = database.db.write(async |tx: &mut Tx| tx.hold_registration(&user).await).await;
    assert!(!held.unwrap(), "it is complete");
}

async fn found(database: &TestDatabase, filter: UserFilter) -> Vec<String> {
    let listed: Stored<_> = database.db.read(async |tx: &mut Tx| tx.list_users(&filter).await).await;
    listed.unwrap().into_iter().map(|user| user.id.to_string()).collect()
}

fn ids(numbers: &[u32]) -> Vec<String> {
    numbers.iter().map(|number| user_id(*number).to_string()).collect()
}

async fn users_are_found_by_a_part_of_their_names(database: &TestDatabase) {
    let (mut first, mut second, third) = (account(1), account(2), account(3));
    first.user.email = Some("100%_sure!@example.test".to_owned());
    second.user.username = Some("percival".to_owned());
    second.user.status = UserStatus::Disabled;
    second.user.organization = Some(OrganizationId::new(NOW, [1; 10]));
    let stored: Stored<()> = database
        .db
        .write(async |tx: &mut Tx| {
            tx.insert_account(&first).await?;
            tx.insert_account(&second).await?;
            tx.insert_account(&third).await
        })
        .await;
    stored.unwrap();
    let search = |text: &str| UserFilter { search: Some(text.to_owned()), ..UserFilter::default() };
    assert_eq!(found(database, search("0%_Sure!@")).await, ids(&[1]));
    assert_eq!(found(database, search("_")).await, ids(&[1]), "no wildcard");
    assert_eq!(found(database, search("PERC")).await, ids(&[2]));
    assert_eq!(found(database, search("pat")).await, ids(&[1, 2, 3]));
    let disabled = UserFilter { status: Some(UserStatus::Disabled), ..search("pat") };
    assert_eq!(found(database, disabled).await, ids(&[2]));
    let organization = second.user.organization.clone();
    assert_eq!(found(database, UserFilter { organization, ..UserFilter::default() }).await, ids(&[2]));
}

async fn users_are_listed_in_pages(database: &TestDatabase) {
    let stored: Stored<()> = database
        .db
        .write(async |tx: &mut Tx| {
            for number in 1..=5 {
                tx.insert_user(&account(number).user).await?;
            }
            Ok(())
        })
        .await;
    stored.unwrap();
    let page = |after: Option<u32>| UserFilter { after: after.map(user_id), limit: 2, ..UserFilter::default() };
    assert_eq!(found(database, page(None)).await, ids(&[1, 2]));
    assert_eq!(found(database, page(Some(2))).await, ids(&[3, 4]));
    assert_eq!(found(database, page(Some(4))).await, ids(&[5]));
}

fn organization(number: u8) -> Organization {
    Organization {
        id: OrganizationId::new(NOW, [number; 10]),
        name: format!("Ward {number}"),
        npi: "1234567893".to_owned(),
        registration_code: hash(u32::from(number)),
        validator: NpiRule::NpiOrOther,
        created_at: NOW,
    }
}

async fn people_are_listed_by_name_within_organizations(database: &TestDatabase) {
    let (own, other) = (organization(1).id, organization(2).id);
    let people = [
        (1, "zoe", Some(&own)),
        (2, "Ñandú", Some(&own)),
        (3, "Anna", Some(&own)),
        (4, "Anna", Some(&other)),
        (5, "ANNA", Some(&own)),
        (6, "Bea", None),
    ];
    let stored: Stored<()> = database
        .db
        .write(async |tx: &mut Tx| {
            for (number, name, organization) in people {
                let mut account = account(number);
                account.user.profile = Profile { name: Some(name.to_owned()), ..Profile::default() };
                account.user.organization = organization.cloned();
                account.user.email = Some(format!("p{number}@example.test"));
                account.user.username = None;
                tx.insert_account(&account).await?;
            }
            let seen = KnownDevice { user: user_id(3), last_seen_at: later(9), ..device(1) };
            tx.upsert_known_device(&KnownDevice { user: user_id(3), ..device(2) }).await?;
            tx.upsert_known_device(&seen).await.map(drop)
        })
        .await;
    stored.unwrap();
    let listed = async |filter: PeopleFilter| {
        let listed: Stored<_> = database.db.read(async |tx: &mut Tx| tx.list_people(&filter).await).await;
        listed.unwrap().into_iter().map(|user| user.id.to_string()).collect::<Vec<_>>()
    };
    let of = |organizations: &[&OrganizationId]| PeopleFilter {
        organizations: Some(organizations.iter().map(|id| (*id).clone()).collect()),
        limit: 10,
        ..PeopleFilter::default()
    };
    assert_eq!(listed(of(&[&own])).await, ids(&[3, 5, 1, 2]));
    assert_eq!(listed(of(&[&own, &other])).await, ids(&[3, 4, 5, 1, 2]));
    assert_eq!(listed(of(&[])).await, ids(&[]));
    assert_eq!(listed(PeopleFilter { limit: 10, ..PeopleFilter::default() }).await, ids(&[3, 4, 5, 6, 1, 2]));
    let after = |number| PeopleFilter { after: Some(user_id(number)), limit: 2, ..of(&[&own]) };
    assert_eq!(listed(after(3)).await, ids(&[5, 1]));
    assert_eq!(listed(after(4)).await, ids(&[3, 5]), "one whom the filter does not find counts for nothing");
    let search = |text: &str| PeopleFilter { search: Some(text.to_owned()), ..of(&[&own]) };
    assert_eq!(listed(search("ÑANDÚ")).await, ids(&[2]));
    assert_eq!(listed(search("NN")).await, ids(&[3, 5]));
    assert_eq!(listed(search("P5@")).await, ids(&[5]), "one without a user name, too");
    assert_eq!(listed(search("_")).await, ids(&[]), "no wildcard");
    let found: Stored<_> = database
        .db
        .write(async |tx: &mut Tx| {
            tx.close_user(&user_id(5), later(1)).await?;
            let people = [user_id(2), user_id(3)];
            Ok((tx.list_factors_of(&people).await?.len(), tx.list_last_sign_ins(&people).await?))
        })
        .await;
    assert_eq!(found.unwrap(), (4, vec![(user_id(3), later(9))]));
    assert_eq!(listed(of(&[&own])).await, ids(&[3, 1, 2]));
}

async fn organizations_are_looked_after_until_they_are_taken(database: &TestDatabase) {
    with_account(database).await;
    let (user, one, two) = (user_id(1), organization(1), organization(2));
    let results: Stored<_> = database
        .db
        .write(async |tx: &mut Tx| {
            tx.insert_organization(&one).await?;
            tx.insert_organization(&two).await?;
            let granted = [
                tx.insert_administered(&user, &one.id, NOW).await?,
                tx.insert_administered(&user, &one.id, NOW).await?,
                tx.insert_administered(&user, &two.id, NOW).await?,
            ];
            let both = tx.list_administered(&user).await?;
            let gone = [
                tx.delete_administered(&user, Some(&one.id)).await?,
                tx.delete_administered(&user, Some(&one.id)).await?,
                tx.delete_administered(&user, None).await?,
            ];
            Ok((granted, both.len(), gone, tx.list_administered(&user).await?.len()))
        })
        .await;
    assert_eq!(results.unwrap(), ([true, false, true], 2, [1, 0, 1], 0));
}

async fn password_is_set_whatever_it_was(database: &TestDatabase) {
    let mut bare = account(1);
    bare.password = None;
    let id = bare.user.id.clone();
    let password = |phc: &str, at| PasswordCredential { phc: phc.to_owned().into(), changed_at: at };
    let results: Stored<_> = database
        .db
        .write(async |tx: &mut Tx| {
            tx.insert_account(&bare).await?;
            tx.set_password(&id, &password("first", later(1))).await?;
            let first = tx.find_account(&id).await?.and_then(|account| account.password);
            tx.set_password(&id, &password("second", later(2))).await?;
            let second = tx.find_account(&id).await?.and_then(|account| account.password);
            Ok((first, second, tx.delete_password(&id).await?, tx.delete_password(&id).await?))
        })
        .await;
    let expected = (Some(password("first", later(1))), Some(password("second", later(2))), true, false);
    assert_eq!(results.unwrap(), expected);
}

async fn legacy_credential_comes_and_goes(database: &TestDatabase) {
    let mut moved = account(1);
    moved.legacy = None;
    let id = moved.user.id.clone();
    let legacy = LegacyCredential { phc: "$2b$10$x".to_owned().into(), imported_at: later(1) };
    let results: Stored<_> = database
        .db
        .write(async |tx: &mut Tx| {
            tx.insert_account(&moved).await?;
            tx.insert_legacy_credential(&id, &legacy).await?;
            let alone = tx.find_legacy_credential(&id).await?;
            let with_account = tx.find_account(&id).await?.and_then(|account| account.legacy);
            let deleted = (tx.delete_legacy_credential(&id).await?, tx.delete_legacy_credential(&id).await?);
            Ok((alone, with_account, deleted, tx.find_legacy_credential(&id).await?))
        })
        .await;
    assert_eq!(results.unwrap(), (Some(legacy.clone()), Some(legacy), (true, false), None));
}

async fn factors(database: &TestDatabase) -> Vec<Factor> {
    let found: Stored<_> = database.db.read(async |tx: &mut Tx| tx.find_account(&user_id(1)).await).await;
    found.unwrap().unwrap().factors
}

async fn replaced_factor_is_the_only_one_of_its_kind(database: &TestDatabase) {
    with_account(database).await;
    let new = factor(90, &user_id(1), FactorKind::Mailbox, later(5));
    let replace = async |_| -> usize {
        let replaced: Stored<_> = database.db.write(async |tx: &mut Tx| tx.replace_factor(&new).await).await;
        replaced.unwrap()
    };
    assert_eq!((replace(1).await, replace(2).await), (1, 1), "again changes nothing");
    assert_eq!(factors(database).await, [account(1).factors[1].clone(), new.clone()]);
}

async fn factors_are_unbound_by_their_person_alone(database: &TestDatabase) {
    with_account(database).await;
    let passkeys: Vec<_> =
        (90..93).map(|number| factor(number, &user_id(1), FactorKind::Passkey, later(number))).collect();
    let results: Stored<_> = database
        .db
        .write(async |tx: &mut Tx| {
            for passkey in &passkeys {
                tx.insert_factor(passkey).await?;
            }
            let foreign = tx.delete_factor(&user_id(2), &passkeys[0].id).await?;
            let own = tx.delete_factor(&user_id(1), &passkeys[0].id).await?;
            Ok((foreign, own, tx.delete_factors(&user_id(1), FactorKind::Passkey).await?))
        })
        .await;
    assert_eq!(results.unwrap(), (false, true, 2));
    assert_eq!(factors(database).await, account(1).factors);
}

async fn passkey_keeps_its_new_state(database: &TestDatabase) {
    with_account(database).await;
    let mut passkey = factor(90, &user_id(1), FactorKind::Passkey, later(5));
    passkey.name = None;
    let app = account(1).factors[1].id.clone();
    let results: Stored<_> = database
        .db
        .write(async |tx: &mut Tx| {
            tx.insert_factor(&passkey).await?;
            let updated = tx.update_factor_passkey(&passkey.id, "{\"counter\":2}", later(9)).await?;
            let not_one = tx.update_factor_passkey(&app, "{}", later(9)).await?;
            Ok((updated, not_one, tx.touch_factor(&app, later(8)).await?))
        })
        .await;
    assert_eq!(results.unwrap(), (true, false, true));
    let factors = factors(database).await;
    assert_eq!((factors[1].used_at, factors[1].value.as_str()), (Some(later(8)), "pat@example.test"));
    assert_eq!((factors[2].used_at, factors[2].value.as_str()), (Some(later(9)), "{\"counter\":2}"));
}

async fn closed_account_leaves_nothing_to_sign_in_with(database: &TestDatabase) {
    with_account(database).await;
    let user = user_id(1);
    let results: Stored<_> = database
        .db
        .write(async |tx: &mut Tx| {
            tx.insert_grant(&grant(1)).await?;
            tx.insert_session(&session(1)).await?;
            tx.upsert_remembered_login(&remembered(1, "email")).await?;
            tx.insert_link(&link(1, "reset")).await?;
            tx.insert_recovery_codes(&[recovery_code(1)]).await?;
            tx.insert_federated_identity(&identity("a")).await?;
            tx.upsert_known_device(&device(1)).await?;
            let grants_before = tx.list_grants_of_user(&user).await?;
            let closed = (tx.close_user(&user, later(5)).await?, tx.close_user(&user, later(6)).await?);
            Ok((grants_before, closed, tx.find_account(&user).await?))
        })
        .await;
    let (grants_before, closed, found) = results.unwrap();
    assert_eq!((grants_before, closed), (vec![grant(1)], (true, false)));
    let left = found.unwrap();
    assert_eq!((left.password, left.legacy, left.factors), (None, None, Vec::new()));
    let mut expected = account(1).user;
    expected.email = None;
    expected.username = None;
    expected.roles.clear();
    expected.profile = Profile::default();
    expected.fax = None;
    expected.status = UserStatus::Closed;
    expected.updated_at = later(5);
    assert_eq!(left.user, expected);
    let rest: Stored<_> = database
        .db
        .read(async |tx: &mut Tx| {
            let kept = tx.list_grants_of_user(&user).await?.len()
                + tx.list_sessions_of_user(&user, later(6)).await?.len()
                + tx.list_remembered_of_user(&user, later(6)).await?.len()
                + tx.list_recovery_codes(&user).await?.len()
                + tx.list_federated_identities(&user).await?.len()
                + tx.list_known_devices(&user).await?.len();
            Ok((kept, tx.find_link(&hash(1)).await?.and_then(|link| link.revoked_at)))
        })
        .await;
    assert_eq!(rest.unwrap(), (0, Some(later(5))));
}

async fn organization_is_named_by_npi_and_code(database: &TestDatabase) {
    let organization = |number: u8, name: &str, npi: &str| Organization {
        id: OrganizationId::new(NOW, [number; 10]),
        name: name.to_owned(),
        npi: npi.to_owned(),
        registration_code: hash(u32::from(number)),
        validator: NpiRule::NpiOrOther,
        created_at: NOW,
    };
    let (mut ward, clinic) = (organization(1, "Ward", "1234567893"), organization(2, "Clinic", "1234567893"));
    ward.validator = NpiRule::Npi;
    let results: Stored<_> = database
        .db
        .write(async |tx: &mut Tx| {
            tx.insert_organization(&ward).await?;
            tx.insert_organization(&clinic).await?;
            let found = tx.find_organization("1234567893", &hash(2)).await?;
            let wrong = tx.find_organization("1234567893", &hash(3)).await?;
            let by_id = tx.find_organization_by_id(&ward.id).await?;
            Ok((found, wrong, by_id, tx.list_organizations().await?))
        })
        .await;
    let expected = (Some(clinic.clone()), None, Some(ward.clone()), vec![clinic, ward.clone()]);
    assert_eq!(results.unwrap(), expected);
    let changed: Stored<_> = database
        .db
        .write(async |tx: &mut Tx| {
            let nobody = OrganizationId::new(NOW, [9; 10]);
            let changed = [
                tx.set_organization_validator(&ward.id, NpiRule::NpiOrOther).await?,
                tx.set_organization_validator(&nobody, NpiRule::Npi).await?,
            ];
            let validators = tx.list_organizations().await?.iter().map(|known| known.validator).collect::<Vec<_>>();
            Ok((changed, validators))
        })
        .await;
    assert_eq!(changed.unwrap(), ([true, false], vec![NpiRule::NpiOrOther; 2]));
    let mut twin = organization(3, "Twin", "1234567893");
    twin.registration_code = hash(1);
    let refused: Stored<()> = database.db.write(async |tx: &mut Tx| tx.insert_organization(&twin).await).await;
    assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
}

async fn events_of_a_person_come_in_pages(database: &TestDatabase) {
    let events: Vec<_> = (1..=6).map(|number| event(number, countersign_model::AuditKind::Login)).collect();
    let pages: Stored<_> = database
        .db
        .write(async |tx: &mut Tx| {
            tx.insert_audit_events(&events).await?;
            let first = tx.list_events_of_subject(&user_id(1), None, 2).await?;
            let before = first.last().map(|event| (event.at, event.id.clone()));
            let second = tx.list_events_of_subject(&user_id(1), before.clone(), 2).await?;
            let all = tx.list_audit_events(&AuditFilter { before, ..AuditFilter::default() }).await?;
            Ok((first, second, all.len()))
        })
        .await;
    let (first, second, before_the_third) = pages.unwrap();
    assert_eq!(first, [events[4].clone(), events[2].clone()]);
    assert_eq!(second, [events[0].clone()]);
    assert_eq!(before_the_third, 2, "events 1 and 2");
}

async fn events_of_flows_come_oldest_first(database: &TestDatabase) {
    let mut events: Vec<_> = (1..=3).map(|number| event(number, countersign_model::AuditKind::FlowStep)).collect();
    events[1].flow = Some("BBBB".to_owned());
    events[2].flow = None;
    let listed: Stored<_> = database
        .db
        .write(async |tx: &mut Tx| {
            tx.insert_audit_events(&events).await?;
            let none = tx.list_events_of_flows(&[]).await?;
            Ok((none, tx.list_events_of_flows(&["BBBB".to_owned(), "AAAA".to_owned()]).await?))
        })
        .await;
    assert_eq!(listed.unwrap(), (Vec::new(), events[..2].to_vec()));
}
