//! UserInfo (OpenID Connect Core, 5.3): the grant of the token must stand, then the claims are released.

use countersign_model::{Client, ClientId, GrantId, Timestamp};
use countersign_protocol::bearer::Refusal;
use countersign_protocol::jwe::Content;
use countersign_protocol::{AccessTokenClaims, id_token, scopes, userinfo};
use countersign_store::{GrantWithAccount, StoreError};
use serde_json::{Map, Value};

use crate::ServiceError;
use crate::presented_token::is_active;
use crate::provider::Provider;
use crate::resource_access::{ResourceCall, dead};

/// The claims of a person, as their client registered to get them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UserInfo {
    /// JSON.
    Plain(Map<String, Value>),
    /// A JWT: signed, encrypted or both.
    Jwt(String),
}

impl Provider {
    /// The claims of the token's person, or why not.
    pub async fn userinfo(&self, call: ResourceCall<'_>) -> Result<Result<UserInfo, Refusal>, ServiceError> {
        let claims = match self.accept_token(call, scopes::OPENID).await? {
            Ok(claims) => claims,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let Some((found, client)) = self.released_by(&claims).await? else {
            return Ok(Err(dead("the grant was revoked, or its person or client is not active")));
        };
        let grant = &found.grant;
        // What the request asked for by name was for its own client, not for who holds an exchanged token.
        let is_own = claims.client().as_ref() == Some(&grant.client);
        let by_name = if is_own { grant.claims.userinfo.as_slice() } else { &[] };
        let (scope, naming) = (claims.scope(), &client.policy_naming);
        let released = userinfo::claims(&found.account, &grant.authentication, &scope, by_name, naming);
        self.dress(released, &client, self.clock.now()).await.map(Ok)
    }

    /// The answer in the form the client registered: signed, encrypted, first the one and then the other (Core, 5.3.2).
    async fn dress(
        &self,
        claims: Map<String, Value>,
        client: &Client,
        now: Timestamp,
    ) -> Result<UserInfo, ServiceError> {
        let rules = &client.responses;
        if rules.userinfo_alg.is_none() && rules.userinfo_encryption.is_none() {
            return Ok(UserInfo::Plain(claims));
        }
        let claims = userinfo::signed_claims(claims, &self.settings.issuer, &client.id);
        let signed = match rules.userinfo_alg {
            Some(algorithm) => {
                let failed = |_| ServiceError::Internal("UserInfo could not be signed");
                Some(self.keys.current().signer(algorithm, now)?.sign(id_token::TYPE, &claims).map_err(failed)?)
            }
            None => None,
        };
        match (self.recipient(client, rules.userinfo_encryption.as_ref(), now).await?, signed) {
            (Some(recipient), Some(signed)) => recipient.encrypt(Content::Signed(&signed)),
            (Some(recipient), None) => recipient.encrypt(Content::Claims(&Value::Object(claims).to_string())),
            (None, signed) => Ok(signed.unwrap_or_default()),
        }
        .map(UserInfo::Jwt)
    }

    /// What a token stands for, if it does.
    async fn released_by(
        &self,
        claims: &AccessTokenClaims,
    ) -> Result<Option<(GrantWithAccount, Client)>, ServiceError> {
        let (Some(grant), Some(client)) = (claims.grant(), claims.client()) else { return Ok(None) };
        let client = self.find_client(&client).await?.filter(|client| !client.disabled);
        let found = self.grant_of_token(&grant, &claims.jti).await?;
        let standing = found.filter(|found| found.grant.revoked_at.is_none() && is_active(&found.account));
        let (Some(found), Some(client)) = (standing, client) else { return Ok(None) };
        let is_whole = found.grant.client == client.id || self.is_enabled(&found.grant.client).await?;
        Ok(is_whole.then_some((found, client)))
    }

    /// Whether a client may be served.
    async fn is_enabled(&self, id: &ClientId) -> Result<bool, ServiceError> {
        Ok(self.find_client(id).await?.is_some_and(|client| !client.disabled))
    }

    /// The grant of an access token that was not taken back. That the token was seen is noted: its client did get the
    /// answer it came with.
    pub(crate) async fn grant_of_token(
        &self,
        grant: &GrantId,
        jti: &str,
    ) -> Result<Option<GrantWithAccount>, ServiceError> {
        let (revoked, unseen, found) = self
            .db
            .read(async |tx| {
                let marks = (tx.is_token_revoked(jti).await?, tx.is_access_token_unseen(jti).await?);
                Ok::<_, StoreError>((marks.0, marks.1, tx.find_grant_with_account(grant).await?))
            })
            .await?;
        if revoked {
            return Ok(None);
        }
        if unseen {
            let now = self.clock.now();
            self.db.write(async |tx| tx.note_access_token_use(jti, now).await).await?;
        }
        Ok(found)
    }
}
