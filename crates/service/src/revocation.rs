//! Revocation (RFC 7009): a client takes back what it was given.

use countersign_model::{AuditKind, AuditOutcome, Client, Feature, Timestamp};
use countersign_protocol::OAuthError;
use countersign_protocol::revocation::{self, Effect, Facts};

use crate::ServiceError;
use crate::audit::{self, RequestContext};
use crate::client_authentication::ClientCall;
use crate::presented_token::PresentedToken;
use crate::provider::Provider;

impl Provider {
    /// Takes a token back, or says why not; what is unknown is gone already (RFC 7009, 2.2).
    pub async fn revoke(&self, call: ClientCall<'_>) -> Result<Result<(), OAuthError>, ServiceError> {
        let now = self.clock.now();
        let claimed = match self.claimed_client(call.authorization, call.query, call.form).await? {
            Ok(claimed) => claimed,
            Err(error) => return Ok(Err(error)),
        };
        let client = match self.prove_client(&claimed, call.context, now).await? {
            Ok(client) => client.client(),
            Err(error) => return Ok(Err(error)),
        };
        if let Err(error) = self.settings.features.check_endpoint(client, Feature::Revocation) {
            return Ok(Err(error));
        }
        let token = match revocation::token_of(call.form) {
            Ok(token) => token,
            Err(error) => return Ok(Err(error)),
        };
        let presented = self.find_presented(token, now).await?;
        let facts = match &presented {
            PresentedToken::Unknown => Facts::Nothing,
            PresentedToken::AccessToken(claims) => Facts::AccessToken(claims),
            PresentedToken::RefreshToken(found) => Facts::RefreshToken(&found.token),
        };
        match revocation::decide(client, &facts) {
            Ok(effect) => self.take_back(client, &presented, &effect, call.context, now).await.map(Ok),
            Err(error) => Ok(Err(error)),
        }
    }

    async fn take_back(
        &self,
        client: &Client,
        presented: &PresentedToken,
        effect: &Effect,
        context: &RequestContext,
        now: Timestamp,
    ) -> Result<(), ServiceError> {
        let mut event = audit::event(context, now, AuditKind::TokenRevoked, AuditOutcome::Success)?.client(&client.id);
        match presented {
            PresentedToken::Unknown => {}
            PresentedToken::AccessToken(claims) => {
                event = event.jti(&claims.jti);
                if let Some(grant) = claims.grant() {
                    event = event.grant(&grant);
                }
            }
            PresentedToken::RefreshToken(found) => {
                event = event.grant(&found.grant.id).subject(Some(&found.grant.authentication.user));
            }
        }
        let event = event.build();
        self.db
            .write(async |tx| {
                let changed = match effect {
                    Effect::Nothing => false,
                    Effect::RevokeToken { jti, expires_at } => tx.revoke_token(jti, *expires_at).await?,
                    Effect::RevokeGrant(grant) => tx.revoke_grant(grant, now).await?,
                };
                if changed {
                    tx.insert_audit_events(std::slice::from_ref(&event)).await?;
                }
                Ok(())
            })
            .await
    }
}
