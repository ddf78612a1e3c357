//! A deployment of the tests, its nodes and what they are made with.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use countersign_model::{Profile, Seconds, SigningAlgorithm};
use countersign_outbound::{HttpClient, HttpSettings, LegacyConnector, MailSettings, Mailer, Sender, Tls, Webhook};
use countersign_protocol::{AssertionIssuer, Features, ResourceServer};
use countersign_service::policy::PolicySet;
use countersign_service::policy::password::HashParams;
use countersign_service::{
    AddressLimits, AuditLogSettings, Clock, Couriers, FederationSettings, HashPool, HashSettings, Lifetimes,
    MailIdentity, MasterKey, NewAccount, OutboxWorker, PolicySource, Provider, RegistrationSettings, Settings, Stores,
    Telephone, Vault, load_policies,
};
use countersign_store::{InProcess, InProcessBounds, Redis, ShortLived};
use secrecy::SecretString;

use super::clients::{case_portal, lab_suite, register_client};
use super::{ALICE, CLINIC, Credentials, DUCK, HOSPITAL, Letter, Phones, Relay};
use crate::stores::{Backend, TestClock, TestDatabase, block_on, raw_redis, redis_settings, redis_url};

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
    pub(super) prefix: String,
}

/// What a node is made with.
pub struct NodePlan {
    /// The short-lived store.
    pub short_lived: Arc<dyn ShortLived>,
    /// The policies.
    pub policies: PolicySet,
    /// Hashing.
    pub hashing: HashSettings,
    /// Parts of the protocol that are on.
    pub features: Features,
    /// Every byte of the master key.
    pub key: u8,
    /// How long a signing key signs.
    pub key_rotation: Option<Seconds>,
    /// The audit log.
    pub audit_log: AuditLogSettings,
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
    /// The legacy portal.
    pub legacy: Option<LegacyConnector>,
    /// Others whose assertions are heard as grants.
    pub assertion_issuers: Vec<AssertionIssuer>,
    /// Whether addresses of this host and of private networks may be called.
    pub allow_private: bool,
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
            register_client(&node, client).await;
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
            features: Features::ALL,
            key: 7,
            key_rotation: None,
            audit_log: AuditLogSettings::default(),
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
            legacy: None,
            assertion_issuers: Vec::new(),
            allow_private: true,
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
            features: plan.features,
            resources: vec![ResourceServer {
                uri: "https://cases.example.com/api".to_owned(),
                scopes: "cases.read cases.write api".parse().expect("scopes"),
                access_token_alg: SigningAlgorithm::RS256,
            }],
            issuer: "https://id.example".parse().expect("issuer"),
            mtls_origin: None,
            mtls_authority: false,
            registration: plan.registration,
            lifetimes: Lifetimes::default(),
            address_limits: plan.address_limits,
            mail: MailIdentity { company: "Acentra Health".to_owned(), product: "Atrezzo".to_owned(), from: None },
            telephone: plan.telephone,
            terms: [("portal_terms".to_owned(), "1".to_owned())].into(),
            key_rotation: plan.key_rotation,
            // An hour of max-age, and the steps of a test in which a node has not read the keys yet.
            audit_log: plan.audit_log,
            key_announcement: if plan.key_rotation.is_some() { Seconds::minutes(70) } else { Seconds::hours(1) },
        };
        let clock = self.clock.clone();
        let vault = Vault::new(&MasterKey::new([plan.key; 32])).expect("vault");
        let stores = Stores { db: self.database.another_node(), short_lived: plan.short_lived };
        let pool = HashPool::start(plan.hashing).expect("hash pool");
        let node = Provider::new(settings, Clock::new(move || clock.now()), vault, stores, pool, plan.policies);
        let allow_private = plan.allow_private;
        let http = HttpClient::new(&HttpSettings { allow_private, ..HttpSettings::default() }).expect("client");
        let node = node.with_http(http).with_upstreams(plan.upstreams).with_webhooks(plan.webhooks);
        let node = node.with_assertion_issuers(plan.assertion_issuers);
        Arc::new(match plan.legacy {
            Some(portal) => node.with_legacy(portal),
            None => node,
        })
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

    /// Delivers, and reads the newest code mailed to `address`; notices may come beside it, in any order.
    ///
    /// # Panics
    /// When there is none.
    pub async fn mailed_code(&self, node: &Arc<Provider>, address: &str) -> String {
        self.deliver(node).await;
        self.find_mailed(address, Letter::find_code).expect("a mail with a code")
    }

    /// Delivers, and reads the token of the newest link mailed to `address`.
    ///
    /// # Panics
    /// When there is none.
    pub async fn mailed_link(&self, node: &Arc<Provider>, address: &str) -> SecretString {
        self.deliver(node).await;
        SecretString::from(self.find_mailed(address, Letter::find_link).expect("a mail with a link"))
    }

    fn find_mailed(&self, address: &str, part: impl Fn(&Letter) -> Option<String>) -> Option<String> {
        let letters = self.relay.letters();
        letters.iter().rev().filter(|letter| letter.to == address).find_map(part)
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
}

/// Redis tells its own time: what we hand it must not lie in its past.
async fn catch_up(clock: &TestClock) {
    let (seconds, _): (i64, i64) =
        redis::cmd("TIME").query_async(&mut raw_redis(&redis_url()).await).await.expect("TIME");
    let behind = seconds + 1 - clock.now().as_millis() / 1000;
    clock.pass(Seconds::new(u32::try_from(behind).unwrap_or(0)));
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
