//! The upstream providers of a deployment, with what they publish kept for a while.

use std::collections::BTreeMap;
use std::sync::Arc;

use countersign_model::{Seconds, Timestamp};
use countersign_outbound::CallError;
use countersign_outbound::upstream::{ProviderMetadata, Upstream};
use serde_json::Value;
use tokio::sync::Mutex;
use url::Url;

/// How long metadata and keys are believed.
const FRESH: Seconds = Seconds::hours(1);
/// How long they are still used when the provider does not answer.
const STALE: Seconds = Seconds::hours(24);
/// Unknown keys make us ask again no more often than this.
const RENEWAL: Seconds = Seconds::new(30);

/// What happens when a person comes for the first time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkRule {
    /// An account is made, or one that was made beforehand is adopted.
    Create,
    /// Only an account that was made beforehand is adopted.
    Existing,
}

/// Claims of the ID token that a new account takes over.
#[derive(Clone, Debug)]
pub struct ClaimNames {
    /// Mail address.
    pub email: String,
    /// First name.
    pub given_name: String,
    /// Last name.
    pub family_name: String,
}

impl Default for ClaimNames {
    fn default() -> Self {
        Self { email: "email".to_owned(), given_name: "given_name".to_owned(), family_name: "family_name".to_owned() }
    }
}

/// An upstream provider and who may come from there.
#[derive(Clone, Debug)]
pub struct FederationSettings {
    /// Its id in policies and in the callback's path.
    pub id: String,
    /// How to reach it.
    pub upstream: Upstream,
    /// Scopes to ask for, `openid` among them.
    pub scopes: String,
    /// Mail domains of its people, lower case: nobody else may be linked.
    pub domains: Vec<String>,
    /// What happens when a person comes for the first time.
    pub link: LinkRule,
    /// Claims that a new account takes over.
    pub claims: ClaimNames,
}

impl FederationSettings {
    /// Whether the address is in one of the provider's domains: exactly, not below it.
    pub fn owns_address(&self, email: &str) -> bool {
        let domain = email.rsplit_once('@').map(|(_, domain)| domain);
        domain.is_some_and(|domain| self.domains.iter().any(|own| own.eq_ignore_ascii_case(domain)))
    }
}

/// Every upstream provider.
#[derive(Default)]
pub(crate) struct Upstreams(Vec<Party>);

impl Upstreams {
    pub(crate) fn new(settings: Vec<FederationSettings>) -> Self {
        Self(settings.into_iter().map(Party::new).collect())
    }

    pub(crate) fn find(&self, id: &str) -> Option<&Party> {
        self.0.iter().find(|party| party.settings.id == id)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Party> {
        self.0.iter()
    }

    /// Whether the address is in a domain of one of them.
    pub(crate) fn own_address(&self, email: &str) -> bool {
        self.0.iter().any(|party| party.settings.owns_address(email))
    }

    /// The mail domains of each.
    pub(crate) fn list_domains(&self) -> BTreeMap<String, Vec<String>> {
        self.0.iter().map(|party| (party.settings.id.clone(), party.settings.domains.clone())).collect()
    }

    /// Issuers and, where known already, authorization endpoints.
    pub(crate) fn list_origins(&self) -> Vec<Url> {
        let known = self.0.iter().filter_map(|party| {
            let metadata = party.metadata.try_lock().ok()?;
            metadata.as_ref().map(|kept| kept.value.authorization_endpoint.clone())
        });
        let issuers = self.0.iter().filter_map(|party| Url::parse(party.settings.upstream.issuer()).ok());
        let mut origins: Vec<Url> = issuers.chain(known).collect();
        origins.dedup_by_key(|url| url.origin().ascii_serialization());
        origins
    }
}

struct Kept<T> {
    value: T,
    fetched_at: Timestamp,
}

impl<T: Clone> Kept<T> {
    fn within(kept: Option<&Self>, span: Seconds, now: Timestamp) -> Option<T> {
        kept.filter(|kept| now < kept.fetched_at.plus(span)).map(|kept| kept.value.clone())
    }
}

/// One upstream provider. The locks are held while it is asked: one of many callers asks, the others wait for it.
pub(crate) struct Party {
    pub(crate) settings: FederationSettings,
    metadata: Mutex<Option<Kept<Arc<ProviderMetadata>>>>,
    keys: Mutex<Option<Kept<Arc<Value>>>>,
}

impl Party {
    fn new(settings: FederationSettings) -> Self {
        Self { settings, metadata: Mutex::default(), keys: Mutex::default() }
    }

    pub(crate) fn upstream(&self) -> &Upstream {
        &self.settings.upstream
    }

    /// What it publishes of itself.
    pub(crate) async fn metadata(&self, now: Timestamp) -> Result<Arc<ProviderMetadata>, CallError> {
        let mut kept = self.metadata.lock().await;
        if let Some(fresh) = Kept::within(kept.as_ref(), FRESH, now) {
            return Ok(fresh);
        }
        match self.upstream().fetch_metadata().await {
            Ok(metadata) => {
                let value = Arc::new(metadata);
                *kept = Some(Kept { value: Arc::clone(&value), fetched_at: now });
                Ok(value)
            }
            Err(error) => Kept::within(kept.as_ref(), STALE, now).ok_or(error),
        }
    }

    /// Its keys.
    pub(crate) async fn keys(&self, metadata: &ProviderMetadata, now: Timestamp) -> Result<Arc<Value>, CallError> {
        let mut kept = self.keys.lock().await;
        if let Some(fresh) = Kept::within(kept.as_ref(), FRESH, now) {
            return Ok(fresh);
        }
        match self.fetch_keys(metadata).await {
            Ok(value) => {
                *kept = Some(Kept { value: Arc::clone(&value), fetched_at: now });
                Ok(value)
            }
            Err(error) => Kept::within(kept.as_ref(), STALE, now).ok_or(error),
        }
    }

    /// Its keys, asked for anew; none when they were asked for a moment ago.
    pub(crate) async fn renew_keys(
        &self,
        metadata: &ProviderMetadata,
        now: Timestamp,
    ) -> Result<Option<Arc<Value>>, CallError> {
        let mut kept = self.keys.lock().await;
        if Kept::within(kept.as_ref(), RENEWAL, now).is_some() {
            return Ok(None);
        }
        let value = self.fetch_keys(metadata).await?;
        *kept = Some(Kept { value: Arc::clone(&value), fetched_at: now });
        Ok(Some(value))
    }

    async fn fetch_keys(&self, metadata: &ProviderMetadata) -> Result<Arc<Value>, CallError> {
        let text = self.upstream().fetch_keys(metadata).await?;
        let keys = serde_json::from_str(&text).map_err(|_| CallError::Permanent("the keys are no JSON".to_owned()))?;
        Ok(Arc::new(keys))
    }
}
