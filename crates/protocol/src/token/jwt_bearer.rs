//! The grant of an assertion (RFC 7523, 2.1): somebody whom the operator declared vouches for a person.
//!
//! Nobody proved anything to us: the token says no `acr`, `amr` or `auth_time`, is for resource servers alone, and no
//! refresh token goes along: who wants another one brings another assertion.

use countersign_model::{AuditKind, AuditOutcome, Authentication, Client, Grant, RequestedClaims, Scope, Timestamp};

use super::{AuthenticatedClient, Decision, Effect, Issue, Prepared, TokenFacts, invalid_grant, resource, scopes};
use crate::assertion_grant::SpokenFor;
use crate::error::{ErrorCode, OAuthError};
use crate::resource::{Resources, Target};

/// `grant_type` of an assertion (RFC 7523, 2.1).
pub const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

pub(super) fn decide(
    client: AuthenticatedClient<'_>,
    scope: Option<&str>,
    resources: &[String],
    facts: TokenFacts,
    prepared: &Prepared<'_>,
    now: Timestamp,
) -> Decision {
    if !client.is_confidential() {
        let description = "A public client may not use this grant_type";
        return Decision::refused(OAuthError::new(ErrorCode::UnauthorizedClient, description), None);
    }
    let registered = client.client();
    let decided = check(facts).and_then(|heard| {
        let scope = narrow(scope, &heard.spoken.scopes.intersection(&registered.scope))?;
        let target = resource::decide(resources, &[], &scope, registered, &prepared.resources)?;
        check_audience(&target, &prepared.resources)?;
        Ok((heard, scope, target))
    });
    match decided {
        Ok((heard, scope, target)) => issue(registered, heard, scope, target, prepared, now),
        Err(error) => Decision::refused(error, None),
    }
}

/// An assertion that counts.
struct Heard {
    spoken: SpokenFor,
    person: Authentication,
    standing: Option<Grant>,
}

/// An assertion that holds, shown for the first time, of a person who may sign in.
fn check(facts: TokenFacts) -> Result<Heard, OAuthError> {
    let TokenFacts::Assertion { spoken, person, user_active, standing, spent } = facts else {
        return Err(invalid_grant("no assertion of anybody who is heard"));
    };
    let spoken = spoken.map_err(|error| invalid_grant("the assertion does not hold").with_detail(error))?;
    if spent {
        return Err(invalid_grant("the assertion was shown before"));
    }
    let person = person.ok_or_else(|| invalid_grant("the assertion speaks of nobody here"))?;
    if !user_active {
        return Err(invalid_grant("the person may not sign in"));
    }
    Ok(Heard { spoken, person: *person, standing: standing.map(|grant| *grant) })
}

fn narrow(asked: Option<&str>, allowed: &Scope) -> Result<Scope, OAuthError> {
    let refused = |description| OAuthError::new(ErrorCode::InvalidScope, description);
    let own: Vec<&str> = allowed.iter().filter(|value| !scopes::OF_A_PERSON.contains(value)).collect();
    let allowed: Scope = own.join(" ").parse().map_err(|_| refused("The scope is malformed"))?;
    let scope = match asked {
        Some(asked) => asked.parse().map_err(|_| refused("The scope is malformed"))?,
        None => allowed.clone(),
    };
    if scope.is_empty() || !scope.is_subset(&allowed) {
        return Err(refused("The scope exceeds what the client may have by such an assertion"));
    }
    Ok(scope)
}

/// Nothing here takes such a token: nobody proved to us that the person is there.
fn check_audience(target: &Target, resources: &Resources<'_>) -> Result<(), OAuthError> {
    if target.audience.iter().any(|audience| audience == resources.issuer.as_str()) {
        let description = "The scope holds a value of no resource server";
        return Err(OAuthError::new(ErrorCode::InvalidScope, description));
    }
    Ok(())
}

fn issue(
    client: &Client,
    heard: Heard,
    scope: Scope,
    target: Target,
    prepared: &Prepared<'_>,
    now: Timestamp,
) -> Decision {
    let Heard { spoken, person, standing } = heard;
    let mut effects =
        vec![Effect::SpendAssertion { issuer: spoken.issuer.clone(), jti: spoken.jti, expires_at: spoken.expires_at }];
    let known = standing.filter(|grant| scope.is_subset(&grant.scope));
    let grant = known.unwrap_or_else(|| {
        let grant = Grant {
            id: prepared.grant.clone(),
            client: client.id.clone(),
            authentication: person,
            scope,
            nonce: None,
            claims: RequestedClaims::default(),
            resources: Vec::new(),
            created_at: now,
            revoked_at: None,
        };
        effects.push(Effect::InsertGrant(Box::new(grant.clone())));
        grant
    });
    let why = format!("assertion of {}", spoken.issuer);
    effects.push(super::audit(AuditKind::TokenIssued, AuditOutcome::Success, Some(&grant), &why));
    let issue = Issue {
        client: client.id.clone(),
        scope: target.scope,
        audience: target.audience,
        access_token_alg: target.algorithm,
        id_token: false,
        nonce: None,
        refresh_token: false,
        exchanged: None,
        grant: Some(grant),
    };
    Decision { outcome: Ok(issue), effects }
}

#[cfg(test)]
mod tests;
