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

/// The loaded policies, as far as a request may mean one.
#[derive(Clone, Copy, Debug)]
pub struct Choices<'a> {
    /// Those that end in a login.
    pub login: &'a [LoginPolicy],
    /// Ids of those that make or complete an account.
    pub create: &'a [String],
}

/// The policy to run: under `prompt=create` one that registers; else `p`; else the first of `acr_values` (then of the
/// essential acr) that an allowed login policy has; else the client's default. Errors with `invalid_request` for a `p`
/// the client may not name.
pub fn choose_policy(
    request: &AuthorizationRequest,
    client: &Client,
    policies: Choices<'_>,
) -> Result<String, OAuthError> {
    let allowed = |id: &str| may_use(client, id);
    let login_policies = policies.login;
    if request.demands_registration() {
        return choose_registration(request, client, policies.create);
    }
    if let Some(named) = &request.policy {
        let refused = OAuthError::new(ErrorCode::InvalidRequest, "The client may not use the policy named by p");
        return Some(named.clone()).filter(|id| allowed(id)).ok_or(refused);
    }
    let with_acr = |acr: &String| login_policies.iter().find(|policy| policy.acr == *acr && allowed(&policy.id));
    let by_acr = request.acr_values.iter().chain(&request.essential_acr).find_map(with_acr);
    Ok(by_acr.map_or_else(|| client.default_policy.clone(), |policy| policy.id.clone()))
}

/// `p`, if that registers; else the first of the client's policies that does (Initiating User Registration via OpenID
/// Connect 1.0, 4).
fn choose_registration(
    request: &AuthorizationRequest,
    client: &Client,
    create: &[String],
) -> Result<String, OAuthError> {
    let own = policies_of(client).filter(|id| create.iter().any(|known| known == id));
    let mut meant = own.filter(|id| request.policy.as_ref().is_none_or(|named| named == id));
    let refused = OAuthError::new(ErrorCode::InvalidRequest, "The client has no such policy by which people register");
    meant.next().map(str::to_owned).ok_or(refused)
}

/// The policies that `client` may run, its default first.
fn policies_of(client: &Client) -> impl Iterator<Item = &str> {
    std::iter::once(&client.default_policy).chain(&client.allowed_policies).map(String::as_str)
}

/// The policy that `client` means by `name`: one of that id, else the first it may run that it calls so.
pub(crate) fn policy_meant<'a>(client: &'a Client, name: &'a str) -> &'a str {
    if may_use(client, name) {
        return name;
    }
    client.policy_naming.find(name, policies_of(client)).unwrap_or(name)
}

/// Whether `client` may run the policy `id`: its default, or one it may name.
pub(crate) fn may_use(client: &Client, id: &str) -> bool {
    policies_of(client).any(|known| known == id)
}

#[cfg(test)]
mod tests;
