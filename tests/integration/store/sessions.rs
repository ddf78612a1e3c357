//! Browser sessions, remembered logins, signing keys.

use countersign_model::{SigningAlgorithm, SigningKey};
use countersign_store::{StoreError, Tx};
use countersign_tests::stores::{Stored, TestDatabase};
use serde_json::json;

use super::fixtures::{NOW, account, authentication, hash, later, remembered, session, user_id};
use super::on_both;

on_both!(
    session_comes_back_by_its_token,
    second_session_with_the_same_token_conflicts,
    session_is_touched_forward_only,
    session_ends_once,
    login_is_remembered_per_browser_and_policy,
    remembered_login_is_replaced_and_forgotten,
    signing_keys_come_back_oldest_first,
);

async fn with_account(database: &TestDatabase) {
    let stored: Stored<()> = database.db.write(async |tx: &mut Tx| tx.insert_account(&account(1)).await).await;
    stored.unwrap();
}

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
