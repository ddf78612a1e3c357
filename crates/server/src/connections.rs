//! The servers of others that the configuration names: upstream providers and webhooks.

use std::path::PathBuf;
use std::time::Duration;

use countersign_service::outbound::upstream::{Upstream, UpstreamSettings};
use countersign_service::outbound::webhook::{Webhook, WebhookSettings};
use countersign_service::outbound::{
    AuditSink, HttpClient, HttpSettings, LegacyConnector, LegacySettings, Syslog, SyslogSettings,
};
use countersign_service::policy::PolicySet;
use countersign_service::policy::language::StepKind;
use countersign_service::{ClaimNames, EntryForm, FederationSettings, LinkRule};
use url::Url;

use crate::config::{self, Config, Federation, FederationLink};

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
    let named = config.webhooks.iter();
    let open = |(name, webhook): (&String, _)| Ok((name.clone(), open_webhook(webhook, &format!("webhooks.{name}"))?));
    named.map(open).collect()
}

/// The webhook that stands in `section` of the configuration.
fn open_webhook(webhook: &config::Webhook, section: &str) -> Result<Webhook, String> {
    let url = Url::parse(&webhook.url).map_err(|error| format!("{section}.url: {error}"))?;
    let secret = webhook.secret(section).map_err(|error| error.to_string())?;
    let http = http_client(webhook.allow_private, webhook.ca_file.clone())?;
    Webhook::new(WebhookSettings { url, secret }, http).map_err(|error| format!("{section}: {error}"))
}

/// Every system that is given the audit log, by name, and how it is told.
pub(crate) fn open_audit_sinks(config: &Config) -> Result<Vec<(String, AuditSink, EntryForm)>, String> {
    let hostname = Url::parse(&config.server.issuer).ok().and_then(|url| url.host_str().map(ToOwned::to_owned));
    let hostname = hostname.unwrap_or_else(|| "countersign".to_owned());
    let open = |(name, sink): (&String, &config::AuditSink)| {
        Ok((name.clone(), open_audit_sink(sink, &format!("audit.sinks.{name}"), &hostname)?, sink.form))
    };
    config.audit.sinks.iter().map(open).collect()
}

fn open_audit_sink(sink: &config::AuditSink, section: &str, hostname: &str) -> Result<AuditSink, String> {
    if let Some(webhook) = &sink.webhook {
        return open_webhook(webhook, &format!("{section}.webhook")).map(AuditSink::Webhook);
    }
    let Some(receiver) = sink.syslog.clone() else { return Err(format!("{section}: either webhook or syslog")) };
    let settings = SyslogSettings {
        host: receiver.host,
        port: receiver.port,
        ca_file: receiver.ca_file,
        certificate: receiver.certificate_file.zip(receiver.key_file),
        hostname: hostname.to_owned(),
    };
    Syslog::new(settings).map(AuditSink::Syslog).map_err(|error| format!("{section}.syslog: {error}"))
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
