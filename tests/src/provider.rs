//! Providers for tests that drive the use cases in process: nodes over one pair of stores, a clock that is moved, a
//! relay that keeps what it is given, and people who walk through pages.
#![allow(clippy::expect_used, clippy::panic, reason = "a fixture that fails is a test that fails")]

mod authenticator;
mod corporate;
mod fault;
mod person;
mod phones;
mod relay;
mod web;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use countersign_model::{AuditEvent, AuditKind, OutboxMessage, Profile, Seconds, SigningAlgorithm, UserId, UserStatus};
use countersign_outbound::Webhook;
use countersign_outbound::{MailSettings, Mailer, Sender, Tls};
use countersign_protocol::{Features, OAuthError, Params, ResourceServer};
use countersign_service::RegistrationSettings;
use countersign_service::policy::PolicySet;
use countersign_service::policy::password::HashParams;
use countersign_service::{
    AddressLimits, ClientRegistration, Clock, Couriers, FederationSettings, HashPool, HashSettings, Lifetimes,
    MailIdentity, MasterKey, NewAccount, OutboxWorker, PolicySource, Provider, RequestContext, ServiceError, Settings,
    Stores, Telephone, TokenCall, Vault, load_policies,
};
use countersign_store::{AuditFilter, InProcess, InProcessBounds, Redis, ShortLived, StoreError};
use diesel::sql_types::Text;
use diesel::{Connection as _, QueryableByName, RunQueryDsl as _};
use secrecy::SecretString;
use serde_json::{Value, json};

pub use authenticator::Authenticator;
pub use corporate::Corporate;
pub use fault::{Fault, Faulty};
pub use person::{Person, Seen, code_in, form, parameter};
pub use phones::{GENUINE, Operator, Phones, Rung};
pub use relay::{Letter, Relay, Temper};
pub use web::{Asked, serve_json};

use crate::stores::{Backend, TestClock, TestDatabase, block_on, raw_redis, redis_settings, redis_url};

/// A mail address and its password.
pub type Credentials = (&'static str, &'static str);

/// Signs in by mailed code.
pub const HOSPITAL: Credentials = ("demohospital18@example.com", "ward-seven-0918-lamp");
/// Signs in by mailed code too.
pub const CLINIC: Credentials = ("clinic@example.com", "river-stone-5512-moth");
/// Has a phone.
pub const DUCK: Credentials = ("dduck@example.com", "pond-lily-4471-quack");
/// Has a password alone, for `lab`.
pub const ALICE: Credentials = ("alice@example.com", "meadow-lark-2291-kite");

/// Secret of the client `case-portal`.
pub const PORTAL_SECRET: &str = "portal-secret-of-the-tests-0123456789abcdef";
/// Where `case-portal` is answered.
pub const PORTAL_URI: &str = "https://portal.example/callback";

/// Cheapest parameters: these tests are not about hashing.
pub const CHEAP: HashParams = HashParams { memory_kib: 64, passes: 1, lanes: 1 };

/// The two pairs of stores the product runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pair {
    /// SQLite and in process.
    Embedded,
    /// PostgreSQL and Redis.
    Servers,
}

/// A deployment: stores, a clock, a relay. Nodes are made over it.
pub struct House {
    /// Its stores.
    pub pair: Pair,
    /// Its clock.
    pub clock: TestClock,
    /// Its database.
    pub database: TestDatabase,
    /// Its short-lived store.
    pub short_lived: Arc<dyn ShortLived>,
    /// Takes its mail.
    pub relay: Relay,
    /// Takes its texts and calls.
    pub phones: Phones,
    prefix: String,
}

/// What a node is made with.
pub struct NodePlan {
    /// The short-lived store.
    pub short_lived: Arc<dyn ShortLived>,
    /// The policies.
    pub policies: PolicySet,
    /// Hashing.
    pub hashing: HashSettings,
    /// Every byte of the master key.
    pub key: u8,
    /// Limits of an address.
    pub address_limits: AddressLimits,
    /// Clients that register themselves.
    pub registration: RegistrationSettings,
    /// Whom texts and calls may reach.
    pub telephone: Telephone,
    /// Upstream providers.
    pub upstreams: Vec<FederationSettings>,
    /// Webhooks, by name.
    pub webhooks: Vec<(String, Webhook)>,
}

/// Runs `test` on a house of `pair`.
pub fn run<F: Future<Output = ()>>(pair: Pair, test: impl FnOnce(House) -> F) {
    block_on(async { test(House::new(pair).await).await });
}

