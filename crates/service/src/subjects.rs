//! What clients know people by (OpenID Connect Core, 8).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_model::{Authentication, Client, SubjectType, UserId};
use countersign_outbound::documents;
use countersign_protocol::{ClientMetadata, MetadataError, SessionFacts, registration};

use crate::provider::Provider;
use crate::vault::Purpose;

/// Media type of the list of redirect URIs (Core, 8.1).
const ACCEPT: &str = "application/json";

impl Provider {
    /// The identifier of `user` that the clients of one sector see, and nobody can compare with another sector's; none:
    /// the client is told the same one as every other public client (Core, 8.1).
    pub(crate) fn pairwise_subject(&self, client: &Client, user: &UserId) -> Option<String> {
        let sector = client.sector.as_deref().filter(|_| client.subject_type == SubjectType::Pairwise)?;
        let parts = [sector.as_bytes(), user.as_str().as_bytes()];
        Some(URL_SAFE_NO_PAD.encode(self.vault.derive(Purpose::PairwiseSubject, &parts)))
    }

    /// What a login is that `client` is granted something by: who it is in its sector.
    pub(crate) fn told_to(&self, client: &Client, authentication: Authentication) -> Authentication {
        Authentication { subject: self.pairwise_subject(client, &authentication.user), ..authentication }
    }

    /// What a login is to a client.
    pub(crate) fn session_facts(&self, authentication: &Authentication, client: &Client) -> SessionFacts {
        let subject = self.pairwise_subject(client, &authentication.user);
        SessionFacts {
            subject: subject.unwrap_or_else(|| authentication.user.to_string()),
            auth_time: authentication.auth_time,
            acr: authentication.acr.clone(),
            facts: authentication.facts,
            may_answer: true,
        }
    }

    /// Looks up the `sector_identifier_uri` of a client that registers itself: it must list every redirect URI, or
    /// anybody could join the sector (Core, 8.1; Registration, 5).
    pub(crate) async fn check_sector(&self, metadata: &ClientMetadata) -> Result<(), MetadataError> {
        let Some(uri) = &metadata.sector_identifier_uri else { return Ok(()) };
        let unreachable = || MetadataError::new("sector_identifier_uri could not be fetched");
        let http = self.http.as_ref().ok_or_else(unreachable)?;
        let document = documents::fetch(http, uri, ACCEPT).await.map_err(|error| {
            tracing::info!(%error, "a client's sector_identifier_uri could not be fetched");
            unreachable()
        })?;
        registration::check_sector(&document.body, metadata.redirect_uris.as_deref().unwrap_or_default())
    }
}
