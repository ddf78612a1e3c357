//! The end session endpoint (OpenID Connect RP-Initiated Logout): who asks, is the person asked, what ends, where to go.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_model::{
    AuditKind, AuditOutcome, BrowserSession, Client, ClientId, Feature, Grant, Seconds, SessionId, Timestamp,
};
use countersign_protocol::logout::{self, Step};
use countersign_protocol::{LogoutRequest, OAuthError, Params, PostLogoutTarget, id_token};
use serde::{Deserialize, Serialize};

use crate::ServiceError;
use crate::account_page::forget_browser;
use crate::audit::{self, RequestContext};
use crate::browser::{BrowserCookies, CookieChanges};
use crate::flow::ClientView;
use crate::provider::Provider;
use crate::session_end::revoke_session_grants;
use crate::vault::Purpose;

/// How long the question may be left unanswered.
const ASKED_WITHIN: Seconds = Seconds::minutes(30);
/// Longest sealed question that is looked at, in characters.
const MAX_SEALED: usize = 16 * 1024;

/// A visit to the end session endpoint.
#[derive(Clone, Copy, Debug)]
pub struct LogoutCall<'a> {
    /// Its parameters.
    pub params: &'a Params,
    /// Cookies of the browser.
    pub cookies: &'a BrowserCookies,
    /// Where the request came from.
    pub context: &'a RequestContext,
}

/// What the browser gets.
#[derive(Debug)]
pub enum LogoutAnswer {
    /// The question whether to log out.
    Ask(Box<LogoutQuestion>),
    /// Nobody is signed in here any more.
    Done(Box<LoggedOut>),
    /// The question was another session's, or too old: it is asked anew.
    Stale,
    /// An error page; nothing ended, and nobody is sent anywhere.
    Refused(OAuthError),
}

/// The question whether to log out.
#[derive(Debug)]
pub struct LogoutQuestion {
    /// What was asked for, sealed for this session.
    pub sealed: String,
    /// Who asks, if they said so.
    pub client: Option<ClientView>,
    /// Where an answer leads in the end.
    pub target: Option<String>,
}

/// A logout that was carried out.
#[derive(Debug)]
pub struct LoggedOut {
    /// Who asked, if they said so.
    pub client: Option<ClientView>,
    /// Where the browser goes on, `state` included.
    pub target: Option<String>,
    /// Addresses of clients that are to be loaded in the browser first.
    pub frames: Vec<String>,
    /// What the browser is to forget.
    pub cookies: CookieChanges,
}

/// A question, as it rides in its page: nobody but this browser's session can answer it.
#[derive(Serialize, Deserialize)]
struct Asked {
    session: SessionId,
    client: Option<ClientId>,
    target: Option<PostLogoutTarget>,
    until: Timestamp,
}

impl Provider {
    /// Answers a logout request: by an error, a question, or the end of the browser's session.
    pub async fn log_out(&self, call: LogoutCall<'_>) -> Result<LogoutAnswer, ServiceError> {
        let keys = self.keys.current();
        let caller = match logout::caller(call.params, &keys.stored, &self.settings.issuer) {
            Ok(caller) => caller,
            Err(error) => return Ok(refused(error)),
        };
        let client = match &caller.client {
            Some(id) => self.find_client(id).await?,
            None => None,
        };
        let features = self.settings.features;
        if let Some(Err(error)) = client.as_ref().map(|client| features.check_endpoint(client, Feature::Logout)) {
            return Ok(refused(error));
        }
        let request = match logout::check(call.params, caller, client.as_ref()) {
            Ok(request) => request,
            Err(error) => return Ok(refused(error)),
        };
        let now = self.clock.now();
        let session = self.load_signed_in(call.cookies, now).await?.session;
        let Some(session) = session else {
            return Ok(self.done(request.target.as_ref(), client.as_ref(), Vec::new(), CookieChanges::default()));
        };
        let grants = self.db.read(async |tx| tx.list_grants_of_session(&session.id, now).await).await?;
        let mut sessions = vec![session.id.to_string()];
        let told = client.as_ref().map(|client| self.told_to(client, session.authentication.clone()));
        sessions.extend(told.map(|told| id_token::told_session(&told)));
        // After a new sign-in of the same person a client still knows the session of the one before.
        let own = grants.iter().filter(|grant| Some(&grant.client) == request.client.as_ref());
        sessions.extend(own.map(|grant| id_token::told_session(&grant.authentication)));
        let sessions: Vec<&str> = sessions.iter().map(String::as_str).collect();
        match logout::decide(&request, &sessions) {
            Step::Ask => self.ask_to_log_out(&session, request, client.as_ref(), now),
            Step::End | Step::Nothing => self.end_here(&session, &request, client.as_ref(), call.context, now).await,
        }
    }

