//! How flows begin: from a request, a link or the account page; anew after an edit; and from a stateless first page.

use countersign_flow::language::Entry;
use countersign_flow::{Advance, Facts, LinkState, Next};
use countersign_model::{AuditKind, AuditOutcome, Client, FlowId, KeyedHash, Timestamp};
use countersign_protocol::{AuthorizationRequest, choose_policy};

use super::record::{self, FlowRecord, Running};
use super::{Answer, Answered, FlowCall, FlowForm, LEASE, Origin, Response, SetupPlace, Visit, respond, see_flow};
use crate::ServiceError;
use crate::audit::{self, RequestContext};
use crate::browser::BrowserCookies;
use crate::clock::random;
use crate::provider::Provider;
use crate::session::SignedIn;

/// A new flow about to show its first page.
pub(crate) struct NewFlow<'a> {
    pub(crate) origin: Origin,
    pub(crate) client: Option<&'a Client>,
    pub(crate) policy: &'a str,
    pub(crate) entry: Entry,
    /// Keyed hash of the mailed link it begins with, and what became of it.
    pub(crate) link: Option<(KeyedHash, LinkState)>,
    pub(crate) signed_in: &'a SignedIn,
}

impl<'a> NewFlow<'a> {
    /// For an authorization request.
    pub(crate) fn for_request(
        request: AuthorizationRequest,
        client: &'a Client,
        policy: &'a str,
        signed_in: &'a SignedIn,
    ) -> Self {
        let origin = Origin::Request(Box::new(request));
        Self { origin, client: Some(client), policy, entry: Entry::Authorize, link: None, signed_in }
    }

    /// For a device.
    pub(crate) fn for_device(client: &'a Client, user_code: String, signed_in: &'a SignedIn) -> Self {
        let origin = Origin::Device { client: client.id.clone(), user_code };
        let policy = client.default_policy.as_str();
        Self { origin, client: Some(client), policy, entry: Entry::Authorize, link: None, signed_in }
    }

    /// For the account page.
    pub(crate) const fn for_account(policy: &'a str, signed_in: &'a SignedIn) -> Self {
        Self { origin: Origin::Account, client: None, policy, entry: Entry::Authorize, link: None, signed_in }
    }

