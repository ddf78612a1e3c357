//! Runs flows: a page is shown, a person answers it, the instance moves on.
//!
//! 1. The instance is loaded and must belong to this browser; the page's nonce must be ours.
//! 2. The version is claimed with a short lease: of two answers to one page, one is looked at.
//! 3. What `countersign-flow` needs to know is found out: counters are charged before anything is compared.
//! 4. The machine decides. Its effects are one database transaction, found again by a retry.
//! 5. The instance is written by compare-and-set, with the answer that a double submit gets again.

mod answer;
mod facts;
mod record;

use countersign_flow::{Advance, Effect, FlowError, Input, Instance, Next};
use countersign_model::{AuditKind, AuditOutcome, Client, FlowId, KeyedHash, Seconds, Timestamp};
use countersign_protocol::{AuthorizationRequest, ErrorCode, OAuthError, ResponseTarget, choose_policy};
use countersign_store::{Advanced, Claim, NextInstance};
use secrecy::SecretString;

use crate::ServiceError;
use crate::audit::{self, RequestContext};
use crate::browser::BrowserCookies;
use crate::clock::random;
use crate::page_nonce::{self, PageNonce};
use crate::provider::Provider;
pub use answer::{Answer, Answered, ClientView, FlowCall, FlowForm, FlowPage, Response};
use answer::{StoredAnswer, respond, see_flow};
use record::{FlowRecord, Running};

/// How long one answer to a page may take before another may be looked at.
const LEASE: Seconds = Seconds::new(10);

/// A new flow about to show its first page.
pub(crate) struct NewFlow<'a> {
    pub(crate) request: AuthorizationRequest,
    pub(crate) client: &'a Client,
    pub(crate) policy: &'a str,
    pub(crate) signed_in: &'a crate::session::SignedIn,
}

impl Provider {
    /// Starts `new` up to its first page, which is stateless; or to its end, when nothing has to be asked.
    pub(crate) async fn begin_flow(
        &self,
        new: NewFlow<'_>,
        cookies: &BrowserCookies,
        locale: &str,
        context: &RequestContext,
    ) -> Result<Answered, ServiceError> {
        let now = self.clock.now();
        let browser = cookies.bind(&self.vault)?;
        let flow = FlowId::new(random()?);
        let facts = self.opening_facts(&new.request, new.client, new.signed_in, locale, now);
        let advance = countersign_flow::begin(self.policies.set(), new.policy, &facts, now)
            .map_err(|_| ServiceError::Internal("the client's policy did not begin"))?;
        let mut answered = match &advance.next {
            Next::Page | Next::Stop { .. } => {
                let ends_at = advance.instance.end(self.policies.set()).unwrap_or(now);
                let running = Running {
                    browser: browser.hash,
                    seed: [0; 16],
                    locale: locale.to_owned(),
                    request: new.request,
                    instance: advance.instance,
                };
                let start = record::seal_start(&self.vault, flow, &running, ends_at)?;
                Answered::plain(Answer::Page(Box::new(self.page(flow, &running, new.client, 1, Some(start), now)?)))
            }
            _ => {
                let visit = Visit {
                    flow,
                    seed: random()?,
                    context,
                    locale,
                    client: new.client,
                    request: &new.request,
                    signed_in: new.signed_in,
                };
                let (stored, session) = self.finish(&visit, &advance, now).await?;
                respond(flow, stored, session)
            }
        };
        answered.cookies.binding = browser.new_secret;
        Ok(answered)
    }

    /// Shows the current page of a flow. Never sends, never advances.
    pub async fn show_flow(&self, call: FlowCall<'_>, out_of_date: bool) -> Result<Answered, ServiceError> {
        let gone = || Ok(Answered::plain(Answer::Gone));
        let Some(browser) = call.cookies.binding_hash(&self.vault) else { return gone() };
        let Some(stored) = self.short_lived.load(call.flow).await? else { return gone() };
        let Some(FlowRecord::Running(running)) = record::open(&self.vault, call.flow, &stored.body) else {
            return gone();
        };
        if running.browser != browser {
            return gone();
        }
        let Some(client) = self.find_client(&running.request.client).await? else { return gone() };
        let now = self.clock.now();
        match self.page(call.flow, &running, &client, stored.version, None, now) {
            Ok(mut page) => {
                page.ends_at = stored.end;
                page.out_of_date = out_of_date;
                running.locale_of(call).clone_into(&mut page.locale);
                Ok(Answered::plain(Answer::Page(Box::new(page))))
            }
            // The policy was edited under it: a restart, never an error.
            Err(_) => self.restart_flow(*running, &client, call).await,
        }
    }

