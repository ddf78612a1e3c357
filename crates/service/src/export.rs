//! Everything that is held on a person, for themselves: no hash, no seed, no key.

use countersign_model::{
    AuditEvent, AuditKind, FactorKind, FederatedIdentity, KnownDevice, OutboxMessage, TermsAcceptance, Timestamp,
};
use serde_json::{Value, json};

use crate::account_page::OwnAccount;

/// Template of codes.
const CODE: &str = "verification_code";

/// What is held.
pub(crate) struct Held<'a> {
    pub(crate) own: &'a OwnAccount,
    pub(crate) events: Vec<AuditEvent>,
    pub(crate) devices: Vec<KnownDevice>,
    pub(crate) terms: Vec<TermsAcceptance>,
    pub(crate) federated: Vec<FederatedIdentity>,
    pub(crate) messages: Vec<OutboxMessage>,
}

impl Held<'_> {
    /// As a document; times are seconds since the epoch.
    pub(crate) fn into_json(self, now: Timestamp) -> Value {
        let (own, user) = (self.own, &self.own.account.user);
        json!({
            "exported_at": now.as_secs(),
            "account": {
                "id": user.id.as_str(),
                "email": user.email,
                "username": user.username,
                "status": user.status.as_str(),
                "organization": user.organization.as_ref().map(countersign_model::OrganizationId::as_str),
                "roles": user.roles,
                "profile": user.profile,
                "fax": user.fax,
                "locale": user.locale,
                "terms_version": user.terms_version,
                "registered_at": user.registered_at.map(Timestamp::as_secs),
                "created_at": user.created_at.as_secs(),
                "updated_at": user.updated_at.as_secs(),
                "password_set_at": own.account.password.as_ref().map(|password| password.changed_at.as_secs()),
                "legacy_password_imported_at": own.account.legacy.as_ref().map(|legacy| legacy.imported_at.as_secs()),
            },
            "factors": own.account.factors.iter().map(factor).collect::<Vec<_>>(),
            "recovery_codes": own.recovery_codes.iter().map(|code| json!({
                "created_at": code.created_at.as_secs(), "used_at": code.used_at.map(Timestamp::as_secs),
            })).collect::<Vec<_>>(),
            "sessions": own.sessions.iter().map(session).collect::<Vec<_>>(),
            "remembered_logins": own.remembered.iter().map(|(_, login)| json!({
                "policy": login.policy, "device": login.device, "created_at": login.created_at.as_secs(),
                "expires_at": login.expires_at.as_secs(),
            })).collect::<Vec<_>>(),
            "consents": own.consents.iter().map(|(name, consent)| json!({
                "application": name, "client": consent.client, "scope": consent.scope.to_string(),
                "claims": consent.claims, "at": consent.given_at.as_secs(),
            })).collect::<Vec<_>>(),
            "applications": own.grants.iter().map(|(name, grant)| json!({
                "name": name, "client": grant.client.as_str(), "scope": grant.scope.to_string(),
                "created_at": grant.created_at.as_secs(),
            })).collect::<Vec<_>>(),
            "known_devices": self.devices.iter().map(|device| json!({
                "description": device.description, "first_seen_at": device.first_seen_at.as_secs(),
                "last_seen_at": device.last_seen_at.as_secs(),
            })).collect::<Vec<_>>(),
            "terms_accepted": self.terms.iter().map(|terms| json!({
                "document": terms.document, "version": terms.version, "accepted_at": terms.accepted_at.as_secs(),
            })).collect::<Vec<_>>(),
            "federated_identities": self.federated.iter().map(|known| json!({
                "provider": known.provider, "subject": known.subject, "email": known.email,
            })).collect::<Vec<_>>(),
            "messages": self.messages.iter().filter(|message| is_own(message)).map(|message| json!({
                "channel": message.channel, "template": message.template, "state": message.state.as_str(),
                "created_at": message.created_at.as_secs(),
            })).collect::<Vec<_>>(),
            "events": self.events.iter().filter(|event| !is_of_code(event)).map(event).collect::<Vec<_>>(),
        })
    }
}

/// Whether a message was for the person: codes go to addresses they only typed, too, and whether one went there or was
/// pretended tells whether somebody else has that address.
fn is_own(message: &OutboxMessage) -> bool {
    message.channel != "none" && message.template.as_deref() != Some(CODE)
}

/// Whether an event tells of such a message.
fn is_of_code(event: &AuditEvent) -> bool {
    let detail = |name: &str| event.detail.get(name).and_then(Value::as_str).unwrap_or_default();
    let is_send = matches!(event.kind, AuditKind::SendQueued | AuditKind::SendDelivered | AuditKind::SendFailed);
    is_send && (detail("channel") == "none" || matches!(detail("template"), CODE | ""))
}

/// Addresses and numbers are the person's own; seeds and public keys are not told.
fn factor(factor: &countersign_model::Factor) -> Value {
    let value = matches!(factor.kind, FactorKind::Mailbox | FactorKind::Phone).then_some(&factor.value);
    json!({
        "kind": factor.kind.as_str(), "value": value, "name": factor.name, "bound_at": factor.bound_at.as_secs(),
        "used_at": factor.used_at.map(Timestamp::as_secs),
    })
}

fn session(session: &countersign_model::BrowserSession) -> Value {
    json!({
        "device": session.device, "address": session.address, "policy": session.authentication.policy,
        "created_at": session.created_at.as_secs(), "seen_at": session.seen_at.as_secs(),
        "expires_at": session.expires_at.as_secs(),
    })
}

fn event(event: &AuditEvent) -> Value {
    json!({
        "at": event.at.as_secs(), "kind": event.kind.as_str(), "outcome": event.outcome.as_str(),
        "client": event.client.as_ref().map(countersign_model::ClientId::as_str), "address": event.address, "detail": event.detail,
    })
}
