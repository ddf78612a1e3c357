//! Effects, settings, purging, and what a broken row does.

use countersign_model::{OutboxState, Seconds, Timestamp};
use countersign_store::{AnsweredRequest, Lane, Purged, StoreError, Tx};
use countersign_tests::stores::{Backend, Stored, TestDatabase, race};

use super::fixtures::{
    NOW, account, client, code, device, event, hash, later, link, message, recovery_code, refresh_token, remembered,
    session, stored_grant, user_id, with_account,
};
use super::on_both;

on_both!(
    effect_happens_once,
    first_writer_of_a_setting_wins,
    purge_deletes_what_is_over_in_batches,
    purge_leaves_what_is_live,
    browser_is_known_for_four_hundred_days,
    spent_recovery_code_stays_on_record,
    impossible_values_are_corrupt_and_named,
    ping_answers,
);

async fn effect_happens_once(database: &TestDatabase) {
    let first = race(16, |_| async {
        let inserted: Stored<bool> =
            database.db.write(async |tx: &mut Tx| tx.insert_effect("flow/email/1", NOW).await).await;
        inserted.unwrap()
    });
    assert_eq!(first.into_iter().filter(|first| *first).count(), 1);
}

async fn first_writer_of_a_setting_wins(database: &TestDatabase) {
    let standing = race(8, |caller| async move {
        let value = [u8::try_from(caller).unwrap()];
        let standing: Stored<Vec<u8>> =
            database.db.write(async |tx: &mut Tx| tx.insert_setting_if_absent("check", &value).await).await;
        standing.unwrap()
    });
    let found: Stored<_> = database
        .db
        .read(async |tx: &mut Tx| Ok((tx.find_setting("check").await?, tx.find_setting("other").await?)))
        .await;
    let (found, other) = found.unwrap();
    assert!(standing.iter().all(|value| Some(value) == found.as_ref()), "{standing:?}");
    assert_eq!(other, None);
}

/// One of everything that can be purged, and an unfinished message.
async fn one_of_everything(database: &TestDatabase) {
    let grant = stored_grant(database, 1).await;
    let (code, token) = (code(1, &grant), refresh_token(2, &grant));
    let stored: Stored<()> = database
        .db
        .write(async |tx: &mut Tx| {
            tx.insert_code(&code).await?;
            tx.insert_refresh_token(&token).await?;
            tx.insert_session(&session(1)).await?;
            tx.upsert_remembered_login(&remembered(1, "email")).await?;
            tx.insert_effect("effect", NOW).await?;
            tx.insert_outbox_message(&message(1)).await?;
            tx.claim_due_messages(NOW, Lane::WithoutThatOf("logout"), 1, Seconds::new(30)).await?;
            tx.finish_message(&message(1).id, OutboxState::Delivered, NOW).await?;
            tx.insert_outbox_message(&message(2)).await?;
            tx.insert_link(&link(1, "reset")).await?;
            tx.insert_recovery_codes(&[recovery_code(1)]).await?;
            tx.consume_recovery_code(&user_id(1), &hash(1), NOW).await?;
            tx.spend_id(&hash(1), later(3600)).await?;
            tx.insert_answered(&hash(1), &AnsweredRequest { fingerprint: hash(2), made: "user".to_owned() }, NOW)
                .await?;
            tx.revoke_token("token-1", later(3600)).await?;
            tx.upsert_known_device(&device(1)).await.map(drop)
        })
        .await;
    stored.unwrap();
}

async fn purge(database: &TestDatabase, now: Timestamp, batch: u32) -> Purged {
    let purged: Stored<_> = database.db.write(async |tx: &mut Tx| tx.purge_expired(now, batch).await).await;
    purged.unwrap()
}

async fn purge_deletes_what_is_over_in_batches(database: &TestDatabase) {
    one_of_everything(database).await;
    let stored: Stored<()> = database
        .db
        .write(async |tx: &mut Tx| {
            for number in 0..4 {
                tx.insert_effect(&format!("effect {number}"), NOW).await?;
            }
            Ok(())
        })
        .await;
    stored.unwrap();
    let month = NOW.plus(Seconds::hours(31 * 24));
    let first = purge(database, month, 3).await;
    let one = Purged {
        codes: 1,
        refresh_tokens: 1,
        grants: 1,
        sessions: 1,
        remembered: 1,
        effects: 3,
        outbox: 1,
        links: 1,
        devices: 0,
        ids: 1,
        revoked: 1,
        pushed: 0,
        device_codes: 0,
        answered: 1,
    };
    assert_eq!(first, one);
    assert_eq!(purge(database, month, 3).await, Purged { effects: 2, ..Purged::default() });
    assert_eq!(purge(database, month, 3).await.total(), 0);
}

