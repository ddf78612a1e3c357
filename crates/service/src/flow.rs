//! Runs flows: a page is shown, a person answers it, the instance moves on.
//!
//! 1. The instance is loaded and must belong to this browser; the page's nonce must be ours.
//! 2. The version is claimed with a short lease: of two answers to one page, one is looked at.
//! 3. What `countersign-flow` needs to know is found out: counters are charged before anything is compared.
//! 4. The machine decides. Its effects are one database transaction, found again by a retry.
//! 5. The instance is written by compare-and-set, with the answer that a double submit gets again.

mod answer;
mod begin;
mod charges;
mod facts;
mod origin;
mod record;
mod show;
mod state;
mod visit;

use countersign_flow::{Advance, Effect, FlowError, Input, Next};
use countersign_model::{FlowId, Seconds, Timestamp};
use countersign_protocol::{ErrorCode, OAuthError};
use countersign_store::{Advanced, Claim, InstanceRecord, NextInstance};

use crate::ServiceError;
use crate::clock::random;
use crate::page_nonce::{self, PageNonce};
use crate::provider::Provider;
pub(crate) use answer::StoredAnswer;
pub use answer::{Answer, Answered, ClientView, DeadLink, FlowCall, FlowForm, FlowPage, Response};
use answer::{respond, see_flow};
pub(crate) use begin::{NewFlow, marked_out_of_date};
pub(crate) use facts::given_password;
pub(crate) use origin::{ACCOUNT, Origin, SetupPlace};
pub(crate) use record::open_digest;
use record::{FlowRecord, Running};
pub use state::FlowState;
pub(crate) use visit::Visit;

/// How long one answer to a page may take before another may be looked at.
const LEASE: Seconds = Seconds::new(10);

