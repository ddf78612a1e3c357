//! Grants, authorization codes and refresh tokens.

use countersign_model::RefreshToken;
use countersign_store::{Rotation, Tx};
use countersign_tests::stores::{Stored, TestDatabase, race};

use super::fixtures::{code, hash, holder, later, refresh_token, stored_grant};
use super::on_both;

on_both!(
    grant_comes_back_with_its_account,
    grant_is_revoked_once,
    every_grant_of_a_user_is_revoked_at_once,
    code_comes_back_with_grant_and_account,
    code_is_issued_once,
    code_is_consumed_by_exactly_one_of_many,
    refresh_token_is_consumed_by_exactly_one_of_many,
    successor_is_replaced_by_exactly_one_of_many_and_only_unused,
    id_is_spent_by_exactly_one_of_many,
    token_is_taken_back_once,
    unknown_hashes_find_and_consume_nothing,
);

async fn grant_comes_back_with_its_account(database: &TestDatabase) {
    let grant = stored_grant(database, 1).await;
    stored_grant(database, 2).await;
    let found: Stored<_> = database
        .db
        .read(async |tx: &mut Tx| Ok((tx.find_grant(&grant.id).await?, tx.find_grant_with_account(&grant.id).await?)))
        .await;
    let (alone, with_account) = found.unwrap();
    let with_account = with_account.unwrap();
    assert_eq!(alone.as_ref(), Some(&grant));
    assert_eq!((with_account.grant, with_account.account), (grant, holder(1)));
}

async fn grant_is_revoked_once(database: &TestDatabase) {
    let grant = stored_grant(database, 1).await;
    let revoked: Stored<_> = database
        .db
        .write(async |tx: &mut Tx| {
            let first = tx.revoke_grant(&grant.id, later(5)).await?;
            let second = tx.revoke_grant(&grant.id, later(6)).await?;
            Ok((first, second, tx.find_grant(&grant.id).await?.and_then(|grant| grant.revoked_at)))
        })
        .await;
    assert_eq!(revoked.unwrap(), (true, false, Some(later(5))));
}

async fn every_grant_of_a_user_is_revoked_at_once(database: &TestDatabase) {
    let (mine, other) = (stored_grant(database, 1).await, stored_grant(database, 2).await);
    let revoked: Stored<_> = database
        .db
        .write(async |tx: &mut Tx| {
            let count = tx.revoke_grants_of_user(&mine.authentication.user, later(5)).await?;
            Ok((count, tx.find_grant(&other.id).await?.and_then(|grant| grant.revoked_at)))
        })
        .await;
    assert_eq!(revoked.unwrap(), (1, None));
}

async fn code_comes_back_with_grant_and_account(database: &TestDatabase) {
    let grant = stored_grant(database, 1).await;
    let code = code(1, &grant);
    let found: Stored<_> = database
        .db
        .write(async |tx: &mut Tx| {
            tx.insert_code(&code).await?;
            Ok((tx.find_code(&code.hash).await?, tx.find_code_with_grant(&code.hash).await?))
        })
        .await;
    let (alone, all) = found.unwrap();
    let all = all.unwrap();
    assert_eq!(alone.as_ref(), Some(&code));
    assert_eq!((all.code, all.grant, all.account), (code, grant, holder(1)));
}

async fn code_is_issued_once(database: &TestDatabase) {
    let grant = stored_grant(database, 1).await;
    let code = code(1, &grant);
    let insert = async |_: usize| -> bool {
        let inserted: Stored<bool> = database.db.write(async |tx: &mut Tx| tx.insert_code(&code).await).await;
        inserted.unwrap()
    };
    let first = race(8, insert).into_iter().filter(|inserted| *inserted).count();
    assert_eq!(first, 1);
}

async fn code_is_consumed_by_exactly_one_of_many(database: &TestDatabase) {
    const CODES: usize = 20;
    const CALLERS: usize = 16;
    let grant = stored_grant(database, 1).await;
    let codes: Vec<_> = (0..20).map(|number| code(number, &grant)).collect();
    let stored: Stored<()> = database
        .db
        .write(async |tx: &mut Tx| {
            for code in &codes {
                tx.insert_code(code).await?;
            }
            Ok(())
        })
        .await;
    stored.unwrap();
    let winners = race(CODES * CALLERS, |caller| {
        let hash = codes[caller / CALLERS].hash;
        async move {
            let consumed: Stored<bool> =
                database.db.write(async |tx: &mut Tx| tx.consume_code(&hash, later(1)).await).await;
            consumed.unwrap().then_some(hash)
        }
    });
    let mut winners: Vec<_> = winners.into_iter().flatten().collect();
    winners.sort_unstable();
    assert_eq!(winners, codes.iter().map(|code| code.hash).collect::<Vec<_>>());
}

