//! Budgets of a network, over every flow, account and node.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_model::Seconds;
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

    /// A counter's name: what it counts is hashed, so that the store never holds an address or a number.
    pub(crate) fn counter_name(&self, scope: &str, name: &str, subject: &str) -> String {
        let hash = self.vault.derive(Purpose::Counter, &[scope.as_bytes(), name.as_bytes(), subject.as_bytes()]);
        URL_SAFE_NO_PAD.encode(&hash[..18])
    }
}
