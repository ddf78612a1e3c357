//! The authorization endpoint: check the request, see whether a session may answer it, else start a flow.

use countersign_flow::Issued;
use countersign_model::{
    AuditKind, AuditOutcome, Authentication, Client, ClientId, FlowId, ProvenFact, Seconds, SessionId, Ticket,
    Timestamp,
};
use countersign_protocol::authorization::{self, Refusal};
use countersign_protocol::consent::{self, AccountDecision};
use countersign_protocol::interaction::{self, Demand};
use countersign_protocol::{
    AuthorizationRequest, AuthorizationResponse, OAuthError, Params, Prompt, ResponseTarget, SessionDecision,
    choose_policy,
};

use crate::ServiceError;
use crate::audit::{self, RequestContext};
use crate::browser::BrowserCookies;
use crate::client_documents::may_begin;
use crate::clock::random;
use crate::flow::{Answer, Answered, NewFlow, Origin, Visit};
use crate::issue::SignedInNow;
use crate::provider::Provider;
use crate::session::{Candidate, SignedIn};

/// Any age that is not zero: a ticket's sign-in counts as made for the request.
const TICKET_AGE: Seconds = Seconds::new(60);

const NO_CLIENT: ServiceError = ServiceError::Internal("a request was read without a client");

/// An authorization request.
#[derive(Clone, Copy, Debug)]
pub struct AuthorizeCall<'a> {
    /// Its parameters.
    pub params: &'a Params,
    /// Cookies of the browser.
    pub cookies: &'a BrowserCookies,
    /// Language of the pages, as far as the browser's own request tells it.
    pub locale: &'a str,
    /// Whether the person chose that language on these pages: then it counts more than what the client asks for.
    pub chosen: bool,
    /// Where the request came from.
    pub context: &'a RequestContext,
}

/// What a person has allowed since.
#[derive(Clone, Copy)]
pub(crate) struct Agreed {
    /// What the code is derived from.
    pub(crate) seed: [u8; 16],
    /// When the login was found good enough.
    pub(crate) since: Timestamp,
}

impl Provider {
    /// Answers an authorization request (RFC 6749, 4.1.1; OpenID Connect Core, 3.1.2).
    pub async fn authorize(&self, call: AuthorizeCall<'_>) -> Result<Answered, ServiceError> {
        let client = match authorization::client_id(call.params) {
            Some(id) => self.meet_client(&id, call.context).await?,
            None => None,
        };
        match self.read_request(call.params, client.as_ref(), false, call.context, self.clock.now()).await? {
            Err(refusal) => self.answer_refusal(refusal, client.as_ref(), call.context).await,
            Ok(request) => {
                let client = client.ok_or(NO_CLIENT)?;
                self.answer_request(request, &client, call).await
            }
        }
    }

    /// Answers a request in which a parameter was sent more than once (RFC 6749, 3.1): `params` are those that were sent
    /// once, and where they prove the client, it hears of it (4.1.2.1).
    pub async fn refuse_repeated(
        &self,
        params: &Params,
        error: OAuthError,
        context: &RequestContext,
    ) -> Result<Answered, ServiceError> {
        let client = match authorization::client_id(params) {
            Some(id) => self.find_client(&id).await?.filter(|client| may_begin(client, self.clock.now())),
            None => None,
        };
        let keys = self.keys.current();
        let provider = authorization::Provider {
            issuer: &self.settings.issuer,
            capabilities: &self.capabilities,
            keys: &keys.stored,
        };
        let refusal = authorization::refuse(params, client.as_ref(), &provider, error);
        self.answer_refusal(refusal, client.as_ref(), context).await
    }

    async fn answer_refusal(
        &self,
        refusal: Refusal,
        client: Option<&Client>,
        context: &RequestContext,
    ) -> Result<Answered, ServiceError> {
        match refusal {
            Refusal::Page(error) => {
                tracing::info!(code = error.code.as_str(), detail = %error.detail, "authorization request refused on a page");
                Ok(Answered::plain(Answer::Refused(error)))
            }
            Refusal::Redirect(target, error) => self.refuse(*target, &error, client.ok_or(NO_CLIENT)?, context).await,
        }
    }