    /// Takes a person's answer to a page.
    pub async fn advance_flow(&self, call: FlowCall<'_>, form: FlowForm) -> Result<Answered, ServiceError> {
        let Some(browser) = call.cookies.binding_hash(&self.vault) else {
            return self.recover_start(call, &form).await;
        };
        let Some(nonce) = page_nonce::check(&self.vault, call.flow, &browser, &form.nonce) else {
            return self.recover_start(call, &form).await;
        };
        if let Some(start) = &form.start {
            self.create_instance(call, start, &browser).await?;
        }
        let Some(stored) = self.short_lived.load(call.flow).await? else { return Ok(Answered::plain(Answer::Gone)) };
        match self.claim(call.flow, nonce).await? {
            Claim::Gone => Ok(Answered::plain(Answer::Gone)),
            Claim::Dup(result) => self.repeat(call.flow, &result),
            Claim::Stale { .. } | Claim::Busy => Ok(see_flow(call.flow, true)),
            Claim::Claimed => {
                let record = record::open(&self.vault, call.flow, &stored.body);
                let Some(FlowRecord::Running(running)) = record.filter(|_| stored.version == nonce.version) else {
                    return Ok(see_flow(call.flow, true));
                };
                if running.browser != browser {
                    return Ok(Answered::plain(Answer::Gone));
                }
                let result = self.advance_claimed(call, nonce, running, &form).await;
                if result.is_err() {
                    // Let the person try again at once; if even this fails the lease runs out by itself.
                    let _ = self.short_lived.release(call.flow, nonce.version, &nonce.page).await;
                }
                if let Err(ServiceError::Lost) = result {
                    return Ok(see_flow(call.flow, true));
                }
                result
            }
        }
    }

    async fn advance_claimed(
        &self,
        call: FlowCall<'_>,
        nonce: PageNonce,
        running: Box<Running>,
        form: &FlowForm,
    ) -> Result<Answered, ServiceError> {
        let now = self.clock.now();
        let Some(client) = self.find_client(&running.request.client).await?.filter(|client| !client.disabled) else {
            return Ok(Answered::plain(Answer::Gone));
        };
        let signed_in = self.load_signed_in(call.cookies, now).await?;
        let locale = running.locale_of(call).to_owned();
        let visit = Visit {
            flow: call.flow,
            seed: running.seed,
            context: call.context,
            locale: &locale,
            client: &client,
            request: &running.request,
            signed_in: &signed_in,
        };
        let input = Input { control: form.control.clone(), fields: form.fields.clone() };
        let needs = countersign_flow::needs(self.policies.set(), &running.instance, &input, now);
        let (facts, rehash) = self.find_facts(&visit, &needs, &input, nonce, &locale, now).await?;
        let advance = match countersign_flow::advance(self.policies.set(), &running.instance, &input, &facts, now) {
            Ok(advance) => advance,
            Err(FlowError::PolicyGone | FlowError::Expired) => {
                return self.restart_flow(*running.clone(), &client, call).await;
            }
            Err(_) => return Err(ServiceError::Lost),
        };
        let restarted = advance.next == Next::Restart;
        let advance = if restarted { self.start_again(&visit, advance, &facts, now)? } else { advance };
        let (stored, session) = self.finish(&visit, &advance, now).await?;
        self.reset_counters(&visit, &advance.effects).await?;
        if let Some(rehash) = rehash {
            self.store_rehash(&visit, rehash, now).await;
        }
        let record = match &stored {
            StoredAnswer::Show => {
                let instance = advance.instance.clone();
                // Visits and challenges are counted anew: the codes of before must not come back.
                let seed = if restarted { random()? } else { running.seed };
                FlowRecord::Running(Box::new(Running { instance, seed, locale: locale.clone(), ..*running.clone() }))
            }
            StoredAnswer::Respond { .. } => FlowRecord::Done,
        };
        self.write_instance(call.flow, nonce, &record, &advance.instance, stored, session, now).await
    }

