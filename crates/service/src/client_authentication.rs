//! Client authentication at the endpoints that clients call themselves (RFC 6749, 2.3).

use countersign_model::{AuditKind, AuditOutcome, Client, Timestamp};
use countersign_protocol::{AuthenticatedClient, OAuthError, Params, Presented};
use countersign_protocol::{client_authentication, profile};
use secrecy::ExposeSecret;

use crate::ServiceError;
use crate::audit::{self, RequestContext};
use crate::provider::Provider;
use crate::vault::Purpose;

/// What a request presents, and the client it names, if there is one; nothing is proven yet.
#[derive(Debug)]
pub(crate) struct ClaimedClient {
    presented: Presented,
    client: Option<Client>,
}

impl Provider {
    /// Reads the credentials of a request and finds the client they name.
    pub(crate) async fn claimed_client(
        &self,
        authorization: Option<&str>,
        query: &Params,
        form: &Params,
    ) -> Result<Result<ClaimedClient, OAuthError>, ServiceError> {
        let presented = match Presented::parse(authorization, query, form) {
            Ok(presented) => presented,
            Err(error) => return Ok(Err(error)),
        };
        let client = match presented.client() {
            Some(id) => self.find_client(id).await?,
            None => None,
        };
        Ok(Ok(ClaimedClient { presented, client }))
    }

    /// Holds a client to its credentials.
    pub(crate) async fn prove_client<'a>(
        &self,
        claimed: &'a ClaimedClient,
        context: &RequestContext,
        now: Timestamp,
    ) -> Result<Result<AuthenticatedClient<'a>, OAuthError>, ServiceError> {
        let client = claimed.client.as_ref();
        let secret = claimed.presented.secret().map(|secret| secret.expose_secret().as_bytes());
        let hash = secret.map(|secret| self.vault.hash(Purpose::ClientSecret, secret));
        let proven = client_authentication::check(client, &claimed.presented, hash.as_ref(), now);
        let proven = proven.and_then(|client| profile::check_method(client.client(), client.method()).map(|()| client));
        match proven {
            Ok(authenticated) => Ok(Ok(authenticated)),
            Err(error) => {
                self.note_client_failure(client, &error, context, now).await?;
                Ok(Err(error))
            }
        }
    }

    /// Failures of client authentication are audited and bounded by address.
    async fn note_client_failure(
        &self,
        client: Option<&Client>,
        error: &OAuthError,
        context: &RequestContext,
        now: Timestamp,
    ) -> Result<(), ServiceError> {
        tracing::info!(code = error.code.as_str(), detail = %error.detail, "client authentication failed");
        let allowed = self.settings.address_limits.client_failures;
        if let Some(retry_after) = self.charge_network(context, "client_failures", allowed).await? {
            return Err(ServiceError::Busy(retry_after));
        }
        let mut event = audit::event(context, now, AuditKind::ClientAuthenticationFailed, AuditOutcome::Failure)?
            .detail("reason", error.detail.as_str());
        if let Some(client) = client {
            event = event.client(&client.id);
        }
        self.write_events(&[event.build()]).await
    }
}