impl House {
    /// A house with the accounts and clients of the tests.
    ///
    /// # Panics
    /// When a store is not there.
    pub async fn new(pair: Pair) -> Self {
        let house = Self::empty(pair).await;
        let node = house.node().await;
        for (credentials, mailbox, phone) in
            [(HOSPITAL, true, None), (CLINIC, true, None), (DUCK, true, Some("+12025553661")), (ALICE, false, None)]
        {
            node.create_account(&account(credentials, mailbox, phone)).await.expect("account").expect("new");
        }
        house.database.raw("UPDATE users SET terms_version = '1'").await.expect("terms");
        for client in [case_portal(), lab_suite()] {
            let client: ClientRegistration = serde_json::from_value(client).expect("registration");
            node.register_client(&client).await.expect("client");
        }
        house
    }

    /// A house with nothing in it.
    ///
    /// # Panics
    /// When a store is not there.
    pub async fn empty(pair: Pair) -> Self {
        let clock = TestClock::new();
        let (backend, short_lived, prefix): (_, Arc<dyn ShortLived>, _) = match pair {
            Pair::Embedded => {
                let store = InProcess::new(clock.as_clock(), InProcessBounds::default());
                (Backend::Sqlite, Arc::new(store), String::new())
            }
            Pair::Servers => {
                let settings = redis_settings(&redis_url());
                let store = Redis::connect(&settings).expect("settings");
                (Backend::Postgres, Arc::new(store), settings.prefix)
            }
        };
        if pair == Pair::Servers {
            catch_up(&clock).await;
        }
        let database = TestDatabase::new(backend).await;
        Self { pair, clock, database, short_lived, relay: Relay::open().await, phones: Phones::default(), prefix }
    }

    /// What a plain node is made with.
    ///
    /// # Panics
    /// When the built-in policies do not load.
    pub fn plan(&self) -> NodePlan {
        let checked = load_policies(&PolicySource::BuiltIn { demo: true }, self.clock.now()).expect("policies");
        assert!(!checked.has_errors());
        NodePlan {
            short_lived: Arc::clone(&self.short_lived),
            policies: checked.set,
            hashing: HashSettings { parameters: CHEAP, threads: 2, queue: 4096 },
            key: 7,
            registration: RegistrationSettings::default(),
            address_limits: AddressLimits {
                attempts: 100_000,
                sends: 100_000,
                starts: 100_000,
                client_failures: 100_000,
                ..AddressLimits::default()
            },
            telephone: Telephone { prefix_sends: 100_000, ..Telephone::default() },
            upstreams: Vec::new(),
            webhooks: Vec::new(),
        }
    }

