//! Consent: what a client asks for, what the person says, what is remembered of it (OpenID Connect Core, 3.1.2.4).

use countersign_flow::Issued;
use countersign_model::{
    AuditKind, AuditOutcome, Authentication, Client, ClientId, Consent, Scope, SessionId, Timestamp, UserId,
};
use countersign_protocol::consent::{self, ConsentDecision};
use countersign_protocol::{AuthorizationRequest, AuthorizationResponse, ErrorCode, OAuthError, Params};
use countersign_store::Tx;

use crate::ServiceError;
use crate::audit::{self, RequestContext};
use crate::authorization::{Agreed, AuthorizeCall};
use crate::flow::{Answer, Answered, ClientView, Response, Visit};
use crate::pending::{Found, Pending, PendingCall, Question, gone};
use crate::provider::Provider;
use crate::select_account::name_of;
use crate::session::Candidate;

/// The page that asks.
#[derive(Clone, Debug)]
pub struct ConsentPage {
    /// Where its form posts to.
    pub action: String,
    /// Nonce of its form.
    pub nonce: String,
    /// Who asks.
    pub client: ClientView,
    /// The client's other addresses that people see.
    pub shown: countersign_model::ShownUris,
    /// What is asked for: scope values, those that stand for claims asked for by name, and APIs.
    pub asked: Vec<String>,
    /// Whose they are, as they know themselves.
    pub account: String,
    /// Nobody but the client itself vouches for what it shows.
    pub registered_itself: bool,
    /// Where the answer goes in the end.
    pub redirect_uri: String,
    /// Language that the client asks for, of those there are.
    pub locale: Option<String>,
    /// The address of the document that describes it, if one does.
    pub document: Option<String>,
}

impl Provider {
    /// Whether the person of `visit` must be asked before its request is answered.
    pub(crate) async fn decide_consent(
        &self,
        visit: &Visit<'_>,
        user: &UserId,
    ) -> Result<ConsentDecision, ServiceError> {
        let Some((request, client)) = visit.request() else { return Ok(ConsentDecision::Given) };
        if visit.agreed.is_some() {
            return Ok(ConsentDecision::Given);
        }
        let remembered = self.find_remembered_consent(user, client).await?;
        Ok(consent::decide(request, client, remembered.as_ref()))
    }

    async fn find_remembered_consent(&self, user: &UserId, client: &Client) -> Result<Option<Consent>, ServiceError> {
        if client.first_party {
            return Ok(None);
        }
        Ok(self.db.read(async |tx| tx.find_consent(user, &client.id).await).await?)
    }

    /// Sends the person of a login to the question; the request waits. A login on a page was charged when it began.
    pub(crate) async fn ask_consent(
        &self,
        visit: &Visit<'_>,
        session: &SessionId,
        issued: &Issued,
        now: Timestamp,
    ) -> Result<Response, ServiceError> {
        let (request, _) = visit.request().ok_or(ServiceError::Internal("consent without a request"))?;
        let (id, seed) = self.pending_of(&visit.seed);
        let pending = Pending {
            question: Question::Consent,
            request: request.clone(),
            session: session.clone(),
            policy: issued.policy.clone(),
            since: now,
            seed,
        };
        if issued.silent {
            self.charge_start(id, visit.context).await?;
        }
        self.wait_for_answer(id, &pending).await
    }

    /// The page that asks.
    pub async fn show_consent(&self, call: PendingCall<'_>) -> Result<Result<ConsentPage, Answered>, ServiceError> {
        let Some(found) = self.find_pending(call, Question::Consent).await? else { return Ok(Err(gone())) };
        let user = &found.session.authentication.user;
        let account = self.db.read(async |tx| tx.find_account(user).await).await?;
        let account = account.map(|account| name_of(&account.user)).unwrap_or_default();
        Ok(Ok(ConsentPage {
            action: format!("/consent/{}", call.id),
            nonce: self.pending_nonce(call.id, &found.session),
            client: self.client_view(Some(&found.client)),
            shown: found.client.shown.clone(),
            registered_itself: found.client.registration.is_some(),
            document: found.client.described_at.map(|_| found.client.id.to_string()),
            asked: consent::asked(&found.pending.request),
            account,
            redirect_uri: found.pending.request.redirect_uri.as_str().to_owned(),
            locale: found.pending.request.language(&self.capabilities.ui_locales).map(str::to_owned),
        }))
    }

