//! What the provider says about itself, fetched when first needed and again when its keys have moved on.

use super::super::answers::Problem;
use super::Provider;
use crate::outgoing::{FetchError, read_bounded};
use actix_web::http::StatusCode;
use openidconnect::core::{
    CoreAuthDisplay, CoreClaimName, CoreClaimType, CoreClient, CoreClientAuthMethod, CoreGrantType, CoreJsonWebKey,
    CoreJweContentEncryptionAlgorithm, CoreJweKeyManagementAlgorithm, CoreResponseMode, CoreResponseType,
    CoreSubjectIdentifierType,
};
use openidconnect::{
    AdditionalProviderMetadata, ClientId, ClientSecret, EndSessionUrl, EndpointMaybeSet, EndpointNotSet, EndpointSet,
    HttpRequest, HttpResponse, ProviderMetadata,
};
use serde::{Deserialize, Serialize};
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// The provider may be starting at the same moment.
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_millis(300);

pub type PortalClient =
    CoreClient<EndpointSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointMaybeSet, EndpointMaybeSet>;

/// What the crate does not read by itself.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
struct Further {
    /// RFC 9207, 3.
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
    /// RFC 8414, 2.
    revocation_endpoint: Option<Url>,
    /// RP-Initiated Logout, 2.1.
    end_session_endpoint: Option<EndSessionUrl>,
}

impl AdditionalProviderMetadata for Further {}

type Metadata = ProviderMetadata<
    Further,
    CoreAuthDisplay,
    CoreClientAuthMethod,
    CoreClaimName,
    CoreClaimType,
    CoreGrantType,
    CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm,
    CoreJsonWebKey,
    CoreResponseMode,
    CoreResponseType,
    CoreSubjectIdentifierType,
>;

/// Metadata and keys.
pub struct Known(Metadata);

impl Known {
    pub fn client(&self, id: ClientId, secret: ClientSecret) -> PortalClient {
        CoreClient::from_provider_metadata(self.0.clone(), id, Some(secret))
    }

    pub fn revocation_endpoint(&self) -> Option<&Url> {
        self.0.additional_metadata().revocation_endpoint.as_ref()
    }

    pub fn logout_endpoint(&self) -> Option<EndSessionUrl> {
        self.0.additional_metadata().end_session_endpoint.clone()
    }

    /// Every answer carries `iss`.
    pub fn promises_issuer(&self) -> bool {
        self.0.additional_metadata().authorization_response_iss_parameter_supported
    }
}

impl Provider {
    pub async fn find_known(&self) -> Result<Arc<Known>, Problem> {
        let mut known = self.known.lock().await;
        if let Some(known) = &*known {
            return Ok(Arc::clone(known));
        }
        let found = self.discover().await?;
        *known = Some(Arc::clone(&found));
        Ok(found)
    }

    /// Asks again unless somebody else just did.
    pub async fn renew_known(&self, outdated: &Arc<Known>) -> Result<Arc<Known>, Problem> {
        {
            let mut known = self.known.lock().await;
            if known.as_ref().is_some_and(|known| Arc::ptr_eq(known, outdated)) {
                *known = None;
            }
        }
        self.find_known().await
    }

    async fn discover(&self) -> Result<Arc<Known>, Problem> {
        let send = |request| self.send(request);
        let mut outcome = Metadata::discover_async(self.issuer.clone(), &send).await;
        for _ in 1..TRIES {
            if outcome.is_ok() {
                break;
            }
            tokio::time::sleep(PAUSE).await;
            outcome = Metadata::discover_async(self.issuer.clone(), &send).await;
        }
        outcome.map(|metadata| Arc::new(Known(metadata))).map_err(|error| {
            let message = "The sign-in service cannot be reached at the moment.";
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "provider_unavailable", message).with_detail(&explain(&error))
        })
    }

    /// The bridge from the crate to our client.
    pub async fn send(&self, request: HttpRequest) -> Result<HttpResponse, FetchError> {
        let response = self.http.execute(request.try_into()?).await?;
        let (status, headers) = (response.status(), response.headers().clone());
        let mut answer = HttpResponse::new(read_bounded(response).await?);
        *answer.status_mut() = status;
        *answer.headers_mut() = headers;
        Ok(answer)
    }
}

/// An error with its causes.
pub fn explain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text = format!("{text}: {inner}");
        source = inner.source();
    }
    text
}
