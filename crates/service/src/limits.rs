//! Budgets of a network, over every flow, account and node.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_model::{FlowId, Seconds};
use countersign_store::{Charged, CounterLimit};

use crate::ServiceError;
use crate::audit::RequestContext;
use crate::provider::Provider;
use crate::vault::Purpose;

impl Provider {
    /// Counts one `name` for the network of the request; the wait, when its minute is used up.
    pub(crate) async fn charge_network(
        &self,
        context: &RequestContext,
        name: &str,
        allowed: u32,
    ) -> Result<Option<Seconds>, ServiceError> {
        self.charge_network_once(context, name, allowed, &[]).await
    }

    /// The same, counting what has the same `once` one time.
    pub(crate) async fn charge_network_once(
        &self,
        context: &RequestContext,
        name: &str,
        allowed: u32,
        once: &[u8],
    ) -> Result<Option<Seconds>, ServiceError> {
        let Some(network) = context.network() else { return Ok(None) };
        let key = self.counter_name("address", name, &network);
        let limit = CounterLimit { allowed, window: Seconds::minutes(1), lock: None };
        match self.short_lived.charge(&key, once, &limit).await? {
            Charged::Allowed { .. } => Ok(None),
            Charged::Refused { retry_after } => {
                metrics::counter!("countersign_limits_reached_total", "limit" => format!("address/{name}"))
                    .increment(1);
                Ok(Some(retry_after))
            }
        }
    }

    /// Charges the network for a record that a visit keeps: one time for the same `id`.
    pub(crate) async fn charge_start(&self, id: FlowId, context: &RequestContext) -> Result<(), ServiceError> {
        let starts = self.settings.address_limits.starts;
        let refused = self.charge_network_once(context, "starts", starts, id.as_bytes()).await?;
        refused.map_or(Ok(()), |wait| Err(ServiceError::Busy(wait)))
    }

    /// Whether a text or call may go to `number` now: its country is allowed, and those who share all but its last four
    /// digits did not use up their hour. Who pumps traffic owns whole ranges of numbers.
    pub(crate) async fn charge_number(&self, number: &str, once: &[u8]) -> Result<bool, ServiceError> {
        if !self.may_reach(number) {
            return Ok(Self::refuse_number("country"));
        }
        let key = self.counter_name("prefix", "send", prefix(number));
        let allowed = self.settings.telephone.prefix_sends;
        let limit = CounterLimit { allowed, window: Seconds::hours(1), lock: None };
        match self.short_lived.charge(&key, once, &limit).await? {
            Charged::Allowed { .. } => Ok(true),
            Charged::Refused { .. } => Ok(Self::refuse_number("prefix")),
        }
    }

    /// Whether `number` belongs to a country whose numbers may be used.
    pub(crate) fn may_reach(&self, number: &str) -> bool {
        // Numbers with their `+` say their country themselves.
        let read = countersign_flow::phone::read("US", number).ok().filter(|_| number.starts_with('+'));
        read.is_some_and(|number| self.settings.telephone.countries.contains(&number.country))
    }

    fn refuse_number(limit: &'static str) -> bool {
        metrics::counter!("countersign_limits_reached_total", "limit" => format!("number/{limit}")).increment(1);
        false
    }

    /// A counter's name: what it counts is hashed, so that the store never holds an address or a number.
    pub(crate) fn counter_name(&self, scope: &str, name: &str, subject: &str) -> String {
        let hash = self.vault.derive(Purpose::Counter, &[scope.as_bytes(), name.as_bytes(), subject.as_bytes()]);
        URL_SAFE_NO_PAD.encode(&hash[..18])
    }
}

/// A number without its last four digits.
fn prefix(number: &str) -> &str {
    number.len().checked_sub(4).and_then(|end| number.get(..end)).unwrap_or(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_one_range_share_a_prefix() {
        assert_eq!(prefix("+12025553661"), prefix("+12025550000"));
        assert_ne!(prefix("+12025553661"), prefix("+12025563661"));
        assert_eq!(prefix("+1"), "+1");
    }
}
