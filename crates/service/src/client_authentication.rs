//! Client authentication at the endpoints that clients call themselves (RFC 6749, 2.3).

use countersign_model::{AuditKind, AuditOutcome, AuthMethod, Client, Timestamp};
use countersign_protocol::certificate::{self, CertificateProof};
use countersign_protocol::client_assertion::{self, Material};
use countersign_protocol::client_authentication::{self, Evidence};
use countersign_protocol::jws::JwsError;
use countersign_protocol::profile;
use countersign_protocol::{
    Assertion, AssertionError, AuthenticatedClient, OAuthError, Params, Presented, ShownCertificate, VerifiedAssertion,
};
use secrecy::ExposeSecret;
use zeroize::Zeroizing;

use crate::ServiceError;
use crate::audit::{self, RequestContext};
use crate::provider::Provider;
use crate::vault::Purpose;

/// A request of a client at an endpoint of its own.
#[derive(Clone, Copy, Debug)]
pub struct ClientCall<'a> {
    /// The `Authorization` header.
    pub authorization: Option<&'a str>,
    /// The query; credentials in it are refused.
    pub query: &'a Params,
    /// The form.
    pub form: &'a Params,
    /// Where the request came from.
    pub context: &'a RequestContext,
}

/// What a request presents, and the client it names, if there is one; nothing is proven yet.
#[derive(Debug)]
pub(crate) struct ClaimedClient {
    presented: Presented,
    client: Option<Client>,
}

impl ClaimedClient {
    /// The client it names.
    pub(crate) const fn client(&self) -> Option<&Client> {
        self.client.as_ref()
    }
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
        let assertion = match (claimed.presented.assertion(), client) {
            (Some(assertion), Some(client)) => Some(self.verify_assertion(assertion, client, now).await),
            _ => None,
        };
        let certificate = match (&context.certificate, client) {
            (Some(shown), Some(client)) => self.prove_certificate(shown, client, now).await,
            _ => None,
        };
        let evidence = Evidence {
            secret_hash: hash.as_ref(),
            assertion: assertion.as_ref().map(|verified| verified.as_ref().map_err(|error| *error)),
            certificate: certificate.as_ref(),
        };
        let proven = client_authentication::check_evidence(client, &claimed.presented, &evidence, now);
        let features = self.settings.features;
        let proven = proven.and_then(|client| features.check_method(client.client(), client.method()).map(|()| client));
        let proven = proven.and_then(|client| profile::check_method(client.client(), client.method()).map(|()| client));
        let proven = match proven {
            Ok(authenticated) => self.spend_assertion(authenticated, assertion.and_then(Result::ok)).await?,
            Err(error) => Err(error),
        };
        match proven {
            Ok(authenticated) => Ok(Ok(authenticated)),
            Err(error) => {
                self.note_client_failure(client, &error, context, now).await?;
                Ok(Err(error))
            }
        }
    }

    /// Holds an assertion against the client's keys or secrets; an unknown key has the keys fetched again, once.
    async fn verify_assertion(
        &self,
        assertion: &Assertion,
        client: &Client,
        now: Timestamp,
    ) -> Result<VerifiedAssertion, AssertionError> {
        let verify = |material| client_assertion::verify(assertion, client, material, &self.settings.issuer, now);
        if assertion.method() == AuthMethod::ClientSecretJwt {
            let secrets = self.open_secrets(client, now);
            let secrets: Vec<&[u8]> = secrets.iter().map(|secret| secret.as_slice()).collect();
            return verify(Material::Secrets(&secrets));
        }
        // Keys are fetched for nobody who could not use them.
        if !client.auth_methods.contains(&AuthMethod::PrivateKeyJwt) || client.disabled {
            return Err(AssertionError::Material);
        }
        let keys = self.client_keys(client, now).await.ok_or(AssertionError::Material)?;
        match verify(Material::Keys(&keys)) {
            Err(AssertionError::Jws(JwsError::UnknownKey)) => {}
            verified => return verified,
        }
        let keys = self.fresh_client_keys(client, now).await.ok_or(JwsError::UnknownKey)?;
        verify(Material::Keys(&keys))
    }

    /// The live secrets of a client in clear, as far as they are kept so.
    fn open_secrets(&self, client: &Client, now: Timestamp) -> Vec<Zeroizing<Vec<u8>>> {
        let live = client.secrets.iter().filter(|secret| secret.expires_at.is_none_or(|end| now < end));
        let open = |sealed: &Vec<u8>| self.vault.open(Purpose::ClientSecret, client.id.as_str().as_bytes(), sealed);
        live.filter_map(|secret| secret.sealed.as_ref().and_then(open)).collect()
    }

    async fn prove_certificate(
        &self,
        shown: &ShownCertificate,
        client: &Client,
        now: Timestamp,
    ) -> Option<CertificateProof> {
        let is_whole = client.auth_methods.contains(&AuthMethod::SelfSignedTlsClientAuth);
        let keys = if is_whole && !client.disabled { self.client_keys(client, now).await } else { None };
        let proof = certificate::prove(client, shown, keys.as_deref());
        if proof.is_some() || keys.is_none() {
            return proof;
        }
        let keys = self.fresh_client_keys(client, now).await;
        certificate::prove(client, shown, keys.as_deref())
    }

    /// An assertion is good once (OpenID Connect Core, 9), whatever becomes of the request that it came with.
    async fn spend_assertion<'a>(
        &self,
        client: AuthenticatedClient<'a>,
        assertion: Option<VerifiedAssertion>,
    ) -> Result<Result<AuthenticatedClient<'a>, OAuthError>, ServiceError> {
        let Some(assertion) = assertion else { return Ok(Ok(client)) };
        let parts = [assertion.client().as_str().as_bytes(), assertion.jti().as_bytes()];
        let hash = self.vault.derive(Purpose::ClientAssertion, &parts);
        let is_first = self.db.write(async |tx| tx.spend_id(&hash, assertion.expires_at()).await).await?;
        Ok(if is_first { Ok(client) } else { Err(client_authentication::replayed_assertion()) })
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
