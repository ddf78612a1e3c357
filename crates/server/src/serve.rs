//! `countersign serve`: builds a node from its configuration and runs it until it is told to stop.

use std::net::{SocketAddr, TcpListener};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::Server;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::middleware::{Compress, DefaultHeaders};
use actix_web::rt::task::JoinHandle;
use actix_web::web::{Data, PayloadConfig};
use actix_web::{App, HttpServer};
use countersign_service::outbound::{DkimSettings, MailSettings, Mailer, Sender, Tls};
use countersign_service::policy::password::HashParams;
use countersign_service::policy::{ClientDemand, PolicySet, Severity, Surroundings, check_within};
use countersign_service::store::{
    DatabaseSettings, Db, InProcess, InProcessBounds, Redis, RedisMode as StoreMode, RedisSettings, ShortLived,
};
use countersign_service::{
    CheckedPolicies, ClientRegistration, Clock, Couriers, HashPool, HashSettings, MailIdentity, MasterKey,
    OutboxWorker, PolicySource, Provider, Stores, Switchboard, Vault, date_of, demand_of, list_demands, load_policies,
    with_retired,
};
use secrecy::ExposeSecret;
use serde_json::json;
use tracing_actix_web::TracingLogger;

use crate::audit_log;
use crate::audit_sinks;
use crate::cli::ServeArgs;
use crate::config::{Config, MailDkim, MailTls, RedisMode, ShortLivedKind};
use crate::connections;
use crate::cookie::CookieJar;
use crate::endpoint;
use crate::management::{self, Management};
use crate::node::{Document, Kept, Node};
use crate::page::catalogue;
use crate::page::{Brand, PageSources, Pages};
use crate::telemetry::{self, RequestSpan};
use crate::telephone;
use crate::tls::{self, Authorities, ClientCertificates};

/// How often expired rows are removed, and new keys are made where they are due.
const HOUSEKEEPING: Duration = Duration::from_mins(1);
/// How often is looked whether others made keys or took some away.
const KEYS_OF_OTHERS: Duration = Duration::from_secs(10);

/// Runs one node.
pub async fn run(args: ServeArgs) -> Result<ExitCode, String> {
    let overrides = if args.listen.is_empty() { json!({}) } else { json!({"server": {"listen": args.listen}}) };
    let config = Config::load(args.config.config.as_deref(), overrides).map_err(|error| error.to_string())?;
    telemetry::start_log(config.log.format);
    for warning in config.warnings().map_err(|error| error.to_string())? {
        tracing::warn!("configuration: {warning}");
    }
    let provider = build_provider(&config).await?;
    telephone::check_carriers(&config, provider.policy_set())?;
    connections::check_names(&config, provider.policy_set())?;
    check_clients(&config, &provider).await?;
    register_clients(&config, &provider).await?;
    run_node(&config, provider, || (), crate::stop_signal()).await?;
    Ok(ExitCode::SUCCESS)
}

/// Everything that stands behind the endpoints, checked and ready.
pub(crate) async fn build_provider(config: &Config) -> Result<Arc<Provider>, String> {
    let clock = Clock::system();
    let policies = checked_policies(config, &clock)?;
    let master = master_key(config)?;
    let vault = Vault::new(&master).map_err(|error| error.to_string())?;
    let database = open_database(config)?;
    let missing = database.pending_migrations().await.map_err(|error| error.to_string())?;
    if missing > 0 {
        return Err(format!("the schema lacks {missing} migrations: run `countersign migrate` first"));
    }
    let policies = with_retired(&database, policies).await.map_err(|error| error.to_string())?;
    let stores = Stores { db: database, short_lived: open_short_lived(config, &clock)? };
    let settings = config.service_settings().map_err(|error| error.to_string())?;
    let hash_pool = HashPool::start(hash_settings(config)).map_err(|error| error.to_string())?;
    let provider = Provider::new(settings, clock, vault, stores, hash_pool, policies)
        .with_upstreams(connections::open_upstreams(config)?)
        .with_webhooks(connections::open_webhooks(config)?)
        .with_http(connections::open_outgoing(config)?)
        .with_assertion_issuers(config.assertion_issuers().map_err(|error| error.to_string())?);
    let provider = match connections::open_legacy_portal(config)? {
        Some(portal) => provider.with_legacy(portal),
        None => provider,
    };
    provider.check_master_key().await.map_err(|error| error.to_string())?;
    provider.load_keys().await.map_err(|error| error.to_string())?;
    Ok(Arc::new(provider))
}

