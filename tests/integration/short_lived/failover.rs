//! A Sentinel makes another server the master, and flows go on there.

use std::time::Duration;

use countersign_model::{FlowId, Seconds, Timestamp};
use countersign_store::{Advanced, Claim, NextInstance, Redis, RedisMode, RedisSettings, ShortLived as _, StoreError};
use countersign_tests::servers::Watched;
use countersign_tests::stores::{block_on, raw_redis, redis_settings};
use redis::cmd;

const ID: FlowId = FlowId::new([9; 16]);
const IDLE: Seconds = Seconds::minutes(10);
const NONCE: [u8; 16] = [1; 16];
/// How long the new master may be out of reach.
const PATIENCE: Duration = Duration::from_secs(30);

fn settings(watched: &Watched) -> RedisSettings {
    let mut settings = redis_settings(&watched.url);
    settings.mode = RedisMode::Sentinel { service: Watched::SERVICE.to_owned() };
    settings
}

async fn server_end(url: &str) -> Timestamp {
    let (seconds, _): (i64, i64) = cmd("TIME").query_async(&mut raw_redis(url).await).await.unwrap();
    Timestamp::from_secs(seconds).plus(Seconds::minutes(20))
}

/// The replica has what the master was told so far.
async fn is_copied(watched: &Watched) {
    let wait = async {
        loop {
            // On the connection that wrote, `WAIT` would do; the store's is its own.
            let mut master = raw_redis(&watched.master.url).await;
            let () = cmd("SET").arg("copied?").arg("yes").query_async(&mut master).await.unwrap();
            let copies: i64 = cmd("WAIT").arg(1).arg(1000).query_async(&mut master).await.unwrap();
            if copies == 1 {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.expect("a replica that follows");
}

/// Asks until the store reaches a master.
async fn asked<T>(ask: impl AsyncFn() -> Result<T, StoreError>) -> T {
    let asking = async {
        loop {
            match ask().await {
                Ok(answer) => return answer,
                Err(StoreError::Unavailable(_)) => tokio::time::sleep(Duration::from_millis(50)).await,
                Err(error) => panic!("{error:?}"),
            }
        }
    };
    tokio::time::timeout(PATIENCE, asking).await.expect("the new master is reached")
}

/// A flow that began at the old master: `before` the new one is there, and what comes after.
async fn goes_on(watched: &mut Watched, replace: impl AsyncFnOnce(&mut Watched)) {
    let settings = settings(watched);
    let store = Redis::connect(&settings).unwrap();
    let end = server_end(&watched.master.url).await;
    assert!(store.create(ID, b"first", end, IDLE).await.unwrap());
    is_copied(watched).await;
    replace(watched).await;

    let claim = asked(async || store.claim(ID, 1, &NONCE, Seconds::new(30)).await).await;
    assert_eq!(claim, Claim::Claimed);
    let next = || NextInstance { result: b"done", body: b"next", idle: IDLE, end, awaits: None };
    assert_eq!(asked(async || store.advance(ID, 1, &NONCE, next()).await).await, Advanced::Ok { version: 2 });
    let again = store.advance(ID, 1, &NONCE, next()).await.unwrap();
    assert_eq!(again, Advanced::Dup(b"done".to_vec()));
    assert_eq!(store.load(ID).await.unwrap().unwrap().body, b"next");

    let key = format!("{}f:{{{ID}}}", settings.prefix);
    let there: bool = cmd("EXISTS").arg(key).query_async(&mut raw_redis(&watched.replica.url).await).await.unwrap();
    assert!(there, "written at the new master");
}

#[test]
fn flow_goes_on_when_its_master_is_killed() {
    block_on(async {
        let mut watched = Watched::start().await;
        goes_on(&mut watched, async |watched| watched.lose_master().await).await;
    });
}

/// For seconds the old master does not know that it is none any more: without replicas it must take no writes.
#[test]
fn flow_goes_on_when_another_is_made_the_master() {
    block_on(async {
        let mut watched = Watched::start().await;
        goes_on(&mut watched, async |watched| watched.fail_over().await).await;
    });
}
