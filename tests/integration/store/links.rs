//! Mailed links, and people an upstream provider vouches for.

use countersign_store::Tx;
use countersign_tests::stores::{Stored, TestDatabase, race};

use super::fixtures::{NOW, hash, identity, later, link, user_id, with_account};
use super::on_both;

on_both!(
    link_comes_back_and_is_made_once,
    link_works_once,
    link_does_not_work_past_its_end,
    newer_link_revokes_the_older_ones_of_its_policy,
    every_link_of_a_person_is_revoked,
    person_of_a_provider_is_linked_once,
    federated_identity_remembers_its_last_use,
);

async fn link_comes_back_and_is_made_once(database: &TestDatabase) {
    with_account(database).await;
    let (mailed, mut bare) = (link(1, "reset"), link(2, "invite"));
    bare.client = None;
    bare.request = None;
    let found: Stored<_> = database
        .db
        .write(async |tx: &mut Tx| {
            let made = (tx.insert_link(&mailed).await?, tx.insert_link(&mailed).await?, tx.insert_link(&bare).await?);
            let found = (tx.find_link(&hash(1)).await?, tx.find_link(&hash(2)).await?, tx.find_link(&hash(3)).await?);
            Ok((made, found))
        })
        .await;
    assert_eq!(found.unwrap(), ((true, false, true), (Some(mailed), Some(bare), None)));
}

async fn link_works_once(database: &TestDatabase) {
    with_account(database).await;
    let stored: Stored<_> = database.db.write(async |tx: &mut Tx| tx.insert_link(&link(1, "reset")).await).await;
    assert!(stored.unwrap());
    let consume = async |_| -> bool {
        let consumed: Stored<bool> =
            database.db.write(async |tx: &mut Tx| tx.consume_link(&hash(1), later(5)).await).await;
        consumed.unwrap()
    };
    assert_eq!(race(16, consume).into_iter().filter(|won| *won).count(), 1);
    let found: Stored<_> = database.db.read(async |tx: &mut Tx| tx.find_link(&hash(1)).await).await;
    assert_eq!(found.unwrap().unwrap().consumed_at, Some(later(5)));
}

async fn link_does_not_work_past_its_end(database: &TestDatabase) {
    with_account(database).await;
    let consumed: Stored<_> = database
        .db
        .write(async |tx: &mut Tx| {
            tx.insert_link(&link(1, "reset")).await?;
            let late = tx.consume_link(&hash(1), later(600)).await?;
            Ok((late, tx.consume_link(&hash(1), later(599)).await?))
        })
        .await;
    assert_eq!(consumed.unwrap(), (false, true));
}

async fn newer_link_revokes_the_older_ones_of_its_policy(database: &TestDatabase) {
    with_account(database).await;
    let results: Stored<_> = database
        .db
        .write(async |tx: &mut Tx| {
            for link in [link(1, "reset"), link(2, "reset"), link(3, "invite"), link(4, "reset")] {
                tx.insert_link(&link).await?;
            }
            tx.consume_link(&hash(4), NOW).await?;
            let revoked = tx.revoke_links(&user_id(1), "reset", &hash(2), later(1)).await?;
            let again = tx.revoke_links(&user_id(1), "reset", &hash(2), later(2)).await?;
            let old = tx.consume_link(&hash(1), later(3)).await?;
            let found = tx.find_link(&hash(1)).await?.and_then(|link| link.revoked_at);
            let rest = (tx.consume_link(&hash(2), later(3)).await?, tx.consume_link(&hash(3), later(3)).await?);
            Ok((revoked, again, old, found, rest))
        })
        .await;
    assert_eq!(results.unwrap(), (1, 0, false, Some(later(1)), (true, true)));
}

async fn every_link_of_a_person_is_revoked(database: &TestDatabase) {
    with_account(database).await;
    let results: Stored<_> = database
        .db
        .write(async |tx: &mut Tx| {
            tx.insert_link(&link(1, "reset")).await?;
            tx.insert_link(&link(2, "invite")).await?;
            let revoked = tx.revoke_links_of_user(&user_id(1), later(1)).await?;
            Ok((revoked, tx.consume_link(&hash(1), later(2)).await?, tx.consume_link(&hash(2), later(2)).await?))
        })
        .await;
    assert_eq!(results.unwrap(), (2, false, false));
}

async fn person_of_a_provider_is_linked_once(database: &TestDatabase) {
    with_account(database).await;
    let linked = race(8, async |_| -> bool {
        let work = async |tx: &mut Tx| tx.insert_federated_identity(&identity("a")).await;
        let linked: Stored<bool> = database.db.write(work).await;
        linked.unwrap()
    });
    assert_eq!(linked.into_iter().filter(|won| *won).count(), 1);
    let found: Stored<_> = database
        .db
        .read(async |tx: &mut Tx| {
            let known = tx.find_federated_identity("corporate", "a").await?;
            let other_subject = tx.find_federated_identity("corporate", "b").await?;
            Ok((known, other_subject, tx.find_federated_identity("another", "a").await?))
        })
        .await;
    assert_eq!(found.unwrap(), (Some(identity("a")), None, None));
}

async fn federated_identity_remembers_its_last_use(database: &TestDatabase) {
    with_account(database).await;
    let mut later_one = identity("b");
    later_one.linked_at = later(1);
    let results: Stored<_> = database
        .db
        .write(async |tx: &mut Tx| {
            tx.insert_federated_identity(&later_one).await?;
            tx.insert_federated_identity(&identity("a")).await?;
            let touched = tx.touch_federated_identity("corporate", "a", None, later(9)).await?;
            let unknown = tx.touch_federated_identity("corporate", "c", None, later(9)).await?;
            Ok((touched, unknown, tx.list_federated_identities(&user_id(1)).await?))
        })
        .await;
    let mut used = identity("a");
    used.email = None;
    used.used_at = Some(later(9));
    assert_eq!(results.unwrap(), (true, false, vec![used, later_one]));
}
