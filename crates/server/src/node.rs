//! One node: the provider and what its endpoints share.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use actix_web::web::Bytes;
use countersign_service::{Provider, Switchboard};
use serde_json::Value;

use crate::config::Network;
use crate::cookie::CookieJar;
use crate::page::Pages;

/// What every endpoint is given.
pub struct Node {
    /// The use cases.
    pub provider: Arc<Provider>,
    /// The pages.
    pub pages: Pages,
    /// Brand of clients that have none of their own.
    pub brand: String,
    /// Answers telephone carriers.
    pub switchboard: Switchboard,
    /// Names of cookies.
    pub cookies: CookieJar,
    /// Whether forwarded headers are believed.
    pub behind_proxy: bool,
    /// Whose; none: everybody's.
    pub proxy_networks: Vec<Network>,
    /// How long a client may take to send a body.
    pub body_timeout: Duration,
    /// The metadata, serialized once.
    pub metadata: Document,
    /// The public keys, serialized when they change.
    pub jwks: Kept,
}

/// A JSON document that seldom changes, with its entity tag.
pub struct Document {
    /// The text.
    pub body: Bytes,
    /// Entity tag, quotes included.
    pub etag: String,
}

/// A document and what its version was when it was made.
#[derive(Default)]
pub struct Kept(RwLock<Option<KeptDocument>>);

type KeptDocument = ((u64, usize), Arc<Document>);

impl Kept {
    /// The document of `version`: the kept one, or what `make` says.
    pub fn get(&self, version: (u64, usize), make: impl FnOnce() -> Value) -> Arc<Document> {
        if let Some((known, document)) = &*self.0.read().unwrap_or_else(PoisonError::into_inner)
            && *known == version
        {
            return Arc::clone(document);
        }
        let document = Arc::new(Document::new(&make()));
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some((version, Arc::clone(&document)));
        document
    }
}

impl Document {
    /// Serializes `value`.
    pub fn new(value: &Value) -> Self {
        use std::hash::{DefaultHasher, Hash, Hasher};
        let body = value.to_string();
        let mut hasher = DefaultHasher::new();
        body.hash(&mut hasher);
        Self { etag: format!("\"{:016x}\"", hasher.finish()), body: body.into() }
    }
}