async fn purge_leaves_what_is_live(database: &TestDatabase) {
    one_of_everything(database).await;
    assert_eq!(purge(database, later(3600), 100).await.total(), 0);
    let next_day = NOW.plus(Seconds::hours(26));
    let expected = Purged {
        codes: 1,
        refresh_tokens: 1,
        sessions: 1,
        remembered: 1,
        effects: 1,
        answered: 1,
        outbox: 1,
        ids: 1,
        revoked: 1,
        ..Purged::default()
    };
    assert_eq!(purge(database, next_day, 100).await, expected, "a grant outlives its tokens");
}

async fn browser_is_known_for_four_hundred_days(database: &TestDatabase) {
    with_account(database).await;
    let mut seen_again = device(2);
    seen_again.last_seen_at = NOW.plus(Seconds::hours(24));
    let stored: Stored<()> = database
        .db
        .write(async |tx: &mut Tx| {
            tx.upsert_known_device(&device(1)).await?;
            tx.upsert_known_device(&seen_again).await.map(drop)
        })
        .await;
    stored.unwrap();
    assert_eq!(purge(database, NOW.plus(Seconds::hours(400 * 24)), 10).await.total(), 0);
    let after = NOW.plus(Seconds::hours(400 * 24 + 1));
    assert_eq!(purge(database, after, 10).await, Purged { devices: 1, ..Purged::default() });
    let left: Stored<_> = database.db.read(async |tx: &mut Tx| tx.list_known_devices(&user_id(1)).await).await;
    assert_eq!(left.unwrap(), [seen_again]);
}

async fn spent_recovery_code_stays_on_record(database: &TestDatabase) {
    one_of_everything(database).await;
    purge(database, NOW.plus(Seconds::hours(1000 * 24)), 100).await;
    let left: Stored<_> = database.db.read(async |tx: &mut Tx| tx.list_recovery_codes(&user_id(1)).await).await;
    assert_eq!(left.unwrap().len(), 1);
}

async fn impossible_values_are_corrupt_and_named(database: &TestDatabase) {
    one_of_everything(database).await;
    let stored: Stored<()> = database
        .db
        .write(async |tx: &mut Tx| {
            tx.insert_client(&client("portal")).await?;
            tx.insert_audit_events(&[event(1, countersign_model::AuditKind::Login)]).await
        })
        .await;
    stored.unwrap();
    let binary = if database.backend == Backend::Postgres { "'\\x0102'::bytea" } else { "x'0102'" };
    let cases = [
        ("users", "status", "UPDATE users SET status = 'undead'".to_owned()),
        ("factors", "kind", "UPDATE users SET status = 'active'; UPDATE factors SET kind = 'pigeon'".to_owned()),
        ("grants", "scope", "UPDATE factors SET kind = 'totp'; UPDATE grants SET scope = '\"'".to_owned()),
        ("clients", "document", "UPDATE clients SET document = '{}'".to_owned()),
        ("browser_sessions", "authentication", "UPDATE browser_sessions SET authentication = 'x'".to_owned()),
        ("remembered_logins", "facts", "UPDATE remembered_logins SET facts = 'luck'".to_owned()),
        ("outbox", "state", "UPDATE outbox SET state = 'lost'".to_owned()),
        (
            "refresh_tokens",
            "successor",
            format!("UPDATE grants SET scope = 'openid'; UPDATE refresh_tokens SET successor = {binary}"),
        ),
    ];
    for (table, column, sql) in cases {
        database.raw(&sql).await.unwrap();
        let error = read_from(database, table).await.unwrap_err();
        let StoreError::Corrupt { table: found_table, column: found_column, row } = &error else {
            panic!("{table}: {error:?}")
        };
        assert_eq!((*found_table, *found_column), (table, column));
        assert!(!row.is_empty());
    }
}

/// Reads the one row of `table` as the product does.
async fn read_from(database: &TestDatabase, table: &str) -> Stored<()> {
    let account = account(1);
    let read = async |tx: &mut Tx| -> Stored<()> {
        match table {
            "users" | "factors" => tx.find_account(&account.user.id).await.map(drop),
            "grants" => tx.find_code_with_grant(&hash(1)).await.map(drop),
            "clients" => tx.list_clients().await.map(drop),
            "browser_sessions" => tx.find_session_by_token(&hash(1)).await.map(drop),
            "remembered_logins" => tx.list_remembered_logins(&hash(1), NOW).await.map(drop),
            "outbox" => tx.find_outbox_message(&message(2).id).await.map(drop),
            "refresh_tokens" => tx.find_refresh_token_with_grant(&hash(2)).await.map(drop),
            _ => Ok(()),
        }
    };
    database.db.read(read).await
}

async fn ping_answers(database: &TestDatabase) {
    database.db.ping().await.unwrap();
}