/// Why `serve` would not start with this configuration, as far as can be told without reaching a store.
pub(crate) fn refusals(config: &Config) -> Vec<String> {
    let short_lived = || match config.short_lived.store {
        ShortLivedKind::InProcess => Ok(()),
        ShortLivedKind::Redis => config.short_lived.redis_urls().map(drop).map_err(|error| error.to_string()),
    };
    let checks = [
        master_key(config).map(drop),
        config.database.url().map(drop).map_err(|error| error.to_string()),
        short_lived(),
        open_mailer(config).map(drop),
        telephone::open_carriers(config).map(drop),
        connections::open_upstreams(config).map(drop),
        connections::open_webhooks(config).map(drop),
        connections::open_audit_sinks(config).map(drop),
        connections::open_outgoing(config).map(drop),
        connections::open_legacy_portal(config).map(drop),
        load_acceptor(config, ClientCertificates::NotAsked).map(drop),
        open_authorities(config).map(drop),
        read_clients(config).map(drop),
        checked_policies(config, &Clock::system())
            .and_then(|policies| telephone::check_carriers(config, &policies.set)),
        checked_policies(config, &Clock::system()).and_then(|policies| connections::check_names(config, &policies.set)),
        checked_policies(config, &Clock::system()).and_then(|policies| {
            let clients: Vec<ClientDemand> =
                read_clients(config)?.iter().map(|client| demand_of(client, &policies.set)).collect();
            refuse_demands(&policies.set, &clients)
        }),
    ];
    checks.into_iter().filter_map(Result::err).collect()
}

fn master_key(config: &Config) -> Result<MasterKey, String> {
    let text = config.secrets.master_key().map_err(|error| error.to_string())?;
    MasterKey::parse(text.expose_secret()).map_err(|error| error.to_string())
}

fn checked_policies(config: &Config, clock: &Clock) -> Result<CheckedPolicies, String> {
    let mut checked =
        load_policies(&policy_source(config), clock.now()).map_err(|error| format!("policies: {error}"))?;
    prove_within(config, clock, &mut checked, &[])?;
    refuse_findings(&checked)?;
    Ok(checked)
}

/// Adds what can be said of policies by the pages, texts and clients around them.
pub(crate) fn prove_within(
    config: &Config,
    clock: &Clock,
    checked: &mut CheckedPolicies,
    clients: &[ClientDemand],
) -> Result<(), String> {
    if checked.set.iter().next().is_none() {
        return Ok(());
    }
    let (messages, terms) = (config.pages.messages_dir.as_deref(), config.pages.terms_dir.as_deref());
    let catalogue = catalogue::load(messages, terms).map_err(|error| error.to_string())?;
    let today = date_of(clock.now());
    checked.prove_within(&Surroundings { today: &today, catalogue: Some(&catalogue), clients });
    Ok(())
}

/// Refuses clients that may name a policy which gives less than they require.
async fn check_clients(config: &Config, provider: &Provider) -> Result<(), String> {
    let database = open_database(config)?;
    let clients = list_demands(&database, &read_clients(config)?, provider.policy_set()).await;
    refuse_demands(provider.policy_set(), &clients.map_err(|error| error.to_string())?)
}

fn refuse_demands(set: &PolicySet, clients: &[ClientDemand]) -> Result<(), String> {
    let today = date_of(Clock::system().now());
    let around = Surroundings { today: &today, catalogue: None, clients };
    let short: Vec<String> =
        check_within(set, &around).iter().filter(|finding| finding.code == "E60").map(ToString::to_string).collect();
    if short.is_empty() { Ok(()) } else { Err(format!("the clients are refused:\n{}", short.join("\n"))) }
}

