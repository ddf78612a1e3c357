//! What a waiting page asks again and again: one read of the short-lived store, and one of the outbox while a text or
//! call is under way.

use countersign_flow::{Input, Instance, Needs};
use countersign_model::{FlowId, KeyedHash, Timestamp};

use super::FlowCall;
use super::record::{self, FlowRecord};
use crate::ServiceError;
use crate::provider::Provider;

/// What a waiting page learns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowState {
    /// Version of the instance; another than the page's: the page is out of date.
    pub version: u32,
    /// Whether the call of the challenge in hand was answered as asked.
    pub approved: bool,
    /// Whether the text or call that was sent last will never arrive.
    pub undeliverable: bool,
}

/// What an instance waits for.
pub(crate) struct Waiting {
    version: u32,
    browser: KeyedHash,
    pub(crate) seed: [u8; 16],
    /// Challenge whose call is under way.
    pub(crate) call: Option<u32>,
    approved: Option<u32>,
    /// Label of the send that is under way.
    delivery: Option<String>,
}

impl Provider {
    /// What became of the text or call that a page waits for; none when the flow is gone or another browser's.
    pub async fn flow_state(&self, call: FlowCall<'_>) -> Result<Option<FlowState>, ServiceError> {
        let Some(browser) = call.cookies.binding_hash(&self.vault) else { return Ok(None) };
        let waiting = self.find_waiting(call.flow).await?;
        let Some(waiting) = waiting.filter(|waiting| waiting.browser == browser) else { return Ok(None) };
        let undeliverable = match &waiting.delivery {
            Some(label) => self.is_undeliverable(&waiting.seed, label).await?,
            None => false,
        };
        let approved = waiting.call.is_some() && waiting.call == waiting.approved;
        Ok(Some(FlowState { version: waiting.version, approved, undeliverable }))
    }

    /// What Continue would need to know is what a page waits for.
    fn awaited_needs(&self, instance: &Instance, now: Timestamp) -> Needs {
        let input = Input { control: "continue".to_owned(), ..Input::default() };
        countersign_flow::needs(self.policies.set(), instance, &input, now)
    }

    /// The challenge whose call `before` waited for and `after` waits for still.
    pub(super) fn still_awaited(&self, before: &Instance, after: &Instance, now: Timestamp) -> Option<u32> {
        let awaited = self.awaited_needs(before, now).approval?;
        self.awaited_needs(after, now).approval.filter(|challenge| *challenge == awaited)
    }

    /// What `flow` waits for; none when it is gone or at its end.
    pub(crate) async fn find_waiting(&self, flow: FlowId) -> Result<Option<Waiting>, ServiceError> {
        let Some(stored) = self.short_lived.load(flow).await? else { return Ok(None) };
        let Some(FlowRecord::Running(running)) = record::open(&self.vault, flow, &stored.body) else { return Ok(None) };
        let needs = self.awaited_needs(&running.instance, self.clock.now());
        Ok(Some(Waiting {
            version: stored.version,
            browser: running.browser,
            seed: running.seed,
            call: needs.approval,
            approved: stored.approved,
            delivery: needs.delivery,
        }))
    }
}