impl Provider {
    /// Takes a person's answer to a page.
    pub async fn advance_flow(&self, call: FlowCall<'_>, form: FlowForm) -> Result<Answered, ServiceError> {
        let Some(browser) = call.cookies.binding_hash(&self.vault) else {
            return Box::pin(self.recover_start(call, &form)).await;
        };
        let Some(nonce) = page_nonce::check(&self.vault, call.flow, &browser, &form.nonce) else {
            return Box::pin(self.recover_start(call, &form)).await;
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
                let mut result = Box::pin(self.advance_claimed(call, nonce, &stored, &running, &form)).await;
                // A link or a name that another request took first is told at once; a code is typed anew.
                if matches!(result, Err(ServiceError::Lost)) && !form.fields.contains_key("code") {
                    result = Box::pin(self.advance_claimed(call, nonce, &stored, &running, &form)).await;
                }
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
        stored: &InstanceRecord,
        running: &Running,
        form: &FlowForm,
    ) -> Result<Answered, ServiceError> {
        let now = self.clock.now();
        let Some(client) = self.find_client_of(&running.origin).await? else {
            return Ok(Answered::plain(Answer::Gone));
        };
        let signed_in = self.load_signed_in(call.cookies, now).await?;
        let locale = running.locale_of(call).to_owned();
        let visit = Visit {
            version: nonce.version,
            approved: stored.approved,
            ..Visit::of(call, running, client.as_ref(), &signed_in, &locale)
        };
        let input = Input { control: form.control.clone(), fields: form.fields.clone() };
        let needs = countersign_flow::needs(self.policies.set(), &running.instance, &input, now);
        let (facts, learnt) = self.find_facts(&visit, &running.instance, &needs, &input, nonce, now).await?;
        let visit = Visit { evidence: Some(&learnt.evidence), ..visit };
        let advance = match countersign_flow::advance(self.policies.set(), &running.instance, &input, &facts, now) {
            Ok(advance) => advance,
            Err(FlowError::PolicyGone | FlowError::Expired) => {
                return self.restart_flow(running.clone(), client.as_ref(), call).await;
            }
            Err(_) => return Err(ServiceError::Lost),
        };
        let restarted = advance.next == Next::Restart && visit.origin.request().is_some();
        let advance = if restarted { self.start_again(&visit, advance, &facts, now)? } else { advance };
        let stored = self.finish(&visit, &advance, now).await?;
        self.reset_counters(&visit, &advance.effects).await?;
        if let Some(rehash) = learnt.rehash {
            self.store_rehash(&visit, rehash, now).await;
        }
        let record = match &stored {
            StoredAnswer::Show => {
                let instance = advance.instance.clone();
                // Visits and challenges are counted anew: the codes of before must not come back.
                let (seed, link) = if restarted { (random()?, None) } else { (running.seed, running.link) };
                let locale = locale.clone();
                FlowRecord::Running(Box::new(Running { seed, locale, link, instance, ..running.clone() }))
            }
            StoredAnswer::Respond { .. } => FlowRecord::Done,
        };
        let awaits = self.still_awaited(&running.instance, &advance.instance, now).filter(|_| !restarted);
        self.write_instance(call.flow, nonce, &record, awaits, stored, now).await
    }

    /// Effects and, at the end of a flow, the answer to the client: one transaction.
    async fn finish(&self, visit: &Visit<'_>, advance: &Advance, now: Timestamp) -> Result<StoredAnswer, ServiceError> {
        let leave = |response| StoredAnswer::Respond { response, session: None, device: None };
        match &advance.next {
            Next::Restart if visit.origin.request().is_none() => {
                self.apply(visit, &advance.effects, now).await?;
                Ok(leave(self.go_on(visit)))
            }
            Next::Page | Next::Stop { .. } | Next::Restart | Next::Federate { .. } => {
                self.apply(visit, &advance.effects, now).await?;
                Ok(StoredAnswer::Show)
            }
            Next::Return { error } => {
                self.apply(visit, &advance.effects, now).await?;
                Ok(leave(self.refusal(visit, error)?))
            }
            Next::Issue(issued) => Ok(self.issue(visit, issued, &advance.effects, now).await?.into_stored()),
        }
    }

    /// An error to the client whose request waits; without one the person just goes on.
    fn refusal(&self, visit: &Visit<'_>, error: &str) -> Result<Response, ServiceError> {
        if visit.origin.request().is_none() {
            return Ok(self.go_on(visit));
        }
        let code = ErrorCode::from_word(error).unwrap_or(ErrorCode::AccessDenied);
        Ok(self.respond_error(visit, &OAuthError::new(code, "The sign-in was not completed"))?.response)
    }

    async fn write_instance(
        &self,
        flow: FlowId,
        nonce: PageNonce,
        record: &FlowRecord,
        awaits: Option<u32>,
        stored: StoredAnswer,
        now: Timestamp,
    ) -> Result<Answered, ServiceError> {
        let set = self.policies.set();
        let (end, idle) = match record {
            FlowRecord::Running(running) => {
                let instance = &running.instance;
                (instance.end(set).unwrap_or(now), instance.idle(set).unwrap_or(LEASE))
            }
            FlowRecord::Done => {
                let span = self.settings.lifetimes.finished_flow;
                (now.plus(span), span)
            }
        };
        let body = record::seal(&self.vault, flow, record)?;
        let result = record::seal_answer(&self.vault, flow, &stored)?;
        let next = NextInstance { result: &result, body: &body, idle, end, awaits };
        match self.short_lived.advance(flow, nonce.version, &nonce.page, next).await? {
            Advanced::Ok { .. } => Ok(respond(flow, stored)),
            Advanced::Dup(result) => self.repeat(flow, &result),
            Advanced::Stale => Ok(see_flow(flow, true)),
            Advanced::Gone => Ok(Answered::plain(Answer::Gone)),
        }
    }

    fn repeat(&self, flow: FlowId, result: &[u8]) -> Result<Answered, ServiceError> {
        let stored = record::open_answer(&self.vault, flow, result)
            .ok_or(ServiceError::Internal("a stored answer does not open"))?;
        Ok(respond(flow, stored))
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

    async fn reset_counters(&self, visit: &Visit<'_>, effects: &[Effect]) -> Result<(), ServiceError> {
        for effect in effects {
            if let Effect::ResetCounter(charge) = effect {
                self.short_lived.reset(&self.counter_key(visit, charge)).await?;
            }
        }
        Ok(())
    }
}