fn refuse_findings(checked: &CheckedPolicies) -> Result<(), String> {
    for finding in checked.findings.iter().filter(|finding| finding.severity != Severity::Note) {
        tracing::warn!(code = finding.code, "{finding}");
    }
    if checked.blocks_serve() {
        let findings = checked.findings.iter().map(ToString::to_string).collect::<Vec<_>>();
        return Err(format!("the policies are refused:\n{}", findings.join("\n")));
    }
    Ok(())
}

/// Where the configuration says policies come from.
pub(crate) fn policy_source(config: &Config) -> PolicySource {
    match &config.policies.directory {
        Some(directory) => PolicySource::Files(vec![directory.clone()]),
        None => PolicySource::BuiltInFor {
            demo: config.policies.demo,
            providers: config.federation.iter().map(|upstream| upstream.id.clone()).collect(),
        },
    }
}

/// The configured database.
pub(crate) fn open_database(config: &Config) -> Result<Db, String> {
    let mut settings = DatabaseSettings::new(config.database.url().map_err(|error| error.to_string())?);
    settings.max_connections = config.database.pool_size;
    settings.connect_timeout = Duration::from_secs(config.database.connect_timeout.into());
    settings.root_certificates.clone_from(&config.database.root_certificate_file);
    Db::connect(&settings).map_err(|error| error.to_string())
}

fn open_short_lived(config: &Config, clock: &Clock) -> Result<Arc<dyn ShortLived>, String> {
    if config.short_lived.store == ShortLivedKind::InProcess {
        return Ok(Arc::new(InProcess::new(clock.as_function(), InProcessBounds::default())));
    }
    let urls = config.short_lived.redis_urls().map_err(|error| error.to_string())?;
    let first = urls.first().cloned().ok_or("short_lived.urls is empty")?;
    let mut settings = RedisSettings::new(first);
    settings.urls = urls;
    settings.mode = match config.short_lived.mode {
        RedisMode::Standalone => StoreMode::Standalone,
        RedisMode::Cluster => StoreMode::Cluster,
        RedisMode::Sentinel => {
            let service = config.short_lived.sentinel_master.clone();
            StoreMode::Sentinel { service: service.ok_or("short_lived.sentinel_master is missing")? }
        }
    };
    settings.prefix.clone_from(&config.short_lived.prefix);
    Ok(Arc::new(Redis::connect(&settings).map_err(|error| error.to_string())?))
}

fn hash_settings(config: &Config) -> HashSettings {
    let hashing = config.hashing;
    let parameters = HashParams { memory_kib: hashing.memory_kib, passes: hashing.passes, lanes: hashing.lanes };
    let threads = hashing.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(2, usize::from));
    HashSettings { parameters, threads, queue: hashing.queue }
}

fn open_mailer(config: &Config) -> Result<Mailer, String> {
    let mail = &config.mail;
    let settings = MailSettings {
        host: mail.host.clone(),
        port: mail.port,
        tls: match mail.tls {
            MailTls::None => Tls::None,
            MailTls::Starttls => Tls::StartTls,
            MailTls::Tls => Tls::Tls,
        },
        username: mail.username.clone(),
        password: mail.password().map_err(|error| error.to_string())?,
        pool_size: mail.pool_size,
        timeout: Duration::from_secs(mail.timeout),
        from: Sender { address: mail.from.clone(), name: Some(mail.from_name.clone()) },
        ca_file: mail.ca_file.clone(),
        dkim: mail.dkim.iter().map(dkim_settings).collect(),
    };
    Mailer::new(settings).map_err(|error| error.to_string())
}

fn dkim_settings(dkim: &MailDkim) -> DkimSettings {
    DkimSettings { domain: dkim.domain.clone(), selector: dkim.selector.clone(), key_file: dkim.key_file.clone() }
}

