//! An event as the Open Cybersecurity Schema Framework has it (OCSF 1.3.0): for systems that read many products' logs.

use countersign_model::{AuditEvent, AuditKind, AuditOutcome};
use serde_json::{Map, Value, json};

/// The schema's version.
pub const OCSF_VERSION: &str = "1.3.0";

const LOGON: u64 = 1;
const LOGOFF: u64 = 2;
const CREATE: u64 = 1;
const READ: u64 = 2;
const UPDATE: u64 = 3;
const DELETE: u64 = 4;
const PASSWORD_CHANGE: u64 = 3;
const FACTOR_ENABLE: u64 = 10;
const FACTOR_DISABLE: u64 = 11;
const OTHER: u64 = 99;

/// A class of events with the activity that a kind is in it.
enum Class {
    /// 3002: somebody signs in or out, or is given a credential.
    Authentication(u64),
    /// 3001: an account changes.
    AccountChange(u64),
    /// 3004: something that is managed changes: what it is.
    EntityManagement(u64, &'static str),
    /// 0: of no class.
    Base,
}

impl Class {
    /// A step of a sign-in that failed is a failed logon: what rules against guessing look for.
    fn of(event: &AuditEvent) -> Self {
        use AuditKind as Kind;
        let failed = event.outcome == AuditOutcome::Failure;
        match event.kind {
            Kind::FlowStep | Kind::FlowStopped | Kind::LimitReached if failed => Self::Authentication(LOGON),
            Kind::UserChanged => Self::AccountChange(change_of_account(event)),
            Kind::Login | Kind::SilentLogin => Self::Authentication(LOGON),
            Kind::SessionEnded => Self::Authentication(LOGOFF),
            Kind::FlowStarted
            | Kind::FlowStep
            | Kind::FlowStopped
            | Kind::LimitReached
            | Kind::LoginRemembered
            | Kind::LoginForgotten
            | Kind::CodeIssued
            | Kind::TokenIssued
            | Kind::TokenRefreshed
            | Kind::TokenExchanged
            | Kind::ReplayDetected
            | Kind::TokenRevoked
            | Kind::TokenIntrospected
            | Kind::ClientAuthenticationFailed
            | Kind::RecoveryCodeUsed
            | Kind::DeviceNew
            | Kind::DeviceDecided
            | Kind::FederationRefused
            | Kind::CallAnswered
            | Kind::LinkUsed => Self::Authentication(OTHER),
            Kind::AccountCreated => Self::AccountChange(CREATE),
            Kind::AccountClosed => Self::AccountChange(6),
            Kind::PasswordChanged => Self::AccountChange(PASSWORD_CHANGE),
            Kind::FactorBound | Kind::RecoveryCodesReplaced => Self::AccountChange(FACTOR_ENABLE),
            Kind::FactorUnbound => Self::AccountChange(FACTOR_DISABLE),
            Kind::RegistrationCompleted | Kind::TermsAccepted | Kind::PasswordRehashed | Kind::FederationLinked => {
                Self::AccountChange(OTHER)
            }
            Kind::ClientChanged => Self::EntityManagement(UPDATE, "client"),
            Kind::OrganizationChanged => Self::EntityManagement(UPDATE, "organization"),
            Kind::TimelineRead => Self::EntityManagement(READ, "timeline"),
            Kind::AdminRead => Self::EntityManagement(READ, "records"),
            Kind::ConsentGiven | Kind::ConsentDenied => Self::EntityManagement(UPDATE, "consent"),
            Kind::ConsentWithdrawn => Self::EntityManagement(DELETE, "consent"),
            Kind::KeyCreated => Self::EntityManagement(CREATE, "key"),
            Kind::KeyRemoved => Self::EntityManagement(DELETE, "key"),
            Kind::PolicyActivated => Self::EntityManagement(UPDATE, "policy"),
            Kind::PolicyWithdrawn => Self::EntityManagement(DELETE, "policy"),
            Kind::AuditExpired => Self::EntityManagement(DELETE, "audit"),
            Kind::SendQueued
            | Kind::SendDelivered
            | Kind::SendFailed
            | Kind::DeliveryStatus
            | Kind::LinkSent
            | Kind::RequestRefused
            | Kind::WebhookFailed => Self::Base,
        }
    }