    /// Effects and, at the end of a flow, the answer to the client: one transaction.
    async fn finish(
        &self,
        visit: &Visit<'_>,
        advance: &Advance,
        now: Timestamp,
    ) -> Result<(StoredAnswer, Option<SecretString>), ServiceError> {
        match &advance.next {
            Next::Page | Next::Stop { .. } | Next::Restart => {
                self.apply(visit, &advance.effects, now).await?;
                Ok((StoredAnswer::Show, None))
            }
            Next::Return { error } => {
                self.apply(visit, &advance.effects, now).await?;
                Ok((StoredAnswer::Respond { response: self.refusal(visit, error)?, session: None }, None))
            }
            Next::Issue(issued) => {
                let signed = self.issue(visit, issued, &advance.effects, now).await?;
                Ok((
                    StoredAnswer::Respond { session: signed.session_text(), response: signed.response },
                    signed.session,
                ))
            }
        }
    }

    fn refusal(&self, visit: &Visit<'_>, error: &str) -> Result<Response, ServiceError> {
        let code = ErrorCode::from_word(error).unwrap_or(ErrorCode::AccessDenied);
        Ok(self.respond_error(visit, &OAuthError::new(code, "The sign-in was not completed"))?.response)
    }

    #[expect(clippy::too_many_arguments, reason = "the compare-and-set needs both what was and what is to be")]
    async fn write_instance(
        &self,
        flow: FlowId,
        nonce: PageNonce,
        record: &FlowRecord,
        instance: &Instance,
        stored: StoredAnswer,
        session: Option<SecretString>,
        now: Timestamp,
    ) -> Result<Answered, ServiceError> {
        let set = self.policies.set();
        let (end, idle) = match record {
            FlowRecord::Running(_) => (instance.end(set).unwrap_or(now), instance.idle(set).unwrap_or(LEASE)),
            FlowRecord::Done => {
                let span = self.settings.lifetimes.finished_flow;
                (now.plus(span), span)
            }
        };
        let body = record::seal(&self.vault, flow, record)?;
        let result = record::seal_answer(&self.vault, flow, &stored)?;
        let next = NextInstance { result: &result, body: &body, idle, end };
        match self.short_lived.advance(flow, nonce.version, &nonce.page, next).await? {
            Advanced::Ok { .. } => Ok(respond(flow, stored, session)),
            Advanced::Dup(result) => self.repeat(flow, &result),
            Advanced::Stale => Ok(see_flow(flow, true)),
            Advanced::Gone => Ok(Answered::plain(Answer::Gone)),
        }
    }

    fn repeat(&self, flow: FlowId, result: &[u8]) -> Result<Answered, ServiceError> {
        let stored = record::open_answer(&self.vault, flow, result)
            .ok_or(ServiceError::Internal("a stored answer does not open"))?;
        let session = match &stored {
            StoredAnswer::Respond { session, .. } => session.clone().map(SecretString::from),
            StoredAnswer::Show => None,
        };
        Ok(respond(flow, stored, session))
    }

    /// Claims the version; the same page sent twice waits until the first is answered, so that both get one answer.
    async fn claim(&self, flow: FlowId, nonce: PageNonce) -> Result<Claim, ServiceError> {
        let mut pause = tokio::time::interval(std::time::Duration::from_millis(50));
        // A little longer than the lease of a node that died.
        for _ in 0..210 {
            let claim = self.short_lived.claim(flow, nonce.version, &nonce.page, LEASE).await?;
            if !matches!(claim, Claim::Busy) {
                return Ok(claim);
            }
            pause.tick().await;
        }
        Ok(Claim::Busy)
    }

    async fn create_instance(&self, call: FlowCall<'_>, start: &str, browser: &KeyedHash) -> Result<(), ServiceError> {
        let now = self.clock.now();
        let Some((running, end)) = record::open_start(&self.vault, call.flow, start) else { return Ok(()) };
        if running.browser != *browser || end <= now {
            return Ok(());
        }
        let starts = self.settings.address_limits.starts;
        if let Some(wait) = self.charge_network_once(call.context, "starts", starts, call.flow.as_bytes()).await? {
            return Err(ServiceError::Busy(wait));
        }
        let idle = running.instance.idle(self.policies.set()).unwrap_or(LEASE);
        let client = running.request.client.clone();
        // Drawn here, not when the page was made: a start that is posted again after its flow is forgotten begins
        // another flow, whose codes and secrets are other ones.
        let running = Running { seed: random()?, ..running };
        let body = record::seal(&self.vault, call.flow, &FlowRecord::Running(Box::new(running)))?;
        if self.short_lived.create(call.flow, &body, end, idle).await? {
            let event = audit::event(call.context, now, AuditKind::FlowStarted, AuditOutcome::Success)?
                .client(&client)
                .flow(call.flow)
                .build();
            self.write_events(&[event]).await?;
        }
        Ok(())
    }

