//! The provider: everything a use case needs, made once and shared.

use std::sync::Arc;

use countersign_flow::PolicySet;
use countersign_outbound::webhook::Webhook;
use countersign_outbound::{HttpClient, LegacyConnector};
use countersign_protocol::{AssertionIssuer, Capabilities};
use countersign_store::{Db, ShortLived};
use tokio::sync::Notify;

use crate::ServiceError;
use crate::asked_questions::AskedQuestions;
use crate::audit_log::SeenTree;
use crate::client_documents::AskedDocuments;
use crate::client_keys::FetchedKeys;
use crate::clock::Clock;
use crate::federation::{FederationSettings, Upstreams};
use crate::hash_pool::HashPool;
use crate::key_ring::KeyRing;
use crate::passkeys::Passkeys;
use crate::policies::Policies;
use crate::refresh_uses::RefreshUses;
use crate::settings::Settings;
use crate::unreachable::Unreachable;
use crate::vault::{Purpose, Vault};
use crate::webhooks::Webhooks;

/// The two stores.
#[derive(Clone)]
pub struct Stores {
    /// Durable nouns.
    pub db: Db,
    /// Running instances and counters.
    pub short_lived: Arc<dyn ShortLived>,
}

/// An OpenID Provider; its use cases are its methods, each in the file of its name.
pub struct Provider {
    pub(crate) settings: Settings,
    pub(crate) clock: Clock,
    pub(crate) vault: Vault,
    pub(crate) db: Db,
    pub(crate) short_lived: Arc<dyn ShortLived>,
    pub(crate) hash_pool: HashPool,
    pub(crate) policies: Policies,
    pub(crate) capabilities: Capabilities,
    pub(crate) keys: KeyRing,
    /// Refresh tokens that are being used at this moment.
    pub(crate) refresh_uses: RefreshUses,
    /// Asks the legacy portal about passwords that were not imported.
    pub(crate) legacy: Option<LegacyConnector>,
    /// Upstream providers.
    pub(crate) upstreams: Upstreams,
    /// The deployment's own servers, by name.
    pub(crate) webhooks: Webhooks,
    pub(crate) passkeys: Passkeys,
    /// Calls addresses of clients; none: nothing of theirs is fetched.
    pub(crate) http: Option<HttpClient>,
    /// Who may speak for people.
    pub(crate) assertion_issuers: Vec<AssertionIssuer>,
    /// Keys of clients that were fetched.
    pub(crate) fetched_keys: FetchedKeys,
    /// Clients that do not answer.
    pub(crate) unreachable: Unreachable,
    /// Documents of clients that were asked for just now.
    pub(crate) asked_documents: AskedDocuments,
    /// What clients asked about tokens a while ago.
    pub(crate) asked_questions: AskedQuestions,
    /// The audit's tree.
    pub(crate) seen_tree: SeenTree,
    /// Wakes the outbox after a message was written.
    pub(crate) outbox: Notify,
}

impl Provider {
    /// Puts the parts together. Call [`Provider::check_master_key`] and [`Provider::load_keys`] before serving.
    pub fn new(
        settings: Settings,
        clock: Clock,
        vault: Vault,
        stores: Stores,
        hash_pool: HashPool,
        policies: PolicySet,
    ) -> Self {
        let policies = Policies::new(policies);
        let capabilities = crate::discovery::capabilities(&policies, &settings);
        let passkeys = Passkeys::new(&settings.issuer, &settings.mail.company);
        Self {
            settings,
            refresh_uses: RefreshUses::new(clock.clone()),
            clock,
            vault,
            db: stores.db,
            short_lived: stores.short_lived,
            hash_pool,
            policies,
            capabilities,
            keys: KeyRing::default(),
            legacy: None,
            upstreams: Upstreams::default(),
            webhooks: Webhooks::default(),
            passkeys,
            http: None,
            assertion_issuers: Vec::new(),
            fetched_keys: FetchedKeys::default(),
            unreachable: Unreachable::default(),
            asked_documents: AskedDocuments::default(),
            asked_questions: AskedQuestions::default(),
            seen_tree: SeenTree::default(),
            outbox: Notify::new(),
        }
    }

    /// Lets people sign in at these upstream providers.
    #[must_use]
    pub fn with_upstreams(mut self, upstreams: Vec<FederationSettings>) -> Self {
        self.upstreams = Upstreams::new(upstreams);
        self
    }

    /// Asks and tells these servers where policies name them.
    #[must_use]
    pub fn with_webhooks(mut self, webhooks: impl IntoIterator<Item = (String, Webhook)>) -> Self {
        self.webhooks = webhooks.into_iter().collect();
        self
    }

    /// Asks the legacy portal about passwords that were not imported.
    #[must_use]
    pub fn with_legacy(mut self, connector: LegacyConnector) -> Self {
        self.legacy = Some(connector);
        self
    }

    /// Calls addresses that clients registered, as far as the guard of `http` lets it.
    #[must_use]
    pub fn with_http(mut self, http: HttpClient) -> Self {
        self.http = Some(http);
        self
    }

    /// Hears these when they speak for people (RFC 7523, 2.1).
    #[must_use]
    pub fn with_assertion_issuers(mut self, issuers: Vec<AssertionIssuer>) -> Self {
        self.assertion_issuers = issuers;
        self
    }

    /// Whether addresses of clients may be on this very host.
    pub(crate) fn calls_this_host(&self) -> bool {
        self.http.as_ref().is_some_and(HttpClient::allows_private)
    }

    /// Refuses a database that was written under another master key.
    pub async fn check_master_key(&self) -> Result<(), ServiceError> {
        let expected = self.vault.derive(Purpose::KeyCheck, &[]);
        let kept = self.db.write(async |tx| tx.insert_setting_if_absent("master_key_check", &expected).await).await?;
        if kept == expected {
            Ok(())
        } else {
            Err(ServiceError::Configuration(
                "the database was written under another master key (a demo keeps its key in --data-dir)".into(),
            ))
        }
    }

    /// How many passwords were compared with hashes of each cost, by a dummy of that cost.
    pub fn hashes_compared(&self) -> std::collections::BTreeMap<String, u64> {
        self.hash_pool.work_done()
    }

    /// Whether both stores answer.
    pub async fn check_stores(&self) -> Result<(), ServiceError> {
        self.db.ping().await?;
        self.short_lived.ping().await?;
        Ok(())
    }

    /// The clock.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The policies it runs.
    pub fn policy_set(&self) -> &PolicySet {
        self.policies.set()
    }

    /// What an operator decided.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }
}
