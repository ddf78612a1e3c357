//! The device authorization grant (RFC 8628): a device asks, a person elsewhere signs in and decides. The device's
//! polls are the token endpoint's.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_model::{
    AuditKind, AuditOutcome, BrowserSession, Client, DeviceCode, DeviceState, Grant, GrantId, KeyedHash,
    RequestedClaims, Timestamp,
};
use countersign_protocol::OAuthError;
use countersign_protocol::device::{self, UserCode};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

use crate::ServiceError;
use crate::audit::{self, RequestContext};
use crate::browser::BrowserCookies;
use crate::client_authentication::ClientCall;
use crate::clock::{fresh_secret, random};
use crate::flow::{Answered, ClientView, NewFlow};
use crate::provider::Provider;
use crate::vault::Purpose;

/// Codes that one network may try in a minute: of 26 billion.
const TRIES: u32 = 20;
/// How often a user code is drawn that is not in use.
const DRAWS: usize = 4;

/// A visit to the page where a person types a device's code.
#[derive(Clone, Copy, Debug)]
pub struct DeviceCall<'a> {
    /// What was typed, or came with the address.
    pub user_code: &'a str,
    /// Cookies of the browser.
    pub cookies: &'a BrowserCookies,
    /// Language of the pages.
    pub locale: &'a str,
    /// Where the request came from.
    pub context: &'a RequestContext,
}

/// What the browser gets.
#[derive(Debug)]
pub enum DeviceAnswer {
    /// The page that asks for the code, with what was typed so far.
    Ask {
        /// What was typed.
        user_code: String,
        /// Whether it is no code of a device that waits.
        unknown: bool,
    },
    /// The client's login, which comes back here.
    Flow(Box<Answered>),
    /// Who asks, and for what: to be allowed or denied.
    Confirm(Box<DeviceQuestion>),
    /// It was decided.
    Decided {
        /// Whether it was allowed.
        allowed: bool,
        /// Name and brand of the client.
        client: ClientView,
    },
}

/// A device's request as its person sees it.
#[derive(Clone, Debug)]
pub struct DeviceQuestion {
    /// Nonce of the page's form.
    pub nonce: String,
    /// The code, as the device shows it.
    pub user_code: String,
    /// Name and brand of the client.
    pub client: ClientView,
    /// What it asks for.
    pub scopes: Vec<String>,
}

/// A device that waits, and its client.
struct Waiting {
    typed: UserCode,
    code: DeviceCode,
    client: Client,
}

impl Provider {
    /// Answers a device authorization request (RFC 8628, 3.2): the body of the answer, or the error to send.
    pub async fn authorize_device(&self, call: ClientCall<'_>) -> Result<Result<Value, OAuthError>, ServiceError> {
        let now = self.clock.now();
        let claimed = match self.claimed_client(call.authorization, call.query, call.form).await? {
            Ok(claimed) => claimed,
            Err(error) => return Ok(Err(error)),
        };
        let client = match self.prove_client(&claimed, call.context, now).await? {
            Ok(client) => client,
            Err(error) => return Ok(Err(error)),
        };
        let request = match device::check(client, call.form, &self.resources(), &self.settings.features) {
            Ok(request) => request,
            Err(error) => return Ok(Err(error)),
        };
        let starts = self.settings.address_limits.starts;
        if let Some(wait) = self.charge_network(call.context, "devices", starts).await? {
            return Err(ServiceError::Busy(wait));
        }
        let id = client.client().id.clone();
        for _ in 0..DRAWS {
            let (secret, user_code) = (fresh_secret()?, UserCode::new(u64::from_be_bytes(random()?)));
            let code = DeviceCode {
                hash: self.vault.hash(Purpose::DeviceCode, secret.expose_secret().as_bytes()),
                user_code: self.vault.hash(Purpose::UserCode, user_code.as_bytes()),
                client: id.clone(),
                scope: request.scope.clone(),
                resources: request.resources.clone(),
                state: DeviceState::Pending,
                grant: None,
                wait: device::INTERVAL,
                polled_at: None,
                created_at: now,
                expires_at: now.plus(device::LIFETIME),
            };
            if self.db.write(async |tx| tx.insert_device_code(&code).await).await? {
                return Ok(Ok(device::response(&self.settings.issuer, secret.expose_secret(), &user_code)));
            }
        }
        Err(ServiceError::Internal("no free user code was found"))
    }

    /// The page: whoever has just signed in for this device is asked, everybody else for the code.
    pub async fn open_device_page(&self, call: DeviceCall<'_>) -> Result<DeviceAnswer, ServiceError> {
        let now = self.clock.now();
        let ask = DeviceAnswer::Ask { user_code: call.user_code.to_owned(), unknown: false };
        let signed_in = self.load_signed_in(call.cookies, now).await?;
        // Nothing is looked up for a stranger who only follows a link.
        let Some(session) = signed_in.session.filter(|session| session.ticket.is_some()) else { return Ok(ask) };
        match self.find_waiting_device(call, now).await? {
            Some(waiting) if has_ticket(&session, &waiting.client, now) => Ok(self.question(&waiting, &session)),
            _ => Ok(ask),
        }
    }

