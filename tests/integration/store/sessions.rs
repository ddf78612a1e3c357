//! Browser sessions, remembered logins, signing keys.

use countersign_model::{BrowserSession, SigningAlgorithm, SigningKey, Ticket};
use countersign_store::{StoreError, Tx};
use countersign_tests::stores::{Stored, TestDatabase, race};
use serde_json::json;

use super::fixtures::{NOW, authentication, hash, later, remembered, session, user_id, with_account};
use super::on_both;

on_both!(
    session_comes_back_by_its_token,
    second_session_with_the_same_token_conflicts,
    session_is_touched_forward_only,
    session_ends_once,
    other_sessions_end_and_this_one_stays,
    sessions_of_a_user_are_the_live_ones_last_used_first,
    ticket_counts_once,
    ticket_is_for_its_client_in_time_and_a_live_session,
    remembered_logins_of_a_user_are_listed_newest_first,
    remembered_login_of_an_older_version_was_made_at_the_sign_in,
    login_is_remembered_per_browser_and_policy,
    remembered_login_is_replaced_and_forgotten,
    signing_keys_come_back_oldest_first,
);

async fn session_comes_back_by_its_token(database: &TestDatabase) {
    with_account(database).await;
    let session = session(1);
    let found: Stored<_> = database
        .db
        .write(async |tx: &mut Tx| {
            tx.insert_session(&session).await?;
            Ok((tx.find_session_by_token(&session.token).await?, tx.find_session_by_token(&hash(2)).await?))
        })
        .await;
    assert_eq!(found.unwrap(), (Some(session), None));
}

async fn second_session_with_the_same_token_conflicts(database: &TestDatabase) {
    with_account(database).await;
    let (first, mut second) = (session(1), session(1));
    second.id = authentication(2).session;
    let stored: Stored<()> = database.db.write(async |tx: &mut Tx| tx.insert_session(&first).await).await;
    stored.unwrap();
    let refused: Stored<()> = database.db.write(async |tx: &mut Tx| tx.insert_session(&second).await).await;
    assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
}

async fn session_is_touched_forward_only(database: &TestDatabase) {
    with_account(database).await;
    let session = session(1);
    let found: Stored<_> = database
        .db
        .write(async |tx: &mut Tx| {
            tx.insert_session(&session).await?;
            tx.touch_session(&session.id, later(10)).await?;
            tx.touch_session(&session.id, later(5)).await?;
            tx.find_session_by_token(&session.token).await
        })
        .await;
    assert_eq!(found.unwrap().unwrap().seen_at, later(10));
}

async fn session_ends_once(database: &TestDatabase) {
    with_account(database).await;
    let session = session(1);
    let ended: Stored<_> = database
        .db
        .write(async |tx: &mut Tx| {
            tx.insert_session(&session).await?;
            let first = tx.end_session(&session.id, later(5)).await?;
            let second = tx.end_session(&session.id, later(6)).await?;
            let others = tx.end_sessions_of_user(&user_id(1), later(7)).await?;
            let found = tx.find_session_by_token(&session.token).await?;
            Ok((first, second, others, found.and_then(|session| session.ended_at)))
        })
        .await;
    assert_eq!(ended.unwrap(), (true, false, 0, Some(later(5))));
}

/// Session `number`, of account 1.
fn another_session(number: u32) -> BrowserSession {
    let mut another = session(number);
    another.authentication.user = user_id(1);
    another
}

async fn other_sessions_end_and_this_one_stays(database: &TestDatabase) {
    with_account(database).await;
    let kept = session(1);
    let ended: Stored<_> = database
        .db
        .write(async |tx: &mut Tx| {
            for session in [&kept, &another_session(2), &another_session(3)] {
                tx.insert_session(session).await?;
            }
            let ended = tx.end_other_sessions(&user_id(1), &kept.id, later(5)).await?;
            Ok((ended, tx.list_sessions_of_user(&user_id(1), later(5)).await?))
        })
        .await;
    assert_eq!(ended.unwrap(), (2, vec![kept]));
}

async fn sessions_of_a_user_are_the_live_ones_last_used_first(database: &TestDatabase) {
    with_account(database).await;
    let (older, mut newer, mut expired, ended) =
        (session(1), another_session(2), another_session(3), another_session(4));
    newer.seen_at = later(9);
    newer.device = None;
    newer.address = None;
    expired.expires_at = later(10);
    let listed: Stored<_> = database
        .db
        .write(async |tx: &mut Tx| {
            for session in [&older, &newer, &expired, &ended] {
                tx.insert_session(session).await?;
            }
            tx.end_session(&ended.id, later(1)).await?;
            let nobodys = tx.list_sessions_of_user(&user_id(2), later(10)).await?;
            Ok((tx.list_sessions_of_user(&user_id(1), later(10)).await?, nobodys))
        })
        .await;
    assert_eq!(listed.unwrap(), (vec![newer, older], Vec::new()));
}

fn with_ticket(number: u32) -> BrowserSession {
    let ticket = Ticket { client: "portal".parse().unwrap(), until: later(60) };
    BrowserSession { ticket: Some(ticket), ..another_session(number) }
}

