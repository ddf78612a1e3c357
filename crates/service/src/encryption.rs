//! Answers that their client alone can read (RFC 7516).

use std::sync::Arc;

use countersign_model::{Client, Encryption, Seconds, Timestamp};
use countersign_protocol::jwe::{self, Content, Randomness};
use serde_json::Value;
use zeroize::Zeroizing;

use crate::ServiceError;
use crate::clock::random;
use crate::provider::Provider;

/// Keys that could not be had now may be had after this: their address is not asked more often.
const LATER: Seconds = Seconds::new(10);

/// Who alone will read an answer: its client, by a key that it is known to have.
pub(crate) struct Recipient {
    encryption: Encryption,
    keys: Arc<Value>,
}

impl Recipient {
    /// `content` for the client's key.
    pub(crate) fn encrypt(&self, content: Content<'_>) -> Result<String, ServiceError> {
        let failed = |_| ServiceError::Internal("an answer could not be encrypted for its client");
        let randomness = Randomness { content_key: Zeroizing::new(random()?), iv: random()? };
        jwe::encrypt(content, &self.encryption, &self.keys, &randomness).map_err(failed)
    }
}

/// A signed ID token as its client registered to get it.
pub(crate) fn dress_id_token(signed: String, recipient: Option<&Recipient>) -> Result<String, ServiceError> {
    match recipient {
        Some(recipient) => recipient.encrypt(Content::Signed(&signed)),
        None => Ok(signed),
    }
}

impl Provider {
    /// Who reads the ID tokens of `client`; none: they are signed alone.
    pub(crate) async fn id_token_recipient(
        &self,
        client: &Client,
        now: Timestamp,
    ) -> Result<Option<Recipient>, ServiceError> {
        self.recipient(client, client.responses.id_token_encryption.as_ref(), now).await
    }

    /// Who reads what is encrypted by `rule`. Asked before anything is spent: keys at an address may not be there now,
    /// and then the request may come again.
    pub(crate) async fn recipient(
        &self,
        client: &Client,
        rule: Option<&Encryption>,
        now: Timestamp,
    ) -> Result<Option<Recipient>, ServiceError> {
        let Some(encryption) = rule else { return Ok(None) };
        let fits = |keys: &Arc<Value>| jwe::has_key(keys, &encryption.alg);
        let mut keys = self.client_keys(client, now).await.filter(fits);
        if keys.is_none() {
            keys = self.fresh_client_keys(client, now).await.filter(fits);
        }
        let keys = keys.ok_or(ServiceError::Busy(LATER))?;
        Ok(Some(Recipient { encryption: encryption.clone(), keys }))
    }
}
