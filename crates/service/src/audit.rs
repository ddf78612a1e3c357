//! Builds the events of the audit. The caller writes them in the transaction of what they report.

use std::net::Ipv6Addr;

use countersign_model::{AuditEvent, AuditId, AuditKind, AuditOutcome, ClientId, FlowId, GrantId, Timestamp, UserId};
use countersign_protocol::ShownCertificate;
use serde_json::{Map, Value};

use crate::ServiceError;
use crate::clock::random;

/// Where a request came from, as the server saw it.
#[derive(Clone, Debug, Default)]
pub struct RequestContext {
    /// Id of the request, in the log and on error pages.
    pub request_id: String,
    /// Address of the other side.
    pub address: Option<String>,
    /// What the browser says of itself.
    pub user_agent: Option<String>,
    /// The certificate its TLS client showed, on a listener that asks for one.
    pub certificate: Option<ShownCertificate>,
}

impl RequestContext {
    /// What is counted as one address: of IPv6 the /64, since who has one address of it has them all.
    pub(crate) fn network(&self) -> Option<String> {
        let address = self.address.as_deref()?;
        let network = |v6: Ipv6Addr| Ipv6Addr::from(u128::from(v6) & (u128::MAX << 64)).to_string();
        Some(address.parse::<Ipv6Addr>().map_or_else(|_| address.to_owned(), network))
    }
}

/// Starts an event about something that happened in `context` at `now`.
pub(crate) fn event(
    context: &RequestContext,
    now: Timestamp,
    kind: AuditKind,
    outcome: AuditOutcome,
) -> Result<EventBuilder, ServiceError> {
    Ok(EventBuilder(AuditEvent {
        id: AuditId::new(now, random()?),
        at: now,
        kind,
        outcome,
        subject: None,
        client: None,
        grant: None,
        jti: None,
        flow: None,
        request: Some(context.request_id.clone()).filter(|id| !id.is_empty()),
        address: context.address.clone(),
        detail: Map::new(),
    }))
}

/// An event that is being described.
#[derive(Clone)]
pub(crate) struct EventBuilder(AuditEvent);

impl EventBuilder {
    pub(crate) fn subject(mut self, user: Option<&UserId>) -> Self {
        self.0.subject = user.cloned();
        self
    }

    pub(crate) fn client(mut self, client: &ClientId) -> Self {
        self.0.client = Some(client.clone());
        self
    }

    pub(crate) fn grant(mut self, grant: &GrantId) -> Self {
        self.0.grant = Some(grant.clone());
        self
    }

    pub(crate) fn jti(mut self, jti: &str) -> Self {
        self.0.jti = Some(jti.to_owned());
        self
    }

    pub(crate) fn flow(mut self, flow: FlowId) -> Self {
        self.0.flow = Some(flow_tag(flow));
        self
    }

    pub(crate) fn detail(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.detail.insert(name.to_owned(), value.into());
        self
    }

    pub(crate) fn details(mut self, more: Map<String, Value>) -> Self {
        self.0.detail.extend(more);
        self
    }

    pub(crate) fn build(self) -> AuditEvent {
        self.0
    }
}

/// The half of a flow's id that logs and the audit may show: enough to correlate, useless to resume.
pub fn flow_tag(flow: FlowId) -> String {
    flow.to_string().chars().take(11).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(address: &str) -> Option<String> {
        RequestContext { address: Some(address.to_owned()), ..RequestContext::default() }.network()
    }

    #[test]
    fn who_has_one_address_of_a_v6_network_is_counted_for_all_of_it() {
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), network("2001:db8:1:2::1"));
        assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:1:3::1"));
        assert_eq!(network("192.0.2.7").as_deref(), Some("192.0.2.7"));
    }
}
