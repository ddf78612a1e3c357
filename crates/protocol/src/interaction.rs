//! Whether a session may answer an authorization request, or the person must act (OpenID Connect Core, 3.1.2.1-3.1.2.3).

use countersign_model::{Client, FactSet, Timestamp};

use crate::authorization::AuthorizationRequest;
use crate::error::{ErrorCode, OAuthError};
use crate::policy_choice::{LoginPolicy, may_use};

/// What is known of a login: of the browser's session, or of the one that just ended in `issue`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionFacts {
    /// What the client knows the person by.
    pub subject: String,
    /// When they proved themselves.
    pub auth_time: Timestamp,
    /// Authentication context of the policy that ran.
    pub acr: String,
    /// What was proven.
    pub facts: FactSet,
    /// Whether its policy lets it answer new requests: single sign-on always, or remembered.
    pub may_answer: bool,
}

/// What a request needs of a login.
#[derive(Clone, Copy, Debug)]
pub struct Demand<'a> {
    /// The request.
    pub request: &'a AuthorizationRequest,
    /// Its client.
    pub client: &'a Client,
    /// The policy chosen for it.
    pub policy: &'a str,
    /// Every loaded login policy.
    pub login_policies: &'a [LoginPolicy],
}

/// What becomes of a request, given the browser's session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionDecision {
    /// The session answers.
    Answer,
    /// The policy runs.
    Interact {
        /// Whether nothing remembered may be used: the person proves themselves anew.
        fresh: bool,
    },
    /// The client hears of it.
    Refuse(OAuthError),
}

/// Decides whether `session` answers. A weaker, older or different one never satisfies a stronger request.
pub fn decide_session(demand: &Demand<'_>, session: Option<&SessionFacts>, now: Timestamp) -> SessionDecision {
    let (request, client) = (demand.request, demand.client);
    let alternatives = match demanded_facts(demand) {
        Ok(alternatives) => alternatives,
        Err(error) => return SessionDecision::Refuse(error),
    };
    let fresh = request.demands_fresh_login(client);
    let Some(session) = session.filter(|session| session.may_answer) else {
        return interact(request, fresh, ErrorCode::LoginRequired, "There is no session that may answer");
    };
    if fresh || !is_recent_enough(request, client, session.auth_time, now) {
        interact(request, true, ErrorCode::LoginRequired, "The session is too old for this request")
    } else if !is_wanted_subject(request, &session.subject) {
        interact(request, true, ErrorCode::LoginRequired, "The session is not of the person asked for")
    } else if !meets(session.facts, &alternatives) {
        let code = if request.essential_acr.is_empty() {
            ErrorCode::LoginRequired
        } else {
            ErrorCode::UnmetAuthenticationRequirements
        };
        interact(request, false, code, "The session does not meet the authentication requirements")
    } else if !chosen_facts(demand).iter().any(|wanted| session.facts.is_superset(*wanted)) {
        interact(request, false, ErrorCode::LoginRequired, "The session is weaker than what is asked for")
    } else {
        SessionDecision::Answer
    }
}

/// Checks a login that just ended in `issue`, looked at `now`: naming a policy never lowers what is required,
/// and a demanded login is one made for this very request. Errors with `login_required` or
/// `unmet_authentication_requirements`.
pub fn check_login(demand: &Demand<'_>, login: &SessionFacts, now: Timestamp) -> Result<(), OAuthError> {
    let (request, client) = (demand.request, demand.client);
    let refused = |code, description| Err(OAuthError::new(code, description));
    if !is_wanted_subject(request, &login.subject) {
        return refused(ErrorCode::LoginRequired, "Another person signed in than was asked for");
    }
    if !meets(login.facts, &demanded_facts(demand)?) {
        let description = "The login does not meet the authentication requirements";
        return refused(ErrorCode::UnmetAuthenticationRequirements, description);
    }
    let stale = request.demands_fresh_login(client) && login.auth_time < now;
    if stale || !is_recent_enough(request, client, login.auth_time, now) {
        return refused(ErrorCode::LoginRequired, "The login is older than was asked for");
    }
    Ok(())
}

