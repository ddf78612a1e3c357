//! The tokens of an exchange (RFC 8693): which of ours they are, and whether they still stand.

use countersign_model::Timestamp;
use countersign_protocol::token::ShownToken;
use countersign_protocol::{AccessTokenClaims, TokenFacts, access_token};
use countersign_store::Tx;
use secrecy::{ExposeSecret as _, SecretString};

use crate::ServiceError;
use crate::presented_token::{Standing, standing};
use crate::provider::Provider;

/// The access tokens that are offered; none: they are no tokens of ours, or have ended.
pub(crate) struct OfferedTokens {
    subject: Option<AccessTokenClaims>,
    actor: Option<AccessTokenClaims>,
}

impl Provider {
    /// Reads the tokens of an exchange: their signatures, and that they have not ended.
    pub(crate) fn read_offered(
        &self,
        subject: &SecretString,
        actor: Option<&SecretString>,
        now: Timestamp,
    ) -> OfferedTokens {
        let keys = self.keys.current();
        let read = |token: &SecretString| {
            access_token::read_access_token(token.expose_secret(), &keys.stored, &self.settings.issuer, now).ok()
        };
        OfferedTokens { subject: read(subject), actor: actor.and_then(read) }
    }
}

/// What stands behind the tokens of an exchange.
pub(crate) async fn load(tx: &mut Tx, offered: &OfferedTokens, now: Timestamp) -> Result<TokenFacts, ServiceError> {
    let subject = shown(tx, offered.subject.as_ref(), now).await?;
    let actor = shown(tx, offered.actor.as_ref(), now).await?;
    Ok(TokenFacts::Exchange { subject, actor })
}

async fn shown(
    tx: &mut Tx,
    claims: Option<&AccessTokenClaims>,
    now: Timestamp,
) -> Result<Option<Box<ShownToken>>, ServiceError> {
    let Some(claims) = claims else { return Ok(None) };
    let grant = match standing(tx, claims).await? {
        Standing::Dead => return Ok(None),
        Standing::Client => None,
        Standing::Grant(grant) => Some(*grant),
    };
    // Whoever shows it has it: the answer it came with was not lost.
    if tx.is_access_token_unseen(&claims.jti).await? {
        tx.note_access_token_use(&claims.jti, now).await?;
    }
    Ok(Some(Box::new(ShownToken { claims: claims.clone(), grant })))
}