    /// The person's answer: the client gets its code, or hears that it was denied.
    pub async fn answer_consent(
        &self,
        call: PendingCall<'_>,
        nonce: &str,
        allowed: bool,
    ) -> Result<Answered, ServiceError> {
        let found = self.find_pending(call, Question::Consent).await?;
        let Some(found) = found.filter(|found| self.is_pending_nonce(call.id, &found.session, nonce)) else {
            return Ok(gone());
        };
        if !allowed {
            return self.deny(&found, call.context).await;
        }
        // The login that was found good enough is there still, or the client is to ask anew.
        let now = self.clock.now();
        let Some(candidate) = login_of(&found) else { return Ok(gone()) };
        self.remember_consent(&found, &candidate.authentication.user, call.context, now).await?;
        let agreed = Agreed { seed: found.pending.seed, since: found.pending.since };
        let params = Params::default();
        let PendingCall { cookies, locale, chosen, context, .. } = call;
        let call = AuthorizeCall { params: &params, cookies, locale, chosen, context };
        let request = found.pending.request.clone();
        let answered =
            self.issue_agreed(request, &found.client, &found.signed_in, candidate.authentication, agreed, call).await?;
        Ok(Answered::plain(Answer::Respond(answered.response)))
    }

    async fn deny(&self, found: &Found, context: &RequestContext) -> Result<Answered, ServiceError> {
        let user = &found.session.authentication.user;
        let event = consent_event(AuditKind::ConsentDenied, user, &found.client.id, context, self.clock.now())?;
        self.write_events(&[event]).await?;
        let target = found.pending.request.target(&found.client);
        let target = target.ok_or(ServiceError::Internal("a redirect URI is no longer registered"))?;
        let error = OAuthError::new(ErrorCode::AccessDenied, "The person denied the request");
        let response = AuthorizationResponse::error(target, &self.settings.issuer, &error);
        let response = self.deliver(response, &found.client, self.clock.now())?;
        Ok(Answered::plain(Answer::Respond(response)))
    }

    async fn remember_consent(
        &self,
        found: &Found,
        user: &UserId,
        context: &RequestContext,
        now: Timestamp,
    ) -> Result<(), ServiceError> {
        let (request, client) = (&found.pending.request, &found.client.id);
        let mut event = consent_event(AuditKind::ConsentGiven, user, client, context, now)?;
        event.detail.insert("scope".to_owned(), consent::asked(request).join(" ").into());
        self.db
            .write(async |tx| {
                let before = tx.find_consent(user, client).await?;
                tx.upsert_consent(&joined(before, request, user, now)).await?;
                tx.insert_audit_events(std::slice::from_ref(&event)).await?;
                Ok::<_, ServiceError>(())
            })
            .await
    }
}

/// The login by which the request is answered: a remembered one of that policy, or the session itself.
fn login_of(found: &Found) -> Option<Candidate> {
    let policy = &found.pending.policy;
    let remembered = found.signed_in.remembered.iter().find(|login| login.policy == *policy);
    let session = &found.session.authentication;
    let own = (session.policy == *policy).then_some(session);
    let authentication: &Authentication = remembered.map(|login| &login.authentication).or(own)?;
    Some(Candidate { policy: policy.clone(), authentication: authentication.clone() })
}

/// Forgets what `user` allowed `client` and takes back what came of it: false when there was nothing.
pub(crate) async fn withdraw_consent(
    tx: &mut Tx,
    user: &UserId,
    client: &ClientId,
    now: Timestamp,
) -> Result<bool, ServiceError> {
    let known = tx.delete_consent(user, client).await?;
    let revoked = tx.revoke_grants_of_client(user, client, now).await?;
    Ok(known || revoked > 0)
}

/// What was allowed before and what is allowed now.
fn joined(before: Option<Consent>, request: &AuthorizationRequest, user: &UserId, now: Timestamp) -> Consent {
    let mut consent = before.unwrap_or_else(|| Consent {
        user: user.clone(),
        client: request.client.clone(),
        scope: Scope::default(),
        claims: countersign_model::RequestedClaims::default(),
        resources: Vec::new(),
        given_at: now,
    });
    consent.scope = consent.scope.union(&request.scope);
    for (known, asked) in [
        (&mut consent.claims.userinfo, &request.claims.userinfo),
        (&mut consent.claims.id_token, &request.claims.id_token),
    ] {
        let new: Vec<String> = asked.iter().filter(|claim| !known.contains(claim)).cloned().collect();
        known.extend(new);
    }
    let new: Vec<String> = request.resources.iter().filter(|uri| !consent.resources.contains(uri)).cloned().collect();
    consent.resources.extend(new);
    consent.given_at = now;
    consent
}

fn consent_event(
    kind: AuditKind,
    user: &UserId,
    client: &ClientId,
    context: &RequestContext,
    now: Timestamp,
) -> Result<countersign_model::AuditEvent, ServiceError> {
    Ok(audit::event(context, now, kind, AuditOutcome::Success)?.subject(Some(user)).client(client).build())
}