/// Whose name a brand's mails bear, and from where they come.
fn mail_identity(brand: &Brand) -> (String, MailIdentity) {
    let sender =
        |address: &str| Sender { address: address.to_owned(), name: brand.mail_from_name().map(str::to_owned) };
    let identity = MailIdentity {
        company: brand.name().to_owned(),
        product: brand.product().to_owned(),
        from: brand.mail_from().map(sender),
    };
    (brand.id().to_owned(), identity)
}

/// Registers the clients of `clients_file`.
pub(crate) async fn register_clients(config: &Config, provider: &Provider) -> Result<(), String> {
    for client in &read_clients(config)? {
        provider.register_client(client).await.map_err(|error| format!("clients_file: {error}"))?;
    }
    Ok(())
}

pub(crate) fn read_clients(config: &Config) -> Result<Vec<ClientRegistration>, String> {
    let Some(file) = &config.clients_file else { return Ok(Vec::new()) };
    let refused = |why: String| format!("clients_file {}: {why}", file.display());
    let text = std::fs::read_to_string(file).map_err(|error| refused(error.to_string()))?;
    serde_json::from_str(&text).map_err(|error| refused(error.to_string()))
}

/// The pages, with every document of terms that is in force.
fn load_pages(config: &Config) -> Result<Pages, String> {
    let sources = PageSources {
        messages_dir: config.pages.messages_dir.clone(),
        brand_dir: config.pages.brand_dir.clone(),
        terms_dir: config.pages.terms_dir.clone(),
    };
    let pages = Pages::load(&sources).map_err(|error| error.to_string())?;
    match config.terms.iter().find(|(document, version)| !pages.has_terms(document, version)) {
        Some((document, version)) => Err(format!("terms: there is no text of {document}, version {version}")),
        None => Ok(pages),
    }
}

/// Listens, calls `ready`, and serves until `stop`; then requests under way are finished.
pub(crate) async fn run_node(
    config: &Config,
    provider: Arc<Provider>,
    ready: impl FnOnce(),
    stop: impl Future<Output = ()>,
) -> Result<(), String> {
    provider.audit_policies().await.map_err(|error| error.to_string())?;
    let pages = load_pages(config)?;
    let carriers = Arc::new(telephone::open_carriers(config)?);
    let couriers = Couriers {
        mailer: open_mailer(config)?,
        carriers: Arc::clone(&carriers),
        brands: pages.brands().map(mail_identity).collect(),
    };
    let node = Data::new(Node {
        pages,
        switchboard: Switchboard::new(Arc::clone(&provider), carriers).map_err(|error| error.to_string())?,
        brand: config.pages.brand.clone(),
        cookies: CookieJar { secure: config.server.is_secure() },
        behind_proxy: config.server.behind_proxy,
        proxy_networks: config.server.proxy_networks.clone(),
        body_timeout: Duration::from_secs(config.server.request_timeout),
        metadata: Document::new(&provider.metadata()),
        jwks: Kept::default(),
        provider: Arc::clone(&provider),
    });
    let metrics = telemetry::start_metrics()?;
    let management = Data::new(Management { provider: Arc::clone(&provider), metrics });
    let worker = OutboxWorker::new(Arc::clone(&provider), couriers).map_err(|error| error.to_string())?;
    let public = listen(config, node)?;
    let private = listen_management(config, management)?;
    let (public_handle, private_handle) = (public.handle(), private.handle());
    let (stop_outbox, outbox_stopped) = tokio::sync::oneshot::channel::<()>();
    let outbox = actix_web::rt::spawn(async move {
        worker
            .run(async move {
                let _ = outbox_stopped.await;
            })
            .await;
    });
    let log = actix_web::rt::spawn(audit_log::keep(Arc::clone(&provider), config.audit.checkpoint_file.clone()));
    let feeds = audit_sinks::spawn_all(config, &provider)?;
    let housekeeping = actix_web::rt::spawn(keep_house(provider));
    tracing::info!(listen = ?config.server.listen, issuer = config.server.issuer, "serving");
    ready();
    let (mut public, mut private) = (actix_web::rt::spawn(public), actix_web::rt::spawn(private));
    tokio::select! {
        () = stop => {}
        _ = &mut public => {}
        _ = &mut private => {}
    }
    public_handle.stop(true).await;
    // Messages that requests under way have queued are still delivered, if the carrier is quick.
    drop(stop_outbox);
    let _ = tokio::time::timeout(Duration::from_secs(config.mail.timeout), outbox).await;
    log.abort();
    feeds.iter().for_each(JoinHandle::abort);
    housekeeping.abort();
    private_handle.stop(false).await;
    tracing::info!("stopped");
    Ok(())
}

