//! Running instances and counters in Redis: each operation is one script on one key, by the server's clock.

mod link;
mod record;

use std::path::PathBuf;
use std::time::Duration;

use ::redis::{FromRedisValue, RedisError, RedisResult, Script};
use async_trait::async_trait;
use countersign_model::{FlowId, Seconds, Timestamp};
use secrecy::SecretString;

use self::link::{Link, Node};
use super::{
    Advanced, Charged, Claim, CounterLimit, InstancePage, InstanceRecord, NextInstance, ShortLived, check_charge,
    check_sizes,
};
use crate::StoreError;

/// Where Redis is and how to reach it.
#[derive(Clone, Debug)]
pub struct RedisSettings {
    /// `redis://` or `rediss://` (TLS) addresses: one, or those of the sentinels, or some of the cluster's nodes.
    pub urls: Vec<SecretString>,
    /// What these addresses are.
    pub mode: RedisMode,
    /// User of the data nodes, when the URL has none.
    pub username: Option<String>,
    /// Password of the data nodes, when the URL has none. With Sentinel, a URL's password is the sentinels'.
    pub password: Option<SecretString>,
    /// Begins every key, such as `cs:`, so that a Redis may be shared.
    pub prefix: String,
    /// PEM file of the authorities that certificates may come from; none: the system's.
    pub root_certificates: Option<PathBuf>,
    /// Longest wait for a connection.
    pub connect_timeout: Duration,
    /// Longest wait for an answer.
    pub response_timeout: Duration,
}

/// How Redis is deployed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RedisMode {
    /// One server.
    Standalone,
    /// Sentinels that know the master of this service name.
    Sentinel {
        /// The name.
        service: String,
    },
    /// Redis Cluster.
    Cluster,
}

impl RedisSettings {
    /// One server with the defaults: prefix `cs:`, half a second to connect and to answer.
    pub fn new(url: SecretString) -> Self {
        Self {
            urls: vec![url],
            mode: RedisMode::Standalone,
            username: None,
            password: None,
            prefix: "cs:".to_owned(),
            root_certificates: None,
            connect_timeout: Duration::from_millis(500),
            response_timeout: Duration::from_millis(500),
        }
    }
}

/// The short-lived store in Redis. Share one between all workers.
#[derive(Debug)]
pub struct Redis {
    link: Link,
    prefix: String,
    is_cluster: bool,
    scripts: Scripts,
}

#[derive(Debug)]
struct Scripts {
    create: Script,
    claim: Script,
    advance: Script,
    release: Script,
    approve: Script,
    charge: Script,
    locked: Script,
}

macro_rules! script {
    ($file:literal) => {
        Script::new(include_str!(concat!("../../lua/", $file, ".lua")))
    };
    (record, $file:literal) => {
        Script::new(concat!(
            include_str!("../../lua/record.lua"),
            "\n",
            include_str!(concat!("../../lua/", $file, ".lua"))
        ))
    };
}

/// What a script answered.
struct Answer<T> {
    value: T,
    /// Whether it was sent again after its connection broke: it may have run twice.
    replayed: bool,
}

impl Redis {
    /// Checks the settings; the first use connects.
    pub fn connect(settings: &RedisSettings) -> Result<Self, StoreError> {
        let scripts = Scripts {
            create: script!(record, "create"),
            claim: script!(record, "claim"),
            advance: script!(record, "advance"),
            release: script!(record, "release"),
            approve: script!(record, "approve"),
            charge: script!("charge"),
            locked: script!("locked"),
        };
        Ok(Self {
            link: Link::new(settings)?,
            prefix: settings.prefix.clone(),
            is_cluster: settings.mode == RedisMode::Cluster,
            scripts,
        })
    }

    fn instance_key(&self, id: FlowId) -> String {
        format!("{}f:{{{id}}}", self.prefix)
    }

    fn counter_key(&self, key: &str) -> String {
        format!("{}c:{{{key}}}", self.prefix)
    }

    /// Runs a script (EVALSHA, loaded when the server does not know it); once more when its connection turns out to be
    /// dead, as it is after every restart of the server.
    async fn run<T: FromRedisValue>(
        &self,
        script: &Script,
        key: &str,
        arguments: &[&[u8]],
    ) -> Result<Answer<T>, StoreError> {
        let mut invocation = script.key(key);
        for argument in arguments {
            invocation.arg(*argument);
        }
        let invocation = &invocation;
        self.with_node(|mut node| async move { invocation.invoke_async(&mut node).await }).await
    }

