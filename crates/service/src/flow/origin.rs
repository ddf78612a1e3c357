//! What a flow was begun for, which is where its end leads.

use countersign_model::{Client, ClientId};
use countersign_protocol::AuthorizationRequest;
use serde::{Deserialize, Serialize};
use url::Url;

use super::{Response, Visit};
use crate::provider::Provider;

/// Path of the own account page.
pub(crate) const ACCOUNT: &str = "/account";

/// What a flow was begun for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Origin {
    /// An authorization request waits for an answer.
    Request(Box<AuthorizationRequest>),
    /// A mailed link whose request is gone, or belongs to another browser: the client is asked to start anew.
    Client(ClientId),
    /// The own account page.
    Account,
}

impl Origin {
    /// The request that waits, if one does.
    pub(crate) const fn request(&self) -> Option<&AuthorizationRequest> {
        match self {
            Self::Request(request) => Some(request),
            Self::Client(_) | Self::Account => None,
        }
    }

    /// The client concerned, if one is.
    pub(crate) const fn client(&self) -> Option<&ClientId> {
        match self {
            Self::Request(request) => Some(&request.client),
            Self::Client(client) => Some(client),
            Self::Account => None,
        }
    }
}

impl Provider {
    /// Where a person goes on who is not answered to a request: the client's login, or the account page.
    pub(crate) fn way_on(&self, client: Option<&Client>) -> String {
        let start = client.and_then(|client| client.initiate_login_uri.as_deref()).and_then(|uri| Url::parse(uri).ok());
        if let Some(mut uri) = start {
            // Core, 4: the client learns who asks it to log the person in.
            uri.query_pairs_mut().append_pair("iss", self.settings.issuer.as_str());
            return uri.into();
        }
        client.and_then(|client| client.client_uri.clone()).unwrap_or_else(|| ACCOUNT.to_owned())
    }

    /// As [`Provider::way_on`], as the answer to a visit.
    pub(super) fn go_on(&self, visit: &Visit<'_>) -> Response {
        Response::Redirect(self.way_on(visit.client))
    }
}