    /// The person's answer to the question: they want to log out.
    pub async fn confirm_logout(
        &self,
        sealed: &str,
        cookies: &BrowserCookies,
        context: &RequestContext,
    ) -> Result<LogoutAnswer, ServiceError> {
        let now = self.clock.now();
        let Some(asked) = self.open_question(sealed).filter(|asked| now < asked.until) else {
            return Ok(LogoutAnswer::Stale);
        };
        let client = match &asked.client {
            Some(id) => self.find_client(id).await?.filter(|client| !client.disabled),
            None => None,
        };
        match self.load_signed_in(cookies, now).await?.session {
            Some(session) if session.id == asked.session => {
                let request = LogoutRequest { client: asked.client, hint: None, target: asked.target };
                self.end_here(&session, &request, client.as_ref(), context, now).await
            }
            // Another site's POST comes without cookies, from a browser that may well be signed in.
            Some(_) | None => Ok(LogoutAnswer::Stale),
        }
    }

    fn ask_to_log_out(
        &self,
        session: &BrowserSession,
        request: LogoutRequest,
        client: Option<&Client>,
        now: Timestamp,
    ) -> Result<LogoutAnswer, ServiceError> {
        let target = address(request.target.as_ref(), client);
        let asked = Asked {
            session: session.id.clone(),
            client: request.client,
            target: request.target,
            until: now.plus(ASKED_WITHIN),
        };
        let plain = postcard::to_stdvec(&asked).map_err(|_| ServiceError::Internal("a question did not serialize"))?;
        let sealed = URL_SAFE_NO_PAD.encode(self.vault.seal(Purpose::Logout, b"question", &plain)?);
        let client = client.map(|client| self.client_view(Some(client)));
        Ok(LogoutAnswer::Ask(Box::new(LogoutQuestion { sealed, client, target })))
    }

    fn open_question(&self, sealed: &str) -> Option<Asked> {
        if sealed.len() > MAX_SEALED {
            return None;
        }
        let plain = self.vault.open(Purpose::Logout, b"question", &URL_SAFE_NO_PAD.decode(sealed).ok()?)?;
        postcard::from_bytes(&plain).ok()
    }

    /// Ends the browser's session, what it remembers, and what was granted for its time.
    async fn end_here(
        &self,
        session: &BrowserSession,
        request: &LogoutRequest,
        client: Option<&Client>,
        context: &RequestContext,
        now: Timestamp,
    ) -> Result<LogoutAnswer, ServiceError> {
        let user = &session.authentication.user;
        let mut event = audit::event(context, now, AuditKind::SessionEnded, AuditOutcome::Success)?
            .subject(Some(user))
            .detail("what", "logout");
        if let Some(client) = client {
            event = event.client(&client.id);
        }
        let event = event.build();
        let frames = self
            .db
            .write(async |tx| {
                if !tx.end_session(&session.id, now).await? {
                    return Ok(Vec::new());
                }
                forget_browser(tx, session, now).await?;
                let grants = tx.list_grants_of_session(&session.id, now).await?;
                revoke_session_grants(tx, &grants, now).await?;
                tx.insert_audit_events(std::slice::from_ref(&event)).await?;
                self.list_frames(tx, &grants).await
            })
            .await?;
        // Their clients are told at once.
        self.outbox.notify_one();
        let cookies = CookieChanges { signed_out: true, ..CookieChanges::default() };
        Ok(self.done(request.target.as_ref(), client, frames, cookies))
    }

    /// What the browser loads so that clients hear of the logout (Front-Channel Logout, 3).
    async fn list_frames(&self, tx: &mut countersign_store::Tx, grants: &[Grant]) -> Result<Vec<String>, ServiceError> {
        let mut frames = Vec::new();
        if !self.settings.features.frontchannel_logout {
            return Ok(frames);
        }
        for grant in grants {
            let client = tx.find_client(&grant.client).await?.filter(|client| !client.disabled);
            let session = id_token::told_session(&grant.authentication);
            let frame =
                client.and_then(|client| logout::frontchannel_address(&client, &self.settings.issuer, &session));
            frames.extend(frame.filter(|frame| !frames.contains(frame)));
        }
        Ok(frames)
    }

    fn done(
        &self,
        target: Option<&PostLogoutTarget>,
        client: Option<&Client>,
        frames: Vec<String>,
        cookies: CookieChanges,
    ) -> LogoutAnswer {
        LogoutAnswer::Done(Box::new(LoggedOut {
            target: address(target, client),
            client: client.map(|client| self.client_view(Some(client))),
            frames,
            cookies,
        }))
    }
}

/// Where the browser goes on: to what the client has registered still.
fn address(target: Option<&PostLogoutTarget>, client: Option<&Client>) -> Option<String> {
    target.zip(client).and_then(|(target, client)| target.address(client))
}

fn refused(error: OAuthError) -> LogoutAnswer {
    tracing::info!(code = error.code.as_str(), detail = %error.detail, "logout request refused on a page");
    LogoutAnswer::Refused(error)
}