    /// `class_uid` and `activity_id`; the category is the class without its last three digits.
    const fn numbers(&self) -> (u64, u64) {
        match self {
            Self::Authentication(activity) => (3002, *activity),
            Self::AccountChange(activity) => (3001, *activity),
            Self::EntityManagement(activity, _) => (3004, *activity),
            Self::Base => (0, OTHER),
        }
    }
}

/// `event`, which has the place `position` in the log, as an event of OCSF. What the schema has no place for is in `unmapped`.
#[must_use]
pub fn to_ocsf(position: u64, event: &AuditEvent) -> Value {
    let class = Class::of(event);
    let (number, activity) = class.numbers();
    let Value::Object(mut told) = json!({
        "metadata": {
            "version": OCSF_VERSION,
            "product": { "name": "Countersign", "vendor_name": "Countersign" },
            "uid": event.id.to_string(),
            "sequence": position,
            "event_code": event.kind.as_str(),
        },
        "time": event.at.as_millis(),
        "category_uid": number / 1000,
        "class_uid": number,
        "activity_id": activity,
        "type_uid": number * 100 + activity,
        "severity_id": severity(event),
        "status_id": if event.outcome == AuditOutcome::Success { 1 } else { 2 },
        "message": event.kind.as_str(),
        "unmapped": unmapped(event),
    }) else {
        return Value::Null;
    };
    if activity == OTHER {
        told.insert("activity_name".to_owned(), event.kind.as_str().into());
    }
    if let Some(address) = &event.address {
        told.insert("src_endpoint".to_owned(), json!({ "ip": address }));
    }
    match class {
        Class::Authentication(_) => {
            told.insert("user".to_owned(), user(event));
            let service = event.client.as_ref().map_or("countersign".to_owned(), ToString::to_string);
            told.insert("service".to_owned(), json!({ "name": service }));
        }
        Class::AccountChange(_) => {
            told.insert("user".to_owned(), user(event));
        }
        Class::EntityManagement(_, kind) => {
            told.insert("entity".to_owned(), json!({ "type": kind, "name": entity(event, kind) }));
        }
        Class::Base => {}
    }
    Value::Object(told)
}

/// The entry at `position`, whose event `id` is gone, as an event of no class.
#[must_use]
pub fn gone_in_ocsf(position: u64, id: &str) -> Value {
    json!({
        "metadata": {
            "version": OCSF_VERSION,
            "product": { "name": "Countersign", "vendor_name": "Countersign" },
            "uid": id,
            "sequence": position,
        },
        "time": 0, "category_uid": 0, "class_uid": 0, "activity_id": OTHER, "activity_name": "gone", "type_uid": OTHER,
        "severity_id": 4, "status_id": 2, "message": "the event of this entry is gone",
    })
}

/// What an administrator did to an account.
fn change_of_account(event: &AuditEvent) -> u64 {
    match event.detail.get("change").and_then(Value::as_str) {
        Some("enabled") => 2,
        Some("disabled") => 5,
        Some("registration reset") => 4,
        _ => OTHER,
    }
}

/// Who: somebody whom nobody here knows has a name all the same, as the schema wants one.
fn user(event: &AuditEvent) -> Value {
    event.subject.as_ref().map_or_else(|| json!({ "name": "unknown" }), |subject| json!({ "uid": subject.to_string() }))
}

fn entity(event: &AuditEvent, kind: &str) -> String {
    let named = event.detail.get(kind).or_else(|| event.detail.get("kid")).and_then(Value::as_str);
    let client = event.client.as_ref().map(ToString::to_string);
    named.map(ToOwned::to_owned).or(client).unwrap_or_else(|| kind.to_owned())
}

/// 1 informational, 2 low, 4 high.
const fn severity(event: &AuditEvent) -> u64 {
    match (event.kind, event.outcome) {
        (AuditKind::ReplayDetected, _) => 4,
        (_, AuditOutcome::Failure) => 2,
        (_, AuditOutcome::Success) => 1,
    }
}

fn unmapped(event: &AuditEvent) -> Value {
    let parts = [
        ("client", event.client.as_ref().map(ToString::to_string)),
        ("grant", event.grant.as_ref().map(ToString::to_string)),
        ("jti", event.jti.clone()),
        ("flow", event.flow.clone()),
        ("request", event.request.clone()),
    ];
    let parts = parts.into_iter().filter_map(|(name, value)| Some((name.to_owned(), Value::String(value?))));
    let mut unmapped: Map<String, Value> = parts.collect();
    unmapped.insert("detail".to_owned(), Value::Object(event.detail.clone()));
    Value::Object(unmapped)
}

#[cfg(test)]
mod tests {
    use countersign_model::{AuditId, Timestamp};

