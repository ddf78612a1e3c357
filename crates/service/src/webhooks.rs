//! Webhooks: the deployment's own servers, asked by guards and told by effects.
//!
//! What they are sent names people by our ids alone: no address, no number, nothing typed. A guard that is not answered
//! in time counts as its policy declares; it proves nothing either way.

use std::collections::BTreeMap;
use std::time::Duration;

use countersign_flow::language;
use countersign_model::{AuditKind, AuditOutcome, ClientId, OutboxId, Seconds, UserId};
use countersign_outbound::webhook::Webhook;
use countersign_outbound::{CallError, SendError};
use futures_util::future::join_all;
use serde_json::{Map, Value, json};

use crate::ServiceError;
use crate::audit;
use crate::flow::Visit;
use crate::provider::Provider;

/// The longest a guard may take, whatever its policy says: shorter than the lease of a flow's version.
const MAX_WITHIN: Seconds = Seconds::new(5);
/// Limit of one delivery.
const DELIVERY: Duration = Duration::from_secs(10);

/// The webhooks of the configuration, by name.
pub(crate) type Webhooks = BTreeMap<String, Webhook>;

impl Provider {
    /// Asks the webhooks of `names` at once. Which of them `policy` declares says how long each may take, and what
    /// counts when it does not answer.
    pub(crate) async fn ask_webhooks(
        &self,
        visit: &Visit<'_>,
        policy: &language::Policy,
        names: &[String],
        user: Option<&UserId>,
    ) -> Result<BTreeMap<String, bool>, ServiceError> {
        let body = |name: &str| question(visit, policy, name, user);
        let answers = join_all(names.iter().map(|name| self.ask_one(name, self.rule(policy, name), body(name)))).await;
        let mut failures = Vec::new();
        for (name, answer) in names.iter().zip(&answers) {
            let Err(error) = answer else { continue };
            tracing::warn!(%error, webhook = name, "a guard was not answered");
            let event = audit::event(visit.context, self.clock.now(), AuditKind::WebhookFailed, AuditOutcome::Failure)?
                .subject(user)
                .flow(visit.flow)
                .detail("webhook", name.as_str())
                .detail("policy", policy.id.as_str());
            failures.push(event.build());
        }
        if !failures.is_empty() {
            self.write_events(&failures).await?;
        }
        let told = |(name, answer): (&String, Result<bool, CallError>)| {
            (name.clone(), answer.unwrap_or_else(|_| self.rule(policy, name).fail))
        };
        Ok(names.iter().zip(answers).map(told).collect())
    }

    /// What guards ask before a flow's first page.
    pub(crate) async fn ask_opening_webhooks(
        &self,
        visit: &Visit<'_>,
        policy: &str,
        entry: language::Entry,
    ) -> Result<BTreeMap<String, bool>, ServiceError> {
        let needs = countersign_flow::begin_needs(self.policies.set(), policy, entry).unwrap_or_default();
        match self.policies.set().get(policy) {
            Some(policy) if !needs.webhooks.is_empty() => self.ask_webhooks(visit, policy, &needs.webhooks, None).await,
            _ => Ok(BTreeMap::new()),
        }
    }

    async fn ask_one(&self, name: &str, rule: language::Webhook, body: Value) -> Result<bool, CallError> {
        let webhook = self.webhooks.get(name);
        let webhook = webhook.ok_or_else(|| CallError::Permanent("not in the configuration".to_owned()))?;
        let within = Duration::from_secs(rule.within.min(MAX_WITHIN).get().into());
        match tokio::time::timeout(within, webhook.ask(&body, self.clock.now(), within)).await {
            Ok(answer) => answer,
            Err(_) => Err(CallError::Temporary("no answer in time".to_owned())),
        }
    }

    /// How `policy` declares `name`, else how a policy it switches to does; one that nobody declares says no at once.
    fn rule(&self, policy: &language::Policy, name: &str) -> language::Webhook {
        let find = |policy: &language::Policy| policy.webhooks.iter().find(|webhook| webhook.name == name).cloned();
        let declared = find(policy).or_else(|| self.policies.set().iter().find_map(find));
        declared.unwrap_or_else(|| language::Webhook { name: name.to_owned(), within: Seconds::new(1), fail: false })
    }

    /// What an effect tells a webhook, as the outbox keeps it.
    pub(crate) fn webhook_payload(&self, visit: &Visit<'_>, name: &str, user: Option<&UserId>) -> String {
        let body = json!({
            "type": "event",
            "webhook": name,
            "issuer": self.settings.issuer.as_str(),
            "at": self.clock.now().as_secs(),
            "subject": user.map(UserId::as_str),
            "client": client_of(visit),
            "flow": audit::flow_tag(visit.flow),
        });
        body.to_string()
    }

    /// Tells the webhook `name` what [`Provider::webhook_payload`] wrote.
    /// Every try carries the same `id`.
    pub(crate) async fn deliver_webhook(&self, name: &str, payload: &str, id: &OutboxId) -> Result<(), SendError> {
        let refuse = |why: &str| SendError::Permanent(why.to_owned());
        let webhook = self.webhooks.get(name).ok_or_else(|| refuse("the webhook is not in the configuration"))?;
        let body: Option<Map<String, Value>> = serde_json::from_str(payload).ok();
        let mut body = body.ok_or_else(|| refuse("not a webhook's message"))?;
        body.insert("id".to_owned(), id.as_str().into());
        let body = Value::Object(body);
        // Repeated where it may have arrived: the receiver tells by its id.
        webhook.notify(&body, self.clock.now(), DELIVERY).await.map_err(|error| match error {
            CallError::Temporary(why) => SendError::Temporary(why),
            CallError::Permanent(why) => SendError::Permanent(why),
        })
    }
}

fn question(visit: &Visit<'_>, policy: &language::Policy, name: &str, user: Option<&UserId>) -> Value {
    json!({
        "type": "guard",
        "webhook": name,
        "policy": policy.id,
        "subject": user.map(UserId::as_str),
        "client": client_of(visit),
        "locale": visit.locale,
        "address": visit.context.address,
        "flow": audit::flow_tag(visit.flow),
    })
}

fn client_of<'a>(visit: &Visit<'a>) -> Option<&'a str> {
    visit.client.map(|client| &client.id).map(ClientId::as_str)
}
