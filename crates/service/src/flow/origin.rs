//! What a flow was begun for, which is where its end leads.

use countersign_model::{Client, ClientId, UserId};
use countersign_protocol::AuthorizationRequest;
use countersign_protocol::device::VERIFICATION;
use serde::{Deserialize, Serialize};
use url::Url;

use super::{Response, Visit};
use crate::provider::Provider;

/// Path of the own account page.
pub(crate) const ACCOUNT: &str = "/account";

/// A page of the console.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum SetupPlace {
    /// Its first page.
    Home,
    /// The people an administrator looks after.
    People,
    /// One of them.
    Person(UserId),
    /// The question whether to reset their registration.
    Reset(UserId),
}

impl SetupPlace {
    /// Its path.
    pub(crate) fn path(&self) -> String {
        match self {
            Self::Home => "/setup".to_owned(),
            Self::People => "/setup/users".to_owned(),
            Self::Person(user) => format!("/setup/users/{user}"),
            Self::Reset(user) => format!("/setup/users/{user}/reset"),
        }
    }
}

/// What a flow was begun for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Origin {
    /// An authorization request waits for an answer.
    Request(Box<AuthorizationRequest>),
    /// A mailed link whose request is gone, or belongs to another browser: the client is asked to start anew.
    Client(ClientId),
    /// The own account page.
    Account,
    /// A device waits to be allowed (RFC 8628).
    Device {
        /// Its client.
        client: ClientId,
        /// The code that was typed for it.
        user_code: String,
    },
    /// A page of the console.
    Setup(SetupPlace),
}

impl Origin {
    /// The request that waits, if one does.
    pub(crate) const fn request(&self) -> Option<&AuthorizationRequest> {
        match self {
            Self::Request(request) => Some(request),
            Self::Client(_) | Self::Account | Self::Device { .. } | Self::Setup(_) => None,
        }
    }

    /// The client concerned, if one is.
    pub(crate) const fn client(&self) -> Option<&ClientId> {
        match self {
            Self::Request(request) => Some(&request.client),
            Self::Client(client) | Self::Device { client, .. } => Some(client),
            Self::Account | Self::Setup(_) => None,
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

    /// As [`Provider::way_on`], from what a flow was begun for: a device still waits.
    pub(crate) fn way_back(&self, origin: &Origin, client: Option<&Client>) -> String {
        match origin {
            Origin::Device { user_code, .. } => format!("{VERIFICATION}?user_code={user_code}"),
            Origin::Account => ACCOUNT.to_owned(),
            Origin::Setup(place) => place.path(),
            Origin::Request(_) | Origin::Client(_) => self.way_on(client),
        }
    }

    /// As [`Provider::way_back`], as the answer to a visit.
    pub(super) fn go_on(&self, visit: &Visit<'_>) -> Response {
        Response::Redirect(self.way_back(visit.origin, visit.client))
    }
}
