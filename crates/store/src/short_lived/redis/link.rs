//! Connections to a Redis of any deployment, kept alive.
//!
//! The crate's own `ConnectionManager` reconnects on whatever runtime notices the loss, which here may be a busy worker,
//! and Sentinel's connections do not reconnect at all; so this does, on the store's runtime.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use ::redis::aio::{ConnectionLike, MultiplexedConnection};
use ::redis::cluster::ClusterClient;
use ::redis::cluster_async::ClusterConnection;
use ::redis::io::tcp::{TcpSettings, socket2};
use ::redis::sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType};
use ::redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, ConnectionInfo, ErrorKind, IntoConnectionInfo, Pipeline,
    RedisError, RedisFuture, RedisResult, ServerErrorKind, TlsCertificates, TlsMode, Value,
};
use secrecy::ExposeSecret;
use tokio::sync::Mutex;

use super::{RedisMode, RedisSettings};
use crate::StoreError;
use crate::io::{IoRuntime, run_on};

const RETRIES: u32 = 3;
const MIN_WAIT: Duration = Duration::from_millis(20);
const MAX_WAIT: Duration = Duration::from_millis(200);

/// The way to Redis; hands out clones of one multiplexed connection.
pub struct Link {
    source: Arc<Source>,
    current: RwLock<Option<Node>>,
    /// Held while connecting; counts the rounds, so that those who waited for a failed one fail with it.
    rounds: AtomicU64,
    connecting: Mutex<()>,
    io: IoRuntime,
}

enum Source {
    Standalone { client: Client, config: AsyncConnectionConfig },
    Sentinel { client: Mutex<SentinelClient>, config: AsyncConnectionConfig, timeout: Duration },
    Cluster { client: ClusterClient, timeout: Duration },
}

/// One connection, of either kind.
#[derive(Clone)]
pub struct Node {
    round: u64,
    connection: Connection,
}

#[derive(Clone)]
enum Connection {
    Single(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link").finish_non_exhaustive()
    }
}

impl ConnectionLike for Node {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        match &mut self.connection {
            Connection::Single(connection) => connection.req_packed_command(cmd),
            Connection::Cluster(connection) => connection.req_packed_command(cmd),
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        match &mut self.connection {
            Connection::Single(connection) => connection.req_packed_commands(pipeline, offset, count),
            Connection::Cluster(connection) => connection.req_packed_commands(pipeline, offset, count),
        }
    }

    fn get_db(&self) -> i64 {
        match &self.connection {
            Connection::Single(connection) => connection.get_db(),
            Connection::Cluster(connection) => connection.get_db(),
        }
    }
}

impl Link {
    pub fn new(settings: &RedisSettings) -> Result<Self, StoreError> {
        let source = Source::new(settings)?;
        Ok(Self {
            source: Arc::new(source),
            current: RwLock::new(None),
            rounds: AtomicU64::new(0),
            connecting: Mutex::new(()),
            io: IoRuntime::start("redis-io", 1)?,
        })
    }

    /// The connection; makes one when there is none. A failure takes at most the attempts of one round.
    pub async fn node(&self) -> Result<Node, StoreError> {
        let seen = self.rounds.load(Ordering::Acquire);
        if let Some(node) = self.current() {
            return Ok(node);
        }
        let _connecting = self.connecting.lock().await;
        if let Some(node) = self.current() {
            return Ok(node);
        }
        if self.rounds.load(Ordering::Acquire) != seen {
            return Err(StoreError::Unavailable("redis: no connection".to_owned()));
        }
        let handle = self.io.handle().ok_or_else(|| StoreError::Unavailable("shutting down".to_owned()))?;
        let source = Arc::clone(&self.source);
        let connected = run_on(&handle, async move { source.connect_with_retries().await }).await?;
        let round = self.rounds.fetch_add(1, Ordering::AcqRel) + 1;
        let connection = connected.map_err(|error| StoreError::Unavailable(format!("redis: {error}")))?;
        let node = Node { round, connection };
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Some(node.clone());
        Ok(node)
    }

    /// Tells of an error on `node`; true when it is dead and the next `node()` will be another one.
    pub fn report(&self, node: &Node, error: &RedisError) -> bool {
        // After a failover the old master answers that it is a replica now, or before it knows: that it has none left.
        let alone = matches!(*self.source, Source::Sentinel { .. }) && error.code() == Some("NOREPLICAS");
        let demoted = alone || error.kind() == ErrorKind::Server(ServerErrorKind::ReadOnly);
        // A cluster connection heals itself, and its driver must not be thrown away with one of its nodes.
        if !(error.is_unrecoverable_error() || demoted) || matches!(node.connection, Connection::Cluster(_)) {
            return false;
        }
        tracing::warn!(%error, "connection to redis lost");
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        if current.as_ref().is_some_and(|current| current.round == node.round) {
            *current = None;
        }
        true
    }

    fn current(&self) -> Option<Node> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Source {
    fn new(settings: &RedisSettings) -> Result<Self, StoreError> {
        let refused = |error: RedisError| StoreError::Settings(format!("redis: {error}"));
        let mut nodes = Vec::with_capacity(settings.urls.len());
        for url in &settings.urls {
            nodes.push(url.expose_secret().into_connection_info().map_err(refused)?.set_tcp_settings(tcp_settings()));
        }
        let roots = settings.root_certificates.as_deref().map(std::fs::read).transpose();
        let roots = roots.map_err(|error| StoreError::Settings(format!("root certificates: {error}")))?;
        let certificates = roots.map(|pem| TlsCertificates { client_tls: None, root_cert: Some(pem) });
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(settings.connect_timeout))
            .set_response_timeout(Some(settings.response_timeout));
        let source = match &settings.mode {
            RedisMode::Standalone => standalone(nodes, settings, certificates, config),
            RedisMode::Sentinel { service } => sentinel(&nodes, service, settings, certificates, config),
            RedisMode::Cluster => cluster(nodes, settings, certificates),
        };
        source.map_err(refused)
    }

