//! Who this browser is signed in as, and which logins it remembers.

use countersign_flow::RememberedFacts;
use countersign_model::{Authentication, BrowserSession, Client, ProvenFact, RememberedLogin, Timestamp};
use countersign_protocol::{AuthorizationRequest, interaction};

use crate::ServiceError;
use crate::browser::BrowserCookies;
use crate::provider::Provider;

/// What a browser's session cookie stands for; nothing when it has none or its time is over.
#[derive(Default)]
pub(crate) struct SignedIn {
    pub(crate) session: Option<BrowserSession>,
    pub(crate) remembered: Vec<RememberedLogin>,
}

/// A login that may answer instead of the person.
pub(crate) struct Candidate {
    pub(crate) policy: String,
    pub(crate) authentication: Authentication,
}

impl Provider {
    pub(crate) async fn load_signed_in(
        &self,
        cookies: &BrowserCookies,
        now: Timestamp,
    ) -> Result<SignedIn, ServiceError> {
        let Some(token) = cookies.session_hash(&self.vault) else { return Ok(SignedIn::default()) };
        let (session, remembered) = self
            .db
            .read(async |tx| {
                let session = tx.find_session_by_token(&token).await?;
                let remembered =
                    if session.is_some() { tx.list_remembered_logins(&token, now).await? } else { Vec::new() };
                Ok::<_, ServiceError>((session, remembered))
            })
            .await?;
        let Some(session) = session.filter(|session| session.ended_at.is_none() && now < session.expires_at) else {
            return Ok(SignedIn::default());
        };
        Ok(SignedIn { session: Some(session), remembered })
    }

    /// The login that may answer `request` for `policy`: one that counts for it; under `prompt=none`, where no page can
    /// ask which, one of any policy that the client allows.
    pub(crate) fn candidate(
        &self,
        signed_in: &SignedIn,
        request: &AuthorizationRequest,
        client: &Client,
        policy: &str,
        now: Timestamp,
    ) -> Option<Candidate> {
        let mut candidates = self.candidates(signed_in, now);
        if let Some(own) = candidates.iter().position(|candidate| candidate.policy == policy) {
            return Some(candidates.swap_remove(own));
        }
        let allowed = |candidate: &Candidate| {
            candidate.policy == candidate.authentication.policy && client.allowed_policies.contains(&candidate.policy)
        };
        if request.is_silent() { candidates.into_iter().find(allowed) } else { None }
    }

    fn candidates(&self, signed_in: &SignedIn, now: Timestamp) -> Vec<Candidate> {
        let remembered = signed_in
            .remembered
            .iter()
            .filter(|login| now < login.expires_at)
            .map(|login| Candidate { policy: login.policy.clone(), authentication: login.authentication.clone() });
        let idle = self.settings.lifetimes.session_idle;
        let session = signed_in.session.iter().filter(|session| now < session.seen_at.plus(idle));
        let session = session.flat_map(|session| {
            let authentication = &session.authentication;
            let policies = self.policies.list_answered_by_session(authentication);
            policies.map(|policy| Candidate { policy: policy.to_owned(), authentication: authentication.clone() })
        });
        remembered.chain(session).collect()
    }

    /// What the browser's session proved, where `request` lets it count: for a policy that asks for more only.
    pub(crate) fn session_that_counts(
        &self,
        signed_in: &SignedIn,
        request: &AuthorizationRequest,
        client: &Client,
        now: Timestamp,
    ) -> Option<RememberedFacts> {
        let session = signed_in.session.as_ref()?;
        let known = &session.authentication;
        let is_live = now < session.seen_at.plus(self.settings.lifetimes.session_idle);
        let is_recent = interaction::is_recent_enough(request, client, known.auth_time, now);
        let counts =
            is_live && is_recent && self.is_wanted(known, request, client) && !request.demands_fresh_login(client);
        counts.then(|| RememberedFacts {
            policy: known.policy.clone(),
            user: known.user.clone(),
            facts: known.facts.iter().map(|fact| ProvenFact { fact, at: known.auth_time }).collect(),
        })
    }

    /// Whether the login is of the person whom `request` asks for, by the name its client knows them by.
    fn is_wanted(&self, known: &Authentication, request: &AuthorizationRequest, client: &Client) -> bool {
        let subject = self.session_facts(known, client).subject;
        request.hint.iter().chain(&request.subject).all(|wanted| *wanted == subject)
    }

    /// The remembered logins that a running flow may count on for `request`: none when it wants a fresh login, none
    /// older than its `max_age`, none of another person than it asks for.
    pub(crate) fn remembered_facts(
        &self,
        signed_in: &SignedIn,
        request: &AuthorizationRequest,
        client: &Client,
        now: Timestamp,
    ) -> Vec<RememberedFacts> {
        if request.demands_fresh_login(client) {
            return Vec::new();
        }
        let max_age = request.effective_max_age(client);
        let is_fresh = |candidate: &Candidate| {
            max_age.is_none_or(|age| now.millis_since(candidate.authentication.auth_time) <= age.as_millis())
        };
        let is_wanted = |candidate: &Candidate| self.is_wanted(&candidate.authentication, request, client);
        let facts = |candidate: Candidate| {
            let at = candidate.authentication.auth_time;
            let facts = candidate.authentication.facts.iter().map(|fact| ProvenFact { fact, at }).collect();
            RememberedFacts { policy: candidate.policy, user: candidate.authentication.user, facts }
        };
        let candidates = self.candidates(signed_in, now).into_iter();
        candidates.filter(|candidate| is_fresh(candidate) && is_wanted(candidate)).map(facts).collect()
    }
}
