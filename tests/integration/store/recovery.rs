//! Recovery codes, known browsers, what was agreed to.

use countersign_model::TermsAcceptance;
use countersign_store::{StoreError, Tx};
use countersign_tests::stores::{Stored, TestDatabase, race};

use super::fixtures::{NOW, account, device, hash, later, recovery_code, user_id, with_account};
use super::on_both;

on_both!(
    recovery_code_is_spent_once,
    recovery_code_is_its_persons_alone,
    new_recovery_codes_replace_all_old_ones,
    browser_is_new_once,
    known_browser_keeps_its_first_and_last_time,
    terms_are_accepted_once_per_version,
);

async fn with_codes(database: &TestDatabase) {
    with_account(database).await;
    let stored: Stored<()> = database
        .db
        .write(async |tx: &mut Tx| tx.insert_recovery_codes(&[recovery_code(1), recovery_code(2)]).await)
        .await;
    stored.unwrap();
}

async fn recovery_code_is_spent_once(database: &TestDatabase) {
    with_codes(database).await;
    let spend = async |_| -> bool {
        let work = async |tx: &mut Tx| tx.consume_recovery_code(&user_id(1), &hash(1), later(5)).await;
        let spent: Stored<bool> = database.db.write(work).await;
        spent.unwrap()
    };
    assert_eq!(race(16, spend).into_iter().filter(|won| *won).count(), 1);
    let left: Stored<_> = database
        .db
        .read(async |tx: &mut Tx| {
            let spent = tx.find_unspent_recovery_code(&user_id(1), &hash(1)).await?;
            let fresh = tx.find_unspent_recovery_code(&user_id(1), &hash(2)).await?;
            Ok((spent, fresh, tx.list_recovery_codes(&user_id(1)).await?))
        })
        .await;
    let mut spent = recovery_code(1);
    spent.used_at = Some(later(5));
    assert_eq!(left.unwrap(), (None, Some(recovery_code(2)), vec![spent, recovery_code(2)]));
}

async fn recovery_code_is_its_persons_alone(database: &TestDatabase) {
    with_codes(database).await;
    let other = account(2);
    let results: Stored<_> = database
        .db
        .write(async |tx: &mut Tx| {
            tx.insert_account(&other).await?;
            let found = tx.find_unspent_recovery_code(&other.user.id, &hash(1)).await?;
            let spent = tx.consume_recovery_code(&other.user.id, &hash(1), NOW).await?;
            Ok((found, spent, tx.consume_recovery_code(&user_id(1), &hash(1), NOW).await?))
        })
        .await;
    assert_eq!(results.unwrap(), (None, false, true));
}

async fn new_recovery_codes_replace_all_old_ones(database: &TestDatabase) {
    with_codes(database).await;
    let results: Stored<_> = database
        .db
        .write(async |tx: &mut Tx| {
            tx.consume_recovery_code(&user_id(1), &hash(1), NOW).await?;
            let gone = tx.replace_recovery_codes(&user_id(1), &[recovery_code(3)]).await?;
            let old = tx.consume_recovery_code(&user_id(1), &hash(2), NOW).await?;
            Ok((gone, old, tx.list_recovery_codes(&user_id(1)).await?))
        })
        .await;
    assert_eq!(results.unwrap(), (2, false, vec![recovery_code(3)]));
    let twice: Stored<()> =
        database.db.write(async |tx: &mut Tx| tx.insert_recovery_codes(&[recovery_code(3)]).await).await;
    assert!(matches!(twice, Err(StoreError::Conflict(_))), "{twice:?}");
}

async fn browser_is_new_once(database: &TestDatabase) {
    with_account(database).await;
    let see = async |_| -> bool {
        let new: Stored<bool> = database.db.write(async |tx: &mut Tx| tx.upsert_known_device(&device(1)).await).await;
        new.unwrap()
    };
    assert_eq!(race(16, see).into_iter().filter(|new| *new).count(), 1);
}

async fn known_browser_keeps_its_first_and_last_time(database: &TestDatabase) {
    with_account(database).await;
    let mut again = device(1);
    "Firefox on Windows".clone_into(&mut again.description);
    again.first_seen_at = later(100);
    again.last_seen_at = later(100);
    let listed: Stored<_> = database
        .db
        .write(async |tx: &mut Tx| {
            tx.upsert_known_device(&device(1)).await?;
            tx.upsert_known_device(&again).await?;
            tx.upsert_known_device(&device(1)).await?;
            tx.upsert_known_device(&device(2)).await?;
            tx.list_known_devices(&user_id(1)).await
        })
        .await;
    again.first_seen_at = NOW;
    assert_eq!(listed.unwrap(), [again, device(2)], "an older sighting changes nothing");
}

async fn terms_are_accepted_once_per_version(database: &TestDatabase) {
    with_account(database).await;
    let acceptance = |version: &str, accepted_at| TermsAcceptance {
        user: user_id(1),
        document: "terms".to_owned(),
        version: version.to_owned(),
        accepted_at,
    };
    let (first, second) = (acceptance("2026-01", later(1)), acceptance("2026-11", later(2)));
    let results: Stored<_> = database
        .db
        .write(async |tx: &mut Tx| {
            let accepted = (tx.accept_terms(&first).await?, tx.accept_terms(&second).await?);
            let again = tx.accept_terms(&acceptance("2026-11", later(3))).await?;
            let version = tx.find_account(&user_id(1)).await?.and_then(|account| account.user.terms_version);
            Ok((accepted, again, version, tx.list_terms_acceptances(&user_id(1)).await?))
        })
        .await;
    let (accepted, again, version, listed) = results.unwrap();
    assert_eq!((accepted, again, version.as_deref()), ((true, true), false, Some("2026-11")));
    assert_eq!(listed, [first, second]);
}