    async fn command<T: FromRedisValue>(&self, command: &::redis::Cmd) -> Result<T, StoreError> {
        let answer = self.with_node(|mut node| async move { command.query_async(&mut node).await }).await;
        answer.map(|answer| answer.value)
    }

    async fn with_node<T, F>(&self, ask: impl Fn(Node) -> F) -> Result<Answer<T>, StoreError>
    where
        F: Future<Output = RedisResult<T>>,
    {
        let node = self.link.node().await?;
        match ask(node.clone()).await {
            Ok(value) => Ok(Answer { value, replayed: false }),
            Err(error) if self.link.report(&node, &error) => {
                let node = self.link.node().await?;
                let answer = ask(node.clone()).await.inspect_err(|error| {
                    self.link.report(&node, error);
                });
                answer.map(|value| Answer { value, replayed: true }).map_err(|error| unavailable(&error))
            }
            Err(error) => Err(unavailable(&error)),
        }
    }
}

/// How many keys Redis looks at for one page.
const PAGE: u32 = 500;

/// A text that means itself in a pattern of SCAN.
fn escape_glob(text: &str) -> String {
    text.chars().flat_map(|c| "*?[]^\\-".contains(c).then_some('\\').into_iter().chain([c])).collect()
}

/// The first of two runs may have done it, and then the second says that somebody has.
fn undecided() -> StoreError {
    StoreError::Unavailable("redis: connection lost while asking".to_owned())
}

fn unavailable(error: &RedisError) -> StoreError {
    let text = error.to_string();
    if text.contains("unknown format") {
        return StoreError::Corrupt { table: "redis", column: "header", row: "?".to_owned() };
    }
    StoreError::Unavailable(format!("redis: {text}"))
}

/// A decimal argument of a script.
fn decimal(number: impl Into<i64>) -> Vec<u8> {
    number.into().to_string().into_bytes()
}

fn unexpected(word: &str) -> StoreError {
    StoreError::Unavailable(format!("redis: a script answered {word:?}"))
}

#[async_trait]
impl ShortLived for Redis {
    async fn create(&self, id: FlowId, body: &[u8], end: Timestamp, idle: Seconds) -> Result<bool, StoreError> {
        check_sizes(&[], body)?;
        let (end, idle) = (decimal(end.as_millis()), decimal(idle.as_millis()));
        let answer: Answer<i64> = self.run(&self.scripts.create, &self.instance_key(id), &[&end, &idle, body]).await?;
        match answer {
            Answer { value: 0, replayed: true } => Err(undecided()),
            Answer { value, .. } => Ok(value == 1),
        }
    }

    async fn load(&self, id: FlowId) -> Result<Option<InstanceRecord>, StoreError> {
        let mut get = ::redis::cmd("GET");
        get.arg(self.instance_key(id));
        let stored: Option<Vec<u8>> = self.command(&get).await?;
        stored.map(|bytes| record::parse(&bytes)).transpose()
    }

    async fn claim(&self, id: FlowId, version: u32, nonce: &[u8; 16], lease: Seconds) -> Result<Claim, StoreError> {
        let (version, lease) = (decimal(version), decimal(lease.as_millis()));
        let arguments: [&[u8]; 3] = [&version, nonce, &lease];
        let answer: Answer<(String, Vec<u8>)> =
            self.run(&self.scripts.claim, &self.instance_key(id), &arguments).await?;
        let (word, payload) = answer.value;
        match word.as_str() {
            "busy" if answer.replayed => Err(undecided()),
            "gone" => Ok(Claim::Gone),
            "dup" => Ok(Claim::Dup(payload)),
            "stale" => Ok(Claim::Stale { version: record::parse_version(&payload)? }),
            "busy" => Ok(Claim::Busy),
            "claimed" => Ok(Claim::Claimed),
            word => Err(unexpected(word)),
        }
    }

