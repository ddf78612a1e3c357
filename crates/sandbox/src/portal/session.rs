//! Who is signed in, and signing out.

use super::Portal;
use super::cookies::{SESSION, find_cookie};
use crate::clock::now;
use crate::page::see_other;
use actix_web::web::{Data, ServiceConfig, post, resource};
use actix_web::{HttpRequest, HttpResponse};
use chrono::{DateTime, SecondsFormat, Utc};
use openidconnect::core::{CoreIdTokenClaims, CoreUserInfoClaims};
use serde::Serialize;

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
}

impl SignedIn {
    /// UserInfo comes first, then the ID token; the name falls back to the address, then to the subject.
    pub fn new(claims: &CoreIdTokenClaims, user: &CoreUserInfoClaims) -> Self {
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
        }
    }
}

fn in_words(at: DateTime<Utc>) -> (String, i64) {
    (at.to_rfc3339_opts(SecondsFormat::Secs, true), at.timestamp())
}

pub fn routes(routes: &mut ServiceConfig) {
    routes.service(resource("/logout").route(post().to(log_out)));
}

/// Ends the portal's own session; the provider's stays.
async fn log_out(portal: Data<Portal>, request: HttpRequest) -> HttpResponse {
    if let Some(id) = find_cookie(&request, SESSION) {
        portal.sessions.revoke(&id);
    }
    let mut response = see_other("/signed-out");
    match response.add_cookie(&portal.ended_cookie(SESSION.into())) {
        Ok(()) => response,
        Err(_) => HttpResponse::InternalServerError().finish(),
    }
}

impl Portal {
    pub fn find_signed_in(&self, request: &HttpRequest) -> Option<SignedIn> {
        self.sessions.find(&find_cookie(request, SESSION)?, now())
    }
}
