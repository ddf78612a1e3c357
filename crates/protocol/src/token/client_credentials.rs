//! A confidential client on its own behalf (RFC 6749, 4.4).

use countersign_model::{AuditKind, Scope};

use super::{AuthenticatedClient, Decision, Issue, Prepared, resource, scopes, speaks_of_a_person};
use crate::error::{ErrorCode, OAuthError};
use crate::kernel;

pub(super) fn decide(
    client: AuthenticatedClient<'_>,
    scope: Option<&str>,
    resources: &[String],
    prepared: &Prepared<'_>,
) -> Decision {
    let registered = client.client();
    let target = check(client, scope)
        .and_then(|scope| resource::decide(resources, &[], &scope, registered, &prepared.resources));
    match target {
        Ok(target) => {
            let issue = Issue {
                client: registered.id.clone(),
                grant: None,
                scope: target.scope,
                audience: target.audience,
                access_token_alg: target.algorithm,
                id_token: false,
                nonce: None,
                refresh_token: false,
                exchanged: None,
            };
            Decision::issued(AuditKind::TokenIssued, issue, Vec::new())
        }
        Err(error) => Decision::refused(error, None),
    }
}

/// The scope to issue: what was asked for, else all the client may have; never one that speaks of a person.
fn check(client: AuthenticatedClient<'_>, scope: Option<&str>) -> Result<Scope, OAuthError> {
    if !client.is_confidential() {
        let description = "A public client may not use this grant_type";
        return Err(OAuthError::new(ErrorCode::UnauthorizedClient, description));
    }
    let malformed = |_| OAuthError::new(ErrorCode::InvalidScope, "The scope is malformed");
    let asked: Scope = scope.unwrap_or_default().parse().map_err(malformed)?;
    if speaks_of_a_person(&asked) {
        return Err(OAuthError::new(ErrorCode::InvalidScope, "There is no person to speak of"));
    }
    let registered = client.client();
    let own: Vec<&str> = registered.scope.iter().filter(|value| !scopes::OF_A_PERSON.contains(value)).collect();
    let allowed = own.join(" ").parse().unwrap_or_default();
    kernel::on_own_behalf(&kernel::OwnBehalf { client: registered.id.as_str(), scope, allowed: &allowed })
}
