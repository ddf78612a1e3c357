//! Who is signed in, and for how long the provider lets us ask about them.

use super::Portal;
use super::cookies::{SESSION, find_cookie};
use super::provider::NotRenewed;
use crate::clock::now;
use actix_web::HttpRequest;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use openidconnect::RefreshToken;
use openidconnect::core::{CoreIdToken, CoreIdTokenClaims, CoreUserInfoClaims};
use serde::Serialize;
use std::sync::Arc;
use tokio::sync::Mutex;

/// An access token is exchanged this long before it ends.
const MARGIN: TimeDelta = TimeDelta::seconds(60);

/// A session of the portal. One request at a time exchanges its tokens; those of other tabs wait for what comes of it.
pub type Session = Arc<Mutex<SignIn>>;

/// A sign-in with its tokens, which nobody is shown.
pub struct SignIn {
    pub user: SignedIn,
    pub claims: CoreIdTokenClaims,
    pub id_token: CoreIdToken,
    pub refresh_token: Option<RefreshToken>,
    /// When the access token ends, if the provider said so.
    pub access_until: Option<DateTime<Utc>>,
}

impl SignIn {
    pub fn share(self) -> Session {
        Arc::new(Mutex::new(self))
    }

    fn is_due(&self, now: DateTime<Utc>) -> bool {
        self.refresh_token.is_some() && self.access_until.is_some_and(|end| end <= now + MARGIN)
    }
}

/// What the pages show of a sign-in.
#[derive(Clone, Debug, Serialize)]
pub struct SignedIn {
    pub name: String,
    pub sub: String,
    pub issuer: String,
    pub email: Option<String>,
    pub acr: Option<String>,
    pub amr: Vec<String>,
    /// ISO 8601 in UTC, and seconds since 1970.
    pub auth_time: Option<(String, i64)>,
    /// When the access token ends, likewise.
    pub access_until: Option<(String, i64)>,
}

impl SignedIn {
    /// UserInfo comes first, then the ID token; the name falls back to the address, then to the subject.
    pub fn new(claims: &CoreIdTokenClaims, user: &CoreUserInfoClaims, access_until: Option<DateTime<Utc>>) -> Self {
        let sub = claims.subject().to_string();
        let email = user.email().or(claims.email()).map(|email| email.to_string());
        let in_full = user.name().and_then(|name| name.get(None)).or(claims.name().and_then(|name| name.get(None)));
        let in_full = in_full.map(|name| name.to_string());
        let in_parts = || {
            let given = user.given_name().and_then(|name| name.get(None)).map(|name| name.to_string());
            let family = user.family_name().and_then(|name| name.get(None)).map(|name| name.to_string());
            let parts: Vec<_> = given.into_iter().chain(family).collect();
            Some(parts.join(" "))
        };
        let username = || user.preferred_username().map(|name| name.to_string());
        let filled = |name: &String| !name.trim().is_empty();
        let name = in_full.filter(filled).or_else(|| in_parts().filter(filled)).or_else(|| username().filter(filled));
        Self {
            name: name.or_else(|| email.clone()).unwrap_or_else(|| sub.clone()),
            sub,
            issuer: claims.issuer().to_string(),
            email,
            acr: claims.auth_context_ref().map(|acr| acr.to_string()),
            amr: claims.auth_method_refs().into_iter().flatten().map(|amr| amr.to_string()).collect(),
            auth_time: claims.auth_time().map(in_words),
            access_until: access_until.map(in_words),
        }
    }

    pub fn with_access_until(self, access_until: Option<DateTime<Utc>>) -> Self {
        Self { access_until: access_until.map(in_words), ..self }
    }
}

fn in_words(at: DateTime<Utc>) -> (String, i64) {
    (at.to_rfc3339_opts(SecondsFormat::Secs, true), at.timestamp())
}

impl Portal {
    /// Who is signed in, with an access token that works. Nobody, once the provider says that this is over.
    pub async fn find_signed_in(&self, request: &HttpRequest) -> Option<SignedIn> {
        let id = find_cookie(request, SESSION)?;
        let session = self.sessions.find(&id, now())?;
        let mut sign_in = session.lock().await;
        if sign_in.is_due(now()) {
            match self.provider.renew(&sign_in).await {
                Ok(renewed) => *sign_in = renewed,
                Err(NotRenewed::Later(problem)) => {
                    tracing::info!(code = problem.code, detail = problem.detail, "tokens are renewed later");
                }
                Err(NotRenewed::Over(problem)) => {
                    tracing::info!(code = problem.code, detail = problem.detail, "a session ended at the provider");
                    self.sessions.revoke(&id);
                    return None;
                }
            }
        }
        Some(sign_in.user.clone())
    }
}
