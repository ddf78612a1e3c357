//! Which scripts may read an answer.

use countersign_model::ClientId;
use countersign_protocol::cors;

use crate::provider::Provider;

impl Provider {
    /// Whether a script of `origin` may read what a request that names `client` is answered. What nobody known is
    /// answered holds nothing of anybody: an error, or the caller's own registration.
    pub async fn allows_origin(&self, origin: &str, client: Option<&ClientId>) -> bool {
        let Some(id) = client else { return true };
        match self.find_client(id).await {
            Ok(client) => client.is_none_or(|client| cors::allows(&client, origin)),
            Err(_) => false,
        }
    }
}