    /// Answers a checked request: by a session, a page, or an error.
    pub(crate) async fn answer_request(
        &self,
        mut request: AuthorizationRequest,
        client: &Client,
        call: AuthorizeCall<'_>,
    ) -> Result<Answered, ServiceError> {
        let now = self.clock.now();
        let spoken = &self.capabilities.ui_locales;
        let asked = request.language(spoken).filter(|_| !call.chosen);
        let call = AuthorizeCall { locale: asked.unwrap_or(call.locale), ..call };
        let target = request.target(client).ok_or(ServiceError::Internal("a checked redirect URI does not hold"))?;
        let policy = match choose_policy(&request, client, self.policies.choices()) {
            Ok(policy) => policy,
            Err(error) => return self.refuse(target, &error, client, call.context).await,
        };
        let signed_in = self.load_signed_in(call.cookies, now).await?;
        if let Some(answered) = self.answer_by_ticket(&request, client, &policy, &signed_in, call).await? {
            return Ok(answered);
        }
        match consent::decide_account(&request, signed_in.accounts()) {
            AccountDecision::Known => request.prompt = request.prompt.without(Prompt::SelectAccount),
            AccountDecision::Choose(_) => return self.ask_account(request, &signed_in, call.context).await,
        }
        let candidate = self.candidate(&signed_in, &request, client, &policy, now);
        let facts = candidate.as_ref().map(|candidate| self.session_facts(&candidate.authentication, client));
        let demand = Demand { request: &request, client, policy: &policy, login_policies: self.policies.login() };
        match interaction::decide_session(&demand, facts.as_ref(), now) {
            SessionDecision::Refuse(error) => self.refuse(target, &error, client, call.context).await,
            SessionDecision::Answer => {
                let candidate = candidate.ok_or(ServiceError::Internal("nobody answered"))?;
                self.answer_silently(&request, client, &signed_in, candidate, call).await
            }
            SessionDecision::Interact { .. } => {
                let new = NewFlow::for_request(request, client, &policy, &signed_in);
                self.begin_flow(new, call.cookies, call.locale, call.context).await
            }
        }
    }

    /// A session answers: no page, no instance; the original authentication is kept.
    async fn answer_silently(
        &self,
        request: &AuthorizationRequest,
        client: &Client,
        signed_in: &SignedIn,
        candidate: Candidate,
        call: AuthorizeCall<'_>,
    ) -> Result<Answered, ServiceError> {
        let authentication = candidate.authentication;
        let signed = self.issue_silently(request.clone(), client, signed_in, authentication, None, None, call).await?;
        Ok(Answered::plain(Answer::Respond(signed.response)))
    }

