//! The servers of others that the configuration names: upstream providers and webhooks.

use std::path::PathBuf;
use std::time::Duration;

use countersign_service::outbound::upstream::{Upstream, UpstreamSettings};
use countersign_service::outbound::webhook::{Webhook, WebhookSettings};
use countersign_service::outbound::{HttpClient, HttpSettings, LegacyConnector, LegacySettings};
use countersign_service::policy::PolicySet;
use countersign_service::policy::language::StepKind;
use countersign_service::{ClaimNames, FederationSettings, LinkRule};
use url::Url;

use crate::config::{Config, Federation, FederationLink};

/// Limit of one exchange; a sign-in needs two or three, and its flow waits no longer than ten seconds.
const TIMEOUT: Duration = Duration::from_secs(6);

/// Every upstream provider.
pub(crate) fn open_upstreams(config: &Config) -> Result<Vec<FederationSettings>, String> {
    let open =
        |upstream: &Federation| open_upstream(upstream).map_err(|why| format!("federation {:?}: {why}", upstream.id));
    config.federation.iter().map(open).collect()
}

fn open_upstream(upstream: &Federation) -> Result<FederationSettings, String> {
    let settings = UpstreamSettings {
        issuer: upstream.issuer.clone(),
        client_id: upstream.client_id.clone(),
        client_secret: upstream.secret().map_err(|error| error.to_string())?,
        timeout: TIMEOUT,
    };
    let http = http_client(upstream.allow_private, upstream.ca_file.clone())?;
    let claim = |name: &str| upstream.claims.get(name).cloned().unwrap_or_else(|| name.to_owned());
    Ok(FederationSettings {
        id: upstream.id.clone(),
        upstream: Upstream::new(settings, http).map_err(|error| error.to_string())?,
        scopes: upstream.scopes.clone(),
        domains: upstream.domains.clone(),
        link: match upstream.link {
            FederationLink::Create => LinkRule::Create,
            FederationLink::Existing => LinkRule::Existing,
        },
        claims: ClaimNames {
            email: claim("email"),
            given_name: claim("given_name"),
            family_name: claim("family_name"),
        },
    })
}

/// Every webhook, by name.
pub(crate) fn open_webhooks(config: &Config) -> Result<Vec<(String, Webhook)>, String> {
    let open = |name: &str, webhook: &crate::config::Webhook| {
        let url = Url::parse(&webhook.url).map_err(|error| format!("url: {error}"))?;
        let secret = webhook.secret(&format!("webhooks.{name}")).map_err(|error| error.to_string())?;
        let http = http_client(webhook.allow_private, webhook.ca_file.clone())?;
        Webhook::new(WebhookSettings { url, secret }, http).map_err(|error| error.to_string())
    };
    let named = config.webhooks.iter();
    let opened = named.map(|(name, webhook)| match open(name, webhook) {
        Ok(webhook) => Ok((name.clone(), webhook)),
        Err(why) => Err(format!("webhooks.{name}: {why}")),
    });
    opened.collect()
}

/// The legacy portal, if there is one.
pub(crate) fn open_legacy_portal(config: &Config) -> Result<Option<LegacyConnector>, String> {
    let Some(portal) = &config.legacy_portal else { return Ok(None) };
    let named = |why: &dyn std::fmt::Display| format!("legacy_portal: {why}");
    let settings = LegacySettings {
        url: Url::parse(&portal.url).map_err(|error| named(&error))?,
        secret: portal.secret("legacy_portal").map_err(|error| error.to_string())?,
        timeout: TIMEOUT,
    };
    let http = http_client(portal.allow_private, portal.ca_file.clone()).map_err(|why| named(&why))?;
    LegacyConnector::new(settings, http).map(Some).map_err(|error| named(&error))
}

/// What calls addresses that clients registered.
pub(crate) fn open_outgoing(config: &Config) -> Result<HttpClient, String> {
    let outgoing = &config.outgoing;
    http_client(outgoing.allow_private, outgoing.ca_file.clone()).map_err(|why| format!("outgoing: {why}"))
}

fn http_client(allow_private: bool, ca_file: Option<PathBuf>) -> Result<HttpClient, String> {
    let settings = HttpSettings { timeout: TIMEOUT, ca_file, allow_private, ..HttpSettings::default() };
    HttpClient::new(&settings).map_err(|error| error.to_string())
}

/// The first thing that `policies` name and the configuration lacks.
pub(crate) fn check_names(config: &Config, policies: &PolicySet) -> Result<(), String> {
    for policy in policies.iter() {
        let providers = policy.steps.iter().filter_map(|step| match &step.kind {
            StepKind::Federate { provider } => Some(provider),
            _ => None,
        });
        for provider in providers {
            if !config.federation.iter().any(|upstream| upstream.id == *provider) {
                return Err(format!("policy {}: no [[federation]] has the id {provider:?}", policy.id));
            }
        }
        if let Some(webhook) = policy.webhooks.iter().find(|webhook| !config.webhooks.contains_key(&webhook.name)) {
            return Err(format!("policy {}: there is no [webhooks.{}]", policy.id, webhook.name));
        }
    }
    Ok(())
}
