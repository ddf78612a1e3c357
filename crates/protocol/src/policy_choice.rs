//! Which policy a request runs (POLICIES.md, section 7).

use countersign_model::{Client, FactSet};

use crate::authorization::AuthorizationRequest;
use crate::error::{ErrorCode, OAuthError};

/// A loaded policy that ends in a login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginPolicy {
    /// Its id.
    pub id: String,
    /// The authentication context it issues; unique among login policies.
    pub acr: String,
    /// What it proves; one acr satisfies another when its facts contain the other's.
    pub facts: FactSet,
}

/// The policy to run: `p`; else the first of `acr_values` (then of the essential acr) that an allowed login policy
/// has; else the client's default. Errors with `invalid_request` for a `p` the client may not name.
pub fn choose_policy(
    request: &AuthorizationRequest,
    client: &Client,
    login_policies: &[LoginPolicy],
) -> Result<String, OAuthError> {
    let allowed = |id: &str| may_use(client, id);
    if let Some(named) = &request.policy {
        let refused = OAuthError::new(ErrorCode::InvalidRequest, "The client may not use the policy named by p");
        return Some(named.clone()).filter(|id| allowed(id)).ok_or(refused);
    }
    let with_acr = |acr: &String| login_policies.iter().find(|policy| policy.acr == *acr && allowed(&policy.id));
    let by_acr = request.acr_values.iter().chain(&request.essential_acr).find_map(with_acr);
    Ok(by_acr.map_or_else(|| client.default_policy.clone(), |policy| policy.id.clone()))
}

/// The policy that `client` means by `name`: one of that id, else the first it may run that it calls so.
pub(crate) fn policy_meant<'a>(client: &'a Client, name: &'a str) -> &'a str {
    if may_use(client, name) {
        return name;
    }
    let ids = std::iter::once(&client.default_policy).chain(&client.allowed_policies).map(String::as_str);
    client.policy_naming.find(name, ids).unwrap_or(name)
}

/// Whether `client` may run the policy `id`: its default, or one it may name.
pub(crate) fn may_use(client: &Client, id: &str) -> bool {
    client.default_policy == id || client.allowed_policies.iter().any(|known| known == id)
}

#[cfg(test)]
mod tests;
