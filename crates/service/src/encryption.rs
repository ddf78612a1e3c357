//! Answers that their client alone can read (RFC 7516).

use countersign_model::{Client, Encryption};
use countersign_protocol::jwe::{self, Content, Randomness};
use zeroize::Zeroizing;

use crate::ServiceError;
use crate::clock::random;

/// `content` for the key that `client` registered.
pub(crate) fn encrypt(content: Content<'_>, client: &Client, encryption: &Encryption) -> Result<String, ServiceError> {
    let failed = |_| ServiceError::Internal("an answer could not be encrypted for its client");
    let jwks = client.keys.jwks.as_ref().ok_or(ServiceError::Internal("a client has no key for its answers"))?;
    let randomness = Randomness { content_key: Zeroizing::new(random()?), iv: random()? };
    jwe::encrypt(content, encryption, jwks, &randomness).map_err(failed)
}

/// A signed ID token as `client` registered to get it.
pub(crate) fn dress_id_token(signed: String, client: &Client) -> Result<String, ServiceError> {
    match &client.responses.id_token_encryption {
        Some(encryption) => encrypt(Content::Signed(&signed), client, encryption),
        None => Ok(signed),
    }
}