    use super::*;

    fn event(kind: AuditKind, outcome: AuditOutcome) -> AuditEvent {
        AuditEvent {
            id: AuditId::new(Timestamp::from_millis(1_795_000_000_123), [7; 10]),
            at: Timestamp::from_millis(1_795_000_000_123),
            kind,
            outcome,
            subject: None,
            client: Some("case-portal".parse().unwrap()),
            grant: None,
            jti: Some("abc".to_owned()),
            flow: None,
            request: Some("r-1".to_owned()),
            address: Some("192.0.2.7".to_owned()),
            detail: Map::from_iter([("policy".to_owned(), "email".into())]),
        }
    }

    /// Attributes that each class requires (events/base_event.json, events/iam/*.json of the schema).
    fn required(class: u64) -> &'static [&'static str] {
        match class {
            3001 | 3002 => &["user"],
            3004 => &["entity"],
            _ => &[],
        }
    }

    #[test]
    fn every_kind_has_what_its_class_requires() {
        let base = ["metadata", "time", "category_uid", "class_uid", "activity_id", "type_uid", "severity_id"];
        for kind in AuditKind::ALL {
            for outcome in [AuditOutcome::Success, AuditOutcome::Failure] {
                let told = to_ocsf(17, &event(*kind, outcome));
                let class = told["class_uid"].as_u64().unwrap();
                for name in base.iter().chain(required(class)) {
                    assert!(!told[name].is_null(), "{kind:?}: {name}");
                }
                assert_eq!(told["type_uid"], class * 100 + told["activity_id"].as_u64().unwrap(), "{kind:?}");
                assert_eq!(told["category_uid"], class / 1000, "{kind:?}");
                assert_eq!(told["activity_id"] == OTHER, told["activity_name"].is_string(), "{kind:?}");
                assert_eq!(told["status_id"], if outcome == AuditOutcome::Success { 1 } else { 2 });
                // Authentication: at least one of service and dst_endpoint.
                assert_eq!(class == 3002, told["service"].is_object(), "{kind:?}");
            }
        }
    }

    #[test]
    fn a_failed_step_is_a_failed_logon_and_an_account_that_is_disabled_is_one() {
        let failed = to_ocsf(0, &event(AuditKind::FlowStep, AuditOutcome::Failure));
        assert_eq!(
            (&failed["class_uid"], &failed["activity_id"], &failed["status_id"]),
            (&3002.into(), &1.into(), &2.into())
        );
        let done = to_ocsf(0, &event(AuditKind::FlowStep, AuditOutcome::Success));
        assert_eq!(done["activity_id"], OTHER);
        for (change, activity) in [("enabled", 2), ("registration reset", 4), ("disabled", 5), ("invited again", OTHER)]
        {
            let mut event = event(AuditKind::UserChanged, AuditOutcome::Success);
            event.detail.insert("change".to_owned(), change.into());
            assert_eq!(to_ocsf(0, &event)["type_uid"], 300_100 + activity, "{change}");
        }
        let gone = gone_in_ocsf(3, "an id");
        assert_eq!((&gone["type_uid"], &gone["metadata"]["sequence"]), (&OTHER.into(), &3.into()));
    }

    #[test]
    fn nothing_of_the_event_is_lost() {
        let event = event(AuditKind::TokenIssued, AuditOutcome::Success);
        let told = to_ocsf(17, &event);
        assert_eq!(
            told,
            json!({
                "metadata": {
                    "version": "1.3.0", "product": { "name": "Countersign", "vendor_name": "Countersign" },
                    "uid": event.id.to_string(), "sequence": 17, "event_code": "token.issued",
                },
                "time": 1_795_000_000_123_i64, "category_uid": 3, "class_uid": 3002, "activity_id": 99,
                "activity_name": "token.issued", "type_uid": 300_299, "severity_id": 1, "status_id": 1,
                "message": "token.issued", "src_endpoint": { "ip": "192.0.2.7" },
                "user": { "name": "unknown" }, "service": { "name": "case-portal" },
                "unmapped": { "client": "case-portal", "jti": "abc", "request": "r-1", "detail": { "policy": "email" } },
            })
        );
    }
}
