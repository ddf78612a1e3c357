//! What a client may not ask for by itself: nobody has looked at it.

use countersign_model::{Scope, SubjectType};

use super::grants::{CODE, IMPLICIT};
use super::{ClientMetadata, MetadataError};
use crate::scopes;
use crate::token::{jwt_bearer, token_exchange};

/// Grant types whose tokens of a person come by a redirect URI, or are of none. By the others, redirect URIs are never
/// used, and so say nothing of whose sector a client belongs to (OpenID Connect Core, 8.1).
const BOUND_TO_REDIRECTS: [&str; 4] = [CODE, IMPLICIT, "refresh_token", CLIENT_CREDENTIALS];
const CLIENT_CREDENTIALS: &str = "client_credentials";
/// Grant types by which one program speaks for another or for a person who is not there: an operator's to allow.
const NEVER: [&str; 2] = [token_exchange::GRANT_TYPE, jwt_bearer::GRANT_TYPE];

/// Scope values of OpenID Connect, which a person is asked for, and those of `allowed` alone; nothing on its own behalf
/// where that is empty.
pub(super) fn check(metadata: &ClientMetadata, grants: &[String], allowed: &Scope) -> Result<(), MetadataError> {
    let asked = super::scope(metadata)?;
    if let Some(value) = asked.iter().find(|value| !scopes::OF_A_PERSON.contains(value) && !allowed.contains(value)) {
        return Err(MetadataError::new(format!("scope {value} is not for clients that register themselves")));
    }
    if allowed.is_empty() && grants.iter().any(|grant| grant == CLIENT_CREDENTIALS) {
        return Err(MetadataError::new("client_credentials is not for clients that register themselves"));
    }
    if let Some(grant) = grants.iter().find(|grant| NEVER.contains(&grant.as_str())) {
        return Err(MetadataError::new(format!("grant type {grant} is not for clients that register themselves")));
    }
    let unbound = grants.iter().find(|grant| !BOUND_TO_REDIRECTS.contains(&grant.as_str()));
    match unbound.filter(|_| metadata.subject_type == Some(SubjectType::Pairwise)) {
        Some(grant) => Err(MetadataError::new(format!("pairwise subjects and grant type {grant} do not go together"))),
        None => Ok(()),
    }
}
