//! UserInfo (OpenID Connect Core, 5.3): the grant of the token must stand, then the claims are released.

use countersign_model::{Client, Timestamp};
use countersign_protocol::bearer::Refusal;
use countersign_protocol::jwe::Content;
use countersign_protocol::{id_token, scopes, userinfo};
use serde_json::{Map, Value};

use crate::ServiceError;
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
        let claims = match self.read_shown_token(call, scopes::OPENID).await? {
            Ok(claims) => claims,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let Some((found, client)) = self.standing_grant(&claims).await? else {
            return Ok(Err(dead("it or its grant was taken back, or its person or client is not active")));
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
}