    async fn advance(
        &self,
        id: FlowId,
        version: u32,
        nonce: &[u8; 16],
        next: NextInstance<'_>,
    ) -> Result<Advanced, StoreError> {
        check_sizes(next.result, next.body)?;
        let (version, end, idle) = (decimal(version), decimal(next.end.as_millis()), decimal(next.idle.as_millis()));
        let awaits = next.awaits.map(decimal).unwrap_or_default();
        let arguments: [&[u8]; 7] = [&version, nonce, &end, &idle, next.result, next.body, &awaits];
        // Sent twice, the second answers `dup` with the result of the first, which is the same answer to the browser.
        let answer: Answer<(String, Vec<u8>)> =
            self.run(&self.scripts.advance, &self.instance_key(id), &arguments).await?;
        let (word, payload) = answer.value;
        match word.as_str() {
            "gone" => Ok(Advanced::Gone),
            "dup" => Ok(Advanced::Dup(payload)),
            "stale" => Ok(Advanced::Stale),
            "ok" => Ok(Advanced::Ok { version: record::parse_version(&payload)? }),
            word => Err(unexpected(word)),
        }
    }

    async fn release(&self, id: FlowId, version: u32, nonce: &[u8; 16]) -> Result<(), StoreError> {
        let arguments: [&[u8]; 2] = [&decimal(version), nonce];
        self.run::<i64>(&self.scripts.release, &self.instance_key(id), &arguments).await.map(drop)
    }

    async fn approve(&self, id: FlowId, challenge: u32) -> Result<bool, StoreError> {
        let arguments: [&[u8]; 1] = [&decimal(challenge)];
        let found = self.run::<i64>(&self.scripts.approve, &self.instance_key(id), &arguments).await?;
        Ok(found.value == 1)
    }

    async fn charge(&self, key: &str, once: &[u8], limit: &CounterLimit) -> Result<Charged, StoreError> {
        check_charge(key, once)?;
        let mut arguments = vec![once.to_vec(), decimal(limit.allowed), decimal(limit.window.as_millis())];
        if let Some(lock) = &limit.lock {
            let lock = [lock.r#for.as_millis(), i64::from(lock.backoff), lock.max.as_millis()];
            arguments.extend(lock.map(decimal));
        }
        let arguments: Vec<&[u8]> = arguments.iter().map(Vec::as_slice).collect();
        // Run twice, it counts a try without `once` twice: harsh, but safe.
        let answer: Answer<(i64, i64)> = self.run(&self.scripts.charge, &self.counter_key(key), &arguments).await?;
        let (allowed, number) = answer.value;
        if allowed == 1 {
            return Ok(Charged::Allowed { count: u32::try_from(number).unwrap_or(u32::MAX) });
        }
        let seconds = u32::try_from(number.saturating_add(999) / 1000).unwrap_or(u32::MAX).max(1);
        Ok(Charged::Refused { retry_after: Seconds::new(seconds) })
    }

    async fn is_locked(&self, key: &str) -> Result<bool, StoreError> {
        check_charge(key, &[])?;
        let locked = self.run::<i64>(&self.scripts.locked, &self.counter_key(key), &[]).await?;
        Ok(locked.value == 1)
    }

    async fn reset(&self, key: &str) -> Result<(), StoreError> {
        let mut delete = ::redis::cmd("DEL");
        delete.arg(self.counter_key(key));
        self.command::<i64>(&delete).await.map(drop)
    }

    async fn list(&self, cursor: u64) -> Result<InstancePage, StoreError> {
        if self.is_cluster {
            return Err(StoreError::Unavailable("redis: a cluster does not list its keys".to_owned()));
        }
        let (before, after) = (format!("{}f:{{", self.prefix), "}");
        let mut scan = ::redis::cmd("SCAN");
        scan.arg(cursor).arg("MATCH").arg(format!("{}*{after}", escape_glob(&before))).arg("COUNT").arg(PAGE);
        let (next, keys): (u64, Vec<String>) = self.command(&scan).await?;
        if keys.is_empty() {
            return Ok(InstancePage { found: Vec::new(), next });
        }
        let mut get = ::redis::cmd("MGET");
        get.arg(&keys);
        let stored: Vec<Option<Vec<u8>>> = self.command(&get).await?;
        let read = |(key, stored): (&String, Option<Vec<u8>>)| -> Option<(FlowId, InstanceRecord)> {
            let id = key.strip_prefix(&before)?.strip_suffix(after)?.parse().ok()?;
            Some((id, record::parse(&stored?).ok()?))
        };
        Ok(InstancePage { found: keys.iter().zip(stored).filter_map(read).collect(), next })
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.command::<String>(&::redis::cmd("PING")).await.map(drop)
    }
}
