//! A device asks whether its person has decided (RFC 8628, 3.4 and 3.5).

use countersign_model::{AuditKind, DeviceCode, DeviceState, Grant, RefreshToken, Seconds, Timestamp};

use super::{AuthenticatedClient, Decision, Effect, Issue, Prepared, TokenFacts, check_standing, invalid_grant};
use crate::error::{ErrorCode, OAuthError};
use crate::{resource, scopes};

/// How much longer a device waits after it was too fast (RFC 8628, 3.5).
const SLOWER: u32 = 5;
/// A poll that is early by less is not: clocks and networks jitter.
const EARLY_MILLIS: i64 = 500;

pub(super) fn decide(
    client: AuthenticatedClient<'_>,
    asked: &[String],
    facts: TokenFacts,
    prepared: &Prepared<'_>,
    now: Timestamp,
) -> Decision {
    let TokenFacts::Device { code, grant, user_active } = facts else {
        return Decision::refused(invalid_grant("unknown device code"), None);
    };
    if code.client != client.client().id {
        return Decision::refused(invalid_grant("the device code is another client's"), None);
    }
    let grant = match (code.state, grant) {
        // A device asks by the clock, and two of its questions may overlap: no reuse that would cost it its tokens.
        (DeviceState::Spent, grant) => {
            return Decision::refused(invalid_grant("the device code was spent already"), grant.as_deref());
        }
        (DeviceState::Denied, _) => return refused(ErrorCode::AccessDenied, "The person denied the request"),
        _ if now >= code.expires_at => return refused(ErrorCode::ExpiredToken, "The device code has expired"),
        (DeviceState::Pending, _) => return wait(&code, now),
        (DeviceState::Allowed, Some(grant)) => *grant,
        (DeviceState::Allowed, None) => {
            return Decision::refused(invalid_grant("the grant is gone"), None);
        }
    };
    let target = check_standing(&grant, user_active, code.expires_at, now)
        .and_then(|()| resource::decide(asked, &grant.resources, &grant.scope, client.client(), &prepared.resources));
    match target {
        Ok(target) => {
            let mut effects = vec![Effect::ConsumeDeviceCode(code.hash)];
            let scope = grant.scope.clone();
            let refresh_token = refresh_token(client, &grant, prepared, now);
            let issue = Issue { refresh_token: refresh_token.is_some(), ..Issue::of_a_person(grant, &scope, target) };
            effects.extend(refresh_token.map(Effect::InsertRefreshToken));
            Decision::issued(AuditKind::TokenIssued, issue, effects)
        }
        Err(error) => Decision::refused(error, Some(&grant)),
    }
}

/// Nobody has decided yet. A device that asks too often is told to ask less often from now on.
fn wait(code: &DeviceCode, now: Timestamp) -> Decision {
    let next = code.polled_at.map(|at| at.plus(code.wait).as_millis() - EARLY_MILLIS);
    let (error, wait) = if next.is_some_and(|next| now.as_millis() < next) {
        let wait = Seconds::new(code.wait.get().saturating_add(SLOWER));
        (OAuthError::new(ErrorCode::SlowDown, "The device asks too often"), wait)
    } else {
        (OAuthError::new(ErrorCode::AuthorizationPending, "The person has not decided yet"), code.wait)
    };
    // Polls are no events: an audit of them would drown in them.
    Decision { outcome: Err(error), effects: vec![Effect::NotePoll { code: code.hash, wait }] }
}

fn refused(code: ErrorCode, description: &'static str) -> Decision {
    Decision::refused(OAuthError::new(code, description), None)
}

fn refresh_token(
    client: AuthenticatedClient<'_>,
    grant: &Grant,
    prepared: &Prepared<'_>,
    now: Timestamp,
) -> Option<RefreshToken> {
    let wanted = grant.scope.contains(scopes::OFFLINE_ACCESS) && client.client().allows_grant("refresh_token");
    wanted.then(|| prepared.first_refresh_token(grant, grant.scope.clone(), now))
}

#[cfg(test)]
mod tests;