    /// A form whose nonce or cookie does not hold: from a first page the flow starts anew, with the same request.
    async fn recover_start(&self, call: FlowCall<'_>, form: &FlowForm) -> Result<Answered, ServiceError> {
        if call.cookies.binding.is_none() {
            // Another site's form, or a browser without cookies: a new binding would end this browser's other flows.
            return Ok(Answered::plain(Answer::Gone));
        }
        let start = form.start.as_ref().and_then(|start| record::open_start(&self.vault, call.flow, start));
        let Some((running, _)) = start.filter(|(_, end)| self.clock.now() < *end) else {
            return Ok(see_flow(call.flow, true));
        };
        match self.find_client(&running.request.client).await? {
            Some(client) => self.restart_flow(running, &client, call).await,
            None => Ok(Answered::plain(Answer::Gone)),
        }
    }

    /// The policy of `request`, from its start.
    fn policy_of(&self, request: &AuthorizationRequest, client: &Client) -> String {
        choose_policy(request, client, self.policies.login()).unwrap_or_else(|_| client.default_policy.clone())
    }

    async fn restart_flow(
        &self,
        running: Running,
        client: &Client,
        call: FlowCall<'_>,
    ) -> Result<Answered, ServiceError> {
        let signed_in = self.load_signed_in(call.cookies, self.clock.now()).await?;
        let locale = running.locale_of(call).to_owned();
        let request = running.request;
        let policy = self.policy_of(&request, client);
        let new = NewFlow { request, client, policy: &policy, signed_in: &signed_in };
        let mut answered = self.begin_flow(new, call.cookies, &locale, call.context).await?;
        if let Answer::Page(page) = &mut answered.answer {
            page.out_of_date = true;
        }
        Ok(answered)
    }

    /// LOGIN on a stop page: the client's policy from its start, on the same request.
    fn start_again(
        &self,
        visit: &Visit<'_>,
        stopped: Advance,
        facts: &countersign_flow::Facts,
        now: Timestamp,
    ) -> Result<Advance, ServiceError> {
        let policy = self.policy_of(visit.request, visit.client);
        let mut again = countersign_flow::begin(self.policies.set(), &policy, facts, now)
            .map_err(|_| ServiceError::Internal("the client's policy did not begin"))?;
        again.effects.splice(0..0, stopped.effects);
        Ok(again)
    }

    async fn reset_counters(&self, visit: &Visit<'_>, effects: &[Effect]) -> Result<(), ServiceError> {
        for effect in effects {
            if let Effect::ResetCounter(charge) = effect {
                self.short_lived.reset(&self.counter_key(visit, charge)).await?;
            }
        }
        Ok(())
    }

    fn page(
        &self,
        flow: FlowId,
        running: &Running,
        client: &Client,
        version: u32,
        start: Option<String>,
        now: Timestamp,
    ) -> Result<FlowPage, ServiceError> {
        let view = countersign_flow::view(self.policies.set(), &running.instance, now)
            .map_err(|_| ServiceError::Internal("an instance has no page"))?;
        Ok(FlowPage {
            flow,
            nonce: page_nonce::make(&self.vault, flow, &running.browser, version)?,
            start,
            view,
            client: ClientView {
                name: client.name.clone(),
                uri: client.client_uri.clone(),
                brand: client.brand.clone(),
            },
            redirect_uri: running.request.redirect_uri.as_str().to_owned(),
            locale: running.locale.clone(),
            ends_at: running.instance.end(self.policies.set()).unwrap_or(now),
            out_of_date: false,
        })
    }
}

/// One visit of a person to a flow: what the steps of a use case share.
pub(crate) struct Visit<'a> {
    pub(crate) flow: FlowId,
    /// What every secret of this flow is derived from, and the keys of its once-only effects.
    pub(crate) seed: [u8; 16],
    pub(crate) context: &'a RequestContext,
    pub(crate) locale: &'a str,
    pub(crate) client: &'a Client,
    pub(crate) request: &'a AuthorizationRequest,
    pub(crate) signed_in: &'a crate::session::SignedIn,
}

impl Visit<'_> {
    /// Where the answer goes, matched against the client again.
    pub(crate) fn target(&self) -> Result<ResponseTarget, ServiceError> {
        let target = self.request.target(self.client);
        target.ok_or(ServiceError::Internal("a redirect URI is no longer registered"))
    }
}
