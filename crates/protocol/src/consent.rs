//! Whether a person must be asked what a client may have (OpenID Connect Core, 3.1.2.4), and which of their accounts is
//! meant (3.1.2.1, `select_account`).

use std::collections::BTreeSet;

use countersign_model::{ApplicationType, Client, Consent, UserId};

use crate::authorization::{AuthorizationRequest, Prompt};
use crate::error::{ErrorCode, OAuthError};
use crate::scopes;

/// What becomes of a request whose person is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConsentDecision {
    /// It may be answered.
    Given,
    /// The person is asked.
    Ask,
    /// The client hears that they would have to be.
    Refuse(OAuthError),
}

/// Decides whether the person must be asked. `remembered` is what they allowed the client before; of one that a document
/// describes, which may say something else today, that counts for nothing.
pub fn decide(request: &AuthorizationRequest, client: &Client, remembered: Option<&Consent>) -> ConsentDecision {
    let may_remember = !is_anybody(client) && client.described_at.is_none();
    let known = client.first_party || (may_remember && remembered.is_some_and(|known| covers(known, request)));
    if known && !request.demands_consent() {
        ConsentDecision::Given
    } else if request.is_silent() {
        ConsentDecision::Refuse(OAuthError::new(ErrorCode::ConsentRequired, "The person must be asked for consent"))
    } else {
        ConsentDecision::Ask
    }
}

/// A native application without a secret: any program on the device can say that it is this one (RFC 8252, 8.6), so that
/// what was allowed once says nothing of who asks now.
fn is_anybody(client: &Client) -> bool {
    client.application_type == ApplicationType::Native && client.is_public()
}

/// Whether everything that is asked for was allowed. A claim of no scope says nothing of the person, who is not asked.
fn covers(known: &Consent, request: &AuthorizationRequest) -> bool {
    let has = |known: &[String], asked: &[String]| asked.iter().all(|one| known.contains(one));
    let of_person = |claims: &[String]| -> Vec<String> {
        claims.iter().filter(|claim| scopes::covering(claim).is_some()).cloned().collect()
    };
    request.scope.is_subset(&known.scope)
        && has(&known.claims.userinfo, &of_person(&request.claims.userinfo))
        && has(&known.claims.id_token, &of_person(&request.claims.id_token))
        && has(&known.resources, &request.resources)
}

/// What the person is asked for: the scope, what stands for claims asked for by name, and the APIs.
pub fn asked(request: &AuthorizationRequest) -> Vec<String> {
    let claims = request.claims.userinfo.iter().chain(&request.claims.id_token);
    let covering = claims.filter_map(|claim| scopes::covering(claim)).map(str::to_owned);
    let own = request.scope.iter().map(str::to_owned);
    let mut list: Vec<String> = Vec::new();
    for one in own.chain(covering).chain(request.resources.iter().cloned()) {
        if !list.contains(&one) {
            list.push(one);
        }
    }
    list
}

/// What becomes of a request before its person is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccountDecision {
    /// There is nothing to choose, or nobody wants it chosen.
    Known,
    /// The person is shown these accounts.
    Choose(Vec<UserId>),
}

/// Decides whether the person chooses among `accounts`, those this browser is signed in as. It is one person's at any time
/// (docs/adr/0010), so that nobody hears of `account_selection_required`: where no page may be shown there is no choice.
pub fn decide_account(request: &AuthorizationRequest, accounts: impl IntoIterator<Item = UserId>) -> AccountDecision {
    let accounts: BTreeSet<UserId> = accounts.into_iter().collect();
    if request.prompt.contains(Prompt::SelectAccount) && !request.demands_registration() && !accounts.is_empty() {
        return AccountDecision::Choose(accounts.into_iter().collect());
    }
    AccountDecision::Known
}

#[cfg(test)]
mod tests;