    async fn connect_with_retries(&self) -> RedisResult<Connection> {
        let mut wait = MIN_WAIT;
        let mut attempt = 1;
        loop {
            match self.connect().await {
                Err(error) if attempt < RETRIES => {
                    tracing::debug!(%error, attempt, "no connection to redis yet");
                    tokio::time::sleep(wait).await;
                    wait = (wait * 2).min(MAX_WAIT);
                    attempt += 1;
                }
                result => return result,
            }
        }
    }

    async fn connect(&self) -> RedisResult<Connection> {
        match self {
            Self::Standalone { client, config } => {
                client.get_multiplexed_async_connection_with_config(config).await.map(Connection::Single)
            }
            Self::Sentinel { client, config, timeout } => {
                let mut client = client.lock().await;
                let connecting = client.get_async_connection_with_config(config);
                within(*timeout, connecting).await.map(Connection::Single)
            }
            Self::Cluster { client, timeout } => {
                within(*timeout, client.get_async_connection()).await.map(Connection::Cluster)
            }
        }
    }
}

/// Asking sentinels or mapping a cluster takes several connections.
async fn within<T>(timeout: Duration, connecting: impl Future<Output = RedisResult<T>>) -> RedisResult<T> {
    match tokio::time::timeout(timeout, connecting).await {
        Ok(result) => result,
        Err(_) => Err(RedisError::from(std::io::Error::from(std::io::ErrorKind::TimedOut))),
    }
}

/// A silent network is noticed within seconds.
fn tcp_settings() -> TcpSettings {
    let keepalive = socket2::TcpKeepalive::new()
        .with_time(Duration::from_secs(15))
        .with_interval(Duration::from_secs(5))
        .with_retries(3);
    TcpSettings::default().set_nodelay(true).set_keepalive(keepalive).set_user_timeout(Duration::from_secs(5))
}

fn standalone(
    nodes: Vec<ConnectionInfo>,
    settings: &RedisSettings,
    certificates: Option<TlsCertificates>,
    config: AsyncConnectionConfig,
) -> RedisResult<Source> {
    let node = nodes.into_iter().next().ok_or_else(no_address)?;
    let mut login = node.redis_settings().clone();
    if let (None, Some(username)) = (login.username(), &settings.username) {
        login = login.set_username(username);
    }
    if let (None, Some(password)) = (login.password(), &settings.password) {
        login = login.set_password(password.expose_secret());
    }
    let node = node.set_redis_settings(login);
    let client = match certificates {
        Some(certificates) => Client::build_with_tls(node, certificates)?,
        None => Client::open(node)?,
    };
    Ok(Source::Standalone { client, config })
}

fn sentinel(
    nodes: &[ConnectionInfo],
    service: &str,
    settings: &RedisSettings,
    certificates: Option<TlsCertificates>,
    config: AsyncConnectionConfig,
) -> RedisResult<Source> {
    let first = nodes.first().ok_or_else(no_address)?.clone();
    let addresses = nodes.iter().map(|node| node.addr().clone());
    let mut builder = SentinelClientBuilder::new(addresses, service, SentinelServerType::Master)?
        .set_client_to_redis_tcp_settings(tcp_settings())
        .set_client_to_sentinel_tcp_settings(tcp_settings())
        .set_client_to_redis_db(first.redis_settings().db());
    if let Some(username) = first.redis_settings().username() {
        builder = builder.set_client_to_sentinel_username(username);
    }
    if let Some(password) = first.redis_settings().password() {
        builder = builder.set_client_to_sentinel_password(password);
    }
    if let Some(username) = &settings.username {
        builder = builder.set_client_to_redis_username(username);
    }
    if let Some(password) = &settings.password {
        builder = builder.set_client_to_redis_password(password.expose_secret());
    }
    // Sentinels reached by TLS know a master that is reached by TLS.
    if matches!(first.addr(), ConnectionAddr::TcpTls { .. }) {
        builder = builder.set_client_to_redis_tls_mode(TlsMode::Secure);
        if let Some(certificates) = certificates {
            builder = builder.set_client_to_sentinel_certificates(certificates.clone());
            builder = builder.set_client_to_redis_certificates(certificates);
        }
    }
    Ok(Source::Sentinel { client: Mutex::new(builder.build()?), config, timeout: settings.connect_timeout * 4 })
}

fn cluster(
    nodes: Vec<ConnectionInfo>,
    settings: &RedisSettings,
    certificates: Option<TlsCertificates>,
) -> RedisResult<Source> {
    let mut builder = ClusterClient::builder(nodes)
        .retries(RETRIES)
        .min_retry_wait(20)
        .max_retry_wait(200)
        .connection_timeout(settings.connect_timeout)
        .response_timeout(settings.response_timeout)
        .tcp_settings(tcp_settings());
    if let Some(username) = &settings.username {
        builder = builder.username(username);
    }
    if let Some(password) = &settings.password {
        builder = builder.password(password.expose_secret());
    }
    if let Some(certificates) = certificates {
        builder = builder.certs(certificates);
    }
    Ok(Source::Cluster { client: builder.build()?, timeout: settings.connect_timeout * 4 })
}

fn no_address() -> RedisError {
    RedisError::from((::redis::ErrorKind::InvalidClientConfig, "no address"))
}
