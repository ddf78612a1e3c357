//! The provider as the `openidconnect` crate sees it: discovery, redirect, tokens, UserInfo.

mod exchange;
mod metadata;
mod renewal;

use super::answers::Problem;
use super::login::{LoginWishes, PendingLogin};
use super::logout::SIGNED_OUT;
use super::session::SignIn;
use super::{PortalSettings, SandboxError};
use crate::outgoing::build_client;
use actix_web::http::StatusCode;
use metadata::{Known, PortalClient};
use openidconnect::core::CoreAuthenticationFlow;
use openidconnect::{
    ClientId, ClientSecret, CsrfToken, IssuerUrl, LogoutRequest, Nonce, PkceCodeChallenge, PostLogoutRedirectUrl,
    RedirectUrl, Scope,
};
pub use renewal::NotRenewed;
use secrecy::ExposeSecret;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use url::Url;

/// Of one request to the provider.
const PATIENCE: Duration = Duration::from_secs(10);

/// A provider that may not be up yet.
pub struct Provider {
    issuer: IssuerUrl,
    client_id: ClientId,
    client_secret: ClientSecret,
    redirect_url: RedirectUrl,
    after_logout: PostLogoutRedirectUrl,
    scopes: Vec<Scope>,
    http: reqwest::Client,
    /// Held while discovering, so that one request does it for all.
    known: Mutex<Option<Arc<Known>>>,
}

impl Provider {
    pub fn new(settings: &PortalSettings, origin: &Url) -> Result<Self, SandboxError> {
        let wrong = |name| move |error: url::ParseError| SandboxError::Setting { name, reason: error.to_string() };
        let redirect = origin.join("callback").map_err(wrong("public_url"))?;
        let after_logout = origin.join(SIGNED_OUT).map_err(wrong("public_url"))?;
        let wanted = settings.scopes.iter().filter(|scope| *scope != "openid");
        Ok(Self {
            issuer: IssuerUrl::new(settings.issuer.clone()).map_err(wrong("issuer"))?,
            client_id: ClientId::new(settings.client_id.clone()),
            client_secret: ClientSecret::new(settings.client_secret.expose_secret().to_owned()),
            redirect_url: RedirectUrl::from_url(redirect),
            after_logout: PostLogoutRedirectUrl::from_url(after_logout),
            scopes: wanted.map(|scope| Scope::new(scope.clone())).collect(),
            http: build_client(settings.ca_file.as_ref(), PATIENCE)?,
            known: Mutex::new(None),
        })
    }

    fn client(&self, known: &Known) -> PortalClient {
        known.client(self.client_id.clone(), self.client_secret.clone()).set_redirect_uri(self.redirect_url.clone())
    }

    /// Where to send the browser, the state, and what to remember; the caller adds the browser's secret.
    pub async fn begin(&self, wishes: LoginWishes) -> Result<(Url, CsrfToken, PendingLogin), Problem> {
        let known = self.find_known().await?;
        let client = self.client(&known);
        let (challenge, pkce_verifier) = PkceCodeChallenge::new_random_sha256();
        let mut request = client
            .authorize_url(CoreAuthenticationFlow::AuthorizationCode, CsrfToken::new_random, Nonce::new_random)
            .add_scopes(self.scopes.iter().cloned())
            .set_pkce_challenge(challenge);
        for (name, value) in wishes.passed_on {
            request = request.add_extra_param(name, value);
        }
        let (address, state, nonce) = request.url();
        let login = PendingLogin {
            browser: String::new().into(),
            nonce,
            pkce_verifier: pkce_verifier.into_secret().into(),
            max_age: wishes.max_age,
            place: wishes.place,
        };
        Ok((address, state, login))
    }

    /// Only the one provider may start a sign-in here (OpenID Connect Core 1.0, 4).
    pub fn check_initiator(&self, issuer: &str) -> Result<(), Problem> {
        if issuer == self.issuer.as_str() {
            return Ok(());
        }
        let message = "This link comes from another sign-in service.";
        Err(Problem::new(StatusCode::BAD_REQUEST, "issuer_mismatch", message).with_detail(issuer))
    }

    /// RFC 9207: the answer must come from the provider that was asked.
    pub async fn check_issuer(&self, given: Option<&str>) -> Result<(), Problem> {
        let fits = match given {
            Some(given) => given == self.issuer.as_str(),
            None => !self.find_known().await?.promises_issuer(),
        };
        if fits {
            return Ok(());
        }
        let message = "The answer did not come from the provider that was asked.";
        Err(Problem::new(StatusCode::BAD_REQUEST, "issuer_mismatch", message).with_detail(given.unwrap_or("no iss")))
    }

    /// Redeems the code; the result has passed every check.
    pub async fn redeem(&self, code: String, login: &PendingLogin) -> Result<SignIn, Problem> {
        let known = self.find_known().await?;
        exchange::redeem(self, &known, code, login).await
    }

    /// The same with the refresh token, shortly before the access token ends.
    pub async fn renew(&self, sign_in: &SignIn) -> Result<SignIn, NotRenewed> {
        let known = self.find_known().await.map_err(NotRenewed::Later)?;
        renewal::renew(self, &known, sign_in).await
    }

    /// Gives the refresh token back, and says where to send the browser to end the provider's session, with the state
    /// it comes back with (RP-Initiated Logout, 2). Nowhere, if the provider cannot be asked or has no such place.
    pub async fn leave(&self, sign_in: &SignIn) -> Option<(Url, CsrfToken)> {
        let known = self.find_known().await.ok()?;
        renewal::revoke(self, &known, sign_in).await;
        let state = CsrfToken::new_random();
        let request = LogoutRequest::from(known.logout_endpoint()?)
            .set_id_token_hint(&sign_in.id_token)
            .set_post_logout_redirect_uri(self.after_logout.clone())
            .set_state(state.clone());
        Some((request.http_get_url(), state))
    }
}
