//! What only a server can do: lose connections, forget scripts, be absent, hold foreign bytes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use countersign_model::{FlowId, Seconds, Timestamp};
use countersign_store::{
    Advanced, Charged, Claim, CounterLimit, NextInstance, Redis, RedisMode, RedisSettings, ShortLived, StoreError,
};
use countersign_tests::stores::{block_on, race, raw_redis, redis_settings, redis_url, unique};
use redis::cmd;
use tokio::net::TcpListener;

const ID: FlowId = FlowId::new([4; 16]);
const IDLE: Seconds = Seconds::minutes(10);

async fn now() -> Timestamp {
    let (seconds, _): (i64, i64) = cmd("TIME").query_async(&mut raw_redis(&redis_url()).await).await.unwrap();
    Timestamp::from_secs(seconds)
}

async fn end() -> Timestamp {
    now().await.plus(Seconds::minutes(20))
}

fn instance_key(settings: &RedisSettings) -> String {
    format!("{}f:{{{ID}}}", settings.prefix)
}

/// A user of its own on the server, so that its connections can be told from those of other tests.
struct ServerUser {
    name: String,
}

impl ServerUser {
    async fn new() -> Self {
        let name = format!("user_{}", unique());
        let rules = [name.as_str(), "on", ">a password", "~*", "+@all"];
        let () = cmd("ACL").arg("SETUSER").arg(&rules).query_async(&mut raw_redis(&redis_url()).await).await.unwrap();
        Self { name }
    }

    fn settings(&self) -> RedisSettings {
        let mut settings = redis_settings(&redis_url());
        settings.username = Some(self.name.clone());
        settings.password = Some("a password".to_owned().into());
        settings
    }

    /// Cuts its connections and says how many there were.
    async fn cut(&self) -> i64 {
        let mut raw = raw_redis(&redis_url()).await;
        cmd("CLIENT").arg(&["KILL", "USER", &self.name]).query_async(&mut raw).await.unwrap()
    }

    async fn remove(self) {
        let mut raw = raw_redis(&redis_url()).await;
        let _: i64 = cmd("ACL").arg(&["DELUSER", &self.name]).query_async(&mut raw).await.unwrap();
    }
}

#[test]
fn killed_connection_is_replaced_unseen() {
    block_on(async {
        let user = ServerUser::new().await;
        let store = Redis::connect(&user.settings()).unwrap();
        let end = end().await;
        assert!(store.create(ID, b"first", end, IDLE).await.unwrap());
        assert_eq!(user.cut().await, 1);
        assert_eq!(store.claim(ID, 1, &[1; 16], Seconds::new(30)).await.unwrap(), Claim::Claimed);
        assert_eq!(user.cut().await, 1);
        let next = NextInstance { result: b"", body: b"next", idle: IDLE, end, awaits: None };
        assert_eq!(store.advance(ID, 1, &[1; 16], next).await.unwrap(), Advanced::Ok { version: 2 });
        assert_eq!(user.cut().await, 1);
        assert_eq!(store.load(ID).await.unwrap().unwrap().body, b"next");
        user.remove().await;
    });
}

#[test]
fn callers_of_a_killed_connection_share_one_new_one() {
    block_on(async {
        let user = ServerUser::new().await;
        let store = Redis::connect(&user.settings()).unwrap();
        store.ping().await.unwrap();
        assert_eq!(user.cut().await, 1);
        race(32, async |_| store.ping().await.unwrap());
        assert_eq!(user.cut().await, 1, "not one each");
        user.remove().await;
    });
}

#[test]
fn forgotten_scripts_are_loaded_again() {
    block_on(async {
        let store = Redis::connect(&redis_settings(&redis_url())).unwrap();
        let end = end().await;
        let mut raw = raw_redis(&redis_url()).await;
        let () = cmd("SCRIPT").arg("FLUSH").query_async(&mut raw).await.unwrap();
        assert!(store.create(ID, b"first", end, IDLE).await.unwrap());
        let () = cmd("SCRIPT").arg("FLUSH").query_async(&mut raw).await.unwrap();
        assert_eq!(store.claim(ID, 1, &[1; 16], IDLE).await.unwrap(), Claim::Claimed);
    });
}

#[test]
fn absent_server_is_unavailable_for_all_who_ask() {
    block_on(async {
        // Port 9 is discard, where nothing listens.
        let mut settings = redis_settings("redis://127.0.0.1:9");
        settings.connect_timeout = Duration::from_millis(500);
        let store = Redis::connect(&settings).unwrap();
        let answers = race(16, async |_| store.load(ID).await);
        assert!(answers.iter().all(|answer| matches!(answer, Err(StoreError::Unavailable(_)))), "{answers:?}");
    });
}

