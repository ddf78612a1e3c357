//! The authorization endpoint: check the request, see whether a session may answer it, else start a flow.

use countersign_flow::Issued;
use countersign_model::{AuditKind, AuditOutcome, Client, ClientId, FlowId, ProvenFact, Timestamp};
use countersign_protocol::authorization::{self, Refusal};
use countersign_protocol::interaction::{self, Demand};
use countersign_protocol::{
    AuthorizationRequest, AuthorizationResponse, ErrorCode, OAuthError, Params, ResponseTarget, SessionDecision,
    choose_policy,
};

use crate::ServiceError;
use crate::audit::{self, RequestContext};
use crate::browser::BrowserCookies;
use crate::clock::random;
use crate::flow::{Answer, Answered, NewFlow, Visit};
use crate::issue::session_facts;
use crate::provider::Provider;
use crate::session::{Candidate, SignedIn};

/// An authorization request.
#[derive(Clone, Copy, Debug)]
pub struct AuthorizeCall<'a> {
    /// Its parameters.
    pub params: &'a Params,
    /// Cookies of the browser.
    pub cookies: &'a BrowserCookies,
    /// Language of the pages.
    pub locale: &'a str,
    /// Where the request came from.
    pub context: &'a RequestContext,
}

impl Provider {
    /// Answers an authorization request (RFC 6749, 4.1.1; OpenID Connect Core, 3.1.2).
    pub async fn authorize(&self, call: AuthorizeCall<'_>) -> Result<Answered, ServiceError> {
        let client = match authorization::client_id(call.params) {
            Some(id) => self.find_client(&id).await?,
            None => None,
        };
        let keys = self.keys.current();
        let provider = authorization::Provider {
            issuer: &self.settings.issuer,
            capabilities: &self.capabilities,
            keys: &keys.stored,
        };
        match authorization::check(call.params, client.as_ref(), &provider) {
            Err(Refusal::Page(error)) => {
                tracing::info!(code = error.code.as_str(), detail = %error.detail, "authorization request refused on a page");
                Ok(Answered::plain(Answer::Refused(error)))
            }
            Err(Refusal::Redirect(target, error)) => self.refuse(*target, &error, client.as_ref(), call.context).await,
            Ok(request) => match client {
                Some(client) => self.answer_request(request, &client, call).await,
                None => Err(ServiceError::Internal("a checked request without a client")),
            },
        }
    }

    async fn answer_request(
        &self,
        request: AuthorizationRequest,
        client: &Client,
        call: AuthorizeCall<'_>,
    ) -> Result<Answered, ServiceError> {
        let now = self.clock.now();
        let target = request.target(client).ok_or(ServiceError::Internal("a checked redirect URI does not hold"))?;
        if request.demands_consent() && !client.first_party {
            // There is no page to ask on yet; for first-party clients the operator has consented.
            let error = OAuthError::new(ErrorCode::ConsentRequired, "Consent cannot be asked for");
            return self.refuse(target, &error, Some(client), call.context).await;
        }
        let policy = match choose_policy(&request, client, self.policies.login()) {
            Ok(policy) => policy,
            Err(error) => return self.refuse(target, &error, Some(client), call.context).await,
        };
        let signed_in = self.load_signed_in(call.cookies, now).await?;
        let candidate = self.candidate(&signed_in, &request, client, &policy, now);
        let facts = candidate.as_ref().map(|candidate| session_facts(&candidate.authentication));
        let demand = Demand { request: &request, client, policy: &policy, login_policies: self.policies.login() };
        match interaction::decide_session(&demand, facts.as_ref(), now) {
            SessionDecision::Refuse(error) => self.refuse(target, &error, Some(client), call.context).await,
            SessionDecision::Answer => {
                let candidate = candidate.ok_or(ServiceError::Internal("nobody answered"))?;
                self.answer_silently(&request, client, &signed_in, candidate, call).await
            }
            SessionDecision::Interact { .. } => {
                let new = NewFlow { request, client, policy: &policy, signed_in: &signed_in };
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
        let at = authentication.auth_time;
        let issued = Issued {
            user: authentication.user.clone(),
            facts: authentication.facts.iter().map(|fact| ProvenFact { fact, at }).collect(),
            acr: authentication.acr.clone(),
            amr: authentication.amr.clone(),
            policy: authentication.policy.clone(),
            remember: None,
            silent: true,
        };
        let flow = FlowId::new(random()?);
        let visit =
            Visit { flow, seed: random()?, context: call.context, locale: call.locale, client, request, signed_in };
        let signed = self.issue(&visit, &issued, &[], self.clock.now()).await?;
        Ok(Answered::plain(Answer::Respond(signed.response)))
    }

    async fn refuse(
        &self,
        target: ResponseTarget,
        error: &OAuthError,
        client: Option<&Client>,
        context: &RequestContext,
    ) -> Result<Answered, ServiceError> {
        let now = self.clock.now();
        tracing::info!(code = error.code.as_str(), detail = %error.detail, "authorization request refused");
        if let Some(client) = client
            && self.charge_network(context, "refusals", self.settings.address_limits.refusals).await?.is_none()
        {
            self.write_events(&[refusal(context, now, &client.id, error)?]).await?;
        }
        let response = AuthorizationResponse::error(target, &self.settings.issuer, error);
        Ok(Answered::plain(Answer::Respond(response.into())))
    }

    pub(crate) async fn find_client(&self, id: &ClientId) -> Result<Option<Client>, ServiceError> {
        Ok(self.db.read(async |tx| tx.find_client(id).await).await?)
    }

    pub(crate) async fn write_events(&self, events: &[countersign_model::AuditEvent]) -> Result<(), ServiceError> {
        Ok(self.db.write(async |tx| tx.insert_audit_events(events).await).await?)
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