fn listen(config: &Config, node: Data<Node>) -> Result<Server, String> {
    let max_body = config.server.max_body;
    let authorities = open_authorities(config)?;
    let mut server = HttpServer::new(move || {
        App::new()
            .app_data(node.clone())
            .app_data(PayloadConfig::new(max_body))
            // What says nothing of caches, such as a refusal of the framework's, is not to be kept.
            .wrap(DefaultHeaders::new().add((CACHE_CONTROL, "no-store")))
            .wrap(Compress::default())
            .wrap(TracingLogger::<RequestSpan>::new())
            .configure(endpoint::routes)
    })
    .client_request_timeout(Duration::from_secs(config.server.request_timeout))
    .keep_alive(Duration::from_secs(75))
    .shutdown_timeout(config.server.shutdown_timeout)
    .on_connect(move |connection, extensions| tls::keep_certificate(authorities.as_ref(), connection, extensions))
    .disable_signals();
    if let Some(workers) = config.server.workers {
        server = server.workers(workers);
    }
    for (addresses, clients) in
        [(&config.server.listen, ClientCertificates::NotAsked), (&config.server.mtls_listen, ClientCertificates::Asked)]
    {
        let acceptor = load_acceptor(config, clients)?;
        for listener in bind_all(addresses)? {
            let bound = match &acceptor {
                Some(acceptor) => server.listen_rustls_0_23(listener, acceptor.clone()),
                None => server.listen(listener),
            };
            server = bound.map_err(|error| format!("listen: {error}"))?;
        }
    }
    Ok(server.run())
}

fn load_acceptor(config: &Config, clients: ClientCertificates) -> Result<Option<rustls::ServerConfig>, String> {
    match (&config.server.tls_cert_file, &config.server.tls_key_file) {
        (Some(certificate), Some(key)) => tls::server_config(certificate, key, clients).map(Some),
        _ => Ok(None),
    }
}

fn open_authorities(config: &Config) -> Result<Option<Authorities>, String> {
    config.server.mtls_ca_file.as_deref().map(Authorities::open).transpose()
}

fn bind_all(addresses: &[SocketAddr]) -> Result<Vec<TcpListener>, String> {
    let bind = |address: &SocketAddr| TcpListener::bind(address).map_err(|error| format!("{address}: {error}"));
    addresses.iter().map(bind).collect()
}

fn listen_management(config: &Config, management: Data<Management>) -> Result<Server, String> {
    let address = config.server.management_listen;
    let server = HttpServer::new(move || App::new().app_data(management.clone()).configure(management::routes))
        .workers(1)
        .disable_signals()
        .bind(address)
        .map_err(|error| format!("{address}: {error}"))?;
    Ok(server.run())
}

async fn keep_house(provider: Arc<Provider>) {
    let mut pause = tokio::time::interval(HOUSEKEEPING);
    let mut others = tokio::time::interval(KEYS_OF_OTHERS);
    loop {
        tokio::select! {
            _ = pause.tick() => {}
            _ = others.tick() => {
                if let Err(error) = provider.renew_keys().await {
                    tracing::warn!(%error, "the signing keys could not be read again");
                }
                continue;
            }
        }
        provider.warm_upstreams().await;
        if let Err(error) = provider.keep_keys().await {
            tracing::warn!(%error, "the signing keys could not be looked after");
        }
        if let Err(error) = provider.purge_expired().await {
            tracing::warn!(%error, "expired rows could not be removed");
        }
    }
}