/// Sets of facts one of which a login must hold: from the client's `required_acr` and the request's essential acr.
/// Empty: no demand. Errors with `unmet_authentication_requirements` when no policy can meet it.
pub fn demanded_facts(demand: &Demand<'_>) -> Result<Vec<FactSet>, OAuthError> {
    let required = alternatives(&demand.client.required_acr, demand.login_policies)?;
    let essential = alternatives(&demand.request.essential_acr, demand.login_policies)?;
    if required.is_empty() || essential.is_empty() {
        return Ok([required, essential].concat());
    }
    let both = |left: &FactSet| essential.iter().map(|right| left.union(*right)).collect::<Vec<_>>();
    Ok(required.iter().flat_map(both).collect())
}

/// The acr to release: what ran if that was asked for or nothing was, else the first asked for that the proven facts
/// satisfy, else what ran (Core, 5.5.1.1).
pub fn decide_acr(request: &AuthorizationRequest, login: &SessionFacts, login_policies: &[LoginPolicy]) -> String {
    let asked = || request.essential_acr.iter().chain(&request.acr_values);
    if asked().any(|acr| *acr == login.acr) {
        return login.acr.clone();
    }
    let satisfied = |acr: &&String| {
        login_policies.iter().any(|policy| policy.acr == **acr && login.facts.is_superset(policy.facts))
    };
    asked().find(satisfied).unwrap_or(&login.acr).clone()
}

/// Whether a login at `auth_time` is young enough at `now` for `max_age` or the client's default. Also for remembered
/// logins, before a policy may use them.
pub fn is_recent_enough(request: &AuthorizationRequest, client: &Client, auth_time: Timestamp, now: Timestamp) -> bool {
    request.effective_max_age(client).is_none_or(|max_age| now.millis_since(auth_time) <= max_age.as_millis())
}

/// Sets of facts one of which a session must hold to stand for the policy chosen: the policy's own if the request named
/// it, else those of any login policy the client may use. Empty: there is no such policy.
fn chosen_facts(demand: &Demand<'_>) -> Vec<FactSet> {
    let (request, client) = (demand.request, demand.client);
    let is_named = |policy: &LoginPolicy| {
        policy.id == demand.policy
            && (request.policy.as_ref() == Some(&policy.id) || request.acr_values.contains(&policy.acr))
    };
    if let Some(named) = demand.login_policies.iter().find(|policy| is_named(policy)) {
        return vec![named.facts];
    }
    let allowed = |policy: &&LoginPolicy| may_use(client, &policy.id);
    demand.login_policies.iter().filter(allowed).map(|policy| policy.facts).collect()
}

fn is_wanted_subject(request: &AuthorizationRequest, subject: &str) -> bool {
    request.hint.iter().chain(&request.subject).all(|wanted| wanted == subject)
}

fn meets(facts: FactSet, alternatives: &[FactSet]) -> bool {
    alternatives.is_empty() || alternatives.iter().any(|wanted| facts.is_superset(*wanted))
}

fn alternatives(acrs: &[String], login_policies: &[LoginPolicy]) -> Result<Vec<FactSet>, OAuthError> {
    let known: Vec<FactSet> =
        login_policies.iter().filter(|policy| acrs.contains(&policy.acr)).map(|policy| policy.facts).collect();
    if known.is_empty() && !acrs.is_empty() {
        let code = ErrorCode::UnmetAuthenticationRequirements;
        return Err(OAuthError::new(code, "No login can meet the authentication requirements"));
    }
    Ok(known)
}

/// Shows the person something, or under `prompt=none` refuses with `code`.
fn interact(request: &AuthorizationRequest, fresh: bool, code: ErrorCode, why: &'static str) -> SessionDecision {
    if request.is_silent() {
        SessionDecision::Refuse(OAuthError::new(code, why))
    } else {
        SessionDecision::Interact { fresh }
    }
}

#[cfg(test)]
mod tests;
