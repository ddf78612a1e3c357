//! UserInfo (OpenID Connect Core, 5.3): the token is verified, its grant must stand, then the claims are released.

use countersign_model::{GrantId, UserStatus};
use countersign_protocol::bearer::{self, Refusal};
use countersign_protocol::{
    CertificateThumbprint, ErrorCode, OAuthError, Params, certificate, scopes, userinfo, verify_access_token,
};
use countersign_store::{GrantWithAccount, StoreError};
use secrecy::ExposeSecret;
use serde_json::{Map, Value};

use crate::ServiceError;
use crate::provider::Provider;

/// A request for UserInfo.
#[derive(Clone, Copy, Debug)]
pub struct UserInfoCall<'a> {
    /// The `Authorization` header.
    pub authorization: Option<&'a str>,
    /// The query; a token in it is refused.
    pub query: &'a Params,
    /// The form of a POST.
    pub form: &'a Params,
    /// Certificate of the TLS client, if it showed one.
    pub certificate: Option<&'a CertificateThumbprint>,
}

impl Provider {
    /// The claims of the token's person, or why not.
    pub async fn userinfo(&self, call: UserInfoCall<'_>) -> Result<Result<Map<String, Value>, Refusal>, ServiceError> {
        let token = match bearer::find_token(call.authorization, call.query, call.form) {
            Ok(token) => token,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let keys = self.keys.current();
        let verified =
            verify_access_token(token.expose_secret(), &keys.stored, &self.settings.issuer, self.clock.now());
        let claims = match verified {
            Ok(claims) => claims,
            Err(error) => return Ok(Err(error.into())),
        };
        let bound = claims.cnf.as_ref().map(|confirmation| confirmation.certificate.as_str());
        if let Err(error) = certificate::check_binding(bound, call.certificate) {
            return Ok(Err(error.into()));
        }
        if let Err(refusal) = bearer::check_scope(&claims.scope(), scopes::OPENID) {
            return Ok(Err(refusal));
        }
        let found = match claims.grant() {
            Some(grant) => self.grant_of_token(&grant, &claims.jti).await?,
            None => None,
        };
        let standing =
            found.filter(|found| found.grant.revoked_at.is_none() && found.account.user.status == UserStatus::Active);
        let Some(found) = standing else {
            let error = OAuthError::new(ErrorCode::InvalidToken, "The access token is invalid or expired");
            return Ok(Err(error.with_detail("the grant was revoked or its person may not sign in").into()));
        };
        Ok(Ok(userinfo::claims(&found.account, &claims.scope(), &found.grant.claims.userinfo)))
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
