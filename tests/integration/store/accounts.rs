//! Accounts and clients.

use countersign_model::{FactorKind, Seconds, UserStatus};
use countersign_store::{StoreError, Tx};
use countersign_tests::stores::{Stored, TestDatabase, race};

use super::fixtures::{NOW, account, client, factor, later, user_id};
use super::on_both;

on_both!(
    account_is_found_by_email_username_and_id,
    account_without_password_and_factors_is_found,
    unknown_names_find_nothing,
    second_account_with_the_same_email_conflicts,
    rehash_never_overwrites_a_newer_password,
    totp_step_is_spent_once,
    client_comes_back_as_it_was_stored,
    upsert_replaces_a_client_and_insert_does_not,
    disabled_column_wins_over_the_document,
);

async fn account_is_found_by_email_username_and_id(database: &TestDatabase) {
    let mut stored = account(1);
    stored.factors.push(factor(90, &stored.user.id, FactorKind::Phone, NOW.minus(Seconds::new(5))));
    let done: Stored<()> = database.db.write(async |tx: &mut Tx| tx.insert_account(&stored).await).await;
    done.unwrap();
    stored.factors.rotate_right(1);
    let found: Stored<_> = database
        .db
        .read(async |tx: &mut Tx| {
            let by_email = tx.find_account_by_email("pat1@example.test").await?;
            let by_username = tx.find_account_by_username("pat1").await?;
            Ok([by_email, by_username, tx.find_account(&stored.user.id).await?])
        })
        .await;
    for account in found.unwrap() {
        assert_eq!(account.as_ref(), Some(&stored), "factors come oldest first");
    }
}

async fn account_without_password_and_factors_is_found(database: &TestDatabase) {
    let mut bare = account(1);
    bare.password = None;
    bare.legacy = None;
    bare.user.registered_at = None;
    bare.factors.clear();
    bare.user.username = None;
    bare.user.status = UserStatus::Disabled;
    let found: Stored<_> = database
        .db
        .write(async |tx: &mut Tx| {
            tx.insert_user(&bare.user).await?;
            tx.find_account(&bare.user.id).await
        })
        .await;
    assert_eq!(found.unwrap(), Some(bare));
}

async fn unknown_names_find_nothing(database: &TestDatabase) {
    let found: Stored<_> = database
        .db
        .read(async |tx: &mut Tx| {
            let by_email = tx.find_account_by_email("nobody@example.test").await?;
            let by_username = tx.find_account_by_username("nobody").await?;
            let by_id = tx.find_account(&user_id(5)).await?;
            Ok((by_email, by_username, by_id, tx.find_client(&"nobody".parse().unwrap()).await?))
        })
        .await;
    assert_eq!(found.unwrap(), (None, None, None, None));
}

async fn second_account_with_the_same_email_conflicts(database: &TestDatabase) {
    let (first, mut second) = (account(1), account(2));
    second.user.email.clone_from(&first.user.email);
    let done: Stored<()> = database.db.write(async |tx: &mut Tx| tx.insert_account(&first).await).await;
    done.unwrap();
    let refused: Stored<()> = database.db.write(async |tx: &mut Tx| tx.insert_account(&second).await).await;
    let Err(StoreError::Conflict(what)) = refused else { panic!("{refused:?}") };
    assert!(what.contains("email"), "{what}");
    assert!(!what.contains("example.test"), "no value in an error: {what}");
}

async fn rehash_never_overwrites_a_newer_password(database: &TestDatabase) {
    let stored = account(1);
    let id = &stored.user.id;
    let results: Stored<_> = database
        .db
        .write(async |tx: &mut Tx| {
            tx.insert_account(&stored).await?;
            let changed = tx.set_password_phc(id, "$argon2id$1", "new", Some(later(9))).await?;
            let rehashed_too_late = tx.set_password_phc(id, "$argon2id$1", "rehash", None).await?;
            let rehashed = tx.set_password_phc(id, "new", "rehash", None).await?;
            Ok((changed, rehashed_too_late, rehashed, tx.find_account(id).await?))
        })
        .await;
    let (changed, rehashed_too_late, rehashed, found) = results.unwrap();
    assert_eq!((changed, rehashed_too_late, rehashed), (true, false, true));
    let password = found.unwrap().password.unwrap();
    assert_eq!((password.phc.as_str(), password.changed_at), ("rehash", later(9)));
}

async fn totp_step_is_spent_once(database: &TestDatabase) {
    let stored = account(1);
    let factor = &stored.factors[1].id;
    let done: Stored<()> = database.db.write(async |tx: &mut Tx| tx.insert_account(&stored).await).await;
    done.unwrap();
    let spend = async |step: i64| -> bool {
        let spent: Stored<bool> = database.db.write(async |tx: &mut Tx| tx.spend_totp_step(factor, step).await).await;
        spent.unwrap()
    };
    let winners = race(16, |_| spend(59_000_000)).into_iter().filter(|won| *won).count();
    assert_eq!(winners, 1);
    assert!(!spend(58_999_999).await, "an older step");
    assert!(spend(59_000_001).await, "the next step");
}

async fn client_comes_back_as_it_was_stored(database: &TestDatabase) {
    let (first, second) = (client("portal"), client("another"));
    let found: Stored<_> = database
        .db
        .write(async |tx: &mut Tx| {
            tx.insert_client(&first).await?;
            tx.insert_client(&second).await?;
            Ok((tx.find_client(&first.id).await?, tx.list_clients().await?))
        })
        .await;
    let (one, all) = found.unwrap();
    assert_eq!(one.as_ref(), Some(&first));
    assert_eq!(all, [second, first], "in order of id");
}

async fn upsert_replaces_a_client_and_insert_does_not(database: &TestDatabase) {
    let mut changed = client("portal");
    let original = changed.clone();
    "Case portal".clone_into(&mut changed.name);
    let found: Stored<_> = database
        .db
        .write(async |tx: &mut Tx| {
            tx.upsert_client(&original).await?;
            tx.upsert_client(&changed).await?;
            tx.find_client(&changed.id).await
        })
        .await;
    assert_eq!(found.unwrap().as_ref(), Some(&changed));
    let refused: Stored<()> = database.db.write(async |tx: &mut Tx| tx.insert_client(&original).await).await;
    assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
}

async fn disabled_column_wins_over_the_document(database: &TestDatabase) {
    let portal = client("portal");
    let done: Stored<()> = database.db.write(async |tx: &mut Tx| tx.insert_client(&portal).await).await;
    done.unwrap();
    database.raw("UPDATE clients SET disabled = (1 = 1)").await.unwrap();
    let found: Stored<_> = database.db.read(async |tx: &mut Tx| tx.find_client(&portal.id).await).await;
    assert!(found.unwrap().unwrap().disabled);
}