async fn ticket_counts_once(database: &TestDatabase) {
    with_account(database).await;
    let session = with_ticket(1);
    let stored: Stored<_> = database
        .db
        .write(async |tx: &mut Tx| {
            tx.insert_session(&session).await?;
            tx.find_session_by_token(&session.token).await
        })
        .await;
    assert_eq!(stored.unwrap().as_ref(), Some(&session));
    let portal = "portal".parse().unwrap();
    let consume = async |_| -> bool {
        let work = async |tx: &mut Tx| tx.consume_ticket(&session.id, &portal, later(59)).await;
        let consumed: Stored<bool> = database.db.write(work).await;
        consumed.unwrap()
    };
    assert_eq!(race(16, consume).into_iter().filter(|won| *won).count(), 1);
    let found: Stored<_> = database.db.read(async |tx: &mut Tx| tx.find_session_by_token(&session.token).await).await;
    assert_eq!(found.unwrap().unwrap().ticket, None);
}

async fn ticket_is_for_its_client_in_time_and_a_live_session(database: &TestDatabase) {
    with_account(database).await;
    let (open, ended) = (with_ticket(1), with_ticket(2));
    let (portal, another) = ("portal".parse().unwrap(), "another".parse().unwrap());
    let results: Stored<_> = database
        .db
        .write(async |tx: &mut Tx| {
            tx.insert_session(&open).await?;
            tx.insert_session(&ended).await?;
            tx.end_session(&ended.id, later(1)).await?;
            let foreign = tx.consume_ticket(&open.id, &another, later(2)).await?;
            let late = tx.consume_ticket(&open.id, &portal, later(60)).await?;
            let over = tx.consume_ticket(&ended.id, &portal, later(2)).await?;
            Ok((foreign, late, over, tx.consume_ticket(&open.id, &portal, later(2)).await?))
        })
        .await;
    assert_eq!(results.unwrap(), (false, false, false, true));
}

async fn remembered_logins_of_a_user_are_listed_newest_first(database: &TestDatabase) {
    with_account(database).await;
    let (here, mut there, mut expired) = (remembered(1, "email"), remembered(2, "email"), remembered(3, "email"));
    there.expires_at = later(5 * 3600);
    there.device = None;
    expired.expires_at = later(10);
    let listed: Stored<_> = database
        .db
        .write(async |tx: &mut Tx| {
            for login in [&here, &there, &expired] {
                tx.upsert_remembered_login(login).await?;
            }
            tx.list_remembered_of_user(&user_id(1), later(10)).await
        })
        .await;
    assert_eq!(listed.unwrap(), [there, here]);
}

async fn remembered_login_of_an_older_version_was_made_at_the_sign_in(database: &TestDatabase) {
    with_account(database).await;
    let stored: Stored<()> =
        database.db.write(async |tx: &mut Tx| tx.upsert_remembered_login(&remembered(1, "email")).await).await;
    stored.unwrap();
    database.raw("UPDATE remembered_logins SET created_at = NULL").await.unwrap();
    let listed: Stored<_> = database.db.read(async |tx: &mut Tx| tx.list_remembered_logins(&hash(1), NOW).await).await;
    assert_eq!(listed.unwrap()[0].created_at, NOW);
}

async fn login_is_remembered_per_browser_and_policy(database: &TestDatabase) {
    with_account(database).await;
    let (email, phone, elsewhere) = (remembered(1, "email"), remembered(1, "phone"), remembered(2, "email"));
    let mut expired = remembered(1, "totp");
    expired.expires_at = later(100);
    let listed: Stored<_> = database
        .db
        .write(async |tx: &mut Tx| {
            for login in [&phone, &email, &elsewhere, &expired] {
                tx.upsert_remembered_login(login).await?;
            }
            tx.list_remembered_logins(&hash(1), later(100)).await
        })
        .await;
    assert_eq!(listed.unwrap(), [email, phone]);
}

async fn remembered_login_is_replaced_and_forgotten(database: &TestDatabase) {
    with_account(database).await;
    let mut renewed = remembered(1, "email");
    renewed.expires_at = later(5 * 3600);
    let results: Stored<_> = database
        .db
        .write(async |tx: &mut Tx| {
            tx.upsert_remembered_login(&remembered(1, "email")).await?;
            tx.upsert_remembered_login(&renewed).await?;
            let listed = tx.list_remembered_logins(&hash(1), NOW).await?;
            let forgotten = tx.delete_remembered_login(&hash(1), "email").await?;
            let again = tx.delete_remembered_login(&hash(1), "email").await?;
            tx.upsert_remembered_login(&remembered(2, "email")).await?;
            tx.upsert_remembered_login(&remembered(3, "phone")).await?;
            Ok((listed, forgotten, again, tx.delete_remembered_logins_of_user(&user_id(1)).await?))
        })
        .await;
    assert_eq!(results.unwrap(), (vec![renewed], true, false, 2));
}

async fn signing_keys_come_back_oldest_first(database: &TestDatabase) {
    let key = |id: &str, created_at| SigningKey {
        id: id.parse().unwrap(),
        algorithm: SigningAlgorithm::EdDSA,
        public_jwk: json!({ "kty": "OKP", "crv": "Ed25519" }),
        sealed_private: vec![0, 255, 1],
        created_at,
        use_from: later(60),
        retire_at: None,
    };
    let (newer, older) = (key("a", later(1)), key("b", NOW));
    let listed: Stored<_> = database
        .db
        .write(async |tx: &mut Tx| {
            tx.insert_signing_key(&newer).await?;
            tx.insert_signing_key(&older).await?;
            tx.list_signing_keys().await
        })
        .await;
    let refused: Stored<()> = database.db.write(async |tx: &mut Tx| tx.insert_signing_key(&newer).await).await;
    assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
    assert_eq!(listed.unwrap(), [older, newer]);
}
