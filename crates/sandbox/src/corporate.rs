//! "Duck Pond Corp": a corporate OpenID Provider, for sign-ins by federation. It can lie on purpose.

mod authorization;
mod id_token;
mod people;
mod request;
mod token;

use crate::SandboxError;
use crate::expiring::Expiring;
use actix_web::HttpResponse;
use actix_web::web::{Data, ServiceConfig, get, post, resource};
use chrono::{DateTime, TimeDelta, Utc};
use id_token::Keys;
use people::Person;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::json;
use url::Url;

/// Below the sandbox's origin.
const PATH: &str = "/corporate";
/// Of a code.
const CODE_LIFE: TimeDelta = TimeDelta::minutes(1);
/// Codes not redeemed yet. The oldest make room.
const MAX_CODES: usize = 1_000;

/// The one registered client.
#[derive(Clone, Debug)]
pub struct CorporateSettings {
    /// `countersign` in the demo.
    pub client_id: String,
    /// For client_secret_basic.
    pub client_secret: SecretString,
    /// The only one, compared to the letter.
    pub redirect_uri: Url,
}

/// How the provider lies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CorporateFault {
    /// Not at all.
    #[default]
    Ok,
    /// The ID token has another nonce.
    Nonce,
    /// The ID token is for another client.
    Audience,
    /// The ID token ended an hour ago.
    Expired,
    /// The ID token is signed with a key that is not published.
    Signature,
    /// The answer is access_denied.
    Declined,
}

/// Value and label of each behaviour.
pub const FAULT_CHOICES: [(&str, &str); 6] = [
    ("ok", "Works"),
    ("nonce", "Wrong nonce"),
    ("audience", "Wrong audience"),
    ("expired", "Expired ID token"),
    ("signature", "Bad signature"),
    ("declined", "Declines"),
];

/// What the handlers share.
pub struct Corporate {
    issuer: String,
    client: CorporateSettings,
    keys: Keys,
    codes: Expiring<Approved>,
}

/// A sign-in that waits for its code to be redeemed.
#[derive(Clone)]
struct Approved {
    person: Person,
    nonce: Option<String>,
    code_challenge: String,
    at: DateTime<Utc>,
    fault: CorporateFault,
}

impl Corporate {
    /// The provider below `origin`, with keys of its own that end with it.
    pub fn new(client: CorporateSettings, origin: &str) -> Result<Self, SandboxError> {
        let wrong = |reason: &str| SandboxError::Setting { name: "corporate", reason: reason.into() };
        if client.client_id.is_empty() || client.client_secret.expose_secret().is_empty() {
            return Err(wrong("client id and secret must not be empty"));
        }
        if !matches!(client.redirect_uri.scheme(), "http" | "https") || client.redirect_uri.fragment().is_some() {
            return Err(wrong("redirect_uri must be an http(s) address without a fragment"));
        }
        Ok(Self {
            issuer: format!("{origin}{PATH}"),
            client,
            keys: Keys::generate().ok_or_else(|| wrong("no key could be made"))?,
            codes: Expiring::new(MAX_CODES, CODE_LIFE),
        })
    }
}

pub fn routes(routes: &mut ServiceConfig) {
    routes
        .service(resource("/corporate/.well-known/openid-configuration").route(get().to(show_metadata)))
        .service(resource("/corporate/jwks").route(get().to(show_keys)))
        .service(
            resource("/corporate/authorize")
                .route(get().to(authorization::show))
                .route(post().to(authorization::decide)),
        )
        .service(resource("/corporate/token").route(post().to(token::redeem)));
}

async fn show_metadata(corporate: Data<Corporate>) -> HttpResponse {
    let issuer = &corporate.issuer;
    HttpResponse::Ok().json(json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "jwks_uri": format!("{issuer}/jwks"),
        "scopes_supported": ["openid", "profile", "email"],
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic"],
        "code_challenge_methods_supported": ["S256"],
        "claims_supported": ["sub", "name", "given_name", "family_name", "email", "email_verified"],
        "authorization_response_iss_parameter_supported": true,
    }))
}

async fn show_keys(corporate: Data<Corporate>) -> HttpResponse {
    HttpResponse::Ok().json(json!({ "keys": [corporate.keys.public()] }))
}
