//! A token that a client asks about or takes back: which one it is, and whether it still stands.

use countersign_model::{Account, Client, ClientId, Timestamp, UserStatus};
use countersign_protocol::AccessTokenClaims;
use countersign_protocol::access_token;
use countersign_store::{RefreshTokenWithGrant, Tx};

use crate::ServiceError;
use crate::provider::Provider;
use crate::vault::Purpose;

/// A token of ours.
#[derive(Debug)]
pub(crate) enum PresentedToken {
    /// None: never was, or has ended.
    Unknown,
    /// An access token whose signature and time hold.
    AccessToken(Box<AccessTokenClaims>),
    /// A refresh token, spent or not.
    RefreshToken(Box<RefreshTokenWithGrant>),
}

impl Provider {
    /// Finds out which token `text` is; every kind is looked for, whatever a hint says (RFC 7009, 2.1).
    pub(crate) async fn find_presented(&self, text: &str, now: Timestamp) -> Result<PresentedToken, ServiceError> {
        let keys = self.keys.current();
        if let Ok(claims) = access_token::read_access_token(text, &keys.stored, &self.settings.issuer, now) {
            return Ok(PresentedToken::AccessToken(Box::new(claims)));
        }
        let hash = self.vault.hash(Purpose::RefreshToken, text.as_bytes());
        let found = self.db.read(async |tx| tx.find_refresh_token_with_grant(&hash).await).await?;
        Ok(found.map_or(PresentedToken::Unknown, |found| PresentedToken::RefreshToken(Box::new(found))))
    }
}

/// Whether an access token was not taken back, and its grant, person and client stand.
pub(crate) async fn stands(tx: &mut Tx, claims: &AccessTokenClaims) -> Result<bool, ServiceError> {
    if tx.is_token_revoked(&claims.jti).await? || !is_client_enabled(tx, claims.client().as_ref()).await? {
        return Ok(false);
    }
    let Some(grant) = claims.gid.as_ref() else { return Ok(true) };
    let Some(id) = grant.parse().ok() else { return Ok(false) };
    let found = tx.find_grant_with_account(&id).await?;
    Ok(found.is_some_and(|found| found.grant.revoked_at.is_none() && is_active(&found.account)))
}

pub(crate) async fn is_client_enabled(tx: &mut Tx, id: Option<&ClientId>) -> Result<bool, ServiceError> {
    let Some(id) = id else { return Ok(false) };
    let client: Option<Client> = tx.find_client(id).await?;
    Ok(client.is_some_and(|client| !client.disabled))
}

pub(crate) fn is_active(account: &Account) -> bool {
    account.user.status == UserStatus::Active
}
