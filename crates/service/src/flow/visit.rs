//! One visit of a person to a flow: what the steps of a use case share.

use countersign_model::{Client, ClientId, FlowId, KeyedHash, SessionId, Timestamp, UserId};
use countersign_protocol::{AuthorizationRequest, ResponseTarget};
use secrecy::SecretString;

use super::record::Running;
use super::{FlowCall, Origin};
use crate::ServiceError;
use crate::audit::{EventBuilder, RequestContext};
use crate::evidence::Evidence;
use crate::session::SignedIn;

/// One visit of a person to a flow.
#[derive(Clone, Copy)]
pub(crate) struct Visit<'a> {
    pub(crate) flow: FlowId,
    /// What every secret of this flow is derived from, and the keys of its once-only effects.
    pub(crate) seed: [u8; 16],
    /// Version of the stored instance that is answered; 0 before there is one.
    pub(crate) version: u32,
    pub(crate) context: &'a RequestContext,
    pub(crate) locale: &'a str,
    /// None on the account page.
    pub(crate) client: Option<&'a Client>,
    pub(crate) origin: &'a Origin,
    pub(crate) signed_in: &'a SignedIn,
    /// The mailed link the flow began with.
    pub(crate) link: Option<KeyedHash>,
    /// The browser the flow is bound to.
    pub(crate) browser: KeyedHash,
    /// What the browser's device cookie holds.
    pub(crate) device: Option<&'a SecretString>,
    /// The account in hand, once something of it is proven.
    pub(crate) subject: Option<&'a UserId>,
    /// The challenge that was approved by telephone.
    pub(crate) approved: Option<u32>,
    /// The session whose ticket answers the request.
    pub(crate) ticket: Option<&'a SessionId>,
    /// The person has allowed the client what it asks for; the login was found good enough for that at this time.
    pub(crate) agreed: Option<Timestamp>,
    /// Credentials and links that were found out for this answer.
    pub(crate) evidence: Option<&'a Evidence>,
}

impl<'a> Visit<'a> {
    /// A visit to the stored instance `running`.
    pub(super) fn of(
        call: FlowCall<'a>,
        running: &'a Running,
        client: Option<&'a Client>,
        signed_in: &'a SignedIn,
        locale: &'a str,
    ) -> Self {
        Self {
            flow: call.flow,
            seed: running.seed,
            version: 0,
            context: call.context,
            locale,
            client,
            origin: &running.origin,
            signed_in,
            link: running.link,
            browser: running.browser,
            device: call.cookies.device_secret(),
            subject: running.instance.account(),
            approved: None,
            ticket: None,
            agreed: None,
            evidence: None,
        }
    }

    /// The request that waits and its client, if there is one.
    pub(crate) fn request(&self) -> Option<(&'a AuthorizationRequest, &'a Client)> {
        self.origin.request().zip(self.client)
    }

    /// Where the answer goes, matched against the client again.
    pub(crate) fn target(&self) -> Result<ResponseTarget, ServiceError> {
        let (request, client) = self.request().ok_or(ServiceError::Internal("an answer without a request"))?;
        request.target(client).ok_or(ServiceError::Internal("a redirect URI is no longer registered"))
    }

    /// Id of the client concerned.
    pub(crate) fn client_id(&self) -> Result<ClientId, ServiceError> {
        self.client.map(|client| client.id.clone()).ok_or(ServiceError::Internal("an answer without a client"))
    }

    /// What the audit tells of every event of this visit.
    pub(crate) fn describe(&self, event: EventBuilder) -> EventBuilder {
        let event = event.flow(self.flow);
        match self.client {
            Some(client) => event.client(&client.id),
            None => event,
        }
    }

    /// What the mails call the place the person came from; not as a client calls itself that anybody may have registered.
    pub(crate) fn application(&self) -> &str {
        self.client.filter(|client| client.registration.is_none()).map_or("", |client| client.name.as_str())
    }
}