    /// A node, ready to serve.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn node(&self) -> Arc<Provider> {
        self.node_with(self.plan()).await
    }

    /// A node made by `plan`, ready to serve.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn node_with(&self, plan: NodePlan) -> Arc<Provider> {
        let node = self.idle_node(plan);
        node.check_master_key().await.expect("master key");
        node.load_keys().await.expect("keys");
        node
    }

    /// A node that has not looked at the database yet.
    ///
    /// # Panics
    /// When its settings contradict themselves.
    pub fn idle_node(&self, plan: NodePlan) -> Arc<Provider> {
        let settings = Settings {
            features: Features::ALL,
            resources: vec![ResourceServer {
                uri: "https://cases.example.com/api".to_owned(),
                scopes: "cases.read cases.write api".parse().expect("scopes"),
                access_token_alg: SigningAlgorithm::RS256,
            }],
            issuer: "https://id.example".parse().expect("issuer"),
            mtls_origin: None,
            registration: plan.registration,
            lifetimes: Lifetimes::default(),
            address_limits: plan.address_limits,
            mail: MailIdentity { company: "Acentra Health".to_owned(), product: "Atrezzo".to_owned(), from: None },
            telephone: plan.telephone,
            terms: [("portal_terms".to_owned(), "1".to_owned())].into(),
            key_announcement: Seconds::hours(1),
        };
        let clock = self.clock.clone();
        let vault = Vault::new(&MasterKey::new([plan.key; 32])).expect("vault");
        let stores = Stores { db: self.database.another_node(), short_lived: plan.short_lived };
        let pool = HashPool::start(plan.hashing).expect("hash pool");
        let node = Provider::new(settings, Clock::new(move || clock.now()), vault, stores, pool, plan.policies);
        Arc::new(node.with_upstreams(plan.upstreams).with_webhooks(plan.webhooks))
    }

    /// Makes another account with a phone.
    ///
    /// # Panics
    /// When there is one with this address.
    pub async fn account(&self, node: &Provider, who: Credentials, phone: &str) {
        node.create_account(&account(who, true, Some(phone))).await.expect("account").expect("new");
    }

    /// One round of a node's outbox worker; how many messages it took.
    ///
    /// # Panics
    /// When the database does not answer.
    pub async fn deliver(&self, node: &Arc<Provider>) -> usize {
        self.worker(node).deliver_due().await.expect("outbox")
    }

    /// A worker of `node` that sends to the relay.
    ///
    /// # Panics
    /// When its settings contradict themselves.
    pub fn worker(&self, node: &Arc<Provider>) -> OutboxWorker {
        let mailer = Mailer::new(MailSettings {
            host: "127.0.0.1".to_owned(),
            port: self.relay.port,
            tls: Tls::None,
            username: None,
            password: None,
            pool_size: 4,
            timeout: Duration::from_secs(20),
            from: Sender { address: "noreply@id.example".to_owned(), name: None },
            ca_file: None,
            dkim: Vec::new(),
        });
        let couriers =
            Couriers { mailer: mailer.expect("mailer"), carriers: self.phones.carriers(), brands: BTreeMap::new() };
        OutboxWorker::new(Arc::clone(node), couriers).expect("worker")
    }

    /// Delivers, and reads the newest code mailed to `address`.
    ///
    /// # Panics
    /// When there is none.
    pub async fn mailed_code(&self, node: &Arc<Provider>, address: &str) -> String {
        self.deliver(node).await;
        let letters = self.relay.letters();
        letters.iter().rev().find(|letter| letter.to == address).expect("a mail").code()
    }

    /// Lets a lease run out that lasts a second by the server's clock, ten by ours.
    ///
    /// # Panics
    /// When Redis does not answer.
    pub async fn let_lease_end(&self) {
        match self.pair {
            Pair::Embedded => self.clock.pass(Seconds::new(11)),
            Pair::Servers => {
                let mut wait = redis::cmd("BLPOP");
                wait.arg(format!("{}nobody", self.prefix)).arg(1.1);
                let nothing: Option<Vec<String>> =
                    wait.query_async(&mut raw_redis(&redis_url()).await).await.expect("BLPOP");
                assert!(nothing.is_none());
            }
        }
    }

    /// Bytes of the instance `flow` in Redis.
    ///
    /// # Panics
    /// When Redis does not answer.
    pub async fn stored_size(&self, flow: countersign_model::FlowId) -> usize {
        let mut length = redis::cmd("STRLEN");
        length.arg(format!("{}f:{{{flow}}}", self.prefix));
        length.query_async(&mut raw_redis(&redis_url()).await).await.expect("STRLEN")
    }

    /// The only column, text, of a query's rows.
    ///
    /// # Panics
    /// When it fails.
    pub async fn texts(&self, sql: &str) -> Vec<String> {
        match self.database.backend {
            Backend::Sqlite => {
                let path = self.database.url.trim_start_matches("sqlite:");
                let mut connection = diesel::SqliteConnection::establish(path).expect("sqlite");
                let named = format!("SELECT CAST(v AS TEXT) AS text FROM (SELECT ({sql}) AS v)");
                let list = format!("SELECT CAST(text AS TEXT) AS text FROM ({sql})");
                let sql = if sql.contains(" AS text") { list } else { named };
                let rows: Vec<TextRow> = diesel::sql_query(sql).load(&mut connection).expect("query");
                rows.into_iter().map(|row| row.text).collect()
            }
            Backend::Postgres => {
                let connected = tokio_postgres::connect(&self.database.url, tokio_postgres::NoTls).await;
                let (client, connection) = connected.expect("postgres");
                let driver = tokio::spawn(connection);
                let messages = client.simple_query(sql).await.expect("query");
                drop(client);
                let _ = driver.await;
                let row = |message| match message {
                    tokio_postgres::SimpleQueryMessage::Row(row) => Some(row.get(0).unwrap_or_default().to_owned()),
                    _ => None,
                };
                messages.into_iter().filter_map(row).collect()
            }
        }
    }

    /// How many rows of `table` hold `condition`.
    ///
    /// # Panics
    /// When it is not SQL.
    pub async fn count(&self, table: &str, condition: &str) -> usize {
        let counted = self.texts(&format!("SELECT COUNT(*) AS text FROM {table} WHERE {condition}")).await;
        counted.first().and_then(|text| text.parse().ok()).expect("a count")
    }

    /// The audit's events of `kind`, oldest first; all of them without.
    ///
    /// # Panics
    /// When the database does not answer.
    pub async fn events(&self, kind: Option<AuditKind>) -> Vec<AuditEvent> {
        let filter = AuditFilter { kind, ..AuditFilter::default() };
        let mut events: Vec<AuditEvent> = self
            .database
            .db
            .read(async |tx| Ok::<_, StoreError>(tx.list_audit_events(&filter).await?))
            .await
            .expect("audit");
        events.reverse();
        events
    }

    /// Every message of the outbox, oldest first.
    ///
    /// # Panics
    /// When the database does not answer.
    pub async fn outbox(&self) -> Vec<OutboxMessage> {
        let ids = self.texts("SELECT id AS text FROM outbox ORDER BY id").await;
        let mut messages = Vec::new();
        for id in ids {
            let id = id.parse().expect("id");
            let found = self.database.db.read(async |tx| tx.find_outbox_message(&id).await).await;
            messages.push(found.expect("outbox").expect("message"));
        }
        messages
    }

    /// Lets the person with this address sign in no more, or again.
    ///
    /// # Panics
    /// When the database refuses.
    pub async fn set_status(&self, email: &str, status: UserStatus) {
        let word = serde_json::to_value(status).expect("status");
        let word = word.as_str().expect("word");
        self.database
            .raw(&format!("UPDATE users SET status = '{word}' WHERE email = '{email}'"))
            .await
            .expect("status");
    }

    /// Id of the person with this address.
    ///
    /// # Panics
    /// When there is none.
    pub async fn user(&self, email: &str) -> UserId {
        let found = self.database.db.read(async |tx| tx.find_account_by_email(email).await).await;
        found.expect("users").expect("account").user.id
    }
}

