//! One node: the provider and what its endpoints share.

use std::sync::Arc;
use std::time::Duration;

use countersign_service::{Provider, Switchboard};

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
}

/// A JSON document that seldom changes, with its entity tag.
pub struct Document {
    /// The text.
    pub body: String,
    /// Entity tag, quotes included.
    pub etag: String,
}

impl Document {
    /// Serializes `value`.
    pub fn new(value: &serde_json::Value) -> Self {
        use std::hash::{DefaultHasher, Hash, Hasher};
        let body = value.to_string();
        let mut hasher = DefaultHasher::new();
        body.hash(&mut hasher);
        Self { etag: format!("\"{:016x}\"", hasher.finish()), body }
    }
}
