//! The public keys of clients: by value, or fetched from where the client says and kept for a while.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use countersign_model::{Client, Seconds, Timestamp};
use countersign_outbound::documents;
use serde_json::Value;
use tokio::sync::Mutex as AsyncMutex;

use crate::provider::Provider;

/// A fetched set is good for this long.
const KEPT: Seconds = Seconds::minutes(5);
/// An address is asked this often at most, whatever is presented.
const PAUSE: Seconds = Seconds::new(10);
/// Addresses that are remembered.
const MOST: usize = 2000;
/// Media types of a set (RFC 7517, 8.5.2).
const ACCEPT: &str = "application/jwk-set+json, application/json";

/// The sets that were fetched, by address. Of many who want the same one asks, and the others wait for it.
#[derive(Default)]
pub(crate) struct FetchedKeys(Mutex<HashMap<String, Arc<AsyncMutex<Fetched>>>>);

#[derive(Default)]
struct Fetched {
    keys: Option<Arc<Value>>,
    asked_at: Option<Timestamp>,
}

impl FetchedKeys {
    fn entry(&self, url: &str) -> Arc<AsyncMutex<Fetched>> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MOST && !all.contains_key(url) {
            // Rather than grow, forget: what is needed is fetched again.
            all.clear();
        }
        Arc::clone(all.entry(url.to_owned()).or_default())
    }
}

impl Provider {
    /// The JWK Set of `client`; none: it has none, or it can not be had now.
    pub(crate) async fn client_keys(&self, client: &Client, now: Timestamp) -> Option<Arc<Value>> {
        match (&client.keys.jwks, &client.keys.jwks_uri) {
            (Some(jwks), _) => Some(Arc::new(jwks.clone())),
            (None, Some(url)) => self.fetched_keys(url, now, KEPT).await,
            (None, None) => None,
        }
    }

    /// The JWK Set of `client` after one of its keys was not found in [`Provider::client_keys`]: fetched again, if that
    /// was not done just now. None: there is nothing newer.
    pub(crate) async fn fresh_client_keys(&self, client: &Client, now: Timestamp) -> Option<Arc<Value>> {
        match (&client.keys.jwks, &client.keys.jwks_uri) {
            (None, Some(url)) => self.fetched_keys(url, now, PAUSE).await,
            _ => None,
        }
    }

    /// The set at `url`, not older than `kept`, if it can be had.
    async fn fetched_keys(&self, url: &str, now: Timestamp, kept: Seconds) -> Option<Arc<Value>> {
        let entry = self.fetched_keys.entry(url);
        let mut entry = entry.lock().await;
        let since = |span: Seconds| entry.asked_at.is_some_and(|asked| now < asked.plus(span));
        if since(PAUSE) || (entry.keys.is_some() && since(kept)) {
            return entry.keys.clone();
        }
        entry.asked_at = Some(now);
        let fetched = documents::fetch(self.http.as_ref()?, url, ACCEPT).await;
        let keys = fetched.map(|body| serde_json::from_slice::<Value>(&body).ok().filter(|set| set["keys"].is_array()));
        match keys {
            Ok(Some(keys)) => entry.keys = Some(Arc::new(keys)),
            Ok(None) => tracing::info!("a client's jwks_uri holds no JWK Set"),
            // Keys that were good stay so while their owner does not answer.
            Err(error) => tracing::info!(%error, "a client's jwks_uri could not be fetched"),
        }
        entry.keys.clone()
    }
}
