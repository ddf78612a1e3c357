//! A token that a client asks about or takes back: which one it is, and whether it still stands.

use countersign_model::{Account, Client, ClientId, Grant, Timestamp, UserStatus};
use countersign_protocol::AccessTokenClaims;
use countersign_protocol::access_token;
use countersign_store::{GrantWithAccount, RefreshTokenWithGrant, TokenGrant, Tx};

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

/// What stands behind an access token.
#[derive(Debug)]
pub(crate) enum Standing {
    /// Nothing: it was taken back, or its grant, person or client is no more.
    Dead,
    /// Its client, on its own behalf.
    Client,
    /// A grant.
    Grant(Box<Grant>),
}

/// Whether an access token was not taken back, and its grant, person and clients stand: the one it was issued to, and
/// the one the grant is of.
pub(crate) async fn standing(tx: &mut Tx, claims: &AccessTokenClaims) -> Result<Standing, ServiceError> {
    let client = claims.client();
    if tx.is_token_revoked(&claims.jti).await? || !is_client_enabled(tx, client.as_ref()).await? {
        return Ok(Standing::Dead);
    }
    let Some(grant) = claims.gid.as_ref() else { return Ok(Standing::Client) };
    let Some(id) = grant.parse().ok() else { return Ok(Standing::Dead) };
    let found = tx.find_grant_with_account(&id).await?;
    let stands = found.filter(|found| found.grant.revoked_at.is_none() && is_active(&found.account));
    let Some(GrantWithAccount { grant, .. }) = stands else { return Ok(Standing::Dead) };
    let is_whole = client.as_ref() == Some(&grant.client) || is_client_enabled(tx, Some(&grant.client)).await?;
    Ok(if is_whole { Standing::Grant(Box::new(grant)) } else { Standing::Dead })
}

impl Provider {
    /// The grant of an access token that stands, with its person and the client that shows it: nobody of them was taken
    /// back or switched off, nor the client that the grant is of.
    ///
    /// Unless it was taken back, it is noted that it was seen: its client did get the answer it came with.
    pub(crate) async fn standing_grant(
        &self,
        claims: &AccessTokenClaims,
    ) -> Result<Option<(GrantWithAccount, Client)>, ServiceError> {
        let (Some(grant), Some(client)) = (claims.grant(), claims.client()) else { return Ok(None) };
        let jti = claims.jti.as_str();
        let found = self.db.read(async |tx| tx.find_token_grant(&grant, jti).await).await?;
        let Some(TokenGrant { found, client: own, unseen, .. }) = found.filter(|found| !found.revoked) else {
            return Ok(None);
        };
        if unseen {
            let now = self.clock.now();
            self.db.write(async |tx| tx.note_access_token_use(jti, now).await).await?;
        }
        let serves = |client: &Client| !client.disabled && self.is_known(client);
        let Some(own) = own.filter(serves) else { return Ok(None) };
        if found.grant.revoked_at.is_some() || !is_active(&found.account) {
            return Ok(None);
        }
        let shows = if client == own.id { Some(own) } else { self.find_client(&client).await?.filter(serves) };
        Ok(shows.map(|client| (found, client)))
    }

    /// Whether a token stands.
    pub(crate) async fn is_standing(&self, presented: &PresentedToken) -> Result<bool, ServiceError> {
        match presented {
            PresentedToken::Unknown => Ok(false),
            PresentedToken::AccessToken(claims) if claims.gid.is_some() => {
                Ok(self.standing_grant(claims).await?.is_some())
            }
            PresentedToken::AccessToken(claims) => {
                let jti = claims.jti.as_str();
                let revoked = self.db.read(async |tx| tx.is_token_revoked(jti).await).await?;
                Ok(!revoked && self.is_enabled(claims.client().as_ref()).await?)
            }
            PresentedToken::RefreshToken(found) => {
                Ok(is_active(&found.account) && self.is_enabled(Some(&found.token.client)).await?)
            }
        }
    }

    async fn is_enabled(&self, id: Option<&ClientId>) -> Result<bool, ServiceError> {
        let Some(id) = id else { return Ok(false) };
        Ok(self.find_client(id).await?.is_some_and(|client| !client.disabled))
    }
}

pub(crate) async fn is_client_enabled(tx: &mut Tx, id: Option<&ClientId>) -> Result<bool, ServiceError> {
    let Some(id) = id else { return Ok(false) };
    let client: Option<Client> = tx.find_client(id).await?;
    Ok(client.is_some_and(|client| !client.disabled))
}

pub(crate) fn is_active(account: &Account) -> bool {
    account.user.status == UserStatus::Active
}
