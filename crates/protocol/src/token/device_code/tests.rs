use super::*;
use crate::resource::Resources;
use crate::testing::{NOW, authenticated, client, grant, issuer, later, other_client, scope};

fn pending() -> DeviceCode {
    DeviceCode {
        hash: [1; 32],
        user_code: [2; 32],
        client: client().id,
        scope: scope("openid offline_access"),
        resources: Vec::new(),
        state: DeviceState::Pending,
        grant: None,
        wait: Seconds::new(5),
        polled_at: None,
        created_at: NOW,
        expires_at: later(600),
    }
}

fn allowed() -> DeviceCode {
    DeviceCode { state: DeviceState::Allowed, grant: Some(grant("openid").id), ..pending() }
}

fn ask_as(client: &countersign_model::Client, code: DeviceCode, user_active: bool, now: Timestamp) -> Decision {
    let issuer = issuer();
    let prepared = Prepared {
        refresh_token: [6; 32],
        refresh_lifetime: Seconds::hours(8),
        access_jti: "jti",
        access_lifetime: Seconds::minutes(10),
        grant: &grant("openid").id,
        resources: Resources { issuer: &issuer, servers: &[] },
    };
    let grant = code.grant.is_some().then(|| Box::new(grant("openid offline_access")));
    let facts = TokenFacts::Device { code: Box::new(code), grant, user_active };
    decide(authenticated(client), &[], facts, &prepared, now)
}

fn ask(code: DeviceCode, now: Timestamp) -> Decision {
    ask_as(&client(), code, true, now)
}

fn code_of(decision: &Decision) -> ErrorCode {
    decision.outcome.as_ref().unwrap_err().code
}

#[test]
fn a_device_is_told_to_wait_and_to_slow_down_rfc8628_3_5() {
    let note = |wait| vec![Effect::NotePoll { code: [1; 32], wait: Seconds::new(wait) }];
    let first = ask(pending(), NOW);
    assert_eq!((code_of(&first), first.effects), (ErrorCode::AuthorizationPending, note(5)));
    let polled = |wait| DeviceCode { polled_at: Some(NOW), wait: Seconds::new(wait), ..pending() };
    let early = ask(polled(5), later(4));
    assert_eq!((code_of(&early), early.effects), (ErrorCode::SlowDown, note(10)));
    assert_eq!(code_of(&ask(polled(10), later(9))), ErrorCode::SlowDown, "for all that follow");
    assert_eq!(code_of(&ask(polled(10), later(10))), ErrorCode::AuthorizationPending);
}

#[test]
fn what_was_decided_or_is_over_is_told_once_and_for_all() {
    assert_eq!(code_of(&ask(pending(), later(600))), ErrorCode::ExpiredToken);
    assert_eq!(code_of(&ask(DeviceCode { state: DeviceState::Denied, ..pending() }, NOW)), ErrorCode::AccessDenied);
    assert_eq!(code_of(&ask(allowed(), later(600))), ErrorCode::ExpiredToken);
    let spent = ask(DeviceCode { state: DeviceState::Spent, ..allowed() }, NOW);
    assert_eq!(code_of(&spent), ErrorCode::InvalidGrant);
    assert!(!spent.effects.iter().any(|effect| matches!(effect, Effect::RevokeGrant(_))), "polls may overlap");
    assert_eq!(code_of(&ask_as(&other_client(), allowed(), true, NOW)), ErrorCode::InvalidGrant);
    assert_eq!(code_of(&ask_as(&client(), allowed(), false, NOW)), ErrorCode::InvalidGrant, "disabled since");
}

#[test]
fn an_allowed_device_gets_its_tokens_and_the_code_is_spent() {
    let decision = ask(allowed(), NOW);
    let issue = decision.outcome.unwrap();
    assert!(issue.id_token && issue.refresh_token);
    assert_eq!(decision.effects[0], Effect::ConsumeDeviceCode([1; 32]));
    assert!(matches!(&decision.effects[1], Effect::InsertRefreshToken(token) if token.hash == [6; 32]));
}