/// Otherwise each of a thousand waiting callers would try three times, one after the other.
#[test]
fn callers_who_waited_for_a_failed_connection_fail_with_it() {
    block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("redis://{}", listener.local_addr().unwrap());
        let accepted = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&accepted);
        let hanging_up = tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::SeqCst);
                drop(connection);
            }
        });
        let store = Redis::connect(&redis_settings(&address)).unwrap();
        let answers = race(64, async |_| store.ping().await);
        assert!(answers.iter().all(Result::is_err));
        let accepted = accepted.load(Ordering::SeqCst);
        assert!((3..64).contains(&accepted), "three for each round of callers, not for each caller: {accepted}");
        hanging_up.abort();
    });
}

#[test]
fn wrong_password_is_unavailable_and_not_told() {
    block_on(async {
        let mut settings = redis_settings(&redis_url());
        settings.username = Some("nobody".to_owned());
        settings.password = Some("hunter2".to_owned().into());
        let error = Redis::connect(&settings).unwrap().ping().await.unwrap_err();
        assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
        assert!(!format!("{error:?} {error} {settings:?}").contains("hunter2"));
    });
}

#[test]
fn settings_without_address_are_refused() {
    for mode in [RedisMode::Standalone, RedisMode::Cluster, RedisMode::Sentinel { service: "m".to_owned() }] {
        let mut settings = redis_settings("redis://127.0.0.1:9");
        settings.urls.clear();
        settings.mode = mode;
        assert!(matches!(Redis::connect(&settings), Err(StoreError::Settings(_))), "{:?}", settings.mode);
    }
}

#[test]
fn key_lives_no_longer_than_idle_and_end_allow() {
    block_on(async {
        let settings = redis_settings(&redis_url());
        let store = Redis::connect(&settings).unwrap();
        let mut raw = raw_redis(&redis_url()).await;
        let mut life =
            async || -> i64 { cmd("PTTL").arg(instance_key(&settings)).query_async(&mut raw).await.unwrap() };
        store.create(ID, b"first", end().await, IDLE).await.unwrap();
        assert!((590_000..=600_000).contains(&life().await), "idle");
        store.claim(ID, 1, &[1; 16], Seconds::new(30)).await.unwrap();
        store.approve(ID, 1).await.unwrap();
        assert!((590_000..=600_000).contains(&life().await), "a claim leaves it");
        let next = NextInstance {
            result: b"",
            body: b"",
            idle: IDLE,
            end: now().await.plus(Seconds::minutes(5)),
            awaits: None,
        };
        store.advance(ID, 1, &[1; 16], next).await.unwrap();
        assert!((290_000..=300_000).contains(&life().await), "the end");
        let limit = CounterLimit { allowed: 5, window: Seconds::minutes(1), lock: None };
        assert_eq!(store.charge("pat", b"", &limit).await.unwrap(), Charged::Allowed { count: 1 });
        let counter = format!("{}c:{{pat}}", settings.prefix);
        let life: i64 = cmd("PTTL").arg(counter).query_async(&mut raw).await.unwrap();
        assert!((50_000..=60_000).contains(&life), "{life}");
    });
}

#[test]
fn header_of_an_instance_is_60_bytes() {
    block_on(async {
        let settings = redis_settings(&redis_url());
        let store = Redis::connect(&settings).unwrap();
        store.create(ID, &[7; 500], end().await, IDLE).await.unwrap();
        let mut raw = raw_redis(&redis_url()).await;
        let size: usize = cmd("STRLEN").arg(instance_key(&settings)).query_async(&mut raw).await.unwrap();
        assert_eq!(size, 560);
    });
}

#[test]
fn foreign_bytes_are_corrupt() {
    block_on(async {
        let settings = redis_settings(&redis_url());
        let store = Redis::connect(&settings).unwrap();
        let mut raw = raw_redis(&redis_url()).await;
        let () = cmd("SET").arg(instance_key(&settings)).arg("something else").query_async(&mut raw).await.unwrap();
        let loaded = store.load(ID).await.unwrap_err();
        let claimed = store.claim(ID, 1, &[1; 16], IDLE).await.unwrap_err();
        for error in [loaded, claimed] {
            assert!(matches!(error, StoreError::Corrupt { .. }), "{error:?}");
        }
    });
}