    /// A code was typed: the client's login begins, whatever session there is (ADR 12: its end leads back here).
    pub async fn enter_user_code(&self, call: DeviceCall<'_>) -> Result<DeviceAnswer, ServiceError> {
        let now = self.clock.now();
        let Some(waiting) = self.find_waiting_device(call, now).await? else {
            return Ok(DeviceAnswer::Ask { user_code: call.user_code.to_owned(), unknown: true });
        };
        let signed_in = self.load_signed_in(call.cookies, now).await?;
        let new = NewFlow::for_device(&waiting.client, waiting.typed.shown(), &signed_in);
        let answered = self.begin_flow(new, call.cookies, call.locale, call.context).await?;
        Ok(DeviceAnswer::Flow(Box::new(answered)))
    }

    /// The person decided, on a page that was made for this session and this device.
    pub async fn decide_device(
        &self,
        allowed: bool,
        nonce: &str,
        call: DeviceCall<'_>,
    ) -> Result<DeviceAnswer, ServiceError> {
        let now = self.clock.now();
        let unknown = DeviceAnswer::Ask { user_code: call.user_code.to_owned(), unknown: true };
        let session = self.load_signed_in(call.cookies, now).await?.session;
        let (Some(session), Some(waiting)) = (session, self.find_waiting_device(call, now).await?) else {
            return Ok(unknown);
        };
        if verify_slices_are_equal(nonce.as_bytes(), self.device_nonce(&session, &waiting.code).as_bytes()).is_err() {
            return Ok(unknown);
        }
        let decided = self.write_device_decision(allowed, &waiting, &session, call.context, now).await?;
        let client = self.client_view(Some(&waiting.client));
        Ok(if decided { DeviceAnswer::Decided { allowed, client } } else { unknown })
    }

    async fn write_device_decision(
        &self,
        allowed: bool,
        waiting: &Waiting,
        session: &BrowserSession,
        context: &RequestContext,
        now: Timestamp,
    ) -> Result<bool, ServiceError> {
        let grant = Grant {
            id: GrantId::new(now, random()?),
            client: waiting.client.id.clone(),
            authentication: self.told_to(&waiting.client, session.authentication.clone()),
            scope: waiting.code.scope.clone(),
            nonce: None,
            claims: RequestedClaims::default(),
            resources: waiting.code.resources.clone(),
            created_at: now,
            revoked_at: None,
        };
        let grant = allowed.then_some(grant);
        let outcome = if allowed { AuditOutcome::Success } else { AuditOutcome::Failure };
        let event = audit::event(context, now, AuditKind::DeviceDecided, outcome)?
            .client(&waiting.client.id)
            .subject(Some(&session.authentication.user));
        let event = match &grant {
            Some(grant) => event.grant(&grant.id),
            None => event,
        };
        let event = event.build();
        let state = if allowed { DeviceState::Allowed } else { DeviceState::Denied };
        self.db
            .write(async |tx| {
                if let Some(grant) = &grant {
                    tx.insert_grant(grant).await?;
                }
                let id = grant.as_ref().map(|grant| &grant.id);
                if !tx.decide_device(&waiting.code.hash, state, id).await? {
                    return Err(ServiceError::Lost);
                }
                tx.insert_audit_events(std::slice::from_ref(&event)).await?;
                Ok(())
            })
            .await
            .map(|()| true)
            .or_else(|error| if matches!(error, ServiceError::Lost) { Ok(false) } else { Err(error) })
    }

    /// The device whose code was typed, if it still waits. Every try is counted.
    async fn find_waiting_device(&self, call: DeviceCall<'_>, now: Timestamp) -> Result<Option<Waiting>, ServiceError> {
        let Some(typed) = UserCode::read(call.user_code) else { return Ok(None) };
        if let Some(wait) = self.charge_network(call.context, "user_codes", TRIES).await? {
            return Err(ServiceError::Busy(wait));
        }
        let hash = self.vault.hash(Purpose::UserCode, typed.as_bytes());
        let found = self.db.read(async |tx| tx.find_device_by_user_code(&hash).await).await?;
        let pending = found.filter(|code| code.state == DeviceState::Pending && now < code.expires_at);
        let Some(code) = pending else { return Ok(None) };
        let client = self.find_client(&code.client).await?.filter(|client| !client.disabled);
        Ok(client.map(|client| Waiting { typed, code, client }))
    }

    fn question(&self, waiting: &Waiting, session: &BrowserSession) -> DeviceAnswer {
        DeviceAnswer::Confirm(Box::new(DeviceQuestion {
            nonce: self.device_nonce(session, &waiting.code),
            user_code: waiting.typed.shown(),
            client: self.client_view(Some(&waiting.client)),
            scopes: waiting.code.scope.iter().map(str::to_owned).chain(waiting.code.resources.clone()).collect(),
        }))
    }

    /// Proves that the page was shown, in this session and for this device.
    fn device_nonce(&self, session: &BrowserSession, code: &DeviceCode) -> String {
        let context: [&[u8]; 2] = [session.id.as_str().as_bytes(), &code.hash];
        URL_SAFE_NO_PAD.encode(self.vault.derive(Purpose::DevicePage, &context))
    }

    /// Keyed hash of a device code.
    pub(crate) fn device_code_hash(&self, secret: &SecretString) -> KeyedHash {
        self.vault.hash(Purpose::DeviceCode, secret.expose_secret().as_bytes())
    }
}

/// Whether a login of this client's policy has just ended in this session, as strong as the client demands.
fn has_ticket(session: &BrowserSession, client: &Client, now: Timestamp) -> bool {
    let acr = &session.authentication.acr;
    let strong = client.required_acr.is_empty() || client.required_acr.contains(acr);
    strong && session.ticket.as_ref().is_some_and(|ticket| ticket.client == client.id && now < ticket.until)
}
