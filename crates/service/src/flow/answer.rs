//! What a visit to a flow is, and what the browser gets for it.

use std::collections::BTreeMap;

use countersign_flow::PageView;
use countersign_model::{FlowId, Timestamp};
use countersign_protocol::OAuthError;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::audit::RequestContext;
use crate::browser::{BrowserCookies, CookieChanges};

/// A page of a flow, ready to be rendered.
#[derive(Clone, Debug)]
pub struct FlowPage {
    /// The flow; its form posts to `/flow/{id}`.
    pub flow: FlowId,
    /// Nonce of this rendering.
    pub nonce: String,
    /// The sealed start, on the first page alone: nothing is stored until it is answered.
    pub start: Option<String>,
    /// What to show.
    pub view: PageView,
    /// Client the person came from; the provider's own name on the account page.
    pub client: ClientView,
    /// Where the answer will go in the end; a form's redirects must be allowed to go there.
    pub redirect_uri: String,
    /// Language to show it in.
    pub locale: String,
    /// Absolute end of the flow.
    pub ends_at: Timestamp,
    /// Whether the person pressed a button on a page that was out of date.
    pub out_of_date: bool,
}

/// What pages say of a client.
#[derive(Clone, Debug, Default)]
pub struct ClientView {
    /// Its name.
    pub name: String,
    /// Its home page.
    pub uri: Option<String>,
    /// Its brand.
    pub brand: Option<String>,
}

/// What the browser gets.
#[derive(Clone, Debug)]
pub enum Answer {
    /// A page.
    Page(Box<FlowPage>),
    /// See the flow's current page (303).
    SeeFlow {
        /// The flow.
        flow: FlowId,
        /// Whether to say that the page was out of date.
        out_of_date: bool,
    },
    /// An answer to the client, by redirect or by a form that posts itself.
    Respond(Response),
    /// An error page; the request may not be answered to anybody (RFC 6749, 4.1.2.1).
    Refused(OAuthError),
    /// The flow has ended, or never was this browser's.
    Gone,
    /// A mailed link that leads nowhere any more.
    Link(Box<DeadLink>),
}

/// A mailed link that leads nowhere any more, and where to go instead.
#[derive(Clone, Debug)]
pub struct DeadLink {
    /// Template key: `link_expired` or `link_unknown`.
    pub page: &'static str,
    /// Client the person came from, if the link is known.
    pub client: Option<ClientView>,
    /// Where LOGIN leads.
    pub login: String,
    /// Language the link was mailed in.
    pub locale: Option<String>,
}

/// An answer to the client.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Response {
    /// A redirect to this URI.
    Redirect(String),
    /// A form to be posted (OAuth 2.0 Form Post Response Mode).
    FormPost {
        /// Where.
        action: String,
        /// What.
        fields: Vec<(String, String)>,
    },
}

impl std::fmt::Debug for Response {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Redirect(_) => "Redirect(..)",
            Self::FormPost { .. } => "FormPost(..)",
        })
    }
}

/// An answer with the cookies that go with it.
#[derive(Debug)]
pub struct Answered {
    /// What the browser gets.
    pub answer: Answer,
    /// What it is to keep.
    pub cookies: CookieChanges,
}

impl Answered {
    pub(crate) fn plain(answer: Answer) -> Self {
        Self { answer, cookies: CookieChanges::default() }
    }
}

/// A person's visit to a flow.
#[derive(Clone, Copy, Debug)]
pub struct FlowCall<'a> {
    /// The flow.
    pub flow: FlowId,
    /// Cookies of the browser.
    pub cookies: &'a BrowserCookies,
    /// Language the person chose on these pages; none: that of the flow.
    pub locale: Option<&'a str>,
    /// Where the request came from.
    pub context: &'a RequestContext,
}

/// What a person sent.
#[derive(Clone, Default)]
pub struct FlowForm {
    /// The page's nonce.
    pub nonce: String,
    /// The sealed start, from a first page.
    pub start: Option<String>,
    /// Value of the pressed button.
    pub control: String,
    /// Everything else.
    pub fields: BTreeMap<String, String>,
}

/// What a double submit gets again. Sealed where it is stored: it may hold a code.
#[derive(Serialize, Deserialize)]
pub(crate) enum StoredAnswer {
    /// The flow's current page.
    Show,
    /// The answer to the client, with the secrets the browser is to keep.
    Respond { response: Response, session: Option<String>, device: Option<String> },
}

/// The browser is sent to the flow's current page.
pub(super) fn see_flow(flow: FlowId, out_of_date: bool) -> Answered {
    Answered::plain(Answer::SeeFlow { flow, out_of_date })
}

/// What a stored answer is to the browser.
pub(super) fn respond(flow: FlowId, stored: StoredAnswer) -> Answered {
    match stored {
        StoredAnswer::Show => see_flow(flow, false),
        StoredAnswer::Respond { response, session, device } => Answered {
            answer: Answer::Respond(response),
            cookies: CookieChanges {
                binding: None,
                session: session.map(SecretString::from),
                device: device.map(SecretString::from),
                ..CookieChanges::default()
            },
        },
    }
}
