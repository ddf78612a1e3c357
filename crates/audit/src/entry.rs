//! An event as the bytes that are hashed.

use countersign_model::AuditEvent;
use serde_json::{Map, Value};

/// Number of the form that entries have.
const FORM: u64 = 1;

/// The bytes of `event`: one line of JSON as RFC 8785 writes it, members in the order of their names, nothing between
/// them, members without a value left out. `at` is milliseconds since 1970.
///
/// Details hold texts, whole numbers, truth values, and lists and tables of these: what RFC 8785 and this write alike.
#[must_use]
pub fn write_entry(event: &AuditEvent) -> Vec<u8> {
    let mut entry = Map::new();
    let mut put = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            entry.insert(name.to_owned(), Value::String(value));
        }
    };
    put("id", Some(event.id.to_string()));
    put("kind", Some(event.kind.as_str().to_owned()));
    put("outcome", Some(event.outcome.as_str().to_owned()));
    put("subject", event.subject.as_ref().map(ToString::to_string));
    put("client", event.client.as_ref().map(ToString::to_string));
    put("grant", event.grant.as_ref().map(ToString::to_string));
    put("jti", event.jti.clone());
    put("flow", event.flow.clone());
    put("request", event.request.clone());
    put("address", event.address.clone());
    entry.insert("v".to_owned(), FORM.into());
    entry.insert("at".to_owned(), event.at.as_millis().into());
    entry.insert("detail".to_owned(), Value::Object(event.detail.clone()));
    in_order(Value::Object(entry)).to_string().into_bytes()
}

/// Whatever order the JSON library keeps, this is by name.
fn in_order(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> = members.into_iter().collect();
            // By UTF-16 code units (RFC 8785, 3.2.3).
            members.sort_by(|(one, _), (other, _)| one.encode_utf16().cmp(other.encode_utf16()));
            Value::Object(members.into_iter().map(|(name, value)| (name, in_order(value))).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(in_order).collect()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use countersign_model::{AuditId, AuditKind, AuditOutcome, Timestamp};
    use serde_json::json;

    use super::*;

    fn event() -> AuditEvent {
        let Value::Object(detail) = json!({ "policy": "email", "acr": "urn:x", "amr": ["pwd"], "n": 3 }) else {
            unreachable!()
        };
        AuditEvent {
            id: AuditId::new(Timestamp::from_millis(1_795_000_000_123), [7; 10]),
            at: Timestamp::from_millis(1_795_000_000_123),
            kind: AuditKind::TokenIssued,
            outcome: AuditOutcome::Success,
            subject: None,
            client: Some("case-portal".parse().unwrap()),
            grant: None,
            jti: Some("abc\u{1}é".to_owned()),
            flow: None,
            request: None,
            address: None,
            detail,
        }
    }

    #[test]
    fn an_entry_is_one_line_of_json_in_order() {
        let text = String::from_utf8(write_entry(&event())).unwrap();
        let id = event().id;
        assert_eq!(
            text,
            format!(
                r#"{{"at":1795000000123,"client":"case-portal","detail":{{"acr":"urn:x","amr":["pwd"],"n":3,"policy":"email"}},"id":"{id}","jti":"abc\u0001é","kind":"token.issued","outcome":"success","v":1}}"#
            )
        );
    }

    #[test]
    fn every_member_changes_the_bytes() {
        let change: [fn(&mut AuditEvent); 10] = [
            |event| event.at = Timestamp::from_millis(1),
            |event| event.kind = AuditKind::TokenRefreshed,
            |event| event.outcome = AuditOutcome::Failure,
            |event| event.client = None,
            |event| event.jti = Some("abd".to_owned()),
            |event| event.flow = Some("f".to_owned()),
            |event| event.request = Some("r".to_owned()),
            |event| event.address = Some("a".to_owned()),
            |event| drop(event.detail.remove("n")),
            |event| drop(event.detail.insert("n".to_owned(), 4.into())),
        ];
        let mut seen = std::collections::BTreeSet::from([write_entry(&event())]);
        for change in change {
            let mut event = event();
            change(&mut event);
            assert!(seen.insert(write_entry(&event)));
        }
    }
}