async fn refresh_token_is_consumed_by_exactly_one_of_many(database: &TestDatabase) {
    let grant = stored_grant(database, 1).await;
    let token = refresh_token(1, &grant);
    let stored: Stored<bool> = database.db.write(async |tx: &mut Tx| tx.insert_refresh_token(&token).await).await;
    assert!(stored.unwrap());
    let winners = race(16, |caller| {
        let successor = hash(100 + u32::try_from(caller).unwrap());
        let hash = token.hash;
        async move {
            let rotation = Rotation { hash: &hash, successor: &successor };
            let consumed: Stored<bool> =
                database.db.write(async |tx: &mut Tx| tx.consume_refresh_token(rotation, later(1)).await).await;
            consumed.unwrap().then_some(successor)
        }
    });
    let winners: Vec<_> = winners.into_iter().flatten().collect();
    assert_eq!(winners.len(), 1);
    let successor = RefreshToken { hash: winners[0], ..refresh_token(2, &grant) };
    let found: Stored<_> = database
        .db
        .write(async |tx: &mut Tx| {
            tx.insert_refresh_token(&successor).await?;
            tx.find_refresh_token_with_grant(&token.hash).await
        })
        .await;
    let found = found.unwrap().unwrap();
    assert_eq!((found.successor, found.token.consumed_at), (Some(successor), Some(later(1))));
    assert_eq!((found.grant, found.account), (grant, holder(1)));
}

async fn successor_is_replaced_by_exactly_one_of_many_and_only_unused(database: &TestDatabase) {
    let grant = stored_grant(database, 1).await;
    let (spent, lost) = (refresh_token(1, &grant), refresh_token(2, &grant));
    let stored: Stored<bool> = database
        .db
        .write(async |tx: &mut Tx| {
            tx.insert_refresh_token(&spent).await?;
            tx.insert_refresh_token(&lost).await?;
            tx.consume_refresh_token(Rotation { hash: &spent.hash, successor: &lost.hash }, later(1)).await
        })
        .await;
    assert!(stored.unwrap());
    let winners = race(16, |caller| {
        let (spent, lost, new) = (spent.hash, lost.hash, hash(100 + u32::try_from(caller).unwrap()));
        async move {
            let rotation = Rotation { hash: &spent, successor: &new };
            let replaced: Stored<bool> =
                database.db.write(async |tx: &mut Tx| tx.replace_successor(rotation, &lost, later(2)).await).await;
            replaced.unwrap()
        }
    });
    assert_eq!(winners.into_iter().filter(|won| *won).count(), 1);
    let used = refresh_token(3, &grant);
    let after: Stored<_> = database
        .db
        .write(async |tx: &mut Tx| {
            tx.insert_refresh_token(&used).await?;
            let jti = used.access_jti.as_deref().unwrap();
            let unseen = tx.is_access_token_unseen(jti).await?;
            let noted =
                (tx.note_access_token_use(jti, later(3)).await?, tx.note_access_token_use(jti, later(4)).await?);
            let rotation = Rotation { hash: &spent.hash, successor: &hash(9) };
            Ok((unseen, noted, tx.replace_successor(rotation, &used.hash, later(5)).await?))
        })
        .await;
    assert_eq!(after.unwrap(), (true, (true, false), false));
    let gone: Stored<bool> = database
        .db
        .write(async |tx: &mut Tx| {
            tx.consume_refresh_token(Rotation { hash: &lost.hash, successor: &hash(9) }, later(6)).await
        })
        .await;
    assert!(!gone.unwrap(), "what was taken back cannot be exchanged");
}

async fn unknown_hashes_find_and_consume_nothing(database: &TestDatabase) {
    let results: Stored<_> = database
        .db
        .write(async |tx: &mut Tx| {
            let code = tx.find_code_with_grant(&hash(7)).await?;
            let token = tx.find_refresh_token_with_grant(&hash(7)).await?;
            let rotation = Rotation { hash: &hash(7), successor: &hash(8) };
            let consumed =
                (tx.consume_code(&hash(7), later(1)).await?, tx.consume_refresh_token(rotation, later(1)).await?);
            Ok((code, token, consumed))
        })
        .await;
    assert_eq!(results.unwrap(), (None, None, (false, false)));
}

async fn id_is_spent_by_exactly_one_of_many(database: &TestDatabase) {
    let winners = race(16, |_| async move {
        let spent: Stored<bool> = database.db.write(async |tx: &mut Tx| tx.spend_id(&hash(1), later(60)).await).await;
        spent.unwrap()
    });
    assert_eq!(winners.into_iter().filter(|won| *won).count(), 1);
    let other: Stored<bool> = database.db.write(async |tx: &mut Tx| tx.spend_id(&hash(2), later(60)).await).await;
    assert!(other.unwrap());
}

async fn token_is_taken_back_once(database: &TestDatabase) {
    let revoked: Stored<_> = database
        .db
        .write(async |tx: &mut Tx| {
            let first = tx.revoke_token("token-1", later(60)).await?;
            let second = tx.revoke_token("token-1", later(60)).await?;
            Ok((first, second, tx.is_token_revoked("token-1").await?, tx.is_token_revoked("token-2").await?))
        })
        .await;
    assert_eq!(revoked.unwrap(), (true, false, true, false));
}