    /// After a mailed link the client's next request counts as that sign-in, whatever age it asks for: once, in this
    /// browser, for this client, within the ticket's minute. What else it demands must be met.
    async fn answer_by_ticket(
        &self,
        request: &AuthorizationRequest,
        client: &Client,
        policy: &str,
        signed_in: &SignedIn,
        call: AuthorizeCall<'_>,
    ) -> Result<Option<Answered>, ServiceError> {
        let Some(session) = &signed_in.session else { return Ok(None) };
        let now = self.clock.now();
        let valid = |ticket: &Ticket| ticket.client == client.id && now < ticket.until;
        if !session.ticket.as_ref().is_some_and(valid) {
            return Ok(None);
        }
        let mut fresh = request.clone();
        fresh.max_age = Some(TICKET_AGE);
        if !fresh.is_silent() {
            fresh.prompt = fresh.prompt.without(Prompt::Login).without(Prompt::SelectAccount).without(Prompt::Create);
        }
        let facts = self.session_facts(&session.authentication, client);
        let demand = Demand { request: &fresh, client, policy, login_policies: self.policies.login() };
        // As of the sign-in itself: it is the one that was asked for.
        let decision = interaction::decide_session(&demand, Some(&facts), facts.auth_time);
        if decision != SessionDecision::Answer {
            return Ok(None);
        }
        let authentication = session.authentication.clone();
        match self.issue_silently(fresh, client, signed_in, authentication, Some(&session.id), None, call).await {
            Ok(signed) => Ok(Some(Answered::plain(Answer::Respond(signed.response)))),
            // Another request had it.
            Err(ServiceError::Lost) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Answers a request that its person has allowed.
    pub(crate) async fn issue_agreed(
        &self,
        request: AuthorizationRequest,
        client: &Client,
        signed_in: &SignedIn,
        authentication: Authentication,
        agreed: Agreed,
        call: AuthorizeCall<'_>,
    ) -> Result<SignedInNow, ServiceError> {
        self.issue_silently(request, client, signed_in, authentication, None, Some(agreed), call).await
    }

    /// Answers by a login that was made before; its original authentication is kept.
    #[expect(clippy::too_many_arguments, reason = "each is another fact of the answer")]
    async fn issue_silently(
        &self,
        request: AuthorizationRequest,
        client: &Client,
        signed_in: &SignedIn,
        authentication: Authentication,
        ticket: Option<&SessionId>,
        agreed: Option<Agreed>,
        call: AuthorizeCall<'_>,
    ) -> Result<SignedInNow, ServiceError> {
        let at = authentication.auth_time;
        let issued = Issued {
            user: authentication.user.clone(),
            facts: authentication.facts.iter().map(|fact| ProvenFact { fact, at }).collect(),
            auth_time: at,
            acr: authentication.acr.clone(),
            amr: authentication.amr.clone(),
            policy: authentication.policy.clone(),
            remember: None,
            silent: true,
        };
        let origin = Origin::Request(Box::new(request));
        let visit = Visit {
            flow: FlowId::new(random()?),
            seed: agreed.map_or_else(random, |agreed| Ok(agreed.seed))?,
            version: 0,
            context: call.context,
            locale: call.locale,
            client: Some(client),
            origin: &origin,
            signed_in,
            link: None,
            browser: [0; 32],
            device: None,
            subject: None,
            approved: None,
            ticket,
            agreed: agreed.map(|agreed| agreed.since),
            evidence: None,
        };
        self.issue(&visit, &issued, &[], self.clock.now()).await
    }

    async fn refuse(
        &self,
        target: ResponseTarget,
        error: &OAuthError,
        client: &Client,
        context: &RequestContext,
    ) -> Result<Answered, ServiceError> {
        let now = self.clock.now();
        tracing::info!(code = error.code.as_str(), detail = %error.detail, "authorization request refused");
        if self.charge_network(context, "refusals", self.settings.address_limits.refusals).await?.is_none() {
            self.write_events(&[refusal(context, now, &client.id, error)?]).await?;
        }
        let response = AuthorizationResponse::error(target, &self.settings.issuer, error);
        Ok(Answered::plain(Answer::Respond(self.deliver(response, client, now)?)))
    }

    pub(crate) async fn find_client(&self, id: &ClientId) -> Result<Option<Client>, ServiceError> {
        Ok(self.db.find_client(id).await?.filter(|client| self.is_known(client)))
    }

    /// What a document described is gone once documents are switched off.
    pub(crate) fn is_known(&self, client: &Client) -> bool {
        client.described_at.is_none() || self.settings.features.client_documents
    }

    /// Writes events of something that writes nothing else: they are committed when this answers.
    pub(crate) async fn write_events(&self, events: &[countersign_model::AuditEvent]) -> Result<(), ServiceError> {
        Ok(self.db.append_audit_events(events).await?)
    }
}

fn refusal(
    context: &RequestContext,
    now: Timestamp,
    client: &ClientId,
    error: &OAuthError,
) -> Result<countersign_model::AuditEvent, ServiceError> {
    Ok(audit::event(context, now, AuditKind::RequestRefused, AuditOutcome::Failure)?
        .client(client)
        .detail("endpoint", "authorization")
        .detail("error", error.code.as_str())
        .build())
}