    /// For a page of the console.
    pub(crate) const fn for_setup(place: SetupPlace, policy: &'a str, signed_in: &'a SignedIn) -> Self {
        let origin = Origin::Setup(place);
        Self { origin, client: None, policy, entry: Entry::Authorize, link: None, signed_in }
    }
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
        let bound = cookies.bind(&self.vault)?;
        let visit = Visit {
            flow: FlowId::new(random()?),
            seed: random()?,
            version: 0,
            context,
            locale,
            client: new.client,
            origin: &new.origin,
            signed_in: new.signed_in,
            link: new.link.as_ref().map(|(hash, _)| *hash),
            browser: bound.hash,
            device: cookies.device_secret(),
            subject: None,
            approved: None,
            ticket: None,
            agreed: None,
            evidence: None,
        };
        let mut facts = self.opening_facts(&visit, Some(new.policy), now);
        facts.link = new.link.map(|(_, state)| state).unwrap_or_default();
        facts.webhooks = self.ask_opening_webhooks(&visit, new.policy, new.entry).await?;
        let advance = countersign_flow::begin(self.policies.set(), new.policy, new.entry, &facts, now)
            .map_err(|_| ServiceError::Internal("a policy did not begin"))?;
        let mut answered = match &advance.next {
            Next::Page | Next::Stop { .. } => self.show_first(&visit, advance, now).await?,
            Next::Federate { .. } => self.store_first(&visit, advance, now).await?,
            _ => respond(visit.flow, self.finish(&visit, &advance, now).await?),
        };
        answered.cookies.binding = bound.new_secret;
        Ok(answered)
    }

    /// The first page, which holds everything: nothing is stored until it is answered.
    async fn show_first(&self, visit: &Visit<'_>, advance: Advance, now: Timestamp) -> Result<Answered, ServiceError> {
        let ends_at = advance.instance.end(self.policies.set()).unwrap_or(now);
        let running = Running { seed: [0; 16], ..running(visit, advance) };
        let start = record::seal_start(&self.vault, visit.flow, &running, ends_at)?;
        let page = self.page(visit.flow, &running, visit.client, 1, Some(start), now).await?;
        Ok(Answered::plain(Answer::Page(Box::new(page))))
    }

    /// A flow that leaves for an upstream provider at once is stored at once: its answer comes back to it.
    async fn store_first(&self, visit: &Visit<'_>, advance: Advance, now: Timestamp) -> Result<Answered, ServiceError> {
        let end = advance.instance.end(self.policies.set()).unwrap_or(now);
        self.store_new(visit.flow, running(visit, advance), end, visit.context, now).await?;
        Ok(see_flow(visit.flow, false))
    }

    async fn store_new(
        &self,
        flow: FlowId,
        running: Running,
        end: Timestamp,
        context: &RequestContext,
        now: Timestamp,
    ) -> Result<(), ServiceError> {
        self.charge_start(flow, context).await?;
        let idle = running.instance.idle(self.policies.set()).unwrap_or(LEASE);
        let client = running.origin.client().cloned();
        let body = record::seal(&self.vault, flow, &FlowRecord::Running(Box::new(running)))?;
        if self.short_lived.create(flow, &body, end, idle).await? {
            let event = audit::event(context, now, AuditKind::FlowStarted, AuditOutcome::Success)?.flow(flow);
            let event = match &client {
                Some(client) => event.client(client),
                None => event,
            };
            self.write_events(&[event.build()]).await?;
        }
        Ok(())
    }

    pub(super) async fn create_instance(
        &self,
        call: FlowCall<'_>,
        start: &str,
        browser: &KeyedHash,
    ) -> Result<(), ServiceError> {
        let now = self.clock.now();
        let Some((running, end)) = record::open_start(&self.vault, call.flow, start) else { return Ok(()) };
        if running.browser != *browser || end <= now {
            return Ok(());
        }
        // Drawn here, not when the page was made: a start that is posted again after its flow is forgotten begins
        // another flow, whose codes and secrets are other ones.
        let running = Running { seed: random()?, ..running };
        self.store_new(call.flow, running, end, call.context, now).await
    }

    /// A form whose nonce or cookie does not hold: from a first page the flow starts anew, with the same request.
    pub(super) async fn recover_start(&self, call: FlowCall<'_>, form: &FlowForm) -> Result<Answered, ServiceError> {
        if call.cookies.binding.is_none() {
            // Another site's form, or a browser without cookies: a new binding would end this browser's other flows.
            return Ok(Answered::plain(Answer::Gone));
        }
        let start = form.start.as_ref().and_then(|start| record::open_start(&self.vault, call.flow, start));
        let Some((running, _)) = start.filter(|(_, end)| self.clock.now() < *end) else {
            return Ok(see_flow(call.flow, true));
        };
        match self.find_client_of(&running.origin).await? {
            Some(client) => self.restart_flow(running, client.as_ref(), call).await,
            None => Ok(Answered::plain(Answer::Gone)),
        }
    }

    /// The client of a flow, none on the account page; nothing at all when it is there no more.
    pub(super) async fn find_client_of(&self, origin: &Origin) -> Result<Option<Option<Client>>, ServiceError> {
        match origin.client() {
            None => Ok(Some(None)),
            Some(id) => Ok(self.find_client(id).await?.filter(|client| !client.disabled).map(Some)),
        }
    }

    /// The policy of `request`, from its start.
    fn policy_of(&self, request: &AuthorizationRequest, client: &Client) -> String {
        choose_policy(request, client, self.policies.choices()).unwrap_or_else(|_| client.default_policy.clone())
    }

    /// Begins anew what can not go on: a request by its client's policy, a link by its own, the rest where it came from.
    pub(super) async fn restart_flow(
        &self,
        running: Running,
        client: Option<&Client>,
        call: FlowCall<'_>,
    ) -> Result<Answered, ServiceError> {
        let locale = running.locale_of(call).to_owned();
        if let Some(link) = &running.link {
            return self.show_link_again(link, call, &locale).await;
        }
        let (Some(request), Some(client)) = (running.origin.request().cloned(), client) else {
            let way_back = self.way_back(&running.origin, client);
            return Ok(Answered::plain(Answer::Respond(Response::Redirect(way_back))));
        };
        let signed_in = self.load_signed_in(call.cookies, self.clock.now()).await?;
        let policy = self.policy_of(&request, client);
        let new = NewFlow::for_request(request, client, &policy, &signed_in);
        let answered = self.begin_flow(new, call.cookies, &locale, call.context).await?;
        Ok(marked_out_of_date(answered))
    }

    /// LOGIN on a stop page: the client's policy from its start, on the same request.
    pub(super) fn start_again(
        &self,
        visit: &Visit<'_>,
        stopped: Advance,
        facts: &Facts,
        now: Timestamp,
    ) -> Result<Advance, ServiceError> {
        let (request, client) = visit.request().ok_or(ServiceError::Internal("a restart without a request"))?;
        let policy = self.policy_of(request, client);
        let mut again = countersign_flow::begin(self.policies.set(), &policy, Entry::Authorize, facts, now)
            .map_err(|_| ServiceError::Internal("the client's policy did not begin"))?;
        again.effects.splice(0..0, stopped.effects);
        Ok(again)
    }
}

/// Tells on a page that the one before it was out of date.
pub(crate) fn marked_out_of_date(mut answered: Answered) -> Answered {
    if let Answer::Page(page) = &mut answered.answer {
        page.out_of_date = true;
    }
    answered
}

fn running(visit: &Visit<'_>, advance: Advance) -> Running {
    Running {
        browser: visit.browser,
        seed: visit.seed,
        locale: visit.locale.to_owned(),
        origin: visit.origin.clone(),
        link: visit.link,
        instance: advance.instance,
    }
}