/// Redis tells its own time: what we hand it must not lie in its past.
async fn catch_up(clock: &TestClock) {
    let (seconds, _): (i64, i64) =
        redis::cmd("TIME").query_async(&mut raw_redis(&redis_url()).await).await.expect("TIME");
    let behind = seconds + 1 - clock.now().as_millis() / 1000;
    clock.pass(Seconds::new(u32::try_from(behind).unwrap_or(0)));
}

#[derive(QueryableByName)]
struct TextRow {
    #[diesel(sql_type = Text)]
    text: String,
}

fn account((email, password): Credentials, mailbox: bool, phone: Option<&str>) -> NewAccount {
    NewAccount {
        email: email.to_owned(),
        password: Some(SecretString::from(password)),
        profile: Profile::default(),
        mailbox,
        phone: phone.map(str::to_owned),
        ..NewAccount::default()
    }
}

fn case_portal() -> Value {
    json!({
        "client_id": "case-portal",
        "client_secret": PORTAL_SECRET,
        "client_name": "Case Portal",
        "redirect_uris": [PORTAL_URI],
        "token_endpoint_auth_method": "client_secret_post",
        "grant_types": ["authorization_code", "refresh_token"],
        "scope": "openid profile email phone offline_access",
        "countersign_policy": "login-options",
        "countersign_policies": ["login-options", "phone", "email", "totp", "lab"],
        "countersign_first_party": true,
    })
}

fn lab_suite() -> Value {
    json!({
        "client_id": "lab-suite",
        "client_secret": PORTAL_SECRET,
        "redirect_uris": [PORTAL_URI],
        "token_endpoint_auth_method": "client_secret_post",
        "grant_types": ["authorization_code", "refresh_token"],
        "scope": "openid offline_access",
        "countersign_policy": "lab",
        "countersign_first_party": true,
    })
}

/// Redeems an authorization code of `case-portal`.
///
/// # Errors
/// Those of the token endpoint.
pub async fn redeem(node: &Provider, code: &str) -> Result<Result<Value, OAuthError>, ServiceError> {
    let grant = format!("grant_type=authorization_code&code={code}&redirect_uri={}", encode(PORTAL_URI));
    token(node, &grant).await
}

/// Redeems a refresh token of `case-portal`.
///
/// # Errors
/// Those of the token endpoint.
pub async fn refresh(node: &Provider, token_text: &str) -> Result<Result<Value, OAuthError>, ServiceError> {
    token(node, &format!("grant_type=refresh_token&refresh_token={token_text}")).await
}

async fn token(node: &Provider, grant: &str) -> Result<Result<Value, OAuthError>, ServiceError> {
    let form = format!("{grant}&client_id=case-portal&client_secret={PORTAL_SECRET}");
    let form = Params::parse_form(form.as_bytes()).expect("form");
    let context = RequestContext::default();
    node.token(TokenCall {
        authorization: None,
        query: &Params::default(),
        form: &form,
        certificate: None,
        context: &context,
    })
    .await
}

/// `text` in a query.
pub fn encode(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}
