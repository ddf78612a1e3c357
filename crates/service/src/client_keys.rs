//! The public keys of clients, and of those who vouch for people: by value, or fetched from where the client says and kept for a while.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use countersign_model::{Client, ClientKeys, Seconds, Timestamp};
use countersign_outbound::documents;
use serde_json::Value;
use tokio::sync::Mutex as AsyncMutex;

use crate::provider::Provider;

/// A fetched set is good for this long.
const KEPT: Seconds = Seconds::minutes(5);
/// An address is asked this often at most, whatever is presented.
const PAUSE: Seconds = Seconds::new(10);
/// A set that its owner does not confirm any more is good for this long.
const GOOD: Seconds = Seconds::hours(1);
/// Addresses that are remembered.
const MOST: usize = 500;
/// Media types of a set (RFC 7517, 8.5.2).
const ACCEPT: &str = "application/jwk-set+json, application/json";

/// The sets that were fetched, by address. Of many who want the same one asks, and the others wait for it.
#[derive(Default)]
pub(crate) struct FetchedKeys(Mutex<HashMap<String, Place>>);

struct Place {
    used_at: Timestamp,
    fetched: Arc<AsyncMutex<Fetched>>,
}

#[derive(Default)]
struct Fetched {
    /// As it came, for it is strangers who write it: read, it may take a hundred times the room.
    set: Option<Box<[u8]>>,
    confirmed_at: Option<Timestamp>,
    asked_at: Option<Timestamp>,
}

impl FetchedKeys {
    fn entry(&self, url: &str, now: Timestamp) -> Arc<AsyncMutex<Fetched>> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !all.contains_key(url) {
            all.retain(|_, place| now < place.used_at.plus(GOOD));
            if all.len() >= MOST {
                // Rather than grow, forget: what is needed is fetched again.
                let oldest = all.iter().min_by_key(|(_, place)| place.used_at).map(|(url, _)| url.clone());
                oldest.map(|oldest| all.remove(&oldest));
            }
        }
        let place = all.entry(url.to_owned()).or_insert_with(|| Place { used_at: now, fetched: Arc::default() });
        place.used_at = now;
        Arc::clone(&place.fetched)
    }
}

impl Fetched {
    /// Keys that were good stay so while their owner does not answer, for a while: taken down, they are withdrawn.
    fn keys(&self, now: Timestamp) -> Option<Arc<Value>> {
        self.confirmed_at.filter(|confirmed| now < confirmed.plus(GOOD))?;
        read(self.set.as_deref()?).map(Arc::new)
    }

    fn confirm(&mut self, set: &[u8], now: Timestamp) {
        self.set = Some(set.into());
        self.confirmed_at = Some(now);
    }
}

/// A JWK Set, if it is one.
fn read(set: &[u8]) -> Option<Value> {
    serde_json::from_slice::<Value>(set).ok().filter(|set| set["keys"].is_array())
}

impl Provider {
    /// The JWK Set of `client`; none: it has none, or it can not be had now.
    pub(crate) async fn client_keys(&self, client: &Client, now: Timestamp) -> Option<Arc<Value>> {
        self.key_set(&client.keys, now).await
    }

    /// The JWK Set that is declared as `keys`; none: there is none, or it can not be had now.
    pub(crate) async fn key_set(&self, keys: &ClientKeys, now: Timestamp) -> Option<Arc<Value>> {
        match (&keys.jwks, &keys.jwks_uri) {
            (Some(jwks), _) => Some(Arc::new(jwks.clone())),
            (None, Some(url)) => self.fetched_keys(url, now, KEPT).await,
            (None, None) => None,
        }
    }

    /// The JWK Set of `client` after one of its keys was not found in [`Provider::client_keys`]: fetched again, if that
    /// was not done just now. None: there is nothing newer.
    pub(crate) async fn fresh_client_keys(&self, client: &Client, now: Timestamp) -> Option<Arc<Value>> {
        self.fresh_key_set(&client.keys, now).await
    }

    /// The JWK Set that is declared as `keys`, likewise.
    pub(crate) async fn fresh_key_set(&self, keys: &ClientKeys, now: Timestamp) -> Option<Arc<Value>> {
        match (&keys.jwks, &keys.jwks_uri) {
            (None, Some(url)) => self.fetched_keys(url, now, PAUSE).await,
            _ => None,
        }
    }

    /// The set at `url`, not older than `kept`, if it can be had.
    async fn fetched_keys(&self, url: &str, now: Timestamp, kept: Seconds) -> Option<Arc<Value>> {
        let entry = self.fetched_keys.entry(url, now);
        let mut entry = entry.lock().await;
        let since = |span: Seconds| entry.asked_at.is_some_and(|asked| now < asked.plus(span));
        let known = entry.keys(now);
        if since(PAUSE) || (known.is_some() && since(kept)) {
            return known;
        }
        entry.asked_at = Some(now);
        match documents::fetch(self.http.as_ref()?, url, ACCEPT).await {
            Ok(set) if read(&set.body).is_some() => entry.confirm(&set.body, now),
            Ok(_) => tracing::info!("a client's jwks_uri holds no JWK Set"),
            Err(error) => tracing::info!(%error, "a client's jwks_uri could not be fetched"),
        }
        entry.keys(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

    #[test]
    fn a_set_that_nobody_confirms_is_withdrawn_after_an_hour() {
        let mut fetched = Fetched::default();
        assert!(fetched.keys(NOW).is_none());
        fetched.confirm(br#"{"keys": []}"#, NOW);
        assert!(fetched.keys(NOW.plus(Seconds::minutes(59))).is_some());
        assert!(fetched.keys(NOW.plus(GOOD)).is_none());
        assert!(read(br#"{"keys": {}}"#).is_none() && read(b"[").is_none());
    }

    #[test]
    fn of_many_addresses_the_one_unused_for_longest_is_forgotten() {
        let all = FetchedKeys::default();
        let kept = all.entry("first", NOW);
        for number in 0..u32::try_from(MOST).unwrap() {
            let now = NOW.plus(Seconds::new(1 + number % 9));
            all.entry("first", now);
            all.entry(&number.to_string(), now);
        }
        assert_eq!(all.0.lock().unwrap().len(), MOST);
        assert!(Arc::ptr_eq(&kept, &all.entry("first", NOW)), "in use");
        drop(all.entry("late", NOW.plus(GOOD).plus(Seconds::minutes(1))));
        assert_eq!(all.0.lock().unwrap().len(), 1, "nothing is remembered for ever");
    }
}
