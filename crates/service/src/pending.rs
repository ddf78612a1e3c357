//! Authorization requests that wait for a person's word outside of any flow: what a client may have (consent), and which
//! account is meant. Nothing but the sealed request is kept, in the short-lived store, for the browser's session alone.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_model::{BrowserSession, Client, FlowId, Seconds, SessionId, Timestamp};
use countersign_protocol::AuthorizationRequest;
use serde::{Deserialize, Serialize};

use crate::ServiceError;
use crate::audit::RequestContext;
use crate::browser::BrowserCookies;
use crate::flow::{Answer, Answered, Response};
use crate::provider::Provider;
use crate::session::SignedIn;
use crate::vault::Purpose;

/// How long a question may be left unanswered.
const WAITS: Seconds = Seconds::minutes(10);

/// What a request waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Question {
    /// Whether the client may have what it asks for.
    Consent,
    /// Which account is meant.
    Account,
}

impl Question {
    /// Where it is asked.
    const fn path(self) -> &'static str {
        match self {
            Self::Consent => "/consent",
            Self::Account => "/select_account",
        }
    }
}

/// A request that waits.
#[derive(Serialize, Deserialize)]
pub(crate) struct Pending {
    pub(crate) question: Question,
    pub(crate) request: AuthorizationRequest,
    /// Whose answer counts.
    pub(crate) session: SessionId,
    /// Policy of the login that answers the request; empty as long as there is none.
    pub(crate) policy: String,
    /// When that login was found good enough.
    pub(crate) since: Timestamp,
    /// What the code will be derived from: one, however often the answer is posted.
    pub(crate) seed: [u8; 16],
}

/// A visit to such a page.
#[derive(Clone, Copy, Debug)]
pub struct PendingCall<'a> {
    /// Id in its address.
    pub id: FlowId,
    /// Cookies of the browser.
    pub cookies: &'a BrowserCookies,
    /// Language of the pages, as far as the browser's own request tells it.
    pub locale: &'a str,
    /// Whether the person chose that language on these pages.
    pub chosen: bool,
    /// Where the request came from.
    pub context: &'a RequestContext,
}

/// A request that this very browser may answer.
pub(crate) struct Found {
    pub(crate) pending: Pending,
    pub(crate) client: Client,
    pub(crate) signed_in: SignedIn,
    pub(crate) session: BrowserSession,
}

impl Provider {
    /// Keeps a request and sends the browser to its question. The same `id` again changes nothing.
    pub(crate) async fn wait_for_answer(&self, id: FlowId, pending: &Pending) -> Result<Response, ServiceError> {
        let plain = postcard::to_stdvec(pending).map_err(|_| ServiceError::Internal("a request did not serialize"))?;
        let sealed = self.vault.seal(Purpose::Consent, id.as_bytes(), &plain)?;
        let end = self.clock.now().plus(WAITS);
        self.short_lived.create(id, &sealed, end, WAITS).await?;
        Ok(Response::Redirect(format!("{}/{id}", pending.question.path())))
    }

    /// The request that waits for the answer to `question`; none for another browser, or when it waits no more.
    pub(crate) async fn find_pending(
        &self,
        call: PendingCall<'_>,
        question: Question,
    ) -> Result<Option<Found>, ServiceError> {
        let Some(record) = self.short_lived.load(call.id).await? else { return Ok(None) };
        let plain = self.vault.open(Purpose::Consent, call.id.as_bytes(), &record.body);
        let pending: Option<Pending> = plain.and_then(|plain| postcard::from_bytes(&plain).ok());
        let Some(pending) = pending.filter(|pending| pending.question == question) else { return Ok(None) };
        let signed_in = self.load_signed_in(call.cookies, self.clock.now()).await?;
        let session = signed_in.session.clone().filter(|session| session.id == pending.session);
        let client = self.find_client(&pending.request.client).await?.filter(|client| !client.disabled);
        Ok(session.zip(client).map(|(session, client)| Found { pending, client, signed_in, session }))
    }

    /// The nonce of a question's form, for this session alone.
    pub(crate) fn pending_nonce(&self, id: FlowId, session: &BrowserSession) -> String {
        URL_SAFE_NO_PAD.encode(self.vault.derive(Purpose::Consent, &[b"nonce", id.as_bytes(), &session.token]))
    }

    pub(crate) fn is_pending_nonce(&self, id: FlowId, session: &BrowserSession, nonce: &str) -> bool {
        let expected = self.pending_nonce(id, session);
        aws_lc_rs::constant_time::verify_slices_are_equal(expected.as_bytes(), nonce.as_bytes()).is_ok()
    }

    /// What a flow's question is called and what its answer is derived from: the same at every try to end that flow.
    pub(crate) fn pending_of(&self, seed: &[u8; 16]) -> (FlowId, [u8; 16]) {
        let half = |label: &[u8]| {
            let mut half = [0; 16];
            half.copy_from_slice(&self.vault.derive(Purpose::Consent, &[label, seed])[..16]);
            half
        };
        (FlowId::new(half(b"id")), half(b"seed"))
    }
}

/// The question is gone: answered long ago, or another browser's.
pub(crate) fn gone() -> Answered {
    Answered::plain(Answer::Gone)
}
